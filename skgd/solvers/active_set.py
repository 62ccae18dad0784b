"""Steps over the active set, the weights that are not zero, while their signs last.

There ``w G w / 2 - q w + a |w| + b w^2 / 2`` is quadratic: its minimum solves linear equations.

References
----------
Nocedal and Wright, "Numerical optimization" (2006), section 16.5: active-set methods.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack


class Tuning(NamedTuple):
    """Constants of the steps; ``doc/benchmarks/tuning.py`` varies each field."""

    n_solves: int = 4  # linear equations solved in one Newton step, each after weights have left
    cg_steps: int = 15  # conjugate gradients in one step
    cg_tol: float = 0.3  # of the tolerance: the scaled residual that ends a step; worked out
    jitter: float = (
        1e-12  # of the largest curvature, added where columns are dependent; worked out
    )


TUNING = Tuning()


def active_set_newton(gram, w, slopes, separable, n_solves, jitter=TUNING.jitter):
    """Go to the minimum over the active set, in place, unless weights would change their signs.

    Then the step is truncated, which sets some to zero, and the next solve is over those left.

    Parameters
    ----------
    gram : DenseGram or SparseGram
    w, slopes : ndarray of shape (m,)
        The weights, and ``q - G w``.
    separable : Separable
    n_solves : int
    jitter : float
        Of the largest curvature.

    Returns
    -------
    bool
        Whether the minimum is reached.
    """
    kept = np.flatnonzero(w)
    a, b, floor, _ = separable.take(kept)
    H, now, signs = gram.block(kept), w[kept], np.sign(w[kept])
    H[range(kept.size), range(kept.size)] += b
    bound = (a > 0.0) | (floor == 0.0)
    gradient = slopes[kept] - b * now - a * signs
    jitter = jitter * H.diagonal().max(initial=0.0)
    left, arrived = np.arange(kept.size), False
    for _ in range(n_solves):
        block = H[np.ix_(left, left)] if left.size < kept.size else H.copy()
        block[range(left.size), range(left.size)] += jitter
        _, step, failed = lapack.dposv(block, gradient[left], overwrite_a=1)
        if failed or not np.isfinite(step).all():
            break
        crossing = bound[left] & ((now[left] + step) * signs[left] <= 0.0)
        if crossing.any():
            multiply = H[np.ix_(left, left)].__matmul__
            step = truncate_step(multiply, gradient[left], now[left], step, crossing)
        now[left] += step
        gradient -= H[:, left] @ step
        arrived = not crossing.any()
        left = left[now[left] != 0.0]
        if arrived or not left.size:
            break
    w[kept] = now
    return arrived


def active_set_cg(gram, w, slopes, separable, tol, tuning=TUNING):
    """Go towards the same minimum, in place, by a few conjugate gradients.

    Parameters
    ----------
    gram : DenseGram or SparseGram
    w, slopes : ndarray of shape (m,)
    separable : Separable
    tol : float
        Of the scaled residual.
    tuning : Tuning
    """
    a, b, floor, unit = separable
    kept, signs, bound = w != 0.0, np.sign(w), (a > 0.0) | (floor == 0.0)
    gradient = np.where(kept, slopes - b * w - a * signs, 0.0)
    scale = kept / np.where(kept, gram.diagonal + b, 1.0)

    def multiply(move):
        return np.where(kept, gram.product(move) + b * move, 0.0)

    r, d, step = gradient.copy(), scale * gradient, np.zeros(w.size)
    rz = r @ d
    for _ in range(tuning.cg_steps):
        Hd = multiply(d)
        if not d @ Hd > 0.0:
            break
        length = rz / (d @ Hd)
        step += length * d
        r -= length * Hd
        if np.abs(unit * r).max() <= tuning.cg_tol * tol:
            break
        before, rz = rz, r @ (scale * r)
        d *= rz / before
        d += scale * r
    crossing = kept & bound & ((w + step) * signs <= 0.0)
    w += truncate_step(multiply, gradient, w, step, crossing) if crossing.any() else step


def truncate_step(multiply, gradient, now, step, crossing):
    """Return the better of two steps: until the first weight is zero, or with all zero at once."""
    shares = -now[crossing] / step[crossing]
    first = shares.min()
    short = first * step
    short[np.flatnonzero(crossing)[shares == first]] = -now[crossing][shares == first]
    clipped = np.where(crossing, -now, step)
    gains = [gradient @ move - 0.5 * move @ multiply(move) for move in (short, clipped)]
    return clipped if gains[1] >= gains[0] else short
