"""Which of the candidates that descend together have arrived, and when.

Each epoch is judged for all of them at once; what follows from that is decided for each by
`skgd.descent.convergence`, as for a descent of its own.
"""

import math
from functools import partial

import numpy as np

from skgd.descent.convergence import after_a_call
from skgd.descent.options import Options
from skgd.descent.outcome import Outcome
from skgd.descent.stopping import stopping_rule
from skgd.estimators.certificates import certifier_of
from skgd.estimators.linear_problem import ROUNDING
from skgd.estimators.messages import messages_of
from skgd.estimators.nested_parameters import part_of, plain
from skgd.search.joint_run import Case, JointRun


class JointStopping:
    """The stopping rules of candidates that descend together.

    Parameters
    ----------
    problem : JointProblem

    Attributes
    ----------
    totals : ndarray of shape (N,)
        The objectives.
    best, stale, ceiling : ndarray of shape (N,)
        As in a descent's `Cursor`.
    runs : list of JointRun
    """

    def __init__(self, problem):
        self.problem, n = problem, problem.target.size
        self.totals, self.ceiling, self.stale = (
            problem.before.copy(),
            problem.ceilings,
            np.zeros(n),
        )
        self.best = self.totals.copy() if problem.full else np.full(n, np.inf)
        self._cases, self._bounds = {}, {}
        rules, rates = problem.rules, problem.rates.tolist()
        self.runs = [
            JointRun(self._case(j), rules[problem.candidate[j]], rates[j], self, j)
            for j in range(n)
        ]
        self.previous = self.totals.copy()
        limits = [run.limits for run in self.runs]
        self.target, self.tol, self.gain, self.patience = (
            np.array([getattr(rule, name) for rule in limits])
            for name in ("target", "tol", "gain", "patience")
        )
        self.due = np.array([float(run.stride()) for run in self.runs])

    def evaluate(self, run):
        """Evaluate a candidate on all rows, and its gradient."""
        stack, place, j = run.stack, run.place, run.column
        g = np.empty((stack.shared.d, 1))
        columns, theta = np.array([j]), np.ascontiguousarray(stack.arrays.theta[:, [place]])
        self.totals[columns] = self.problem.totals(theta, columns, g)
        stack.gradients[:, place] = g[:, 0]
        run.record.residual = self._residuals(stack, np.array([place]))[0]

    def ended(self, stack, n_epochs):
        """Judge the candidates of a stack after an epoch.

        On smaller batches by the objectives at its beginning, as a descent of its own.

        Parameters
        ----------
        stack : CandidateStack
        n_epochs : int

        Returns
        -------
        ndarray of bool
            Which candidates do not go on.
        """
        columns, full = stack.members, self.problem.full
        totals = (self.totals if full else self.previous)[columns]
        due, residuals = self.due[columns] <= n_epochs, np.full(columns.size, np.inf)
        if full:
            told = np.flatnonzero((totals <= self.target[columns]) | due)
            residuals[told] = self._residuals(stack, told)
        outcomes = self._judge(columns, totals, residuals)
        ends = np.zeros(columns.size, dtype=bool)
        for place in np.flatnonzero(due | (outcomes != Outcome.RUNNING.value)):
            run = self.runs[columns[place]]
            run.bind(stack, place)
            run.record.curve, run.record.n_epochs = [totals[place]], n_epochs
            run.record.residual = residuals[place]
            run.outcome = Outcome(outcomes[place])
            run.outcome = after_a_call(run)
            ends[place] = run.outcome is not Outcome.RUNNING
            self._take_over(run, n_epochs)
            if ends[place]:
                self._end(run)
        return ends

    def end(self, stack, n_epochs):
        """End the candidates that are left after the last epoch."""
        for place, column in enumerate(stack.members):
            run = self.runs[column]
            run.bind(stack, place)
            run.record.n_epochs = n_epochs
            run.record.curve = [self.previous[column], self.totals[column]]
            if self.problem.full:
                run.record.residual = self._residuals(stack, np.array([place]))[0]
            run.outcome = Outcome.MAX_ITER
            self._end(run)

    def message(self, column, theta):
        """Return what a separate fit would warn of; None for nothing.

        Parameters
        ----------
        column : int
        theta : ndarray of shape (d,)
            Where the descent has ended.
        """
        run = self.runs[column]
        if run.outcome.settled and self._is_certified(run, theta):
            return None
        found = messages_of(self.problem.first, run)
        return found[0].sentence if found else None

    def _case(self, column):
        """Return what a candidate shares with those of the same penalty and target."""
        problem = self.problem
        estimator, target = problem.estimators[problem.candidate[column]], problem.target[column]
        key = part_of(estimator, "penalty"), estimator.alpha, target
        if key not in self._cases:
            objective, rule, first = problem.objective(column), problem.rules[0], problem.first
            options = Options(
                learning_rate=plain(first.learning_rate),
                tol=plain(first.tol),
                n_iter_no_change=first.n_iter_no_change,
                clip_norm=first.clip_norm or np.inf,
                clip_value=first.clip_value or np.inf,
            )
            certify = None if rule.decoupled else certifier_of(objective, options.tol)
            if certify is not None and objective.quadratic:
                certify = partial(self._certify, key, certify)
            options = options._replace(certify=certify)
            known = problem.full, options, problem.schedule.patience(), None
            limits = stopping_rule(objective, *known, rule.newton_fraction is not None)
            self._cases[key] = Case(objective, options, limits)
        return self._cases[key]

    def _certify(self, key, certify, objective, theta, known):
        """Return a certificate; the first of an objective, which solvers find, serves all."""
        if known is not None:
            return certify(objective, theta, known)
        if key not in self._bounds:
            self._bounds[key] = certify(objective, theta, known)
        return self._bounds[key]

    def _judge(self, columns, totals, residuals):
        """Return the codes of the outcomes of an epoch, as `judge_epoch` does."""
        best = self.best[columns]
        stale = np.where(totals < best - self.gain[columns], 0.0, self.stale[columns] + 1.0)
        self.stale[columns], self.best[columns] = stale, np.where(totals < best, totals, best)
        arrived = (totals <= self.target[columns]) & (residuals <= self.tol[columns])
        outcomes = np.full(columns.size, Outcome.RUNNING.value)
        outcomes[stale >= self.patience[columns]] = Outcome.PLATEAU.value
        outcomes[arrived] = Outcome.CONVERGED.value
        outcomes[totals > self.ceiling[columns]] = Outcome.DIVERGED.value
        outcomes[~(np.abs(totals) < np.inf)] = Outcome.NONFINITE.value
        return outcomes

    def _residuals(self, stack, places):
        """Return the largest scaled residual of each candidate, from its gradient."""
        problem, columns = self.problem, stack.members[places]
        first, factor = problem.objectives[0], stack.shared.problem.factor[:, None]
        if first.column_curvature is None or not places.size:
            return np.full(places.size, np.inf)
        theta, g = stack.arrays.theta[:, places], stack.gradients[:, places]
        l1, l2 = factor * problem.l1[columns], factor * problem.l2[columns]
        targets = enumerate(problem.target[columns])
        known = np.array([problem.residual_scale(target, l2[:, k]) for k, target in targets])
        tau, scale, rounding = known.transpose(1, 2, 0)
        z = theta - tau * (g + l2 * theta)
        z -= np.clip(z, -tau * l1, tau * l1)
        if first.positive:
            z[: first.p] = np.maximum(z[: first.p], 0.0)
        found = scale * (np.abs(theta - z) / tau - rounding)
        return np.maximum(found.max(axis=0), 0.0)

    def _take_over(self, run, n_epochs):
        """Take over what a decision has changed of a candidate."""
        j = run.column
        self.target[j], self.due[j] = run.limits.target, n_epochs + run.stride()
        run.stack.arrays.rates[run.place] = run.learning_rate * run.factor

    def _end(self, run):
        """End a candidate: one whose objective has grown has diverged."""
        if not self.problem.full and run.outcome is not Outcome.MAX_ITER:
            found = run.evaluate_in_place()
            run.outcome = found if found.failed else run.outcome
        total = self.totals[run.column]
        if not math.isfinite(total):
            run.outcome = Outcome.NONFINITE
        elif total > self.problem.most[run.column] and run.outcome is not Outcome.NONFINITE:
            run.outcome = Outcome.DIVERGED

    def _is_certified(self, run, theta):
        """Return whether a settled run has met its tolerance where it has ended."""
        if run.outcome is Outcome.CONVERGED or run.tol is None:
            return True
        objective = run.objective
        gap = objective.dual_gap(theta, run.certificate)
        return gap <= max(run.tol, ROUNDING) * objective.null_objective or not objective.has_dual
