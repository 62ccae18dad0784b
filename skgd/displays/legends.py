"""Legends outside of the axes, and dashes that keep overlapping lines visible."""

import numpy as np
from scipy.spatial import cKDTree

DROP = 38.0  # points between axes and legend, for tick labels and the axis label
LETTER = 0.58  # mean width of a letter, in font sizes
HANDLE = 4.0  # width of a legend line and the gaps around it, in font sizes
NEAR = 0.01  # lines closer than this overlap, in sizes of the axes
ALIKE = 0.5  # share of its length at which a line counts as overlapping another
SHRINK = 0.68  # relative size of a mark on top of another
SAMPLES = 2000  # largest number of points of a line that are compared
DASHES = ("-", (0, (3.0, 3.0)), (3.0, (1.5, 4.5)), (0, (0.8, 5.2)))


def legend_below(ax, handles, drop=DROP, **options):
    """Draw a legend below the axes, outside of the data.

    It has as many columns as are likely to fit. Without handles there is no legend.
    """
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties
    from matplotlib.transforms import ScaledTranslation

    if not handles:
        return None
    figure = ax.figure
    kind = options.get("fontsize", rcParams["legend.fontsize"])
    size = FontProperties(size=kind).get_size_in_points()
    longest = max(len(str(handle.get_label())) for handle in handles)
    room = 72.0 * ax.bbox.width / figure.dpi
    n_columns = int(room / (size * (LETTER * longest + HANDLE)))
    shift = ScaledTranslation(0.0, -drop / 72.0, figure.dpi_scale_trans)
    look = {"loc": "upper center", "frameon": False, "borderaxespad": 0.0, "columnspacing": 1.2}
    look |= {"ncols": min(max(n_columns, 1), len(handles)), "handlelength": 2.0}
    return ax.legend(
        handles=handles,
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + shift,
        **{**look, **options},
    )


def tell_apart(ax, lines, options=None):
    """Draw lines that overlap earlier ones with dashes, unless the dashes are given."""
    asked = {"linestyle", "ls", "dashes"} & set(options or {})
    if asked:
        return
    ax.autoscale_view()
    to_axes = ax.transData + ax.transAxes.inverted()
    with np.errstate(all="ignore"):
        drawn = [to_axes.transform(np.asarray(line.get_xydata(), dtype=float)) for line in lines]
    for line, rank in zip(lines, ranks(drawn, [[0.0, 1.0], [0.0, 1.0]])):
        if rank:
            line.set_linestyle(DASHES[rank % len(DASHES)])


def nested(points, box):
    """Return sizes for marks in drawing order: each is smaller than the marks below it.

    Parameters
    ----------
    points : ndarray of shape (n_points, 2)
    box : ndarray of shape (2, 2)

    Returns
    -------
    list of float
        1 for a mark without overlap.
    """
    unit = (np.asarray(points, dtype=float) - np.asarray(box)[:, 0]) / np.diff(box).T
    close = [np.hypot(*(unit[:k] - unit[k]).T) < 2.0 * NEAR for k in range(len(unit))]
    return [SHRINK ** int(found.sum()) for found in close]


def ranks(lines, box):
    """Return for each line the number of earlier lines that it overlaps.

    Parameters
    ----------
    lines : list of ndarray of shape (n_points, 2)
    box : ndarray of shape (2, 2)
        The lowest and the highest x, and those of y, in the unit of the axes.

    Returns
    -------
    list of int
    """
    box = np.asarray(box, dtype=float)
    seen, found = [], []
    for line in lines:
        points = _even((np.asarray(line, dtype=float) - box[:, 0]) / np.diff(box).T)
        found.append(sum(_share(points, other) > ALIKE for other in seen))
        seen.append(points)
    return found


def _even(points):
    """Return equidistant points of a line that are within the axes."""
    points = points[np.isfinite(points).all(axis=1)]
    points = points[((points > -NEAR) & (points < 1.0 + NEAR)).all(axis=1)]
    if len(points) < 2:
        return points
    gone = np.append(0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T)))
    goals = np.linspace(0.0, gone[-1], min(int(gone[-1] / NEAR) + 2, SAMPLES))
    return np.column_stack([np.interp(goals, gone, side) for side in points.T])


def _share(points, other):
    """Return the share of a line's points that another line hides."""
    if not len(points) or not len(other):
        return 0.0
    distance, _ = cKDTree(other).query(points)
    return float(np.mean(distance < NEAR))
