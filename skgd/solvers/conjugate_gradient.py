"""Ridge problems by conjugate gradients, over the weights or over the residuals of the rows.

References
----------
Hestenes and Stiefel, "Methods of conjugate gradients for solving linear systems" (1952);
Zhou and Walker, "Residual smoothing techniques for iterative methods" (1994).
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import blas

from skgd.objective.duality import TINY
from skgd.solvers.products import products


class Tuning(NamedTuple):
    """When conjugate gradients end. ``doc/benchmarks/tuning.py`` varies each field."""

    restarts: int = 3  # runs, at most: each further one for what rounding has left
    stall_ratio: float = 0.3  # of the scaled residual that a run may leave
    forecast_start: int = 3  # passes before the first forecast
    forecast_share: float = 0.15  # of the seconds of a factor, before which there is no forecast
    forecast_doubt: float = 4.0  # over the passes so far: by how much a forecast may be too long
    most_factors: float = 1.2  # seconds of a factor, that passes done and left may take together
    trusted_tol: float = 1e-7  # from which recursive residuals need not be computed anew
    unpenalised_residual: float = 1e-14  # that rounding leaves, without an l2 part; worked out
    margin: float = 0.9  # of the goals, as slopes are recursive; worked out


def cg_with_restarts(solver, by_rows, pass_seconds, factor_seconds, tuning):
    """Take conjugate gradients to the goal, and again for what rounding has left.

    Parameters
    ----------
    solver : AutoSolver
    by_rows : bool
        Whether the unknowns are those of the rows, from zero.
    pass_seconds, factor_seconds : float
        Estimates for a product with X and one with its transpose, and for the fastest factor.
    tuning : Tuning
    """
    problem = solver.problem
    cg = cg_primal if solver.iterate.any() or not by_rows else cg_dual
    for _ in range(tuning.restarts):
        begin = solver.record.residual
        forecast = Forecast(solver, pass_seconds, factor_seconds, tuning)
        point, cg = cg(solver, forecast), cg_primal
        w, slopes, residual = (
            point.w,
            point.gradient + problem.l2_strength * point.w,
            point.residual,
        )
        exact = not problem.allows_single and solver.tol >= tuning.trusted_tol
        if not (exact and forecast.arrived):
            residual = problem.residual(w)
            slopes = problem.rmatvec(residual)
        worst = solver.record_point(w, slopes, residual).max()
        stalled = worst > tuning.stall_ratio * begin
        if not solver.running or forecast.factor_is_cheaper or stalled:
            break


class SmoothedPoint:
    """The mean of the points of a run whose gradient is the shortest, weighted as they come.

    The gradient of conjugate gradients goes up and down; that of this mean only falls. Both are
    negative gradients.

    Attributes
    ----------
    w, gradient : ndarray of shape (p,)
    residual : ndarray of shape (n,)
        What w leaves of the targets.
    """

    def __init__(self, w, gradient, residual):
        self.w, self.gradient, self.residual = w.copy(), gradient.copy(), residual.copy()

    def add(self, w, gradient, residual):
        """Move towards a point, as far as that shortens the gradient."""
        change = gradient - self.gradient
        square = change @ change
        share = -(self.gradient @ change) / square if square > 0.0 else 1.0
        share = min(1.0, max(0.0, share))
        change *= share
        self.gradient += change
        for mean, latest in ((self.w, w), (self.residual, residual)):
            mean *= 1.0 - share
            blas.daxpy(latest, mean, a=share)


class Forecast:
    """When conjugate gradients end: at the goals, or where a factor would be there sooner.

    The goals are those of the scaled residual and of the duality gap. The gap is at most the
    objective, and at most ``sum g^2 / (2 b)`` of the gradient g; where b is zero g has to fall to
    its rounding.
    """

    def __init__(self, solver, pass_seconds, factor_seconds, tuning):
        self.solver, self.tuning, self.history = solver, tuning, []
        self.pass_seconds, self.factor_seconds = pass_seconds, factor_seconds
        self.goal, self.gap = tuning.margin * solver.goal or TINY, tuning.margin * solver.gap_goal
        self.arrived, self.factor_is_cheaper = False, False
        b = solver.problem.l2_strength
        self.penalised, self.even = b.all(), b[0] if b.size and b.min() == b.max() else 0.0

    def ends(self, point):
        """Take note of a point, and record it; return whether the run ends there."""
        solver, problem = self.solver, self.solver.problem
        w, gradient, penalty = point.w, point.gradient, problem.penalty(point.w)
        residual = float(np.abs(problem.unit * gradient).max())
        value, square = problem.mean_square(point.residual) / 2.0 + penalty, gradient @ gradient
        bound = residual / self.tuning.unpenalised_residual
        if self.penalised:
            over = square / self.even if self.even else gradient @ (gradient / problem.l2_strength)
            bound = math.sqrt(0.5 * over / self.gap)
        last = residual / self.goal, math.sqrt(value / self.gap), bound
        self.history.append(last)
        self.arrived = last[0] <= 1.0 and min(last[1:]) <= 1.0
        self.factor_is_cheaper = not self.arrived and self._factor_is_cheaper()
        if self.arrived or self.factor_is_cheaper or solver.ends_soon:
            return True
        step = w - solver.iterate
        solver.append(w, value, residual, penalty, math.sqrt(square), math.sqrt(step @ step))
        return False

    def _factor_is_cheaper(self):
        """Whether a factor would be done before the passes that are left.

        It extrapolates the latter half of the passes so far.
        """
        k, tuning = len(self.history), self.tuning
        if k < tuning.forecast_start:
            return False
        if k * self.pass_seconds < tuning.forecast_share * self.factor_seconds:
            return False
        half, last = np.log(self.history[k // 2]), np.log(self.history[-1])
        rate = np.maximum((half - last) / max(1, k - 1 - k // 2), 1e-9)
        residual, value, bound = np.maximum(last, 0.0) / rate
        seconds = max(residual, min(value, bound)) * self.pass_seconds
        if k * self.pass_seconds + seconds > tuning.most_factors * self.factor_seconds:
            return True
        return seconds > (1.0 + tuning.forecast_doubt / k) * self.factor_seconds


def cg_primal(solver, forecast):
    """Descend along conjugate directions of the weights; return the `SmoothedPoint` at the end.

    With an l2 part everywhere the directions are scaled by the diagonal. Without, they are not,
    and lead from zero to the solution of the least length.
    """
    problem, b = solver.problem, solver.problem.l2_strength
    scale = 1.0 / (problem.column_squares + b) if b.all() else np.ones(b.size)
    w, r = solver.iterate.copy(), solver.slopes - b * solver.iterate
    residual = problem.residual(w) if w.any() else problem.objective.y.copy()
    point, d = SmoothedPoint(w, r, residual), scale * r
    rz, (matvec, rmatvec) = r @ d, products(problem, solver.goal)
    while rz > 0.0:
        Xd = matvec(d)
        Hd = rmatvec(Xd)
        Hd += b * d
        length = rz / (d @ Hd)
        w += length * d
        Xd *= length
        residual -= Xd
        Hd *= length
        r -= Hd
        point.add(w, r, residual)
        if forecast.ends(point):
            break
        z, before = scale * r, rz
        rz = r @ z
        d *= rz / before
        d += z
    return point


def cg_dual(solver, forecast):
    """Do the same for the residuals, from zero, with one l2 strength b.

    ``(1 + X X^T S / (n b)) u = y`` gives the residuals u at the minimum, where the weights are
    ``w = X^T S u / (n b)``.
    """
    problem, objective, b = solver.problem, solver.objective, solver.problem.l2_strength[0]
    weight, w = objective.weight / objective.n, np.zeros(objective.p)
    u, r = np.zeros(objective.n), objective.y.copy()
    d, Xd, point = r.copy(), solver.slopes.copy(), SmoothedPoint(w, solver.slopes, r)
    rr, (matvec, rmatvec) = weight @ (r * r), products(problem, solver.goal)
    while rr > 0.0:
        Hd = matvec(Xd)
        Hd /= b
        Hd += d
        length = rr / ((weight * d) @ Hd)
        u += length * d
        Hd *= length
        r -= Hd
        w += length / b * Xd
        gradient = rmatvec(r)
        point.add(w, gradient, u + r)
        if forecast.ends(point):
            break
        before, rr = rr, weight @ (r * r)
        d *= rr / before
        d += r
        Xd *= rr / before
        Xd += gradient
    return point
