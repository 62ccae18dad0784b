"""The data terms of many candidates on the same rows, whose parameters stand side by side."""

from functools import cached_property

import numpy as np
from scipy.linalg.blas import dgemm

from skgd.kernels.row_kernels import loss_terms
from skgd.kernels.rows import CsrRows, are_even, rows_of

BLOCK = 2**18  # entries of rows, and of their predictions, at a time
COLUMNS = 32  # candidates that sparse rows are multiplied with at a time


class StackedTerm:
    """The mean losses of linear models on the same rows, each for one of several targets.

    Parameters
    ----------
    terms : list of RowwiseTerm
        One for each target.
    """

    def __init__(self, terms):
        term = terms[0]
        self.X = term.X.tocsr() if term.sparse else term.X
        self.weight, self.loss, self.sparse = term.weight, term.loss, term.sparse
        self.n, self.p, self.d = *term.X.shape, term.n_parameters
        self.quadratic, self.constant = term.quadratic, np.flatnonzero(term.constant)
        self.centre = None
        if term.centre is not None:
            self.centre = np.where(term.constant, 0.0, term.centre)
        self.targets = np.column_stack([term.y for term in terms])

    @cached_property
    def is_plain(self):
        """Whether rows go into products as they are stored."""
        is_clean = self.centre is None and self.constant.size == 0
        return self.X.dtype == np.float64 and (self.sparse or is_clean)

    def fill(self, room, order):
        """Copy dense rows in a given order: seen from the centre, with zeros in constant columns.

        Parameters
        ----------
        room : ndarray of shape (m, p), float64
        order : ndarray of int, or slice
        """
        room[:] = self.X[order]
        if self.centre is not None:
            room -= self.centre
        room[:, self.constant] = 0.0

    @cached_property
    def sparse_rows(self):
        """Sparse rows as they are stored, with zeros in constant columns."""
        rows = self.X
        if self.constant.size:
            rows = rows.copy()
            rows.data[np.isin(rows.indices, self.constant)] = 0.0
        return CsrRows(*rows_of(rows))

    def values(self, theta, target):
        """Return the mean losses.

        Parameters
        ----------
        theta : ndarray of shape (d, C)
        target : ndarray of shape (C,), int
        """
        total = np.zeros(theta.shape[1])
        for rows, X in self._blocks(theta):
            f, y, weight = (
                self._predictions(X, theta),
                self._targets(rows, target),
                self.weight[rows],
            )
            if self.quadratic:
                f -= y
                f *= f
                total += 0.5 * (f.sum(axis=0) if are_even(self.weight) else weight @ f)
            else:
                total += weight @ loss_terms(self.loss, f, np.broadcast_to(y, f.shape))[0]
        return total / self.n

    def gradients(self, theta, target, G, losses=None):
        """Set the columns of G to the gradients of the mean losses, and these where asked for."""
        G[:] = 0.0
        if losses is not None:
            losses[:] = 0.0
        for rows, X in self._blocks(theta):
            r, y, weight = (
                self._predictions(X, theta),
                self._targets(rows, target),
                self.weight[rows],
            )
            if losses is not None:
                losses += self._loss_sums(r, y, weight)
            self.slopes(r, y, weight)
            sums = r.sum(axis=0)
            self._add_outer(X, r, G[: self.p])
            if self.sparse and self.centre is not None:
                G[: self.p] -= np.outer(self.centre, sums)
            G[self.p :] += sums
        G[self.constant] = 0.0
        G /= self.n
        if losses is not None:
            losses /= self.n

    def _add_outer(self, X, r, G):
        """Add ``X^T r`` to G, without another array of its size."""
        if not self.sparse:
            dgemm(1.0, r.T, X.T, 1.0, G.T, trans_b=True, overwrite_c=True)
            return
        for start in range(0, r.shape[1], COLUMNS):
            some = slice(start, start + COLUMNS)
            G[:, some] += X.T @ r[:, some]

    def slopes(self, f, y, weight):
        """Replace predictions by the slopes of their losses, times the weights of the rows."""
        if self.quadratic:
            f -= y
        else:
            f[:] = loss_terms(self.loss, f, np.broadcast_to(y, f.shape))[1]
        if not are_even(self.weight):
            f *= weight[:, None]

    def _loss_sums(self, f, y, weight):
        """Return the sums over rows of the losses of predictions."""
        if not self.quadratic:
            return weight @ loss_terms(self.loss, f, np.broadcast_to(y, f.shape))[0]
        f = f - y
        if are_even(self.weight):
            return 0.5 * np.einsum("ij,ij->j", f, f)
        return 0.5 * np.einsum("i,ij,ij->j", weight, f, f)

    def _targets(self, rows, target):
        """Return the targets of some rows: one column where all candidates have the same."""
        if self.targets.shape[1] == 1:
            return self.targets[rows]
        return self.targets[rows][:, target]

    def _blocks(self, theta):
        """Yield rows, as slices and as they go into products with theta.

        Predictions of sparse rows at a time are no more than a quarter of theta, as each block
        of rows has a gradient of that size.
        """
        entries, most = self.p, BLOCK
        if self.sparse:
            entries, most = self.X.nnz // self.n, max(BLOCK, theta.size // 4)
        step = max(1, most // max(entries, theta.shape[1]))
        room = None if self.is_plain or self.sparse else np.empty((min(step, self.n), self.p))
        for start in range(0, self.n, step):
            rows = slice(start, min(start + step, self.n))
            if room is None:
                yield rows, self.X[rows].astype(float, copy=False)
            else:
                X = room[: rows.stop - start]
                self.fill(X, rows)
                yield rows, X

    def _predictions(self, X, theta):
        f = X @ theta[: self.p]
        if self.sparse and self.centre is not None:
            f -= self.centre @ theta[: self.p]
        if self.d > self.p:
            f += theta[self.p]
        return f
