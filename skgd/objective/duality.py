"""Lower bounds of the least value of a squared error with elastic costs, by duality.

With costs ``a |w| + b w^2 / 2`` every vector v over the rows gives the lower bound
``mean(v y) - mean(v^2) / 2 - sum (|X^T S v / n| - a)_+^2 / (2 b)``, where b = 0 asks that no slope
``X^T S v / n`` exceeds a, and an intercept that v has mean zero. `dual_value` tries multiples of a
residual; `improved_bound` first projects it, so that the slopes of unpenalised columns vanish and
those of columns in use are what they are at the minimum.

References
----------
Kim et al., "An interior-point method for large-scale l1-regularized least squares" (2007);
Massias, Gramfort and Salmon, "Celer: a fast solver for the lasso with dual extrapolation" (2018).
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse.linalg import LinearOperator, lsmr

from skgd.objective.least_squares import newton_step, triangle

EPS = np.finfo(float).eps
HUGE = 1e150  # a share whose products are numbers


class Tuning(NamedTuple):
    """How much a better bound may cost."""

    flops: float = 1e9  # multiply-adds of a factor of the columns in use: about 0.1 s
    rounds: int = 4  # in which columns join those whose slopes are set
    products: int = 1000  # with the data, where unpenalised columns are too many for a factor


TUNING = Tuning()


class Slack(NamedTuple):
    """By how much slopes may exceed their bounds, as rounding makes them, and what that costs.

    A slope beyond its bound lowers the dual value by its excess times the size of the weight at
    the minimum. There ``sum a |w|`` is at most F at any point; of weights that are not penalised,
    those at hand are taken.
    """

    rounding: np.ndarray  # (p,)
    weights: np.ndarray  # (p,), at hand
    objective: float  # F there

    def cost(self, slopes, strengths):
        """Return what the excess of slopes over their bounds costs, where there are bounds."""
        a, sizes, hard = strengths[0], np.abs(slopes), strengths[1] == 0.0
        largest = np.abs(self.weights).max(initial=0.0) or 1.0
        told = (a > 0.0) & (a * largest >= EPS * self.objective)  # what a weight costs is seen
        bounded, free = hard & told, hard & ~told
        with np.errstate(over="ignore"):
            excess = np.minimum(sizes[bounded] / a[bounded] - 1.0, HUGE).max(initial=0.0)
        return excess * self.objective + abs(slopes[free] @ self.weights[free])


def dual_value(target, square, slopes, strengths, positive, slack):
    """Return the dual objective at the best multiple c of a residual that is tried.

    Parameters
    ----------
    target, square : float
        The means of the residual's products with y and with itself.
    slopes : ndarray of shape (p,)
    costs : (ndarray of shape (p,), ndarray of shape (p,))
        a and b.
    positive : bool
        Whether weights are not negative, and slopes may be.
    slack : Slack
    """
    if square == 0.0:
        return 0.0
    (a, b), rounding = strengths, slack.rounding
    slopes = np.maximum(slopes, 0.0) if positive else slopes
    sizes, soft = np.abs(slopes), b > 0.0
    steep = sizes > 0.0
    reach = (a + rounding)[steep] / np.maximum(sizes, rounding)[steep]
    inside = reach.min(initial=np.inf)
    feasible = reach[~soft[steep]].min(initial=np.inf) if soft.any() else inside
    ends = [(0.0 if positive else -end, end) for end in (inside, feasible)]
    candidates = {max(low, min(c, end)) for c in (target / square, 1.0) for low, end in ends}

    def dual(c):
        value, excess = c * target - 0.5 * c**2 * square, np.maximum(abs(c) * sizes - a, 0.0)
        value -= 0.5 * (excess[soft] ** 2 / b[soft]).sum()
        return value - slack.cost(c * slopes, strengths)

    return max(map(dual, candidates))


def improved_bound(objective, residual, y, slopes, slack, tuning=TUNING):
    """Return a lower bound from what is left of a residual when some columns explain their part.

    These are first the unpenalised columns, then the columns in use, by a Newton step: those with
    a weight and those whose slope is beyond its cost. Where that sends other slopes beyond their
    costs, their columns join.

    Parameters
    ----------
    objective : Objective
    residual, y : ndarray of shape (n,)
        With mean zero where there is an intercept.
    slopes : ndarray of shape (p,)
    slack : Slack
    tuning : Tuning

    Returns
    -------
    float
        At least zero.
    """
    (a, b), weight, n, best = objective.resolved_strengths, objective.weight, objective.n, 0.0
    w = slack.weights
    signs = np.where(w != 0.0, np.sign(w), np.sign(slopes))
    used = (w != 0.0) | (_size(slopes, objective.positive) > a)
    unpenalised = used & (a == 0.0) & (b == 0.0)
    first = [unpenalised] if unpenalised.any() and (unpenalised != used).any() else []
    for columns in (*first, *[used] * tuning.rounds):
        v = _unexplained(objective, np.flatnonzero(columns), w, residual, signs, tuning)
        if v is None:
            break
        g = objective.rmatvec(v)
        point = weight @ (v * y) / n, weight @ (v * v) / n, g
        best = max(best, dual_value(*point, (a, b), objective.positive, slack))
        joining = (_size(g, objective.positive) > a + slack.rounding) & ~used
        if columns is used and not joining.any():
            break
        used |= joining & (columns is used)
        signs = np.where(joining, np.sign(g), signs)
    return best


def _size(slopes, positive):
    return slopes if positive else np.abs(slopes)


def _unexplained(objective, columns, w, residual, signs, tuning):
    """Return what a Newton step over some columns leaves of a residual; None if that is dear."""
    (a, b), move, constant = (
        objective.resolved_strengths,
        np.zeros(w.size),
        objective.d > objective.p,
    )
    if objective.n * columns.size**2 <= tuning.flops:
        centre = objective.column_means if constant else objective.centre
        R = triangle(objective.X, objective.weight, centre, residual, columns)
        strengths = a[columns], b[columns]
        move[columns] = newton_step(R, w[columns], strengths, signs[columns])
    elif (a[columns] == 0.0).all() and (b[columns] == 0.0).all():
        move[columns] = _explained(objective, columns, residual, constant, tuning.products)
    else:
        return None
    v = residual - objective.matvec(move)
    return v - objective.weight @ v / v.size if constant else v


def _explained(objective, columns, residual, constant, products):
    """Return the least squares fit of a residual by columns too many for a factor, by LSMR."""
    root = np.sqrt(objective.weight / objective.n)

    def predict(v):
        z = np.zeros(objective.p)
        z[columns] = v.ravel()
        z = objective.matvec(z)
        return root * (z - objective.weight @ z / z.size * constant)

    def rmatvec(u):
        u = np.divide(u.ravel(), root, np.zeros(u.size), where=root > 0.0)
        return objective.rmatvec(u - objective.weight @ u / u.size * constant)[columns]

    shape = objective.n, columns.size
    A = LinearOperator(shape, matvec=predict, rmatvec=rmatvec, dtype=float)
    return lsmr(A, root * residual, atol=1e-15, btol=1e-15, conlim=0.0, maxiter=products)[0]
