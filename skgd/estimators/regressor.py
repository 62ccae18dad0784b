"""Linear regression by gradient descent."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import MultiOutputMixin, clone
from sklearn.utils.validation import check_is_fitted

from skgd.estimators._sklearn import StrOptions, link_of
from skgd.estimators.by_blocks import by_blocks
from skgd.estimators.data import feature_names, prediction_rows, validated_rows
from skgd.estimators.docstrings import documented
from skgd.estimators.estimator import DescentEstimator
from skgd.estimators.linear_problem import (
    LinearProblem,
    dense_coefficients,
    linear_objectives,
    linear_starts,
)
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.scores import RegressorOnPieces
from skgd.estimators.validation import MatrixLike
from skgd.kernels.row_kernels import inverse_link
from skgd.kernels.sums import predictions
from skgd.losses import Loss
from skgd.optimizers import Optimizer
from skgd.penalties import Penalty
from skgd.schedules import Schedule


# Docstrings name in braces what `docstrings.py` says of the parameters that estimators share.
@documented
class GDRegressor(MultiOutputMixin, RegressorOnPieces, DescentEstimator):
    """Linear regression by gradient descent, with any of the classic rules.

    Minimises ``F(w, b) = 1/W sum_i s_i loss(w . x_i + b, y_i) + alpha Omega(w)`` with
    sample weights s of sum W; the loss of the squared error is ``(f - y)^2 / 2``. Penalties
    that are not smooth act by a proximal step in the optimizer's own metric, so their zeros
    are exact. With the defaults it is ridge regression, by the fastest way to a certified minimum.

    Parameters
    ----------
    {loss}
    {penalty}
    {alpha}
    {l1_ratio}
    {fit_intercept}
    positive : bool, default=False
        Whether the weights are kept from being negative.
    {penalty_weights}
    {optimizer}
        ``"auto"`` is the fastest certified way to the minimum: where nothing is asked about the
        way (no rate, schedule, batch, start, path, average, clipping or validation), a direct
        solver takes the place of a rule; else it is ``"nesterov"``.
    {learning_rate}
    {schedule}
    {batch_size}
    {sampling}
    {clip_norm}
    {clip_value}
    {average}
    {max_iter}
    {tol}
    {n_iter_no_change}
    polish : bool, default=False
        Whether a descent is ended by accelerated proximal steps on the full batch, from where it
        stands: to a gap of ``tol / 100``, with exact zeros. `stop_reason_` is then "polished";
        `n_iter_` counts these epochs too, which ``max_iter`` does not limit. A further call begins
        a new descent. Not for direct solvers and second-order methods, which are exact.
    {early_stopping}
    {validation_fraction}
    {scoring}
    init : dict or array-like of shape (n_features + 1,), default=None
        Where the parameters start: ``{"coef": ..., "intercept": ...}``, or an array of the
        coefficients and, last, the intercept if there is one; for each target one where an array,
        or a piece of the dict, has a first axis of ``n_targets`` more. None for zeros.
    center : bool or "auto", default="auto"
        Whether the intercept is solved for, by descending on rows and targets seen from their
        means (X is not copied), or descends like the others. ``"auto"`` centres for the squared
        error with ``learning_rate="auto"`` and ``init=None``, on the full batch, and where
        ``schedule="auto"`` is to arrive on batches (not of wide sparse rows); it then counts
        parameters in units in which every column has a mean square of one. Under other losses a
        descent that is to arrive sees rows from their means, too. Descents start from the best
        constant prediction. With False steps are taken in the parameters themselves.
    {record_path}
    {warm_start}
    {random_state}
    {verbose}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        float32 where X is, else float64. Under ``loss="poisson"`` one unit more of a feature
        multiplies the prediction by ``exp(coef_)``, under the others it adds ``coef_``.
    intercept_ : float or ndarray of shape (n_targets,)
        On the scale of ``coef_``; 0.0 without an intercept.
    {n_iter_}
    {t_}
    {loss_curve_}
    {history_}
    {learning_rate_}
    dual_gap_ : float or ndarray of shape (n_targets,)
        The objective minus a lower bound of its minimum, a certificate in the same unit. At most
        ``tol / 100`` of the best constant's where ``optimizer="auto"`` has converged. Infinite for
        a loss of your own without ``conjugate`` or a penalty of your own without ``elastic``.
    {converged_}
    {stop_reason_}
    {path_}
    {n_features_in_}
    {feature_names_in_}

    See Also
    --------
    skgd.reference.compare : Hold a fit against the closed form and L-BFGS.
    sklearn.linear_model.SGDRegressor : Stochastic descent only, without certificate or record.

    Notes
    -----
    One update, with batch B, is ``g = gradient of the smooth part on B``,
    ``d, s = optimizer(g)``, ``theta -= rate * s * d``, and then the prox of what is not smooth
    with the steps ``rate * s``. Weights are normalised to mean one and then averaged over the
    batch, so that a mini-batch estimates the gradient without bias.

    References
    ----------
    Bottou, Curtis and Nocedal, "Optimization methods for large-scale machine learning" (2018).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skgd import GDRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> lasso = make_pipeline(StandardScaler(), GDRegressor(penalty="l1", alpha=5.0)).fit(X, y)
    >>> lasso[-1].coef_.round(1)
    array([ 0. , -2.2, 24.2, 10.3,  0. ,  0. , -7. ,  0. , 21.2,  0. ])
    >>> round(lasso.score(X, y), 3)
    0.489

    The same minimum by stochastic descent with Adam, at a rate that falls:

    >>> from skgd.optimizers import Adam
    >>> sgd = GDRegressor(
    ...     penalty="l1", alpha=5.0, optimizer=Adam(beta2=0.99), schedule="cosine",
    ...     batch_size=32, tol=None, max_iter=200, random_state=0,
    ... )
    >>> sgd.fit(StandardScaler().fit_transform(X), y).coef_.round()
    array([ 0., -2., 24., 10.,  0.,  0., -7.,  0., 21.,  0.])
    """

    fitted_attributes = "coef_", "intercept_", "n_features_in_", "t_"
    feature_attribute = "coef_"
    has_small_solver = True
    _parameter_constraints = {
        **DescentEstimator._parameter_constraints,
        "fit_intercept": ["boolean"],
        "positive": ["boolean"],
        "center": ["boolean", StrOptions(["auto"])],
        "polish": ["boolean"],
    }

    def __init__(
        self,
        loss: str | Loss = "squared_error",
        *,
        penalty: str | Penalty | None = "l2",
        alpha: float = 1e-4,
        l1_ratio: float | None = 0.5,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
        optimizer: str | Optimizer = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        schedule: str | Schedule = "auto",
        batch_size: int | None = None,
        sampling: Literal["shuffle", "replacement", "cyclic"] = "shuffle",
        clip_norm: float | None = None,
        clip_value: float | None = None,
        average: bool | int = False,
        max_iter: int = 10_000,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 5,
        polish: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        scoring: str | Callable[..., float] | None = None,
        init: ArrayLike | dict[str, Any] | None = None,
        center: bool | Literal["auto"] = "auto",
        record_path: bool | int = False,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int | bool = 0,
    ) -> None:
        self.loss, self.penalty, self.alpha, self.l1_ratio = loss, penalty, alpha, l1_ratio
        self.fit_intercept, self.positive = fit_intercept, positive
        self.penalty_weights = penalty_weights
        self.optimizer, self.learning_rate, self.schedule = optimizer, learning_rate, schedule
        self.batch_size, self.sampling = batch_size, sampling
        self.clip_norm, self.clip_value, self.average = clip_norm, clip_value, average
        self.max_iter, self.tol, self.n_iter_no_change = max_iter, tol, n_iter_no_change
        self.polish = polish
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.scoring = scoring
        self.init, self.center = init, center
        self.record_path, self.warm_start = record_path, warm_start
        self.random_state, self.verbose = random_state, verbose

    def _problem(self, rows, last, stream):
        return LinearProblem(self, rows, last, stream)

    @by_blocks
    def predict(self, X: MatrixLike) -> np.ndarray:
        """Predict by the linear function.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            For a dask array or dataframe the predictions are a lazy dask array of the same blocks.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            float32 where X and the fit are, else float64.
        """
        X = prediction_rows(self, X)
        f = predictions(X, self.coef_.T)
        f = f.ravel() if sparse.issparse(self.coef_) and np.ndim(self.t_) == 0 else f
        values = inverse_link(part_of(self, "loss"), f + self.intercept_)
        return values.astype(np.result_type(X.dtype, self.coef_.dtype), copy=False)

    def sparsify(self) -> Self:
        """Store the coefficients as a CSR matrix of shape (n_targets, n_features).

        Returns
        -------
        self
        """
        check_is_fitted(self)
        self.coef_ = sparse.csr_array(np.atleast_2d(dense_coefficients(self)))
        return self

    def densify(self) -> Self:
        """Store the coefficients as an array again.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        self.coef_ = dense_coefficients(self)
        return self

    def objective(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Return what a fit minimises, as a function of ``(coef, intercept)``.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        Objective, or a list with one for each target where y has two dimensions
        """
        rows = validated_rows(clone(self), X, y, sample_weight)
        objectives = linear_objectives(self, rows)
        return objectives[0] if rows.is_single else objectives

    def parameters(self) -> np.ndarray:
        check_is_fitted(self)
        theta = dense_coefficients(self)
        if self.fit_intercept:
            theta = np.concatenate([theta, np.asarray(self.intercept_)[..., None]], axis=-1)
        return theta.astype(float)

    def starting_points(self) -> np.ndarray:
        return linear_starts(self, np.size(self.t_), self.n_features_in_, vars(self)["_levels"])

    def parameter_names(self) -> list[str]:
        features = feature_names(self)
        lone = len(features) == 1 and "feature_names_in_" not in vars(self)
        weights = [f"weight of {name} (y per unit)" for name in features]
        weights = ["slope (y per x)"] if lone else weights
        return weights + ["intercept (y)"] * self.fit_intercept

    def parameter_order(self) -> np.ndarray:
        return np.arange(self.n_features_in_ + self.fit_intercept)

    @property
    def _base_loss(self):
        """Where explainers and converters look up the link of scikit-learn's linear models."""
        return SimpleNamespace(link=link_of(part_of(self, "loss"), inverse_link))
