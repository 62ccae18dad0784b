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
        w, q = self.iterate.copy(), self.problem.q
        for k in range(ROUNDS):
            if not self.running:
                break
            w = self._minimum(w, q)
            slopes = q - self.gram.product(w)
            if k or self.tol < EXACT:
                loss, g = self.objective.term.value_and_gradient(w)
                slopes = np.where(self.objective.constant, 0.0, -g)
                self._record(w, slopes, 2.0 * loss)
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

    def _record(self, w, slopes, square=None):
        """Record a point and its slopes; ``square`` is that of the rows' residual."""
        problem = self.problem
        violations, penalty = problem.scaled_residual(w, slopes), problem.penalty(w)
        point = problem.dual_point(w, slopes)
        if square is not None:
            point = DualPoint(square + slopes @ w, square, slopes)
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


def _least(G, b, q):
    """Return the solution of ``(G + B) w = q``; the shortest, scaled, where it is not unique."""
    root = np.sqrt(G.diagonal() + b)
    root[root == 0.0] = 1.0
    H = G / root / root[:, None]
    H[range(b.size), range(b.size)] += b / root**2
    factor, failed = lapack.dpotrf(H, lower=1)
    if not failed and factor.diagonal().min(initial=1.0) >= MIN_PIVOT:
        return lapack.dpotrs(factor, q / root, lower=1)[0] / root
    values, vectors = np.linalg.eigh(H)
    kept = values > b.size * np.finfo(float).eps * values[-1]
    vectors = vectors[:, kept]
    return vectors @ ((vectors.T @ (q / root)) / values[kept]) / root
