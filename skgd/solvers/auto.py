"""The fastest certified way to a minimum that is known, for ``optimizer="auto"``.

It serves the squared error with a penalty of l1 and l2 parts, where nothing is asked that only a
descent can do (`reason_against`):

- l1 and bounds: coordinate descent on a working set of columns (`working_set`);
- l2 or none: a Cholesky factor where it is cheap, else conjugate gradients (`conjugate_gradient`).

Whatever the way, the gradient at its end is computed from the data, and decides. Where it does not
meet the tolerance, a descent goes on.
"""

import math
from typing import NamedTuple

import numpy as np

from skgd.descent.minimizer import Minimizer
from skgd.descent.outcome import Outcome
from skgd.descent.record import Record
from skgd.objective.duality import Certificate, DualPoint, dual_value, slack_at
from skgd.solvers.conjugate_gradient import Tuning as SmoothTuning
from skgd.solvers.quadratic import Quadratic
from skgd.solvers.smooth import smooth
from skgd.solvers.working_set import Tuning as WorkingTuning
from skgd.solvers.working_set import WorkingSet

GAP = 1e-2  # of tol: the duality gap to be reached, over the objective of the best constant
FINEST = 1e-8  # tolerance, below which the gap is left to rounding
TIGHTER = 0.1  # of the scaled residual that has left too large a gap, to be reached next

REASONS = {  # why a descent runs with optimizer="auto": what is asked for, and the sentence
    "partial_fit": "partial_fit runs one epoch of a descent.",
    "learning_rate": "learning_rate is a number: only a descent takes steps.",
    "schedule": "schedule is set: only a descent takes steps.",
    "batch_size": "batch_size is set: only a descent takes batches.",
    "init": "init is set: only a descent shows where it leads.",
    "record_path": "record_path is set: only a descent has a path.",
    "average": "average is set: only a descent has iterates to average.",
    "clip_norm": "clip_norm is set: only a descent has steps to clip.",
    "clip_value": "clip_value is set: only a descent has steps to clip.",
    "early_stopping": "early_stopping is set: only a descent has epochs to score.",
    "validation_set": "X_val is given: only a descent has epochs to score.",
    "tol": "tol is None: only a descent runs for max_iter epochs.",
    "loss": "loss is not quadratic: there is no closed form.",
    "center": "center is False: only a descent moves the intercept like a coefficient.",
    "penalty": "penalty is not a sum of an l1 and an l2 part.",
}


class Tuning(NamedTuple):
    """What the choice between the ways goes by."""

    smooth: SmoothTuning = SmoothTuning()
    working: WorkingTuning = WorkingTuning()


TUNING = Tuning()


def reason_against(objective, asked):
    """Return the sentence that says why a direct solver may not serve; None where it does.

    Parameters
    ----------
    objective : Objective
    asked : set of str
        The parameters, among the keys of `REASONS`, that are set to what only a descent can do.
    """
    unmet = set(asked)
    if not objective.quadratic:
        unmet.add("loss")
    elif objective.d > objective.p:
        unmet.add("center")
    if objective.elastic_strengths is None:
        unmet.add("penalty")
    return next((sentence for name, sentence in REASONS.items() if name in unmet), None)


class AutoSolver(Minimizer):
    """The direct solvers, and a descent for what they leave to do.

    Parameters
    ----------
    objective : Objective
        One that `reason_against` has nothing against.
    tol : float
        Of the scaled residual.
    fallback : callable
        Returns, for the objective and parameters to start from, the minimizer that goes on where
        the direct solvers end too early.
    start : ndarray of shape (d,) or None
        None for zero.
    tuning : Tuning
    for_path : bool
        Whether `set_alpha` will ask for lower alphas too.

    Attributes
    ----------
    problem : Quadratic
    slopes : ndarray of shape (p,) or None
        The negative gradient of the data term at the iterate, where it is known.
    goal_gap : float
        The duality gap to be reached.
    """

    def __init__(self, objective, tol, fallback, start=None, tuning=TUNING, for_path=False):
        self.objective, self.tol, self.tuning = objective, tol, tuning
        self._fallback, self._for_path = fallback, for_path
        self._begin_record()
        self.gap_goal = GAP * max(tol, FINEST) * objective.null_objective
        start = np.zeros(objective.d) if start is None else start
        self.iterate, self.slopes, self._monitor = objective.admissible(start), None, None
        self.problem, self._working_set = Quadratic(objective, tol), None

    def _begin_record(self):
        self._certificate, self._uncertified = Certificate(None, math.inf, 0.0), None
        self.record, self.outcome = Record(), Outcome.RUNNING
        self.learning_rate, self.update_rule = math.nan, None

    @property
    def n_updates(self):
        """How often the gradient of the data has been computed."""
        return self.record.n_epochs

    @property
    def certificate(self):
        """The latest point of the direct solvers, with the best lower bound of the minimum."""
        if self._uncertified is not None:
            (w, point), self._uncertified = self._uncertified, None
            value = 0.5 * point.square + self.objective.penalty_term(w)
            bound = dual_value(self.objective, point, slack_at(self.objective, w, value))
            bound = max(bound, self._certificate.lower_bound)
            self._certificate = Certificate(w, value, bound)
        return self._certificate

    def set_alpha(self, alpha):
        """Begin anew for another alpha, at the iterate; columns and their products are kept."""
        self.objective = self.objective.with_alpha(alpha)
        self.problem.set_penalty(self.objective)
        self._begin_record()

    def drop_data(self):
        """Let go of the data, so that what remains is small and can be stored."""
        self.objective = self.slopes = self.problem = self._working_set = self._monitor = None
        self._uncertified = None

    def minimize(self, n_epochs, monitor=None):
        """Go to the minimum, by at most so many passes over the data."""
        self.last, self._monitor = n_epochs, monitor
        problem, residual = self.problem, None
        problem.goal = self.tol
        if not self.iterate.any():
            self.slopes = problem.q
        elif self.slopes is None:
            residual = problem.objective.y - problem.matvec(self.iterate)
            self.slopes = problem.rmatvec(residual)
        self.record_point(problem, self.iterate, self.slopes, residual)
        if not problem.smooth and self._working_set is None:
            self._working_set = WorkingSet(problem, self._for_path, self.tuning.working)
        if self.outcome is not Outcome.RUNNING:  # at the start: one epoch, as for every descent
            self.append(*self.record.last[:4], 0.0, self.iterate)
        elif self._working_set is None:
            smooth(problem, self, n_epochs, self.tuning.smooth)
        else:
            self._working_set.minimise(self, n_epochs)
        if self.record.residual <= self.tol and self.record.n_epochs < n_epochs:
            self.stop(Outcome.CONVERGED)  # and rounding keeps the gap from what was to be reached
        if self.running:
            self._descend_further()
        self.stop(Outcome.MAX_ITER)
        return self.outcome

    def done(self, epochs):
        """Whether the end is reached, or the last look spent."""
        return not self.running

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
        self._uncertified = point, DualPoint(*measures, slopes)
        if not math.isfinite(total):
            self.outcome = Outcome.NONFINITE
        elif worst <= self.tol and self.certificate.gap <= self.gap_goal:
            self.stop(Outcome.CONVERGED)
        elif worst <= problem.goal:
            problem.goal = TIGHTER * worst
        self.append(total, worst, omega, math.sqrt(slope @ slope), math.sqrt(step @ step), w)
        self.iterate, self.slopes = point, slopes
        return scaled_residual

    def append(self, total, scaled_residual, omega, slope, step, w):
        """Record what is known of a point on the way, and let the monitor see it."""
        zeros = w.size - np.count_nonzero(w)
        self.record.append([total, scaled_residual, omega, slope, step, zeros])
        self._show(w)

    def _show(self, w):
        self.iterate = w.copy()
        if self._monitor and self.record.n_epochs:
            self._monitor(self)

    def ends(self, epochs):
        """Whether the next look at the data is the last there may be."""
        return self.done(epochs) or self.record.n_epochs + 2 >= epochs

    def _descend_further(self):
        """Let the fallback do what is left to do."""
        other = self._fallback(self.objective, self.iterate)
        left = self.last - self.record.n_epochs
        outcome = other.minimize(left, self._monitor and self._relay)
        if not self._monitor:
            self._take_over(other, begin=1)
        self.stop(outcome)
        self.iterate, self.slopes = other.iterate, None

    def _take_over(self, other, begin):
        """Append the epochs of the fallback from this one on."""
        self.record.join(other.record, begin)
        self.learning_rate, self.update_rule = other.learning_rate, other.update_rule

    def _relay(self, other):
        """Let the monitor see an epoch of the fallback."""
        self._take_over(other, other.record.n_epochs)
        self._show(other.iterate)
        other.stop(self.outcome)
