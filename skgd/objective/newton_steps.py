"""Dual vectors on a way to the minimum, by Newton steps.

A vector holds the slopes of the losses, to first order at the end of a Newton step over the active
columns. There their slopes are what they are at the minimum.
"""

from contextlib import suppress
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve

from skgd.objective.affine import as_vector, dense_rows, split, weighted_mean
from skgd.objective.duality import EPS, ROUNDING

BLOCK = 50_000  # numbers that are made dense at a time, as many as a fast cache holds
REGULAR = 1e-4  # of the diagonal of a factor: the matrix is not singular
PARTS = 0.5 ** np.arange(12)  # of a step that are tried


class Tuning(NamedTuple):
    """How much a better bound may cost. Worked out, not measured."""

    flops: float = 1e10  # multiply-adds of the curvatures of all Newton steps: about a second
    rounds: int = 12  # Newton steps
    refinements: int = 4  # of the solution of each Newton step


class NewtonStep(NamedTuple):
    """A step over some columns, and the dual vector to first order at its end."""

    w: np.ndarray  # (p,)
    level: float
    v: np.ndarray  # (n,)


def newton_steps(objective, theta, tuning):
    """Generate dual vectors on a way by Newton steps to the minimum, and the parameters there.

    Parameters
    ----------
    objective : Objective
        Of a linear model and a smooth loss.
    theta : ndarray of shape (d,)
    tuning : Tuning

    Yields
    ------
    v : ndarray of shape (n,)
    w : ndarray of shape (p,)
    level : float
    """
    (a, b), joined = objective.resolved_strengths, False
    (w, level), flops = split(objective, theta), tuning.flops
    for _ in range(tuning.rounds):
        terms = _terms(objective, w, level)
        if not np.isfinite(terms).all():
            return
        steep = _size(-objective.rmatvec(terms[1]), objective.positive) > a
        active = ((w != 0.0) | steep | joined) & ~objective.constant
        if _flops(objective, active, terms[2]) > flops:
            active &= (a == 0.0) & (b == 0.0)
        flops -= _flops(objective, active, terms[2])
        if flops < 0.0:
            return
        step = _newton_step(objective, active, w, level, terms, tuning)
        if not (np.isfinite(step.v).all() and np.isfinite([*step.w, step.level]).all()):
            return
        yield step.v, step.w, step.level
        joined = (_size(-objective.rmatvec(step.v), objective.positive) > a) & ~active
        value = weighted_mean(objective, terms[0]) + _penalty(objective, w)
        w, level = _shortened(objective, w, level, step, value)


def _terms(objective, w, level):
    """Return the value, the slope and the second derivative of each row's loss."""
    return objective.loss_terms(as_vector(objective, w, level))


def _penalty(objective, w):
    a, b = objective.resolved_strengths
    return a @ np.abs(w) + 0.5 * b @ w**2


def _size(u, positive):
    return u if positive else np.abs(u)


def _flops(objective, columns, h):
    """Return the multiply-adds of the curvature over some columns, and of its factor."""
    k = np.count_nonzero(columns) + objective.d - objective.p
    return (np.count_nonzero(h) + k) * float(k) ** 2


def _newton_step(objective, columns, w, level, terms, tuning):
    """Return a Newton step over some columns and the intercept.

    The dual vector has the slopes at its end, which where the curvature is singular is the
    nearest. Weights that cross zero stop there.
    """
    (a, b), J = objective.resolved_strengths, np.flatnonzero(columns)
    (_, v, h), constant = terms, objective.d - objective.p
    M = _curvature(objective, J, h) + np.diag(np.append(b[J], np.zeros(constant)))
    lengths = np.sqrt(np.append(objective.column_squares[J], np.ones(constant)))
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
    end = _model_minimum(M, left(v, z), z, across, bounded)
    kept = ~bounded | (end != 0.0)
    inverse, whole = _inverse(M[np.ix_(kept, kept)]), np.where(kept, z, 0.0)
    v = v - h * predictions(z - whole)
    rounding = ROUNDING * lengths * np.sqrt(weighted_mean(objective, v**2))
    for _ in range(tuning.refinements):
        rest, move = left(v, whole), np.zeros(z.size)
        if (np.abs(rest) <= rounding)[kept].all():
            break
        move[kept] = inverse(rest[kept])
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
    constant, n = objective.d - objective.p, objective.n
    root, M = np.sqrt(np.maximum(objective.weight * h, 0.0) / n), 0.0
    block = max(1, BLOCK // max(1, J.size))
    rows = np.flatnonzero(root)
    few, size = 2 * rows.size < n, rows.size if 2 * rows.size < n else n
    for start in range(0, size, block):
        some = slice(start, start + block)
        some = rows[some] if few else some
        A = dense_rows(objective, some, J)
        A *= root[some, None]
        M = M + A.T @ A
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


def _shortened(objective, w, level, step, value):
    """Return the weights and the intercept after the part of a step that lowers the objective."""
    for part in PARTS:
        there = w + part * (step.w - w), level + part * (step.level - level)
        losses = _terms(objective, *there)[0]
        if weighted_mean(objective, losses) + _penalty(objective, there[0]) < value:
            return there
    return w, level
