"""Row storage (dense, CSR) and the operations on one row.

`dot` returns ``w . x_i``, `dot_pair` does so for two vectors in one pass, and `axpy` adds
``c * x_i`` to a vector. Both storages have these methods, which are inlined into every loop.
`prefetch_row` loads one of several chunks of a row into the cache ahead of its use.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

LONG = 32  # entries of a row, above which it is prefetched in chunks
MAX_PREFETCH = 256  # entries of a row to prefetch; the hardware prefetches the rest


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

    def n_prefetch_chunks(self):
        return 4 if self.X.shape[1] > LONG else 1

    def prefetch_row(self, i, k, n_prefetch_chunks):
        p = self.X.shape[1]
        many = p if p < MAX_PREFETCH else MAX_PREFETCH
        prefetch(
            self.X,
            i * p + k * many // n_prefetch_chunks,
            i * p + (k + 1) * many // n_prefetch_chunks,
        )

    def entry(self, i, j):
        return self.X[i, j]


class CsrRows(NamedTuple):
    """The rows of a CSR matrix without duplicate entries, float32 or float64.

    The indices are unsigned, so that compiled code need not test whether they are negative.
    """

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray

    def dot(self, w, i):
        z = 0.0
        for k in range(self.indptr[i], self.indptr[i + 1]):
            z += self.data[k] * w[self.indices[k]]
        return z

    def dot_pair(self, w, v, i):
        z, y = 0.0, 0.0
        for k in range(self.indptr[i], self.indptr[i + 1]):
            z += self.data[k] * w[self.indices[k]]
            y += self.data[k] * v[self.indices[k]]
        return z, y

    def axpy(self, c, i, g):
        for k in range(self.indptr[i], self.indptr[i + 1]):
            g[self.indices[k]] += c * self.data[k]

    def n_prefetch_chunks(self):
        return 1

    def prefetch_row(self, i, k, n_prefetch_chunks):
        prefetch(self.data, self.indptr[i], self.indptr[i + 1])
        prefetch(self.indices, self.indptr[i], self.indptr[i + 1])

    def entry(self, i, j):
        for k in range(self.indptr[i], self.indptr[i + 1]):
            if self.indices[k] == j:
                return self.data[k]
        return 0.0


class FortranColumns(NamedTuple):
    """The columns of an F-ordered array, float32 or float64."""

    X: np.ndarray


class CscColumns(NamedTuple):
    """The columns of a CSC matrix without duplicate entries; the indices are unsigned."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray


def rows_of(X):
    """Return the rows or columns of an array or a CSR or CSC matrix, as it is stored.

    Nothing is copied. All arrays are marked read-only, so that writable and read-only arrays are
    the same type for compiled code.
    """
    if not sparse.issparse(X):
        return (DenseRows if X.flags.c_contiguous else FortranColumns)(_locked(X))
    unsigned = np.uint32 if X.indices.dtype.itemsize == 4 else np.uint64
    indptr = X.indptr.astype(np.int64, copy=False)
    kind = CsrRows if X.format == "csr" else CscColumns
    return kind(_locked(X.data), _locked(X.indices.view(unsigned)), _locked(indptr))


def row_weights(weight):
    """Return the weights of rows for compiled code, and the stride by which to read them.

    Of weights that are all one, as `even_weights` gives them, there is only one.
    """
    return (weight[:1], 0) if are_even(weight) else (np.ascontiguousarray(weight), 1)


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
