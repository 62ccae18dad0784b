"""The Gabor model by gradient descent: two parameters, many minima."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skgd._sklearn import Interval, StrOptions, fit_context
from skgd.descent import Outcome
from skgd.estimator import DescentEstimator
from skgd.models import Gabor
from skgd.screening import checked_box, screen
from skgd.stationary import End, Minima, covariance, describe, distinct, polish

QUARTERS = 60  # times that an automatic rate is cut, at most
FAILED = (Outcome.DIVERGED, Outcome.NONFINITE)


class GDGaborRegressor(DescentEstimator):
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
    loss : {"squared_error"} or Loss, default="squared_error"
        Of one row; averaged over the rows.
    penalty : {"l2", "l1", "elasticnet", None} or Penalty, default=None
        Omega, of the frequency only.
    alpha : float, default=1e-4
        Strength of the penalty, beside a mean loss.
    l1_ratio : float, default=0.5
        Share of the l1 term in ``penalty="elasticnet"``, in [0, 1].
    fit_amplitude : bool, default=False
        Whether ``a`` is a parameter.
    fit_width : bool, default=False
        Whether ``s``, the width of the envelope in radians of u, is a parameter.
    fit_baseline : bool, default=False
        Whether ``c`` is a parameter.
    optimizer, learning_rate, schedule, batch_size, sampling, max_iter, tol, n_iter_no_change
        As in `GDRegressor`. ``learning_rate="auto"`` rests on a bound of the curvature that holds
        everywhere for offset and frequency, and for ``|a| <= 2 max |y|``, ``s >= 1`` and
        ``|c| <= max |y|`` for the others (`skgd.models.Gabor.curvature`); a descent that leaves
        that region and grows is begun anew at a quarter of the rate.
    init : array-like of shape (n_parameters,), default=None
        Where a single descent starts: offset, frequency (one for each column), then those of
        amplitude, width and baseline that are fitted.
    n_init : int, default=10
        Starts, without ``init``.
    n_screen : int, default=3000
        Random points that the starts are chosen from. The default finds the best minimum of one
        column; two want ten times as many, and three are beyond it.
    bounds : array-like of shape (n_parameters, 2), default=None
        The box that random points are drawn from, lowest and highest value for each parameter in
        the order of ``init``. It does not bind the descents. None for a box from the data:
        packets that lie where the rows are, up to the frequency that the rows can resolve.
    polish : bool or "auto", default="auto"
        Whether the ends of the descents are polished by Newton steps; ``"auto"`` does so without
        ``init``.
    n_jobs : int or None, default=None
        Threads that share the starts; they pay from some ten thousand rows on.
    record_path : bool, default=False
        Whether to keep the parameters after every update.
    warm_start : bool, default=False
        Whether a further call of `fit` goes on from where the last one ended.
    random_state : int, RandomState instance or None, default=None
        Of the random points and of the order of the rows.
    verbose : int, default=0
        Whether to print the objective after some of the epochs.

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
    kind_ : {"minimum", "saddle", "maximum", "flat", "not stationary"}
        What the solution is, from the eigenvalues of the Hessian.
    hessian_eigenvalues_ : ndarray of shape (n_parameters,)
        Of the objective at the solution, the smallest first; NaN for frequencies that the penalty
        holds at zero.
    covariance_ : ndarray of shape (n_parameters, n_parameters)
        Of the parameters, as `scipy.optimize.curve_fit` defines it.
    standard_errors_ : ndarray of shape (n_parameters,)
        The roots of its diagonal.
    starts_ : ndarray of shape (n_starts, n_parameters)
        Where the descents began.
    n_iter_, t_, loss_curve_, learning_rate_, stop_reason_, path_
        The record of the descent that led to the solution, as in `GDRegressor`; polishing is not
        part of it.
    converged_ : bool
        Whether that descent, or the polishing after it, has arrived at a stationary point.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

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

    _parameter_constraints = {
        **DescentEstimator._parameter_constraints,
        "fit_amplitude": ["boolean"],
        "fit_width": ["boolean"],
        "fit_baseline": ["boolean"],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "n_screen": [Interval(Integral, 1, None, closed="left")],
        "bounds": ["array-like", None],
        "polish": ["boolean", StrOptions({"auto"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        loss="squared_error",
        *,
        penalty=None,
        alpha=1e-4,
        l1_ratio=0.5,
        fit_amplitude=False,
        fit_width=False,
        fit_baseline=False,
        optimizer="nesterov",
        learning_rate="auto",
        schedule="constant",
        batch_size=None,
        sampling="shuffle",
        max_iter=1000,
        tol=1e-4,
        n_iter_no_change=5,
        init=None,
        n_init=10,
        n_screen=3000,
        bounds=None,
        polish="auto",
        n_jobs=None,
        record_path=False,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_amplitude = fit_amplitude
        self.fit_width = fit_width
        self.fit_baseline = fit_baseline
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.sampling = sampling
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.init = init
        self.n_init = n_init
        self.n_screen = n_screen
        self.bounds = bounds
        self.polish = polish
        self.n_jobs = n_jobs
        self.record_path = record_path
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Descend from ``init``, or look for the best minimum.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Not negative; a weight of two equals a row given twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For input that is not finite or does not fit together, and when the objective of
            every descent ceases to be finite; a record is kept even then.

        Warns
        -----
        ConvergenceWarning
            When the solution is not stationary, or is a saddle point.
        """
        return self._train(X, y, sample_weight, again=self.warm_start)

    def _train(self, X, y, sample_weight, again, epochs=None):
        """Go on with the descent of the last call, or begin new ones, and report."""
        going = again and "_descents" in vars(self)
        X, y, weight, _ = self._checked(X, y, sample_weight, reset=not going)
        objective, seed = self._objective(X, y, weight), self._seed()
        left = self._left(objective.d, again)
        if left is None:
            starts = self.parameters()[None] if going else self._starts(objective, seed)
            self.starts_ = self._outward(starts)
            descents = Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(self._descend)(objective, start, seed, epochs) for start in starts
            )
        else:
            descents = [self._go_on(left[0], objective, epochs)]
        sound = [d for d in descents if d.outcome not in FAILED] or descents[:1]
        if sound[0].outcome is Outcome.NONFINITE:
            ends = [End(sound[0].answer, 1, sound[0])]
        else:
            ends = self._ends(objective, sound)
        best = ends[0].descent
        self._record([best], [self._outward(best.path)] if self.record_path else None, _only)
        if best.outcome is Outcome.NONFINITE:
            self._judge(best)
        self._report(objective, ends, X.dtype)
        if not self.converged_:
            self._judge(best)
        self._warn_of_kind()
        self._keep([best])
        return self

    def predict(self, X):
        """Predict by the wave packet.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            float32 where X and the fit are, else float64.
        """
        check_is_fitted(self)
        X = self._rows(X)
        theta, p = self._inward(self.theta_), self.n_features_in_
        return self._model().value(X @ theta[:p], theta, p)

    def objective(self, X, y, sample_weight=None):
        """Return what a fit minimises, as a function of (frequency, offset, ...).

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        Objective
        """
        return self._objective(*clone(self)._checked(X, y, sample_weight)[:3])

    def parameters(self):
        """Return the fitted parameters in the order of `objective`, as float64."""
        return self._inward(self.theta_).astype(float)

    def starting_points(self):
        """Return where the descents began, one row each, in the order of `objective`."""
        return self._inward(self.starts_)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "theta_")

    def _model(self):
        return Gabor(bool(self.fit_amplitude), bool(self.fit_width), bool(self.fit_baseline))

    def _outward(self, theta):
        """Return parameters in the order of ``theta_``: the offset first."""
        p = self.n_features_in_
        return np.concatenate([theta[..., [p]], theta[..., :p], theta[..., p + 1 :]], axis=-1)

    def _inward(self, theta):
        """Return parameters in the order of the objective: the frequency first."""
        p = self.n_features_in_
        return np.concatenate([theta[..., 1 : p + 1], theta[..., [0]], theta[..., p + 1 :]], -1)

    def _objective(self, X, y, weight):
        null = self._null(y, weight, self.fit_baseline)
        return self._problem(X, y, weight, self._model(), null)

    def _starts(self, objective, seed):
        """Return where the descents begin, one row each."""
        start = self._init((1, objective.d), "offset, frequencies, and what else is fitted")
        if start is not None:
            if self.fit_width and start[0, 1 + objective.p + self.fit_amplitude] == 0.0:
                raise ValueError("init has a width of zero; it must not be.")
            return self._inward(start)
        box = checked_box(self.bounds, objective.d)
        box = box if box is None else self._inward(box.T).T
        rng = np.random.default_rng(seed)
        return screen(objective, self.n_screen, self.n_init, rng, box)

    def _descend(self, objective, start, seed, epochs, learning_rate=None):
        """Run one descent, and again at a lower rate where an automatic one was too high."""
        descent = super()._descend(objective, start, seed, epochs, learning_rate)
        for _ in range(QUARTERS if self.learning_rate == "auto" else 0):
            curve, null = descent.curve, objective.null
            if descent.outcome not in FAILED and curve[-1] <= max(curve[0], null):
                break
            rate = 0.25 * descent.rate
            descent = super()._descend(objective, start, seed, epochs, rate)
        return descent

    def _is_polished(self):
        return self.init is None if self.polish == "auto" else self.polish

    def _ends(self, objective, descents):
        """Return where descents have ended, the best first, those with the same curve as one."""
        ends = distinct(objective, [End(d.answer, 1, d) for d in descents])
        if not self._is_polished():
            return ends
        upright, p = objective.model.upright, objective.p
        ends = [end._replace(theta=upright(polish(objective, end.theta), p)) for end in ends]
        return distinct(objective, ends)

    def _report(self, objective, ends, dtype):
        """Set the solution and what is known of it, and say so if it is not one."""
        polished = self._is_polished()
        points = [
            describe(
                objective, end.theta, end.n_starts, end.descent.outcome.settled and not polished
            )
            for end in ends
        ]
        best = points[0]
        errors = covariance(objective, best.theta)
        order = self._outward(np.arange(objective.d))
        self.theta_ = best.theta[order].astype(dtype)
        self.offset_, self.frequency_ = self.theta_[0], self.theta_[1 : 1 + objective.p]
        extras = iter(self.theta_[1 + objective.p :])
        self.amplitude_ = next(extras) if self.fit_amplitude else 1.0
        self.width_ = next(extras) if self.fit_width else 4.0
        self.baseline_ = next(extras) if self.fit_baseline else 0.0
        self.minima_ = Minima(point._replace(theta=point.theta[order]) for point in points)
        self.kind_, self.hessian_eigenvalues_ = best.kind, best.eigenvalues
        self.covariance_ = errors[np.ix_(order, order)]
        self.standard_errors_ = np.sqrt(np.diag(self.covariance_))
        if polished:
            self.converged_ = best.kind != "not stationary"

    def _warn_of_kind(self):
        """Say it when the descent has come to rest where there is no minimum."""
        if self.kind_ in ("saddle", "maximum"):
            warnings.warn(
                f"{type(self).__name__} has ended at a {self.kind_}: the smallest eigenvalue of "
                f"the Hessian is {np.nanmin(self.hessian_eigenvalues_):.1e}. Start elsewhere, or "
                "leave init at None.",
                ConvergenceWarning,
                stacklevel=5,
            )


def _only(values):
    return values[0]
