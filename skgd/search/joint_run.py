"""One of the candidates that descend together, as the descent that it would be alone."""

import math
from typing import NamedTuple

import numpy as np

from skgd.descent.arrival import control_of
from skgd.descent.loop import judge_epoch
from skgd.descent.minimizer import UpdateRule
from skgd.descent.options import Options
from skgd.descent.outcome import Outcome
from skgd.objective.objective import Objective
from skgd.objective.residual import thresholded_average


class Case(NamedTuple):
    """What candidates of the same penalty and target share."""

    objective: Objective
    options: Options
    limits: tuple  # StoppingRule


class Figures:
    """What a descent's record says of its last epochs."""

    def __init__(self, start):
        self.curve, self.residual, self.n_epochs = [start], math.inf, 0


class Columns(NamedTuple):
    """What a stack holds of a candidate, by the names of a descent's state."""

    theta: np.ndarray
    iterate: np.ndarray
    scalars: np.ndarray
    lazy_state: tuple = ()
    gradients: tuple = ()


class JointRun:
    """A candidate between two epochs, for what decides whether its descent goes on.

    It has those attributes of a `Descent` that `skgd.descent.convergence` and
    `skgd.estimators.messages` read.

    Parameters
    ----------
    case : Case
    rule : Optimizer
    rate : float
    stopping : JointStopping
    column : int
    """

    earlier, selected, met, certificate, in_turn = 0, None, None, None, False

    def __init__(self, case, rule, rate, stopping, column):
        self.objective, self.options, self.limits = case
        self.optimizer, self.learning_rate, self.factor = rule, rate, 1.0
        self.stopping, self.column = stopping, column
        self.record, self.outcome = Figures(stopping.totals[column]), Outcome.RUNNING
        problem, self.control, self.grown = stopping.problem, None, 1
        self.n, self.batch = problem.n, problem.batch
        if problem.schedule.controls:
            known = self.objective, rule, problem.full, self.options, problem.starts(column)
            self.control = control_of(*known)
        if self.control is not None:
            self.learning_rate *= self.control.first_factor

    @property
    def schedule(self):
        """The schedule of the rate."""
        return self.stopping.problem.schedule

    @property
    def full(self):
        """Whether an update uses all rows."""
        return self.stopping.problem.full

    @property
    def tol(self):
        """What decides that the run has converged."""
        return self.options.tol

    @property
    def update_rule(self):
        """The rule of an update, and the rows that it sees."""
        batch, sampling = None if self.full else self.batch, self.stopping.problem.first.sampling
        return UpdateRule(self.optimizer, batch, sampling == "replacement")

    @property
    def stale(self):
        """Epochs without improvement."""
        return self.stopping.stale[self.column]

    @stale.setter
    def stale(self, value):
        self.stopping.stale[self.column] = value

    @property
    def iterate(self):
        """The latest parameters, or their mean where one is kept."""
        averaged = self.stack.shared.problem.averaged
        if not averaged or self.stack.arrays.t[self.place] < averaged:
            return self.state.iterate
        mean = np.ascontiguousarray(self.stack.arrays.mean[:, self.place])
        return thresholded_average(self.objective, mean)

    def bind(self, stack, place):
        """Take up what a stack holds of the candidate."""
        self.stack, self.place, arrays = stack, place, stack.arrays
        iterate = np.ascontiguousarray(stack.iterate[:, place])
        self.state = Columns(arrays.theta[:, place], iterate, arrays.scalars[place])

    def evaluate_in_place(self):
        """Evaluate the iterate, without counting it as an epoch."""
        stopping, j, record = self.stopping, self.column, self.record
        if self.full:
            stopping.evaluate(self)
            record.curve.pop()
        total = stopping.totals[j]
        record.curve = [*record.curve[-1:], total]
        stale = 0.0 if total < stopping.best[j] - self.limits.gain else self.stale + 1.0
        ceiling = stopping.limit[j]
        return Outcome(judge_epoch(total, record.residual, stale, ceiling, self.limits))

    @property
    def ceiling(self):
        """The objective at which the descent counts as diverged."""
        return self.stopping.ceiling[self.column]

    def bind_data(self, objective):
        """Set the batch size, which may have grown."""
        self.batch = min(self.grown * self.stopping.problem.batch, self.n)

    def stride(self):
        """Return how many epochs may pass before a bound is sought, or the rate is reviewed."""
        epochs = self.options.stride(self.objective, self.certificate)
        if self.schedule.patience() and epochs < math.inf:
            epochs = 1
        return min(epochs, self.control.left) if self.control else epochs
