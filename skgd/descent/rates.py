"""The rate behind ``learning_rate="auto"``, from the curvature of the data at hand."""

import numpy as np


def stable_rate(objective, batch):
    """Return a rate at which plain descent cannot diverge on batches of this size.

    On the full batch ``1 / L``. On batches of b out of n rows ``1 / (2 S)`` with the expected
    smoothness ``S = n (b - 1) / (b (n - 1)) L + (n - b) / (b (n - 1)) L_max``, L_max being the
    largest curvature of a single row.

    References
    ----------
    Gower et al., "SGD: general analysis and improved rates" (2019), proposition 3.8.
    """
    n = objective.n
    smooth = objective.alpha * objective.penalty.curvature()
    if batch >= n:
        curvature = objective.curvature + smooth
        return 1.0 / curvature if curvature > 0.0 else 1.0
    share = n * (batch - 1) / (batch * (n - 1))
    rest = (n - batch) / (batch * (n - 1))
    curvature = rest * objective.row_curvature + smooth
    if share > 0.0:
        curvature += share * objective.curvature
    return 0.5 / curvature if curvature > 0.0 else 1.0


def newton_length(objective, theta, g):
    """Return how far the exact step along the signs of the gradient moves each parameter.

    ``g`` is the gradient of the data term at ``theta``; what the penalty's prox takes off it
    is left out. The length scales with the parameters: inversely to X, in proportion to y. It
    is 1 where there is nothing to gain.
    """
    p, alpha, penalty = objective.p, objective.alpha, objective.penalty
    slope = g.copy()
    for j, w in enumerate(theta[:p].tolist()):
        slope[j] = w - penalty.prox(w - g[j] - alpha * penalty.gradient(w), alpha)
    signs = np.sign(slope)
    bend = objective.curvature_along(signs)
    return float(signs @ slope / bend) if bend > 0.0 else 1.0


def automatic_rate(objective, optimizer, theta, full, batch, g=None):
    """Return the rate for an optimizer that starts at ``theta``, with the data gradient ``g``."""
    stable = newton = 1.0
    if optimizer.fraction is None:
        stable = stable_rate(objective, objective.n if full else batch)
    else:
        newton = newton_length(objective, theta, objective.data_term(theta)[1] if g is None else g)
    return optimizer.automatic_rate(stable, newton, full)
