"""What models whose curve is no line ask of a piece of rows: derivatives, and how curves differ.

As in `skgd.objective.piece`, no sum is one of BLAS.
"""

import operator

import numpy as np
from scipy import sparse

from skgd.engines.tree import Verb, add
from skgd.kernels.row_kernels import loss_terms, model_predictions, prediction_gradients
from skgd.kernels.sums import compiled_matvec
from skgd.objective import second_order


def hessian(piece, number, seen, theta):
    """Return the sum of the second derivatives of the losses, in a tuple."""
    H = np.zeros((theta.size, theta.size))
    if not len(piece.y):
        return (H,)
    p, y = piece.X.shape[1], piece.targets(seen)
    known = _projections(piece, seen, theta), theta[p:], y, piece.weight
    rows = second_order.row_hessians(seen.model, seen.loss, *known)
    H[:p, :p], H[p:, :p] = _products(piece.X, seen.centre, rows[:, 0, 0], rows[:, 1:, 0])
    H[:p, p:], H[p:, p:] = H[p:, :p].T, rows[:, 1:, 1:].sum(axis=0)
    return (H,)


def jacobian_factor(piece, number, seen, theta, by_curvature):
    """Return what the derivatives of the predictions come to, weighted.

    Parameters
    ----------
    theta : ndarray of shape (d,)
    by_curvature : bool
        Whether the weights are multiplied by the second derivatives of the losses.

    Returns
    -------
    R : ndarray of shape (d, d)
        The triangle of a QR decomposition of the derivatives, times the roots of the weights.
    squares, precision : float
        Sums of the squared slopes of the losses, and of those weights.
    """
    (n, p), d = piece.X.shape, theta.size
    if not n:
        return np.zeros((d, d)), 0.0, 0.0
    z, extra, weight = _projections(piece, seen, theta), theta[p:], piece.weight
    f = model_predictions(seen.model, z, extra)
    _, slope, second = loss_terms(seen.loss, f, piece.targets(seen))
    square = float((weight * slope**2).sum())
    weight = weight * second if by_curvature else weight
    slopes = np.sqrt(weight)[:, None] * prediction_gradients(seen.model, z, extra)
    J = np.column_stack([slopes[:, :1] * _dense(piece.X, seen.centre), slopes[:, 1:]])
    return triangle(J), square, float(weight.sum())


def merged_factors(one, other):
    """Return what the derivatives of the rows of two come to."""
    return triangle(np.concatenate([one[0], other[0]])), *add(one[1:], other[1:])


def triangle(J):
    """Return the triangle R of a QR decomposition by Householder's reflections.

    Parameters
    ----------
    J : ndarray of shape (n, d)

    Returns
    -------
    ndarray of shape (d, d)
        Whose rows beyond n are zero.
    """
    (n, d), R = J.shape, J.copy()
    for k in range(min(n, d)):
        v = R[k:, k].copy()
        largest = np.abs(v).max()
        if not 0.0 < largest < np.inf:
            continue
        v /= largest
        v[0] += np.copysign(np.sqrt((v * v).sum()), v[0])
        v /= np.sqrt((v * v).sum())
        R[k:, k:] -= 2.0 * v[:, None] * (v[:, None] * R[k:, k:]).sum(axis=0)
    found = np.zeros((d, d))
    found[: min(n, d)] = np.triu(R[:d])
    return found


def curve_differences(piece, number, seen, thetas):
    """Return the sums of the squared differences of curves, of shape (m, m), in a tuple.

    Parameters
    ----------
    thetas : ndarray of shape (m, d)
    """
    p = piece.X.shape[1]
    if not len(piece.y):
        return (np.zeros((len(thetas), len(thetas))),)
    curves = [
        model_predictions(seen.model, _projections(piece, seen, theta), theta[p:])
        for theta in thetas
    ]
    return (squared_differences(curves),)


def squared_differences(curves):
    """Return the sums of the squared differences of pairs of curves.

    Parameters
    ----------
    curves : list of ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (m, m)
    """
    found = np.zeros((len(curves), len(curves)))
    for k, curve in enumerate(curves):
        for i in range(k):
            found[k, i] = found[i, k] = ((curve - curves[i]) ** 2).sum()
    return found


def projection_range(piece, number, seen, v):
    """Return the smallest and the largest ``(x - centre) . v``."""
    if not len(piece.y):
        return np.array([np.inf, -np.inf])
    z = compiled_matvec(piece.X, v, seen.centre)
    return np.array([z.min(), z.max()])


def _widest(one, other):
    return np.array([np.minimum(one[0], other[0]), np.maximum(one[1], other[1])])


def count_weighted(piece, number):
    """Return the number of rows that have a weight, in a tuple."""
    return (int(np.count_nonzero(piece.weight)),)


def sampled_rows(piece, number, starts, numbers, target):
    """Return some of the rows that have a weight.

    Parameters
    ----------
    starts : ndarray of shape (n_pieces,)
        How many such rows the pieces before have.
    numbers : ndarray of int
        The rows, as those that have a weight are counted over all pieces, in order.
    target : int

    Returns
    -------
    X : ndarray of shape (m, p)
    y, weight : ndarray of shape (m,)
    """
    weighted = np.flatnonzero(piece.weight)
    first = starts[number]
    begin, end = np.searchsorted(numbers, [first, first + weighted.size])
    rows = weighted[numbers[begin:end] - first]
    return _dense(piece.X[rows], None), piece.y[rows, target], piece.weight[rows]


def _joined(one, other):
    return tuple(map(np.concatenate, zip(one, other)))


def _projections(piece, seen, theta):
    return compiled_matvec(piece.X, theta[: piece.X.shape[1]], seen.centre)


def _dense(X, centre):
    X = X.toarray() if sparse.issparse(X) else X
    return X if centre is None else X - centre


def _products(X, centre, u, v):
    """Return ``X^T diag(u) X`` and ``v^T X``, of rows seen from the centre."""
    X = _dense(X, centre)
    H = np.stack([((u * x)[:, None] * X).sum(axis=0) for x in X.T])
    return H, np.stack([(w[:, None] * X).sum(axis=0) for w in v.T])


CURVE_HESSIAN = Verb(hessian, add)
JACOBIAN_FACTOR = Verb(jacobian_factor, merged_factors)
CURVE_DIFFERENCES = Verb(curve_differences, add)
PROJECTION_RANGE = Verb(projection_range, _widest)
COUNT_WEIGHTED = Verb(count_weighted, operator.add)
SAMPLED_ROWS = Verb(sampled_rows, _joined)
