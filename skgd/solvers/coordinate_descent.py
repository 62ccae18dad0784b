"""Descent along coordinates on the products of columns, where the rows are no longer needed.

References
----------
Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via
coordinate descent" (2010).
"""

import numpy as np

from skgd.solvers.active_set import DROPS, active_set_cg, active_set_newton

SHORT, LONG = 4, 256  # sweeps between two exact steps
FEWEST = 100  # columns over which long sweeps cost no more than a call
ROUNDS = 200  # of sweeps and an exact step
LARGEST = 1500  # support for which equations are solved exactly
SMALL, DENSE = 100, 0.7  # support, and its share, from which the rest is left out of sweeps
WORTH = 2  # columns for which a sweep costs half a percent of an exact step
FEW = 0.1  # of the support, which may have changed since it was last solved for
MANY, FIXED = 300, 0.01  # of the support: too many to solve for soon, and how much may change


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
