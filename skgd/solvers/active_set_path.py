"""Many alphas by active sets, whose Gram matrix and inverse are kept from alpha to alpha.

At each alpha the weights that are not zero solve linear equations; those that would change their
sign leave, columns whose slopes exceed their bounds enter, until neither is left. The slopes of
all columns, from the data, certify the minimum.

References
----------
Tibshirani et al., "Strong rules for discarding predictors in lasso-type problems" (2012).
"""

import math
from typing import NamedTuple

import numpy as np

from skgd.objective.duality import dual_value
from skgd.solvers.active_inverse import ActiveInverse
from skgd.solvers.columns import DenseColumns
from skgd.solvers.columns import Tuning as ColumnsTuning
from skgd.solvers.coordinate_descent import coordinate_descent


class Tuning(NamedTuple):
    """Constants of a path."""

    inner_tol: float = 0.3  # of the tolerance, to which active sets are solved
    max_rounds: int = 8  # of the equations of one active set
    growth: float = 1.0  # of the changes of an active set in a round, over the fewest before
    halvings: int = 5  # of the way from alpha to alpha, where active sets do not come to rest
    max_passes: int = 20  # over the data for one alpha
    max_columns: int = 4000  # of the working set
    finest_tol: float = 1e-9  # below which rounding decides who enters


TUNING = Tuning()


class MinimaAlong(NamedTuple):
    """The minima for some alphas, where they were reached."""

    coefs: np.ndarray  # (n_alphas, p)
    gaps: np.ndarray  # (n_alphas,)
    n_passes: np.ndarray  # (n_alphas,), int, over the data
    reached: np.ndarray  # (n_alphas,), bool


def minima_along(solver, alphas, max_passes):
    """Minimise for falling alphas, each from the minimum before.

    Parameters
    ----------
    solver : AutoSolver
        Of any alpha that is not zero.
    alphas : ndarray of shape (n_alphas,)
    max_passes : int
        Over the data, for each alpha.

    Returns
    -------
    MinimaAlong
        Up to the first that is not reached; none where sweeps are faster: of sparse rows, and of
        no fewer rows than columns.
    """
    objective, n, tuning = solver.objective, len(alphas), TUNING
    p = objective.p
    found = MinimaAlong(np.zeros((n, p)), np.full(n, np.inf), np.ones(n, int), np.zeros(n, bool))
    if not (objective.term.at_hand and p > objective.n and objective.d == p):
        return found
    problem, goals = solver.problem, (solver.tol, solver.gap_goal)
    if problem.sparse or problem.smooth or solver.tol < tuning.finest_tol:
        return found
    tuning = tuning._replace(max_passes=min(tuning.max_passes, max_passes))
    path = ActiveSetPath(problem, goals, np.zeros(p), tuning)
    for k, alpha in enumerate(alphas):
        if not alpha > 0.0:
            break
        problem.set_penalty(objective.with_alpha(alpha))
        found.gaps[k], found.n_passes[k], found.reached[k] = path.advance()
        if not found.reached[k]:
            break
        found.coefs[k] = path.w
    return found


class ActiveSetPath:
    """A working set of columns, the weights at the last alpha, and the inverse of the active ones.

    Parameters
    ----------
    problem : Quadratic
    goals : tuple of two float
        Of the scaled residual, and of the duality gap.
    w : ndarray of shape (p,)
    tuning : Tuning
    """

    def __init__(self, problem, goals, w, tuning):
        self.problem, self.goals, self.w, self.tuning = problem, goals, w, tuning
        self.columns, self.inverse = DenseColumns(problem, ColumnsTuning()), ActiveInverse()
        self.residual = problem.residual(w) if w.any() else problem.objective.y
        self.slopes = problem.rmatvec(self.residual) if w.any() else problem.q
        self.solved = problem.separable  # the strengths at whose minimum w is

    def advance(self):
        """Go to the minimum of the problem.

        Returns
        -------
        gap : float
        n_passes : int
        reached : bool
        """
        problem, tuning, (tol, gap_goal) = self.problem, self.tuning, self.goals
        share, a, start = tuning.inner_tol, problem.l1_strength, (self.w, self.solved)
        bound = 2.0 * a - self.solved.l1_strength  # the strong rule's
        for n_passes in range(1, tuning.max_passes + 1):
            worst, gap = self._certificate()
            if worst <= tol and gap <= gap_goal:
                return gap, n_passes, True
            share *= 0.1 if worst <= tol else 1.0
            self._enlarge(np.minimum(bound, a))
            bound = a
            if not 0 < self.columns.index.size <= tuning.max_columns:
                break
            self._solve(share * tol, *start)
        return gap, n_passes, False

    def _certificate(self):
        """Return the largest scaled residual, and the duality gap."""
        problem, w, slopes = self.problem, self.w, self.slopes
        point = problem.dual_point(w, slopes, self.residual)
        value = 0.5 * point.square + problem.penalty(w)
        worst = max(0.0, float(problem.scaled_residual(w, slopes).max(initial=0.0)))
        if not math.isfinite(value):
            return math.inf, math.inf
        lower = dual_value(problem.objective, point, problem.slack_at(w, value))
        return worst, max(0.0, value - lower)

    def _enlarge(self, bound):
        """Add the columns whose slopes exceed a bound, and those with a weight."""
        positive = self.problem.objective.positive
        wanted = (self.slopes if positive else np.abs(self.slopes)) > bound
        wanted |= self.w != 0.0
        wanted[self.columns.index] = False
        new = np.flatnonzero(wanted)
        if new.size:
            self.columns.add(new, self.w)

    def _solve(self, tol, start, before):
        """Minimise over the columns of the working set, and compute all slopes from the data."""
        problem, columns = self.problem, self.columns
        v, index = self.w[columns.index], columns.index
        separable = problem.separable.take(index)
        q = self.slopes[index] + columns.gram.product(v)
        if not self._exchange(q, v, separable, tol):
            v = start[index]
            if not self._follow(q, v, before.take(index), separable, tol, self.tuning.halvings):
                self.inverse.forget()
                steps = columns.tuning.coordinate_descent
                coordinate_descent(columns.gram, q, v, separable, tol, steps)
        self.w = np.zeros(self.w.size)
        self.w[index] = v
        self.solved = problem.separable
        self.residual = problem.objective.y - columns.matvec(v)
        self.slopes = problem.rmatvec(self.residual)

    def _follow(self, q, v, before, after, tol, halvings):
        """Go from the minimum for some strengths to that for others by way of those between."""
        if not halvings:
            return False
        middle = after._replace(
            l1_strength=np.sqrt(before.l1_strength * after.l1_strength),
            l2_strength=np.sqrt(before.l2_strength * after.l2_strength),
        )
        for begin, end in ((before, middle), (middle, after)):
            start = v.copy()
            if not self._exchange(q, v, end, tol):
                v[:] = start
                if not self._follow(q, v, begin, end, tol, halvings - 1):
                    return False
        return True

    def _exchange(self, q, v, separable, tol):
        """Solve on active sets, in place, until they last; return whether they do."""
        gram, index, (a, b, floor, unit) = self.columns.gram, self.columns.index, separable
        bounded, moves = (a > 0.0) | (floor == 0.0), gram.diagonal + b > 0.0
        l2, fewest = np.zeros(self.w.size), np.inf
        l2[index] = b
        for k in range(self.tuning.max_rounds):
            slopes = q - gram.product(v)
            sizes = np.where(floor == 0.0, slopes, np.abs(slopes))
            enters = (v == 0.0) & (unit * (sizes - a) > tol) & moves
            if k == 0 and v.any():
                enters[:] = False
            signs = np.where(enters, np.sign(slopes), np.sign(v))
            active = np.flatnonzero(signs)
            if not active.size:  # zeros are the minimum
                return True
            g = (slopes - b * v - a * signs)[active]
            if max(0.0, (unit[active] * np.abs(g)).max(initial=0.0)) <= tol and k:
                return True
            if not self.inverse.set_columns(gram, index, active, l2):
                return False
            step = self._step(g, active, l2, 0.3 * tol / unit[active].max())
            if step is None:
                return False
            moved = v[active] + step
            leaves = bounded[active] & (moved * signs[active] <= 0.0)
            moved[leaves] = 0.0
            v[active] = moved
            n_changes = np.count_nonzero(leaves) + np.count_nonzero(enters)
            if k and n_changes > self.tuning.growth * fewest + 2:
                return False
            fewest = min(fewest, n_changes) if k else np.inf
        return False

    def _step(self, g, active, l2, tol):
        """Return the step over active columns that solves their equations; None for none."""
        slots, index = self.inverse.slots, self.columns.index
        used = np.flatnonzero(slots >= 0)
        places, columns = used[np.argsort(slots[used])], np.argsort(index[active])
        right, near = np.zeros(slots.size), np.zeros(slots.size)
        right[places] = g[columns]
        near[used] = l2[slots[used]]
        z = self.inverse.solve(right, near, tol)
        if z is None:
            return None
        step = np.empty(active.size)
        step[columns] = z[places]
        return step
