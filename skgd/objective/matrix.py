"""What is asked of a matrix that is only known by its products: its largest eigenvalue."""

import numpy as np
from scipy import linalg


def lanczos_bound(multiply, d, precision=0.01, least=6, most=40):
    """Return an upper bound of the largest eigenvalue of a positive semidefinite matrix.

    Parameters
    ----------
    multiply : callable
        The matrix times a vector.
    d : int
        Its order.
    precision : float
        How far above the largest eigenvalue the bound may be, as a share of it.
    least : int
        How many products to take in any case: a start near an eigenvector of a smaller
        eigenvalue satisfies the residual at once, and is only left step by step.
    most : int
        How many products to spend.

    References
    ----------
    Golub and Van Loan, "Matrix computations", section 10.1: a Ritz value and the norm of its
    residual.
    """
    rng = np.random.default_rng(0)
    v = rng.standard_normal(d)
    basis, diagonal, off = [v / np.linalg.norm(v)], [], []
    while True:
        u = multiply(basis[-1])
        diagonal.append(basis[-1] @ u)
        u = _orthogonal(u, basis)
        beta = linalg.norm(u)  # which does not overflow
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1))
        residual = beta * abs(vectors[-1, -1])
        default_n_screen = len(basis) >= least and residual <= precision * values[-1]
        if default_n_screen or len(basis) >= min(d, most):
            return float(max(values[-1], 0.0) + residual)
        if beta <= np.finfo(float).eps * values[-1]:  # an invariant subspace: look outside
            u = _orthogonal(rng.standard_normal(d), basis)
        off.append(beta)
        basis.append(u / linalg.norm(u))


def _orthogonal(u, basis):
    """Return what a vector has outside of an orthonormal basis."""
    for _ in range(2):  # rounding undoes the orthogonality of one pass
        for b in basis:
            u = u - (b @ u) * b
    return u
