"""Products with centred rows for conjugate gradients, whose end data in float64 judge.

Dense float32 rows are multiplied in float32, twice as fast: vectors are scaled to its range, and
sums go over so few rows at a time that they lose no more digits than the entries have. Sparse rows
are transposed once, and not for every product.
"""

import numpy as np

from skgd.kernels.rows import are_even

ROWS = 4096  # that are summed in float32
FINEST_GOAL = 1e-6  # of the scaled residual, below which the digits of float32 do not lead


def products(problem, goal):
    """Return the functions that multiply centred rows, and their transpose, by a vector.

    Parameters
    ----------
    problem : Quadratic
    goal : float
        Of the scaled residual.
    """
    objective, X = problem.objective, problem.objective.X
    centre = np.zeros(X.shape[1]) if objective.centre is None else objective.centre
    if problem.sparse and X.dtype == np.float64 and not objective.term.far:
        return problem.matvec, _transposed(X, objective, centre)
    if goal < FINEST_GOAL or not problem.allows_single:
        return problem.matvec, problem.rmatvec

    def matvec(v):
        v, scale = _scaled(v)
        return scale * ((X @ v).astype(float) - centre @ v)

    def rmatvec(u):
        total, (u, scale) = u.sum(), _scaled(u)
        starts = range(0, u.size, ROWS)
        g = scale * sum((X[i : i + ROWS].T @ u[i : i + ROWS]).astype(float) for i in starts)
        return _slopes(objective, g, total * centre)

    return matvec, rmatvec


def _transposed(X, objective, centre):
    """Return the product of the transpose of sparse rows with a vector over the rows."""
    columns, even = X.T, are_even(objective.weight)

    def rmatvec(u):
        u = u if even else objective.weight * u
        return _slopes(objective, columns @ u, u.sum() * centre)

    return rmatvec


def _slopes(objective, g, shift):
    """Return means over the rows of shifted sums, zero for constant columns."""
    g -= shift
    g /= objective.n
    g[objective.constant] = 0.0
    return g


def _scaled(v):
    """Return a vector in float32 whose largest entry is one, and what it is multiplied by."""
    scale = float(np.abs(v).max(initial=0.0)) or 1.0
    return (v / scale).astype(np.float32), scale
