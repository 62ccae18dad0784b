"""The problem of a linear model: one objective for each target, centred where that is possible."""

import numpy as np
from scipy import sparse

from skgd.estimators.minimizers import may_solve
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.problem import Answer, Problem, Starts, given_start, objective_on
from skgd.estimators.running_means import statistics_of
from skgd.estimators.validation import stored_as
from skgd.kernels.moments import are_constant
from skgd.models import Linear
from skgd.objective.conjugates import brief_gap

WIDE = 100  # columns of sparse rows, beyond which batches move only what they hold
LINES = Linear(False), Linear(True)  # without and with an intercept
ROUNDING = 1e-13  # of the best constant's objective, which a gap of zero may be above it


class LinearProblem(Problem):
    """One convex objective for each target.

    Parameters
    ----------
    estimator : GDRegressor
    rows : Rows
    last : LastCall or None
        What a resumed fit knows of the last call.
    stream : bool
        Whether the rows follow those of the last call.
    """

    is_random, n_jobs = False, 1

    def __init__(self, estimator, rows, last, stream):
        self.streams, self.polishes = stream, estimator.polish
        self.estimator, self.last, self.dtype = estimator, last, rows.dtype
        self.is_single, self.p = rows.is_single, rows.shape[1]
        self.intercept = bool(estimator.fit_intercept)
        loss = part_of(estimator, "loss")
        columns = rows.columns(self.intercept)
        found = statistics_of(rows, columns, loss, self.intercept, last if stream else None)
        n_targets = found.levels.size
        if last is not None and len(last.n_updates) != n_targets:
            raise ValueError(
                f"y has {n_targets} targets; the fit so far has {len(last.n_updates)}."
            )
        self.means, means = found.means, found.means
        resumed = last is not None and bool(last.runs) and last.runs[0].is_centred
        waits = rows.is_sparse and self.p > WIDE and estimator.batch_size is not None
        lasts, is_alone = _arrives(estimator), _is_left_alone(estimator)
        arrives = resumed if stream else not waits and lasts
        is_centred = _is_centred(estimator, loss, arrives) and means.complete
        self.is_moved = self.intercept and _is_moved(estimator, loss, arrives) and means.complete
        self.in_units = (is_alone or lasts) and estimator.center == "auto" and not waits
        self.centre = means.columns if is_centred or self.is_moved else None
        self.offsets = means.targets if is_centred else np.zeros(n_targets)
        is_solved = estimator.center == "auto" and is_alone
        self.levels = found.levels if is_solved or self.is_moved else self.offsets
        if self.intercept:
            columns = columns._replace(constant=self._constant_columns(columns, rows))
        model = LINES[self.intercept and not is_centred]
        terms = rows.terms(model, loss, self.centre, columns, self.offsets)
        positive = estimator.positive
        self.objectives = [
            objective_on(estimator, term, unit, positive) for term, unit in zip(terms, found.units)
        ]
        if loss.curvature is not None:  # second derivatives are bounded alike for all targets
            for objective in self.objectives[1:]:
                objective.term.bounds = self.objectives[0].term.bounds

    def _constant_columns(self, columns, rows):
        """Return which columns are constant in all rows.

        Where not all rows are known that the parameters were fitted to, nothing is called
        constant; nor has a single row a spread to judge by, unless all is seen from it.
        """
        means = self.means
        constant = columns.constant
        if means.columns is not columns.mean:  # which rows of earlier calls have changed
            constant = are_constant(means.columns, means.variances, self.dtype)
        single = not np.count_nonzero(means.variances) and rows.n_weighted == 1
        if (single and self.centre is None) or not means.complete:
            return np.zeros_like(constant)
        return constant

    def starts(self, seed):
        if self.last is None:
            points = linear_starts(self.estimator, len(self.objectives), self.p, self.levels)
            kept = {"_levels": self.levels}
        else:
            points, kept = fitted_parameters(self.estimator, len(self.objectives), self.p), {}
        d = self.objectives[0].d
        return Starts([(k, self._as_seen(point)[:d]) for k, point in enumerate(points)], kept)

    def in_order_of_init(self, target, theta):
        if self.centre is None:
            return theta
        w = theta[..., : self.p]
        level = theta[..., self.p] if self.is_moved else self.offsets[target]
        # to the same bit for one point and for many
        level = level - (w * self.centre).sum(axis=-1)
        return np.concatenate([w, level[..., None]], axis=-1)

    def _as_seen(self, point):
        """Return parameters with the intercept of rows that are seen from their means."""
        if not self.is_moved:
            return point
        return np.append(point[: self.p], point[self.p] + (point[: self.p] * self.centre).sum())

    def attributes(self, target, theta):
        theta = self._stored(self.in_order_of_init(target, theta))
        return {"coef_": theta[: self.p], "intercept_": theta[self.p] if self.intercept else 0.0}

    def accepts(self, run):
        return True

    def answer(self, runs):
        return Answer(runs, [])

    def solution(self, answer):
        ends = [self.in_order_of_init(k, run.theta) for k, run in enumerate(answer.runs)]
        ends = self._stored(np.array(ends))
        gaps = [
            self._gap(objective, self._as_seen(end.astype(float))[: objective.d], run.certificate)
            for objective, end, run in zip(self.objectives, ends, answer.runs)
        ]
        converged = [
            _is_certified(run, objective, gap)
            for run, objective, gap in zip(answer.runs, self.objectives, gaps)
        ]
        return {
            "converged_": self.each(np.array(converged)),
            "coef_": self.each(ends[:, : self.p]),
            "intercept_": self.each(ends[:, self.p]) if self.intercept else 0.0,
            "dual_gap_": self.each(np.array(gaps)),
        }

    def _gap(self, objective, theta, certificate):
        """Return the duality gap; in a stream what little time tells of it."""
        if self.streams and objective.term.at_hand and not objective.quadratic:
            return brief_gap(objective, theta)
        return objective.dual_gap(theta, certificate)

    def remarks(self, solution):
        return []

    def _stored(self, theta):
        return stored_as(self.dtype, theta, self.p) + 0  # no negative zeros


def linear_objectives(estimator, rows):
    """Return F for each target, as a function of the coefficients and the intercept.

    Parameters
    ----------
    estimator : GDRegressor
    rows : Rows
    """
    loss, intercept = part_of(estimator, "loss"), bool(estimator.fit_intercept)
    constants = rows.constants(loss, intercept)
    terms = rows.terms(LINES[intercept], loss, None, None, np.zeros(len(constants)))
    return [
        objective_on(estimator, term, constant.unit, estimator.positive)
        for term, constant in zip(terms, constants)
    ]


def linear_starts(estimator, n_targets, p, levels):
    """Return where each target's run begins, the intercept last: at ``init``, or at its level.

    Parameters
    ----------
    estimator : GDRegressor
    n_targets, p : int
    levels : ndarray of shape (n_targets,)
    """
    q = int(estimator.fit_intercept)
    description = f"the coefficients{' and, last, the intercept' * q}"
    sizes = {"coef": p, "intercept": q}
    start = given_start(estimator.init, (n_targets, p + q), description, sizes)
    if start is None:
        start = np.zeros((n_targets, p + q))
        start[:, p:] = np.reshape(levels, (-1, 1))
    return start


def fitted_parameters(estimator, n_targets, p):
    """Return where the fit so far has ended, the intercept last, as far as it suits the data."""
    coef, intercept = dense_coefficients(estimator), np.ravel(estimator.intercept_)
    if coef.size != n_targets * p or intercept.size not in (1, n_targets):
        raise ValueError(
            f"coef_ and intercept_ hold {coef.size + intercept.size} numbers; expected "
            f"those of {n_targets} targets and {p} columns. Fit anew."
        )
    intercept = np.broadcast_to(intercept, n_targets)
    theta = np.column_stack([coef.reshape(n_targets, p), intercept]).astype(float)
    return theta[:, : p + bool(estimator.fit_intercept)]


def dense_coefficients(estimator):
    """Return ``coef_`` as an array, however it is stored."""
    if not sparse.issparse(estimator.coef_):
        return np.asarray(estimator.coef_)
    coef = estimator.coef_.toarray()
    return coef[0] if np.ndim(estimator.t_) == 0 else coef


def _is_certified(run, objective, gap):
    """Return whether a run has settled, and where it had a tolerance, the gap meets it."""
    promised = np.inf if run.tol is None else max(run.tol, ROUNDING) * objective.null_objective
    uncertain = not objective.has_dual and (objective.term.at_hand or not objective.loss.nonsmooth)
    return bool(run.outcome.settled and (gap <= promised or uncertain))


def _is_centred(estimator, loss, arrives):
    """Whether the intercept is solved for, rather than descended to.

    Parameters
    ----------
    estimator : GDRegressor
    loss : Loss
    arrives : bool
        Whether a descent on batches is wanted for where it ends, and rows are dense.
    """
    solvable = bool(estimator.fit_intercept) and loss.quadratic
    if estimator.center != "auto":
        if estimator.center and estimator.fit_intercept and not solvable:
            raise ValueError("center=True needs the squared error; leave it at 'auto'.")
        return bool(estimator.center) and solvable
    return solvable and (_is_left_alone(estimator) or arrives)


def _is_moved(estimator, loss, arrives):
    """Whether a descent sees rows from their means, and the intercept moves beside the weights.

    Parameters
    ----------
    estimator, loss, arrives
        As in `_is_centred`.
    """
    moves = arrives and estimator.center == "auto" and not loss.quadratic
    return moves and not may_solve(estimator)


def _is_left_alone(estimator):
    """Whether nothing is asked about the descent, so that an intercept may be solved for."""
    asked = estimator.batch_size is not None or estimator.init is not None
    return estimator.learning_rate == "auto" and not asked


def _arrives(estimator):
    """Whether a descent is wanted for where it ends: its rate and schedule are left alone."""
    lasts = bool(estimator.tol) and not estimator.early_stopping
    is_automatic = estimator.learning_rate == "auto" and part_of(estimator, "schedule").controls
    return lasts and is_automatic and estimator.init is None
