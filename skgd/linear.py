"""Linear regression by gradient descent."""

import numpy as np
from sklearn.base import MultiOutputMixin, clone
from sklearn.utils.validation import check_is_fitted

from skgd._sklearn import StrOptions, fit_context
from skgd.estimator import DescentEstimator
from skgd.models import Linear
from skgd.objective import column_means


class GDRegressor(MultiOutputMixin, DescentEstimator):
    """Linear regression by gradient descent, with any of the classic rules.

    Minimises ``F(w, b) = 1/W sum_i s_i loss(w . x_i + b, y_i) + alpha Omega(w)`` with
    sample weights s of sum W; the loss of the squared error is ``(f - y)^2 / 2``. Penalties
    that are not smooth act by a proximal step in the optimizer's own metric, so their zeros
    are exact. With the defaults it is ridge regression by accelerated descent, at a rate that
    cannot diverge.

    Parameters
    ----------
    loss : {"squared_error"} or Loss, default="squared_error"
        Of one row; averaged over the rows.
    penalty : {"l2", "l1", "elasticnet", None} or Penalty, default="l2"
        Omega: ``|w|^2 / 2``, ``|w|_1``, or ``l1_ratio |w|_1 + (1 - l1_ratio) |w|^2 / 2``. The
        intercept is never penalised.
    alpha : float, default=1e-4
        Strength of the penalty, beside a *mean* loss: that of `Lasso`, `ElasticNet` and
        `SGDRegressor`; `Ridge` calls ``W * alpha`` alpha.
    l1_ratio : float, default=0.5
        Share of the l1 term in ``penalty="elasticnet"``, in [0, 1].
    fit_intercept : bool, default=True
        Whether there is a ``b``.
    optimizer : str or Optimizer, default="nesterov"
        The rule that turns gradients into steps: ``"gd"`` (also ``"sgd"``), ``"momentum"``,
        ``"nesterov"``, ``"normalized"``, ``"adagrad"``, ``"adadelta"``, ``"rmsprop"``, ``"adam"``,
        ``"adamw"``, ``"nadam"``, ``"amsgrad"``, ``"lion"``, or an instance from
        `skgd.optimizers`. Nested names such as ``optimizer__beta`` work in `set_params` and in
        grids.
    learning_rate : float or "auto", default="auto"
        The rate per update. A number is used as given. ``"auto"`` does not diverge: on the full
        batch ``1 / L``, L the largest curvature of the smooth part; on smaller batches half the
        reciprocal of the expected smoothness; for rules that normalise the gradient, a stated
        fraction of the first Newton step, in the unit of the parameters.
    schedule : str or Schedule, default="constant"
        The multiplier of the rate over time: ``"constant"``, ``"step"``, ``"exponential"``,
        ``"inverse_time"``, ``"inverse_scaling"``, ``"cosine"``, ``"warmup"``, ``"adaptive"``, or
        an instance from `skgd.schedules`.
    batch_size : int or None, default=None
        Rows in an update; None for all (gradient descent), 1 for stochastic gradient descent.
    sampling : {"shuffle", "replacement", "cyclic"}, default="shuffle"
        Order of the rows on smaller batches: a new order every epoch, each row drawn at random,
        or as they stand.
    max_iter : int, default=1000
        The largest number of epochs, which are passes over the data.
    tol : float or None, default=1e-4
        When to stop. On the full batch: when no entry of the proximal gradient exceeds ``tol``, in
        a unit that makes it, for a weight, the correlation of its column with what is left to
        explain. On smaller batches: when ``n_iter_no_change`` epochs in a row have not lowered
        the objective by ``tol`` times that of the best constant prediction. None does
        ``max_iter`` epochs exactly.
    n_iter_no_change : int, default=5
        Epochs without improvement before a descent on smaller batches ends.
    init : array-like of shape (n_features + 1,) or (n_targets, n_features + 1), default=None
        Where the parameters start: the coefficients and, last, the intercept if there is one.
        None for zeros.
    center : bool or "auto", default="auto"
        Whether the intercept is solved for, by descending on rows and targets seen from their
        means (X is neither copied nor made dense), or is a parameter that descends like the
        others. The minimum is the same, and reached in fewer epochs when centred. ``"auto"``
        centres where nothing is asked about the descent itself: for the squared error on the full
        batch, with ``learning_rate="auto"`` and ``init=None``. A centred descent starts from the
        weighted mean of y, so compare rules and batch sizes with ``center=False``.
    record_path : bool, default=False
        Whether to keep the parameters after every update.
    warm_start : bool, default=False
        Whether a further call of `fit` goes on from where the last one ended.
    random_state : int, RandomState instance or None, default=None
        Of the order of the rows.
    verbose : int, default=0
        Whether to print the objective after some of the epochs.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        float32 where X is, else float64.
    intercept_ : float or ndarray of shape (n_targets,)
        0.0 without an intercept.
    n_iter_ : int or ndarray of shape (n_targets,)
        Epochs done.
    t_ : int or ndarray of shape (n_targets,)
        Updates done.
    loss_curve_ : ndarray of shape (n_iter_ + 1,), or list of ndarray
        The objective, penalty included, at the start and after each epoch.
    learning_rate_ : float or ndarray of shape (n_targets,)
        The rate that the schedule multiplies.
    dual_gap_ : float or ndarray of shape (n_targets,)
        The objective minus a lower bound of its minimum: a certificate of how far the fit can be
        from the best, in the unit of the objective. Infinite for losses other than the squared
        error.
    converged_ : bool or ndarray of shape (n_targets,)
        Whether the descent ended because there was nothing left to do.
    stop_reason_ : str or list of str
        ``"converged"``, ``"plateau"``, ``"max_iter"``, ``"diverged"`` or ``"nonfinite"``.
    path_ : ndarray of shape (t_ + 1, n_features + 1), or list of ndarray
        The parameters at the start and after every update, the intercept last if there is one;
        with ``record_path=True``.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X has them.

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

    _parameter_constraints = {
        **DescentEstimator._parameter_constraints,
        "fit_intercept": ["boolean"],
        "center": ["boolean", StrOptions({"auto"})],
    }

    def __init__(
        self,
        loss="squared_error",
        *,
        penalty="l2",
        alpha=1e-4,
        l1_ratio=0.5,
        fit_intercept=True,
        optimizer="nesterov",
        learning_rate="auto",
        schedule="constant",
        batch_size=None,
        sampling="shuffle",
        max_iter=1000,
        tol=1e-4,
        n_iter_no_change=5,
        init=None,
        center="auto",
        record_path=False,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.sampling = sampling
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.init = init
        self.center = center
        self.record_path = record_path
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Descend to the minimum.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            C-ordered float64 or float32 arrays and CSR matrices are read as they are, all
            else is converted once. Sparse data is never made dense.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Each target has a descent of its own, in the same order of rows.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Not negative; a weight of two equals a row given twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For input that is not finite or does not fit together, and when the objective
            ceases to be finite; the record of the descent is kept even then.

        Warns
        -----
        ConvergenceWarning
            When ``max_iter`` epochs were not enough, or the objective has grown.
        """
        return self._train(X, y, sample_weight, again=self.warm_start)

    def _train(self, X, y, sample_weight, again, epochs=None):
        """Go on with the descents of the last call, or begin new ones, and report."""
        going = again and "_descents" in vars(self)
        X, y, weight, total = self._checked(X, y, sample_weight, reset=not going)
        targets = np.ascontiguousarray(y.reshape(len(y), -1).T)
        centre, offsets = self._means(X, targets, weight, total, going and epochs is not None)
        objectives = [
            self._objective(X, t - o, weight, self._null(t, weight, self.fit_intercept), centre)
            for t, o in zip(targets, offsets)
        ]
        left = self._left(objectives[0].d, again)
        if left is None:
            starts, seed = self._starts(len(targets), X.shape[1], going), self._seed()
            descents = [
                self._descend(objective, start[: objective.d], seed, epochs)
                for objective, start in zip(objectives, starts)
            ]
        else:
            if len(left) != len(targets):
                raise ValueError(f"y has {len(targets)} targets; the fit so far has {len(left)}.")
            descents = [self._go_on(*pair, epochs) for pair in zip(left, objectives)]
        each = _only if y.ndim == 1 else _all
        tracks = [_track(*found) for found in zip(descents, offsets)]
        self._record(descents, tracks, each)
        for descent in descents:
            self._judge(descent)
        finals = np.array([track[-1] for track in tracks]).astype(X.dtype)
        self._report(descents, finals + 0, each)  # without negative zeros
        self._keep(descents)
        return self

    def _means(self, X, targets, weight, total, going):
        """Return where rows and targets are seen from: their means, or the running ones."""
        if not self._is_centred():
            return None, np.zeros(len(targets))
        centre, offsets = column_means(X, weight), np.array([weight @ t / len(t) for t in targets])
        if going:
            before, centre_before, offsets_before = self._seen
            share, total = total / (total + before), total + before
            centre = centre_before + share * (centre - centre_before)
            offsets = offsets_before + share * (offsets - offsets_before)
        self._seen = total, centre, offsets
        return centre, offsets

    def predict(self, X):
        """Predict by the linear function.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            float32 where X and the fit are, else float64.
        """
        check_is_fitted(self)
        X = self._rows(X)
        return self._parts()["loss"].mean(X @ self.coef_.T + self.intercept_)

    def objective(self, X, y, sample_weight=None):
        """Return what a fit minimises, as a function of ``(coef, intercept)``.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        Objective, or a list with one for each target where y has two dimensions
        """
        X, y, weight, _ = clone(self)._checked(X, y, sample_weight)
        objectives = [
            self._objective(X, t, weight, self._null(t, weight, self.fit_intercept))
            for t in np.ascontiguousarray(y.reshape(len(y), -1).T)
        ]
        return objectives[0] if y.ndim == 1 else objectives

    def parameters(self):
        """Return the fitted parameters in the order of `objective`: coefficients, intercept.

        Returns
        -------
        ndarray of shape (n_parameters,) or (n_targets, n_parameters), float64
        """
        check_is_fitted(self)
        theta = self.coef_
        if self.fit_intercept:
            theta = np.concatenate([theta, np.asarray(self.intercept_)[..., None]], axis=-1)
        return theta.astype(float)

    def starting_points(self):
        """Return where the descents began, in the order of `objective`.

        Returns
        -------
        ndarray of shape (n_targets, n_parameters)
        """
        return self._starts(1 if self.coef_.ndim == 1 else len(self.coef_), self.n_features_in_)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coef_")

    def _is_centred(self):
        """Whether the intercept is solved for, rather than descended to."""
        solvable = self.fit_intercept and self._parts()["loss"].quadratic
        if self.center != "auto":
            if self.center and self.fit_intercept and not solvable:
                raise ValueError("center=True needs the squared error; leave it at 'auto'.")
            return bool(self.center) and solvable
        full = self.batch_size is None
        return solvable and full and self.learning_rate == "auto" and self.init is None

    def _starts(self, n_targets, p, going=False):
        """Return where each target's descent begins, the intercept last."""
        if going:
            return self.parameters().reshape(n_targets, -1)
        names = f"the coefficients{' and, last, the intercept' * self.fit_intercept}"
        start = self._init((n_targets, p + self.fit_intercept), names)
        return np.zeros((n_targets, p + self.fit_intercept)) if start is None else start

    def _objective(self, X, y, weight, null, centre=None):
        """Return F for one target, which is given as seen from its offset."""
        model = Linear(self.fit_intercept and centre is None)
        return self._problem(X, y, weight, model, null, centre)

    def _report(self, descents, finals, each):
        """Set the solution, one entry for each target unless there is just one."""
        p = self.n_features_in_
        self.coef_ = each(finals[:, :p])
        self.intercept_ = each(finals[:, p]) if self.fit_intercept else 0.0
        self.dual_gap_ = each(np.array([_gap(d, final) for d, final in zip(descents, finals)]))


def _track(descent, offset):
    """Return coefficients and, where there is one, the intercept: the path, or its end."""
    objective = descent.objective
    theta = descent.path if descent.recorded else descent.answer[None]
    if objective.centre is None:
        return theta
    return np.column_stack([theta, offset - theta @ objective.centre])


def _gap(descent, final):
    """Return the duality gap of the parameters as they are reported."""
    return descent.objective.dual_gap(final.astype(float)[: descent.objective.d])


def _only(values):
    return values[0]


def _all(values):
    return values
