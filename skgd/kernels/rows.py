"""Row storage (dense, CSR) and the operations on one row.

`dot` returns ``w . x_i``, `dot_pair` does so for two vectors in one pass, and `axpy` adds
``c * x_i`` to a vector. Both storages have these methods, which are inlined into every loop.
Dense rows have the same for four rows, which read and write the vectors a fourth as often.
`prefetch_row` loads one of several chunks of a row into the cache ahead of its use.
"""

import sys
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import sparse

from skgd.kernels.entries import multiply_entries, multiply_entries_by_two
from skgd.kernels.four_rows import add_four, multiply_four, multiply_four_by_two

LONG = 512  # bytes of a row, above which it is prefetched in chunks
GATHERED = 2**16  # entries of rows that are gathered at once
CHUNK = 2**9  # rows of a column that are read at once
AHEAD = 16  # rows, by which memory is asked for ahead of a gathering
MAX_PREFETCH = 256  # entries of a row to prefetch; the hardware prefetches the rest


def scratch():
    """Return room for `CHUNK` numbers; in compiled code it lies on the stack."""
    return np.empty(CHUNK)


def prefetch(array, start, stop):
    """Prefetch ``array.flat[start:stop]``; does nothing outside of compiled code."""


class DenseRows(NamedTuple):
    """The rows of a C-ordered array, float32 or float64."""

    X: np.ndarray

    def dot(self, w, i):
        z = 0.0
        for j in range(self.X.shape[1]):
            z += self.X[i, j] * w[j]
        return z

    def dot_pair(self, w, v, i):
        z, y = 0.0, 0.0
        for j in range(self.X.shape[1]):
            z += self.X[i, j] * w[j]
            y += self.X[i, j] * v[j]
        return z, y

    def axpy(self, c, i, g):
        for j in range(self.X.shape[1]):
            g[j] += c * self.X[i, j]

    def dot_four(self, w, places, z):
        multiply_four(self.X, places, w, z)

    def dot_pair_four(self, w, v, places, z, y):
        multiply_four_by_two(self.X, places, w, v, z, y)

    def axpy_four(self, u, places, g):
        add_four(self.X, places, u, g)

    def are_long(self):
        return self.X.shape[1] * self.X.itemsize > LONG

    def prefetch_row(self, i, k, n_chunks):
        p = self.X.shape[1]
        many = p if p < MAX_PREFETCH else MAX_PREFETCH
        prefetch(self.X, i * p + k * many // n_chunks, i * p + (k + 1) * many // n_chunks)

    def prefetch_rows(self, i, m):
        p = self.X.shape[1]
        if p < MAX_PREFETCH:
            prefetch(self.X, i * p, (i + m) * p)
        else:
            for k in range(i, i + m):
                prefetch(self.X, k * p, k * p + MAX_PREFETCH)

    def entry(self, i, j):
        return self.X[i, j]


class CsrRows(NamedTuple):
    """The rows of a CSR matrix without duplicate entries, float32 or float64.

    The indices are as `index_words` gives them.
    """

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray

    def dot(self, w, i):
        start, stop = self.indptr[i], self.indptr[i + 1]
        return multiply_entries(self.data, self.indices, start, stop, w)

    def dot_pair(self, w, v, i):
        start, stop = self.indptr[i], self.indptr[i + 1]
        return multiply_entries_by_two(self.data, self.indices, start, stop, w, v)

    def axpy(self, c, i, g):
        for k in range(self.indptr[i], self.indptr[i + 1]):
            g[self.indices[k, 0]] += c * self.data[k]

    def are_long(self):
        return False

    def prefetch_ends(self, i):
        prefetch(self.indptr, i, i + 2)

    def prefetch_row(self, i, k, n_chunks):
        prefetch(self.data, self.indptr[i], self.indptr[i + 1])
        width = self.indices.shape[1]
        prefetch(self.indices, self.indptr[i] * width, self.indptr[i + 1] * width)

    def prefetch_rows(self, i, m):
        start, stop, width = self.indptr[i], self.indptr[i + m], self.indices.shape[1]
        prefetch(self.data, start, stop)
        prefetch(self.indices, start * width, stop * width)

    def entry(self, i, j):
        for k in range(self.indptr[i], self.indptr[i + 1]):
            if self.indices[k, 0] == j:
                return self.data[k]
        return 0.0


class FortranColumns(NamedTuple):
    """The columns of an F-ordered array, float32 or float64, as the rows of its transpose.

    Products go over chunks of rows, column by column, for compiled code to take several numbers at
    once. Batches gather their rows.
    """

    T: np.ndarray

    def project(self, w, start, shift, z):
        """Set z to ``w . x_i + shift`` for the rows from ``start`` on."""
        (p, _), stop = self.T.shape, start + z.size
        for i in range(z.size):
            z[i] = shift
        for j in range(0, p - p % 4, 4):
            x, b = self.T[j, start:stop], self.T[j + 1, start:stop]
            c, d = self.T[j + 2, start:stop], self.T[j + 3, start:stop]
            q, r, s, t = w[j], w[j + 1], w[j + 2], w[j + 3]
            for i in range(x.size):
                z[i] += (q * x[i] + r * b[i]) + (s * c[i] + t * d[i])
        for j in range(p - p % 4, p):
            x, q = self.T[j, start:stop], w[j]
            for i in range(x.size):
                z[i] += q * x[i]

    def spread(self, u, start, g):
        """Add ``sum_i u_i x_i`` over the rows from ``start`` on to ``g``."""
        (p, _), stop = self.T.shape, start + u.size
        for j in range(0, p - p % 4, 4):
            x, b = self.T[j, start:stop], self.T[j + 1, start:stop]
            c, d = self.T[j + 2, start:stop], self.T[j + 3, start:stop]
            q, r, s, t = 0.0, 0.0, 0.0, 0.0
            for i in range(x.size):
                q += u[i] * x[i]
                r += u[i] * b[i]
                s += u[i] * c[i]
                t += u[i] * d[i]
            g[j] += q
            g[j + 1] += r
            g[j + 2] += s
            g[j + 3] += t
        for j in range(p - p % 4, p):
            x, q = self.T[j, start:stop], 0.0
            for i in range(x.size):
                q += u[i] * x[i]
            g[j] += q

    def gather(self, order, start, room):
        """Copy the rows of ``order`` from ``start`` on, as many as there is room for.

        Eight columns at a time, whose entries fill a line of the cache; memory is asked for ahead.
        """
        (p, n), m = self.T.shape, min(room.shape[0], order.size - start)
        for first in range(0, p, 8):
            last = min(first + 8, p)
            for k in range(m):
                if k + AHEAD < m:
                    later = order[start + k + AHEAD]
                    for j in range(first, last):
                        prefetch(self.T, j * n + later, j * n + later + 1)
                i = order[start + k]
                for j in range(first, last):
                    room[k, j] = self.T[j, i]


class CscColumns(NamedTuple):
    """The columns of a CSC matrix without duplicate entries; indices as in `CsrRows`."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray


def rows_of(X):
    """Return the rows or columns of an array or a CSR or CSC matrix, as it is stored.

    Nothing is copied. All arrays are marked read-only, so that writable and read-only arrays are
    the same type for compiled code.
    """
    if not sparse.issparse(X):
        return DenseRows(_locked(X)) if X.flags.c_contiguous else FortranColumns(_locked(X.T))
    indptr = X.indptr.astype(np.int64, copy=False)
    kind = CsrRows if X.format == "csr" else CscColumns
    return kind(_locked(X.data), _locked(index_words(X.indices)), _locked(indptr))


def aligned_rows(X):
    """Return X, with copies of arrays that are not aligned, as what came over a network may be.

    Compiled code would be compiled anew for these.
    """
    if not sparse.issparse(X):
        return np.require(X, requirements="A")
    parts = tuple(np.require(part, requirements="A") for part in (X.data, X.indices, X.indptr))
    if not all(one is other for one, other in zip(parts, (X.data, X.indices, X.indptr))):
        X = X.__class__(parts, X.shape)
        X.has_canonical_format = True
    return X


def index_words(indices):
    """Return indices of four or eight bytes, at least 0, as a column or two of unsigned words.

    The first is the index, which is below 2^32, so compiled code is the same for both widths; and
    it need not test whether an index is negative. Nothing is copied, where the low word is first.
    """
    if sys.byteorder == "big":
        return indices.astype(np.uint32)[:, None]
    width = indices.dtype.itemsize // 4
    return np.ascontiguousarray(indices).view(np.uint32).reshape(-1, width)


def gathering_room(X):
    """Return `DenseRows` to gather rows in: as many as fit into the cache, and are worth it."""
    n, p = X.shape
    return DenseRows(np.empty((min(n, max(256, GATHERED // p)), p), dtype=X.dtype))


def row_weights(weight):
    """Return the weights of rows for compiled code, and the stride by which to read them.

    Of weights that are all one, as `even_weights` gives them, there is only one.
    """
    return (weight[:1], 0) if are_even(weight) else (np.ascontiguousarray(weight), 1)


@lru_cache(8)
def even_weights(n):
    """Return n weights of one, which take no memory."""
    return np.broadcast_to(1.0, (n,))


def are_even(weight):
    """Whether weights are those of `even_weights`."""
    return weight.strides == (0,)


def _locked(array):
    view = array.view()
    view.flags.writeable = False
    return view
