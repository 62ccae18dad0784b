"""A working set: the few columns that a sparse answer needs, and their products.

Under an l1 penalty most weights are zero. Descending along the coordinates of a set of columns
costs nothing of the rows once the products of these columns are known; a pass over the data
then tells which columns outside of the set are most at odds with their zeros.

References
----------
Massias, Gramfort and Salmon, "Celer: a fast solver for the lasso with dual extrapolation" (2018);
Johnson and Guestrin, "Blitz: a principled meta-algorithm for scaling sparse optimization" (2015).
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skgd.kernels.compiling import compiled_code
from skgd.solvers.coordinate_descent import settle
from skgd.solvers.gram import DenseGram, SparseGram
from skgd.solvers.sweeps import column_sweep

FIRST, MANY = 128, 512  # columns that a set begins with, at most; sparse ones
GROWTH, FAST = 0.4, 2.0  # columns that may come in, over those that are in use; sparse ones
FEW, WHOLE = 20, 160  # columns whose products are all computed: in any case, where rows are many
SOON = 5e7  # products, which are there as soon as a few rounds would be
NEAR = 20.0  # the largest slope at zero over its cost, up to which a few columns are in use
SWEEPS, PATIENCE = 50, 20  # between two looks, and how often
FILLED = 0.2  # of a sparse matrix of products, from which it is stored as dense
INNER, CLOSE = 0.3, 0.003  # of the tolerance, to settle a set to, or all columns
COARSE = 0.3  # of what the columns outside have left, to settle the set to before they come in
STALLED = 0.5  # how much of the residual a round may leave when nothing else comes in


class Tuning(NamedTuple):
    """What the choice between products of columns and residuals goes by.

    Speeds are those of `conjugate_gradient.Tuning`, from ``doc/benchmarks/choice.py``.
    """

    largest: int = 4000  # columns in a dense set, beyond which a descent takes over
    products: int = 1000  # sparse columns, beyond which descent goes by the residuals
    sparse_products: float = 2e8  # multiply-adds a second between entries of sparse rows
    sparse_entries: float = 3e8  # entries a second of a sweep over sparse columns
    sweeps: float = 20.0  # by the residuals, that products of sparse columns are worth at once

    def are_cheap(self, counts):
        """Whether products of sparse columns are worth their price, of so many entries a row."""
        price = np.square(counts, dtype=float).sum() / self.sparse_products
        return bool(price <= self.sweeps * counts.sum() / self.sparse_entries)


TUNING = Tuning()


class WorkingSet:
    """Columns of a problem, which grow in number, and their products.

    Parameters
    ----------
    problem : Quadratic
    lasting : bool
        Whether it will serve for lower costs too.
    tuning : Tuning
    """

    def __init__(self, problem, lasting=False, tuning=TUNING):
        self.problem, self.tuning = problem, tuning
        X, (n, p) = problem.objective.X, problem.objective.X.shape
        self.working_set, self.exactness = np.empty(0, dtype=np.intp), 0.0
        self.columns, self.gram, self._buffer = None, None, np.empty((0, 0))
        self._csc = None
        cheap = p <= n and n * p**2 <= SOON and (lasting or not self._is_near())
        if problem.sparse:
            cheap = 2 * p <= min(n, 2 * WHOLE) and tuning.are_cheap(np.diff(X.indptr))
        if p <= FEW or cheap or (not problem.sparse and 2 * p <= min(n, 2 * WHOLE)):
            G, self.exactness = problem.gram()
            self.working_set, self.gram = np.arange(p), DenseGram(G)

    def _is_near(self):
        """Whether the costs leave few columns in use."""
        return bool((np.abs(self.problem.q) <= NEAR * self.problem.l1_strength).all())

    @property
    def whole(self):
        """Whether all columns are in it, and known by their products alone."""
        return self.gram is not None and self.columns is None

    def minimise(self, record, epochs):
        """Go to the minimum from the answer so far."""
        if self.whole:
            self._refine(record, epochs)
        else:
            self._solve(record, epochs)

    def _refine(self, record, epochs):
        """Settle all columns, and again with the true slopes where the products are inexact."""
        problem, w = self.problem, record.iterate.copy()
        q, tol, scaled_residual = problem.q, CLOSE * problem.goal, np.inf
        limits = problem.l1_strength, problem.l2_strength, problem.floor, problem.unit
        while not record.done(epochs):
            slopes, residual = settle(self.gram, q, w, limits, tol), None
            if self.exactness > problem.goal or np.isfinite(scaled_residual):
                residual = problem.objective.y - problem.matvec(w)
                slopes = problem.rmatvec(residual)
            before, scaled_residual = (
                scaled_residual,
                float(record.record_point(problem, w, slopes, residual).max()),
            )
            if residual is not None and scaled_residual > STALLED * before:
                return
            q, tol = slopes + self.gram.product(w), min(0.5 * tol, CLOSE * problem.goal)

    def _solve(self, record, epochs):
        """Settle, look at all columns, let in those that are at odds, until none is."""
        problem, objective = self.problem, self.problem.objective
        w, slopes = record.iterate.copy(), record.slopes
        scaled_residual = problem.scaled_residual(w, slopes)
        residual = objective.y - problem.matvec(w) if w.any() else objective.y
        share = INNER
        while not record.done(epochs):
            grown = self._add_violators(scaled_residual, w)
            if self.working_set.size > self.tuning.largest and not problem.sparse:
                return
            if not grown:
                share *= 0.1
            inner = share * max(problem.goal, COARSE * scaled_residual.max())
            v = w[self.working_set]
            limits = tuple(
                x[self.working_set]
                for x in (problem.l1_strength, problem.l2_strength, problem.floor)
            )
            limits = *limits, problem.unit[self.working_set]
            if self.gram is None:
                self._settle_columns(v, slopes, residual, limits, inner)
            else:
                q = slopes[self.working_set] + self.gram.product(v)
                settle(self.gram, q, v, limits, inner)
            w = np.zeros(w.size)
            w[self.working_set] = v
            residual = objective.y - self._matvec(v)
            slopes, before = problem.rmatvec(residual), scaled_residual.max()
            scaled_residual = record.record_point(problem, w, slopes, residual)
            stalled = STALLED if self.gram is not None else 1.0
            if not grown and scaled_residual[self.working_set].max() > max(
                problem.goal, stalled * before
            ):
                return

    def _add_violators(self, scaled_residual, w):
        """Let in the columns that are most at odds; return whether any were."""
        outside = scaled_residual.copy()
        outside[self.working_set] = 0.0
        violators = np.flatnonzero(outside > self.problem.goal)
        if not self.working_set.size:
            violators = np.union1d(violators, np.flatnonzero(w)) if w.any() else violators
        first, growth = (MANY, FAST) if self.problem.sparse else (FIRST, GROWTH)
        first = min(first, max(FEW, scaled_residual.size // 8))
        most = max(first, int(growth * np.count_nonzero(w)))
        if violators.size > most:
            violators = violators[np.argpartition(outside[violators], -most)[-most:]]
        violators.sort()
        if violators.size:
            self._drop(w, violators.size)
            self._extend(violators)
        return violators.size > 0

    def _drop(self, w, k):
        """Drop the columns at zero where that makes room for so many more."""
        m, kept = self.working_set.size, np.flatnonzero(w[self.working_set])
        full = not self.problem.sparse and m + k > len(self._buffer)
        if not full or kept.size + k > m:
            return
        for i, j in enumerate(kept):  # in place: new pages cost more than a thousand short copies
            self._buffer[i, : kept.size] = self._buffer[j, kept]
            self.columns[i] = self.columns[j]
        self.working_set = self.working_set[kept]

    def _extend(self, new):
        if self.problem.sparse:
            self._extend_sparse(new)
        else:
            self._extend_dense(new)
        self.working_set = np.concatenate([self.working_set, new])

    def _extend_dense(self, new):
        """Copy columns, as rows, and append their products."""
        objective, m, k = self.problem.objective, self.working_set.size, new.size
        rows = np.empty((k, objective.n))
        rows[:] = objective.X[:, new].T
        if objective.centre is not None:
            rows -= objective.centre[new, None]
        weighted = rows if _even(objective.weight) else rows * objective.weight
        self.columns = _appended(self.columns, rows, m)
        if m + k > len(self._buffer):
            buffer = np.empty((2 * (m + k), 2 * (m + k)))
            buffer[:m, :m] = self._buffer[:m, :m]
            self._buffer = buffer
        G = self._buffer[: m + k, : m + k]
        np.matmul(weighted, self.columns[: m + k].T, out=G[m:])
        G[m:] /= objective.n
        G[:m, m:] = G[m:, :m].T
        self.gram = DenseGram(G)

    def _extend_sparse(self, new):
        """Copy columns, and, while that is cheap, compute their products anew."""
        objective, weight = self.problem.objective, self.problem.objective.weight
        working_set = np.concatenate([self.working_set, new])
        if self._csc is None:
            self._csc = objective.X.tocsc()
        self.columns = columns = self._csc[:, working_set].astype(float)
        centre = (
            np.zeros(working_set.size)
            if objective.centre is None
            else objective.centre[working_set]
        )
        stored = np.diff(columns.indptr)
        shift = np.where(stored == objective.n, centre, 0.0)
        columns.data -= np.repeat(shift, stored)
        centre = centre - shift  # that of columns with zeros, which are seen as they are
        scaled = columns.data * weight[columns.indices] / objective.n
        self.gram, self._scaled, self._centre = None, scaled, centre
        few = working_set.size <= self.tuning.products
        if few and self.tuning.are_cheap(np.bincount(columns.indices, minlength=objective.n)):
            self.gram = self._sparse_gram()

    def _sparse_gram(self):
        """Return the products of the sparse columns in the set."""
        columns, centre = self.columns, self._centre
        weighted = sparse.csc_matrix(
            (self._scaled, columns.indices, columns.indptr), columns.shape
        )
        G = (columns.T @ weighted).tocsr()
        if G.nnz > FILLED * centre.size**2:
            return DenseGram(G.toarray() - np.outer(centre, centre))
        return SparseGram(G, centre)

    def _settle_columns(self, v, slopes, residual, limits, tol):
        """Minimise along one coordinate of the set after the other, with the residuals.

        Where that takes more sweeps than products of the columns are worth, these are computed.
        """
        columns, objective, start = self.columns, self.problem.objective, v.copy()
        few = self.working_set.size <= self.tuning.products
        rows = columns.indices.view(np.uint32), columns.indptr.astype(np.int64)
        known = (
            columns.data,
            *rows,
            self._scaled,
            self._centre,
            self.problem.squares[self.working_set],
        )
        u = objective.weight * residual / objective.n
        with compiled_code():
            for _ in range(1 if few else PATIENCE):
                if column_sweep()(*known, u, v, *limits, tol, SWEEPS) < SWEEPS:
                    return
        if few:
            self.gram = self._sparse_gram()
            settle(self.gram, slopes[self.working_set] + self.gram.product(start), v, limits, tol)

    def _matvec(self, v):
        """Return the predictions of the chosen columns."""
        if not self.problem.sparse:
            kept = np.flatnonzero(v)
            if kept.size < 0.5 * v.size:
                return v[kept] @ self.columns[kept]
            return v @ self.columns[: v.size]
        return self.columns @ v - self._centre @ v


def _even(weight):
    return weight.min() == weight.max()


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
