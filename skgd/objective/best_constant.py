"""What a constant prediction can do: where an intercept starts, and the unit of all gains."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import optimize

from skgd.kernels.loss_kernels import mean_loss_terms
from skgd.kernels.rows import are_even
from skgd.kernels.vectors import mean_square
from skgd.objective.line_pieces import LinePieces

ROUNDING = 1e-15  # of the root mean square of y, up to which its spread is none
NEGLIGIBLE = 1e-9  # of the level: a Newton step, after which the error is of its square
NEWTON_STEPS = 10
MOST_SORTED = 100_000  # targets
DOUBLINGS = 60  # of the range that the best constant is sought in


class ConstantFit(NamedTuple):
    """The best constant prediction.

    Attributes
    ----------
    level : float
        The constant, in the unit of f; 0 where none can be fitted.
    unit : float
        What a fit can gain, which is positive: the mean loss of that constant. Where y is constant
        and nothing is left, what that constant gains on a prediction of zero, and no more than
        its slope there promises; and one where that is nothing either.
    loss : float
        The mean loss of the constant.
    """

    level: float
    unit: float
    loss: float


class TargetFacts(NamedTuple):
    """What is known of targets, in the order of the rows or without them.

    Attributes
    ----------
    mean, square, spread : float
        The weighted mean of the targets, their mean square, and that about their mean.
    terms_at : callable
        Returns, for a constant prediction, what `mean_loss_terms` returns.
    values : callable
        Returns the targets of rows that have a weight, or so many that they stand for all.
    """

    mean: float
    square: float
    spread: float
    terms_at: Callable
    values: Callable


def fit_constant(loss, y, weight, fitted=True):
    """Return the constant prediction of least mean loss.

    Parameters
    ----------
    loss : Loss
    y, weight : ndarray of shape (n,)
        Targets, and the weights of the rows with mean one.
    fitted : bool
        Whether there is a constant to fit. Without, it is zero.

    Returns
    -------
    ConstantFit
    """
    mean = weight @ y / y.size
    facts = TargetFacts(
        mean,
        mean_square(weight, y),
        mean_square(weight, y, mean),
        lambda c: mean_loss_terms(loss, c, y, weight),
        lambda: y if are_even(weight) else y[weight > 0.0],
    )
    level = None if loss.quadratic or not fitted else _at_kink(loss, y, weight, mean)
    return best_constant(loss, facts, fitted, level)


def best_constant(loss, facts, fitted=True, level=None):
    """Return the same from what is known of the targets.

    Parameters
    ----------
    loss : Loss
    facts : TargetFacts
    fitted : bool
    level : float or None
        The best constant, where it is known.
    """
    mean, square, spread, terms_at, values = facts
    constant, left = fitted and not spread > ROUNDING**2 * square, None
    if loss.quadratic:
        left, blank = 0.5 * (spread if fitted else square), 0.5 * square
        return ConstantFit(mean if fitted else 0.0, _unit(0.0 if constant else left, blank), left)
    if not fitted:
        start = terms_at(0.0)[0]
        return ConstantFit(0.0, _unit(start, 0.0), start)
    targets = values()
    if level is None:
        level, left = _by_newton(terms_at, loss, mean)
    if level is None:
        level = _lowest(lambda c: terms_at(c)[1], loss.linked(targets))
    left = terms_at(level)[0] if left is None else left
    if not constant and 0.0 < left < np.inf:
        return ConstantFit(level, float(left), left)
    start, slope, *_ = terms_at(0.0)
    estimate = loss.curvature or loss.curvature_estimate(targets) or 1.0
    promised = slope**2 / (2.0 * estimate)
    gain = start - left if start - left > ROUNDING * (abs(start) + abs(left)) else 0.0
    return ConstantFit(level, _unit(0.0 if constant else left, min(gain, promised)), left)


def _at_kink(loss, y, weight, mean):
    """Return where the slope of a piecewise linear loss changes its sign; None for others.

    Of more targets the sorted vectors would take much memory. If the slope is zero between two
    kinks, the number nearest to the mean is returned.
    """
    if loss.kinks is None or y.size > MOST_SORTED:
        return None
    pieces = LinePieces(loss, y)
    kinks, steps = pieces.kinks(slice(None)).ravel(), pieces.slopes(slice(None))
    jumps = (weight * np.diff(steps, axis=0)).ravel()
    order = np.argsort(kinks)
    slopes = weight @ steps[0] + np.cumsum(jumps[order])
    rounding = ROUNDING * np.abs(jumps).sum()
    first, last = np.searchsorted(slopes, [-rounding, rounding], side="right")
    low, high = kinks[order[[min(first, kinks.size - 1), min(last, kinks.size - 1)]]]
    return float(min(max(mean, low), high))


def _by_newton(terms_at, loss, mean):
    """Return where a slope is zero, sought from the mean by Newton steps, and the loss there.

    Both are None if it is not found.
    """
    if loss.nonsmooth:
        return None, None
    level, last = float(loss.linked(np.array([mean]))[0]), np.inf
    for _ in range(NEWTON_STEPS):
        value, slope, curvature, _ = terms_at(level)
        if not abs(slope) < last or not curvature > 0.0:
            break
        step, last = slope / curvature, abs(slope)
        level -= step
        if abs(step) <= NEGLIGIBLE * max(abs(level), abs(mean)):
            return float(level), value  # but for the square of the step
    return None, None


def _lowest(slope, targets):
    """Return where a slope that rises changes its sign, sought from the range of the targets."""
    low, high = float(targets.min()), float(targets.max())
    size = reach = max(high - low, abs(low), abs(high)) or 1.0
    for _ in range(DOUBLINGS):
        at_low, at_high = slope(low), slope(high)
        if at_low == 0.0 or at_high == 0.0:
            return low if at_low == 0.0 else high
        if at_low < 0.0 < at_high:
            return float(optimize.brentq(slope, low, high, xtol=ROUNDING * size, rtol=ROUNDING))
        low, high = low - reach * (at_low > 0.0), high + reach * (at_high < 0.0)
        reach *= 2.0
    return low if abs(at_low) < abs(at_high) else high


def _unit(left, gain):
    """Return what is left, else what has been gained, else one."""
    for unit in (left, gain):
        if 0.0 < unit < np.inf:
            return float(unit)
    return 1.0
