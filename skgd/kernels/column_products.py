"""Products of columns with each other, with bits that depend on nothing but the rows.

BLAS may take another way for rows that lie elsewhere in memory: numpy, for instance, multiplies
what is not aligned to eight bytes, as what came over a network may be, by another routine. So rows
are copied in blocks of a fixed size to one aligned place, and multiplied there by one thread.
"""

import numpy as np
from scipy.linalg import blas

from skgd.engines.threads import one_blas_thread, products_in_pieces
from skgd.kernels.compiling import compiled_code
from skgd.kernels.rows import row_weights, rows_of
from skgd.kernels.sum_kernels import kernel
from skgd.kernels.sums import FEWEST, OFF, farthest, symmetric

BLOCK = 2**16  # entries that are copied at once, which a cache of 512 kB holds
ALIGNMENT = 64  # bytes: of a line of the cache, and of the widest vectors


def column_products(X, Y, weight, centre):
    """Return the weighted sums of the products of the columns of ``[X, Y] - centre`` and of one.

    Parameters
    ----------
    X, Y : ndarray of shape (n, p) and (n, k), in C order
    weight : ndarray of shape (n,)
        Not negative.
    centre : ndarray of shape (p + k,)

    Returns
    -------
    ndarray of shape (p + k + 1, p + k + 1)
        The sum of the weights is the last entry.
    """
    n, d = X.shape[0], centre.size + 1
    weight, stride = row_weights(weight)
    roots = np.sqrt(weight)
    with compiled_code(), one_blas_thread:
        copy = kernel("copy", type(rows_of(X)))

        def products(start, stop):
            step = max(FEWEST, BLOCK // d)
            G, room = aligned(d * d).reshape(d, d, order="F"), aligned(min(n, step) * d)
            G[:] = 0.0
            for first in range(start, stop, step):
                here = slice(first, min(first + step, stop))
                block = room[: d * (here.stop - first)].reshape(-1, d)
                copy(*rows_of(X[here]), Y[here], roots[first * stride :], stride, centre, block)
                G = blas.dsyrk(1.0, block.T, beta=1.0, c=G, overwrite_c=1, lower=1)
            return G

        return symmetric(products_in_pieces(products, n, d))


def centred_products(X, Y, weight):
    """Return the means of the columns of ``[X, Y]``, and the sums of their products about these.

    Parameters
    ----------
    X, Y, weight
        As in `column_products`.
    """
    centre, d = _typical(X, Y, weight), X.shape[1] + Y.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(2):
            G = column_products(X, Y, weight, centre)
            total, away = G[d, d], G[d, :d] / G[d, d]
            G = G[:d, :d]
            far = farthest(away, G.diagonal() / total - away**2) > OFF
            centre = centre + away
            if not far:  # else digits are lost, as hardly any of the weight is on typical rows
                break
        G -= total * away * away[:, None]
    return centre, G


def _typical(X, Y, weight):
    """Return means over some rows; that of equal values is that value."""
    n = X.shape[0]
    rows = np.arange(n) if weight.strides == (0,) else np.flatnonzero(weight)
    rows = rows[:: max(1, rows.size // FEWEST)]
    some, mass = np.hstack([X[rows], Y[rows]]).astype(float), weight[rows]
    with np.errstate(over="ignore", invalid="ignore"):
        return some[0] + (mass[:, None] * (some - some[0])).sum(axis=0) / mass.sum()


def aligned(size):
    """Return room for numbers that begins with a line of the cache."""
    room = np.empty(size + ALIGNMENT // 8)
    skipped = -room.ctypes.data % ALIGNMENT // 8
    return room[skipped : skipped + size]
