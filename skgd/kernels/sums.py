"""Sums over the rows of a matrix: means, products and squares of its columns; all in float64.

Whatever the entries are stored as, each is brought to float64 as it is read, so that a float32
matrix has the sums of the same numbers in float64; no copy of the data is made. Columns are
shifted by a typical value before they are squared or averaged: what makes a column large beside
its spread (a temperature in kelvin, a year) then costs no digits. Of a CSR matrix only columns
that are stored in every row are shifted; the others have zeros, and so a spread.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import blas

from skgd.kernels.compiling import compiled_code
from skgd.kernels.rows import rows_of
from skgd.kernels.sum_kernels import kernel

SMALL = 2**15  # entries up to which temporary arrays fit the cache, and nothing is compiled
BLOCK = 2**18  # entries of a dense matrix that are brought to float64 together
FEWEST = 128  # rows that products of columns are worth at once
SMALLEST, LARGEST = 1e-290, 1e290  # sums of squares within which no square has left the numbers
CONSTANT = 8.0  # spread of a column, in roundings of its mean, up to which it is constant
OFF = 1e3  # squared centre over variance, beyond which a column is shifted before products
WITNESSES = 8  # rows that tell most columns of a sparse matrix from full ones


class Columns(NamedTuple):
    """What is known of the columns of a matrix, each array of shape (p,).

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
    """Return the `Columns` of X, for weights with mean one; without an intercept none is constant.

    A column of ones then does what an intercept would.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean = column_means(X, weight)
        variance = in_range(X, column_squares(X, weight, mean), mean)
    return Columns(mean, variance, are_constant(mean, variance, X.dtype) & bool(intercept))


def are_constant(mean, variance, dtype):
    """Return which columns are constant: their spread is below the rounding of their mean.

    The one rule of what is constant, for all storages and solvers. The rounding is that of the
    type in which the data came, below which nothing is known of a spread. Columns of zeros do not
    count: they have no slope, and need no rule.
    """
    rounding = CONSTANT * np.finfo(dtype).eps * np.abs(mean)
    return (np.sqrt(variance) <= rounding) & (mean != 0.0)


def in_range(X, squares, mean=None):
    """Return the squares of the columns, if none of them has left the range of numbers.

    Columns are too small when entries are not zero, but their squares are (unless it is their
    ``mean`` that they are the same as).
    """
    small = squares < SMALLEST
    if mean is not None:
        small &= np.abs(mean) < np.sqrt(SMALLEST)
    large = not squares.max(initial=0.0) < LARGEST
    if large or (small.any() and _any_entry(X, small)):
        raise ValueError(
            f"The entries of X are too {'large' if large else 'small'} for their squares to be "
            "numbers. Scale the features, for instance with StandardScaler."
        )
    return squares


def _any_entry(X, columns):
    """Whether any entry of some columns is not zero."""
    if sparse.issparse(X):
        return bool(X.data[columns[X.indices]].any())
    return bool(X[:, columns].any())


def matvec(X, v, centre=None, far=False):
    """Return ``(x_i - centre) . v`` for all rows; a ``far`` centre is taken off entry by entry."""
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
    """Return ``sum_i u_i (x_i - centre)``; a ``far`` centre is taken off entry by entry."""
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
    """Return ``X W`` for few columns W, a dense or sparse matrix; X stored in any way."""
    if X.dtype == np.float64:
        f = X @ W
        return f.toarray() if sparse.issparse(f) else f
    X = X.tocsr() if sparse.issparse(X) else X
    step = max(1, BLOCK // X.shape[1])
    blocks = [X[i : i + step].astype(float) @ W for i in range(0, X.shape[0], step)]
    return np.concatenate([f.toarray() if sparse.issparse(f) else f for f in blocks])


def column_means(X, weight):
    """Return the weighted mean of every column, for weights with mean one.

    Added up from a first value, so that the mean of a column with one value is that value.
    """
    first = _first(X, weight)
    if not sparse.issparse(X) and X.size <= SMALL:
        return first + weight @ (X - first) / X.shape[0]
    return first + _filled("rmatvec", X, weight, first, np.zeros(X.shape[1])) / X.shape[0]


def column_squares(X, weight, centre):
    """Return the weighted mean of every column's square about the centre, None for zero."""
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
    """Return the squared length of every row, seen from the centre, None for zero."""
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
    """Return ``X^T S X / n``, X seen from the centre and S the weights, and its exactness.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n, p)
    weight : ndarray of shape (n,)
    centre : ndarray of shape (p,) or None
    squares : ndarray of shape (p,)
        The diagonal of the answer.

    Returns
    -------
    G : ndarray of shape (p, p)
    exactness : float
        Of its entries, in units of the roots of the diagonal.
    """
    n, p = X.shape
    shift = np.zeros(p) if centre is None else centre
    if sparse.issparse(X):
        G, full = np.zeros((p, p)), full_columns(X, weight)
        _filled("gram", X, weight, np.where(full, shift, 0.0), G)
        diagonal = G.diagonal().copy()
        G += G.T
        G[range(p), range(p)] = diagonal
        shift = np.where(full, 0.0, shift)
    elif X.dtype == np.float64 and weight.min() == weight.max() and _off(shift, squares) < OFF:
        G = X.T @ X
    else:
        return _symmetric(_blocks_gram(X, weight, shift)) / n, 32.0 * np.finfo(float).eps
    G /= n
    if centre is not None:
        G = blas.dger(-1.0, shift, shift, a=G.T, overwrite_a=1).T
    return G, 32.0 * np.finfo(float).eps * (1.0 + _off(shift, squares))


def _off(centre, squares):
    """Return the largest square of a centre, over the column's variance."""
    spread = squares > 0.0
    return float(np.max(centre[spread] ** 2 / squares[spread], initial=0.0))


def row_gram(X, centre, far):
    """Return the products of all rows, seen from the centre, of shape (n, n).

    ``far`` says whether the centre is too far from the rows to be taken off afterwards.
    """
    n, p = X.shape
    centre = np.zeros(p) if centre is None else centre
    if sparse.issparse(X):
        shift = np.where(full_columns(X), centre, 0.0)
        X = X.astype(float)  # as many numbers as the products have, or fewer
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
    """Return which columns of a CSR matrix are stored in every row, or every one with a weight."""
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
    """Return the first row that has a weight; of a CSR matrix where it is typical, else zero."""
    i = int(np.argmax(weight > 0.0))
    if not sparse.issparse(X):
        return X[i].astype(float)
    first = np.zeros(X.shape[1])
    first[_indices(X, i)] = X.data[X.indptr[i] : X.indptr[i + 1]]
    return np.where(full_columns(X, weight), first, 0.0)


def _filled(name, X, *arrays):
    """Run a compiled sum, and return the last of the arrays; for two results, both are filled."""
    with compiled_code():
        kernel(name, not sparse.issparse(X))(*rows_of(X), *arrays)
    return arrays[-1]


def _blocks_gram(X, weight, shift):
    """Return one triangle of the products of shifted columns, from blocks of rows in float64."""
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
    """Complete an F-ordered matrix of which the lower triangle is given; return it C-ordered."""
    for start in range(0, len(G), FEWEST):
        here = slice(start, start + FEWEST)
        corner = np.tril(G[here, here])
        G[here, here] = corner + np.tril(corner, -1).T
        G[here, start + FEWEST :] = G[start + FEWEST :, here].T
    return G.T
