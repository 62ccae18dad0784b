"""The objective over two directions, with the paths of descents."""

from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skgd.displays.arguments import checked
from skgd.displays.ground import arrange_axes, draw_contours, draw_scale, draw_surface, until_edge
from skgd.displays.legends import legend_below
from skgd.displays.paths import draw_paths, mark_handles
from skgd.displays.plane import compute_surface
from skgd.displays.style import GREY, canvas, ink, one_of
from skgd.estimators.validation import MatrixLike, numbers


class LossSurfaceDisplay:
    """The objective over two parameters, or over the plane of two directions.

    Create it with `from_estimator` or `from_estimators`. All parameters are attributes.

    Parameters
    ----------
    x, y : ndarray of shape (n_x,), ndarray of shape (n_y,)
        The grid of the objective.
    values : ndarray of shape (n_y, n_x)
        The objective at ``origin + x directions[0] + y directions[1]``.
    axis_names : tuple of two str
    origin : ndarray of shape (d,)
        In the order of the estimator's ``objective``: the weights, then the extra parameters.
    directions : ndarray of shape (2, d)
        Of unit length and orthogonal, unless they were given or are random.
    paths : dict of ndarray of shape (n_points, 2)
        For each name, x and y of the points of a descent, from the start on.
    minima : ndarray of shape (n_minima, 2)
        The known minima; none with more than two parameters.
    diverged, converged : dict of bool, default=None
        For each name, whether the descent diverged, and whether it converged. None means that no
        descent diverged, and that all converged.

    Attributes
    ----------
    contour_ : matplotlib QuadContourSet, or Poly3DCollection
        The surface.
    colorbar_ : matplotlib Colorbar or None
    lines_, starts_, ends_ : list of matplotlib Line2D
        One for each path.
    minima_ : matplotlib Line2D or None
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    FitDisplay : The fitted curves at points of a path.
    DescentAnimation : An animation of both.

    References
    ----------
    Li et al., "Visualizing the loss landscape of neural nets" (2018): section 4, random directions
    with a norm for each unit; section 7, the principal directions of a path.

    Examples
    --------
    >>> from skgd import GDGaborRegressor
    >>> from skgd.datasets import load_gabor
    >>> from skgd.displays import LossSurfaceDisplay
    >>> problem = load_gabor()
    >>> X, y = problem.data, problem.target
    >>> plain = GDGaborRegressor(
    ...     init=problem.bad_start, optimizer="gd", max_iter=9999, record_path=True
    ... )
    >>> display = LossSurfaceDisplay.from_estimator(plain.fit(X, y), X, y)
    >>> display.axis_names
    ('offset (rad)', 'frequency (0.06 rad per unit)')
    >>> display.minima.round(1).tolist()
    [[-5.9, 16.7]]
    """

    def __init__(
        self,
        *,
        x,
        y,
        values,
        axis_names,
        origin,
        directions,
        paths,
        minima,
        diverged=None,
        converged=None,
    ):
        self.x, self.y, self.values, self.axis_names = x, y, values, axis_names
        self.origin, self.directions = origin, directions
        self.paths, self.minima = paths, minima
        self.diverged, self.converged = diverged, converged

    @classmethod
    @checked
    def from_estimator(
        cls, estimator: Any, X: MatrixLike, y: ArrayLike, *, name: str = "path", **options: Any
    ) -> Self:
        """Draw the objective of one estimator, and its path.

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
        LossSurfaceDisplay
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
        parameters: Any = None,
        directions: str | ArrayLike | None = None,
        random_state: Any = 0,
        bounds: ArrayLike | None = None,
        grid_resolution: int = 61,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw one surface and the paths of several estimators.

        Parameters
        ----------
        estimators : dict, or list of fitted estimators or of (name, estimator)
            With ``record_path=True``, and the same objective. They may have diverged.
        X, y, sample_weight : array-like
            The data of the fits; y has one dimension.
        parameters : tuple of two int, default=None
            The parameters that span the plane, in the order of the estimator's ``objective``. The
            others are fixed at the end of the first descent that has not diverged. None for both
            of two parameters, or for `directions`.
        directions : {"leading", "random"} or array-like of shape (2, d), default=None
            What spans the plane through that end: the two principal directions of the paths; two
            random ones, in which the weights of each unit are as long as there; or these. None for
            the leading ones, unless there are two parameters.
        random_state : int, RandomState instance or None, default=0
            Of random directions.
        bounds : array-like of shape (2, 2), default=None
            The lowest and the highest x, and those of y. None to show all starts and minima, and
            the paths that have not diverged; if all have diverged, their first steps. In random
            directions None is from -1 to 1, where the weights have changed by their own length.
        grid_resolution : int, default=61
            The number of values of x, and of y.
        ax : matplotlib Axes, default=None
            The axes; None for a new figure. A surface needs axes of three dimensions.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        LossSurfaceDisplay
        """
        plane = parameters, directions, random_state
        found = compute_surface(estimators, X, y, sample_weight, plane, bounds, grid_resolution)
        return cls(**found).plot(ax, **plot_options)

    @checked
    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "contour",
        levels: int | ArrayLike = 16,
        colorbar: bool | str = "auto",
        legend: bool | str = True,
        contour_kwargs: dict[str, Any] | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the surface, the paths, their starts and ends, and the minima.

        Starts are dots and ends are stars. An end is hollow if the descent has not converged, and
        a cross if it diverged. Paths that overlap earlier ones are dashed, and marks that overlap
        others are smaller. The legend is below the axes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes; None for a new figure. A surface needs axes of three dimensions.
        kind : {"contour", "surface"}, default="contour"
            A contour plot, or a surface in three dimensions.
        levels : int or array-like, default=16
            The number of levels, which are denser at low values; or a list.
        colorbar : bool or "auto", default="auto"
            "auto" draws one for contours.
        legend : bool or "marks", default=True
            Whether to draw a legend of paths and marks; "marks" omits the paths.
        contour_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.contourf`, or of ``plot_surface``.
        line_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot` for all paths.

        Returns
        -------
        LossSurfaceDisplay
        """
        deep = one_of("kind", kind, ("contour", "surface")) == "surface"
        ax = canvas(ax, projection="3d" if deep else None)
        given = not np.isscalar(levels)
        low, high = np.nanmin(self.values), np.nanmax(self.values)
        if not given:
            levels = low + (high - low) * np.linspace(0.0, 1.0, levels) ** 2
        contours = partial(draw_contours, extend="max" if given else "neither")
        draw = draw_surface if deep else contours
        self.contour_ = draw(ax, self.x, self.y, self.values, levels, contour_kwargs or {})
        self.colorbar_ = None
        if not deep if colorbar == "auto" else colorbar:
            self.colorbar_ = draw_scale(self.contour_, ax, levels)
        self._draw_paths(ax, deep, line_kwargs)
        self._minima(ax, deep)
        ax.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1])
        ax.set(xlim=self.x[[0, -1]], ylim=self.y[[0, -1]])
        if deep:
            arrange_axes(ax)
        if one_of("legend", legend, (True, False, "marks")):
            legend_below(ax, self.handles(legend == "marks"), **({"drop": 26.0} if deep else {}))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @checked
    def heights(self, points: ArrayLike) -> np.ndarray:
        """Return the interpolated objective at points of the plane; NaN outside of the grid.

        Parameters
        ----------
        points : ndarray of shape (n_points, 2)

        Returns
        -------
        ndarray of shape (n_points,)
        """
        from scipy.interpolate import RegularGridInterpolator

        between = RegularGridInterpolator(
            (self.y, self.x), self.values, bounds_error=False, fill_value=np.nan
        )
        points = numbers(points, "points", {(len(points), 2): "a place in the plane in each row"})
        return between(points[:, ::-1])

    def _draw_paths(self, ax, deep, options):
        """Draw the paths, their starts and ends."""
        box = np.array([self.x[[0, -1]], self.y[[0, -1]]])
        paths = {name: until_edge(path, box) for name, path in self.paths.items()}
        ends = [self._outcome(name) for name in paths]
        heights = self.heights if deep else None
        self.lines_, self.starts_, self.ends_ = draw_paths(ax, paths, ends, box, heights, options)

    def _outcome(self, name):
        """Return the end of a path in the words of the legend."""
        if (self.diverged or {}).get(name, False):
            return "diverged"
        return "end" if (self.converged or {}).get(name, True) else "end, not converged"

    def handles(self, marks_only: bool = False) -> list[Any]:
        """Return the handles of a legend: the paths, and each kind of mark.

        Parameters
        ----------
        marks_only : bool, default=False
            Whether to omit the paths.

        Returns
        -------
        list of matplotlib Artist
            With labels, for `matplotlib.axes.Axes.legend`.
        """
        several = len(self.lines_) > 1
        colour = self.lines_[0].get_color() if len(self.lines_) == 1 else GREY
        found = mark_handles(dict.fromkeys(map(self._outcome, self.paths)), colour)
        lows = [] if self.minima_ is None else [self.minima_]
        return [*(self.lines_ if several and not marks_only else []), *found, *lows]

    def _minima(self, ax, deep):
        """Draw the minima."""
        self.minima_ = None
        if len(self.minima):
            sides = (*self.minima.T, self.heights(self.minima)) if deep else self.minima.T
            look = {"marker": "+", "markersize": 17, "markeredgewidth": 1.5, "linestyle": "none"}
            look |= {"color": ink(), "zorder": 3, "label": "minimum"}
            (self.minima_,) = ax.plot(*sides, **look)
