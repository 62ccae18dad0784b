"""Coordinate descent on a Gram matrix, where the rows are no longer needed.

References
----------
Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via
coordinate descent" (2010).
"""

from typing import NamedTuple

import numpy as np

from skgd.solvers.active_set import Tuning as ActiveSetTuning
from skgd.solvers.active_set import active_set_cg, active_set_newton


class Tuning(NamedTuple):
    """When sweeps give way to subspace steps; ``doc/benchmarks/tuning.py`` varies each field."""

    sweeps: int = 4  # between two steps, at first
    max_sweeps: int = 256  # the same, at most: they double while the support is small
    few_columns: int = 100  # up to which that many sweeps cost no more than a call of numpy
    max_rounds: int = 200  # of sweeps and a step, beyond which it ends unconverged
    min_subset: int = 100  # weights not zero, from which the others are left out for a while
    max_subset: float = 0.7  # of all weights, up to which that saves time
    newton_size: int = 1500  # weights not zero, up to which their equations are solved
    newton_size_per_sweep: int = 2  # the same for each sweep since the last step
    newton_changes: float = 0.1  # of the support, which may have changed since the last sweeps
    cg_size: int = 300  # weights not zero, from which conjugate gradients step sooner
    cg_changes: float = 0.01  # of the support, which may then have changed
    active_set: ActiveSetTuning = ActiveSetTuning()


TUNING = Tuning()


def coordinate_descent(gram, q, w, separable, tol, tuning=TUNING):
    """Minimise ``w G w / 2 - q w + a |w| + b w^2 / 2`` from ``w``, in place.

    Sweeps over the coordinates find the signs. While these last, steps go to the minimum over the
    weights that are not zero.

    Parameters
    ----------
    gram : DenseGram or SparseGram
    q, w : ndarray of shape (m,)
    separable : Separable
    tol : float
        Of the scaled residual.
    tuning : Tuning

    Returns
    -------
    ndarray of shape (m,)
        The slopes ``q - G w`` at the end.
    """
    slopes = q - gram.product(w) if np.count_nonzero(w) else q.copy()
    sweeps = tuning.max_sweeps if w.size <= tuning.few_columns else tuning.sweeps
    for _ in range(tuning.max_rounds):
        if gram.sweep(w, slopes, separable, tol, sweeps) < sweeps:
            break
        kept = np.flatnonzero(w)
        if tuning.min_subset < kept.size < tuning.max_subset * w.size:
            subset, v = gram.subset(kept), w[kept]
            start = slopes[kept] + subset.product(v)
            descend_with_steps(subset, start, v, separable.take(kept), tol, tuning)
            w[kept] = v
        else:
            descend_with_steps(gram, q, w, separable, tol, tuning, slopes)
        slopes = q - gram.product(w)
    return slopes


def descend_with_steps(gram, q, w, separable, tol, tuning=TUNING, slopes=None):
    """Do the same by sweeps over all coordinates and, where the signs last, subspace steps."""
    slopes = q - gram.product(w) if slopes is None else slopes
    sweeps, done, n_solves, before = tuning.sweeps, 0, tuning.active_set.n_solves, w != 0.0
    for _ in range(tuning.max_rounds):
        if gram.sweep(w, slopes, separable, tol, sweeps) < sweeps:
            return
        kept, done = w != 0.0, done + sweeps
        size, changed = np.count_nonzero(kept), np.count_nonzero(kept != before)
        sweeps = tuning.sweeps if size > tuning.cg_size else min(2 * sweeps, tuning.max_sweeps)
        largest = min(tuning.newton_size, tuning.newton_size_per_sweep * done)
        if size <= largest and changed <= 1 + tuning.newton_changes * size:
            jitter = tuning.active_set.jitter
            if active_set_newton(gram, w, slopes, separable, n_solves, jitter):
                return
            slopes, kept, done = q - gram.product(w), w != 0.0, 0
            n_solves *= 2
        elif size > tuning.cg_size and changed <= tuning.cg_changes * size:
            active_set_cg(gram, w, slopes, separable, tol, tuning.active_set)
            slopes, kept = q - gram.product(w), w != 0.0
        before = kept
