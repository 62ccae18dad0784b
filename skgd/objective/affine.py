"""The parameters and the rows of a linear model: weights, an intercept, a column of ones."""

import math
from typing import NamedTuple

import numpy as np
from scipy import sparse

from skgd.kernels.loss_kernels import ROWS, blocks
from skgd.kernels.vectors import mean_square
from skgd.objective.duality import EPS

MOST_ROUNDINGS = 100_000  # of a sum
BLOCK = 2**15  # numbers that are made dense at a time, as many as a fast cache holds
CURVED = 2**17  # numbers of the rows whose products are added up at a time


class Step(NamedTuple):
    """A dual vector, and the parameters and the objective that belong to it."""

    v: np.ndarray | None  # (n,)
    w: np.ndarray  # (p,)
    level: float
    value: float
    slopes: np.ndarray | None = None  # (p,): the negative gradient of the data term, if known
    mean_slope: float = 0.0  # of the losses, over the rows
    bound: float = -math.inf  # of the minimum from below, where these slopes prove one


def split(objective, theta):
    """Return the weights and the intercept."""
    return theta[: objective.p].copy(), float(theta[objective.p :].sum())


def as_vector(objective, w, level):
    """Return weights and an intercept as parameters."""
    return np.append(w, level) if objective.d > objective.p else w


def weighted_mean(objective, rows):
    """Return the weighted mean of a number for each row; rows without weight do not count."""
    with np.errstate(invalid="ignore", over="ignore"):
        mean = objective.weight @ rows / rows.size
        if math.isfinite(mean):
            return float(mean)
        return float(np.where(objective.weight > 0.0, objective.weight * rows, 0.0).mean())


def dense_rows(objective, rows, columns):
    """Return some columns of some rows, seen from the centre, and a column of ones.

    Parameters
    ----------
    objective : Objective
    rows : slice or ndarray of int
    columns : ndarray of int
    """
    m = range(objective.n)[rows] if isinstance(rows, slice) else rows
    A = np.empty((len(m), columns.size + objective.d - objective.p))
    A[:, columns.size :] = 1.0
    if columns.size == objective.p and isinstance(rows, slice) and _is_plain(objective):
        A[:, : columns.size] = objective.X[rows]
        return A
    centre = 0.0 if objective.centre is None else objective.centre[columns]
    step = max(1, BLOCK // max(1, columns.size))
    for start in range(0, len(m), step):
        some = m[start : start + step]
        X = objective.X[slice(some.start, some.stop) if isinstance(some, range) else some]
        X = X if columns.size == objective.p else X[:, columns]
        X = X.toarray() if sparse.issparse(X) else X
        np.subtract(X, centre, out=A[start : start + step, : columns.size])
    return A


def _is_plain(objective):
    """Whether rows are dense, and seen from zero."""
    return objective.centre is None and not sparse.issparse(objective.X)


def rounding(objective, v):
    """Return how far a mean over the rows of a vector may be from what it is without rounding.

    The worst case is one rounding for each row; so many are rare.
    """
    return rounding_of(objective, mean_square(objective.weight, v))


def rounding_of(objective, square):
    """Return the same for a vector of this mean square."""
    return EPS * (8.0 + min(objective.n, MOST_ROUNDINGS)) * math.sqrt(square)


def curvature(objective, columns, second):
    """Return the second derivatives of the data term over some columns and the intercept.

    Parameters
    ----------
    objective : Objective
    columns : ndarray of int
    second : callable
        Returns the second derivatives of the losses of a slice of rows.
    """
    block = min(ROWS, max(1, CURVED // max(1, columns.size)))
    if sparse.issparse(objective.X) and not objective.term.far:
        return _sparse_curvature(objective, columns, second)
    k = columns.size + objective.d - objective.p
    M = np.zeros((k, k))
    for start in range(0, objective.n, block):
        rows = slice(start, start + block)
        root = np.sqrt(np.maximum(objective.weight[rows] * second(rows), 0.0))
        live = np.flatnonzero(root)
        if 2 * live.size < root.size:
            rows, root = start + live, root[live]
        if root.size:
            A = dense_rows(objective, rows, columns)
            A *= root[:, None]
            M += A.T @ A
    return M / objective.n


def _sparse_curvature(objective, columns, second):
    """Do the same for rows that are sparse."""
    seconds = np.concatenate([second(rows) for rows in blocks(0, objective.n)])
    share = np.maximum(objective.weight * seconds, 0.0) / objective.n
    k, constant, X = columns.size, objective.d - objective.p, objective.X
    X = (X if k == objective.p else X[:, columns]).astype(float)
    M, total = np.zeros((k + constant, k + constant)), share.sum()
    M[:k, :k] = (X.T @ X.multiply(share[:, None]).tocsr()).toarray()
    sums = X.T @ share
    if objective.centre is not None:
        c = objective.centre[columns]
        M[:k, :k] += total * np.outer(c, c) - np.outer(sums, c) - np.outer(c, sums)
        sums = sums - total * c
    M[:k, k:] = sums[:, None]
    M[k:, :k], M[k:, k:] = M[:k, k:].T, total
    return M
