"""The direct solver of rows in pieces: on the products of the columns, which one reading gives."""

import math

import numpy as np
from scipy.linalg import lapack

from skgd.descent.outcome import Outcome
from skgd.objective.duality import Certificate, DualPoint, dual_value
from skgd.solvers.auto import TUNING
from skgd.solvers.coordinate_descent import coordinate_descent
from skgd.solvers.direct import DirectSolver
from skgd.solvers.gram import DenseGram
from skgd.solvers.quadratic import Quadratic

GAP = 1e-2  # of tol: the duality gap to be reached, over the best constant's objective
FINEST_TOL = 1e-8  # below which the gap is left to rounding
EXACT = 1e-10  # of the scaled residual: what the products know of slopes beside those of the rows
INNER = 0.003  # of the goal, to which the problem of the products is solved
MIN_PIVOT = 1e-6  # of a matrix with a diagonal of ones, whose square is near rounding
FAR = 1e6  # squared mean of a column over its variance, from which it is seen from its mean
ROUNDS = 10  # of a minimum on the products, and the slopes of the rows there


class ProductsSolver(DirectSolver):
    """Minimises a squared error on the products of the columns.

    Where the goal is finer than what the products know, the slopes of the rows lead to what is
    left, one reading each.

    Parameters
    ----------
    objective, tol, fallback, start
        As in `DirectSolver`; the term of the objective has products.
    for_path : bool
        Whether other alphas follow, which is of no account.
    """

    tuning = TUNING

    def __init__(self, objective, tol, fallback, start=None, for_path=False):
        super().__init__(objective, tol, fallback, start)
        term = objective.term
        known = float(term.target_square), term.slopes_at_zero()
        self.problem, self.gram = Quadratic(objective, known), DenseGram(term.gram())
        self.gap_goal = GAP * max(tol, FINEST_TOL) * objective.null_objective
        self.certificate = Certificate(None, math.inf, 0.0)

    def exact_gram(self):
        """Return the Gram matrix of all columns."""
        return self.gram

    def set_alpha(self, alpha, start=None):
        """Begin anew for another alpha, at the iterate or a start."""
        self.iterate = self.iterate if start is None else start.copy()
        self.objective = self.objective.with_alpha(alpha)
        self.problem.set_penalty(self.objective)
        self.certificate, self.slopes = Certificate(None, math.inf, 0.0), None
        self.begin_record()

    def record_start(self):
        """Record the start, with the slopes that the products know there."""
        self.slopes = self.problem.q - self.gram.product(self.iterate)
        self._record(self.iterate, self.slopes)

    def solve(self):
        w, q, slopes = self.iterate.copy(), self.problem.q, self.slopes
        is_far = self._is_far()
        for k in range(ROUNDS):
            if not self.running:
                break
            if is_far and k % 2:
                w = self._moved(w, slopes)
            else:
                w = self._minimum(w, q)
                w = self._seen_from_means(w) if is_far else w
            slopes = q - self.gram.product(w)
            if k or is_far or self.tol < EXACT:
                slopes, point = self._point_of_rows(w, is_far)
                self._record(w, slopes, point)
                q = slopes + self.gram.product(w)
            else:
                self._record(w, slopes)

    def _minimum(self, w, q):
        """Return the minimum on the products, whose slopes at zero are q."""
        problem = self.problem
        if not problem.smooth:
            w = w.copy()
            tol = INNER * self.tol
            coordinate_descent(self.gram, q, w, problem.separable, tol)
            return w
        return _least(self.gram.G, problem.l2_strength, q)

    def _is_far(self):
        """Whether products seen from zero know little of the spread of the columns."""
        term = self.objective.term
        means = term.column_means**2 if term.centre is None else np.zeros(term.p)
        return bool((means > FAR * np.diagonal(term.facts.G)).any())

    def _seen_from_means(self, w):
        """Return the minimum with the signs of w, by products that are seen from the means.

        Weights whose signs would change are left out.
        """
        term, facts = self.objective.term, self.objective.term.facts
        level = facts.levels[term.target] - term.offset
        for _ in range(w.size + 1):
            z = self._with_signs(w, facts.q[term.target], level)
            if z is None:
                return w
            kept = self._in_bounds(z, w)
            if np.array_equal(kept, z):
                return z
            w = np.where(kept == z, w, 0.0)
        return w

    def _moved(self, w, slopes):
        """Return the minimum with the signs of w, by the slopes of the rows there."""
        move = self._with_signs(w, slopes - self.problem.l2_strength * w, 0.0)
        return w if move is None else self._in_bounds(w + move, w)

    def _in_bounds(self, z, w):
        """Return z with zeros for bounded weights that have not the signs of w."""
        bounded = np.ones(w.size, dtype=bool)
        bounded[self._free(np.zeros(w.size))] = False
        return np.where(bounded & (z * w <= 0.0), 0.0, z)

    def _with_signs(self, w, r, level):
        """Return the solution of ``(C + m m^T + B) z = r + level m - a sign(w)``, or None.

        C are the products seen from the means m. Weights that an l1 part or a bound keeps at zero
        stay there.
        """
        term, (a, b), free = self.objective.term, self.objective.elastic_strengths, self._free(w)
        m, r = term.column_means[free], (r - a * np.sign(w))[free]
        found = _solutions(term.facts.G[np.ix_(free, free)], b[free], np.stack([r, m]))
        if found is None:
            return None
        z = np.zeros(w.size)
        z[free] = found[0] - found[1] * ((m @ found[0] - level) / (1.0 + m @ found[1]))
        return z

    def _point_of_rows(self, w, is_far):
        """Return the slopes of the rows, and what their residual tells of the dual.

        Far from zero the constant is taken off the residual by which rounding moves all slopes
        along the means.
        """
        term, b = self.objective.term, self.problem.l2_strength
        loss, g = term.value_and_gradient(w)
        slopes, square = np.where(self.objective.constant, 0.0, -g), 2.0 * loss
        if not is_far:
            return slopes, DualPoint(square + slopes @ w, square, slopes)
        a, m, free = self.objective.elastic_strengths[0], term.column_means, self._free(w)
        rest = (slopes - b * w - a * np.sign(w))[free]
        c = float(m[free] @ rest) / (float(m[free] @ m[free]) or 1.0)
        mean = term.facts.levels[term.target] - term.offset - m @ w
        slopes, square = slopes - c * m, square - 2.0 * c * mean + c * c
        return slopes, DualPoint(square + slopes @ w + c * (mean - c), square, slopes)

    def _free(self, w):
        """Return the weights that no l1 part and no bound keeps at zero."""
        bounded = (self.objective.elastic_strengths[0] > 0.0) | self.objective.positive
        return np.flatnonzero((w != 0.0) | ~bounded)

    def _record(self, w, slopes, point=None):
        """Record a point and its slopes, with what the rows tell of the dual."""
        problem = self.problem
        violations, penalty = problem.scaled_residual(w, slopes), problem.penalty(w)
        point = point or problem.dual_point(w, slopes)
        gradient, step = slopes - problem.l2_strength * w, w - self.iterate
        value, worst = 0.5 * point.square + penalty, max(0.0, float(violations.max(initial=0.0)))
        bound = dual_value(self.objective, point, problem.slack_at(w, value))
        bound = max(bound, self.certificate.lower_bound)
        self.certificate = Certificate(w.copy(), value, bound, slopes)
        if not math.isfinite(value):
            self.outcome = Outcome.NONFINITE
        elif worst <= self.tol and self.certificate.gap <= self.gap_goal:
            self.stop(Outcome.CONVERGED)
        norms = math.sqrt(gradient @ gradient), math.sqrt(step @ step)
        self.append(w, value, worst, penalty, *norms)
        self.slopes = slopes

    def drop_data(self):
        """Drop the data, so that what remains is small and can be stored."""
        self.objective = self.slopes = self.problem = self.gram = self._monitor = None


def _factor(G, b):
    """Return the roots that scale ``G + B``, the scaled one, and its factor.

    The factor is None where that is near singular.
    """
    root = np.sqrt(G.diagonal() + b)
    root[root == 0.0] = 1.0
    H = G / root / root[:, None]
    H[range(b.size), range(b.size)] += b / root**2
    factor, failed = lapack.dpotrf(H, lower=1)
    singular = failed or factor.diagonal().min(initial=1.0) < MIN_PIVOT
    return root, H, None if singular else factor


def _solutions(G, b, right):
    """Return the solutions of ``(G + B) w = r`` for some r; None where it is near singular."""
    root, _, factor = _factor(G, b)
    if factor is None:
        return None
    return (lapack.dpotrs(factor, (right / root).T, lower=1)[0].T) / root


def _least(G, b, q):
    """Return the solution of ``(G + B) w = q``; the shortest, scaled, where it is not unique."""
    root, H, factor = _factor(G, b)
    if factor is not None:
        return lapack.dpotrs(factor, q / root, lower=1)[0] / root
    values, vectors = np.linalg.eigh(H)
    kept = values > b.size * np.finfo(float).eps * values[-1]
    vectors = vectors[:, kept]
    return vectors @ ((vectors.T @ (q / root)) / values[kept]) / root
