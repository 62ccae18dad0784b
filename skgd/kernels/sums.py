"""Sums over the rows of a matrix: products with vectors, and with itself, in float64.

Each entry is converted to float64 when it is read, so that a float32 matrix has the same sums as
its float64 copy, without the copy. Arrays of any order and CSR and CSC matrices are read as they
are stored. In a sparse matrix only full columns are shifted by their centre; the others contain
zeros.
"""

from functools import partial

import numpy as np
from scipy import sparse
from scipy.linalg import blas

from skgd.engines.threads import (
    add_up,
    n_threads,
    products_in_pieces,
    row_pieces,
    run_all,
    sums_apart,
)
from skgd.kernels.compiling import compiled_code
from skgd.kernels.moments import SMALL, full_columns
from skgd.kernels.rows import CsrRows, DenseRows, are_even, rows_of
from skgd.kernels.sum_kernels import kernel

BLOCK = 2**17  # entries of a dense matrix that are converted to float64 at once
FEWEST = 128  # smallest number of rows in a block of a matrix product
NEAR = 10.0  # squared centre over variance, up to which float32 products keep their digits
OFF = 1e3  # squared centre over variance, above which columns are shifted before products


def matvec(X, v, centre=None, far=False):
    """Return ``(x_i - centre) . v`` for all rows; a ``far`` centre is subtracted from entries."""
    if centre is not None and not far:
        z = matvec(X, v)
        z -= centre @ v
        return z
    if X.dtype == np.float64 and not far:
        return X @ v
    if not sparse.issparse(X) and X.size <= SMALL:
        return (X - (0.0 if centre is None else centre)) @ v
    return compiled_matvec(X, v, centre)


def compiled_matvec(X, v, centre=None):
    """Return the same without BLAS, whose bits depend on where arrays lie in memory."""
    centre = np.zeros(X.shape[1]) if centre is None else centre
    if not sparse.issparse(X):
        return _filled("matvec", X, v, centre, np.empty(X.shape[0]))
    shift = np.where(full_columns(X), centre, 0.0)
    z = _filled("matvec", X, v, shift, np.empty(X.shape[0]))
    z -= ((centre - shift) * v).sum()
    return z


def rmatvec(X, u, centre=None, far=False):
    """Return ``sum_i u_i (x_i - centre)``; a ``far`` centre is subtracted from entries."""
    if centre is not None and not far:
        return rmatvec(X, u) - u.sum() * centre
    if X.dtype == np.float64 and not far:
        return X.T @ u
    if not sparse.issparse(X) and X.size <= SMALL:
        return u @ (X - (0.0 if centre is None else centre))
    return compiled_rmatvec(X, u, centre)


def compiled_rmatvec(X, u, centre=None):
    """Return the same without BLAS, whose bits depend on where arrays lie in memory."""
    p = X.shape[1]
    centre = np.zeros(p) if centre is None else centre
    if not sparse.issparse(X):
        return _filled("rmatvec", X, u, centre, np.zeros(p))
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
    X : ndarray, csr_matrix or csc_matrix of shape (n, p)
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
    off = farthest(shift, squares)
    if sparse.issparse(X):
        G, full = np.zeros((p, p)), full_columns(X, weight)
        room = [np.zeros(n)] if X.format == "csc" else []
        _filled("gram", X, weight, np.where(full, shift, 0.0), *room, G)
        diagonal = G.diagonal().copy()
        G += G.T
        G[range(p), range(p)] = diagonal
        shift = np.where(full, 0.0, shift)
        off = farthest(shift, squares)
    elif X.dtype == np.float64 and _are_equal(weight) and off < OFF:
        G = products_in_pieces(lambda start, stop: X[start:stop].T @ X[start:stop], n, p)
    else:
        weight = None if _are_equal(weight) else weight

        def products(start, stop):
            return _blocks_gram(X, weight, shift, start, stop)

        return symmetric(products_in_pieces(products, n, p)) / n, rounding
    G /= n
    if centre is not None:
        G = blas.dger(-1.0, shift, shift, a=G.T, overwrite_a=1).T
    return G, rounding * (1.0 + off)


def has_single_gram(X, weight, centre, squares):
    """Whether `single_gram` serves: for float32 rows of even weights, with means near zero.

    The sums of squares are within the range of float32, so that those of products are, too.
    """
    if sparse.issparse(X) or X.dtype != np.float32 or not are_even(weight):
        return False
    (n, p), single = X.shape, np.finfo(np.float32)
    centre = np.zeros(p) if centre is None else centre
    sums = n * (squares + centre**2)
    inside = (sums == 0.0) | ((sums > single.tiny / single.eps) & (sums < 0.5 * single.max))
    return bool(inside.all()) and farthest(centre, squares) < NEAR


def single_gram(X, centre):
    """Return ``X^T X / n`` for centred float32 columns, to the digits of float32 only."""
    n, p = X.shape
    G = products_in_pieces(lambda start, stop: X[start:stop].T @ X[start:stop], n, p)
    G = G.astype(float) / n
    return G if centre is None else G - np.outer(centre, centre)


def farthest(centre, squares):
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
        X = X.tocsr().astype(float)  # no more numbers than the Gram matrix has
        X.data -= shift[X.indices]
        K, centre = (X @ X.T).toarray(), centre - shift
    elif X.dtype == np.float64 and not far:
        K = X @ X.T
    else:
        K, step = np.zeros((n, n), order="F"), max(FEWEST, BLOCK // n)
        for start in range(0, p, step):
            part = np.subtract(X[:, start : start + step], centre[start : start + step], order="F")
            K = blas.dsyrk(1.0, part, beta=1.0, c=K, overwrite_c=1, lower=1)
        return symmetric(K)
    u = X @ centre
    K -= u
    K -= (u - centre @ centre)[:, None]
    return K


def _filled(name, X, *arrays):
    """Run a compiled sum, and return the last of the arrays; all results are filled."""
    rows = rows_of(X)
    *given, found = map(np.ascontiguousarray, arrays)
    pieces = row_pieces(X.shape[0], X.nnz if sparse.issparse(X) else X.size, found.size)
    with compiled_code():
        run = kernel(name, type(rows))
        if name not in SPLIT or type(rows) not in PARTS or len(pieces) == 1:
            run(*rows, *given, found)
        else:
            compiled, *parts = [PARTS[type(rows)](rows, *piece) for piece in [(0, 0), *pieces]]
            SPLIT[name](run, [compiled], [(0, 0)], given, found)  # in this thread
            SPLIT[name](run, parts, pieces, given, found)
    return arrays[-1]


PARTS = {  # of storages by rows: those from one to another
    DenseRows: lambda rows, start, stop: DenseRows(rows.X[start:stop]),
    CsrRows: lambda rows, start, stop: rows._replace(indptr=rows.indptr[start : stop + 1]),
}


def _matvec_in_parts(run, parts, pieces, given, z):
    """Fill the products of each part of the rows."""
    places = [z[start:stop] for start, stop in pieces]
    tasks = [partial(run, *rows, *given, place) for rows, place in zip(parts, places)]
    run_all(tasks, n_threads())


def _rmatvec_in_parts(run, parts, pieces, given, g):
    """Add the sums of all parts of the rows, in a tree."""
    (u, shift), sums = given, sums_apart(len(parts), g.size)
    weights = [u[start:stop] for start, stop in pieces]
    tasks = [partial(run, *rows, w, shift, t) for rows, w, t in zip(parts, weights, sums)]
    run_all(tasks, n_threads())
    add_up(sums)
    g += sums[0]


SPLIT = {"matvec": _matvec_in_parts, "rmatvec": _rmatvec_in_parts}


def _blocks_gram(X, weight, shift, first, last):
    """Return one triangle of the Gram matrix of shifted columns, from float64 blocks of rows.

    It is that of the rows from one to another; no weight stands for equal ones.
    """
    p, by_rows = X.shape[1], X.flags.c_contiguous
    step = min(last - first, max(FEWEST, BLOCK // p))
    G, room = np.zeros((p, p), order="F"), np.empty(step * p)
    for start in range(first, last, step):
        rows = slice(start, min(start + step, last))
        block = room[: X[rows].size].reshape(-1, p, order="C" if by_rows else "F")
        np.subtract(X[rows], shift, out=block)
        if weight is not None:
            block *= np.sqrt(weight[rows, None])
        block = block.T if by_rows else block
        G = blas.dsyrk(1.0, block, beta=1.0, c=G, trans=not by_rows, overwrite_c=1, lower=1)
    return G


def _are_equal(weight):
    """Whether all rows have the same weight."""
    return are_even(weight) or weight.min() == weight.max()


def symmetric(G):
    """Complete an F-ordered matrix from its lower triangle; return it C-ordered."""
    for start in range(0, len(G), FEWEST):
        here = slice(start, start + FEWEST)
        corner = np.tril(G[here, here])
        G[here, here] = corner + np.tril(corner, -1).T
        G[here, start + FEWEST :] = G[start + FEWEST :, here].T
    return G.T
