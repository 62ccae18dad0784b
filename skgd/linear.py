"""Linear regression by gradient descent."""

import numpy as np
from scipy import sparse
from sklearn.base import MultiOutputMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skgd._sklearn import StrOptions, check_sample_weight, fit_context
from skgd.estimator import DescentEstimator
from skgd.models import Linear
from skgd.objective import Objective, column_means


class GDRegressor(MultiOutputMixin, DescentEstimator):
    """Linear regression by gradient descent, with any of the classic rules.

    Minimises ``F(w, b) = 1/W sum_i s_i loss(w . x_i + b, y_i) + alpha Omega(w)`` with
    sample weights s of sum W; the loss of the squared error is ``(f - y)^2 / 2``. Penalties
    that are not smooth act by a proximal step in the optimizer's own metric, so their zeros
    are exact.
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
        X, y, weight = self._checked(X, y, sample_weight)
        targets = y.reshape(len(y), -1).T
        centre = column_means(X, weight) if self._is_centred() else None
        starts = self._starts(len(targets), X.shape[1])
        seed = self._seed()
        descents, offsets = [], []
        for target, start in zip(targets, starts):
            offsets.append(weight @ target / len(target) if centre is not None else 0.0)
            objective = self._objective(X, target - offsets[-1], weight, centre)
            descents.append(self._descend(objective, start[: objective.d], seed, self.record_path))
        self._report(descents, np.array(offsets), X.dtype, single=y.ndim == 1)
        return self

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
        X = validate_data(
            self, X, accept_sparse=("csr", "csc"), dtype=[np.float64, np.float32], reset=False
        )
        return X @ self.coef_.T + self.intercept_

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
        X, y, weight = self._checked(X, y, sample_weight)
        objectives = [self._objective(X, t, weight, None) for t in y.reshape(len(y), -1).T]
        return objectives[0] if y.ndim == 1 else objectives

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coef_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _checked(self, X, y, sample_weight):
        """Return X in a form that is read in place, and the rest as float64."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            multi_output=True,
            y_numeric=True,
        )
        if sparse.issparse(X) and not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        weight = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        return X, np.asarray(y, dtype=float), weight * (len(weight) / weight.sum())

    def _is_centred(self):
        """Whether the intercept is solved for, rather than descended to."""
        if not self.fit_intercept:
            return False
        if self.center != "auto":
            return bool(self.center)
        full = self.batch_size is None
        return full and self.learning_rate == "auto" and self.init is None

    def _starts(self, n_targets, p):
        """Return where each target's descent begins, the intercept last."""
        shape = (n_targets, p + self.fit_intercept)
        if self.init is None:
            return np.zeros(shape)
        init = check_array(self.init, dtype=float, ensure_2d=False, input_name="init")
        if init.shape not in (shape, shape[1:]):
            raise ValueError(
                f"init has shape {init.shape}; expected {shape[1:]}: the coefficients"
                f"{' and, last, the intercept' * self.fit_intercept}."
            )
        return np.broadcast_to(init, shape)

    def _objective(self, X, y, weight, centre):
        """Return F for one target, which is given as seen from its offset."""
        parts = self._parts()
        mean = weight @ y / len(y) if self.fit_intercept else 0.0
        spread = weight @ (y - mean) ** 2 / len(y)
        return Objective(
            X,
            np.ascontiguousarray(y),
            weight,
            model=Linear(self.fit_intercept and centre is None),
            loss=parts["loss"],
            penalty=parts["penalty"],
            alpha=self.alpha,
            centre=centre,
            null=0.5 * (spread or weight @ y**2 / len(y) or 1.0),
        )

    def _report(self, descents, offsets, dtype, single):
        """Set the fitted attributes, one entry for each target unless there is just one."""

        def each(values):
            return values[0] if single else values

        tracks = [
            _parameters(d, d.path if self.record_path else d.answer[None], o)
            for d, o in zip(descents, offsets)
        ]
        self.loss_curve_ = each([np.array(d.curve) for d in descents])
        self.stop_reason_ = each([d.outcome.name.lower() for d in descents])
        self.converged_ = each(np.array([d.outcome.settled for d in descents]))
        self.n_iter_ = each(np.array([d.epoch for d in descents]))
        self.t_ = each(np.array([d.t for d in descents]))
        self.learning_rate_ = each(np.array([d.rate for d in descents]))
        if self.record_path:
            self.path_ = each(tracks)
        vars(self).pop("coef_", None)
        for descent in descents:
            self._judge(descent)
        finals = np.array([track[-1] for track in tracks]).astype(dtype)
        p = self.n_features_in_
        self.coef_ = each(finals[:, :p])
        self.intercept_ = each(finals[:, p]) if self.fit_intercept else 0.0
        self.dual_gap_ = each(np.array([_gap(d, final) for d, final in zip(descents, finals)]))


def _parameters(descent, theta, offset):
    """Return coefficients and, where there is one, the intercept, for rows of parameters."""
    objective = descent.objective
    if objective.centre is None:
        return theta
    return np.column_stack([theta, offset - theta @ objective.centre])


def _gap(descent, final):
    """Return the duality gap of the parameters as they are reported."""
    return descent.objective.dual_gap(final.astype(float)[: descent.objective.d])
