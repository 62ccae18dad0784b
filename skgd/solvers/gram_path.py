"""Many alphas on the Gram matrix of all columns: sweeps for each, and one certificate for all."""

from typing import NamedTuple

import numpy as np

from skgd.kernels.compiling import compiled_code
from skgd.objective.duality import EPS, MAX_MULTIPLE, ROUNDING, TINY
from skgd.objective.objective import resolved
from skgd.solvers.coordinate_descent import coordinate_descent
from skgd.solvers.quadratic import Separable
from skgd.solvers.sweep_paths import MOST_ACTIVE, build_descend_along
from skgd.solvers.sweeps import build_sweep

SWEEPS = 32  # for one alpha, after which steps over the active set come between them
TIGHTENING = 1.0, 0.01  # of the tolerance of the sweeps; the second where the gap is too large


class MinimaOnGram(NamedTuple):
    """The minima for some alphas, where they were reached."""

    coefs: np.ndarray  # (n_alphas, p)
    gaps: np.ndarray  # (n_alphas,)
    reached: np.ndarray  # (n_alphas,), bool


def minima_on_gram(solver, alphas):
    """Minimise for falling alphas, each from the minimum before, and certify all at once.

    Parameters
    ----------
    solver : AutoSolver, or what has its problem, objective, goals and `exact_gram`
        Of the first of them, or of any other.
    alphas : ndarray of shape (n_alphas,)

    Returns
    -------
    MinimaOnGram
        None of which is reached where there is no such matrix that is exact enough.
    """
    problem, objective, p = solver.problem, solver.objective, solver.objective.p
    found = MinimaOnGram(
        np.zeros((len(alphas), p)), np.full(len(alphas), np.inf), np.zeros(len(alphas), bool)
    )
    if not objective.alpha > 0.0:
        return found
    a, b = (alphas[:, None] / objective.alpha * s for s in objective.elastic_strengths)
    b = resolved(b, problem.column_squares)
    lasso, soft = (b == 0.0).all(axis=1), (b > 0.0).all(axis=1)
    served = int(np.argmin([*((a > 0.0).all(axis=1) & (lasso | soft)), False]))
    gram = solver.exact_gram() if p and served else None
    if gram is None:
        return found
    a, b, W = a[:served], b[:served], found.coefs[:served]
    scale, tol = problem.scale(b), solver.tuning.working_set.full_tol * solver.tol
    rows, follows = np.arange(served), True
    for tightening in TIGHTENING:
        _solve(solver, gram, (a, b, scale[1]), W, rows, tightening * tol, follows)
        slopes = problem.q - gram.product(W.T).T
        left = _proximal_residual(W, slopes, (a, b), scale[0], objective.positive)
        left = scale[1] * (left - scale[2])
        values, bounds = _values_and_bounds(problem, W, slopes, (a, b))
        gaps = np.maximum(values - bounds, 0.0)
        reached = (left.max(axis=1) <= solver.tol) & (gaps <= solver.gap_goal)
        rows, follows = np.flatnonzero(~reached), False
        if not rows.size:
            break
    found.gaps[:served], found.reached[:served] = gaps, reached
    return found


def _solve(solver, gram, known, W, rows, tol, follows):
    """Set rows of W to the minimum for their strengths, from the row before or their own."""
    (a, b, unit), problem = known, solver.problem
    steps, p = solver.tuning.working_set.columns.coordinate_descent, len(problem.q)
    strengths, slopes, many = (a, b, unit, problem.floor), np.empty(p), min(p, MOST_ACTIVE)
    buffers = np.empty(many, np.intp), np.empty(many), np.empty((many, many)), rows
    with compiled_code():
        sweep, descend = build_sweep("dense"), build_descend_along()
        known = (gram.G, gram.diagonal, problem.q), strengths, W, slopes
        for k in rows[rows >= descend(*known, tol, follows, buffers)]:
            w, separable = W[k], Separable(a[k], b[k], problem.floor, unit[k])
            if follows and k:
                w[:] = W[k - 1]
            slopes = problem.q - gram.product(w)
            if sweep(gram.G, gram.diagonal, w, slopes, separable, tol, SWEEPS) == SWEEPS:
                coordinate_descent(gram, problem.q, w, separable, tol, steps)


def _proximal_residual(W, slopes, strengths, tau, positive):
    """Return the size of the proximal gradient of every weight, for each row."""
    a, b = strengths
    z = W + tau * (slopes - b * W)
    with np.errstate(over="ignore"):  # beyond every z
        threshold = tau * a
    z -= np.maximum(np.minimum(z, threshold), -threshold)
    z = np.maximum(z, 0.0) if positive else z
    return np.abs(W - z) / tau


def _values_and_bounds(problem, W, slopes, strengths):
    """Return the objective at each row of W, and a lower bound of its minimum.

    As `skgd.objective.duality.dual_value`, for many strengths at once that are all of an l1 part
    or all with an l2 part.
    """
    (a, b), hard, positive = strengths, strengths[1] == 0.0, problem.objective.positive
    sizes = np.maximum(slopes, 0.0) if positive else np.abs(slopes)
    target = problem.target_square - W @ problem.q
    square = np.maximum(target - (slopes * W).sum(axis=1), 0.0)
    value = 0.5 * square + (a * np.abs(W) + 0.5 * b * W * W).sum(axis=1)
    lengths, target_length = problem.lengths, np.sqrt(problem.target_square)
    rounding = ROUNDING * lengths * (target_length + np.abs(W) @ lengths)[:, None]
    bound, largest = np.zeros(len(W)), np.abs(W).max(axis=1)
    with np.errstate(over="ignore"):  # what is too large is bounded, or gives no bound
        steepest = np.maximum(np.maximum(sizes, rounding), TINY)
        reach = np.where(hard & (sizes > 0.0), (a + rounding) / steepest, MAX_MULTIPLE)
        end = np.minimum(reach.min(axis=1), MAX_MULTIPLE)
        for c in (target / np.where(square > 0.0, square, 1.0), 1.0):
            c = np.minimum(np.maximum(c, 0.0 if positive else -end), end)[:, None]
            excess = np.maximum(np.abs(c) * sizes - a, 0.0)
            dual = c[:, 0] * target - 0.5 * c[:, 0] ** 2 * square
            dual -= 0.5 * (excess**2 / np.where(hard, np.inf, b)).sum(axis=1)
            cost = np.where(hard, np.minimum(excess / a, MAX_MULTIPLE), 0.0).max(axis=1)
            bound = np.maximum(bound, dual - cost * value)
    resolved = ~hard | (a * np.where(largest > 0.0, largest, 1.0)[:, None] >= EPS * value[:, None])
    return value, np.where(resolved.all(axis=1), bound, 0.0)
