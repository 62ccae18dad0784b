"""Ridge problems by a factor: Cholesky's of G or of its dual, or singular values of the rows.

The minimum solves ``(G + B) w = q`` with B the l2 strengths on a diagonal. Where there are fewer
rows than columns, the formula of Woodbury has one unknown for each row.

References
----------
Golub and Van Loan, "Matrix computations", sections 2.1.4 (Woodbury), 4.2 (Cholesky) and 5.5.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import blas, lapack

from skgd.kernels.sums import row_gram
from skgd.objective.least_squares import newton_step, triangle


class Tuning(NamedTuple):
    """When a factor is refused. Worked out from the rounding of float64, not measured."""

    min_pivot: float = 1e-6  # of a matrix with a diagonal of ones, whose square is near rounding
    stall_ratio: float = 0.3  # of the scaled residual that a refinement may leave


class ColumnFactor:
    """The Cholesky factor of ``G + B``, scaled to a diagonal of ones.

    One triangle holds the factor; the other remains and multiplies by G.

    Attributes
    ----------
    exactness : float
        Of slopes from G, in the scaled residual.
    resolved : bool
        Whether the factor resolves all columns.
    """

    def __init__(self, problem, min_pivot, rough=None):
        self._b = b = problem.l2_strength
        H, self.exactness = problem.gram() if rough is None else (rough, np.inf)
        root = np.sqrt(H.diagonal() + b)
        empty = root == 0.0
        root[empty] = 1.0
        H /= root
        H /= root[:, None]
        H[range(root.size), range(root.size)] += np.where(empty, 1.0, b / root**2)
        diagonal = H.diagonal().copy()
        self._factor, failed = lapack.dpotrf(H.T, lower=0, clean=0, overwrite_a=1)
        pivots = self._factor.diagonal()
        self.resolved = not failed and pivots.min() >= min_pivot
        self._root, self._diagonal = root, diagonal - pivots

    def solve(self, g):
        """Return ``(G + B)^-1 g``."""
        return lapack.dpotrs(self._factor, g / self._root, lower=0)[0] / self._root

    def product(self, w):
        """Return ``G w``."""
        v = self._root * w
        scaled = blas.dsymv(1.0, self._factor, v, lower=1) + self._diagonal * v
        return self._root * scaled - self._b * w


class RowFactor:
    """The Cholesky factor of ``1 + X X^T S / (n b)``, for one l2 strength b; it has no G."""

    exactness = np.inf

    def __init__(self, problem):
        objective = problem.objective
        self._problem, self._b = problem, problem.l2_strength[0]
        self._root = root = np.sqrt(objective.weight / (objective.n * self._b))
        K = row_gram(objective.X, objective.centre, problem.far_from_zero)
        K *= root
        K *= root[:, None]
        K[range(len(K)), range(len(K))] += 1.0
        self._factor, failed = lapack.dpotrf(K.T, lower=0, clean=0, overwrite_a=1)
        self.resolved = not failed

    def solve(self, g):
        """Return ``(G + B)^-1 g``."""
        problem, root = self._problem, self._root
        u = lapack.dpotrs(self._factor, root * problem.matvec(g), lower=0)[0]
        u = np.divide(u, root, np.zeros(u.size), where=root > 0.0)
        return (g - problem.rmatvec(u) / self._b) / self._b


def cholesky_with_refinement(solver, by_rows, tuning):
    """Solve by a Cholesky factor, and again for what rounding has left.

    Parameters
    ----------
    solver : AutoSolver
    by_rows : bool
        Whether the unknowns are those of the rows.
    tuning : Tuning
    """
    problem = solver.problem
    if by_rows:
        _refine(solver, RowFactor(problem), tuning)
        return
    rough = problem.rough_gram()
    if rough is not None:
        _refine(solver, ColumnFactor(problem, tuning.min_pivot, rough), tuning)
    if solver.running:
        _refine(solver, ColumnFactor(problem, tuning.min_pivot), tuning)


def _refine(solver, factor, tuning):
    """Step by a factor until the goals are met, or rounding leaves too much."""
    problem = solver.problem
    if not factor.resolved:
        return
    w, slopes, residual = solver.iterate, solver.slopes, None
    while solver.running:
        step = factor.solve(slopes - problem.l2_strength * w)
        w = w + step
        if factor.exactness > solver.goal or residual is not None:
            residual = problem.residual(w)
            slopes = problem.rmatvec(residual)
        else:
            slopes = slopes - factor.product(step)
        before = solver.record.residual
        worst = float(solver.record_point(w, slopes, residual).max())
        if residual is None and solver.running:
            residual = problem.residual(w)
            slopes = problem.rmatvec(residual)
        elif worst > tuning.stall_ratio * before:
            return


def svd_with_refinement(solver):
    """Solve by singular values, where G is too near to singular, and once again."""
    problem, objective = solver.problem, solver.problem.objective
    strengths, signs = (problem.l1_strength, problem.l2_strength), np.zeros(objective.p)
    for _ in range(2):
        if not solver.running:
            return
        w = solver.iterate
        R = triangle(objective.X, objective.weight, objective.centre, problem.residual(w))
        w = w + newton_step(R, w, strengths, signs, least_length=not problem.l2_strength.any())
        residual = problem.residual(w)
        solver.record_point(w, problem.rmatvec(residual), residual)
