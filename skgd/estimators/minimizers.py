"""What ``optimizer="auto"`` stands for: a direct solver where one may serve, else a descent."""

from functools import partial

from skgd.descent.descent import Descent
from skgd.descent.options import Options
from skgd.optimizers import Nesterov
from skgd.schedules import Constant
from skgd.solvers.auto import AutoSolver


def accelerated(tol, objective, start):
    """Return the descent that goes on where a direct solver ends too early."""
    return Descent(objective, Nesterov(), Constant(), start, options=Options(tol=tol))


def direct(objective, tol, start=None, **options):
    """Return the direct solver, with an accelerated descent for what it leaves to do."""
    return AutoSolver(objective, tol, partial(accelerated, tol), start, **options)


def asked_of_a_descent(params, schedule, streams, validates):
    """Return what of `skgd.solvers.auto.REASONS` is asked for, and only a descent can do.

    Parameters
    ----------
    params : dict
        The parameters of an estimator.
    schedule : Schedule
    streams, validates : bool
        Whether rows of a stream are fitted by one epoch, and whether there are rows to score on.
    """
    asked = {
        "partial_fit": streams,
        "validation_set": validates,
        "learning_rate": params["learning_rate"] != "auto",
        "schedule": not isinstance(schedule, Constant),
        "tol": params["tol"] is None,
        **{name: params[name] for name in ("record_path", "average", "early_stopping")},
    }
    for name in ("batch_size", "init", "clip_norm", "clip_value"):
        asked[name] = params[name] is not None
    return {name for name, is_asked in asked.items() if is_asked}
