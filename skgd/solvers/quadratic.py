"""A quadratic data term: what is known of it without another look at the rows.

With ``G = X^T S X / n`` and ``q = X^T S y / n`` the slope at w is ``q - G w``, and value, duality
gap and scaled residual follow from the slope alone.
"""

import numpy as np
from scipy import sparse

from skgd.kernels.sums import OFF, gram
from skgd.objective.residual import residual_scale


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
        self.squares, self.q = objective.column_squares, objective.rmatvec(objective.y)
        self.l2_strength = None
        self.set_penalty(objective)

    def set_penalty(self, objective):
        """Turn to other costs on the same data."""
        before, self.objective = self.l2_strength, objective
        self.l1_strength, self.l2_strength = objective.resolved_strengths
        self.floor = np.full(objective.p, 0.0 if objective.positive else -np.inf)
        self.smooth = not self.l1_strength.any() and not objective.positive
        if before is None or not np.array_equal(before, self.l2_strength):
            self.tau, self.unit, self.rounding = residual_scale(objective)

    @property
    def sparse(self):
        """Whether the rows are sparse."""
        return sparse.issparse(self.objective.X)

    @property
    def far(self):
        """Whether the centre is far from the origin beside the lengths of the rows."""
        centre = self.objective.centre
        return centre is not None and centre @ centre >= OFF * self.squares.sum()

    def matvec(self, w):
        """Return ``(x_i - centre) . w`` for every row."""
        return self.objective.matvec(w)

    def rmatvec(self, u):
        """Return the weighted mean of ``u_i (x_i - centre)``."""
        return self.objective.rmatvec(u)

    def gram(self):
        """Return G as a dense array, and how exact slopes from it are in the scaled residual."""
        objective = self.objective
        G, exactness = gram(objective.X, objective.weight, objective.centre, self.squares)
        G[objective.constant] = 0.0
        G[:, objective.constant] = 0.0
        return G, exactness

    def scaled_residual(self, w, slopes):
        """Return the scaled residual of every weight, ``slopes`` being those of the data term."""
        a, b = self.l1_strength, self.l2_strength
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
        return float(self.l1_strength @ np.abs(w) + 0.5 * (self.l2_strength @ (w * w)))
