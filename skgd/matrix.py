"""What is asked of the matrix alone: products, sums of squares, and its largest eigenvalue."""

import numpy as np
from scipy import linalg, sparse

SMALLEST = 1e-145  # entry of X whose square is told from zero
TINY = SMALLEST**2
BLOCK = 2**17  # entries of a dense matrix that are looked at together: they fit the cache


def product(X, v):
    """Return ``X v`` in float64, with v brought into the range of X's numbers."""
    largest = np.abs(v).max(initial=0.0)
    if X.dtype == v.dtype or largest == 0.0:
        return X @ v
    return (X @ (v / largest).astype(X.dtype)).astype(float) * largest


def in_range(squares_of, X, *args):
    """Return sums of squares of X, if they are within the range of numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = squares_of(X, *args)
    largest = squares.max(initial=0.0)
    entry = np.sqrt(largest) if largest > TINY else float(abs(X).max())
    if entry == 0.0 or SMALLEST < entry < np.inf:
        return squares
    raise ValueError(
        f"The entries of X are too {'small' if entry <= SMALLEST else 'large'} for their squares "
        "to be numbers. Scale the features, for instance with StandardScaler."
    )


def column_means(X, weight):
    """Return the weighted mean of every column."""
    return product(X.T, weight) / X.shape[0]


def column_squares(X, weight, centre):
    """Return the weighted mean of every column's square about the centre."""
    n, p = X.shape
    if sparse.issparse(X):
        squared = np.square(X.data, dtype=float), X.indices, X.indptr
        squares = sparse.csr_matrix(squared, shape=X.shape).T @ weight
        if centre is not None:
            squares -= n * centre * (2.0 * column_means(X, weight) - centre)
        return np.maximum(squares / n, 0.0)
    squares = np.zeros(p)
    for rows in _blocks(X):
        block = X[rows] if centre is None else X[rows] - centre
        squares += weight[rows] @ np.square(block, dtype=float)
    return squares / n


def row_squares(X, centre):
    """Return the squared length of every row, seen from the centre."""
    if sparse.issparse(X):
        squares = np.asarray(X.multiply(X).sum(axis=1), dtype=float).ravel()
        if centre is not None:
            squares += -2.0 * (X @ centre) + centre @ centre
        return squares
    squares = np.empty(X.shape[0])
    for rows in _blocks(X):
        block = X[rows] if centre is None else X[rows] - centre
        squares[rows] = np.einsum("ij,ij->i", block, block, dtype=float)
    return squares


def _blocks(X):
    step = max(1, BLOCK // X.shape[1])
    return [slice(start, start + step) for start in range(0, X.shape[0], step)]


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
