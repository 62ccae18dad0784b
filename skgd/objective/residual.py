"""How far a point is from the minimum: the unit and the rounding of the proximal gradient."""

import numpy as np

from skgd.kernels.row_kernels import loss_terms
from skgd.objective.data_term import unbounded

ROUNDING = 8.0 * np.finfo(float).eps


def residual_scale(objective):
    """Return the prox step, the unit and the rounding of each entry of the proximal gradient.

    The unit is the root of the parameter's curvature times the spread of y. For a weight, the
    scaled entry is then the correlation of its column with the residual. If columns are not
    centred, the unit uses their variance instead of their mean square; otherwise the entry would
    be small whenever the intercept fits. The rounding is that of the sum over rows.

    Returns
    -------
    ndarray of shape (3, d)
    """
    p, curvature = objective.p, objective.column_curvature.copy()
    size = curvature.copy()
    size[:p] += 0.0 if objective.centre is None else objective.centre**2
    curvature += objective.strengths * objective.penalty.curvature()
    flat = curvature <= ROUNDING**2 * size
    curvature[flat] = 1.0
    width = curvature.copy()
    width[:p] *= objective.term.spread_share
    unit = 1.0 / (np.sqrt(width) * residual_unit(objective))
    unit[:p][objective.constant] = 0.0
    rounding = ROUNDING * np.sqrt(size * (objective.y @ objective.y) / objective.n)
    return np.stack([1.0 / curvature, unit, rounding])


def residual_unit(objective):
    """Return the unit of the residual's entries, beside the roots of their curvatures.

    The root of twice what is to gain. No loss is that steep far out whose slope is bounded,
    as Huber's is: so no more than the slopes that a prediction of zero has.
    """
    term, unit = objective.term, np.sqrt(2.0 * objective.null_objective)
    if term.loss.quadratic:
        return unit
    slopes = loss_terms(term.loss, 0.0, term.y)[1]
    steepness = np.sqrt(term.weight @ slopes**2 / (term.n_samples * term.bounds.loss))
    return min(unit, steepness) if steepness > 0.0 else unit


def gradient_unit(objective):
    """Return the size of a gradient that nothing is known of but the data: the unit of an eps.

    It is the largest of the parameters' own units, each the root of its curvature times the spread
    of y. It scales as gradients do when X or y are rescaled.
    """
    if objective.column_curvature is None:
        raise unbounded(objective.term)
    steepest = np.sqrt(objective.column_curvature.max(initial=0.0))
    return float(residual_unit(objective) * steepest) or 1.0


def thresholded_average(objective, mean):
    """Return the mean of iterates, with the zeros of a proximal step from it.

    Under an l1 penalty a weight is zero in some iterates only, so its mean is hardly ever zero. A
    weight of the mean is set to zero if a proximal step of length one over its curvature does so.
    """
    iterate, strengths = mean.copy(), objective.strengths
    if objective.column_curvature is None:
        return iterate
    g, penalty = objective.value_and_gradient(mean)[1], objective.penalty
    tau = residual_scale(objective)[0]
    for j in range(objective.p):
        step = tau[j] * strengths[j]
        if step > 0.0 and penalty.prox(float(mean[j] - tau[j] * g[j]), step) == 0.0:
            iterate[j] = 0.0
    return iterate
