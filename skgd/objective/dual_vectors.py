"""Dual vectors on a way to the minimum, by Newton steps.

A vector holds the slopes of the losses, to first order at the end of a Newton step over the active
columns. There their slopes are what they are at the minimum. For losses whose slope jumps the step
is one for their Moreau envelopes, around slopes that are multipliers, as in the augmented
Lagrangian method (Rockafellar, "Augmented Lagrangians and applications of the proximal point
algorithm in convex programming" (1976)).
"""

from contextlib import suppress
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import cho_solve

from skgd.kernels.row_kernels import loss_terms, proximal_terms
from skgd.objective.duality import EPS

BLOCK = 1_000_000  # numbers that are made dense at a time
REGULAR = 1e-4  # of the diagonal of a factor: the matrix is not singular
PARTS = 0.5 ** np.arange(12)  # of a step that are tried


class Tuning(NamedTuple):
    """How much a better bound may cost. Worked out, not measured."""

    flops: float = 1e10  # multiply-adds of the curvatures of all Newton steps: about a second
    smooth_rounds: int = 12  # Newton steps of a smooth loss
    rounds: int = 60  # and of another, smoothed
    rho: float = 0.3  # of the first smoothing, in units of the slope and the objective
    damping: float = 1e-4  # of the smoothed Newton steps, in units of rho and the columns' squares
    growth: float = 1.25  # of rho, after each whole step
    refinements: int = 4  # of the solution of each Newton step
    multiples: int = 15  # of a dual vector that are tried
    negligible_gap: float = 1e-7  # of the best constant's objective: not worth another step


TUNING = Tuning()


class Smoothing(NamedTuple):
    """A loss is replaced by its Moreau envelope around the slopes that it had."""

    v: np.ndarray  # (n,), the slopes
    rho: float  # the largest second derivative


class NewtonStep(NamedTuple):
    """A step over some columns, and the dual vector to first order at its end."""

    w: np.ndarray  # (p,)
    level: float
    v: np.ndarray  # (n,)


def weighted_mean(objective, rows):
    """Return the weighted mean of a number for each row; rows without weight do not count."""
    with np.errstate(invalid="ignore"):
        return float(np.where(objective.weight > 0.0, objective.weight * rows, 0.0).mean())


def dual_vectors(objective, theta, tuning=TUNING):
    """Generate dual vectors on a way by Newton steps to the minimum, and the parameters there.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (d,)
    tuning : Tuning

    Yields
    ------
    v : ndarray of shape (n,)
    w : ndarray of shape (p,)
    level : float
    """
    a, p, joined = objective.resolved_strengths[0], objective.p, False
    w, level = theta[:p].copy(), float(theta[p:].sum())
    smoothing, flops = _first_smoothing(objective, theta, tuning), tuning.flops
    for k in range(tuning.smooth_rounds if smoothing is None else tuning.rounds):
        terms = _terms(objective, w, level, smoothing)
        if not np.isfinite(terms).all():
            return
        steep = _size(-objective.rmatvec(terms[1]), objective.positive) > a
        damping = 0.0 if smoothing is None else tuning.damping * smoothing.rho
        active = ((w != 0.0) | steep | joined) & ~objective.constant
        free = active & (a == 0.0) & (objective.resolved_strengths[1] == 0.0)
        for columns in (free, active) if k == 0 else (active,):
            flops -= _flops(objective, columns, terms[2])
            if flops < 0.0:
                return
            step = _newton_step(objective, columns, w, level, terms, damping, tuning)
            if not (np.isfinite(step.v).all() and np.isfinite([*step.w, step.level]).all()):
                return
            yield step.v, step.w, step.level
        joined = (_size(-objective.rmatvec(step.v), objective.positive) > a) & ~active
        value = weighted_mean(objective, terms[0]) + _penalty(objective, w)
        w, level, whole = _shortened(objective, w, level, step, value, smoothing)
        if whole and smoothing is not None:
            v = _terms(objective, w, level, smoothing)[1]
            smoothing = Smoothing(v, smoothing.rho * tuning.growth)


def _first_smoothing(objective, theta, tuning):
    """Return the smoothing of losses whose slope jumps; None for others."""
    if not objective.loss.nonsmooth:
        return None
    steepest = np.abs(objective.loss_terms(theta)[1]).max(initial=0.0) or 1.0
    return Smoothing(np.zeros(objective.n), tuning.rho * steepest / objective.null_objective)


def _terms(objective, w, level, smoothing):
    """Return the value, the slope and the second derivative of each row's loss, or smoothed."""
    f, y = objective.predict(as_vector(objective, w, level)), objective.y
    if smoothing is None:
        return loss_terms(objective.loss, f, y)
    return proximal_terms(objective.loss, f + smoothing.v / smoothing.rho, y, smoothing.rho)


def as_vector(objective, w, level):
    """Return weights and an intercept as parameters."""
    return np.append(w, level) if objective.d > objective.p else w


def _penalty(objective, w):
    a, b = objective.resolved_strengths
    return a @ np.abs(w) + 0.5 * b @ w**2


def _size(u, positive):
    return u if positive else np.abs(u)


def _flops(objective, columns, h):
    """Return the multiply-adds of the curvature over some columns, and of its factor."""
    k = np.count_nonzero(columns) + objective.d - objective.p
    return (np.count_nonzero(h) + k) * float(k) ** 2


def _newton_step(objective, columns, w, level, terms, damping, tuning):
    """Return a Newton step over some columns and the intercept.

    The step is damped; the dual vector has the slopes at the end of the whole one, which where the
    curvature is singular is the shortest. Weights that cross zero stop there.
    """
    (a, b), J = objective.resolved_strengths, np.flatnonzero(columns)
    (_, v, h), constant = terms, objective.d - objective.p
    M = _curvature(objective, J, h) + np.diag(np.append(b[J], np.zeros(constant)))
    squares = np.append(objective.column_squares[J], np.ones(constant))
    signs = np.where(w != 0.0, np.sign(w), np.sign(-objective.rmatvec(v)))[J]
    bounded = np.append((a[J] > 0.0) | objective.positive, np.zeros(constant, dtype=bool))
    z = np.append(w[J], [level] * constant)

    def predictions(z):
        whole = np.zeros(w.size)
        whole[J] = z[: J.size]
        return objective.matvec(whole) + z[J.size :].sum()

    def left(v, z):
        slopes = -objective.rmatvec(v)[J] - a[J] * signs - b[J] * z[: J.size]
        return np.append(slopes, [-weighted_mean(objective, v)] * constant)

    across = np.append(signs, np.zeros(constant))
    end = _model_minimum(M + damping * np.diag(squares), left(v, z), z, across, bounded)
    kept = ~bounded | (end != 0.0)
    inverse, whole = _inverse(M[np.ix_(kept, kept)]), np.where(kept, z, 0.0)
    v = v - h * predictions(z - whole)
    for _ in range(tuning.refinements):
        move = np.zeros(z.size)
        move[kept] = inverse(left(v, whole)[kept])
        v, whole = v + h * predictions(move), whole + move
    w = w.copy()
    w[J] = end[: J.size]
    return NewtonStep(w, float(end[J.size :].sum()), v)


def _model_minimum(M, left, z, signs, bounded):
    """Return where a quadratic model is least, whose bounded variables stop at zero.

    Those that would cross it are set to zero, and the others sought anew.
    """
    move, free = np.zeros(z.size), np.ones(z.size, dtype=bool)
    for _ in range(z.size + 1):
        others = M[np.ix_(free, ~free)] @ move[~free]
        move[free] = _inverse(M[np.ix_(free, free)])(left[free] - others)
        crossing = free & bounded & ((z + move) * signs <= 0.0)
        if not crossing.any():
            break
        move[crossing] = -z[crossing]
        free &= ~crossing
    return z + move


def _curvature(objective, J, h):
    """Return the second derivatives of the data term over some columns and the intercept.

    A block of rows is made dense at a time.
    """
    constant = objective.d - objective.p
    rows, M = np.flatnonzero((h > 0.0) & (objective.weight > 0.0)), 0.0
    block = max(1, BLOCK // max(1, J.size))
    for start in range(0, rows.size, block):
        some = rows[start : start + block]
        A = objective.X[some][:, J]
        A = A.toarray() if sparse.issparse(A) else A
        A = A.astype(float) - (0.0 if objective.centre is None else objective.centre[J])
        A = np.column_stack([A, np.ones((some.size, constant))])
        M = M + A.T @ ((objective.weight[some] * h[some] / objective.n)[:, None] * A)
    return M + np.zeros((J.size + constant, J.size + constant))


def _inverse(M):
    """Return the product with the pseudoinverse of a matrix that is not negative, scaled."""
    scale = np.sqrt(np.diag(M))
    scale = np.where(scale > 0.0, scale, 1.0)
    M = M / np.outer(scale, scale)
    with suppress(np.linalg.LinAlgError):
        L = np.linalg.cholesky(M)
        if np.diag(L).min(initial=1.0) > REGULAR:
            return lambda r: cho_solve((L, True), r / scale) / scale
    values, vectors = np.linalg.eigh(M)
    told = values > 64.0 * EPS * values.size * values.max(initial=0.0)
    vectors = vectors[:, told] / scale[:, None]
    return lambda r: vectors @ ((vectors.T @ r) / values[told])


def _shortened(objective, w, level, step, value, smoothing):
    """Return the weights and the intercept after a part of a step, and whether that is the whole.

    The part lowers what is minimised.
    """
    for part in PARTS:
        there = w + part * (step.w - w), level + part * (step.level - level)
        losses = _terms(objective, *there, smoothing)[0]
        if weighted_mean(objective, losses) + _penalty(objective, there[0]) < value:
            return *there, part == 1.0
    return w, level, True
