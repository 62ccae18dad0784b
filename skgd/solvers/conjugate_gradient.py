"""Ridge problems by conjugate gradients, over the weights or over the residuals of the rows.

References
----------
Hestenes and Stiefel, "Methods of conjugate gradients for solving linear systems" (1952).
"""

from typing import NamedTuple

import numpy as np


class Tuning(NamedTuple):
    """When conjugate gradients end. ``doc/benchmarks/tuning.py`` varies each field."""

    restarts: int = 3  # runs, at most: each further one for what rounding has left
    stall_ratio: float = 0.3  # of the scaled residual that a run may leave
    forecast_every: int = 4  # passes before a forecast, and between two
    forecast_share: float = 0.7  # of the seconds of a factor, that the forecast must exceed
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
        w, cg = cg(solver, forecast), cg_primal
        residual = problem.residual(w)
        worst = solver.record_point(w, problem.rmatvec(residual), residual).max()
        stalled = worst > tuning.stall_ratio * begin
        if not solver.running or forecast.factor_is_cheaper or stalled:
            break


class Forecast:
    """When conjugate gradients end: at the goals, or where a factor would be there sooner.

    The goals are those of the scaled residual and of the duality gap. The gap is at most the
    objective, and at most ``sum g^2 / (2 b)`` of the gradient g; where b is zero g has to fall to
    its rounding.
    """

    def __init__(self, solver, pass_seconds, factor_seconds, tuning):
        self.unit, self.l2_strength = solver.problem.unit, solver.problem.l2_strength
        self.pass_seconds, self.factor_seconds = pass_seconds, factor_seconds
        self.goal, self.gap = tuning.margin * solver.goal, tuning.margin * solver.gap_goal
        self.tuning, self.history, self.factor_is_cheaper = tuning, [], False
        self.penalised = self.l2_strength.all()

    def ends(self, gradient, value):
        """Take note of a gradient and of the objective; return whether the run ends there."""
        residual = float(np.abs(self.unit * gradient).max())
        bound = residual / self.tuning.unpenalised_residual
        if self.penalised:
            bound = np.sqrt(0.5 * (gradient @ (gradient / self.l2_strength)) / self.gap)
        last = residual / self.goal, np.sqrt(max(value, 0.0) / self.gap), bound
        self.history.append(last)
        arrived = last[0] <= 1.0 and min(last[1:]) <= 1.0
        self.factor_is_cheaper = not arrived and self._factor_is_cheaper()
        return arrived or self.factor_is_cheaper

    def _factor_is_cheaper(self):
        """Whether a factor would be done before the passes that are left.

        It extrapolates the latter half of the passes so far.
        """
        k, first = len(self.history), self.tuning.forecast_every
        if k < first or k % first:
            return False
        half, last = np.log(self.history[k // 2]), np.log(self.history[-1])
        rate = np.maximum((half - last) / max(1, k - 1 - k // 2), 1e-9)
        residual, value, bound = np.maximum(last, 0.0) / rate
        seconds = max(residual, min(value, bound)) * self.pass_seconds
        return seconds > self.tuning.forecast_share * self.factor_seconds


def cg_primal(solver, forecast):
    """Descend along conjugate directions of the weights; return where it ends.

    With an l2 part everywhere the directions are scaled by the diagonal. Without, they are not,
    and lead from zero to the solution of the least length.
    """
    problem, b = solver.problem, solver.problem.l2_strength
    scale = 1.0 / (problem.column_squares + b) if b.all() else np.ones(b.size)
    w, r = solver.iterate.copy(), solver.slopes - b * solver.iterate
    value = solver.record.curve[-1]
    d = scale * r
    rz = r @ d
    while rz > 0.0:
        Hd = problem.rmatvec(problem.matvec(d))
        Hd += b * d
        length = rz / (d @ Hd)
        w += length * d
        Hd *= length
        r -= Hd
        value -= 0.5 * length * rz
        if forecast.ends(r, value) or solver.ends_soon:
            break
        residual = float(np.abs(problem.unit * r).max())
        step = length * np.sqrt(d @ d)
        solver.append(w, value, residual, problem.penalty(w), np.sqrt(r @ r), step)
        z, before = scale * r, rz
        rz = r @ z
        d *= rz / before
        d += z
    return w


def cg_dual(solver, forecast):
    """Do the same for the residuals, from zero, with one l2 strength b.

    ``(1 + X X^T S / (n b)) u = y`` gives the residuals u at the minimum, where the weights are
    ``w = X^T S u / (n b)``.
    """
    problem, objective, b = solver.problem, solver.objective, solver.problem.l2_strength[0]
    weight = objective.weight / objective.n
    u, r = np.zeros(weight.size), objective.y.copy()
    d, w, Xd = r.copy(), np.zeros(objective.p), solver.slopes.copy()
    rr = weight @ (r * r)
    while rr > 0.0:
        Hd = problem.matvec(Xd)
        Hd /= b
        Hd += d
        length = rr / ((weight * d) @ Hd)
        u += length * d
        Hd *= length
        r -= Hd
        step = length / b * Xd
        w += step
        gradient = problem.rmatvec(r)
        penalty, rest = 0.5 * b * (w @ w), u + r
        value = 0.5 * (weight @ (rest * rest)) + penalty
        if forecast.ends(gradient, value) or solver.ends_soon:
            break
        residual = float(np.abs(problem.unit * gradient).max())
        norms = np.sqrt(gradient @ gradient), np.sqrt(step @ step)
        solver.append(w, value, residual, penalty, *norms)
        before, rr = rr, weight @ (r * r)
        d *= rr / before
        d += r
        Xd *= rr / before
        Xd += gradient
    return w
