"""The stopping rule of a descent."""

import math

import numpy as np

from skgd.kernels.problem import StoppingRule
from skgd.objective.residual import residual_scale

ROUNDING = 8.0 * np.finfo(float).eps  # of the objective
GOAL = 0.99  # of tol, so that a gap that is computed otherwise meets it too
FINE = 1e-2  # of tol, of a scaled residual that leaves no doubt which weights are zero


def stopping_rule(objective, full, options, patience, certificate, bounces=False):
    """Return the stopping rule of the loop.

    Where the gap can be known, it decides: the objective has to come within ``tol`` times that of
    the best constant of a lower bound of the minimum. On the full batch the scaled residual has to
    meet ``tol`` as well, unless the slope of the loss jumps, and the weights that are zero have to
    be those of the minimum. Where the gap cannot be known, the residual alone decides. Where
    nothing is known of the curvature either, and on smaller batches, a descent ends when the
    objective stops improving.

    Parameters
    ----------
    objective : Objective
    full : bool
        Whether an update uses all rows.
    options : Options
    patience : float or None
        Epochs without improvement before a schedule lowers the rate; infinite for a schedule that
        waits for the gap; None for a schedule that does not react.
    certificate : Certificate or None
        None as long as no lower bound of the minimum is known.
    bounces : bool
        Whether the steps of the rule do not become small with the gradient. The descent then tests
        the residual itself.
    """
    known, tol = full and objective.column_curvature is not None, options.tol
    scale = residual_scale(objective) if known else np.ones((3, objective.d))
    smooth, tested = known and not objective.term.nonsmooth, tol is not None
    certified = options.certifies
    epochs = patience or (options.n_iter_no_change if tested else math.inf)
    residual = tol if tested and known else -1.0
    if certified:
        residual = tol if known and objective.quadratic and not bounces else math.inf
    return StoppingRule(
        target=target_of(objective, tol, certificate) if certified else math.inf,
        tol=residual,
        gain=(tol * (tol if smooth else 1.0) if tested else 0.0) * objective.null_objective,
        patience=math.inf if smooth and not patience else float(epochs),
        null_objective=objective.null_objective,
        scale=scale,
        norm=float(options.clip_norm),
        entry=float(options.clip_value),
    )


def target_of(objective, tol, certificate):
    """Return the objective at which the gap meets ``tol``, but for rounding."""
    if certificate is None:
        return -math.inf
    bound, unit = certificate.lower_bound, objective.null_objective
    return bound + GOAL * tol * unit + ROUNDING * max(abs(bound), unit)


def has_zeros_of_minimum(objective, theta, certificate, residual, options):
    """Return whether the weights that are zero are those of the minimum, as far as is known.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (d,)
    certificate : Certificate
        Whose point tells where it is near enough to the minimum.
    residual : float
        The scaled residual; where it is much smaller than ``tol``, theta is nearer.
    options : Options
    """
    is_nearer = residual <= FINE * options.tol or options.is_loose(objective, certificate)
    if is_nearer or not has_zeros(objective):
        return True
    zeros = theta[objective.term.penalized] == 0.0
    return np.array_equal(zeros, certificate.theta[: objective.p] == 0.0)


def has_zeros(objective):
    """Whether a penalty or a bound sets weights to zero."""
    return objective.positive or bool(objective.elastic_strengths[0].any())
