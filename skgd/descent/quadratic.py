"""A quadratic data term: what is known of it without another look at the rows.

With ``G = X^T S X / n`` and ``q = X^T S y / n`` the slope at w is ``q - G w``, and value, duality
gap and scaled residual follow from the slope alone.
"""

from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.linalg import blas

from skgd.descent.compiled import undisturbed
from skgd.descent.kernels import survey_of
from skgd.descent.residual import residual_scale

BLOCK = 2**15  # entries of a dense matrix that are worked on together
EXACT = 1e-5  # tolerance below which float32 data is multiplied in float64
OFF = 1e3  # squared centres, over variances, beyond which rows are shifted before products


class Quadratic:
    """A problem with squared error, elastic costs, and no parameters but weights.

    Parameters
    ----------
    objective : Objective
    tol : float
        Of the scaled residual, which decides how exact products must be.

    Attributes
    ----------
    a, b, floor : ndarray of shape (p,)
        The costs of the l1 and l2 parts, and the lowest values.
    q, squares : ndarray of shape (p,)
        The slope at zero, and the diagonal of G.
    square : float
        The mean square of y.
    goal : float
        What the scaled residual has to reach now: ``tol``, or less, where the duality gap asks for
        more.
    """

    def __init__(self, objective, tol):
        self.objective, self.tol, self.goal = objective, tol, tol
        self.square = float(objective.weight @ objective.y**2 / objective.n)
        self.squares, self.q = self._survey()
        self.b = None
        self.turn(objective)

    def turn(self, objective):
        """Turn to other costs on the same data."""
        before, self.objective = self.b, objective
        self.a, self.b = objective.costs
        self.floor = objective.data.floor[: objective.p]
        self.smooth = not self.a.any() and not objective.positive
        objective.column_curvature = self.squares
        if before is None or not np.array_equal(before, self.b):
            self.tau, self.unit, self.rounding = residual_scale(objective)

    @property
    def sparse(self):
        """Whether the rows are sparse."""
        return sparse.issparse(self.objective.X)

    @property
    def exact(self):
        """Whether products are computed in float64."""
        return self.objective.X.dtype == np.float64 or self.goal < EXACT

    @property
    def extreme(self):
        """Whether sums of squares may leave the range of float32."""
        if self.objective.X.dtype != np.float32:
            return False
        return not 1e-30 < self.squares.max(initial=0.0) * self.off * self.objective.n < 1e36

    @property
    def in_range(self):
        """Whether sums of products of the columns are numbers in the type of the data."""
        largest = np.finfo(self.objective.X.dtype).max
        return self.objective.n * float(self.squares.max()) * self.off < 0.1 * largest

    @cached_property
    def off(self):
        """How far the squares of a column are above those about its centre, at most."""
        if self.objective.centre is None:
            return 1.0
        spread = self.squares > 0.0
        return 1.0 + float(
            np.max(self.objective.centre[spread] ** 2 / self.squares[spread], initial=0.0)
        )

    def _survey(self):
        """Return the diagonal of G, and q."""
        objective = self.objective
        X, weight, y, centre = objective.X, objective.weight, objective.y, objective.centre
        if sparse.issparse(X):
            return objective.column_curvature, self.gather(y)
        centre = np.zeros(objective.p) if centre is None else centre
        with undisturbed():
            if X.size <= BLOCK:
                seen = X - centre
                squares, q = weight @ (seen * seen), (weight * y) @ seen
            else:
                squares, q = np.zeros(objective.p), np.zeros(objective.p)
                survey_of()(objective.data.rows.X, weight, weight * y, centre, squares, q)
        if not 1e-290 < squares.max() < np.inf:
            squares = objective.column_curvature * objective.n  # which says what is wrong
        return squares / objective.n, q / objective.n

    def project(self, w):
        """Return ``(x_i - centre) . w`` for every row."""
        objective = self.objective
        if self.sparse or not self.exact or objective.X.dtype == np.float64:
            return objective.project(w)
        z = np.concatenate([block @ w for _, block in self.blocks()])
        return z if objective.centre is None else z - objective.centre @ w

    def gather(self, u):
        """Return the weighted mean of ``u_i (x_i - centre)``."""
        objective = self.objective
        if self.sparse or not self.exact or objective.X.dtype == np.float64:
            return objective.gather(u)
        u = objective.weight * u / objective.n
        g = sum(u[rows] @ block for rows, block in self.blocks())
        return g if objective.centre is None else g - u.sum() * objective.centre

    def blocks(self, shift=None):
        """Yield slices of rows, and the rows in float64, less a shift."""
        X = self.objective.X
        step = max(1, BLOCK // X.shape[1])
        room = np.empty((step, X.shape[1]))
        for start in range(0, X.shape[0], step):
            rows = slice(start, start + step)
            block = room[: len(X[rows])]
            if shift is None:
                block[:] = X[rows]
            else:
                np.subtract(X[rows], shift, out=block)
            yield rows, block

    def gram(self):
        """Return G as a dense array, and how exact slopes from it are in the scaled residual."""
        objective = self.objective
        X, centre, n = objective.X, objective.centre, objective.n
        plain = objective.weight.min() == objective.weight.max() and not self.extreme
        off = self.off
        eps = np.finfo(X.dtype if plain and not self.sparse else float).eps
        if self.sparse:
            G = (X.T @ X.multiply(objective.weight[:, None]).tocsr()).toarray().astype(float)
        elif plain and off < OFF:
            G = X.T @ X
            G = G.astype(float, copy=False)
        else:
            G, root = np.zeros((objective.p, objective.p)), np.sqrt(objective.weight)
            for rows, block in self.blocks(centre):
                block *= root[rows, None]
                G += block.T @ block
            return G / n, 32.0 * np.finfo(float).eps
        G /= n
        if centre is not None:
            G = blas.dger(-1.0, centre, centre, a=G.T, overwrite_a=1).T
        return G, 32.0 * eps * off

    def left(self, w, slopes):
        """Return the scaled residual of every weight, ``slopes`` being those of the data term."""
        a, b = self.a, self.b
        if self.smooth:
            return self.unit * (np.abs(slopes - b * w) - self.rounding)
        z = w + self.tau * (slopes - b * w)
        cost = self.tau * a
        z = z - np.maximum(np.minimum(z, cost), -cost)
        if self.objective.positive:
            z = np.maximum(z, self.floor)
        return self.unit * (np.abs(w - z) / self.tau - self.rounding)

    def measures(self, w, slopes, residual=None):
        """Return the products of the residual with y and with itself, as means."""
        if residual is None:
            target = self.square - self.q @ w
            return target, max(0.0, target - slopes @ w)
        pulled = self.objective.weight * residual / self.objective.n
        return pulled @ self.objective.y, pulled @ residual

    def omega(self, w):
        """Return the penalty."""
        return float(self.a @ np.abs(w) + 0.5 * (self.b @ (w * w)))
