"""The rate behind ``learning_rate="auto"``, from the curvature of the data at hand."""

import math
from typing import NamedTuple

import numpy as np

MAX_PREDICTION_CHANGE = 3.0  # spreads of y that a step may move predictions by
WIDER = 10.0  # times as wide as the data that a Newton step was taken on, which no longer serves


def stable_rate(objective, batch=None, replacement=False):
    """Return a rate at which plain descent cannot diverge on batches of this size.

    On the full batch (None) ``1 / L``. On batches of b out of n rows ``1 / (2 S)`` with the
    expected smoothness ``S = a L + (1 - a) L_max``, L_max being the largest curvature of a single
    row: ``a = n (b - 1) / (b (n - 1))`` for rows that differ, ``a = (b - 1) / b`` for rows drawn
    with replacement. Where the last batch of an epoch is smaller, the mean over its batches.

    References
    ----------
    Gower et al., "SGD: general analysis and improved rates" (2019), section 3.
    """
    if objective.loss.curvature_estimate(objective.y) is None:
        raise ValueError(
            f"The curvature of {type(objective.loss).__name__} has no bound, so there is no "
            "automatic rate: give learning_rate a number."
        )
    smooth = float(objective.data.penalty_strength.max()) * objective.penalty.curvature()
    if batch is None:
        curvature, share = objective.curvature + smooth, 1.0
    else:
        whole, left = divmod(objective.n, batch)
        shares = [_share(objective.n, batch, replacement)] * whole
        shares += [_share(objective.n, left, replacement)] if left else []
        mean = sum(shares) / len(shares)
        curvature, share = (1.0 - mean) * objective.row_curvature + smooth, 0.5
        curvature += mean * objective.curvature if mean > 0.0 else 0.0
    return share / curvature if curvature > 0.0 else 1.0


def _share(n, batch, replacement):
    """Return the share of L in the expected smoothness of a batch."""
    return (batch - 1) / batch * (1.0 if replacement or n == 1 else n / (n - 1))


def stability_limit(objective, optimizer, batch=None, replacement=False):
    """Return a rate up to which the steps of a rule are stable on batches of this size.

    On the full batch, the largest such rate of a quadratic: ``2 / L`` for gradient descent, and
    `Optimizer.stability_limit` times that for others. On smaller batches the mean square of the
    distance to a point where all rows agree shrinks up to ``2 / S`` at least, S as in `stable_rate`,
    and up to ``1 - beta`` times that with momentum; with variance reduction, up to the automatic
    rate. None for rules whose rate has another unit, and where the curvature has no bound.
    """
    share = optimizer.stability_limit()
    if share is None or objective.loss.curvature_estimate(objective.y) is None:
        return None
    stable = stable_rate(objective, batch, replacement)
    if batch is None:
        return 2.0 * share * stable
    return (1.0 if optimizer.variance_reduced else 4.0) * optimizer.automatic_rate(
        stable, 1.0, False
    )


def sign_newton_length(objective, theta, g):
    """Return how far the exact step along the signs of the gradient moves each parameter.

    ``g`` is the gradient of the data term at ``theta``; what the penalty's prox takes off it
    is left out. The length scales with the parameters: inversely to X, in proportion to y.
    Infinite where there is no slope.
    """
    p, penalty_strength, penalty = (
        objective.p,
        objective.data.penalty_strength.tolist(),
        objective.penalty,
    )
    slope = g.copy()
    for j, (w, alpha) in enumerate(zip(theta[:p].tolist(), penalty_strength)):
        slope[j] = w - penalty.prox(w - g[j] - alpha * penalty.gradient(w), alpha)
    slope[:p][objective.constant] = 0.0
    signs = np.sign(slope)
    bend = objective.curvature_along(signs)
    return float(signs @ slope / bend) if bend > 0.0 else math.inf


def gradient_unit(objective):
    """Return the size of a gradient that nothing is known of but the data: the unit of an eps.

    It is the largest of the parameters' own units, each the root of its curvature times the spread
    of y. It scales as gradients do when X or y are rescaled.
    """
    steepest = np.sqrt(objective.column_curvature.max(initial=0.0))
    return float(objective.residual_unit * steepest) or 1.0


class RateBasis(NamedTuple):
    """What an automatic rate rests on, as far as data have shown it.

    Where there is no slope, or a valley so flat that the Newton step leaves the range of the data,
    a step moves predictions by a few times the spread of y.
    """

    stable: float  # the reciprocal of the curvature, or of twice the expected smoothness
    newton: float  # how far the first Newton step moves each parameter
    width: float  # how far predictions move with all parameters
    full: bool  # whether an update sees all rows

    def rate(self, objective, optimizer):
        """Return an optimizer's own rate, and no more than its decay of the weights bears."""
        reach = MAX_PREDICTION_CHANGE * math.sqrt(2.0 * objective.null_objective)
        newton = min(self.newton, reach / self.width if self.width > 0.0 else 1.0)
        rate = optimizer.automatic_rate(self.stable, newton, self.full)
        decay = float(objective.data.penalty_strength.max()) * objective.penalty.curvature()
        return min(rate, 0.5 / decay) if optimizer.decoupled and decay > 0.0 else rate

    def then(self, later):
        """Return what holds for these data and for later ones."""
        stable, width = min(self.stable, later.stable), max(self.width, later.width)
        return RateBasis(stable, min(self.newton, later.newton), width, later.full)

    def covers(self, later):
        """Whether later data are not so much wider that they need a Newton step of their own."""
        return later.width <= WIDER * self.width


def rate_basis(objective, optimizer, batch=None, replacement=False):
    """Return what a rate rests on, before a Newton step is known, on batches of this size.

    None for all rows.
    """
    full = batch is None
    if optimizer.newton_fraction is None:
        return RateBasis(stable_rate(objective, batch, replacement), math.inf, 0.0, full)
    widths = np.sqrt(objective.column_curvature)
    joint = np.count_nonzero(widths) * objective.curvature
    width = min(float(widths.sum()), math.sqrt(joint))
    return RateBasis(1.0, math.inf, width, full)


def extended(known, objective, optimizer, batch, theta, g):
    """Return what a rate rests on, with the data at hand.

    Parameters
    ----------
    known : RateBasis or None
        Of the data before.
    objective : Objective
    optimizer : Optimizer
    batch : tuple of int or None, and bool
        Rows in an update, None for all, and whether they are drawn with replacement.
    theta : ndarray of shape (d,)
        From where the Newton step is taken.
    g : ndarray of shape (d,) or None
        The gradient of the data term there; None where it is not known.
    """
    basis = rate_basis(objective, optimizer, *batch)
    if optimizer.newton_fraction is not None and not (known and known.covers(basis)):
        g = objective.data_term(theta)[1] if g is None else g
        basis = basis._replace(newton=sign_newton_length(objective, theta, g))
        known = known and known._replace(newton=math.inf)
    return known.then(basis) if known else basis


def is_told(objective, optimizer, basis):
    """Whether data tell a rate; those without curvature or slope do not, and others will."""
    sloped = optimizer.newton_fraction is None or basis.newton < math.inf
    return bool(sloped and objective.column_curvature.any())


def automatic_rate(objective, optimizer, theta, batch=None, replacement=False):
    """Return the rate for an optimizer that starts at ``theta``, on batches of this size."""
    basis = extended(None, objective, optimizer, (batch, replacement), theta, None)
    return basis.rate(objective, optimizer)
