"""Smooth problems: conjugate gradients, or a Cholesky factor where that is cheaper.

The problem is ``(A + B) w = q`` with ``A = X^T S X / n`` and B the l2 costs on a diagonal. Where
there are fewer rows than columns, both ways have a form in which the unknowns are the rows'.

References
----------
Hestenes and Stiefel, "Methods of conjugate gradients for solving linear systems" (1952).
"""

from typing import NamedTuple

import numpy as np

UNPENALISED = 1e-14  # of the scaled residual, which rounding leaves


class Tuning(NamedTuple):
    """What the choice between a factor and conjugate gradients goes by.

    Speeds are of one thread of a server of 2021 (AMD EPYC, 2.6 GHz, OpenBLAS), as measured by
    ``doc/benchmarks/choice.py``; what counts is their ratios.
    """

    dense_products: float = 40e9  # multiply-adds of float64 a second, to a Gram matrix or a factor
    orthogonal_products: float = 4e9  # the same, to singular values
    sparse_products: float = (
        4e8  # multiply-adds a second of entries of sparse rows with each other
    )
    dense_entries: float = 3e9  # entries a second that a product with a vector reads
    sparse_entries: float = 1.5e9  # the same for sparse rows
    single: float = 2.0  # how many times faster float32 is, dense
    numbers: float = 1e9  # entries of vectors a second, in all that a pass does beside
    call: float = 4e-5  # seconds of a pass over hardly any data
    cheap: float = 4e-4  # seconds in which a factor is found that nobody waits for
    worth: float = 8.0  # passes that a factor is worth at once
    largest: int = 10_000  # unknowns, beyond which there is no factor
    longest: float = 10.0  # seconds, beyond which singular values are not computed
    first: int = 4  # passes before a forecast, and between two
    doubt: float = 0.7  # forecast of what is left, over a factor's price, from which it is found
    restarts: int = 3  # of conjugate gradients, for what rounding has left
    stalled: float = 0.3  # how much of the residual a refinement may leave
    singular: float = 1e-6  # pivot of a factor of a matrix with a diagonal of ones


def cg_with_restarts(problem, record, epochs, prices, other, tuning):
    """Take conjugate gradients to the tolerance, and again for what rounding has left."""
    cg = cg_primal if record.iterate.any() or not prices.by_rows else cg_dual
    for _ in range(tuning.restarts):
        begin = record.record.residual
        forecast = Forecast(problem, record, prices.pass_seconds, other, tuning)
        w = cg(problem, record, epochs, forecast)
        cg = cg_primal
        residual = problem.objective.y - problem.matvec(w)
        scaled_residual = record.record_point(problem, w, problem.rmatvec(residual), residual)
        if (
            record.done(epochs)
            or forecast.factor_is_cheaper
            or scaled_residual.max() > tuning.stalled * begin
        ):
            break


class Forecast:
    """When conjugate gradients end: at the goal, or where another way would be there sooner.

    The goal is the tolerance, and a small duality gap. That is at most the objective, and at most
    ``sum r^2 / (2 b)`` of the slopes r; where b is zero these have to fall to their rounding.
    """

    def __init__(self, problem, record, pass_seconds, other, tuning):
        self.unit, self.l2_strength, self.pass_seconds, self.other = (
            problem.unit,
            problem.l2_strength,
            pass_seconds,
            other,
        )
        self.tol, self.gap = 0.9 * problem.goal, 0.9 * record.gap_goal
        self.tuning, self.history, self.factor_is_cheaper = tuning, [], False
        self.penalised = self.l2_strength.all()

    def ends(self, slope, total):
        """Take note of a slope and of the objective; return whether the way ends there."""
        scaled_residual = float(np.abs(self.unit * slope).max())
        bound = scaled_residual / UNPENALISED
        if self.penalised:
            bound = np.sqrt(0.5 * (slope @ (slope / self.l2_strength)) / self.gap)
        last = scaled_residual / self.tol, np.sqrt(max(total, 0.0) / self.gap), bound
        self.history.append(last)
        there = last[0] <= 1.0 and min(last[1:]) <= 1.0
        self.factor_is_cheaper = not there and self._factor_is_cheaper()
        return there or self.factor_is_cheaper

    def _factor_is_cheaper(self):
        """Whether the other way would be done before the passes that are left to do.

        The forecast goes by the latter half of the passes so far.
        """
        k, first = len(self.history), self.tuning.first
        if k < first or k % first:
            return False
        half, last = np.log(self.history[k // 2]), np.log(self.history[-1])
        rate = np.maximum((half - last) / max(1, k - 1 - k // 2), 1e-9)
        scaled_residual, total, bound = np.maximum(last, 0.0) / rate
        return (
            max(scaled_residual, min(total, bound)) * self.pass_seconds
            > self.tuning.doubt * self.other
        )


def cg_primal(problem, record, epochs, forecast):
    """Descend along conjugate directions of the weights; return where it ends.

    With an l2 part everywhere the directions are scaled by the diagonal; without, they are not,
    and lead from zero to the answer of the least length.
    """
    b, unit = problem.l2_strength, problem.unit
    scale = 1.0 / (problem.squares + b) if b.all() else np.ones(b.size)
    w, r = record.iterate.copy(), record.slopes - problem.l2_strength * record.iterate
    total = record.record.curve[-1]
    d = scale * r
    rz = r @ d
    while rz > 0.0:
        curved = problem.rmatvec(problem.matvec(d))
        curved += b * d
        length = rz / (d @ curved)
        w += length * d
        curved *= length
        r -= curved
        total -= 0.5 * length * rz
        if forecast.ends(r, total) or record.ends(epochs):
            break
        scaled_residual = float(np.abs(unit * r).max())
        record.append(
            total, scaled_residual, problem.omega(w), np.sqrt(r @ r), length * np.sqrt(d @ d), w
        )
        z, before = scale * r, rz
        rz = r @ z
        d *= rz / before
        d += z
    return w


def cg_dual(problem, record, epochs, forecast):
    """Do the same for the residuals, from zero.

    ``(1 + X X^T S / (n b)) u = y`` gives the residuals u at the minimum, which pull the weights to
    ``w = X^T S u / (n b)``.
    """
    weight, b, unit = (
        problem.objective.weight / problem.objective.n,
        problem.l2_strength[0],
        problem.unit,
    )
    u, r = np.zeros(weight.size), problem.objective.y.copy()
    d, w, sent = r.copy(), np.zeros(unit.size), record.slopes.copy()
    rr = weight @ (r * r)
    while rr > 0.0:
        curved = problem.matvec(sent)
        curved /= b
        curved += d
        length = rr / ((weight * d) @ curved)
        u += length * d
        curved *= length
        r -= curved
        step = length / b * sent
        w += step
        slope = problem.rmatvec(r)
        omega, rest = 0.5 * b * (w @ w), u + r
        total = 0.5 * (weight @ (rest * rest)) + omega
        if forecast.ends(slope, total) or record.ends(epochs):
            break
        scaled_residual = float(np.abs(unit * slope).max())
        record.append(
            total, scaled_residual, omega, np.sqrt(slope @ slope), np.sqrt(step @ step), w
        )
        before, rr = rr, weight @ (r * r)
        d *= rr / before
        d += r
        sent *= rr / before
        sent += slope
    return w
