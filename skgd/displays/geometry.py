"""The geometry of penalties: contours of the data term, and the constraint set they touch."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skgd.displays.arguments import box, checked, places
from skgd.displays.inspection import descent_in, single_objective
from skgd.displays.legends import legend_below
from skgd.displays.style import LINES, canvas, ink
from skgd.estimators.data import feature_names
from skgd.estimators.validation import MatrixLike

MARGIN = 0.15  # margin on each side, in widths of the content
FAR = 20.0  # largest size of a contour that is shown whole, in widths of the rest


class PenaltyGeometryDisplay:
    """Two weights: contours of the data term, the constraint set, and where they touch.

    The constraint set contains all weights whose penalty is at most that of the solution. Among
    them the solution has the smallest data term, so a contour touches the set there. For ridge
    the set is a disc, which the contour can touch anywhere. For lasso it is a diamond, and the
    contour often touches a corner, where one weight is zero. Create it with `from_estimator`. All
    parameters are attributes.

    Parameters
    ----------
    x, y : ndarray of shape (n_grid,)
        The values of the two weights.
    values : ndarray of shape (n_grid, n_grid)
        The data term, with the best intercept.
    boundary : ndarray of shape (n_points, 2)
        Of the constraint set.
    solution : ndarray of shape (2,)
        The minimum of the penalised objective.
    least : ndarray of shape (2,)
        The unpenalised minimum of the data term.
    level : float
        The data term at the minimum.
    names : tuple of two str
        Of the features.

    Attributes
    ----------
    contour_, touching_ : matplotlib QuadContourSet
        The contours, and the one through the minimum, which touches the constraint set.
    boundary_ : matplotlib Polygon
    solution_, least_ : matplotlib Line2D
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    CoefficientPathDisplay : The number of zeros at each alpha.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd import GDRegressor
    >>> from skgd.displays import PenaltyGeometryDisplay
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> y = X @ [0.3, 1.0]
    >>> lasso = GDRegressor(penalty="l1", alpha=0.5, tol=1e-8).fit(X, y)
    >>> display = PenaltyGeometryDisplay.from_estimator(lasso, X, y)
    >>> display.least.round(2) + 0, display.solution.round(2)
    (array([0.3, 1. ]), array([0.  , 0.48]))
    """

    def __init__(self, *, x, y, values, boundary, solution, least, level, names):
        self.x, self.y, self.values, self.boundary = x, y, values, boundary
        self.solution, self.least, self.level, self.names = solution, least, level, names

    @classmethod
    @checked
    def from_estimator(
        cls,
        estimator: Any,
        X: MatrixLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        features: Sequence[int | str] = (0, 1),
        bounds: ArrayLike | None = None,
        grid_resolution: int = 121,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw two weights of a fitted linear model.

        Parameters
        ----------
        estimator : fitted GDRegressor, or a pipeline or search that ends with one
            For the squared error, with a penalty that is a mixture of l1 and l2.
        X, y, sample_weight : array-like
            The data of the fit; y has one dimension.
        features : tuple of two int, default=(0, 1)
            The features of the two weights; other weights keep their fitted values.
        bounds : array-like of shape (2, 2), default=None
            The lowest and the highest value of the first weight, and of the second. None to show
            the constraint set, the unpenalised minimum, and the contour that touches the set
            unless it is twenty times as large.
        grid_resolution : int, default=121
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        PenaltyGeometryDisplay

        Raises
        ------
        ValueError
            For other losses or penalties, or for fewer than two features.
        """
        objective = single_objective(estimator, X, y, sample_weight)
        if not objective.quadratic or objective.elastic_strengths is None or objective.p < 2:
            raise ValueError(
                "The display is for the squared error of two features or more, with an l1, l2 or "
                "elastic-net penalty."
            )
        features = places(features, "features", objective.p, size=2).tolist()
        descent = descent_in(estimator)
        found = _geometry(objective, descent.parameters(), features, box(bounds), grid_resolution)
        columns = feature_names(descent)
        display = cls(**found, names=tuple(columns[j] for j in features))
        return display.plot(ax, **plot_options)

    @checked
    def plot(
        self,
        ax: Any = None,
        *,
        levels: int | ArrayLike = 8,
        contour_kwargs: dict[str, Any] | None = None,
        boundary_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the contours, the constraint set, the minimum and the unpenalised minimum.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        levels : int or array-like, default=8
            The approximate number of contours beside the one through the solution, or a list.
        contour_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.contour`.
        boundary_kwargs : dict, default=None
            Options of `matplotlib.patches.Polygon`.

        Returns
        -------
        PenaltyGeometryDisplay
            This display.
        """
        ax = canvas(ax)
        from matplotlib.patches import Polygon

        if np.isscalar(levels):
            levels = self._levels(levels)
        look = {"colors": "0.55", "linewidths": 1.0, **(contour_kwargs or {})}
        if "cmap" in look:
            del look["colors"]
        self.contour_ = ax.contour(self.x, self.y, self.values, levels, **look)
        self.touching_ = ax.contour(
            self.x, self.y, self.values, [self.level], colors=[LINES[1]], linewidths=2.0
        )
        look = {"facecolor": LINES[5], "alpha": 0.4, "zorder": 1, "label": "constraint set"}
        self.boundary_ = Polygon(self.boundary, closed=True, **{**look, **(boundary_kwargs or {})})
        ax.add_patch(self.boundary_)
        dots = {"linestyle": "none", "zorder": 4}
        (self.least_,) = ax.plot(
            *self.least,
            marker="*",
            color=LINES[4],
            markersize=13,
            label="unpenalised minimum",
            **dots,
        )
        (self.solution_,) = ax.plot(
            *self.solution, marker="o", color=ink(), markersize=7, label="minimum", **dots
        )
        ax.axhline(0.0, color="0.5", linewidth=0.8, zorder=0)
        ax.axvline(0.0, color="0.5", linewidth=0.8, zorder=0)
        ax.set(aspect="equal", xlim=self.x[[0, -1]], ylim=self.y[[0, -1]])
        ax.set(**{f"{s}label": f"weight of {n} (y per unit)" for s, n in zip("xy", self.names)})
        legend_below(ax, [self.boundary_, self.least_, self.solution_])
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _levels(self, n):
        """Return about n levels with equal distances, without the one of the solution."""
        low = min(self.level, self.values.min())
        farthest, radius = np.sqrt(self.values.max() - low), np.sqrt(self.level - low)
        step = farthest / (n + 1)
        if radius > 0.5 * step:
            step = radius / round(radius / step)
        rings = step * np.arange(1, int(farthest / step) + 1)
        return low + rings[~np.isclose(rings, radius)] ** 2


def _geometry(objective, theta, features, bounds, grid_resolution):
    """Return what the display is made of, but for names."""
    solution = theta[features]

    def term(u, v):
        theta[features] = u, v
        return _profile(objective, theta)

    boundary = _boundary([cost[features] for cost in objective.elastic_strengths], solution)
    least, hessian = _quadratic(term)
    if bounds is None:
        shown = np.vstack([boundary, least, np.zeros(2)])
        shown = np.vstack([shown, _contour(least, hessian, term(*solution) - term(*least), shown)])
        bottom, top = shown.min(axis=0), shown.max(axis=0)
        margin = MARGIN * ((top - bottom).max() or 1.0)
        bounds = np.column_stack([bottom - margin, top + margin])
    x, y = (np.linspace(*side, grid_resolution) for side in bounds)
    return {
        "x": x,
        "y": y,
        "values": np.array([[term(u, v) for u in x] for v in y]),
        "boundary": boundary,
        "solution": solution,
        "least": least,
        "level": term(*solution),
    }


def _profile(objective, theta):
    """Return the data term at the weights of theta, with the best intercept."""
    p = objective.p
    theta = np.append(theta[:p], np.zeros(objective.d - p))
    value, g = objective.data_term(theta)
    return value - 0.5 * g[p:] @ g[p:]  # its curvature in the intercept is one


def _quadratic(term):
    """Return the minimum of a quadratic function of two numbers, and its Hessian."""
    zero, ones = term(0.0, 0.0), np.eye(2)
    ahead, back = ([term(*side) for side in (ones, -ones)[k]] for k in (0, 1))
    slope = 0.5 * (np.array(ahead) - back)
    curvature = np.array(ahead) + back - 2.0 * zero
    cross = term(1.0, 1.0) - zero - slope.sum() - 0.5 * curvature.sum()
    hessian = np.array([[curvature[0], cross], [cross, curvature[1]]])
    return -np.linalg.lstsq(hessian, slope, rcond=None)[0], hessian


def _contour(centre, hessian, height, shown):
    """Return the corners of the bounding box of a contour, unless it is far too large."""
    with np.errstate(all="ignore"):
        inverse = hessian[[1, 0], [1, 0]] / (hessian[0, 0] * hessian[1, 1] - hessian[0, 1] ** 2)
        half = np.sqrt(2.0 * max(height, 0.0) * inverse)
    if not (half <= FAR * np.ptp(shown, axis=0).max()).all():
        return np.empty((0, 2))
    return np.array([centre - half, centre + half])


def _boundary(strengths, solution):
    """Return the points ``r (cos, sin)`` whose penalty is that of the solution."""
    level = strengths[0] @ np.abs(solution) + 0.5 * strengths[1] @ solution**2
    turn = np.linspace(0.0, 2.0 * np.pi, 361)[:-1]
    rays = np.column_stack([np.cos(turn), np.sin(turn)])
    linear, square = np.abs(rays) @ strengths[0], rays**2 @ strengths[1]
    root = linear + np.sqrt(linear**2 + 2.0 * square * level)
    return rays * np.divide(2.0 * level, root, out=np.zeros_like(root), where=root > 0.0)[:, None]
