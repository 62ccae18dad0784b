"""The style of the pictures, for light and dark backgrounds and all types of colour vision.

Lines use colours of Okabe and Ito, areas use a perceptually uniform colour map, and everything
else follows `matplotlib.rcParams`. The functions import matplotlib when something is drawn.
"""

from inspect import signature

import numpy as np

LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", ":", "-.")  # the dashes change when the colours repeat
COLOUR_MAP = "viridis"
GREY = "0.55"
WIDEST = 2.0  # range of coloured scores, in distances from the best to the median


def pyplot():
    """Return `matplotlib.pyplot`; if it is missing, say how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Displays draw with matplotlib, which is not installed. The extra `plot` brings it: "
            'pip install "skgd[plot]".'
        ) from error
    return plt


def canvas(ax=None, **options):
    """Return the given axes, or new ones in a new figure."""
    plt = pyplot()
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot(**options)
    return _checked(ax)


def canvases(ax, n, **options):
    """Return the n given axes, or new ones side by side."""
    plt = pyplot()
    if ax is None:
        size = (max(6.4, 3.6 * n), 4.0)
        ax = plt.subplots(1, n, layout="constrained", figsize=size, **options)[1]
    axes = np.ravel(np.asarray(ax, dtype=object))
    if len(axes) != n:
        raise ValueError(f"The display has {n} panels; got {len(axes)} axes as ax.")
    return np.array([_checked(one) for one in axes], dtype=object)


def _checked(ax):
    """Return axes, after a check of their type."""
    if not callable(getattr(ax, "plot", None)):
        raise TypeError(f"The 'ax' parameter must be matplotlib's Axes. Got {ax!r} instead.")
    return ax


def is_dark():
    """Whether the text colour is light, as on a dark background."""
    pyplot()
    from matplotlib import rcParams
    from matplotlib.colors import to_rgb

    return float(np.dot(to_rgb(rcParams["text.color"]), (0.2126, 0.7152, 0.0722))) > 0.5


def ink():
    """Return the colour of text."""
    pyplot()
    from matplotlib import rcParams

    return rcParams["text.color"]


def hatched():
    """Return the look of a hatched area."""
    return {"hatch": "////", "facecolor": "none", "edgecolor": ink(), "linewidth": 0.0}


def hatch_cells(ax, edges, marked, label):
    """Hatch the marked cells of a map; return what the legend shows, or None.

    Parameters
    ----------
    ax : matplotlib Axes
    edges : ndarray of shape (n + 1,)
        Of the columns; rows are one high, around whole numbers.
    marked : ndarray of shape (m, n), bool
    label : str
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Patch, Rectangle

    widths = np.diff(edges)
    cells = [Rectangle((edges[j], i - 0.5), widths[j], 1) for i, j in np.argwhere(marked)]
    if not cells:
        return None
    ax.add_collection(PatchCollection(cells, **hatched()))
    return Patch(**hatched(), label=label)


def line_look(k):
    """Return the colour and the dashes of the k-th line."""
    return {"color": LINES[k % len(LINES)], "linestyle": DASHES[k // len(LINES) % len(DASHES)]}


def round_ticks(axis, low, high):
    """Put the ticks of a logarithmic axis from low to high at round numbers.

    They are powers of ten; over less than two decades also two and five times these; over a small
    part of a decade they are equidistant.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    decades = np.log10(high) - np.log10(low)
    if decades > 0.7:
        axis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2.0 else (1.0, 2.0, 5.0)))
    else:
        axis.set_major_locator(MaxNLocator(4))
    axis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    axis.set_minor_locator(LogLocator(subs=range(2, 10)))
    axis.set_minor_formatter(NullFormatter())


def value_norm(values, are_scores):
    """Return the colour scale of some values; for positive objectives it is logarithmic."""
    from matplotlib.colors import LogNorm, Normalize

    known = values[np.isfinite(values)]
    if not known.size:
        return Normalize(0.0, 1.0)
    if are_scores:
        lowest = known.max() - WIDEST * (known.max() - np.median(known))
        return Normalize(max(known.min(), lowest), known.max())
    if (known > 0.0).all():
        return LogNorm(known.min(), known.max())
    return Normalize(known.min(), known.max())


def ramp(n):
    """Return n colours from pale (early) to dark (late), in contrast to the background."""
    colours = pyplot().get_cmap(COLOUR_MAP)
    return colours(np.linspace(0.3, 0.95, n) if is_dark() else np.linspace(0.74, 0.05, n))


def halo(width):
    """Return the outline that makes a line visible on a coloured area."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="white")]


def merged(defaults, given, kind="Line2D"):
    """Return the options of an artist: the defaults, updated by the given ones.

    Short names such as ``lw`` are equivalent to the long ones.
    """
    from matplotlib import collections, lines
    from matplotlib.axes import Axes
    from matplotlib.cbook import normalize_kwargs

    artist = {"Line2D": lines.Line2D, "Collection": collections.PathCollection}[kind]
    given = normalize_kwargs(given or {}, artist)
    known = {"scalex", "scaley"} if kind == "Line2D" else signature(Axes.scatter).parameters
    unknown = [key for key in given if key not in known and not hasattr(artist, f"set_{key}")]
    if unknown:
        name = "line_kwargs" if kind == "Line2D" else "scatter_kwargs"
        raise ValueError(f"{name} must hold properties of a {artist.__name__}, not {unknown}.")
    return {**defaults, **given}


def one_of(name, value, allowed):
    """Return a choice; raise an error if it is not among the options."""
    if isinstance(value, str | bool) and value in allowed:
        return value
    raise ValueError(f"The {name!r} parameter must be one of {list(allowed)}. Got {value!r}.")
