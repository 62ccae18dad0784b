"""A squared error with an elastic penalty: what is known of it without a pass over the rows.

With ``G = X^T S X / n`` and ``q = X^T S y / n`` the slopes at w, the negative gradient of the data
term, are ``q - G w``. Objective, duality gap and scaled residual follow from w and the slopes.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from skgd.kernels.sums import OFF, gram, has_single_gram, single_gram
from skgd.kernels.vectors import mean_product, mean_square
from skgd.objective.duality import ROUNDING, DualPoint, Slack, stored_lengths
from skgd.objective.residual import scale_from

MIN_PIVOT = 0.03  # of a Gram matrix with a diagonal of ones, whose square float32 resolves


def without(G, constant):
    """Return a matrix whose rows and columns for constant columns are set to zero, in place."""
    constant = np.flatnonzero(constant)
    if constant.size:
        G[constant] = 0.0
        G[:, constant] = 0.0
    return G


def smallest_pivot(G):
    """Return the smallest pivot of a matrix scaled to a diagonal of ones; zero for none."""
    root = np.sqrt(np.maximum(G.diagonal(), 0.0))
    root[root == 0.0] = 1.0
    H = G / root / root[:, None]
    H[range(root.size), range(root.size)] = 1.0
    factor, failed = lapack.dpotrf(H.T, lower=0, clean=0, overwrite_a=1)
    return 0.0 if failed else float(factor.diagonal().min(initial=1.0))


class Separable(NamedTuple):
    """What a problem asks of each weight alone: the penalty ``a |w| + b w^2 / 2`` and a bound."""

    l1_strength: np.ndarray  # (m,), a
    l2_strength: np.ndarray  # (m,), b
    floor: np.ndarray  # (m,), the lowest value
    unit: np.ndarray  # (m,), of the scaled residual

    def take(self, kept):
        """Return the same for some of the weights."""
        return Separable(*(values[kept] for values in self))


class Quadratic:
    """A problem with squared error, an elastic penalty, and no parameters but weights.

    Parameters
    ----------
    objective : Objective
    products : tuple or None
        The mean square of y, and the slopes at zero; None where the rows have to tell.

    Attributes
    ----------
    separable : Separable
    l1_strength, l2_strength, floor, unit : ndarray of shape (p,)
        Its fields.
    q, column_squares : ndarray of shape (p,)
        The slopes at zero, and the diagonal of G.
    lengths : ndarray of shape (p,)
        Of the columns, as they are stored.
    target_square : float
        The mean square of y.
    smooth : bool
        Whether the objective has no l1 part and no bounds.
    """

    def __init__(self, objective, products=None):
        if products is None:
            y = objective.y
            products = float(mean_square(objective.weight, y)), objective.rmatvec(y)
        self.column_squares, (self.target_square, self.q) = objective.column_squares, products
        self.lengths, self.l2_strength = stored_lengths(objective), None
        self.set_penalty(objective)

    def set_penalty(self, objective):
        """Take over the penalty of another objective on the same data."""
        before, self.objective = self.l2_strength, objective
        self.l1_strength, self.l2_strength = objective.resolved_strengths
        self.smooth = not (np.count_nonzero(self.l1_strength) or objective.positive)
        if before is None:
            self.floor = np.full(objective.p, 0.0 if objective.positive else -np.inf)
        if before is None or not np.array_equal(before, self.l2_strength):
            self.tau, self.unit, self.rounding = self.scale(self.l2_strength)
        with np.errstate(over="ignore"):  # beyond every weight
            self.threshold = self.tau * self.l1_strength
        self.separable = Separable(self.l1_strength, self.l2_strength, self.floor, self.unit)

    def scale(self, l2_strength):
        """Return the prox step, the unit and the rounding of the scaled residual.

        Parameters
        ----------
        l2_strength : ndarray of shape (..., p)
        """
        objective, squares = self.objective, self.column_squares
        curvature = squares + l2_strength
        if objective.centre is not None:
            squares = squares + objective.centre**2
        share, unit = objective.term.spread_share, math.sqrt(2.0 * objective.null_objective)
        known = squares, self.target_square, share, unit, objective.constant
        return scale_from(curvature, *known)

    @property
    def sparse(self):
        """Whether the rows are sparse."""
        return sparse.issparse(self.objective.X)

    @property
    def allows_single(self):
        """Whether steps may be computed from products in float32."""
        objective = self.objective
        known = objective.X, objective.weight, objective.centre, self.column_squares
        return has_single_gram(*known)

    @property
    def far_from_zero(self):
        """Whether the centre is far from zero beside the lengths of the rows."""
        centre = self.objective.centre
        return centre is not None and centre @ centre >= OFF * self.column_squares.sum()

    def matvec(self, w):
        """Return ``(x_i - centre) . w`` for every row."""
        return self.objective.matvec(w)

    def rmatvec(self, u):
        """Return the weighted mean of ``u_i (x_i - centre)``."""
        return self.objective.rmatvec(u)

    def residual(self, w):
        """Return ``y_i - (x_i - centre) . w`` for every row."""
        z = self.objective.matvec(w)
        return np.subtract(self.objective.y, z, out=z)

    def gram(self):
        """Return G as a dense array, and how exact slopes from it are in the scaled residual."""
        objective, squares = self.objective, self.column_squares
        G, exactness = gram(objective.X, objective.weight, objective.centre, squares)
        return without(G, objective.constant), exactness

    def rough_gram(self):
        """Return G to the digits of float32, where they save time and are enough; else None.

        Slopes from it are not exact, but steps are: they end where the data says.
        """
        objective = self.objective
        if not self.allows_single:
            return None
        G = without(single_gram(objective.X, objective.centre), objective.constant)
        return G if smallest_pivot(G) > MIN_PIVOT else None

    def scaled_residual(self, w, slopes):
        """Return the scaled residual of every weight."""
        gradient = slopes - self.l2_strength * w
        if self.smooth:
            return self.unit * (np.abs(gradient) - self.rounding)
        z = w + self.tau * gradient
        z -= np.maximum(np.minimum(z, self.threshold), -self.threshold)
        if self.objective.positive:
            z = np.maximum(z, self.floor)
        return self.unit * (np.abs(w - z) / self.tau - self.rounding)

    def dual_point(self, w, slopes, residual=None):
        """Return the means of the residual's products, from G where the residual is not known."""
        if residual is None:
            target = self.target_square - self.q @ w
            return DualPoint(target, max(0.0, target - slopes @ w), slopes)
        weight, y = self.objective.weight, self.objective.y
        return DualPoint(mean_product(weight, residual, y), mean_square(weight, residual), slopes)

    def mean_square(self, residual):
        """Return the weighted mean square of a number for each row."""
        return float((self.objective.weight * residual) @ residual) / residual.size

    def slack_at(self, w, value):
        """Return the `Slack` at weights w, where F is ``value``."""
        rounding = self.lengths @ np.abs(w) + math.sqrt(self.target_square)
        return Slack(ROUNDING * rounding * self.lengths, w, value)

    def penalty(self, w):
        """Return the penalty."""
        if self.smooth:
            return float(0.5 * (self.l2_strength @ (w * w)))
        return float(self.l1_strength @ np.abs(w) + 0.5 * (self.l2_strength @ (w * w)))
