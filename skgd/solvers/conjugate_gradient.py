"""Smooth problems: conjugate gradients, or a Cholesky factor where that is cheaper.

The problem is ``(A + B) w = q`` with ``A = X^T S X / n`` and B the l2 costs on a diagonal. Where
there are fewer rows than columns, both ways have a form in which the unknowns are the rows'.

References
----------
Hestenes and Stiefel, "Methods of conjugate gradients for solving linear systems" (1952).
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import blas, lapack

from skgd.kernels.sums import row_gram
from skgd.objective.least_squares import newton_step, triangle

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


class CostModel:
    """Estimates, in seconds, of a pass there and back, a factor, and singular values."""

    def __init__(self, problem, tuning):
        X, b, (n, p) = problem.objective.X, problem.l2_strength, problem.objective.X.shape
        even = b.size > 0 and b.min() == b.max() > 0.0
        self.by_rows = even and n < p
        m, single = n if self.by_rows else p, tuning.single if X.dtype == np.float32 else 1.0
        if problem.sparse:
            entries, speed = X.nnz, tuning.sparse_entries
            lines = np.bincount(X.indices, minlength=p) if self.by_rows else np.diff(X.indptr)
            products = float(np.square(lines, dtype=float).sum()) / tuning.sparse_products
        else:
            entries, speed = n * p, tuning.dense_entries * single
            products = float(n) * p * m / (tuning.dense_products * single)
        self.pass_seconds = 2.0 * entries / speed + 4.0 * (n + p) / tuning.numbers + tuning.call
        self.factor = products + m**3 / (3.0 * tuning.dense_products) + m**2 / tuning.numbers
        few = min(n, p)
        flops = 2.0 * n * p * few / tuning.dense_products
        self.orthogonal = flops + p * few**2 / tuning.orthogonal_products
        self.factor = np.inf if m > tuning.largest else self.factor
        if max(few, self.orthogonal / tuning.longest * tuning.largest) > tuning.largest:
            self.orthogonal = np.inf


def smooth(problem, record, epochs, tuning):
    """Go to the minimum from the answer so far.

    Conjugate gradients give way to the next of the direct ways where a forecast says that it is
    cheaper; a Cholesky factor that is cheap, or worth few passes, comes first.
    """
    prices = CostModel(problem, tuning)
    direct = [(prices.factor, _refine), (prices.orthogonal, _orthogonal)]
    if prices.factor <= max(tuning.cheap, tuning.worth * prices.pass_seconds):
        direct.pop(0)
        _refine(problem, record, epochs, prices.by_rows, tuning)
    if not record.done(epochs):
        _cg_with_restarts(
            problem, record, epochs, prices, min(price for price, _ in direct), tuning
        )
    for price, solve in direct:
        if not record.done(epochs) and np.isfinite(price):
            solve(problem, record, epochs, prices.by_rows, tuning)


def _cg_with_restarts(problem, record, epochs, prices, other, tuning):
    """Take conjugate gradients to the tolerance, and again for what rounding has left."""
    cg = _cg_primal if record.iterate.any() or not prices.by_rows else _cg_dual
    for _ in range(tuning.restarts):
        begin = record.record.residual
        forecast = Forecast(problem, record, prices.pass_seconds, other, tuning)
        w = cg(problem, record, epochs, forecast)
        cg = _cg_primal
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


def _cg_primal(problem, record, epochs, forecast):
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


def _cg_dual(problem, record, epochs, forecast):
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


def _refine(problem, record, epochs, by_rows, tuning):
    """Solve by a Cholesky factor, and again for what rounding has left."""
    solve, exactness, product = (_by_rows if by_rows else _by_columns)(problem, tuning)
    if solve is None:
        return
    w, slopes, residual = record.iterate, record.slopes, None
    while not record.done(epochs):
        step = solve(slopes - problem.l2_strength * w)
        w = w + step
        if product is None or exactness > problem.goal or residual is not None:
            residual = problem.objective.y - problem.matvec(w)
            slopes = problem.rmatvec(residual)
        else:
            slopes = slopes - product(step)
        before = record.record.residual
        scaled_residual = float(record.record_point(problem, w, slopes, residual).max())
        if residual is None and not record.done(epochs):
            residual = problem.objective.y - problem.matvec(w)
            slopes = problem.rmatvec(residual)
        elif scaled_residual > tuning.stalled * before:
            return


def _orthogonal(problem, record, epochs, by_rows, tuning):
    """Solve by singular values, where products are too near to singular, and once again."""
    objective, least = problem.objective, not problem.l2_strength.any()
    elastic_strengths, signs = (problem.l1_strength, problem.l2_strength), np.zeros(objective.p)
    for _ in range(2):
        if record.done(epochs):
            return
        w = record.iterate
        residual = objective.y - problem.matvec(w)
        R = triangle(objective.X, objective.weight, objective.centre, residual)
        w = w + newton_step(R, w, elastic_strengths, signs, least)
        residual = objective.y - problem.matvec(w)
        record.record_point(problem, w, problem.rmatvec(residual), residual)


def _by_columns(problem, tuning):
    """Return what solves for a step, how exact slopes from G are, and what multiplies by G.

    One triangle of the scaled ``A + B`` makes room for the factor; the other remains.
    """
    H, exactness = problem.gram()
    root = np.sqrt(H.diagonal() + problem.l2_strength)
    empty = root == 0.0
    root[empty] = 1.0
    H /= root
    H /= root[:, None]
    H[range(root.size), range(root.size)] += np.where(empty, 1.0, problem.l2_strength / root**2)
    diagonal = H.diagonal().copy()
    factor, failed = lapack.dpotrf(H.T, lower=0, clean=0, overwrite_a=1)
    if failed or factor.diagonal().min() < tuning.singular:
        return None, 0.0, None
    diagonal -= factor.diagonal()

    def solve(g):
        return lapack.dpotrs(factor, g / root, lower=0)[0] / root

    def product(w):
        v = root * w
        return (
            root * (blas.dsymv(1.0, factor, v, lower=1) + diagonal * v) - problem.l2_strength * w
        )

    return solve, exactness, product


def _by_rows(problem, tuning):
    """Return the same for fewer rows than columns, by the formula of Woodbury; without G."""
    objective, b = problem.objective, problem.l2_strength[0]
    root = np.sqrt(objective.weight / (objective.n * b))
    K = row_gram(objective.X, objective.centre, problem.far)
    K *= root
    K *= root[:, None]
    K[range(len(K)), range(len(K))] += 1.0
    factor, failed = lapack.dpotrf(K.T, lower=0, clean=0, overwrite_a=1)
    if failed:
        return None, 0.0, None

    def solve(g):
        u = lapack.dpotrs(factor, root * problem.matvec(g), lower=0)[0]
        return (
            g - problem.rmatvec(np.divide(u, root, np.zeros(u.size), where=root > 0.0)) / b
        ) / b

    return solve, 0.0, None
