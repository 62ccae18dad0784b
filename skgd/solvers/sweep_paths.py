"""The compiled loop of coordinate descent along falling strengths, on one Gram matrix.

Sweeps alternate with steps to the minimum over the active set, the weights that are not zero,
which end where one of them changes its sign. Nothing here allocates.
"""

from functools import cache

from skgd.kernels.compiling import bind, compile_cached, fuse
from skgd.solvers.sweeps import argmin_along, sweep_dense

SWEEPS = 3  # between two steps over the active set
MOST_SOLVES = 20  # of a step, each over the weights that the one before has left
MOST_ACTIVE = 128  # weights, beyond which LAPACK's calls cost less than compiled loops
MOST_ROUNDS = 30  # of sweeps and a step for one strength
PIVOT = 1e-10  # of the diagonal, below which columns are dependent

sweep = solve = None


def solve_active(G, b, active, m, g, room):
    """Solve ``(G + b) z = g`` over m active weights in place; return whether columns allow it."""
    for i in range(m):
        for j in range(i + 1):
            total = G[active[i], active[j]]
            if i == j:
                total += b[active[i]]
            for k in range(j):
                total -= room[i, k] * room[j, k]
            if i > j:
                room[i, j] = total / room[j, j]
            elif total > PIVOT * (G[active[i], active[i]] + b[active[i]]):
                room[i, i] = total**0.5
            else:
                return False
    for i in range(m):
        for k in range(i):
            g[i] -= room[i, k] * g[k]
        g[i] /= room[i, i]
    for i in range(m - 1, -1, -1):
        for k in range(i + 1, m):
            g[i] -= room[k, i] * g[k]
        g[i] /= room[i, i]
    return True


def descend_along(problem, strengths, W, slopes, tol, follows, buffers):
    """Set rows of W to the minimum for their strengths, each from the row before or from its own.

    Parameters
    ----------
    problem : tuple of ndarray
        G, its diagonal, and q.
    strengths : tuple of ndarray
        The l1 and l2 strengths and the units of every row, of shape (n, p), and the lower bounds
        of shape (p,).
    W : ndarray of shape (n, p)
    slopes : ndarray of shape (p,)
        Room for ``q - G w``.
    tol : float
        Of the scaled residual.
    follows : bool
        Whether each row begins where the one before ends.
    buffers : tuple of ndarray
        Room for the active weights, their step, and its matrix; and which rows are to be done.

    Returns
    -------
    int
        The first row whose minimum is not reached, as too many weights are active, or too many
        rounds go by; the number of rows where all are.
    """
    (G, diagonal, q), (A, B, units, lower) = problem, strengths
    active, step, room, rows = buffers
    p = q.size
    for k in rows:
        for j in range(p):
            slopes[j] = q[j]
            if follows and k > 0:
                W[k, j] = W[k - 1, j]
        for j in range(p):
            if W[k, j] != 0.0:
                for i in range(p):
                    slopes[i] -= W[k, j] * G[j, i]
        is_reached, m = False, 0
        for _ in range(MOST_ROUNDS):
            alone = A[k], B[k], lower, units[k]
            if sweep(G, diagonal, W[k], slopes, alone, tol, SWEEPS) < SWEEPS:
                is_reached = True
            if is_reached or m > active.size:
                break
            for _ in range(MOST_SOLVES):
                m = 0
                for j in range(p):
                    if W[k, j] != 0.0:
                        if m < active.size:
                            active[m] = j
                            sign = 1.0 if W[k, j] > 0.0 else -1.0
                            step[m] = slopes[j] - B[k, j] * W[k, j] - sign * A[k, j]
                        m += 1
                if m == 0 or m > active.size or not solve(G, B[k], active, m, step, room):
                    break
                share, first = 1.0, -1
                for i in range(m):
                    w = W[k, active[i]]
                    if w * (w + share * step[i]) <= 0.0:
                        share, first = -w / step[i], i
                for i in range(m):
                    j, move = active[i], share * step[i]
                    move = -W[k, j] if i == first else move
                    W[k, j] += move
                    for h in range(p):
                        slopes[h] -= move * G[j, h]
                if first < 0:
                    break
        if not is_reached:
            return k
    return W.shape[0]


@cache
def build_descend_along():
    """Return the loop, compiled."""
    along = fuse(bind(sweep_dense, {"argmin": fuse(argmin_along)}))
    function = bind(descend_along, {"sweep": along, "solve": fuse(solve_active)})
    return compile_cached(function, (), "descend_along")
