"""How far a point is from the minimum: the unit and the rounding of the proximal gradient."""

import numpy as np

ROUNDING = 8.0 * np.finfo(float).eps


def mean_with_zeros(objective, mean):
    """Return the mean of iterates, with zeros where a proximal step from it sets them.

    Iterates under an l1 penalty are zero now and then; their mean hardly ever is. A weight of
    the mean is set to zero where a step of its own curvature's length says so.
    """
    answer, strength = mean.copy(), objective.data.strength
    g, penalty = objective.value_and_gradient(mean)[1], objective.penalty
    tau = residual_scale(objective)[0]
    for j in range(objective.p):
        step = tau[j] * strength[j]
        if step > 0.0 and penalty.prox(float(mean[j] - tau[j] * g[j]), step) == 0.0:
            answer[j] = 0.0
    return answer


def residual_scale(objective):
    """Return the prox step, the unit and the rounding of each entry of the residual.

    A parameter's proximal gradient is measured in units of the root of its curvature times
    the spread of y, which makes it, for a weight, the correlation of its column with what is
    left to explain. Rounding is what the sum over rows cannot resolve.
    """
    p, curvature = objective.p, objective.column_curvature.copy()
    size = curvature.copy()
    size[:p] += 0.0 if objective.centre is None else objective.centre**2
    curvature += objective.data.strength * objective.penalty.curvature()
    flat = curvature <= ROUNDING**2 * size
    curvature[flat] = 1.0
    unit = 1.0 / (np.sqrt(curvature) * objective.residual_unit)
    unit[:p][objective.constant] = 0.0
    rounding = ROUNDING * np.sqrt(size * (objective.y @ objective.y) / objective.n)
    return np.stack([1.0 / curvature, unit, rounding])
