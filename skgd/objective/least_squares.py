"""Least squares by orthogonal factors: exact where the Gram matrix is singular.

The rows, weighted and centred, are reduced block by block to the triangle R of their
QR factorisation, which has the singular values of the whole; X is neither copied nor squared.

References
----------
Golub and Van Loan, "Matrix computations", sections 5.3 and 5.5: least squares by QR, and by the
singular value decomposition where the rank is deficient.
"""

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, lsmr

BLOCK = 2**15  # entries of a block of rows, in float64: 256 kB, of which QR makes two more


def triangle(X, weight, centre, target, columns=slice(None)):
    """Return R of ``sqrt(weight / n) [X - centre, target]``, for some of the columns of X.

    Parameters
    ----------
    X : ndarray, csr_matrix or csc_matrix of shape (n, p)
    weight, target : ndarray of shape (n,)
    centre : ndarray of shape (p,) or None
        What is subtracted from every row; None for nothing.
    columns : slice or ndarray of int
        The k columns that are used.

    Returns
    -------
    ndarray of shape (min(n, k + 1), k + 1)
    """
    n, k = X.shape[0], np.arange(X.shape[1])[columns].size
    if sparse.issparse(X) and X.format == "csc":  # whose rows cannot be sliced
        X, centre = X[:, columns].tocsr(), None if centre is None else centre[columns]
        columns = slice(None)
    step, R = max(BLOCK // (k + 1), 4 * (k + 1)), np.empty((0, k + 1))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        block = np.empty((min(step, n - start), k + 1))
        block[:, :k] = X[rows][:, columns].toarray() if sparse.issparse(X) else X[rows][:, columns]
        if centre is not None:
            block[:, :k] -= centre[columns]
        block[:, k] = target[rows]
        block *= np.sqrt(weight[rows, None] / n)
        R = np.linalg.qr(np.concatenate([R, block]) if R.size else block, mode="r")
    return R


def newton_step(R, w, strengths, signs, least_length=False):
    """Return z that minimises ``|R z - rhs|^2 / 2 + a signs z + b (w + z)^2 / 2``.

    The last column of R is its right-hand side. Singular values within rounding count as zero;
    the solution is then one of many.

    Parameters
    ----------
    R : ndarray of shape (m, k + 1)
        A `triangle`, with the residual at ``w`` as its target.
    w, signs : ndarray of shape (k,)
    strengths : (ndarray of shape (k,), ndarray of shape (k,))
        a and b.
    least_length : bool
        Whether, of many solutions, ``w + z`` is the shortest; else columns are first scaled to one
        length, which resolves those of very different units.

    Returns
    -------
    ndarray of shape (k,)
    """
    (a, b), k = strengths, w.size
    if k == 0:
        return np.zeros(0)
    penalised = np.flatnonzero(b > 0.0)
    roots = np.zeros((penalised.size, k))
    roots[range(penalised.size), penalised] = np.sqrt(b[penalised])
    M, rhs = np.vstack([R[:, :k], roots]), np.append(R[:, k], -roots @ w)
    scale = np.ones(k) if least_length else np.linalg.norm(M, axis=0)
    scale[scale == 0.0] = 1.0
    U, values, V = linalg.svd(M / scale, full_matrices=False)
    kept = values > values.max(initial=0.0) * max(M.shape) * np.finfo(float).eps
    U, values, V = U[:, kept], values[kept], V[kept]
    z = V.T @ ((U.T @ rhs) / values - V @ (a * signs / scale) / values**2)
    if least_length:
        z -= w - V.T @ (V @ w)
    return z / scale


def unexplained(objective, columns, w, residual, signs, tuning):
    """Return what a Newton step over some columns leaves of a residual; None if too expensive.

    Parameters
    ----------
    objective : Objective
    columns : ndarray of int
    w, signs : ndarray of shape (p,)
    residual : ndarray of shape (n,)
    tuning : Tuning
        Of `skgd.objective.duality`.

    Returns
    -------
    ndarray of shape (n,) or None
    """
    (a, b), move = objective.resolved_strengths, np.zeros(w.size)
    constant = objective.d > objective.p
    if objective.n * columns.size**2 <= tuning.flops:
        centre = objective.column_means if constant else objective.centre
        R = triangle(objective.X, objective.weight, centre, residual, columns)
        strengths = a[columns], b[columns]
        move[columns] = newton_step(R, w[columns], strengths, signs[columns])
    elif (a[columns] == 0.0).all() and (b[columns] == 0.0).all():
        move[columns] = _explained(objective, columns, residual, constant, tuning.products)
    else:
        return None
    v = objective.matvec(move)
    np.subtract(residual, v, out=v)
    v -= objective.weight @ v / v.size if constant else 0.0
    return v


def _explained(objective, columns, residual, constant, products):
    """Return the least squares fit of a residual by columns too many for a factor, by LSMR."""
    root = np.sqrt(objective.weight / objective.n)

    def predict(v):
        z = np.zeros(objective.p)
        z[columns] = v.ravel()
        z = objective.matvec(z)
        return root * (z - objective.weight @ z / z.size * constant)

    def rmatvec(u):
        u = np.divide(u.ravel(), root, np.zeros(u.size), where=root > 0.0)
        return objective.rmatvec(u - objective.weight @ u / u.size * constant)[columns]

    shape = objective.n, columns.size
    A = LinearOperator(shape, matvec=predict, rmatvec=rmatvec, dtype=float)
    return lsmr(A, root * residual, atol=1e-15, btol=1e-15, conlim=0.0, maxiter=products)[0]
