"""The automatic learning rate, from the curvature of the data."""

import math
from typing import NamedTuple

import numpy as np

from skgd.objective.data_term import unbounded

MAX_PREDICTION_CHANGE = 3.0  # largest change of predictions in a step, in spreads of y
WIDER = 10.0  # ratio of widths, above which the Newton step is computed on the new data


def stable_rate(objective, batch=None, replacement=False, units=None):
    """Return a rate at which plain descent cannot diverge on batches of this size.

    It is ``1 / L`` on the full batch (None), and ``1 / (2 S)`` on batches of b of n rows. The
    expected smoothness is ``S = a L + (1 - a) L_max``, where L_max is the largest curvature of a
    row. Without replacement ``a = n (b - 1) / (b (n - 1))``, with it ``a = (b - 1) / b``. If the
    last batch of an epoch is smaller, a is the mean over the batches. With ``units``, of shape
    (d,), parameters are counted in units of their own.

    References
    ----------
    Gower et al., "SGD: general analysis and improved rates" (2019), section 3.
    """
    term = objective.term
    if not term.is_bounded or (batch is not None and term.row_curvature() is None):
        raise unbounded(term)
    known = () if units is None else (units,)
    strengths = objective.strengths if units is None else objective.strengths * units**2
    smooth, largest = (
        float(strengths.max()) * objective.penalty.curvature(),
        term.curvature(*known),
    )
    if batch is None:
        curvature, share = largest + smooth, 1.0
    else:
        whole, left = divmod(objective.n, batch)
        shares = [_share(objective.n, batch, replacement)] * whole
        shares += [_share(objective.n, left, replacement)] if left else []
        mean = sum(shares) / len(shares)
        curvature, share = (1.0 - mean) * term.row_curvature(*known) + smooth, 0.5
        curvature += mean * largest if mean > 0.0 else 0.0
    return share / curvature if curvature > 0.0 else 1.0


def _share(n, batch, replacement):
    """Return the weight of L in the expected smoothness of a batch."""
    return (batch - 1) / batch * (1.0 if replacement or n == 1 else n / (n - 1))


def stability_limit(objective, optimizer, batch=None, replacement=False):
    """Return the largest stable rate of an optimizer on batches of this size.

    On the full batch it is the limit for a quadratic: ``2 / L`` for gradient descent, and
    `Optimizer.stability_limit` times that for others. On smaller batches it is a bound: for rows
    with a common minimum, the mean squared distance to it falls at rates up to ``2 / S``, S as in
    `stable_rate`, and up to ``1 - beta`` times that with momentum. With variance reduction it is
    the automatic rate. None for optimizers whose rate has another unit, and for unbounded
    curvature.
    """
    share = optimizer.stability_limit()
    if share is None or not objective.term.is_bounded:
        return None
    stable = stable_rate(objective, batch, replacement)
    if batch is None:
        return 2.0 * share * stable
    factor = 1.0 if optimizer.variance_reduced else 4.0
    return factor * optimizer.automatic_rate(stable, 1.0, False)


def sign_newton_length(objective, theta, g, units=1.0):
    """Return the length of the exact Newton step along the signs of the gradient.

    ``g`` is the gradient of the data term at ``theta``; the part that the penalty cancels does
    not count. The length has the unit of the parameters: proportional to y, inversely to X.
    Infinite if the gradient is zero. With units of the parameters it is a multiple of them.
    """
    penalty, strengths, slope = objective.penalty, objective.strengths.tolist(), g.copy()
    for j in np.flatnonzero(objective.term.penalized).tolist():
        w, alpha = float(theta[j]), strengths[j]
        slope[j] = w - penalty.prox(w - g[j] - alpha * penalty.gradient(w), alpha)
    slope[objective.problem.constant] = 0.0
    signs = units * np.sign(slope)
    curvature = objective.curvature_along(signs)
    return float(signs @ slope / curvature) if curvature > 0.0 else math.inf


class RateBasis(NamedTuple):
    """The quantities of the data that determine an automatic rate.

    If the gradient is zero, or the objective so flat that the Newton step leaves the range of the
    data, a step changes predictions by a few times the spread of y.
    """

    stable: float  # the reciprocal of the curvature, or of twice the expected smoothness
    newton: float  # length of the first Newton step, for each parameter
    width: float  # change of predictions when all parameters change by one
    full: bool  # whether an update uses all rows

    def rate(self, objective, optimizer):
        """Return the optimizer's automatic rate, limited by the stability of its weight decay."""
        reach = MAX_PREDICTION_CHANGE * math.sqrt(2.0 * objective.null_objective)
        newton = min(self.newton, reach / self.width if self.width > 0.0 else 1.0)
        rate = optimizer.automatic_rate(self.stable, newton, self.full)
        decay = float(objective.strengths.max()) * objective.penalty.curvature()
        return min(rate, 0.5 / decay) if optimizer.decoupled and decay > 0.0 else rate

    def then(self, later):
        """Return a basis that holds for these data and for later data."""
        stable, width = min(self.stable, later.stable), max(self.width, later.width)
        return RateBasis(stable, min(self.newton, later.newton), width, later.full)

    def covers(self, later):
        """Whether later data are not so much wider that they need a new Newton step."""
        return later.width <= WIDER * self.width


def rate_basis(objective, optimizer, batch=None, replacement=False, units=None):
    """Return the `RateBasis` for a batch size (None for all rows), without a Newton step."""
    full = batch is None
    if optimizer.newton_fraction is None:
        stable = stable_rate(objective, batch, replacement, units)
        return RateBasis(stable, math.inf, 0.0, full)
    if objective.column_curvature is None:
        raise unbounded(objective.term)
    widths = np.sqrt(objective.column_curvature) * (1.0 if units is None else units)
    largest = objective.curvature if units is None else objective.term.curvature(units)
    width = min(float(widths.sum()), math.sqrt(np.count_nonzero(widths) * largest))
    return RateBasis(1.0, math.inf, width, full)


def extended(known, objective, optimizer, batch, theta, g, units=None):
    """Return the `RateBasis` after more data.

    Parameters
    ----------
    known : RateBasis or None
        Of the data so far.
    objective : Objective
    optimizer : Optimizer
    batch : tuple of int or None, and bool
        The batch size, None for all rows, and whether rows are drawn with replacement.
    theta : ndarray of shape (d,)
        The start of the Newton step.
    g : ndarray of shape (d,) or None
        The gradient of the data term there; None if it is not known.
    units : ndarray of shape (d,) or None
        Of the parameters; None for one.
    """
    basis = rate_basis(objective, optimizer, *batch, units)
    if optimizer.newton_fraction is not None and not (known and known.covers(basis)):
        g = objective.data_term(theta)[1] if g is None else g
        length = sign_newton_length(objective, theta, g, 1.0 if units is None else units)
        basis = basis._replace(newton=length)
        known = known and known._replace(newton=math.inf)
    return known.then(basis) if known else basis


def is_told(objective, optimizer, basis):
    """Whether the data determine a rate; data without curvature or gradient do not."""
    sloped = optimizer.newton_fraction is None or basis.newton < math.inf
    return bool(sloped and objective.column_curvature.any())


def automatic_rate(objective, optimizer, theta, batch=None, replacement=False):
    """Return the automatic rate of an optimizer that starts at ``theta``, for this batch size."""
    basis = extended(None, objective, optimizer, (batch, replacement), theta, None)
    return basis.rate(objective, optimizer)
