"""Stopping tests: the unit and the rounding of the proximal gradient."""

import math

import numpy as np

from skgd.kernels.problem import StoppingRule

ROUNDING = 8.0 * np.finfo(float).eps


def thresholded_average(objective, mean):
    """Return the mean of iterates, with the zeros of a proximal step from it.

    Under an l1 penalty a weight is zero in some iterates only, so its mean is hardly ever zero. A
    weight of the mean is set to zero if a proximal step of length one over its curvature does so.
    """
    iterate, penalty_strength = mean.copy(), objective.data.penalty_strength
    g, penalty = objective.value_and_gradient(mean)[1], objective.penalty
    tau = residual_scale(objective)[0]
    for j in range(objective.p):
        step = tau[j] * penalty_strength[j]
        if step > 0.0 and penalty.prox(float(mean[j] - tau[j] * g[j]), step) == 0.0:
            iterate[j] = 0.0
    return iterate


def residual_scale(objective):
    """Return the prox step, the unit and the rounding of each entry of the proximal gradient.

    The unit is the root of the parameter's curvature times the spread of y. For a weight, the
    scaled entry is then the correlation of its column with the residual. If columns are not
    centred, the unit uses their variance instead of their mean square; otherwise the entry would
    be small whenever the intercept fits. The rounding is that of the sum over rows.
    """
    p, curvature = objective.p, objective.column_curvature.copy()
    size = curvature.copy()
    size[:p] += 0.0 if objective.centre is None else objective.centre**2
    curvature += objective.data.penalty_strength * objective.penalty.curvature()
    flat = curvature <= ROUNDING**2 * size
    curvature[flat] = 1.0
    width = curvature.copy()
    width[:p] *= objective.spread_share
    unit = 1.0 / (np.sqrt(width) * objective.residual_unit)
    unit[:p][objective.constant] = 0.0
    rounding = ROUNDING * np.sqrt(size * (objective.y @ objective.y) / objective.n)
    return np.stack([1.0 / curvature, unit, rounding])


def stopping_rule(objective, full, tol, patience, clips):
    """Return the stopping rule of the loop.

    Parameters
    ----------
    objective : Objective
    full : bool
        Whether an update uses all rows.
    tol : float or None
        None for no test.
    patience : tuple of int, and float or None
        Epochs without improvement before the descent ends, and before a schedule lowers the rate,
        if it does.
    clips : tuple of two float
    """
    scale = residual_scale(objective) if full else np.ones((3, objective.d))
    smooth, tested, waiting = full and not objective.loss.nonsmooth, tol is not None, patience[1]
    epochs = waiting or (patience[0] if tested else math.inf)
    return StoppingRule(
        tol=tol if tested and full else -1.0,
        gain=(tol * (tol if smooth else 1.0) if tested else 0.0) * objective.null_objective,
        patience=math.inf if smooth and not waiting else float(epochs),
        null_objective=objective.null_objective,
        scale=scale,
        norm=float(clips[0]),
        entry=float(clips[1]),
    )
