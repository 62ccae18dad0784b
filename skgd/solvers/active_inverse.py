"""The inverse of the Gram matrix of the active columns, which is kept as columns come and go.

References
----------
Osborne, Presnell and Turlach, "A new approach to variable selection in least squares problems"
(2000), whose homotopy updates a factor where a column enters or leaves.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import blas, lapack


class Tuning(NamedTuple):
    """Constants of the inverse."""

    pivot: float = 1e-9  # of the diagonal, below which a column depends on the others
    max_changes: float = 0.4  # columns that change, over all, from which it is computed anew
    l2_ratio: float = 2.0  # between the l2 strengths of the inverse and of a problem, at most
    cg_steps: int = 30


TUNING = Tuning()


class ActiveInverse:
    """The inverse of ``G + c`` over some columns, for l2 strengths c near those of a problem.

    Each column has a slot; those of columns that have left are zero until others take them.

    Attributes
    ----------
    slots : ndarray of int
        The column of each slot; -1 for none.
    """

    def __init__(self, tuning=TUNING):
        self.tuning = tuning
        self.forget()

    def forget(self):
        """Keep no column."""
        self.slots, self._l2 = np.empty(0, dtype=np.intp), None
        self._G = self._inverse = np.empty((0, 0))

    def set_columns(self, gram, index, active, l2):
        """Keep the active columns alone; return whether they are independent.

        Parameters
        ----------
        gram : DenseGram
        index : ndarray of int
            The columns of gram.
        active : ndarray of int
            Places in gram.
        l2 : ndarray of shape (p,)
            The l2 strengths of the problem.
        """
        wanted = np.zeros(l2.size, dtype=bool)
        wanted[index[active]] = True
        gone = np.flatnonzero((self.slots >= 0) & ~wanted[self.slots])
        wanted[self.slots[self.slots >= 0]] = False
        new = np.flatnonzero(wanted)
        if self._is_far(l2) or new.size + gone.size > self.tuning.max_changes * active.size:
            return self._compute(gram, index, active, l2)
        if gone.size and not self._remove(gone):
            return self._compute(gram, index, active, l2)
        return not new.size or self._add(gram, index, new)

    def solve(self, g, l2, tol):
        """Return z with ``(G + l2) z = g`` to a tolerance, by preconditioned conjugate gradients.

        Parameters
        ----------
        g : ndarray of shape (n_slots,)
            Zero where a slot has no column.
        l2 : ndarray of shape (n_slots,)
            Zero there, too.
        tol : float
            Of the largest entry that is left of g.

        Returns
        -------
        ndarray of shape (n_slots,) or None
            None where it is not found.
        """
        z, r = np.zeros(g.size), g.copy()
        d, before = np.zeros(g.size), 1.0
        for _ in range(self.tuning.cg_steps):
            if max(r.max(), -r.min()) <= tol:
                return z
            s = self._inverse @ r
            now = r @ s
            d = s + (now / before) * d
            Hd = self._G @ d + l2 * d
            bend = d @ Hd
            if not (bend > 0.0 and now > 0.0):
                return None
            z += (now / bend) * d
            r -= (now / bend) * Hd
            before = now
        return None

    def _is_far(self, l2):
        """Whether the l2 strengths are far from those of the inverse."""
        if self._l2 is None:
            return True
        kept, now = self._l2.sum(), l2.sum()
        return kept > now * (1.0 + 1e-12) or self.tuning.l2_ratio**2 * kept < now

    def _compute(self, gram, index, active, l2):
        self.slots, self._l2 = index[active], l2 / self.tuning.l2_ratio
        self._G = gram.block(active)
        H = self._G.copy()
        H[range(active.size), range(active.size)] += self._l2[self.slots]
        factor, failed = lapack.dpotrf(H, overwrite_a=1)
        pivots = factor.diagonal() ** 2
        limit = self.tuning.pivot * (self._G.diagonal() + self._l2[self.slots])
        if failed or not (pivots > limit).all():
            self.forget()
            return False
        self._inverse = lapack.dpotri(factor, overwrite_c=1)[0].T  # its lower half, in C order
        upper = np.triu_indices(active.size, 1)
        self._inverse[upper] = self._inverse.T[upper]
        return True

    def _remove(self, gone):
        """Free slots; return whether the rest can be told from the inverse."""
        across, corner = self._inverse[gone], self._inverse[np.ix_(gone, gone)]
        _, step, failed = lapack.dposv(corner, across)
        if failed:
            return False
        self._change(-1.0, across, step)
        for values in (self._inverse, self._G):
            values[gone] = values[:, gone] = 0.0
        self.slots[gone] = -1
        return True

    def _add(self, gram, index, new):
        """Give slots to new columns; return whether they are independent of the others."""
        self._make_room(new.size)
        taken = np.flatnonzero(self.slots < 0)[: new.size]
        place = np.empty(index.max() + 1, dtype=np.intp)
        place[index] = np.arange(index.size)
        old = np.flatnonzero(self.slots >= 0)
        across = np.zeros((self.slots.size, new.size))
        across[old] = gram.G[np.ix_(place[self.slots[old]], place[new])]
        corner = gram.G[np.ix_(place[new], place[new])]
        self._G[:, taken], self._G[taken] = across, across.T
        self._G[np.ix_(taken, taken)] = corner
        self.slots[taken] = new
        known = self._inverse @ across
        corner = corner + np.diag(self._l2[new])
        left = corner - across.T @ known
        factor, failed = lapack.dpotrf(left)
        if failed or not (factor.diagonal() ** 2 > self.tuning.pivot * corner.diagonal()).all():
            self.forget()
            return False
        step = lapack.dpotrs(factor, known.T)[0]
        self._change(1.0, known.T, step)
        self._inverse[taken], self._inverse[:, taken] = -step, -step.T
        left = lapack.dpotrs(factor, np.eye(new.size))[0]
        self._inverse[np.ix_(taken, taken)] = left
        return True

    def _change(self, sign, left, right):
        """Add a multiple of ``left^T right``, which is symmetric, to the inverse."""
        blas.dgemm(sign, right.T, left.T, 1.0, self._inverse.T, trans_b=True, overwrite_c=True)

    def _make_room(self, n):
        """Make room for n new columns."""
        m, wanted = self.slots.size, n - np.count_nonzero(self.slots < 0)
        if wanted <= 0:
            return
        size = m + max(wanted, m // 8)
        self.slots = np.append(self.slots, np.full(size - m, -1))
        for name in ("_G", "_inverse"):
            room = np.zeros((size, size))
            room[:m, :m] = getattr(self, name)
            setattr(self, name, room)
