"""The ground of a loss surface: contours or a surface of three dimensions, and its axes."""

import numpy as np

from skgd.displays.style import COLOUR_MAP


def draw_contours(ax, x, y, values, levels, options, extend="neither"):
    """Draw a surface from above.

    Parameters
    ----------
    ax : matplotlib Axes
    x, y : ndarray of shape (n_x,), ndarray of shape (n_y,)
    values : ndarray of shape (n_y, n_x)
    levels : array-like
    options : dict
        For `matplotlib.axes.Axes.contourf`.
    extend : {"neither", "max"}
        Whether what is above the levels is coloured too.

    Returns
    -------
    matplotlib QuadContourSet
    """
    look = {**_colours(levels, options), "levels": levels, "alpha": 0.65, "extend": extend}
    return ax.contourf(x, y, values, **{**look, **options})


def draw_surface(ax, x, y, values, levels, options):
    """Draw a surface of three dimensions; the options are for ``plot_surface``."""
    ax.computed_zorder = False  # draw paths on top of the surface
    look = {"antialiased": False, "rcount": 61, "ccount": 61, **_colours(levels, options)}
    return ax.plot_surface(*np.meshgrid(x, y), values, **{**look, **options})


def _colours(levels, options):
    """Return the norm of the colours and, where no colours are given, their map."""
    from matplotlib.colors import PowerNorm

    norm = {"norm": PowerNorm(0.5, levels[0], levels[-1])}
    return norm if "colors" in options else {**norm, "cmap": COLOUR_MAP}


def draw_scale(surface, ax, levels):
    """Draw the colour bar of a surface, with as many digits as the levels need."""
    shown = np.asarray(levels)[::3]
    digits = int(2 - np.floor(np.log10(np.ptp(levels) or 1.0)))
    bar = ax.figure.colorbar(surface, ax=ax, label="objective")
    bar.set_ticks(shown, labels=[f"{round(float(level), digits) + 0.0:.6g}" for level in shown])
    return bar


def until_edge(path, box):
    """Return a path up to where it leaves a box of shape (2, 2), if it does."""
    low, high = box.T
    with np.errstate(invalid="ignore"):
        inside = ((path >= low) & (path <= high)).all(axis=1)
    return path if inside.all() or not inside[0] else path[: np.argmin(inside)]


def arrange_axes(ax):
    """Set up three-dimensional axes: pale walls, and space for the labels."""
    from matplotlib.ticker import MaxNLocator

    ax.set_zlabel("objective", labelpad=8)
    ax.view_init(elev=40, azim=-60)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(MaxNLocator(4))
        axis.set_pane_color((0.5, 0.5, 0.5, 0.1))
    ax.xaxis.labelpad = ax.yaxis.labelpad = 8
    ax.grid(False)
    ax.set_box_aspect(None, zoom=1.0)
