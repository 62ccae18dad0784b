"""The columns of a working set: copies of them, their Gram matrix, and descent on either."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skgd.kernels.compiling import compiled_code
from skgd.kernels.rows import are_even, index_words
from skgd.solvers.active_set import active_set_cg
from skgd.solvers.coordinate_descent import Tuning as CoordinateDescentTuning
from skgd.solvers.coordinate_descent import coordinate_descent
from skgd.solvers.gram import DenseGram, SparseGram
from skgd.solvers.sweeps import build_sweep


class Tuning(NamedTuple):
    """When sparse columns have a Gram matrix, and the constants of coordinate descent.

    Speeds are of one thread of a server of 2021 (AMD EPYC, 2.6 GHz), by
    ``doc/benchmarks/choice.py``; ``doc/benchmarks/tuning.py`` varies the others.
    """

    max_gram_columns: int = 1000  # sparse columns, beyond which sweeps go over the rows' residuals
    gram_speed: float = 2e8  # multiply-adds a second between entries of sparse rows
    sweep_speed: float = 3e8  # entries a second of a sweep over sparse columns
    gram_sweeps: float = 1.0  # sweeps over sparse columns that their Gram matrix is worth
    sweeps: int = 20  # over sparse columns, between two steps of conjugate gradients
    patience: int = 50  # times that many sweeps, at most
    gram_patience: int = 6  # the same, where a Gram matrix may follow
    dense_share: float = 0.2  # of a sparse Gram matrix that is filled, from which it is dense
    coordinate_descent: CoordinateDescentTuning = CoordinateDescentTuning()

    def gram_is_cheap(self, counts):
        """Whether the Gram matrix of columns with these entries a row is worth its time."""
        seconds = np.square(counts, dtype=float).sum() / self.gram_speed
        return bool(seconds <= self.gram_sweeps * counts.sum() / self.sweep_speed)


class DenseColumns:
    """Copies of dense columns, less their centre, one a row, and their Gram matrix.

    Attributes
    ----------
    index : ndarray of shape (m,), int
        The columns.
    gram : DenseGram or None
    """

    def __init__(self, problem, tuning):
        self.problem, self.tuning = problem, tuning
        self.index, self.gram = np.empty(0, dtype=np.intp), None
        self._rows, self._buffer = None, np.empty((0, 0))

    def add(self, new, w):
        """Add columns; where there is no room, those whose weight in w is zero are dropped."""
        self._make_room(w, new.size)
        objective, m, k = self.problem.objective, self.index.size, new.size
        rows = np.empty((k, objective.n))
        rows[:] = objective.X[:, new].T
        if objective.centre is not None:
            rows -= objective.centre[new, None]
        weight = objective.weight
        weighted = rows if weight.min() == weight.max() else rows * weight
        self._rows = _appended(self._rows, rows, m)
        if m + k > len(self._buffer):
            buffer = np.empty((2 * (m + k), 2 * (m + k)))
            buffer[:m, :m] = self._buffer[:m, :m]
            self._buffer = buffer
        G = self._buffer[: m + k, : m + k]
        np.matmul(weighted, self._rows[: m + k].T, out=G[m:])
        G[m:] /= objective.n
        G[:m, m:] = G[m:, :m].T
        self.gram, self.index = DenseGram(G), np.concatenate([self.index, new])

    def _make_room(self, w, k):
        """Drop the columns at zero where that makes room for k more."""
        m, kept = self.index.size, np.flatnonzero(w[self.index])
        if m + k <= len(self._buffer) or kept.size + k > m:
            return
        for i, j in enumerate(kept):  # in place: new pages cost more than a thousand short copies
            self._buffer[i, : kept.size] = self._buffer[j, kept]
            self._rows[i] = self._rows[j]
        self.index = self.index[kept]

    def matvec(self, v):
        """Return the predictions of these columns."""
        kept = np.flatnonzero(v)
        if kept.size < 0.5 * v.size:
            return v[kept] @ self._rows[kept]
        return v @ self._rows[: v.size]

    def minimize(self, v, slopes, residual, tol):
        """Minimise over the weights of these columns, from v, in place."""
        separable = self.problem.separable.take(self.index)
        q = slopes[self.index] + self.gram.product(v)
        coordinate_descent(self.gram, q, v, separable, tol, self.tuning.coordinate_descent)


class SparseColumns:
    """Copies of sparse columns and, while that is cheap, their Gram matrix.

    Attributes
    ----------
    index : ndarray of shape (m,), int
        The columns.
    gram : DenseGram, SparseGram or None
        None where sweeps go over the residuals of the rows.
    """

    def __init__(self, problem, tuning):
        self.problem, self.tuning = problem, tuning
        self.index, self.gram = np.empty(0, dtype=np.intp), None
        self._csc = problem.objective.X.tocsc()

    @property
    def _are_few(self):
        return self.index.size <= self.tuning.max_gram_columns

    def add(self, new, w):
        """Add columns; none is dropped, whatever its weight in w."""
        objective, self.index = self.problem.objective, np.concatenate([self.index, new])
        self._columns = columns = self._csc[:, self.index].astype(float, copy=False)
        n_stored, centre = np.diff(columns.indptr), np.zeros(self.index.size)
        if objective.centre is not None:
            centre = objective.centre[self.index]
        shift = np.where(n_stored == objective.n, centre, 0.0)
        if shift.any():
            columns.data -= np.repeat(shift, n_stored)
        self._centre = centre - shift  # of columns with zeros, which are stored uncentred
        self._weighted = columns.data / objective.n
        if not are_even(objective.weight):
            self._weighted *= objective.weight[columns.indices]
        self.gram, self._weighted_rows = None, None
        if self._are_few and self._gram_is_cheap(columns):
            self.gram = self._gram()

    def _gram_is_cheap(self, columns):
        """Whether the Gram matrix is worth its time, of which the least is known at once."""
        mean = np.array([columns.nnz / columns.shape[0]])
        if not self.tuning.gram_is_cheap(mean):  # as even as entries of rows can be
            return False
        return self.tuning.gram_is_cheap(np.bincount(columns.indices))

    def _gram(self):
        """Return the Gram matrix of these columns."""
        centre = self._centre
        G = (self._weighted_transpose() @ self._columns).tocsr()
        if G.nnz > self.tuning.dense_share * centre.size**2:
            return DenseGram(G.toarray() - np.outer(centre, centre))
        return SparseGram(G, centre)

    def _weighted_transpose(self):
        """Return the columns as rows, weighted."""
        if self._weighted_rows is None:
            (n, m), columns = self._columns.shape, self._columns
            entries = self._weighted, columns.indices, columns.indptr
            self._weighted_rows = sparse.csr_matrix(entries, (m, n))
        return self._weighted_rows

    def matvec(self, v):
        """Return the predictions of these columns."""
        return self._columns @ v - self._centre @ v

    def rmatvec(self, u):
        """Return the weighted mean of the products of a vector with these columns."""
        mean = self.problem.objective.weight @ u / u.size
        return self._weighted_transpose() @ u - self._centre * mean

    def product(self, v):
        """Return the product with the Gram matrix, which is not computed."""
        return self.rmatvec(self.matvec(v))

    def minimize(self, v, slopes, residual, tol):
        """Minimise over the weights of these columns, from v, in place.

        Where that takes more sweeps than the Gram matrix is worth, it is computed.
        """
        separable, start = self.problem.separable.take(self.index), v.copy()
        if self.gram is None:
            if self._sweep(v, residual, separable, tol) or not self._are_few:
                return
            self.gram = self._gram()
        q = slopes[self.index] + self.gram.product(start)
        coordinate_descent(self.gram, q, v, separable, tol, self.tuning.coordinate_descent)

    def _sweep(self, v, residual, separable, tol):
        """Sweep over the columns, and step over the active set; return whether that ends."""
        columns, objective, tuning = self._columns, self.problem.objective, self.tuning
        u, start, target = objective.weight * residual / objective.n, v.copy(), None
        indices, indptr = index_words(columns.indices), columns.indptr.astype(np.int64)
        entries = columns.data, indices, indptr, self._weighted
        self.diagonal = self.problem.column_squares[self.index]
        known = entries, self._centre, self.diagonal, u, v, separable
        steps = tuning.coordinate_descent.active_set
        with compiled_code():
            sweep = build_sweep("columns")
            for _ in range(tuning.gram_patience if self._are_few else tuning.patience):
                if sweep(*known, tol, tuning.sweeps) < tuning.sweeps:
                    return True
                if target is None:
                    target = residual + self.matvec(start)
                slopes = self.rmatvec(target - self.matvec(v))
                active_set_cg(self, v, slopes, separable, tol, steps)
                u[:] = objective.weight * (target - self.matvec(v)) / objective.n
        return False


def _appended(rows, new, m):
    """Return rows, with room to spare, after the first m of which new ones follow."""
    k, n = new.shape
    if rows is None:
        return new
    if m + k > len(rows):
        buffer = np.empty((2 * (m + k), n))
        buffer[:m] = rows[:m]
        rows = buffer
    rows[m : m + k] = new
    return rows
