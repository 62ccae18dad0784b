"""Steps over the weights that are not zero."""

import numpy as np
from scipy.linalg import lapack

DROPS = 4  # equations solved in a row, at first
STEPS, SURE = 15, 0.3  # conjugate gradients in a row, and to what share of the tolerance
NUDGE = 1e-12  # of the largest curvature, which is added where columns depend on each other


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
            step = truncate_step(curvature, slope[left], now[left], step, crossing)
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
    w += truncate_step(curvature, slope, w, step, crossing) if crossing.any() else step


def truncate_step(curvature, slope, now, step, crossing):
    """Return the better of two steps: until the first weight is zero, or with all zero at once."""
    shares = -now[crossing] / step[crossing]
    first = shares.min()
    short = first * step
    short[np.flatnonzero(crossing)[shares == first]] = -now[crossing][shares == first]
    clipped = np.where(crossing, -now, step)
    gains = [slope @ move - 0.5 * move @ curvature(move) for move in (short, clipped)]
    return clipped if gains[1] >= gains[0] else short
