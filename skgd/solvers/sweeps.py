"""The compiled loops of the fast way to the minimum: sweeps over coordinates.

Nothing here allocates; what is rewritten is an argument.
"""

from functools import cache

from skgd.kernels.compiling import compile_cached


@cache
def sweeps_of(dense):
    """Return the sweep over a dense Gram matrix, or over one in CSR form."""
    return compile_cached(sweep_dense if dense else sweep_sparse, (), "sweep")


@cache
def column_sweep():
    """Return the sweep over sparse columns."""
    return compile_cached(sweep_columns, (), "sweep")


def sweep_dense(G, diagonal, w, h, a, b, floor, unit, tol, most):
    """Minimise along one coordinate after the other, at most so many times.

    ``h = q - G w`` is kept. Ends when no move in a sweep exceeds ``tol`` in the unit of the
    scaled residual.

    Returns
    -------
    int
        The sweeps done; fewer than ``most``, or all.
    """
    m = w.size
    for s in range(most):
        worst = 0.0
        for j in range(m):
            curvature = diagonal[j] + b[j]
            if curvature <= 0.0:
                continue
            z = h[j] + diagonal[j] * w[j]
            clipped = z if z < a[j] else a[j]
            clipped = clipped if clipped > -a[j] else -a[j]
            new = (z - clipped) / curvature
            new = new if new > floor[j] else floor[j]
            move = new - w[j]
            if move != 0.0:
                w[j] = new
                for k in range(m):
                    h[k] -= move * G[j, k]
                size = unit[j] * curvature * abs(move)
                worst = size if size > worst else worst
        if worst <= tol:
            return s
    return most


def sweep_sparse(data, indices, indptr, centre, diagonal, w, h, a, b, floor, unit, tol, most):
    """Do as `sweep_dense` does, with a sparse matrix less ``centre centre^T``."""
    m, level = w.size, 0.0  # how much h has to gain from the moves' means
    for s in range(most):
        worst = 0.0
        for j in range(m):
            curvature = diagonal[j] + b[j]
            if curvature <= 0.0:
                continue
            z = h[j] + level * centre[j] + diagonal[j] * w[j]
            clipped = z if z < a[j] else a[j]
            clipped = clipped if clipped > -a[j] else -a[j]
            new = (z - clipped) / curvature
            new = new if new > floor[j] else floor[j]
            move = new - w[j]
            if move != 0.0:
                w[j] = new
                level += move * centre[j]
                for k in range(indptr[j], indptr[j + 1]):
                    h[indices[k]] -= move * data[k]
                size = unit[j] * curvature * abs(move)
                worst = size if size > worst else worst
        if worst <= tol:
            most = s
            break
    for j in range(m):
        h[j] += level * centre[j]
    return most


def sweep_columns(
    data, indices, indptr, scaled, centre, diagonal, u, w, a, b, floor, unit, tol, most
):
    """Do as `sweep_dense` does on sparse columns, with the residuals in the place of h.

    ``u`` holds them times the weights of the rows over n, less a constant that all share: the
    columns are seen from their means, about which it makes no difference. ``scaled`` is ``data``
    times the weights of the rows over n.
    """
    total = 0.0
    for i in range(u.size):
        total += u[i]
    for s in range(most):
        worst = 0.0
        for j in range(w.size):
            curvature = diagonal[j] + b[j]
            if curvature <= 0.0:
                continue
            z = diagonal[j] * w[j] - centre[j] * total
            for k in range(indptr[j], indptr[j + 1]):
                z += data[k] * u[indices[k]]
            clipped = z if z < a[j] else a[j]
            clipped = clipped if clipped > -a[j] else -a[j]
            new = (z - clipped) / curvature
            new = new if new > floor[j] else floor[j]
            move = new - w[j]
            if move != 0.0:
                w[j] = new
                total -= move * centre[j]
                for k in range(indptr[j], indptr[j + 1]):
                    u[indices[k]] -= move * scaled[k]
                size = unit[j] * curvature * abs(move)
                worst = size if size > worst else worst
        if worst <= tol:
            return s
    return most
