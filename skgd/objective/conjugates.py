"""Lower bounds of the minimum for losses whose conjugate is known, by Fenchel's duality.

With the penalty ``a |w| + b w^2 / 2`` every vector v over the rows gives the lower bound
``-mean(loss*(v; y)) - sum (|X^T S v / n| - a)_+^2 / (2 b)``, where b = 0 asks that no slope
``X^T S v / n`` exceeds a, and an intercept that v has mean zero. At the minimum v holds the slopes
of the losses. Elsewhere Newton steps, or interior points where the slope jumps, find vectors near
it, and `dual_value` scales them.

References
----------
Rockafellar, "Convex analysis" (1970), section 31; Ndiaye et al., "Gap safe screening rules for
sparsity enforcing penalties" (2017).
"""

from typing import NamedTuple

import numpy as np

from skgd.objective.affine import Step, rounding, split, weighted_mean
from skgd.objective.duality import EPS, ROUNDING, Certificate, Slack
from skgd.objective.newton_steps import Tuning as NewtonTuning
from skgd.objective.newton_steps import newton_steps
from skgd.objective.piecewise import Tuning as PiecewiseTuning
from skgd.objective.piecewise import piecewise_steps
from skgd.objective.row_losses import mean_conjugates

GOLDEN = 0.5 * (5.0**0.5 - 1.0)


class Tuning(NamedTuple):
    """How much a better bound may cost. Worked out, not measured."""

    multiples: int = 15  # of the last dual vector, that are tried if the gap is wide
    negligible_gap: float = 1e-7  # of the best constant's objective: not worth another vector
    share: float = 0.5  # of the gap at a point, by which the bound may be below the minimum
    newton: NewtonTuning = NewtonTuning()
    piecewise: PiecewiseTuning = PiecewiseTuning()


TUNING = Tuning()
BRIEF_FLOPS = 2e7  # two milliseconds
BRIEF = Tuning(
    newton=NewtonTuning(flops=BRIEF_FLOPS), piecewise=PiecewiseTuning(flops=BRIEF_FLOPS)
)


def certify_by_conjugates(objective, theta, known=None, tuning=TUNING):
    """Return the certificate of a point.

    Parameters
    ----------
    objective : Objective
        Of a linear model, with an elastic penalty and a loss that has a conjugate.
    theta : ndarray of shape (d,)
    known : Certificate or None
        Of another point.
    tuning : Tuning
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _certificate(objective, theta, known, tuning)


def brief_gap(objective, theta):
    """Return a duality gap that takes a few milliseconds, and is wide where that is too short.

    It is infinite where no dual is known.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (d,)
    """
    if objective.elastic_strengths is None or not objective.term.has_conjugate:
        return np.inf
    return certify_by_conjugates(objective, theta, tuning=BRIEF).gap


def _certificate(objective, theta, known, tuning):
    value, bound = objective.value(theta), trivial_bound(objective)
    bound = bound if known is None else max(bound, known.lower_bound)
    negligible, least = tuning.negligible_gap * objective.null_objective, value
    if value - bound <= negligible:
        return Certificate(theta, value, bound)
    step = None
    for step in dual_vectors(objective, theta, tuning):
        least = min(least, step.value)
        enough = least - max(negligible, tuning.share * (value - least))
        bound = max(bound, bound_of_step(objective, step, least))
        if bound >= enough:
            break
    else:
        if step is not None:
            bound = max(bound, bound_of_step(objective, step, least, tuning.multiples))
    return Certificate(theta, value, bound)


def trivial_bound(objective):
    """Return the lower bound that slopes of zero prove: the mean of the least losses."""
    nothing = np.broadcast_to(0.0, (objective.n,))
    return -float(mean_conjugates(objective, nothing)[0])


def bound_of_step(objective, step, least, multiples=0):
    """Return the lower bound of the minimum that a step proves.

    Parameters
    ----------
    objective : Objective
    step : Step
    least : float
        The objective at the best point that is known.
    multiples : int
        Of its vector, less than the largest, that are tried.
    """
    if step.v is None:
        return step.bound
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        slack = _slack(objective, step.v, step.w, least)
        return dual_value(objective, step.v, slack, step.level, multiples)


def dual_vectors(objective, theta, tuning=TUNING, wants=None, start=None):
    """Generate dual vectors on a way to the minimum, and the parameters that they belong to.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (d,)
    tuning : Tuning
    wants, start
        As in `newton_steps`.

    Yields
    ------
    Step
    """
    loss = objective.loss
    if loss.kinks is not None:
        yield from piecewise_steps(objective, theta, tuning.piecewise)
    elif loss.nonsmooth:  # nothing is known but its slopes
        v, value = objective.loss_terms(theta)[1], objective.value(theta)
        yield Step(v, *split(objective, theta), value)
    else:
        yield from newton_steps(objective, theta, tuning.newton, wants, start)


def _slack(objective, v, w, value):
    """Return how far rounding moves the slopes of a dual vector, where F is ``value`` at w."""
    squares = objective.column_squares
    centre = 0.0 if objective.centre is None else objective.centre
    lengths = np.sqrt(squares + centre**2)  # of the columns, as they are stored
    return Slack(rounding(objective, v) * lengths, w, value)


def dual_value(objective, v, slack, level, multiples=0):
    """Return the dual objective at the best multiple of a vector that is tried.

    That is the largest, which is at most one and keeps the slopes within their bounds; where it
    leaves the domain of the conjugate, which contains zero, one slightly less; and others, if so
    many are asked for. The dual objective is concave in the multiple.

    Parameters
    ----------
    objective : Objective
    v : ndarray of shape (n,)
    slack : Slack
    level : float
        The intercept.
    multiples : int
    """
    (a, b), u = objective.resolved_strengths, -objective.rmatvec(v)
    u = np.maximum(u, 0.0) if objective.positive else u
    hard, sizes = b == 0.0, np.abs(u)
    mean, blur = 0.0, rounding(objective, v)
    end = 1.0
    if objective.d > objective.p:
        mean = weighted_mean(objective, v)
        end = blur / max(abs(mean), blur) if blur else 1.0
    steep = hard & (sizes > slack.rounding)
    end = min(end, ((a + slack.rounding)[steep] / sizes[steep]).min(initial=1.0))

    def dual(c):
        losses, rounded = mean_conjugates(objective, v, c)
        excess = np.maximum(c * sizes - a, 0.0)[~hard]
        value = -losses - 0.5 * (excess**2 / b[~hard]).sum() - ROUNDING * rounded
        value -= slack.cost(c * u, (a, b)) + abs(c * mean * level)
        return value if value == value else -np.inf

    return _largest(dual, end, multiples)


def _largest(function, end, rounds):
    """Return the largest value found of a concave function from 0 to ``end``, by golden sections.

    The end itself, and numbers close to it, come first: there the largest value mostly is.
    """
    best, near = function(end), [end]
    if rounds == 0 and best > -np.inf:
        return best
    for share in (1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0):
        near.append(end * (1.0 - share))
        value = function(near[-1])
        worse = value < best
        best = max(best, value)
        if worse or (rounds == 0 and best > -np.inf):
            break
    low, high = near[-1], near[-3] if len(near) > 2 else end
    x, y = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_x, at_y = function(x), function(y)
    for _ in range(rounds):
        best = max(best, at_x, at_y)
        if high - low <= 4.0 * EPS * end:
            break
        if at_x > at_y or at_y == -np.inf:
            high, y, at_y = y, x, at_x
            x = high - GOLDEN * (high - low)
            at_x = function(x)
        else:
            low, x, at_x = x, y, at_y
            y = low + GOLDEN * (high - low)
            at_y = function(y)
    return best
