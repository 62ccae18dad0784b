"""What candidates that descend together have in common, and what each has for itself."""

import numpy as np

from skgd.descent.growth import NOISE, RISE
from skgd.descent.loop import MAX_GROWTH
from skgd.estimators.linear_problem import LinearProblem
from skgd.estimators.nested_parameters import part_of, plain
from skgd.estimators.seeds import draws_rows, new_seed
from skgd.kernels.row_kernels import mean_loss_terms
from skgd.objective.objective import Objective
from skgd.objective.stacked import StackedTerm
from skgd.objective.stacked_products import ProductTerm
from skgd.optimizers import Nesterov
from skgd.search.candidate_stack import Shared


def rule_of(estimator):
    """Return the optimizer by which an estimator descends."""
    is_auto = isinstance(estimator.optimizer, str) and estimator.optimizer == "auto"
    return Nesterov() if is_auto else part_of(estimator, "optimizer")


class JointProblem:
    """The objectives, rules and starts of candidates, each with one column for every target.

    Parameters
    ----------
    estimators : list of GDRegressor
        With the same `key_of`.
    fold : Fold

    Attributes
    ----------
    candidate, target : ndarray of int, of shape (N,)
        Of each column.
    starts : ndarray of shape (d, N)
    rates, l1, l2 : ndarray of shape (N,)
    """

    def __init__(self, estimators, fold):
        first, rows = estimators[0], fold.train
        self.estimators, self.first, self.rows = estimators, first, rows
        seed = new_seed(first.random_state, draws_rows(first, rows))
        self.seed, self.problem = seed, LinearProblem(first, rows, None, False)
        self.schedule = part_of(first, "schedule").for_horizon(first.max_iter)
        self.n = self.problem.objectives[0].n
        self.batch = min(plain(first.batch_size) or self.n, self.n)
        is_drawn = first.batch_size is not None and first.sampling == "replacement"
        self.full = self.batch == self.n and not is_drawn
        self.candidate = np.repeat(np.arange(len(estimators)), self.n_targets)
        self.target = np.tile(np.arange(self.n_targets), len(estimators))
        self.rules = [self._rule(estimator) for estimator in estimators]
        self.rates = np.array([float(e.learning_rate) for e in estimators])[self.candidate]
        self._set_penalties()
        self._set_starts()
        self.rows_term = StackedTerm([objective.term for objective in self.objectives])
        self.term = self._product_term(fold) if self.full else None
        self.term = self.term or self.rows_term

    @property
    def objectives(self):
        """Those of the first candidate, one for each target."""
        return self.problem.objectives

    @property
    def n_targets(self):
        """The number of targets."""
        return len(self.objectives)

    @property
    def exact(self):
        """Whether an objective that has grown at all has diverged."""
        return self.full and not self.objectives[0].term.nonsmooth

    def shared(self):
        """Return what the sweeps need of all candidates."""
        first = self.first
        clips = float(first.clip_norm or np.inf), float(first.clip_value or np.inf)
        batch, averaged = None if self.full else self.batch, int(first.average)
        return Shared(self.objectives[0], self.rules[0], batch, averaged, clips)

    def settings(self, columns):
        """Return what a `CandidateStack` is made of, for some columns."""
        fields = [self.rules[c].as_tuple for c in self.candidate[columns]]
        fields = np.array(fields, dtype=float).reshape(len(columns), -1)
        return {
            "theta": np.ascontiguousarray(self.starts[:, columns]),
            "fields": np.ascontiguousarray(fields.T),
            "target": self.target[columns],
            **{name: getattr(self, name)[columns] for name in ("rates", "l1", "l2")},
        }

    def objective(self, column):
        """Return the objective of one column."""
        estimator = self.estimators[self.candidate[column]]
        known = self.objectives[self.target[column]]
        return Objective(
            known.term,
            part_of(estimator, "penalty"),
            estimator.alpha,
            penalty_factor=known.penalty_factor,
            positive=known.positive,
            null_objective=known.null_objective,
        )

    def values(self, theta, columns):
        """Return the objectives of some columns at the columns of theta, and their penalties."""
        target, weights = self.target[columns], theta[: self.objectives[0].p]
        factor = self.objectives[0].penalty_factor
        factor = np.ones(len(weights)) if factor is None else factor
        with np.errstate(all="ignore"):
            penalty = self.l1[columns] * (factor @ np.abs(weights))
            penalty += 0.5 * self.l2[columns] * (factor @ np.square(weights))
            return self.rows_term.values(theta, target) + penalty

    def _rule(self, estimator):
        return rule_of(estimator).in_unit(1.0).resolved(self.full)

    def _set_penalties(self):
        """Set the strengths of the l1 and l2 parts."""
        parts = [part_of(estimator, "penalty").elastic() for estimator in self.estimators]
        alpha = np.array([float(estimator.alpha) for estimator in self.estimators])
        strengths = alpha[:, None] * np.array(parts, dtype=float)
        self.l1, self.l2 = strengths[self.candidate].T.copy()

    def _set_starts(self):
        """Set the starts, their objectives, and the objectives that count as diverged."""
        points = self.problem.starts(self.seed).points
        points = [o.admissible(point) for o, (_, point) in zip(self.objectives, points)]
        self.starts = np.array(points).T[:, self.target]
        values = np.array([o.data_term(point)[0] for o, point in zip(self.objectives, points)])
        w, factor = np.array(points)[:, : self.objectives[0].p], self.objectives[0].penalty_factor
        factor = np.ones(w.shape[1]) if factor is None else factor
        lengths = (np.abs(w) @ factor)[self.target], (np.square(w) @ factor)[self.target]
        self.before = values[self.target] + self.l1 * lengths[0] + 0.5 * self.l2 * lengths[1]
        null = np.array([objective.null_objective for objective in self.objectives])[self.target]
        self.ceilings = MAX_GROWTH * np.maximum(self.before, null)
        self.most = (RISE if self.exact else NOISE) * np.maximum(self.before, null)

    def safe_squares(self):
        """Return the squared length of parameters up to which no objective exceeds its ceiling.

        A loss is at most ``value(0) + |slope(0)| |f| + curvature f^2 / 2``, and the mean square of
        predictions at most that of the rows, times the squared length. Minus infinity where the
        curvature has no bound.
        """
        term, loss, share = self.objectives[0].term, self.objectives[0].loss, 0.2 * self.ceilings
        if loss.curvature is None:
            return np.full(share.size, -np.inf)
        terms = [mean_loss_terms(loss, 0.0, o.y, o.weight) for o in self.objectives]
        value, _, _, slope = np.array(terms)[self.target].T
        square = float(np.sum(term.diagonal_curvature())) / loss.curvature
        factor = self.objectives[0].penalty_factor
        factor = 1.0 if factor is None else factor.max(initial=0.0)
        with np.errstate(all="ignore"):
            bounds = [
                np.where(value <= share, np.inf, -np.inf),
                share**2 / (slope * square),
                2.0 * share / (loss.curvature * square),
                (share / (self.l1 * factor)) ** 2 / term.n_parameters,
                2.0 * share / (self.l2 * factor),
            ]
        return np.nanmin(bounds, axis=0)

    def _product_term(self, fold):
        """Return the data terms by the products of columns, where these lose no digits."""
        term, products = self.objectives[0].term, None
        if term.quadratic:
            products = fold.products
        if products is None:
            return None
        centre = 0.0 if term.centre is None else term.centre
        known = products.G, products.q, products.yy, products.means - centre
        levels = products.levels - self.problem.offsets
        return ProductTerm(*known, levels, term.constant, term.n_parameters)
