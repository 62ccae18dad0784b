"""What direct solvers share: the record, the monitor, and a descent that goes on from there."""

import abc
import math

import numpy as np

from skgd.descent.minimizer import Minimizer
from skgd.descent.outcome import Outcome
from skgd.descent.record import Record


class DirectSolver(Minimizer):
    """An abstract direct solver, and a descent where it does not reach the tolerance.

    Parameters
    ----------
    objective : Objective
    tol : float
        Of the scaled residual.
    fallback : callable
        Returns, for the objective and parameters to start from, the minimizer that goes on where
        the direct solver stalls.
    start : ndarray of shape (d,) or None
        None for zero.

    Attributes
    ----------
    slopes : ndarray of shape (p,) or None
        The negative gradient of the data term at the iterate, where it is known.
    """

    def __init__(self, objective, tol, fallback, start=None):
        self.objective, self.tol = objective, tol
        self._fallback, self._monitor = fallback, None
        start = np.zeros(objective.d) if start is None else start
        self.iterate, self.slopes = objective.admissible(start), None
        self.begin_record()

    def begin_record(self):
        """Begin anew, with nothing known of the minimum."""
        self.record, self.outcome = Record(), Outcome.RUNNING
        self.learning_rate, self.update_rule = math.nan, None

    @abc.abstractmethod
    def record_start(self):
        """Record the start, and stop where it meets the tolerance."""

    @abc.abstractmethod
    def solve(self):
        """Record points while `running`; return early where there is no further progress."""

    @property
    def n_updates(self):
        """How often the gradient of the data has been computed."""
        return self.record.n_epochs

    @property
    def ends_soon(self):
        """Whether there may be just one further pass over the data."""
        return not self.running or self.record.n_epochs + 2 >= self.last

    def minimize(self, n_epochs, monitor=None):
        """Solve by at most so many passes over the data."""
        self.last, self._monitor = self.record.n_epochs + n_epochs, monitor
        self.outcome = Outcome.RUNNING
        if self.record.last is None or self.slopes is None:
            self.record_start()
        if self.outcome is not Outcome.RUNNING:  # at the start: one epoch, as for every descent
            self.append(self.iterate, *self.record.last[:4], 0.0)
        else:
            self.solve()
        if self.running and self.record.residual <= self.tol:
            self.outcome = Outcome.CONVERGED  # and rounding keeps the gap from its goal
        if self.running:
            self._descend_further()
        self.stop(Outcome.MAX_ITER)
        return self.outcome

    def append(self, theta, value, residual, penalty, gradient_norm, step_norm):
        """Record the figures of an iterate, and call the monitor."""
        w = theta[: self.objective.p]
        n_zeros = w.size - np.count_nonzero(w)
        self.record.append([value, residual, penalty, gradient_norm, step_norm, n_zeros])
        self._show(theta)

    def _show(self, theta):
        self.iterate = theta.copy()
        if self._monitor and self.record.n_epochs:
            self._monitor(self)

    def _descend_further(self):
        """Let the fallback go on to the tolerance."""
        other = self._fallback(self.objective, self.iterate)
        left = self.last - self.record.n_epochs
        outcome = other.minimize(left, self._monitor and self._relay)
        if not self._monitor:
            self._take_over(other, begin=1)
        self.stop(outcome)
        self.iterate, self.slopes = other.iterate, None
        if other.certificate is not None:
            self.certificate = other.certificate

    def _take_over(self, other, begin):
        """Append the epochs of the fallback from this one on."""
        self.record.join(other.record, begin)
        self.learning_rate, self.update_rule = other.learning_rate, other.update_rule

    def _relay(self, other):
        """Call the monitor after an epoch of the fallback."""
        self._take_over(other, other.record.n_epochs)
        self._show(other.iterate)
        other.stop(self.outcome)
