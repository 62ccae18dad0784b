"""Working sets: coordinate descent on the few columns that a sparse solution needs.

Solve on the working set, compute all gradients, add the worst optimality violators; repeat until
none exceeds tol.

References
----------
Massias, Gramfort and Salmon, "Celer: a fast solver for the lasso with dual extrapolation" (2018);
Johnson and Guestrin, "Blitz: a principled meta-algorithm for scaling sparse optimization" (2015).
"""

import math
from typing import NamedTuple

import numpy as np

from skgd.kernels.moments import entries_of_rows
from skgd.solvers.columns import DenseColumns, SparseColumns
from skgd.solvers.columns import Tuning as ColumnsTuning
from skgd.solvers.coordinate_descent import coordinate_descent
from skgd.solvers.gram import DenseGram


class Tuning(NamedTuple):
    """Constants of a working set; ``doc/benchmarks/tuning.py`` varies each field.

    Of two values the second is for sparse rows, whose columns cost less to add.
    """

    first_columns: tuple[int, int] = (128, 512)  # that a set begins with, at most
    first_roots: tuple[float, float] = (1.25, 6.0)  # the same, times the root of all columns
    min_columns: int = 20  # the same, at least; and up to which all columns are taken at once
    growth: tuple[float, float] = (0.4, 2.0)  # columns added, at most, over weights not zero
    max_columns: int = 4000  # of a dense set, beyond which a descent takes over
    full_gram_columns: int = 160  # up to which all are taken, where rows are twice as many
    full_gram_flops: float = 6e4  # multiply-adds of a Gram matrix, over the square of the ratio
    max_slope_ratio: float = 150.0  # of slopes at zero to l1_strength: the more are used
    inner_tol: float = 0.3  # of the goal, to which the working set is solved
    inner_share: float = 0.3  # of the worst violation, to which it need only be solved before
    inner_tightening: float = 0.1  # of both, where no column is added
    full_tol: float = 0.003  # of the goal, to which the problem of all columns is solved
    stall_ratio: float = 0.5  # of the scaled residual that a round may leave when none is added
    columns: ColumnsTuning = ColumnsTuning()


class WorkingSet:
    """Columns of a problem, which grow in number, and the solver on them.

    Parameters
    ----------
    problem : Quadratic
    for_path : bool
        Whether it will serve for lower alphas too.
    tuning : Tuning

    Attributes
    ----------
    columns : DenseColumns, SparseColumns or None
        None where the Gram matrix of all columns is computed at once.
    """

    def __init__(self, problem, for_path, tuning):
        self.problem, self.tuning = problem, tuning
        self.columns = self._gram = None
        if self._takes_all(for_path):
            rough = None if for_path else problem.rough_gram()
            G, self._exactness = problem.gram() if rough is None else (rough, np.inf)
            self._gram = DenseGram(G)
        else:
            kind = SparseColumns if problem.sparse else DenseColumns
            self.columns = kind(problem, tuning.columns)

    def exact_gram(self, tol):
        """Return the Gram matrix of all columns, if there is one that is exact to tol."""
        return self._gram if self.columns is None and self._exactness <= tol else None

    def _takes_all(self, for_path):
        """Whether the Gram matrix of all columns is cheap."""
        problem, tuning, X = self.problem, self.tuning, self.problem.objective.X
        n, p = X.shape
        tall = 2 * p <= min(n, 2 * tuning.full_gram_columns)
        if problem.sparse:
            cheap = tall and tuning.columns.gram_is_cheap(entries_of_rows(X))
        else:
            most = tuning.full_gram_flops * self._slope_ratio(for_path) ** 2
            cheap = tall or (p <= n and n * p**2 <= most)
        return p <= tuning.min_columns or cheap

    def _slope_ratio(self, for_path):
        """Return the largest slope at zero over its l1 strength: the larger, the more columns."""
        most = self.tuning.max_slope_ratio
        if for_path:
            return most
        with np.errstate(all="ignore"):  # a ratio that is no number is that of a column of zeros
            return min(most, np.fmax.reduce(np.abs(self.problem.q) / self.problem.l1_strength))

    def minimize(self, solver):
        """Go to the minimum from the iterate of the solver."""
        if self.columns is None:
            self._solve_all(solver)
        else:
            self._solve(solver)

    def _solve_all(self, solver):
        """Solve for all columns, and again with the data's slopes where G is inexact."""
        problem, w = self.problem, solver.iterate.copy()
        q, tol, worst = problem.q, self.tuning.full_tol * solver.goal, np.inf
        while solver.running:
            gram, tuning, residual = self._gram, self.tuning.columns.coordinate_descent, None
            slopes = coordinate_descent(gram, q, w, problem.separable, tol, tuning)
            if self._exactness > solver.goal or np.isfinite(worst):
                residual = problem.residual(w)
                slopes = problem.rmatvec(residual)
            before = worst
            worst = float(solver.record_point(w, slopes, residual).max())
            if residual is not None and worst > self.tuning.stall_ratio * before:
                if np.isfinite(self._exactness):
                    return
                G, self._exactness = problem.gram()
                gram = self._gram = DenseGram(G)
            q, tol = slopes + gram.product(w), min(0.5 * tol, self.tuning.full_tol * solver.goal)

    def _solve(self, solver):
        """Solve on the working set, compute all gradients, add violators, until there are none."""
        problem, columns, tuning = self.problem, self.columns, self.tuning
        w, slopes = solver.iterate.copy(), solver.slopes
        violations = problem.scaled_residual(w, slopes)
        residual = problem.residual(w) if w.any() else problem.objective.y
        tightening = 1.0
        while solver.running:
            grew = self._add_violators(violations, w, solver.goal)
            if columns.index.size > tuning.max_columns and not problem.sparse:
                return
            tightening *= 1.0 if grew else tuning.inner_tightening
            worst = violations.max()
            tol = tuning.inner_tol * max(solver.goal, tuning.inner_share * worst)
            v = w[columns.index]
            columns.minimize(v, slopes, residual, tightening * tol)
            w = np.zeros(w.size)
            w[columns.index] = v
            residual = problem.objective.y - columns.matvec(v)
            slopes = problem.rmatvec(residual)
            violations = solver.record_point(w, slopes, residual)
            limit = tuning.stall_ratio * worst if columns.gram is not None else worst
            if not grew and violations[columns.index].max() > max(solver.goal, limit):
                return

    def _add_violators(self, violations, w, goal):
        """Add the worst optimality violators; return whether there are any."""
        tuning, columns, is_sparse = self.tuning, self.columns, self.problem.sparse
        outside = violations.copy()
        outside[columns.index] = 0.0
        violators = np.flatnonzero(outside > goal)
        if not columns.index.size:
            violators = np.union1d(violators, np.flatnonzero(w)) if w.any() else violators
        first = max(tuning.min_columns, int(tuning.first_roots[is_sparse] * math.sqrt(w.size)))
        first = min(tuning.first_columns[is_sparse], first)
        most = max(first, int(tuning.growth[is_sparse] * np.count_nonzero(w)))
        if violators.size > most:
            violators = violators[np.argpartition(outside[violators], -most)[-most:]]
        violators.sort()
        if violators.size:
            columns.add(violators, w)
        return violators.size > 0
