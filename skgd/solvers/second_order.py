"""What L-BFGS and Newton's method share: the record, the stopping test, and what they refuse."""

import abc
import math
from typing import NamedTuple

import numpy as np

from skgd.descent.minimizer import Minimizer
from skgd.descent.outcome import Outcome
from skgd.descent.record import Record
from skgd.objective.residual import residual_scale

REASONS = {  # why a second-order method is refused: what is asked for, and the sentence
    "partial_fit": "partial_fit sees some of the rows: their curvature is not that of all.",
    "batch_size": "batch_size is set: the curvature of a batch is not that of all rows.",
    "learning_rate": "learning_rate is a number: a line search finds the length of each step.",
    "schedule": "schedule is set: there is no learning rate to multiply.",
    "clip_norm": "clip_norm is set: a clipped gradient does not fit the curvature.",
    "clip_value": "clip_value is set: a clipped gradient does not fit the curvature.",
    "average": "average is set: no noise averages out on the full batch.",
    "positive": "positive is set: its steps do not keep bounds.",
    "penalty": "penalty is not smooth: an l1 part has no second derivative at zero.",
    "loss": "loss is not smooth: its slope jumps, so it has no second derivative there.",
}


def refusal(asked):
    """Return the sentence that says why a second-order method cannot run; None if it can.

    Parameters
    ----------
    asked : set of str
        The keys of `REASONS` that apply.
    """
    return next((sentence for name, sentence in REASONS.items() if name in asked), None)


class Point(NamedTuple):
    """An objective and its slopes at some parameters.

    Attributes
    ----------
    theta, gradient : ndarray of shape (d,)
        The gradient is zero for the weights of constant columns.
    value : float
    residual : float
        The scaled residual, as a descent on the full batch tests it.
    """

    theta: np.ndarray
    value: float
    gradient: np.ndarray
    residual: float


class SecondOrderMethod(Minimizer):
    """An abstract method for smooth objectives on the full batch, without a learning rate.

    An epoch is one iteration. Where rounding hides all further progress, it stays where it is for
    the epochs that are left.

    Parameters
    ----------
    objective : Objective
        Of a `RowwiseTerm`, with second derivatives and without bounds.
    start : ndarray of shape (d,)
    tol : float or None
        Of the scaled residual; None for no test.
    every : int
        Every which iterate goes into the path; 0 for none.

    Attributes
    ----------
    point : Point or None
        That of the iterate; None before the first.
    """

    update_rule, learning_rate = None, math.nan

    def __init__(self, objective, start, tol, every=0):
        self.objective, self.tol, self.point = objective, tol, None
        self.iterate = objective.admissible(objective.as_parameters(start, "start"))
        self.record, self.scale = Record(self.iterate, every), residual_scale(objective)
        self._monitor = None

    @abc.abstractmethod
    def advance(self):
        """Record iterates while `running`; return early where there is no further progress."""

    @property
    def n_updates(self):
        """Iterations done."""
        return self.record.n_epochs

    def minimize(self, n_epochs, monitor=None):
        """Go on for so many iterations, or until there is a reason to stop."""
        self.last, self._monitor = self.record.n_epochs + n_epochs, monitor
        self.outcome = Outcome.RUNNING
        if self.point is None:
            self.record_point(self.evaluate(self.iterate))
            if not self.running:  # one epoch, as for every descent
                self.record_point(self.point)
        if self.running:
            self.advance()
        while self.running:
            self.record_point(self.point)
        self.stop(Outcome.MAX_ITER)
        return self.outcome

    def drop_data(self):
        """Drop the data, so that what remains is small and can be stored."""
        self.objective = self.point = self._monitor = None

    def evaluate(self, theta):
        """Return the `Point` of some parameters."""
        with np.errstate(all="ignore"):
            value, g = self.objective.value_and_gradient(theta)
            g[self.objective.problem.constant] = 0.0
            violations = self.scale[1] * (np.abs(g) - self.scale[2])
        return Point(theta, value, g, max(0.0, float(violations.max(initial=0.0))))

    def record_point(self, point):
        """Record the start or the next iterate, judge it, and call the monitor."""
        objective, record, step = self.objective, self.record, point.theta - self.iterate
        norms = [math.sqrt(v @ v) for v in (point.gradient, step)]
        n_zeros = np.count_nonzero(point.theta[objective.term.penalized] == 0.0)
        if record.last is not None and record.n_kept(record.n_epochs, 1):
            record.extend_path(point.theta[None].copy())
        penalty = objective.penalty_term(point.theta)
        record.append([point.value, point.residual, penalty, *norms, n_zeros])
        self.point, self.iterate = point, point.theta
        if not math.isfinite(point.value):
            self.stop(Outcome.NONFINITE)
        elif self.tol is not None and point.residual <= self.tol:
            self.stop(Outcome.CONVERGED)
        if self._monitor is not None and record.n_epochs:
            self._monitor(self)
