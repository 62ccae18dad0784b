"""Sums over the rows of a matrix: means, products and squares of its columns, in float64.

Each entry is converted to float64 when it is read, so that a float32 matrix has the same sums as
its float64 copy, without the copy. Columns are shifted by a typical value before they are squared
or averaged, so that a mean that is large compared to the spread (a temperature in kelvin, a year)
costs no digits. In a CSR matrix only full columns are shifted; the others contain zeros.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import blas

from skgd.kernels.compiling import compiled_code
from skgd.kernels.rows import rows_of
from skgd.kernels.sum_kernels import kernel

SMALL = 2**15  # entries, up to which numpy with temporary arrays replaces compiled loops
BLOCK = 2**18  # entries of a dense matrix that are converted to float64 at once
FEWEST = 128  # smallest number of rows in a block of a matrix product
SMALLEST, LARGEST = 1e-290, 1e290  # sums of squares in which no square under- or overflowed
CONSTANT = 8.0  # a column is constant up to this spread, in roundings of its mean
OFF = 1e3  # squared centre over variance, above which columns are shifted before products
WITNESSES = 8  # rows that are tested first when looking for full sparse columns


class Columns(NamedTuple):
    """Moments of the columns of a matrix, each of shape (p,).

    Attributes
    ----------
    mean, variance : ndarray, float64
        Weighted by the rows.
    constant : ndarray, bool
        Whether the spread is below the rounding of the mean.
    """

    mean: np.ndarray
    variance: np.ndarray
    constant: np.ndarray


def column_moments(X, weight, intercept=True):
    """Return the `Columns` of X, for weights with mean one.

    Without an intercept no column counts as constant, because a constant column acts as one.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean = column_means(X, weight)
        variance = in_range(X, column_squares(X, weight, mean), mean)
    return Columns(mean, variance, are_constant(mean, variance, X.dtype) & bool(intercept))


def are_constant(mean, variance, dtype):
    """Return which columns are constant: their spread is below the rounding of their mean.

    All storages and solvers use this rule. The rounding is that of the dtype of the data. Columns
    of zeros do not count as constant; their gradient is zero anyway.
    """
    rounding = CONSTANT * np.finfo(dtype).eps * np.abs(mean)
    return (np.sqrt(variance) <= rounding) & (mean != 0.0)


def in_range(X, squares, mean=None):
    """Return the squares of the columns; raise an error if any of them over- or underflowed.

    A column is too small if it has nonzero entries whose squares are zero, unless the column
    equals its ``mean``.
    """
    large = not squares.max(initial=0.0) < LARGEST
    if not large and squares.min(initial=1.0) >= SMALLEST:
        return squares
    small = squares < SMALLEST
    if mean is not None:
        small &= np.abs(mean) < np.sqrt(SMALLEST)
    if large or (small.any() and _any_entry(X, small)):
        raise ValueError(
            f"The entries of X are too {'large' if large else 'small'} for their squares to be "
            "numbers. Scale the features, for instance with StandardScaler."
        )
    return squares


def _any_entry(X, columns):
    """Whether these columns have a nonzero entry."""
    if sparse.issparse(X):
        return bool(X.data[columns[X.indices]].any())
    return bool(X[:, columns].any())


def matvec(X, v, centre=None, far=False):
    """Return ``(x_i - centre) . v`` for all rows; a ``far`` centre is subtracted from entries."""
    if centre is not None and not far:
        return matvec(X, v) - centre @ v
    if X.dtype == np.float64 and not far:
        return X @ v
    centre = np.zeros(X.shape[1]) if centre is None else centre
    if not sparse.issparse(X):
        if X.size <= SMALL:
            return (X - centre) @ v
        return _filled("matvec", X, v, centre, np.empty(X.shape[0]))
    shift = np.where(full_columns(X), centre, 0.0)
    return _filled("matvec", X, v, shift, np.empty(X.shape[0])) - (centre - shift) @ v


def rmatvec(X, u, centre=None, far=False):
    """Return ``sum_i u_i (x_i - centre)``; a ``far`` centre is subtracted from entries."""
    if centre is not None and not far:
        return rmatvec(X, u) - u.sum() * centre
    if X.dtype == np.float64 and not far:
        return X.T @ u
    p = X.shape[1]
    centre = np.zeros(p) if centre is None else centre
    if not sparse.issparse(X):
        return (
            u @ (X - centre) if X.size <= SMALL else _filled("rmatvec", X, u, centre, np.zeros(p))
        )
    shift = np.where(full_columns(X), centre, 0.0)
    return _filled("rmatvec", X, u, shift, np.zeros(p)) - u.sum() * (centre - shift)


def predictions(X, W):
    """Return ``X W`` for a dense or sparse W of few columns, and X of any storage."""
    if X.dtype == np.float64:
        f = X @ W
        return f.toarray() if sparse.issparse(f) else f
    X = X.tocsr() if sparse.issparse(X) else X
    step = max(1, BLOCK // X.shape[1])
    blocks = [X[i : i + step].astype(float) @ W for i in range(0, X.shape[0], step)]
    return np.concatenate([f.toarray() if sparse.issparse(f) else f for f in blocks])


def column_means(X, weight):
    """Return the weighted mean of every column, for weights with mean one.

    The sum is of differences from the first row, so that the mean of equal values is that value.
    """
    first = _first(X, weight)
    if not sparse.issparse(X) and X.size <= SMALL:
        return first + weight @ (X - first) / X.shape[0]
    return first + _filled("rmatvec", X, weight, first, np.zeros(X.shape[1])) / X.shape[0]


def column_squares(X, weight, centre):
    """Return the weighted mean square of each column about the centre; None means zero."""
    n, p = X.shape
    centre = np.zeros(p) if centre is None else centre
    if sparse.issparse(X):
        squares, stored = np.zeros(p), np.zeros(p)
        _filled("column_squares", X, weight, centre, squares, stored)
        missing = np.where(full_columns(X, weight), 0.0, weight.sum() - stored)
        return (squares + np.maximum(missing, 0.0) * centre**2) / n
    if X.size <= SMALL:
        return weight @ np.square(X - centre, dtype=float) / n
    return _filled("column_squares", X, weight, centre, np.zeros(p)) / n


def row_squares(X, centre):
    """Return the squared distance of each row from the centre; None means zero."""
    n, p = X.shape
    centre = np.zeros(p) if centre is None else centre
    if sparse.issparse(X):
        shift = np.where(full_columns(X), centre, 0.0)
        rest = centre - shift
        return _filled("row_squares", X, shift, rest, np.empty(n)) + rest @ rest
    if X.size <= SMALL:
        return np.square(X - centre, dtype=float).sum(axis=1)
    return _filled("row_squares", X, centre, np.empty(n))


def gram(X, weight, centre, squares):
    """Return ``X^T S X / n`` for centred X and weights S, and a bound of its rounding.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n, p)
    weight : ndarray of shape (n,)
    centre : ndarray of shape (p,) or None
    squares : ndarray of shape (p,)
        The diagonal of the result.

    Returns
    -------
    G : ndarray of shape (p, p)
    rounding : float
        Of its entries, in units of the roots of the diagonal.
    """
    (n, p), rounding = X.shape, 32.0 * np.finfo(float).eps
    shift = np.zeros(p) if centre is None else centre
    off = _off(shift, squares)
    if sparse.issparse(X):
        G, full = np.zeros((p, p)), full_columns(X, weight)
        _filled("gram", X, weight, np.where(full, shift, 0.0), G)
        diagonal = G.diagonal().copy()
        G += G.T
        G[range(p), range(p)] = diagonal
        shift = np.where(full, 0.0, shift)
        off = _off(shift, squares)
    elif X.dtype == np.float64 and weight.min() == weight.max() and off < OFF:
        G = X.T @ X
    else:
        return _symmetric(_blocks_gram(X, weight, shift)) / n, rounding
    G /= n
    if centre is not None:
        G = blas.dger(-1.0, shift, shift, a=G.T, overwrite_a=1).T
    return G, rounding * (1.0 + off)


def _off(centre, squares):
    """Return the largest ratio of a squared centre to the variance of its column."""
    return float((centre**2 / np.where(squares > 0.0, squares, np.inf)).max(initial=0.0))


def row_gram(X, centre, far):
    """Return the Gram matrix of the centred rows, of shape (n, n).

    With ``far`` the centre is subtracted from the entries, not from the products.
    """
    n, p = X.shape
    centre = np.zeros(p) if centre is None else centre
    if sparse.issparse(X):
        shift = np.where(full_columns(X), centre, 0.0)
        X = X.astype(float)  # no more numbers than the Gram matrix has
        X.data -= shift[X.indices]
        K, centre = (X @ X.T).toarray(), centre - shift
    elif X.dtype == np.float64 and not far:
        K = X @ X.T
    else:
        K, step = np.zeros((n, n), order="F"), max(FEWEST, BLOCK // n)
        for start in range(0, p, step):
            part = np.subtract(X[:, start : start + step], centre[start : start + step], order="F")
            K = blas.dsyrk(1.0, part, beta=1.0, c=K, overwrite_c=1, lower=1)
        return _symmetric(K)
    u = X @ centre
    K -= u
    K -= (u - centre @ centre)[:, None]
    return K


def full_columns(X, weight=None):
    """Return which columns of a CSR matrix are stored in every row (of nonzero weight)."""
    n, p = X.shape
    counts = np.arange(n) if weight is None else np.flatnonzero(weight)
    full = np.zeros(p, dtype=bool)
    some = counts[:WITNESSES]
    left = np.bincount(np.concatenate([_indices(X, i) for i in some]), minlength=p) == some.size
    if not left.any():
        return full
    indices = X.indices
    if counts.size < n:
        indices = indices[np.repeat(weight > 0.0, np.diff(X.indptr))]
    return left & (np.bincount(indices, minlength=p) == counts.size)


def _indices(X, i):
    return X.indices[X.indptr[i] : X.indptr[i + 1]]


def _first(X, weight):
    """Return the first row of nonzero weight; of a CSR matrix only its full columns, else zero."""
    i = int(np.argmax(weight > 0.0))
    if not sparse.issparse(X):
        return X[i].astype(float)
    first = np.zeros(X.shape[1])
    first[_indices(X, i)] = X.data[X.indptr[i] : X.indptr[i + 1]]
    return np.where(full_columns(X, weight), first, 0.0)


def _filled(name, X, *arrays):
    """Run a compiled sum, and return the last of the arrays; all results are filled."""
    with compiled_code():
        kernel(name, not sparse.issparse(X))(*rows_of(X), *map(np.ascontiguousarray, arrays))
    return arrays[-1]


def _blocks_gram(X, weight, shift):
    """Return one triangle of the Gram matrix of shifted columns, from float64 blocks of rows."""
    n, p = X.shape
    step = max(FEWEST, BLOCK // p)
    G, room = np.zeros((p, p), order="F"), np.empty((min(step, n), p))
    root, even = np.sqrt(weight), weight.min() == weight.max()
    for start in range(0, n, step):
        rows = slice(start, start + step)
        block = room[: len(X[rows])]
        np.subtract(X[rows], shift, out=block)
        if not even:
            block *= root[rows, None]
        G = blas.dsyrk(1.0, block.T, beta=1.0, c=G, overwrite_c=1, lower=1)
    return G


def _symmetric(G):
    """Complete an F-ordered matrix from its lower triangle; return it C-ordered."""
    for start in range(0, len(G), FEWEST):
        here = slice(start, start + FEWEST)
        corner = np.tril(G[here, here])
        G[here, here] = corner + np.tril(corner, -1).T
        G[here, start + FEWEST :] = G[start + FEWEST :, here].T
    return G.T
