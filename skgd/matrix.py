"""What is asked of a matrix that is only known by its products: its largest eigenvalue."""

import numpy as np
from scipy import linalg


def lanczos_bound(multiply, d, precision=0.01, most=40):
    """Return an upper bound of the largest eigenvalue of a positive semidefinite matrix.

    Parameters
    ----------
    multiply : callable
        The matrix times a vector.
    d : int
        Its order.
    precision : float
        How far above the largest eigenvalue the bound may be, as a share of it.
    most : int
        How many products to spend.

    References
    ----------
    Golub and Van Loan, "Matrix computations", section 10.1: a Ritz value and the norm of its
    residual.
    """
    v = np.random.default_rng(0).standard_normal(d)
    basis, diagonal, off = [v / np.linalg.norm(v)], [], []
    while True:
        u = multiply(basis[-1])
        diagonal.append(basis[-1] @ u)
        for _ in range(2):  # rounding undoes the orthogonality of one pass
            for b in basis:
                u = u - (b @ u) * b
        beta = linalg.norm(u)  # which does not overflow
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1))
        residual = beta * abs(vectors[-1, -1])
        if residual <= precision * values[-1] or len(basis) >= min(d, most):
            return float(max(values[-1], 0.0) + residual)
        off.append(beta)
        basis.append(u / beta)
