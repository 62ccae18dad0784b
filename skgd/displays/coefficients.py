"""Coefficients over the strength of the penalty, for ridge and lasso."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.linear_model import ElasticNet, Lasso, Ridge

from skgd.displays.alphas import alpha_search, draw_marks
from skgd.displays.arguments import checked, positive
from skgd.displays.style import canvases, line_look, merged
from skgd.estimators.data import feature_names
from skgd.estimators.regressor import GDRegressor
from skgd.estimators.validation import MatrixLike

TITLES = {"l2": "ridge (l2)", "l1": "lasso (l1)", "elasticnet": "elastic net"}
SPAN = 1e-3  # ratio of the lowest alpha to the highest


class CoefficientPathDisplay:
    """The coefficients of linear regression over alpha, one panel for each penalty.

    Create it with `from_data` or `from_estimator`. All parameters are attributes.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
    coefs : dict of ndarray of shape (n_alphas, n_features)
        By penalty, from skgd.
    checks : dict of ndarray of shape (n_alphas, n_features)
        By penalty, from scikit-learn's solvers; may be empty.
    names : list of str
        Of the features.
    marks : dict of float, default=None
        Alphas that were chosen, by their names; None for none.

    Attributes
    ----------
    n_zeros : dict of ndarray of shape (n_alphas,)
        By penalty, the number of coefficients that are exactly zero.
    lines_ : dict of list of matplotlib Line2D
        By penalty, one for each feature.
    dots_ : dict of list of matplotlib Line2D
        By penalty, scikit-learn's solution.
    marks_ : list of matplotlib Line2D
        The chosen alphas, in all panels.
    zeros_ : dict of matplotlib SecondaryAxis
        By penalty, the axis that counts zeros.
    axes_ : ndarray of matplotlib Axes
        One for each penalty; ``ax_`` is the first.
    figure_ : matplotlib Figure

    See Also
    --------
    PenaltyGeometryDisplay : Shows why lasso has zeros and ridge has none.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from skgd.displays import CoefficientPathDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> display = CoefficientPathDisplay.from_data(scale(X), y, alphas=[1.0, 5.0, 20.0])
    >>> display.n_zeros["l1"], display.n_zeros["l2"]
    (array([3, 5, 7]), array([0, 0, 0]))
    >>> bool(np.abs(display.coefs["l1"] - display.checks["l1"]).max() < 1e-3)
    True
    """

    def __init__(self, *, alphas, coefs, checks, names, marks=None):
        self.alphas, self.coefs, self.checks, self.names = alphas, coefs, checks, names
        self.marks = marks
        self.n_zeros = {key: np.sum(w == 0.0, axis=1) for key, w in coefs.items()}

    @classmethod
    @checked
    def from_data(
        cls,
        X: MatrixLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        alphas: ArrayLike | None = None,
        penalties: Sequence[Any] = ("l2", "l1"),
        estimator: Any = None,
        check: bool = True,
        names: Sequence[str] | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Fit every penalty at every alpha, and draw the coefficients.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Scale them if you want to compare the coefficients.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None
        alphas : array-like of shape (n_alphas,), default=None
            The alphas of `GDRegressor` and `Lasso`; that of `Ridge` is ``n_samples`` times as
            large. None for 40 on a logarithmic scale, up to the smallest with all lasso weights
            zero.
        penalties : sequence of {"l2", "l1", "elasticnet"}, default=("l2", "l1")
        estimator : GDRegressor, default=None
            Its other parameters are used; None for ``GDRegressor(tol=1e-8, max_iter=100_000)``.
        check : bool, default=True
            Whether to fit `Ridge`, `Lasso` and `ElasticNet` too, at about ten of the alphas, with
            the squared error.
        names : list of str, default=None
            Of the features; None for the column names of X.
        ax : array of matplotlib Axes, default=None
            One for each penalty; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        CoefficientPathDisplay
        """
        model = GDRegressor(tol=1e-8, max_iter=100_000) if estimator is None else estimator
        if check and (model.loss != "squared_error" or _penalty_weights(model) is not None):
            raise ValueError("check=True is for the squared error, and one alpha for all weights.")
        if alphas is None:
            alphas = _alphas(model, X, y, sample_weight)
        alphas = np.sort(positive(alphas, "alphas"))
        if not penalties or any(p not in ("l2", "l1", "elasticnet") for p in penalties):
            raise ValueError(
                f"The 'penalties' parameter must hold 'l2', 'l1' or 'elasticnet'. Got "
                f"{penalties!r} instead."
            )
        if names is not None and np.shape(names) != np.shape(X)[1:]:
            raise ValueError("The 'names' parameter must hold one for each column of X.")
        coefs, checks = {}, {}
        checked = _check_places(len(alphas))
        for penalty in penalties:
            one = clone(model).set_params(penalty=penalty)
            fits = [clone(one).set_params(alpha=a).fit(X, y, sample_weight) for a in alphas]
            coefs[penalty] = np.array([fit.coef_ for fit in fits])
            if check:
                checks[penalty] = np.full(coefs[penalty].shape, np.nan)
                for k in checked:
                    rival = _scikit_learn_model(fits[k], y, sample_weight)
                    checks[penalty][k] = rival.fit(X, y, sample_weight).coef_
        names = feature_names(fits[0]) if names is None else list(names)
        display = cls(alphas=alphas, coefs=coefs, checks=checks, names=names)
        return display.plot(ax, **plot_options)

    @classmethod
    @checked
    def from_estimator(
        cls,
        estimator: Any,
        *,
        target: int = 0,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the path of a fitted `GDRegressorCV`, with the alphas that it may choose.

        Parameters
        ----------
        estimator : fitted GDRegressorCV, or a pipeline that ends with one
        target : int, default=0
            Which target's, where there are several.
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        CoefficientPathDisplay
        """
        found = alpha_search(estimator, target)
        known = {"alphas": found.alphas, "names": found.names, "marks": found.marks}
        display = cls(coefs={found.penalty: found.coefs}, checks={}, **known)
        return display.plot(ax, **plot_options)

    @checked
    def plot(
        self,
        ax: Any = None,
        *,
        legend: bool | str = "auto",
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw coefficients as lines, scikit-learn's as dots, and the numbers of zeros above.

        Parameters
        ----------
        ax : array of matplotlib Axes, default=None
            One for each penalty; None for a new figure.
        legend : bool or "auto", default="auto"
            Whether to name the features; "auto" does for at most twelve.
        line_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot` for all coefficients.

        Returns
        -------
        CoefficientPathDisplay
            This display.
        """
        axes = canvases(ax, len(self.coefs), sharey=True)
        self.lines_, self.dots_, self.zeros_, self.marks_ = {}, {}, {}, []
        for ax, (penalty, coefs) in zip(axes, self.coefs.items()):
            self.lines_[penalty], self.dots_[penalty] = [], []
            for k, (name, line) in enumerate(zip(self.names, coefs.T)):
                look = {"linewidth": 1.8, "label": name, **line_look(k)}
                self.lines_[penalty] += ax.plot(self.alphas, line, **merged(look, line_kwargs))
            for line, found in zip(
                self.lines_[penalty], self.checks.get(penalty, np.empty((0, 0))).T
            ):
                dots = {"color": line.get_color(), "markersize": 4, "linestyle": "none"}
                self.dots_[penalty] += ax.plot(self.alphas, found, marker="o", **dots)
            self.marks_ += draw_marks(ax, self.marks or {})
            ax.set(xscale="log", xlabel="alpha", title=TITLES.get(penalty, str(penalty)))
            self.zeros_[penalty] = self._count(ax, self.n_zeros[penalty])
        axes[0].set_ylabel("coefficient (y per unit of the feature)")
        if len(self.names) <= 12 if legend == "auto" else legend:
            self._explain(axes[-1])
        self.axes_, self.ax_, self.figure_ = axes, axes[0], axes[0].figure
        return self

    def _count(self, ax, n_zeros):
        """Write the number of zero coefficients above some of the alphas."""
        top = ax.secondary_xaxis("top")
        places = np.unique(np.linspace(0, len(self.alphas) - 1, 7).round().astype(int))
        top.set_xticks(self.alphas[places], labels=[f"{n_zeros[k]}" for k in places])
        top.set_xticks([], minor=True)
        top.set_xlabel("coefficients at zero")
        return top

    def _explain(self, ax):
        """Draw the legend of features and dots beside the last panel."""
        handles, names = ax.get_legend_handles_labels()
        dots = next(iter(self.dots_.values()), [])[:1]
        ax.legend(
            [*handles, *dots],
            [*names, *["scikit-learn"] * len(dots)],
            loc="center left",
            bbox_to_anchor=(1.02, 0.5),
            frameon=False,
        )


def _alphas(model, X, y, sample_weight):
    """Return alphas up to the smallest with all lasso weights zero."""
    empty = clone(model).set_params(penalty=None, fit_intercept=model.fit_intercept)
    objective = empty.objective(X, y, sample_weight)
    level = objective.weight @ objective.y / objective.n if model.fit_intercept else 0.0
    start = np.append(np.zeros(objective.p), level)[: objective.d]
    highest = np.abs(objective.data_term(start)[1][: objective.p]).max()
    return np.geomspace(SPAN * highest, 1.001 * highest, 40)


def _check_places(n):
    """Return the indices of about ten of n alphas."""
    return np.unique(np.linspace(0, n - 1, min(n, 10)).round().astype(int))


def _penalty_weights(model):
    """Return the weights of the penalty, if there are any."""
    return model.get_params(deep=False).get("penalty_weights")


def _scikit_learn_model(fit, y, sample_weight):
    """Return scikit-learn's estimator for the same problem."""
    total = len(y) if sample_weight is None else float(np.sum(sample_weight))
    options = {
        "fit_intercept": fit.fit_intercept,
        "positive": fit.get_params(deep=False).get("positive", False),
        "tol": 1e-10,
        "max_iter": 100_000,
    }
    if fit.penalty == "l2":
        return Ridge(total * fit.alpha, **options)
    if fit.penalty == "l1":
        return Lasso(fit.alpha, **options)
    return ElasticNet(fit.alpha, l1_ratio=fit.l1_ratio, **options)
