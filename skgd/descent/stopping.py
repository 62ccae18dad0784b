"""The stopping rule of a descent."""

import math

import numpy as np

from skgd.kernels.problem import StoppingRule
from skgd.objective.residual import residual_scale


def stopping_rule(objective, full, tol, patience, clips):
    """Return the stopping rule of the loop.

    Where nothing is known of the curvature, the residual has no unit, and a descent ends when the
    objective stops improving.

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
    known = full and objective.column_curvature is not None
    scale = residual_scale(objective) if known else np.ones((3, objective.d))
    smooth, tested, waiting = known and not objective.term.nonsmooth, tol is not None, patience[1]
    epochs = waiting or (patience[0] if tested else math.inf)
    return StoppingRule(
        tol=tol if tested and known else -1.0,
        gain=(tol * (tol if smooth else 1.0) if tested else 0.0) * objective.null_objective,
        patience=math.inf if smooth and not waiting else float(epochs),
        null_objective=objective.null_objective,
        scale=scale,
        norm=float(clips[0]),
        entry=float(clips[1]),
    )
