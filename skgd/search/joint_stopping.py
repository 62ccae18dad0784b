"""Which of the candidates that descend together have arrived, and when.

Each epoch is judged for all of them at once; what follows from that is decided for each by
`skgd.descent.convergence`, as for a descent of its own.
"""

import math
from functools import partial

import numpy as np

from skgd.descent.convergence import after_a_call
from skgd.descent.outcome import Outcome
from skgd.descent.stopping import stopping_rule
from skgd.estimators.linear_problem import ROUNDING
from skgd.estimators.messages import messages_of
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
        known = enumerate(zip(problem.rules, problem.rates.tolist()))
        self.runs = [JointRun(self._case(j), rule, rate, self, j) for j, (rule, rate) in known]
        problem.rates = np.array([run.learning_rate for run in self.runs])
        self.controls = [run.control for run in self.runs]
        self.limit, self.steps = self.ceiling.copy(), np.zeros(n)
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
        if self.controls[0] is not None:
            self._note(stack, totals)
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
        problem, rule = self.problem, self.problem.rules[column]
        key = problem.key(column)
        if key not in self._cases:
            objective = problem.objective(column)
            options = problem.options(objective, rule)
            if options.certify is not None and objective.quadratic:
                certify = partial(self._certify, key, options.certify)
                options = options._replace(certify=certify)
            waits = problem.schedule.controls and problem.is_auto and options.certifies
            patience = math.inf if waits else problem.schedule.patience()
            bounces = rule.newton_fraction is not None
            limits = stopping_rule(objective, problem.full, options, patience, None, bounces)
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
        outcomes[totals > self.limit[columns]] = Outcome.DIVERGED.value
        outcomes[~(np.abs(totals) < np.inf)] = Outcome.NONFINITE.value
        return outcomes

    def _note(self, stack, totals):
        """Note the objectives of an epoch, and how far each iterate has come in it.

        On smaller batches both are those of the epoch before, whose end this one has evaluated.
        """
        columns, away = stack.members, stack.iterate - stack.last
        stack.last[:] = stack.iterate
        steps = np.sqrt(np.einsum("ij,ij->j", away, away))
        self.steps[columns], told = steps, self.steps[columns]
        told = steps if self.problem.full else told
        for column, total, step in zip(columns.tolist(), totals.tolist(), told.tolist()):
            control = self.controls[column]
            control.objectives.append(total)
            control.way += step

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
        if run.control is not None:
            self.limit[j] = min(self.ceiling[j], run.control.ceiling)

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
