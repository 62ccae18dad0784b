"""Newton steps to a stationary point, which lead away from saddle points."""

import numpy as np
from scipy import linalg

FLAT = 1e-6  # scaled eigenvalue, below which a direction counts as flat


def polish(objective, theta, max_iter=100):
    """Refine a point to a stationary point by saddle-free Newton steps.

    Along each eigenvector of the Hessian the step is the slope divided by the absolute curvature,
    so that it leads away from saddle points. To first order a step changes predictions by no more
    than the scale of y; it is halved until the objective falls. Weights that are exactly zero stay
    zero. If a weight with a nonsmooth penalty changes its sign, or if the loss is nonsmooth,
    ``theta`` is returned unchanged.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (d,)
    max_iter : int

    Returns
    -------
    ndarray of shape (d,)

    References
    ----------
    Nocedal and Wright, "Numerical optimization" (2006), section 3.4; Dauphin et al., "Identifying
    and attacking the saddle point problem" (2014).
    """
    if objective.loss.nonsmooth:
        return theta
    free, slope = free_parameters(objective, theta)
    unit = curvature_unit(objective.column_curvature[free])
    end, least = theta, 1e-16 * objective.null_objective
    farthest = objective.prediction_scale
    for _ in range(max_iter if free.size else 0):
        g = objective.value_and_gradient(end)[1]
        H = unit[:, None] * unit * objective.hessian(end)[np.ix_(free, free)]
        curvatures, directions = linalg.eigh(H)
        slopes = directions.T @ (unit * (g + slope)[free])
        lengths = slopes / np.maximum(np.abs(curvatures), FLAT)
        step = unit * (directions @ lengths)
        moved = objective.term.jacobian_factor(end)[0][:, free] @ step
        share = min(1.0, farthest / (np.sqrt(moved @ moved) or 1.0))
        step, gain = share * step, share * (slopes @ lengths)
        if not gain > least:
            break
        lower = _lower(objective, end, free, step, gain)
        if lower is end:
            break
        end = lower
    same_side = (slope == 0.0) | (np.sign(end) == np.sign(theta))
    return end if same_side.all() else theta


def _lower(objective, theta, free, step, gain, halvings=30):
    """Halve the step until the objective falls enough (Armijo); return that point, or theta."""
    begin = objective.value(theta)
    for k in range(halvings):
        point, share = theta.copy(), 0.5**k
        point[free] -= share * step
        if objective.value(point) <= begin - 1e-4 * share * gain:
            return point
    return theta


def free_parameters(objective, theta):
    """Return the parameters at which the penalty is smooth, and the slope of its l1 part there."""
    cost = (
        np.zeros(objective.p)
        if objective.elastic_strengths is None
        else objective.elastic_strengths[0]
    )
    slope = np.zeros(objective.d)
    slope[: objective.p] = cost * np.sign(theta[: objective.p])
    free = np.ones(objective.d, dtype=bool)
    free[: objective.p] = (theta[: objective.p] != 0.0) | (cost == 0.0)
    return np.flatnonzero(free), slope


def curvature_unit(curvature):
    """Return the unit of each parameter: one over the root of its curvature; one if it is flat."""
    return 1.0 / np.sqrt(np.where(curvature > 0.0, curvature, 1.0))
