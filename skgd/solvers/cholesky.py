"""Cholesky factors, of columns or of rows, and singular values where these do not resolve them."""

import numpy as np
from scipy.linalg import blas, lapack

from skgd.kernels.sums import row_gram
from skgd.objective.least_squares import newton_step, triangle


def refine(problem, record, epochs, by_rows, tuning):
    """Solve by a Cholesky factor, and again for what rounding has left."""
    solve, exactness, product = (_by_rows if by_rows else _by_columns)(problem, tuning)
    if solve is None:
        return
    w, slopes, residual = record.iterate, record.slopes, None
    while not record.done(epochs):
        step = solve(slopes - problem.l2_strength * w)
        w = w + step
        if product is None or exactness > problem.goal or residual is not None:
            residual = problem.objective.y - problem.matvec(w)
            slopes = problem.rmatvec(residual)
        else:
            slopes = slopes - product(step)
        before = record.record.residual
        scaled_residual = float(record.record_point(problem, w, slopes, residual).max())
        if residual is None and not record.done(epochs):
            residual = problem.objective.y - problem.matvec(w)
            slopes = problem.rmatvec(residual)
        elif scaled_residual > tuning.stalled * before:
            return


def orthogonal(problem, record, epochs, by_rows, tuning):
    """Solve by singular values, where products are too near to singular, and once again."""
    objective, least = problem.objective, not problem.l2_strength.any()
    elastic_strengths, signs = (problem.l1_strength, problem.l2_strength), np.zeros(objective.p)
    for _ in range(2):
        if record.done(epochs):
            return
        w = record.iterate
        residual = objective.y - problem.matvec(w)
        R = triangle(objective.X, objective.weight, objective.centre, residual)
        w = w + newton_step(R, w, elastic_strengths, signs, least)
        residual = objective.y - problem.matvec(w)
        record.record_point(problem, w, problem.rmatvec(residual), residual)


def _by_columns(problem, tuning):
    """Return what solves for a step, how exact slopes from G are, and what multiplies by G.

    One triangle of the scaled ``A + B`` makes room for the factor; the other remains.
    """
    H, exactness = problem.gram()
    root = np.sqrt(H.diagonal() + problem.l2_strength)
    empty = root == 0.0
    root[empty] = 1.0
    H /= root
    H /= root[:, None]
    H[range(root.size), range(root.size)] += np.where(empty, 1.0, problem.l2_strength / root**2)
    diagonal = H.diagonal().copy()
    factor, failed = lapack.dpotrf(H.T, lower=0, clean=0, overwrite_a=1)
    if failed or factor.diagonal().min() < tuning.singular:
        return None, 0.0, None
    diagonal -= factor.diagonal()

    def solve(g):
        return lapack.dpotrs(factor, g / root, lower=0)[0] / root

    def product(w):
        v = root * w
        return (
            root * (blas.dsymv(1.0, factor, v, lower=1) + diagonal * v) - problem.l2_strength * w
        )

    return solve, exactness, product


def _by_rows(problem, tuning):
    """Return the same for fewer rows than columns, by the formula of Woodbury; without G."""
    objective, b = problem.objective, problem.l2_strength[0]
    root = np.sqrt(objective.weight / (objective.n * b))
    K = row_gram(objective.X, objective.centre, problem.far)
    K *= root
    K *= root[:, None]
    K[range(len(K)), range(len(K))] += 1.0
    factor, failed = lapack.dpotrf(K.T, lower=0, clean=0, overwrite_a=1)
    if failed:
        return None, 0.0, None

    def solve(g):
        u = lapack.dpotrs(factor, root * problem.matvec(g), lower=0)[0]
        return (
            g - problem.rmatvec(np.divide(u, root, np.zeros(u.size), where=root > 0.0)) / b
        ) / b

    return solve, 0.0, None
