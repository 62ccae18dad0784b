"""How far a point is from the minimum: the unit and the rounding of the proximal gradient."""

import numpy as np

from skgd.objective.data_term import unbounded

ROUNDING = 8.0 * np.finfo(float).eps


def residual_scale(objective):
    """Return the prox step, the unit and the rounding of each entry of the proximal gradient.

    The unit is the root of the parameter's curvature times the spread of y. For a weight, the
    scaled entry is then the correlation of its column with the residual. If columns are not
    centred, the unit uses their variance instead of their mean square; otherwise the entry would
    be small whenever the intercept fits. The rounding is that of the sum over rows. Where nothing
    is known of the curvature, it counts as one.

    Returns
    -------
    ndarray of shape (3, d)
    """
    term = objective.term
    if objective.column_curvature is None:
        unit = np.full(objective.d, 1.0 / term.residual_unit(objective.null_objective))
        return np.stack([np.ones(objective.d), unit, np.zeros(objective.d)])
    curvature = objective.column_curvature + objective.strengths * objective.penalty.curvature()
    share, unit = term.variance_share(), term.residual_unit(objective.null_objective)
    constant = np.flatnonzero(objective.constant)
    return np.stack(scale_from(curvature, *term.rounding_squares(), share, unit, constant))


def scale_from(curvature, squares, target_square, share, unit, constant):
    """Return the same from what it depends on.

    Parameters
    ----------
    curvature, squares : ndarray of shape (d,)
        Of the parameters with their penalty, and the mean squares of what is summed to slopes.
    target_square : float
    share : ndarray of shape (d,) or float
        Of the curvature that an intercept would not explain.
    unit : float
        The spread of y.
    constant : ndarray
        Which weights have no column but a constant one.
    """
    curvature = np.where(curvature > ROUNDING**2 * squares, curvature, 1.0)
    scale = 1.0 / (np.sqrt(curvature * share) * unit)
    scale[..., constant] = 0.0
    return 1.0 / curvature, scale, ROUNDING * np.sqrt(squares * target_square)


def gradient_unit(objective, units=None):
    """Return the size of a gradient that nothing is known of but the data: the unit of an eps.

    It is the largest of the parameters' own units, each the root of its curvature times the spread
    of y. It scales as gradients do when X or y are rescaled. Parameters may be counted in units.
    """
    if objective.column_curvature is None:
        raise unbounded(objective.term)
    squares = 1.0 if units is None else np.square(units)
    steepest = np.sqrt((objective.column_curvature * squares).max(initial=0.0))
    return float(objective.term.residual_unit(objective.null_objective) * steepest) or 1.0


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
