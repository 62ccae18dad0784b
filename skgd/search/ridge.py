"""Ridge problems for many alphas, by one decomposition of the products of the columns."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh

from skgd.solvers.quadratic import smallest_pivot


class Tuning(NamedTuple):
    """When the decomposition serves. Worked out from the rounding of float64, not measured."""

    min_pivot: float = 1e-3  # of a matrix with a diagonal of ones, whose square float64 resolves
    max_ratio: float = 1e10  # of eigenvalues, from which refinements gain digits enough
    refinements: int = 2


TUNING = Tuning()


def ridge_minima(G, q, strengths, tuning=TUNING):
    """Return the minima of ``w G w / 2 - q w + b w^2 / 2`` for several b, and which are exact.

    Parameters
    ----------
    G : ndarray of shape (p, p)
    q : ndarray of shape (n_targets, p)
    strengths : ndarray of shape (n_alphas, p)
        The b of every weight, multiples of the same numbers, which do not grow.
    tuning : Tuning

    Returns
    -------
    coefs : ndarray of shape (n_alphas, n_targets, p)
    served : int
        The alphas from the first on whose minima are exact.
    """
    coefs, moves = np.zeros((len(strengths), *q.shape)), G.diagonal() > 0.0
    if not moves.any():
        return coefs, len(strengths)
    factor = np.ones(np.count_nonzero(moves))
    if strengths[0, moves].all():
        factor = strengths[0, moves] / strengths[0, moves].max()
    elif strengths[0].any():
        return coefs, 0
    root = 1.0 / np.sqrt(factor)
    M, r = G[np.ix_(moves, moves)] * root * root[:, None], q[:, moves] * root
    b = strengths[:, np.flatnonzero(moves)[np.argmax(factor)]]
    values, vectors = eigh(M)
    values = np.maximum(values, 0.0)
    served = _resolved(M, values, b, tuning)
    b = b[:served, None, None]
    with np.errstate(over="ignore"):
        shrunk = values + b
    w = (r @ vectors / shrunk) @ vectors.T
    for _ in range(tuning.refinements):
        left = r - w @ M - b * w
        w += (left @ vectors / shrunk) @ vectors.T
    coefs[:served, :, moves] = w * root
    return coefs, served


def _resolved(M, values, b, tuning):
    """Return up to which of falling strengths float64 resolves the matrix."""
    with np.errstate(over="ignore"):
        ratio = (values[-1] + b) / tuning.max_ratio
    served = np.count_nonzero(values[0] + b > ratio)
    diagonal = range(len(M))
    while served:
        H = M.copy()
        H[diagonal, diagonal] += b[served - 1]
        if smallest_pivot(H) >= tuning.min_pivot:
            break
        served -= 1
    return served
