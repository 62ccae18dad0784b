"""Descent along coordinates on the products of columns, where the rows are no longer needed.

References
----------
Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via
coordinate descent" (2010).
"""

import numpy as np
from scipy.linalg import lapack

from skgd.kernels.compiling import compiled_code
from skgd.solvers.sweeps import sweeps_of

SHORT, LONG = 4, 256  # sweeps between two exact steps
FEWEST = 100  # columns over which long sweeps cost no more than a call
ROUNDS = 200  # of sweeps and an exact step
LARGEST = 1500  # support for which equations are solved exactly
SMALL, DENSE = 100, 0.7  # support, and its share, from which the rest is left out of sweeps
WORTH = 2  # columns for which a sweep costs half a percent of an exact step
FEW = 0.1  # of the support, which may have changed since it was last solved for
DROPS = 4  # equations solved in a row, at first
MANY, FIXED = 300, 0.01  # of the support: too many to solve for soon, and how much may change
STEPS, SURE = 15, 0.3  # conjugate gradients in a row, and to what share of the tolerance
NUDGE = 1e-12  # of the largest curvature, which is added where columns depend on each other


class DenseGram:
    """The products of some columns, ``G = X^T S X / n``."""

    def __init__(self, G):
        self.G, self.diagonal = G, np.ascontiguousarray(G.diagonal())

    def product(self, w):
        """Return ``G w``."""
        return self.G @ w

    def part(self, kept):
        """Return the rows and columns of some."""
        return self.G[np.ix_(kept, kept)]

    def only(self, kept):
        """Return the products of some of the columns."""
        return DenseGram(self.part(kept))

    def sweep(self, w, h, problem, tol, most):
        """Minimise along one coordinate after the other, so many times."""
        run = sweeps_of(dense=True)
        with compiled_code():
            return run(self.G, self.diagonal, w, h, *problem, tol, most)


class SparseGram:
    """The products of some sparse columns, seen from their means."""

    def __init__(self, G, centre):
        self.G, self.centre = G, centre
        self.diagonal = np.maximum(G.diagonal() - centre**2, 0.0)

    def product(self, w):
        """Return ``G w``."""
        return self.G @ w - self.centre * (self.centre @ w)

    def part(self, kept):
        """Return the rows and columns of some, as a dense array."""
        centre = self.centre[kept]
        return self.G[kept][:, kept].toarray() - np.outer(centre, centre)

    def only(self, kept):
        """Return the products of some of the columns."""
        return SparseGram(self.G[kept][:, kept], self.centre[kept])

    def sweep(self, w, h, problem, tol, most):
        """Minimise along one coordinate after the other, so many times."""
        G, run = self.G, sweeps_of(dense=False)
        rows = G.data, G.indices.view(np.uint32), G.indptr.astype(np.int64), self.centre
        with compiled_code():
            return run(*rows, self.diagonal, w, h, *problem, tol, most)


def settle(gram, q, w, problem, tol):
    """Minimise ``w G w / 2 - q w + a |w| + b w^2 / 2`` from ``w``, in place.

    Sweeps over the coordinates find the signs; where they last, the equations of the weights that
    are not zero are solved exactly, and the step is cut where the first weight changes its sign.

    Parameters
    ----------
    gram : DenseGram or SparseGram
    q, w : ndarray of shape (m,)
    problem : tuple of ndarray of shape (m,)
        The costs a and b, the floor, and the unit of the scaled residual.
    tol : float
        Of the scaled residual.

    Returns
    -------
    ndarray of shape (m,)
        The slope ``q - G w`` at the end.
    """
    h = q - gram.product(w) if w.any() else q.copy()
    most = LONG if w.size <= FEWEST else SHORT
    for _ in range(ROUNDS):
        if gram.sweep(w, h, problem, tol, most) < most:
            break
        kept = np.flatnonzero(w)
        if SMALL < kept.size < DENSE * w.size:
            part, v = gram.only(kept), w[kept]
            start = h[kept] + part.product(v)
            polish(part, start, v, tuple(limit[kept] for limit in problem), tol)
            w[kept] = v
        else:
            polish(gram, q, w, problem, tol, h)
        h = q - gram.product(w)
    return h


def polish(gram, q, w, problem, tol, h=None):
    """Do the same by sweeps over all and, where the signs last, by steps that keep to them."""
    h = q - gram.product(w) if h is None else h
    most, done, drops, before = SHORT, 0, DROPS, w != 0.0
    for _ in range(ROUNDS):
        if gram.sweep(w, h, problem, tol, most) < most:
            return
        kept, done = w != 0.0, done + most
        size, changed = np.count_nonzero(kept), np.count_nonzero(kept != before)
        most = SHORT if size > MANY else min(2 * most, LONG)
        if size <= min(LARGEST, WORTH * done) and changed <= 1 + FEW * size:
            if active_set_newton(gram, w, h, kept, problem, drops):
                return
            h, kept, done, drops = q - gram.product(w), w != 0.0, 0, 2 * drops
        elif size > MANY and changed <= FIXED * size:
            active_set_cg(gram, w, h, kept, problem, tol)
            h, kept = q - gram.product(w), w != 0.0
        before = kept


def active_set_newton(gram, w, h, kept, problem, drops=DROPS):
    """Go to the minimum over the weights that are not zero, or drop those in the way.

    Each step solves the equations of the weights that are left. Where weights would change their
    signs, they are set to zero if that is lower than stopping where the first one does.

    Returns
    -------
    bool
        Whether it is reached.
    """
    a, b, floor, _ = problem
    kept = np.flatnonzero(kept)
    H, now, signs = gram.part(kept), w[kept], np.sign(w[kept])
    H[range(kept.size), range(kept.size)] += b[kept]
    bound = (a[kept] > 0.0) | (floor[kept] == 0.0)
    slope = h[kept] - b[kept] * now - a[kept] * signs
    nudge = NUDGE * H.diagonal().max(initial=0.0)
    left, arrived = np.arange(kept.size), False
    for _ in range(drops):
        part = H[np.ix_(left, left)] if left.size < kept.size else H.copy()
        part[range(left.size), range(left.size)] += nudge
        _, step, failed = lapack.dposv(part, slope[left], overwrite_a=1)
        if failed or not np.isfinite(step).all():
            break
        crossing = bound[left] & ((now[left] + step) * signs[left] <= 0.0)
        if crossing.any():
            curvature = H[np.ix_(left, left)].__matmul__
            step = _truncate_step(curvature, slope[left], now[left], step, crossing)
        now[left] += step
        slope -= H[:, left] @ step
        arrived = not crossing.any()
        left = left[now[left] != 0.0]
        if arrived or not left.size:
            break
    w[kept] = now
    return arrived


def active_set_cg(gram, w, h, kept, problem, tol):
    """Go towards the same minimum by a few conjugate gradients, where its equations are many."""
    a, b, floor, unit = problem
    signs, bound = np.sign(w), (a > 0.0) | (floor == 0.0)
    slope = np.where(kept, h - b * w - a * signs, 0.0)
    scale = kept / np.where(kept, gram.diagonal + b, 1.0)

    def curvature(move):
        return np.where(kept, gram.product(move) + b * move, 0.0)

    r, d, step = slope.copy(), scale * slope, np.zeros(w.size)
    rz = r @ d
    for _ in range(STEPS):
        curved = curvature(d)
        if not d @ curved > 0.0:
            break
        length = rz / (d @ curved)
        step += length * d
        r -= length * curved
        if np.abs(unit * r).max() <= SURE * tol:
            break
        before, rz = rz, r @ (scale * r)
        d *= rz / before
        d += scale * r
    crossing = kept & bound & ((w + step) * signs <= 0.0)
    w += _truncate_step(curvature, slope, w, step, crossing) if crossing.any() else step


def _truncate_step(curvature, slope, now, step, crossing):
    """Return the better of two steps: until the first weight is zero, or with all zero at once."""
    shares = -now[crossing] / step[crossing]
    first = shares.min()
    short = first * step
    short[np.flatnonzero(crossing)[shares == first]] = -now[crossing][shares == first]
    clipped = np.where(crossing, -now, step)
    gains = [slope @ move - 0.5 * move @ curvature(move) for move in (short, clipped)]
    return clipped if gains[1] >= gains[0] else short
