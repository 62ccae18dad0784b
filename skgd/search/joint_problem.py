"""What candidates that descend together have in common, and what each has for itself."""

from functools import cached_property

import numpy as np

from skgd.descent.growth import NOISE, RISE
from skgd.descent.loop import MAX_GROWTH
from skgd.descent.options import SETUP, Options
from skgd.descent.rates import extended
from skgd.descent.units import units_of
from skgd.estimators.certificates import certifier_of
from skgd.estimators.linear_problem import LinearProblem
from skgd.estimators.nested_parameters import part_of, plain
from skgd.estimators.seeds import draws_rows, new_seed
from skgd.objective.objective import Objective
from skgd.objective.residual import gradient_unit, scale_from
from skgd.objective.stacked import StackedTerm
from skgd.objective.stacked_products import ProductTerm
from skgd.optimizers import Nesterov
from skgd.search.candidate_stack import Shared
from skgd.search.product_problem import product_problem

WEIGHTS = 512  # of each candidate, whose penalties are summed up at once
FINEST = 1e-8  # tol, to which objectives are exact that follow from products


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
    points : ndarray of shape (d, n_targets)
        Where the columns of each target start.
    rates, l1, l2 : ndarray of shape (N,)
    term : StackedTerm or ProductTerm
    """

    def __init__(self, estimators, fold):
        self.estimators, self.first, self.form = estimators, estimators[0], fold.form
        self._objectives, first, rows = {}, self.first, fold.targets
        self.seed, self.n = new_seed(first.random_state, draws_rows(first, rows)), len(rows.y)
        self.schedule = part_of(first, "schedule").for_horizon(first.max_iter)
        self.batch = min(plain(first.batch_size) or self.n, self.n)
        is_drawn = first.batch_size is not None and first.sampling == "replacement"
        self.full = self.batch == self.n and not is_drawn
        self.problem = product_problem(first, self.schedule, fold) if self.full else None
        self.problem = self.problem or LinearProblem(first, fold.train, None, False)
        self.candidate = np.repeat(np.arange(len(estimators)), self.n_targets)
        self.target = np.tile(np.arange(self.n_targets), len(estimators))
        self.is_auto = first.learning_rate == "auto"
        self.term = self._product_term(fold) if self.full else None
        self.on_products = self.term is not None
        self.term = self.term or StackedTerm([objective.term for objective in self.objectives])
        self._set_penalties()
        self._set_starts()
        self._set_rules()
        self._set_rates()

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

    def shared(self, batch=None):
        """Return what the sweeps need of all candidates, whose batches may have grown."""
        first = self.first
        clips = float(first.clip_norm or np.inf), float(first.clip_value or np.inf)
        batch, averaged = None if self.full else batch or self.batch, int(first.average)
        return Shared(self.objectives[0], self.rules[0], batch, averaged, clips, self.units)

    def settings(self, columns):
        """Return what a `CandidateStack` is made of, for some columns."""
        fields = [self.rules[column].as_tuple for column in columns]
        fields = np.array(fields, dtype=float).reshape(len(columns), -1)
        return {
            "theta": self.starts(columns),
            "fields": np.ascontiguousarray(fields.T),
            "target": self.target[columns],
            **{name: getattr(self, name)[columns] for name in ("rates", "l1", "l2")},
        }

    def starts(self, columns):
        """Return where some columns start, or one."""
        return np.ascontiguousarray(self.points[:, self.target[columns]])

    def key(self, column):
        """Return what distinguishes the objective of a column from others."""
        estimator = self.estimators[self.candidate[column]]
        return part_of(estimator, "penalty"), float(estimator.alpha), self.target[column]

    def objective(self, column):
        """Return the objective of one column."""
        key = self.key(column)
        if key not in self._objectives:
            known = self.objectives[self.target[column]]
            self._objectives[key] = Objective(
                known.term,
                *key[:2],
                penalty_factor=known.penalty_factor,
                positive=known.positive,
                null_objective=known.null_objective,
            )
        return self._objectives[key]

    def options(self, objective, rule):
        """Return the options of a descent on an objective; another fixed point has no gap."""
        first = self.first
        options = Options(
            learning_rate=plain(first.learning_rate),
            tol=plain(first.tol),
            n_iter_no_change=first.n_iter_no_change,
            clip_norm=first.clip_norm or np.inf,
            clip_value=first.clip_value or np.inf,
        )
        if rule.decoupled:
            return options
        return options._replace(certify=certifier_of(objective, options.tol))

    def totals(self, theta, columns, G=None):
        """Return the objectives of some columns at the columns of theta.

        With G of the same shape, the gradients of the data terms are put into it.
        """
        target, weights = self.target[columns], theta[: self.objectives[0].p]
        losses = np.empty(target.size)
        with np.errstate(all="ignore"):
            if G is None:
                losses = self.term.values(theta, target)
            else:
                self.term.gradients(theta, target, G, losses)
            for start in range(0, len(weights), WEIGHTS):
                w, factor = (a[start : start + WEIGHTS] for a in (weights, self.factor))
                losses += self.l1[columns] * (factor @ np.abs(w))
                losses += 0.5 * self.l2[columns] * (factor @ np.square(w))
        return losses

    def residual_scale(self, target, l2):
        """Return what `skgd.objective.residual.residual_scale` does, for l2 strengths."""
        curvature, squares, target_square, share, unit, constant = self._scales[target]
        return scale_from(curvature + l2, squares, target_square, share, unit, constant)

    @cached_property
    def _scales(self):
        """What scaled residuals depend on, for each target."""
        return [
            (
                objective.column_curvature,
                *objective.term.rounding_squares(),
                objective.term.variance_share(),
                objective.term.residual_unit(objective.null_objective),
                np.flatnonzero(objective.constant),
            )
            for objective in self.objectives
        ]

    def _set_rules(self):
        """Set the units of parameters, and the rule of each column in the unit of gradients."""
        rule = rule_of(self.first).resolved(self.full)
        options = self.options(self.objectives[0], rule)
        setup = SETUP._replace(in_units=self.problem.in_units)
        self.units = units_of(self.objectives[0], rule, setup, options)
        unit = [1.0] * self.n_targets
        if self.is_auto:
            unit = [gradient_unit(objective, self.units) for objective in self.objectives]
        rules = [rule_of(estimator) for estimator in self.estimators]
        pairs = zip(self.candidate.tolist(), self.target.tolist())
        self.rules = [rules[c].in_unit(unit[k]).resolved(self.full) for c, k in pairs]

    def _set_rates(self):
        """Set the rates, which are given, or stable on the data."""
        if not self.is_auto:
            rates = [float(estimator.learning_rate) for estimator in self.estimators]
            self.rates = np.array(rates)[self.candidate]
            return
        sampling = None if self.full else self.batch, self.first.sampling == "replacement"
        slopes, known, rates = {}, {}, []
        for column, rule in enumerate(self.rules):
            key, k, start = self.key(column), self.target[column], self.starts(column)
            objective = self.objective(column)
            if k not in slopes and rule.newton_fraction is not None:
                slopes[k] = objective.data_term(start)[1]
            if (key, rule) not in known:
                g = slopes.get(k)
                basis = extended(None, objective, rule, sampling, start, g, self.units)
                known[key, rule] = basis.rate(objective, rule)
            rates.append(known[key, rule])
        self.rates = np.array(rates)

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
        self.points = np.array(points).T
        values = self.term.values(self.points, np.arange(self.n_targets))
        w = np.array(points)[:, : self.objectives[0].p]
        self.factor = self.objectives[0].penalty_factor
        self.factor = np.ones(w.shape[1]) if self.factor is None else self.factor
        lengths = (np.abs(w) @ self.factor)[self.target], (w * w @ self.factor)[self.target]
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
        terms = [objective.term.loss_terms_at_zero() for objective in self.objectives]
        value, _, _, slope = np.array(terms)[self.target].T
        square = float(np.sum(term.diagonal_curvature())) / loss.curvature
        factor = self.factor.max(initial=0.0)
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
        if term.quadratic and (self.first.tol is None or self.first.tol >= FINEST):
            products = fold.products
        if products is None:
            return None
        centre = 0.0 if term.centre is None else term.centre
        known = products.G, products.q, products.yy, products.means - centre
        levels = products.levels - self.problem.offsets
        return ProductTerm(*known, levels, term.constant, term.n_parameters)
