"""The compiled loops of coordinate descent: sweeps over Gram matrices and over sparse columns.

Nothing here allocates; the arrays that are rewritten are arguments.
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


def sweep_dense(G, diagonal, w, slopes, a, b, floor, unit, tol, n_sweeps):
    """Minimise along one coordinate after the other, and keep ``slopes = q - G w``.

    It ends when no move in a sweep exceeds ``tol`` in the unit of the scaled residual.

    Returns
    -------
    int
        The sweeps before that one; ``n_sweeps`` if there is none.
    """
    m = w.size
    for s in range(n_sweeps):
        worst = 0.0
        for j in range(m):
            curvature = diagonal[j] + b[j]
            if curvature <= 0.0:
                continue
            z = slopes[j] + diagonal[j] * w[j]
            clipped = z if z < a[j] else a[j]
            clipped = clipped if clipped > -a[j] else -a[j]
            new = (z - clipped) / curvature
            new = new if new > floor[j] else floor[j]
            move = new - w[j]
            if move != 0.0:
                w[j] = new
                for k in range(m):
                    slopes[k] -= move * G[j, k]
                size = unit[j] * curvature * abs(move)
                worst = size if size > worst else worst
        if worst <= tol:
            return s
    return n_sweeps


def sweep_sparse(
    data, indices, indptr, centre, diagonal, w, slopes, a, b, floor, unit, tol, n_sweeps
):
    """Do the same with a sparse matrix in CSR form less ``centre centre^T``."""
    m, level = w.size, 0.0  # to be added to the slopes, times centre
    for s in range(n_sweeps):
        worst = 0.0
        for j in range(m):
            curvature = diagonal[j] + b[j]
            if curvature <= 0.0:
                continue
            z = slopes[j] + level * centre[j] + diagonal[j] * w[j]
            clipped = z if z < a[j] else a[j]
            clipped = clipped if clipped > -a[j] else -a[j]
            new = (z - clipped) / curvature
            new = new if new > floor[j] else floor[j]
            move = new - w[j]
            if move != 0.0:
                w[j] = new
                level += move * centre[j]
                for k in range(indptr[j], indptr[j + 1]):
                    slopes[indices[k]] -= move * data[k]
                size = unit[j] * curvature * abs(move)
                worst = size if size > worst else worst
        if worst <= tol:
            n_sweeps = s
            break
    for j in range(m):
        slopes[j] += level * centre[j]
    return n_sweeps


def sweep_columns(
    data, indices, indptr, scaled, centre, diagonal, u, w, a, b, floor, unit, tol, n_sweeps
):
    """Do the same on sparse columns in CSC form, and keep the residuals of the rows.

    ``u`` holds the residuals times the weights of the rows over n, up to a constant, which makes
    no difference to centred columns. ``scaled`` is ``data`` times the same weights.
    """
    total = 0.0
    for i in range(u.size):
        total += u[i]
    for s in range(n_sweeps):
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
    return n_sweeps
