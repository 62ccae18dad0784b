"""The compiled loops of coordinate descent: sweeps over Gram matrices and over sparse columns.

``separable`` holds what each coordinate has of its own, as arrays: the strengths a and b of
``a |w| + b w^2 / 2``, the lower bound, and the unit of the scaled residual. Nothing here
allocates; the arrays that are rewritten are arguments.
"""

from functools import cache

from skgd.kernels.compiling import bind, compile_cached, fuse

MOST_PARTIAL = 8  # sweeps in a row that leave out columns whose weight is zero

argmin = None


def argmin_along(z, curvature, a, lower):
    """Return the w above a bound that minimises ``curvature w^2 / 2 - z w + a |w|``."""
    clipped = z if z < a else a
    clipped = clipped if clipped > -a else -a
    w = (z - clipped) / curvature
    return w if w > lower else lower


def sweep_dense(G, diagonal, w, slopes, separable, tol, n_sweeps):
    """Minimise along one coordinate after the other, and keep ``slopes = q - G w``.

    It ends when no move in a sweep exceeds ``tol`` in the unit of the scaled residual.

    Returns
    -------
    int
        The sweeps before that one; ``n_sweeps`` if there is none.
    """
    a, b, lower, unit = separable
    m = w.size
    for s in range(n_sweeps):
        worst = 0.0
        for j in range(m):
            curvature = diagonal[j] + b[j]
            if curvature <= 0.0:
                continue
            new = argmin(slopes[j] + diagonal[j] * w[j], curvature, a[j], lower[j])
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


def sweep_sparse(rows, centre, diagonal, w, slopes, separable, tol, n_sweeps):
    """Do the same with a sparse matrix less ``centre centre^T``; ``rows`` is its CSR form."""
    data, indices, indptr = rows
    a, b, lower, unit = separable
    m, level = w.size, 0.0  # to be added to the slopes, times centre
    for s in range(n_sweeps):
        worst = 0.0
        for j in range(m):
            curvature = diagonal[j] + b[j]
            if curvature <= 0.0:
                continue
            z = slopes[j] + level * centre[j] + diagonal[j] * w[j]
            new = argmin(z, curvature, a[j], lower[j])
            move = new - w[j]
            if move != 0.0:
                w[j] = new
                level += move * centre[j]
                for k in range(indptr[j], indptr[j + 1]):
                    slopes[indices[k, 0]] -= move * data[k]
                size = unit[j] * curvature * abs(move)
                worst = size if size > worst else worst
        if worst <= tol:
            n_sweeps = s
            break
    for j in range(m):
        slopes[j] += level * centre[j]
    return n_sweeps


def sweep_columns(columns, centre, diagonal, u, w, separable, tol, n_sweeps):
    """Do the same on sparse columns, and keep the residuals of the rows.

    ``columns`` is their CSC form, and their entries times the weights of the rows over n. ``u``
    holds the residuals times the same weights, up to a constant, which makes no difference to
    centred columns. Some sweeps leave out the columns whose weight is zero; the last does not.
    """
    data, indices, indptr, scaled = columns
    a, b, lower, unit = separable
    total, whole, since = 0.0, True, 0
    for i in range(u.size):
        total += u[i]
    for s in range(n_sweeps):
        worst = 0.0
        for j in range(w.size):
            curvature = diagonal[j] + b[j]
            if curvature <= 0.0 or not (whole or w[j] != 0.0):
                continue
            z = diagonal[j] * w[j] - centre[j] * total
            for k in range(indptr[j], indptr[j + 1]):
                z += data[k] * u[indices[k, 0]]
            new = argmin(z, curvature, a[j], lower[j])
            move = new - w[j]
            if move != 0.0:
                w[j] = new
                total -= move * centre[j]
                for k in range(indptr[j], indptr[j + 1]):
                    u[indices[k, 0]] -= move * scaled[k]
                size = unit[j] * curvature * abs(move)
                worst = size if size > worst else worst
        if worst <= tol and whole:
            return s
        since = 0 if whole else since + 1
        whole = worst <= tol or since >= MOST_PARTIAL
    return n_sweeps


SWEEPS = {"dense": sweep_dense, "sparse": sweep_sparse, "columns": sweep_columns}


@cache
def build_sweep(kind):
    """Return one of `SWEEPS`, compiled."""
    function = bind(SWEEPS[kind], {"argmin": fuse(argmin_along)})
    return compile_cached(function, (), f"sweep_{kind}")
