"""Paths on a surface: their lines, and the marks of their starts and ends."""

from skgd.displays.legends import DASHES, nested, ranks
from skgd.displays.style import halo, ink, line_look, merged

END_LOOKS = {
    "end": {"marker": "*", "markersize": 15},
    "end, not converged": {"marker": "*", "markersize": 15, "markerfacecolor": "white"},
    "diverged": {"marker": "X", "markersize": 10},
}


def draw_paths(ax, paths, outcomes, box, heights, options):
    """Draw paths, dashed where they coincide, and marks, smaller where they do.

    Parameters
    ----------
    ax : matplotlib Axes
    paths : dict of ndarray of shape (n_points, 2)
    outcomes : list of str
        The end of each path, a key of `END_LOOKS`.
    box : ndarray of shape (2, 2)
        The lowest and the highest x, and those of y.
    heights : callable or None
        Of points of the plane, for axes of three dimensions.
    options : dict or None
        For `matplotlib.axes.Axes.plot`, of all lines.

    Returns
    -------
    lines, starts, ends : list of matplotlib Line2D
    """
    lines, starts, ends = [], [], []
    if not paths:
        return lines, starts, ends
    points = list(paths.values())
    places = ranks(points, box)
    sizes = [nested([path[i] for path in points], box) for i in (0, -1)]
    for k, (name, path) in enumerate(paths.items()):
        track = path.T if heights is None else (*path.T, heights(path))
        look = {"linewidth": 2.0, "label": name, "zorder": 4, **line_look(k)}
        if places[k]:
            look["linestyle"] = DASHES[places[k] % len(DASHES)]
        else:  # so that the dashes of a line do not hide the line below
            look["path_effects"] = halo(4.0)
        (line,) = ax.plot(*track, **merged(look, options))
        mark = {"linestyle": "none", "color": line.get_color(), "zorder": 5}
        mark |= {"markeredgecolor": ink(), "markeredgewidth": 0.7, "clip_on": heights is not None}
        start, end = ([side[[i]] for side in track] for i in (0, -1))
        lines.append(line)
        starts += ax.plot(*start, marker="o", markersize=9 * sizes[0][k], **mark)
        kind = dict(END_LOOKS[outcomes[k]])
        kind["markersize"] *= sizes[1][k]
        if "markerfacecolor" in kind:  # hollow, in the colour of the path
            kind |= {"markeredgecolor": line.get_color(), "markeredgewidth": 1.5}
        ends += ax.plot(*end, **{**mark, **kind})
    return lines, starts, ends


def mark_handles(outcomes, colour):
    """Return handles that explain the marks: of starts, if there are any, and of each outcome."""
    from matplotlib.lines import Line2D

    marks = {"color": colour, "markeredgecolor": ink(), "linestyle": "none"}
    looks = [("start", {"marker": "o", "markersize": 7})] if outcomes else []
    looks += [(kind, {**END_LOOKS[kind], "markersize": 9}) for kind in outcomes]
    return [Line2D([], [], label=label, **{**marks, **look}) for label, look in looks]
