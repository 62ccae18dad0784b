"""The data, and the fitted curves at points of a path."""

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skgd.displays.arguments import checked, places
from skgd.displays.inspection import descent_in, named, path_of, transformed_rows
from skgd.displays.legends import legend_below, tell_apart
from skgd.displays.style import canvas, ink, line_look, merged, ramp
from skgd.estimators.validation import MatrixLike

CANDIDATES = 60  # points of a path among which the stages are chosen
MARGIN = 0.05  # margin on each side, in ranges of the data


class FitDisplay:
    """The data and some fitted curves: along a descent, or of several estimators.

    Create it with `from_estimator` or `from_estimators`. All parameters are attributes.

    Parameters
    ----------
    x, y : ndarray of shape (n_samples,)
        The data.
    grid : ndarray of shape (n_grid,)
        The x values of the curves.
    curves : ndarray of shape (n_curves, n_grid)
        Predictions.
    names : list of str
        One for each curve.
    updates : ndarray of shape (n_curves,) or None, default=None
        The updates of the curves, if they are the stages of one descent.
    axis_names : tuple of two str, default=("x", "y")

    Attributes
    ----------
    points_ : matplotlib PathCollection
    lines_ : list of matplotlib Line2D
        One for each curve.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    LossSurfaceDisplay : The path itself.

    Examples
    --------
    >>> from skgd import GDRegressor
    >>> from skgd.displays import FitDisplay
    >>> X, y = [[0.0], [1.0], [3.0]], [-1.0, 1.0, 5.0]
    >>> line = GDRegressor(
    ...     penalty=None, optimizer="gd", learning_rate=0.3, init=[1.0, 0.0], max_iter=30,
    ...     tol=None, record_path=True,
    ... )
    >>> display = FitDisplay.from_estimator(line.fit(X, y), X, y, n_curves=4)
    >>> display.updates
    array([ 0,  1, 30])
    >>> display.lines_[0].get_label()
    '0'
    """

    def __init__(self, *, x, y, grid, curves, names, updates=None, axis_names=("x", "y")):
        self.x, self.y, self.grid, self.curves, self.names = x, y, grid, curves, names
        self.updates, self.axis_names = updates, axis_names

    @classmethod
    @checked
    def from_estimator(
        cls,
        estimator: Any,
        X: MatrixLike,
        y: ArrayLike,
        *,
        n_curves: int = 6,
        updates: ArrayLike | None = None,
        feature: int | str = 0,
        grid_resolution: int = 200,
        ax: Any = None,
        line_kwargs: dict[str, Any] | None = None,
        scatter_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the fitted curves along the path of one estimator, from early to late.

        Parameters
        ----------
        estimator : fitted estimator, or a pipeline or search that ends with one
            With ``record_path=True``; without it only the final curve is drawn.
        X : array-like of shape (n_samples, n_features)
            The input of the estimator or of the pipeline.
        y : array-like of shape (n_samples,)
        n_curves : int, default=6
            The largest number of stages, at least 2: the start, the end, and stages between with
            about equal changes of the curve.
        updates : array-like of int, default=None
            The updates of the curves; None to choose ``n_curves`` of them.
        feature : int, default=0
            The column of the horizontal axis; the others are fixed at their means.
        grid_resolution : int, default=200
            The number of values of the column.
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        line_kwargs, scatter_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot` for all curves, and of ``scatter`` for the data.

        Returns
        -------
        FitDisplay
        """
        rows, shown = grid_of(X, y, feature, grid_resolution)
        descent = descent_in(estimator)
        if descent.record_path:
            path, made = path_of(estimator)
            if updates is None:
                curves, kept = _stages(estimator, rows, path, n_curves)
            else:
                kept = np.searchsorted(made, places(updates, "updates", np.inf), side="right") - 1
                curves = curves_at(estimator, rows, path[kept])
            shown["updates"], names = made[kept], [str(t) for t in made[kept]]
        else:
            curves, names = _predicted(estimator, rows)[None], ["fit"]
        display = cls(**shown, curves=curves, names=names)
        return display.plot(ax, line_kwargs=line_kwargs, scatter_kwargs=scatter_kwargs)

    @classmethod
    @checked
    def from_estimators(
        cls,
        estimators: Any,
        X: MatrixLike,
        y: ArrayLike,
        *,
        feature: int | str = 0,
        grid_resolution: int = 200,
        ax: Any = None,
        line_kwargs: dict[str, Any] | None = None,
        scatter_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the final curves of several estimators.

        Parameters
        ----------
        estimators : dict, or list of fitted estimators or of (name, estimator)
            Any estimators that predict numbers.
        X, y, feature, grid_resolution, ax, line_kwargs, scatter_kwargs
            As in `from_estimator`.

        Returns
        -------
        FitDisplay
        """
        rows, shown = grid_of(X, y, feature, grid_resolution)
        found = {name: _predicted(e, rows) for name, e in named(estimators).items()}
        display = cls(**shown, curves=np.array(list(found.values())), names=list(found))
        return display.plot(ax, line_kwargs=line_kwargs, scatter_kwargs=scatter_kwargs)

    @checked
    def plot(
        self,
        ax: Any = None,
        *,
        line_kwargs: dict[str, Any] | None = None,
        scatter_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the data and the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        line_kwargs, scatter_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot` for all curves, and of ``scatter`` for the data.

        Returns
        -------
        FitDisplay
            This display.
        """
        ax = canvas(ax)
        n, staged = len(self.curves), self.updates is not None
        dots = {"color": ink(), "alpha": 0.75, "s": 36, "zorder": 3, "linewidths": 0.0}
        self.points_ = ax.scatter(self.x, self.y, **merged(dots, scatter_kwargs, "Collection"))
        looks = [{"color": c, "linestyle": "-"} for c in ramp(n)] if staged else []
        self.lines_ = []
        for k, (name, curve) in enumerate(zip(self.names, self.curves)):
            look = {"linewidth": 2.0, "label": name, **(looks[k] if staged else line_look(k))}
            self.lines_ += ax.plot(self.grid, curve, **merged(look, line_kwargs))
        ax.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1])
        ax.margins(x=0.0)
        if not staged:
            tell_apart(ax, self.lines_, line_kwargs)
        if staged or n > 1:
            legend_below(ax, self.lines_, title="updates" if staged else None)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _stages(estimator, rows, path, n):
    """Return at most n curves with about equal distances, and their indices."""
    later = np.geomspace(1, max(len(path) - 1, 1), CANDIDATES).round().astype(int)
    places = np.unique(np.minimum(np.append(0, later), len(path) - 1))
    curves = curves_at(estimator, rows, path[places])
    with np.errstate(all="ignore"):
        steps = np.sqrt(np.mean(np.diff(curves, axis=0) ** 2, axis=1))
    gone = np.append(0.0, np.cumsum(np.where(np.isfinite(steps), steps, 0.0)))
    goals = np.linspace(0.0, gone[-1], max(n, 2))
    near = np.abs(gone - goals[1:-1, None]).argmin(axis=1)
    kept = np.unique([0, *near, len(curves) - 1])
    return curves[kept], places[kept]


def curves_at(estimator, rows, points):
    """Return the predictions of the rows at each of the points."""
    rows = transformed_rows(estimator, rows)
    objective = descent_in(estimator).objective(rows, np.zeros(len(rows)))
    with np.errstate(all="ignore"):  # a path may diverge to infinity
        return np.array([objective.inverse_link(objective.predict(point)) for point in points])


def _predicted(estimator, rows):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        return np.asarray(estimator.predict(rows), dtype=float)


def grid_of(X, y, feature, resolution):
    """Return rows in which one column covers its range, and the data to show."""
    if np.ndim(y) != 1:
        raise ValueError(f"The display takes one target; y has {np.ndim(y)} dimensions.")
    names = list(getattr(X, "columns", []))
    X = X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=float)
    if feature >= X.shape[1]:
        raise ValueError(f"The 'feature' parameter is {feature}; X has {X.shape[1]} columns.")
    x = X[:, feature]
    margin = MARGIN * np.ptp(x)
    grid = np.linspace(x.min() - margin, x.max() + margin, resolution)
    rows = np.tile(X.mean(axis=0), (resolution, 1))
    rows[:, feature] = grid
    title = names[feature] if names else "x" if X.shape[1] == 1 else f"x{feature}"
    y_name = getattr(y, "name", None) or "y"
    shown = {"x": x, "y": np.asarray(y), "grid": grid, "axis_names": (str(title), str(y_name))}
    return rows, shown
