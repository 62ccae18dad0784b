"""The direct solver of other losses on rows in pieces: Newton steps over all columns."""

import math

import numpy as np

from skgd.descent.outcome import Outcome
from skgd.objective.duality import Certificate
from skgd.objective.newton_on_pieces import newton_on_pieces
from skgd.objective.residual import residual_scale
from skgd.solvers.direct import DirectSolver

GAP = 1e-2  # of tol: the duality gap to be reached, over the best constant's objective
FINEST_TOL = 1e-7  # below which the gap is left to rounding


class NewtonOnPieces(DirectSolver):
    """Newton steps to the minimum, each with a lower bound of it, if the loss has a conjugate.

    Parameters
    ----------
    objective, tol, fallback, start
        As in `DirectSolver`.
    """

    def __init__(self, objective, tol, fallback, start=None):
        super().__init__(objective, tol, fallback, start)
        self.gap_goal = GAP * max(tol, FINEST_TOL) * objective.null_objective
        self._scale = None if objective.loss.nonsmooth else residual_scale(objective)
        self._steps = None
        self.certificate = Certificate(None, math.inf, -math.inf)

    def record_start(self):
        self._steps = newton_on_pieces(self.objective, self.iterate)
        self._record(next(self._steps))

    def solve(self):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for found in self._steps:
                self._record(found)
                if not self.running:
                    return

    def _record(self, found):
        """Record a step, and stop where its gap meets the goal."""
        objective, (theta, value, _, g, *_) = self.objective, found
        bound = max(found.bound, self.certificate.lower_bound)
        self.certificate = Certificate(theta, value, bound)
        residual, norm = self._residual(theta, g)
        certified = self.certificate.gap <= self.gap_goal or not objective.term.has_conjugate
        if not math.isfinite(value):
            self.outcome = Outcome.NONFINITE
        elif residual <= self.tol and certified:
            self.stop(Outcome.CONVERGED)
        move = theta - self.iterate
        known = objective.penalty_term(theta), norm, math.sqrt(move @ move)
        self.append(theta, value, residual, *known)
        self.slopes = -g[: objective.p]

    def _residual(self, theta, g):
        """Return the scaled residual, and the norm of the smooth part's gradient."""
        objective, (a, b) = self.objective, (np.zeros(theta.size) for _ in range(2))
        if self._scale is None:  # of losses whose slope jumps the gap alone tells
            return self.certificate.gap / objective.null_objective, np.nan
        a[: objective.p], b[: objective.p] = objective.elastic_strengths
        gradient, (tau, unit, rounding) = g + b * theta, self._scale
        z = theta - tau * gradient
        z -= np.clip(z, -tau * a, tau * a)
        if objective.positive:
            z[: objective.p] = np.maximum(z[: objective.p], 0.0)
        violations = unit * (np.abs(theta - z) / tau - rounding)
        return max(0.0, float(violations.max(initial=0.0))), math.sqrt(gradient @ gradient)

    def drop_data(self):
        """Drop the data, so that what remains is small and can be stored."""
        self.objective = self.slopes = self._steps = self._scale = self._monitor = None
