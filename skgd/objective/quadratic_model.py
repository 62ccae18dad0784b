"""The minimum of a quadratic model with an elastic penalty, by exchanges of columns.

References
----------
Kim and Park, "Fast active-set-type algorithms for l1-regularized linear regression" (2010).
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

EPS = np.finfo(float).eps
REGULAR = 1e-4  # of the diagonal of a factor: the matrix is not singular


class Model(NamedTuple):
    """``z M z / 2 - q z + a |z|``, where z is not negative if it is positive."""

    M: np.ndarray  # with b on its diagonal
    q: np.ndarray
    a: np.ndarray
    b: np.ndarray
    bounded: np.ndarray  # bool: with an l1 part or a bound
    positive: bool


def model_minimum(model, z, exchanges):
    """Return the minimum of a model, and the signs there, which are zero where a bound holds.

    Variables whose signs are wrong become zero, and zeros whose slope exceeds its bound leave it,
    all at once; where that does not help, the last one only.

    Parameters
    ----------
    model : Model
    z : ndarray of shape (k,)
        Where to start.
    exchanges : int
    """
    M, q, a, _, bounded, positive = model
    if not np.count_nonzero(bounded):
        return inverse_of(M)(q), np.zeros(z.size)
    slopes = q - M @ z
    signs = np.where(z != 0.0, np.sign(z), np.sign(slopes))
    signs[bounded & (signs < 0.0) & positive] = 0.0
    free, patience, least = ~bounded | (signs != 0.0), exchanges, z.size + 1
    for _ in range(4 * z.size + 4):
        z = np.zeros(z.size)
        z[free] = inverse_of(M[np.ix_(free, free)])((q - a * signs)[free])
        slopes = q - M @ z
        steep = (slopes if positive else np.abs(slopes)) > a * (1.0 + 1e-10) + 1e-10 * np.abs(q)
        wrong = bounded & np.where(free, z * signs <= 0.0, steep)
        count = np.count_nonzero(wrong)
        if not count:
            break
        if count < least:
            least, patience = count, exchanges
        elif patience > 0:
            patience -= 1
        else:
            wrong[np.flatnonzero(wrong)[:-1]] = False
        free ^= wrong
        signs = np.where(free, np.where(wrong, np.sign(slopes), signs), 0.0)
    wrong = bounded & free & (z * signs <= 0.0)
    return np.where(wrong, 0.0, z), np.where(wrong, 0.0, signs)


def inverse_of(M):
    """Return the product with the pseudoinverse of a matrix that is not negative, scaled."""
    if not M.size:  # of which scipy 1.11 has no factor
        return np.copy
    scale = np.sqrt(M.diagonal())
    scale = np.where(scale > 0.0, scale, 1.0)
    M = M / (scale[:, None] * scale)
    R, failed = lapack.dpotrf(M)
    if not failed and R.diagonal().min() > REGULAR:
        return lambda r: lapack.dpotrs(R, r / scale)[0] / scale
    values, vectors = np.linalg.eigh(M)
    told = values > 64.0 * EPS * values.size * values.max(initial=0.0)
    vectors = vectors[:, told] / scale[:, None]
    return lambda r: vectors @ ((vectors.T @ r) / values[told])
