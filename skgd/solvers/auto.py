"""The fastest certified way to a minimum that is known, with the names of a `Descent`.

It serves the squared error with an elastic penalty, where nothing is asked about the way:

- l1 and bounds: descent along coordinates, on the products of the columns that matter
  (`working`), with exact steps where the signs last;
- l2 or none: Cholesky's factor of those products where they are cheap, else conjugate gradients.

Whatever the way, the slopes at its end are the data's, and decide. Where they do not reach the
tolerance, an accelerated descent goes on.
"""

import math
from typing import NamedTuple

import numpy as np

from skgd.descent.descent import Descent
from skgd.descent.outcome import Outcome
from skgd.descent.record import history_of
from skgd.kernels.compiling import Stopwatch
from skgd.kernels.problem import OBJECTIVE, RESIDUAL
from skgd.solvers.conjugate_gradient import Tuning as SmoothTuning
from skgd.solvers.conjugate_gradient import smooth
from skgd.solvers.quadratic import Quadratic
from skgd.solvers.working_set import Tuning as WorkingTuning
from skgd.solvers.working_set import WorkingSet

GAP = 1e-2  # of tol: the duality gap to be reached, over the objective of the best constant
FINEST = 1e-8  # tolerance, below which the gap is left to rounding
TIGHTER = 0.1  # of the scaled residual that has left too large a gap, to be reached next


class Tuning(NamedTuple):
    """What the choice between the ways goes by."""

    smooth: SmoothTuning = SmoothTuning()
    working: WorkingTuning = WorkingTuning()


TUNING = Tuning()


class AutoSolver:
    """A way to the minimum, which looks like a descent from outside.

    Parameters
    ----------
    objective : Objective
        For which `serves` holds.
    optimizer, schedule : Optimizer, Schedule
        Of the descent that goes on where the shortcut ends too early.
    tol : float
        Of the scaled residual.
    start : ndarray of shape (d,) or None
        Where it begins; None for zero.
    tuning : Tuning
        What the choice between the ways goes by.

    Attributes
    ----------
    epoch, t : int
        How often the slopes of the data have been looked at.
    rate : float
        NaN: there is none.
    """

    def __init__(self, objective, optimizer, schedule, tol, start=None, tuning=TUNING):
        self.objective, self.tol, self.tuning = objective, tol, tuning
        self.optimizer, self.schedule = optimizer, schedule
        self.full, self.rate, self.settings, self.recorded = True, math.nan, None, False
        self.gap_goal = GAP * max(tol, FINEST) * objective.null_objective
        self.epoch, self.updates_before, self.outcome = 0, 0, Outcome.RUNNING
        self.columns, self.scores, self._rates, self._times = [], [], [], []
        self._stopwatch = Stopwatch()
        start = np.zeros(objective.d) if start is None else start
        self.iterate, self.slopes = objective.admissible(start), None
        self.last, self._monitor = 0, None

    @staticmethod
    def serves(objective):
        """Whether the way is known for this objective."""
        return (
            objective.quadratic
            and objective.d == objective.p
            and objective.elastic_strengths is not None
        )

    @property
    def t(self):
        """Updates done."""
        return self.epoch

    @property
    def result(self):
        """What is reported."""
        return self.iterate

    @property
    def curve(self):
        """The objective at the start and after each epoch."""
        return [column[OBJECTIVE] for column in self.columns]

    @property
    def residual(self):
        """The scaled residual at the end."""
        return self.columns[-1][RESIDUAL]

    @property
    def history(self):
        """What is known of the start and of the end of each epoch, as arrays by name."""
        return history_of(self.columns, self._rates, self._times, self.scores)

    def stop(self, outcome):
        """End a way that would go on, for this reason."""
        if self.outcome is Outcome.RUNNING:
            self.outcome = outcome

    def drop_data(self):
        """Let go of the data, so that what remains is small and can be stored."""
        self.objective = self.slopes = self._monitor = None

    def descend(self, epochs, monitor=None):
        """Go to the minimum, in at most so many looks at the data.

        Returns
        -------
        Outcome
        """
        self.last, self._monitor = epochs, monitor
        problem = Quadratic(self.objective, self.tol)
        columns = None
        if not problem.smooth:
            columns = WorkingSet(problem, tuning=self.tuning.working)
        return self.follow(problem, columns, epochs)

    def follow(self, problem, columns, epochs, slopes=None):
        """Go to the minimum from the answer so far, with columns whose products may be known.

        Parameters
        ----------
        problem : Quadratic
        columns : WorkingSet or None
            None for smooth problems.
        epochs : int
        slopes : ndarray of shape (p,) or None
            Of the data at the answer, where they are known.

        Returns
        -------
        Outcome
        """
        problem.goal, residual = self.tol, None
        if not self.iterate.any():
            slopes = problem.q
        elif slopes is None:
            residual = problem.objective.y - problem.matvec(self.iterate)
            slopes = problem.rmatvec(residual)
        self.record_point(problem, self.iterate, slopes, residual)
        if self.outcome is not Outcome.RUNNING:  # at the start: one look, as for every descent
            self.append(*self.columns[0][:4], 0.0, self.iterate)
        elif columns is None:
            smooth(problem, self, epochs, self.tuning.smooth)
        else:
            columns.minimise(self, epochs)
        if self.residual <= self.tol and self.epoch < epochs:
            self.stop(Outcome.CONVERGED)  # and rounding keeps the gap from what was to be reached
        if self.outcome is Outcome.RUNNING and self.epoch < epochs:
            self._descend_further(epochs)
        if self.outcome is Outcome.RUNNING:
            self.outcome = Outcome.MAX_ITER
        return self.outcome

    def done(self, epochs):
        """Whether the end is reached, or the last look spent."""
        return self.outcome is not Outcome.RUNNING or self.epoch >= epochs

    def record_point(self, problem, w, slopes, residual):
        """Record a point, the slopes of the data there and, if known, the rows' residuals.

        Returns
        -------
        ndarray of shape (p,)
            The scaled residual of every weight.
        """
        scaled_residual, omega = problem.scaled_residual(w, slopes), problem.omega(w)
        measures = problem.measures(w, slopes, residual)
        total, worst = 0.5 * measures[1] + omega, max(0.0, float(scaled_residual.max()))
        step, slope, point = w - self.iterate, slopes - problem.l2_strength * w, w.copy()
        self.objective.remember(point, *measures, slopes)
        if not math.isfinite(total):
            self.outcome = Outcome.NONFINITE
        elif worst <= self.tol and self.objective.dual_gap(point) <= self.gap_goal:
            self.stop(Outcome.CONVERGED)
        elif worst <= problem.goal:
            problem.goal = TIGHTER * worst
        self.append(total, worst, omega, math.sqrt(slope @ slope), math.sqrt(step @ step), w)
        self.iterate, self.slopes = point, slopes
        return scaled_residual

    def append(self, total, scaled_residual, omega, slope, step, w):
        """Record what is known of a point on the way."""
        zeros = w.size - np.count_nonzero(w)
        self._append([total, scaled_residual, omega, slope, step, zeros], w, math.nan)

    def _append(self, column, w, rate):
        """Record a point, and let those who watch see it."""
        self._rates += [rate] if self.columns else []
        self.columns.append(column)
        self._times.append(self._stopwatch.read() if self._times else (0.0, 0.0))
        self.epoch, self.iterate = len(self.columns) - 1, w.copy()
        if self._monitor and self.epoch:
            self._monitor(self)

    def ends(self, epochs):
        """Whether the next look at the data is the last there may be."""
        return self.done(epochs) or self.epoch + 2 >= epochs

    def _descend_further(self, epochs):
        """Let an accelerated descent do what is left to do."""
        descent = Descent(
            self.objective, self.optimizer, self.schedule, self.iterate, tol=self.tol
        )
        outcome = descent.descend(epochs - self.epoch, self._monitor and self._relay)
        if not self._monitor:
            self._extend(descent)
        self.stop(outcome)
        self.iterate, self.rate, self.slopes = descent.iterate, descent.rate, None
        self.optimizer = descent.optimizer

    def _extend(self, descent):
        """Append the record of the descent that went on."""
        history, (seconds, compiling) = descent.history, self._times[-1]
        self.columns += descent.columns[1:]
        self._rates += history["learning_rate"][1:].tolist()
        seconds, compiling = seconds + history["seconds"], compiling + history["compile_seconds"]
        self._times += zip(seconds[1:].tolist(), compiling[1:].tolist())
        self.epoch = len(self.columns) - 1

    def _relay(self, descent):
        """Show an epoch of the descent that goes on."""
        self._append(descent.columns[-1], descent.iterate, descent.rate)
        descent.stop(self.outcome)
