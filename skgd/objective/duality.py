"""Lower bounds of the minimum of a squared error with an elastic penalty, by duality.

With the penalty ``a |w| + b w^2 / 2`` every vector v over the rows gives the lower bound
``mean(v y) - mean(v^2) / 2 - sum (|X^T S v / n| - a)_+^2 / (2 b)``, where b = 0 asks that no slope
``X^T S v / n`` exceeds a, and an intercept that v has mean zero. `dual_value` tries multiples of a
residual; `improved_bound` first projects it, so that slopes are what they are at the minimum.

References
----------
Kim et al., "An interior-point method for large-scale l1-regularized least squares" (2007);
Massias, Gramfort and Salmon, "Celer: a fast solver for the lasso with dual extrapolation" (2018).
"""

import math
from typing import NamedTuple

import numpy as np

from skgd.kernels.vectors import mean_product, mean_square
from skgd.objective.least_squares import unexplained
from skgd.objective.product_bound import point_at_minimum

EPS, TINY = np.finfo(float).eps, np.finfo(float).tiny
ROUNDING = 8.0 * EPS  # of the length of a column times that of the terms of the residual
NEAR = 0.01  # of the gap: the second order of a change of F that needs no new reading
MAX_MULTIPLE = 1e150  # of a residual, whose square is a number


class Tuning(NamedTuple):
    """How much a better bound may cost. Worked out, not measured."""

    flops: float = 1e9  # multiply-adds of a factor of the active columns: about 0.1 s
    rounds: int = 4  # in which columns join those whose slopes are set
    products: int = 1000  # with the data, where unpenalised columns are too many for a factor
    negligible_gap: float = 1e-6  # of the best constant's objective: not worth another factor


TUNING = Tuning()


class Certificate(NamedTuple):
    """What proves how far a point can be from the minimum."""

    theta: np.ndarray | None  # (d,), None for no point
    value: float  # F there
    lower_bound: float  # of F everywhere
    slopes: np.ndarray | None = None  # (d,), the negative gradient of the data term, if known

    @property
    def gap(self):
        """How far F at the point can be above its minimum."""
        return max(0.0, self.value - self.lower_bound)


class DualPoint(NamedTuple):
    """What the dual objective needs to know of a residual: means of its products."""

    target: float  # with y
    square: float  # with itself
    slopes: np.ndarray  # (p,), with the columns


class Slack(NamedTuple):
    """By how much rounding lets slopes exceed their bounds, and what the excess costs.

    A slope beyond its bound lowers the dual value by its excess times the size of the weight at
    the minimum. There ``sum a |w|`` is at most F at any point; of weights that are not penalised,
    those at hand are taken.
    """

    rounding: np.ndarray  # (p,)
    weights: np.ndarray  # (p,), at hand
    objective: float  # F there

    def cost(self, slopes, strengths):
        """Return what the excess of slopes over their bounds costs, for each row of slopes."""
        a, b = strengths
        n_hard = b.size - np.count_nonzero(b)  # in a tenth of the time of b.any()
        if not n_hard:
            return 0.0
        largest = np.abs(self.weights).max(initial=0.0) or 1.0
        bounded = (a > 0.0) & (a * largest >= EPS * self.objective)  # a weight changes F
        bounded &= b == 0.0
        with np.errstate(over="ignore"):
            ratio = np.divide(np.abs(slopes), a, np.zeros(slopes.shape), where=bounded)
        excess = ratio.max(axis=-1) - 1.0
        cost = np.minimum(np.maximum(excess, 0.0), MAX_MULTIPLE) * self.objective
        if np.count_nonzero(bounded) < n_hard:
            free = ~bounded & (b == 0.0)
            cost = cost + np.abs(slopes[..., free] @ self.weights[free])
        return cost


def stored_lengths(objective):
    """Return the lengths of the columns, as they are stored."""
    centre = 0.0 if objective.centre is None else objective.centre
    return np.sqrt(objective.column_squares + centre**2)


def slack_at(objective, w, value):
    """Return the slack at weights w, where F is ``value``."""
    lengths = stored_lengths(objective)
    target_length = math.sqrt(objective.term.target_square)
    return Slack(ROUNDING * lengths * (target_length + lengths @ np.abs(w)), w, value)


def certify(objective, theta, known=None, tuning=TUNING):
    """Return the certificate of a point.

    At the rounding of a point whose slopes are known, F follows from these, up to a bound of its
    second order, without a reading of the data. Elsewhere the lower bound is the best of the one
    that is known, that of the residual at the point, scaled into the dual's feasible set, and,
    where these leave a gap that is not negligible, that of the residual at the minimum, which
    products of columns tell, or that of `improved_bound`.

    Parameters
    ----------
    objective : Objective
        With a squared error and an elastic penalty.
    theta : ndarray of shape (d,)
    known : Certificate or None
        Of another point.
    tuning : Tuning
    """
    bound = 0.0 if known is None else known.lower_bound
    negligible = tuning.negligible_gap * objective.null_objective
    if known is not None and known.slopes is not None and _is_rounded(theta, known.theta):
        move = theta - known.theta
        length = np.sqrt(objective.column_squares) @ np.abs(move)
        change = objective.penalty_term(theta) - objective.penalty_term(known.theta)
        change += 0.5 * length**2 - known.slopes @ move
        if length**2 <= NEAR * (known.gap + negligible):
            return Certificate(theta, known.value + change, bound)
    residual = level = None
    if objective.term.far and objective.term.at_hand:
        residual, level = _centred_residual(objective, theta)
        value = objective.value(theta)
        point = _dual_point(objective, residual, level)
    else:
        value, point = _in_one_reading(objective, theta)
    if value - bound <= negligible:
        return Certificate(theta, value, bound)
    slack = slack_at(objective, theta[: objective.p], value)
    bound = max(bound, dual_value(objective, point, slack))
    rest = math.inf
    if value - bound > negligible and residual is None:
        known_bound, rest = _bound_from_products(objective, point, slack)
        bound = max(bound, known_bound)
    wide = objective.term.at_hand and min(value - bound, rest) > negligible
    if wide and _may_be_improved(objective, slack.weights, point, tuning):
        if residual is None:
            residual, level = _centred_residual(objective, theta)
        improved = improved_bound(objective, residual, level, point.slopes, slack, tuning)
        bound = max(bound, improved)
    return Certificate(theta, value, bound)


def _bound_from_products(objective, point, slack):
    """Return the lower bound at the minimum, as products of columns tell it, and the gap there."""
    found = point_at_minimum(objective, slack.weights, point.square, point.slopes)
    if found is None:
        return 0.0, math.inf
    *there, z = found
    (a, b), w, lengths = objective.resolved_strengths, slack.weights + z, stored_lengths(objective)
    rounding = slack.rounding + ROUNDING * lengths * (lengths @ np.abs(z))
    bound = dual_value(objective, DualPoint(*there), slack._replace(rounding=rounding))
    rest = 0.5 * there[1] + a @ np.abs(w) + 0.5 * b @ w**2 - bound
    return (bound, rest) if math.isfinite(rest) else (0.0, math.inf)


def _is_rounded(theta, known):
    """Whether parameters are the rounding of others to float32, in which X has come."""
    with np.errstate(over="ignore"):
        return theta.size == known.size and np.array_equal(theta, known.astype(np.float32))


def _in_one_reading(objective, theta):
    """Return F, and the dual point of the residual less its mean where there is an intercept."""
    p, (loss, g) = objective.p, objective.data_term(theta)
    square, slopes = 2.0 * loss, -g[:p]
    if objective.d > p:
        square, slopes = square - g[p] ** 2, slopes + g[p] * objective.column_means
    slopes[objective.constant] = 0.0
    point = DualPoint(square + slopes @ theta[:p], square, slopes)
    return loss + objective.penalty_term(theta), point


def _centred_residual(objective, theta):
    """Return the residual, less its mean where there is an intercept, and the mean of y there."""
    y, residual = objective.y, objective.predict(theta)
    np.subtract(y, residual, out=residual)
    if objective.d == objective.p:
        return residual, 0.0
    residual -= objective.weight @ residual / y.size
    return residual, objective.weight @ y / y.size


def _dual_point(objective, v, level):
    """Return the dual point of a vector over the rows, with y seen from a level."""
    weight = objective.weight
    target = mean_product(weight, v, objective.y, level)
    return DualPoint(target, mean_square(weight, v), objective.rmatvec(v))


def dual_value(objective, point, slack):
    """Return the dual objective at the best multiple c of a residual that is tried.

    Parameters
    ----------
    objective : Objective
    point : DualPoint
        Of the residual.
    slack : Slack
    """
    (a, b), positive = objective.resolved_strengths, objective.positive
    target, square, slopes = point
    if square == 0.0:
        return 0.0
    slopes = np.maximum(slopes, 0.0) if positive else slopes
    sizes, n_soft, ends = np.abs(slopes), np.count_nonzero(b), {np.inf}
    soft = b > 0.0
    if n_soft < b.size or np.count_nonzero(a):  # else slopes have no bounds
        steepest = np.maximum(np.maximum(sizes, slack.rounding), TINY)
        with np.errstate(over="ignore"):
            reach = np.where(sizes > 0.0, (a + slack.rounding) / steepest, np.inf)
        ends = {float(reach.min(initial=np.inf))}
        if n_soft:
            ends.add(float(np.where(soft, np.inf, reach).min(initial=np.inf)))
    low, wanted = 0.0 if positive else -np.inf, (target / square, 1.0)
    c = np.array([*{max(low, -end, min(v, end)) for v in wanted for end in ends}])
    values, slopes = c * target - 0.5 * c**2 * square, c[:, None] * slopes
    if n_soft:
        excess = np.maximum(np.abs(slopes) - a, 0.0)
        values -= 0.5 * (excess * excess / np.where(soft, b, np.inf)).sum(axis=1)
    return float((values - slack.cost(slopes, (a, b))).max())


def improved_bound(objective, residual, level, slopes, slack, tuning=TUNING):
    """Return a lower bound from what is left of a residual when some columns explain their part.

    These are first the unpenalised columns, then the active columns, by a Newton step: those with
    a weight and those whose slope exceeds a. Where that sends other slopes beyond their bounds,
    their columns join.

    Parameters
    ----------
    objective : Objective
    residual : ndarray of shape (n,)
        With mean zero where there is an intercept.
    level : float
        The mean of y where there is an intercept, else zero.
    slopes : ndarray of shape (p,)
    slack : Slack
    tuning : Tuning

    Returns
    -------
    float
        At least zero.
    """
    a, best, w = objective.resolved_strengths[0], 0.0, slack.weights
    signs = np.where(w != 0.0, np.sign(w), np.sign(slopes))
    *first, active = _explaining(objective, w, slopes)
    for columns in (*first, *[active] * tuning.rounds):
        v = unexplained(objective, np.flatnonzero(columns), w, residual, signs, tuning)
        if v is None:
            break
        point = _dual_point(objective, v, level)
        best, g = max(best, dual_value(objective, point, slack)), point.slopes
        joining = (_size(g, objective.positive) > a + slack.rounding) & ~active
        if columns is active and not joining.any():
            break
        active |= joining & (columns is active)
        signs = np.where(joining, np.sign(g), signs)
    return best


def _explaining(objective, w, slopes):
    """Return which columns explain their part of a residual: some at first, and then all."""
    a, b = objective.resolved_strengths
    active = (w != 0.0) | (_size(slopes, objective.positive) > a)
    unpenalised = active & (a == 0.0) & (b == 0.0)
    some = unpenalised.any() and (unpenalised != active).any()
    return [unpenalised, active] if some else [active]


def _may_be_improved(objective, w, point, tuning):
    """Whether the columns that explain their part first are not too many."""
    (a, b), columns = objective.resolved_strengths, _explaining(objective, w, point.slopes)[0]
    few = objective.n * np.count_nonzero(columns) ** 2 <= tuning.flops
    return few or not (a[columns].any() or b[columns].any())


def _size(slopes, positive):
    return slopes if positive else np.abs(slopes)
