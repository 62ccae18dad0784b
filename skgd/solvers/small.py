"""Small dense problems with a squared error: from the products of the columns to the minimum.

A fit to a hundred rows takes less time than the calls of the general solver. Here it is one
product of the columns, one factor or some sweeps, and one certificate. What that does not
certify is left to the general solver.
"""

import math

import numpy as np
from scipy.linalg import lapack

from skgd.descent.minimizer import Minimizer
from skgd.descent.outcome import Outcome
from skgd.descent.record import Record
from skgd.kernels.compiling import compiled_code
from skgd.kernels.rows import are_even
from skgd.solvers.auto import TUNING
from skgd.solvers.coordinate_descent import coordinate_descent
from skgd.solvers.gram import DenseGram
from skgd.solvers.quadratic import Separable
from skgd.solvers.small_loops import (
    CENTRE,
    L1,
    L2,
    LOWER,
    N_FIGURES,
    N_ROWS,
    RESIDUAL,
    SLOPES,
    UNIT,
    VALUE,
    build_loops,
)

MOST_ENTRIES = 2**20  # of X
MOST_FLOPS = 2e8  # multiply-adds of the products: some milliseconds
MOST_COLUMNS = 512  # of a factor, where rows are twice as many
MOST_SWEPT = 128  # columns, where rows are half as many
FINEST_TOL = 1e-9  # to which products of the columns lead without the rows
TIGHTENING = 1.0, 0.01  # of the tolerance of sweeps; the second where the gap is too large
CONSTANT = 1e-20  # of the mean square of y, below which its variance is rounding


def is_small(shape, smooth):
    """Whether the products of all columns are the fastest way to the minimum.

    Parameters
    ----------
    shape : tuple of int
        Of X.
    smooth : bool
        Whether there is no l1 part and no bounds.
    """
    n, p = shape
    most = min(MOST_COLUMNS, n // 2) if smooth else 0
    is_cheap = n * p <= MOST_ENTRIES and n * p * p <= MOST_FLOPS
    return is_cheap and p <= max(most, min(MOST_SWEPT, 2 * n))


class SmallSolver(Minimizer):
    """A run of one epoch, which ends at the minimum, or nowhere.

    Parameters
    ----------
    X : ndarray of shape (n, p), float64
    y, weight : ndarray of shape (n,), float64
        Targets, and the weights of the rows with mean one.
    strengths : tuple of float
        Of the l1 and of the l2 part of the penalty, not both zero.
    intercept, positive : bool
    tol : float
        As in `AutoSolver`.

    Attributes
    ----------
    centre : ndarray of shape (p,)
        What the columns are seen from.
    level : float
        What y is seen from.
    gap : float
        The duality gap.
    """

    objective, n_updates, learning_rate, update_rule = None, 1, math.nan, None

    def __init__(self, X, y, weight, strengths, intercept, positive, tol):
        self.record, self.tol, self._rows = Record(), tol, (X, y, weight)
        self._room, self.iterate = np.empty((N_ROWS, X.shape[1])), np.zeros(X.shape[1])
        lowest = 0.0 if positive else -np.inf
        self._setting = np.array([len(y), intercept, *strengths, lowest, 0.0])
        self.centre = self._room[CENTRE]

    def minimize(self, n_epochs, monitor=None):
        """Go to the minimum on the products."""
        with compiled_code():
            G, q, sums, square = self._products()
            self._setting[-1], n = square, self._setting[0]
            self._gap_goal = 0.5 * TUNING.gap * max(self.tol, TUNING.finest_tol) * square
            describe_columns, self._judge = build_loops()
            told = square > CONSTANT * self.level**2
            if told and describe_columns(G.diagonal(), sums, self._setting, self._room):
                G /= n
                G -= self.centre[:, None] * self.centre
                q /= n
                if not self._arrives(q, q):
                    self._step(G, q)
        return self.outcome

    def show(self, monitor):
        """Call a monitor, if there is one."""
        if monitor is not None:
            monitor(self)

    def drop_data(self):
        """Do nothing: no data are kept."""

    def _products(self):
        """Return the products of columns, those with y, the sums of columns, and y's square."""
        (X, y, weight), self._rows = self._rows, None
        n, intercept = len(y), self._setting[1]
        if are_even(weight):
            self.level = float(y.sum()) / n if intercept else 0.0
            y = y - self.level
            return X.T @ X, y @ X, np.ones(n) @ X, float(y @ y) / n
        self.level = float(weight @ y) / n if intercept else 0.0
        weighted, rows = weight * (y - self.level), np.sqrt(weight)[:, None] * X
        square = float(weighted @ (y - self.level)) / n
        return rows.T @ rows, weighted @ X, weight @ X, square

    def _arrives(self, q, slopes):
        """Return whether the point is certified; record the start and the end, if there is one."""
        figures, self._room[SLOPES] = np.empty(N_FIGURES), slopes
        self._judge(q, self.iterate, self._setting, self._room, figures)
        *column, bound = figures.tolist()
        self.gap = max(0.0, column[VALUE] - bound)
        arrived = column[RESIDUAL] <= self.tol and self.gap <= self._gap_goal
        if arrived or self.record.last is None:
            self.record.append(column)
        if not arrived:
            return False
        self.outcome = Outcome.CONVERGED
        if not self.record.n_epochs:
            self.record.append(column)
        return True

    def _step(self, G, q):
        """Go to the minimum by a factor, or by coordinate descent."""
        room = self._room
        if room[L1, 0] or room[LOWER, 0] == 0.0:
            separable = Separable(room[L1], room[L2], room[LOWER], room[UNIT])
            tol = TUNING.working_set.full_tol * self.tol
            for tightening in TIGHTENING:
                goal, gram = tightening * tol, DenseGram(G)
                slopes = coordinate_descent(gram, q, self.iterate, separable, goal)
                if self._arrives(q, slopes):
                    return
        else:
            H = G.copy()
            H.ravel()[:: len(q) + 1] += room[L2]
            _, self.iterate, failed = lapack.dposv(H.T, q, lower=1, overwrite_a=1)
            if failed:
                return
            self._arrives(q, q - G @ self.iterate)
