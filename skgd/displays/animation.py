"""Animation of descents: the path on the loss surface, and the fitted curve."""

import base64
import io
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skgd.displays.arguments import checked
from skgd.displays.arguments import places as whole
from skgd.displays.fit import curves_at, grid_of
from skgd.displays.inspection import named, path_of
from skgd.displays.legends import legend_below
from skgd.displays.plane import compute_surface
from skgd.displays.style import canvases, ink, line_look, merged, pyplot
from skgd.displays.surface import LossSurfaceDisplay
from skgd.estimators.validation import MatrixLike

HOLD = 1.5  # seconds of the last frame
WEB = 84.0  # CSS pixels per inch of a figure
SHARP = 2.0  # image pixels per CSS pixel, for high-density screens
AIR = 0.15  # margin above and below, in ranges of y


class DescentAnimation:
    """Animated descents: on the left their paths on the surface, on the right their curves.

    Create it with `from_estimator` or `from_estimators`. `save` writes it to a file, and a
    notebook shows it at the end of a cell. All parameters are attributes.

    Parameters
    ----------
    surface : LossSurfaceDisplay
    x, y : ndarray of shape (n_samples,)
        The data.
    grid : ndarray of shape (n_grid,)
        The x values of the curves.
    updates : ndarray of shape (n_frames,)
        The number of updates at each frame.
    places : dict of ndarray of shape (n_frames,)
        For each name, the row of its path at each frame; a finished descent stays at its end.
    curves : dict of ndarray of shape (n_frames, n_grid)
        For each name, its predictions at each frame.
    axis_names : tuple of two str, default=("x", "y")
        Of the data.

    Attributes
    ----------
    lines_, heads_ : dict of matplotlib Line2D
        By name, the path so far and its last point.
    curves_ : dict of matplotlib Line2D
        By name, the curve.
    points_ : matplotlib PathCollection
    axes_ : ndarray of two matplotlib Axes
        ``ax_`` is the first.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skgd import GDGaborRegressor
    >>> from skgd.datasets import load_gabor
    >>> from skgd.displays import DescentAnimation
    >>> problem = load_gabor()
    >>> X, y = problem.data, problem.target
    >>> packet = GDGaborRegressor(init=problem.good_start, optimizer="momentum", record_path=True)
    >>> motion = DescentAnimation.from_estimator(packet.fit(X, y), X, y, n_frames=4)
    >>> motion.updates[0], motion.curves["path"].shape
    (np.int64(0), (4, 200))
    >>> with TemporaryDirectory() as folder:
    ...     file = motion.save(Path(folder) / "descent.gif", fps=2)
    ...     file.read_bytes()[:6]
    b'GIF89a'
    """

    def __init__(self, *, surface, x, y, grid, updates, places, curves, axis_names=("x", "y")):
        self.surface, self.x, self.y, self.grid = surface, x, y, grid
        self.updates, self.places, self.curves = updates, places, curves
        self.axis_names = axis_names

    @classmethod
    @checked
    def from_estimator(
        cls, estimator: Any, X: MatrixLike, y: ArrayLike, *, name: str = "path", **options: Any
    ) -> Self:
        """Animate one descent.

        Parameters
        ----------
        estimator : fitted estimator, or a pipeline or search that ends with one
            With ``record_path=True``.
        X, y : array-like
            The data of the fit; y has one dimension.
        name : str, default="path"
        **options : dict
            As in `from_estimators`.

        Returns
        -------
        DescentAnimation
        """
        return cls.from_estimators({name: estimator}, X, y, **options)

    @classmethod
    @checked
    def from_estimators(
        cls,
        estimators: Any,
        X: MatrixLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        n_frames: int = 60,
        updates: ArrayLike | None = None,
        parameters: Any = None,
        bounds: ArrayLike | None = None,
        grid_resolution: int = 61,
        feature: int | str = 0,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Animate several descents on one surface, all at the same update in each frame.

        Parameters
        ----------
        estimators : dict, or list of fitted estimators or of (name, estimator)
            With ``record_path=True``, and the same objective.
        X, y, sample_weight : array-like
            The data of the fits; y has one dimension.
        n_frames : int, default=60
            The largest number of frames; they are denser at the start, where changes are largest.
        updates : array-like of int, default=None
            The update of each frame; None to choose ``n_frames`` of them.
        parameters, bounds, grid_resolution
            As in `LossSurfaceDisplay.from_estimators`.
        feature : int, default=0
            As in `FitDisplay.from_estimator`.
        ax : array of two matplotlib Axes, default=None
            The axes; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        DescentAnimation
        """
        estimators = named(estimators)
        plane = parameters, None, None
        found = compute_surface(estimators, X, y, sample_weight, plane, bounds, grid_resolution)
        rows, shown = grid_of(X, y, feature, 200)
        paths = {name: path_of(estimator) for name, estimator in estimators.items()}
        if updates is None:
            last = max(kept[-1] for _, kept in paths.values())
            updates = np.unique((last * np.linspace(0.0, 1.0, n_frames) ** 2).round().astype(int))
        updates = whole(updates, "updates", np.inf)
        places, curves = {}, {}
        for name, (path, kept) in paths.items():
            places[name] = np.searchsorted(kept, updates, side="right") - 1
            curves[name] = curves_at(estimators[name], rows, path[places[name]])
        display = cls(
            surface=LossSurfaceDisplay(**found),
            **shown,
            updates=np.asarray(updates),
            places=places,
            curves=curves,
        )
        return display.plot(ax, **plot_options)

    @checked
    def plot(
        self,
        ax: Any = None,
        *,
        line_kwargs: dict[str, Any] | None = None,
        scatter_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the last frame.

        Parameters
        ----------
        ax : array of two matplotlib Axes, default=None
            The axes; None for a new figure.
        line_kwargs, scatter_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot` for paths and curves, and of ``scatter`` for
            the data.

        Returns
        -------
        DescentAnimation
            This display.
        """
        left, right = self.axes_ = canvases(ax, 2)
        self.surface.plot(left, colorbar=False, legend=False, line_kwargs=line_kwargs)
        marks = [m for m in self.surface.handles(True) if m.get_label() in ("start", "minimum")]
        legend_below(left, marks)
        for artist in self.surface.ends_:
            artist.set_visible(False)
        self.lines_ = dict(zip(self.curves, self.surface.lines_))
        self.heads_, self.curves_ = {}, {}
        dots = {"color": ink(), "alpha": 0.75, "s": 24, "zorder": 3, "linewidths": 0.0}
        self.points_ = right.scatter(self.x, self.y, **merged(dots, scatter_kwargs, "Collection"))
        for k, (name, curves) in enumerate(self.curves.items()):
            look = merged({"linewidth": 2.0, "label": name, **line_look(k)}, line_kwargs)
            (self.curves_[name],) = right.plot(self.grid, curves[-1], **look)
            head = {"color": look["color"], "markeredgecolor": ink(), "zorder": 7}
            end = self.surface.paths[name][-1:].T
            (self.heads_[name],) = left.plot(*end, marker="o", markersize=9, **head)
        right.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1], ylim=self._heights())
        right.margins(x=0.0)
        if len(self.curves) > 1:
            legend_below(right, [*self.curves_.values()])
        self.ax_, self.figure_ = left, left.figure
        return self.draw(len(self.updates) - 1)

    @checked
    def draw(self, k: int) -> Self:
        """Show one frame in the drawing.

        Parameters
        ----------
        k : int
            From 0 to ``len(updates) - 1``.

        Returns
        -------
        DescentAnimation
            This display.
        """
        if k >= len(self.updates):
            raise ValueError(f"The 'k' parameter is {k}; there are {len(self.updates)} pictures.")
        for name, places in self.places.items():
            path = self.surface.paths[name][: places[k] + 1]
            self.lines_[name].set_data(*path.T)
            self.heads_[name].set_data(*path[-1:].T)
            self.curves_[name].set_ydata(self.curves[name][k])
        self.axes_[0].set_title(f"update {self.updates[k]}", loc="left", fontsize="medium")
        return self

    @checked
    def save(self, path: str | PathLike[str], *, fps: float = 12, dpi: float = 100) -> Self:
        """Write the frames to a file; the last frame stays for a while.

        Parameters
        ----------
        path : str or Path
            Ends in .gif, .webp or .png, which can all be animated.
        fps : float, default=12
            Frames per second.
        dpi : float, default=100
            Pixels per inch of the figure, which is 7.2 inches wide.

        Returns
        -------
        Path
            The path of the file.
        """
        pyplot()
        from PIL import Image

        path, pictures = Path(path), []
        for k in range(len(self.updates)):
            self.draw(k)
            with io.BytesIO() as buffer:
                self.figure_.savefig(buffer, format="png", dpi=dpi)
                pictures.append(Image.open(buffer).convert("RGB"))
            if k == 0:  # the layout is final now, and must not change
                layout = self.figure_.get_layout_engine()
                self.figure_.set_layout_engine("none")
        self.figure_.set_layout_engine(layout)
        if path.suffix.lower() == ".gif":
            pictures = [p.quantize(128, dither=Image.Dither.NONE) for p in pictures]
        times = [round(1000.0 / fps)] * (len(pictures) - 1) + [round(1000.0 * HOLD)]
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=times, loop=0)
        return path

    def _repr_html_(self):
        """Return the animation as HTML, which a notebook shows instead of the static figure."""
        pyplot().close(self.figure_)
        with tempfile.TemporaryDirectory() as folder:
            data = self.save(Path(folder) / "descent.gif", dpi=SHARP * WEB).read_bytes()
        text = base64.b64encode(data).decode("ascii")
        width = round(WEB * self.figure_.get_size_inches()[0])
        look = f'width="{width}" style="max-width: 100%; height: auto"'
        return f'<img alt="An animated descent" {look} src="data:image/gif;base64,{text}">'

    def _heights(self):
        """Return the range of y to show: that of the data and of curves near them."""
        low, high = self.y.min(), self.y.max()
        air = AIR * ((high - low) or 1.0)
        ends = np.concatenate([curves[-1] for curves in self.curves.values()])
        near = ends[(ends > low - 4.0 * air) & (ends < high + 4.0 * air)]
        return min([low, *near]) - air, max([high, *near]) + air
