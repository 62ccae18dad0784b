"""The choice of a direct solver, for ``optimizer="auto"``.

Direct solvers serve the squared error with a penalty of l1 and l2 parts, if no option is set that
only a descent can honour (`reason_against`):

- l1 or bounds: coordinate descent on a working set of columns (`working_set`);
- l2 or none: a Cholesky factor where it is cheap, else conjugate gradients (`smooth`).

All of them are stopped by the gradient at the iterate, computed from the data. Where it does not
meet the tolerance, a descent goes on.
"""

import math
from typing import NamedTuple

import numpy as np

from skgd.descent.outcome import Outcome
from skgd.objective.duality import Certificate, dual_value
from skgd.solvers.convex import is_too_large
from skgd.solvers.direct import DirectSolver
from skgd.solvers.quadratic import Quadratic
from skgd.solvers.smooth import Tuning as SmoothTuning
from skgd.solvers.smooth import solve_smooth
from skgd.solvers.working_set import Tuning as WorkingSetTuning
from skgd.solvers.working_set import WorkingSet

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
    "loss": "loss is not smooth and its kinks are not known: there is no second derivative.",
    "size": "there are too many rows and columns for the factors of second-order steps.",
    "pieces": "rows are in pieces: no solver sums so many columns.",
    "center": "center is False: only a descent moves the intercept like a coefficient.",
    "penalty": "penalty is not a sum of an l1 and an l2 part.",
}


class Tuning(NamedTuple):
    """The goals of the direct solvers, and the constants of each. Goals are worked out."""

    gap: float = 1e-2  # of tol: the duality gap to be reached, over the best constant's objective
    finest_tol: float = 1e-8  # below which the gap is left to rounding
    tightening: float = 0.1  # of a scaled residual that has left too large a gap: the next goal
    smooth: SmoothTuning = SmoothTuning()
    working_set: WorkingSetTuning = WorkingSetTuning()


TUNING = Tuning()


def reason_against(objective, asked):
    """Return the sentence that says why a direct solver may not replace a descent; None if it may.

    Parameters
    ----------
    objective : Objective
    asked : set of str
        The keys of `REASONS` whose options are set.
    """
    unmet = set(asked)
    term = objective.term
    if objective.elastic_strengths is None:
        unmet.add("penalty")
    elif not term.affine or (term.nonsmooth and term.loss.kinks is None):
        unmet.add("loss")
    elif objective.quadratic and objective.d > objective.p:
        unmet.add("center")
    elif not term.at_hand:
        unmet |= set() if term.is_solvable else {"pieces"}
    elif not objective.quadratic and is_too_large(objective):
        unmet.add("size")
    return next((sentence for name, sentence in REASONS.items() if name in unmet), None)


class AutoSolver(DirectSolver):
    """A direct solver of the squared error, and a descent where it does not reach the tolerance.

    Parameters
    ----------
    objective, tol, fallback, start
        As in `DirectSolver`; `reason_against` has nothing against the objective.
    tuning : Tuning
    for_path : bool
        Whether `set_alpha` will ask for lower alphas too.

    Attributes
    ----------
    problem : Quadratic
    working_set : WorkingSet or None
        None for problems without an l1 part and bounds.
    goal, gap_goal : float
        What the scaled residual and the duality gap have to reach now.
    """

    def __init__(self, objective, tol, fallback, start=None, tuning=TUNING, for_path=False):
        self.tuning, self._for_path = tuning, for_path
        super().__init__(objective, tol, fallback, start)
        self._know_nothing()
        self.gap_goal = tuning.gap * max(tol, tuning.finest_tol) * objective.null_objective
        self.problem, self.working_set = Quadratic(objective), None

    def _know_nothing(self):
        """Set the goals of a new record, which nothing is known for."""
        self.goal = self.tol
        self._certificate, self._uncertified = Certificate(None, math.inf, 0.0), None

    @property
    def certificate(self):
        """The latest point of the direct solvers, with the best lower bound of the minimum."""
        if self._uncertified is not None:
            (w, point, value), self._uncertified = self._uncertified, None
            bound = dual_value(self.objective, point, self.problem.slack_at(w, value))
            bound = max(bound, self._certificate.lower_bound)
            self._certificate = Certificate(w, value, bound, point.slopes)
        return self._certificate

    def set_alpha(self, alpha, start=None):
        """Begin anew for another alpha, at the iterate or a start, with the same working set."""
        if start is not None:
            self.iterate, self.slopes = start.copy(), None
        self.objective = self.objective.with_alpha(alpha)
        self.problem.set_penalty(self.objective)
        self.selected = None
        self.begin_record()
        self._know_nothing()

    def drop_data(self):
        """Drop the data, so that what remains is small and can be stored."""
        self.objective = self.slopes = self.problem = self.working_set = self._monitor = None
        self._uncertified = None

    def solve(self):
        if self.problem.smooth and self.working_set is None:
            solve_smooth(self, self.tuning.smooth)
        else:
            self._solve_on_working_set()

    def record_start(self):
        """Record the start, with the slopes there."""
        problem, residual = self.problem, None
        if not np.count_nonzero(self.iterate):
            self.slopes = problem.q
        elif self.slopes is None:
            residual = problem.residual(self.iterate)
            self.slopes = problem.rmatvec(residual)
        self.record_point(self.iterate, self.slopes, residual)

    def _solve_on_working_set(self):
        self._begin_working_set()
        self.working_set.minimize(self)

    def _begin_working_set(self):
        if self.working_set is None:
            tuning = self.tuning.working_set
            self.working_set = WorkingSet(self.problem, self._for_path, tuning)

    def exact_gram(self):
        """Return the Gram matrix of all columns, if it is cheap and exact enough; else None."""
        self._begin_working_set()
        return self.working_set.exact_gram(self.tol)

    def record_point(self, w, slopes, residual):
        """Record a point, its slopes and, where they are known, the residuals of the rows.

        Returns
        -------
        ndarray of shape (p,)
            The scaled residual of every weight.
        """
        problem = self.problem
        violations, penalty = problem.scaled_residual(w, slopes), problem.penalty(w)
        point, step = w.copy(), w - self.iterate
        dual_point = problem.dual_point(w, slopes, residual)
        gradient = slopes - problem.l2_strength * w
        value, worst = 0.5 * dual_point.square + penalty, max(0.0, float(violations.max()))
        self._uncertified = point, dual_point, value
        if not math.isfinite(value):
            self.outcome = Outcome.NONFINITE
        elif worst <= self.tol and self.certificate.gap <= self.gap_goal:
            self.stop(Outcome.CONVERGED)
        elif worst <= self.goal:
            self.goal = self.tuning.tightening * worst
        norms = math.sqrt(gradient @ gradient), math.sqrt(step @ step)
        self.append(w, value, worst, penalty, *norms)
        self.iterate, self.slopes = point, slopes
        return violations
