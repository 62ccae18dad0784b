"""The Gabor model by gradient descent: two parameters, many minima."""

from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from skgd.estimators._sklearn import Interval, StrOptions
from skgd.estimators.by_blocks import by_blocks
from skgd.estimators.data import feature_names, prediction_rows, validated_rows
from skgd.estimators.docstrings import documented
from skgd.estimators.estimator import DescentEstimator
from skgd.estimators.gabor_problem import GaborProblem, gabor_model, gabor_objective
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.scores import RegressorOnPieces
from skgd.estimators.validation import MatrixLike
from skgd.kernels.row_kernels import inverse_link, model_predictions
from skgd.kernels.sums import predictions
from skgd.losses import Loss
from skgd.objective import Objective
from skgd.optimizers import Optimizer
from skgd.penalties import Penalty
from skgd.schedules import Schedule


# Docstrings name in braces what `docstrings.py` says of the parameters that estimators share.
@documented
class GDGaborRegressor(RegressorOnPieces, DescentEstimator):
    """A wave packet fitted by gradient descent, from one start or from the best of many.

    Predicts ``f(x) = a sin(u) exp(-u^2 / (2 s^2)) + c`` with
    ``u = offset + 0.06 * (frequency . x)``, and minimises
    ``1/W sum_i s_i loss(f(x_i), y_i) + alpha Omega(frequency)``. As it stands ``a = 1``, ``s = 4``
    and ``c = 0``, which leaves one offset and one frequency per column: the two-parameter model
    of the textbooks, whose loss has many minima.

    With ``init``, one descent from there is followed, wherever it leads. Without, the answer is
    sought: many random points are screened by their loss, the best few with curves of their
    own are descended from, the ends polished by Newton steps, and the best is kept.

    Parameters
    ----------
    {loss}
    {penalty}
        The weights are the frequencies.
    {alpha}
    {l1_ratio}
    {penalty_weights}
    fit_amplitude : bool, default=False
        Whether ``a`` is a parameter.
    fit_width : bool, default=False
        Whether ``s``, the width of the envelope in radians of u, is a parameter.
    fit_baseline : bool, default=False
        Whether ``c`` is a parameter.
    {optimizer}
        ``"auto"`` is ``"nesterov"``.
    {learning_rate}
        The bound of the curvature holds everywhere for offset and frequency, and for
        ``|a| <= 2 max |y|``, ``s >= 1`` and ``|c| <= max |y|`` for the others
        (`skgd.models.Gabor.curvature`); a descent that leaves that region and grows is begun
        anew at a quarter of the rate.
    {schedule}
    {batch_size}
    {sampling}
    {clip_norm}
    {clip_value}
    {average}
    {max_iter}
    {tol}
    {n_iter_no_change}
    {early_stopping}
    {validation_fraction}
    {scoring}
    init : dict or array-like of shape (n_parameters,), default=None
        Where a single descent starts: ``{"offset": ..., "frequency": ...}``, or an array of
        offset, frequency (one for each column), then those of amplitude, width and baseline that
        are fitted, which a dict names too.
    n_init : int, default=10
        Starts, without ``init``.
    n_screen : int or "auto", default="auto"
        Random points that the starts are chosen from. ``"auto"`` draws 3000 for one column and
        30,000 for more: enough for two, while three are beyond it.
    bounds : array-like of shape (n_parameters, 2), default=None
        The box that random points are drawn from, lowest and highest value for each parameter in
        the order of ``init``. It does not bind the descents. None for a box from the data:
        packets that lie where the rows are, up to the frequency that the rows can resolve.
    polish : bool or "auto", default="auto"
        Whether the ends of the descents are polished by Newton steps; ``"auto"`` does so without
        ``init``. They are not under a loss whose slope jumps, such as the absolute error.
    n_jobs : int or None, default=None
        Threads that share the starts; they pay from some ten thousand rows on.
    {record_path}
    {warm_start}
    {random_state}
    {verbose}

    Attributes
    ----------
    theta_ : ndarray of shape (n_parameters,)
        In the order of ``init``; float32 where X is, else float64.
    offset_ : float
    frequency_ : ndarray of shape (n_features,)
        0.06 times it is in radians per unit of x.
    amplitude_, width_, baseline_ : float
        1, 4 and 0 where they are not fitted. Fitted without ``init``, amplitude and width are
        not negative.
    minima_ : Minima
        The distinct points where descents ended, the best first, each with its parameters,
        objective, kind and the number of starts that ended there. Prints as a table.
    kind_ : {"minimum", "saddle", "maximum", "flat", "not stationary", "kink"}
        What the solution is, from the eigenvalues of the Hessian; ``"kink"`` under a loss whose
        slope jumps, of which they tell nothing.
    hessian_eigenvalues_ : ndarray of shape (n_parameters,)
        Of the objective at the solution, the smallest first; NaN for frequencies that the penalty
        holds at zero, and for all at a kink of the loss.
    covariance_ : ndarray of shape (n_parameters, n_parameters)
        Of the parameters: for the squared error as `scipy.optimize.curve_fit` defines it, for
        other losses weighted by their second derivatives (`skgd.multistart.minima.covariance`).
    standard_errors_ : ndarray of shape (n_parameters,)
        The roots of its diagonal.
    starts_ : ndarray of shape (n_starts, n_parameters)
        Where the descents began.
    {n_iter_} : int
        Those of the descent that led to the solution, as all that follows; polishing is no part
        of it.
    {t_} : int
    {loss_curve_} : ndarray of shape (n_iter_ + 1,)
    {history_} : dict of ndarray of shape (n_iter_ + 1,)
    {learning_rate_} : float
    {converged_} : bool
        Polishing can be what has arrived.
    {stop_reason_} : str
    {path_} : ndarray of shape (t_ // k + 1, n_parameters)
    {n_features_in_}
    {feature_names_in_}

    See Also
    --------
    GDRegressor : The linear model, whose loss has one minimum.
    scipy.optimize.curve_fit : One descent by Levenberg and Marquardt.

    References
    ----------
    Prince, "Understanding deep learning" (2023), sections 6.1 to 6.3.

    Examples
    --------
    >>> from skgd import GDGaborRegressor
    >>> from skgd.datasets import load_gabor
    >>> X, y = load_gabor(return_X_y=True)
    >>> packet = GDGaborRegressor(random_state=0).fit(X, y)
    >>> packet.theta_.round(2).tolist()
    [-0.01, 16.36]
    >>> packet.kind_, packet.standard_errors_.round(2)
    ('minimum', array([0.05, 0.23]))

    Plain descent from a bad start ends elsewhere:

    >>> plain = GDGaborRegressor(init=[-4.0, 12.0], optimizer="gd", max_iter=20_000)
    >>> plain.fit(X, y).theta_.round(1).tolist()
    [-5.9, 16.7]
    """

    has_many_minima = True
    fitted_attributes = "theta_", "frequency_", "offset_", "n_features_in_", "t_"
    feature_attribute = "frequency_"
    _parameter_constraints = {
        **DescentEstimator._parameter_constraints,
        "fit_amplitude": ["boolean"],
        "fit_width": ["boolean"],
        "fit_baseline": ["boolean"],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "n_screen": [Interval(Integral, 1, 10**9, closed="both"), StrOptions(["auto"])],
        "bounds": ["array-like", None],
        "polish": ["boolean", StrOptions(["auto"])],
        "n_jobs": [Interval(Integral, None, None, closed="neither"), None],
    }

    def __init__(
        self,
        loss: str | Loss = "squared_error",
        *,
        penalty: str | Penalty | None = None,
        alpha: float = 1e-4,
        l1_ratio: float | None = 0.5,
        penalty_weights: ArrayLike | None = None,
        fit_amplitude: bool = False,
        fit_width: bool = False,
        fit_baseline: bool = False,
        optimizer: str | Optimizer = "nesterov",
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
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        scoring: str | Callable[..., float] | None = None,
        init: ArrayLike | dict[str, Any] | None = None,
        n_init: int = 10,
        n_screen: int | Literal["auto"] = "auto",
        bounds: ArrayLike | None = None,
        polish: bool | Literal["auto"] = "auto",
        n_jobs: int | None = None,
        record_path: bool | int = False,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int | bool = 0,
    ) -> None:
        self.loss, self.penalty, self.alpha, self.l1_ratio = loss, penalty, alpha, l1_ratio
        self.penalty_weights = penalty_weights
        self.fit_amplitude, self.fit_width = fit_amplitude, fit_width
        self.fit_baseline = fit_baseline
        self.optimizer, self.learning_rate, self.schedule = optimizer, learning_rate, schedule
        self.batch_size, self.sampling = batch_size, sampling
        self.clip_norm, self.clip_value, self.average = clip_norm, clip_value, average
        self.max_iter, self.tol, self.n_iter_no_change = max_iter, tol, n_iter_no_change
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.scoring = scoring
        self.init, self.n_init, self.n_screen, self.bounds = init, n_init, n_screen, bounds
        self.polish, self.n_jobs = polish, n_jobs
        self.record_path, self.warm_start = record_path, warm_start
        self.random_state, self.verbose = random_state, verbose

    def _problem(self, rows, last, stream):
        return GaborProblem(self, rows, last, stream)

    @by_blocks
    def predict(self, X: MatrixLike) -> np.ndarray:
        """Predict by the wave packet.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            For a dask array or dataframe the predictions are a lazy dask array of the same blocks.

        Returns
        -------
        ndarray of shape (n_samples,)
            float32 where X and the fit are, else float64.
        """
        X, p = prediction_rows(self, X), self.n_features_in_
        theta = self._solution()
        z = predictions(X, theta[:p].astype(float))
        f = model_predictions(gabor_model(self), z, theta[p:])
        return inverse_link(part_of(self, "loss"), f).astype(np.result_type(X.dtype, theta.dtype))

    def objective(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Objective:
        """Return what a fit minimises, as a function of (frequency, offset, ...).

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        Objective
        """
        return gabor_objective(self, validated_rows(clone(self), X, y, sample_weight))

    def parameters(self) -> np.ndarray:
        return self._solution().astype(float)

    def _solution(self):
        """Return ``theta_`` in the order of `objective`, if it suits the model."""
        theta, order = np.asarray(self.theta_), self.parameter_order()
        if theta.shape != order.shape:
            raise ValueError(f"theta_ has shape {theta.shape}; expected {order.shape}. Fit anew.")
        return theta[np.argsort(order)]

    def starting_points(self) -> np.ndarray:
        return self.starts_[:, np.argsort(self.parameter_order())]

    def parameter_names(self) -> list[str]:
        features, turn = feature_names(self), "0.06 rad per unit"
        lone = len(features) == 1
        names = [f"frequency{'' if lone else ' of ' + name} ({turn})" for name in features]
        names += ["offset (rad)"] + ["amplitude (y)"] * self.fit_amplitude
        return names + ["width (rad)"] * self.fit_width + ["baseline (y)"] * self.fit_baseline

    def parameter_order(self) -> np.ndarray:
        p = self.n_features_in_
        return np.r_[p, :p, p + 1 : p + gabor_model(self).n_extra_parameters()]
