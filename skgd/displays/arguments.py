"""Validation of the displays' arguments; a name has the same meaning in all displays."""

from inspect import signature
from numbers import Integral, Real
from os import PathLike

import numpy as np

from skgd.estimators._sklearn import Function, HasMethods, Interval, StrOptions, validate_params
from skgd.estimators.validation import numbers

DATA = ["array-like", "sparse matrix"]
VECTOR = ["array-like", None]
LIST, TEXT, BOOLEAN, OPTIONS = ["array-like"], [str, None], ["boolean"], [dict, None]
SEVERAL = [dict, list, tuple]
ESTIMATOR = HasMethods(["fit", "get_params"])


def _integer(low, high):
    return Interval(Integral, low, high, closed="both")


CONSTRAINTS = {
    "estimator": [ESTIMATOR],
    "estimators": SEVERAL,
    "schedules": SEVERAL,
    "X": DATA,
    "y": LIST,
    "sample_weight": VECTOR,
    **dict.fromkeys(["updates", "parameters", "bounds", "learning_rates", "alphas"], VECTOR),
    **dict.fromkeys(["names", "candidates"], VECTOR),
    **dict.fromkeys(["features", "points"], LIST),
    "directions": ["array-like", str],
    "random_state": ["random_state"],
    "penalties": [list, tuple],
    **dict.fromkeys(["name", "parameter", "metric"], TEXT),
    **dict.fromkeys(["above_minimum", "check"], BOOLEAN),
    **dict.fromkeys(["line_kwargs", "scatter_kwargs", "mesh_kwargs"], OPTIONS),
    **dict.fromkeys(["contour_kwargs", "boundary_kwargs"], OPTIONS),
    "n_frames": [_integer(1, 10_000)],
    "n_curves": [_integer(2, 1000)],
    "grid_resolution": [_integer(2, 10_000)],
    "levels": [_integer(2, 1000), "array-like"],
    "feature": [Interval(Integral, 0, None, closed="left")],
    "k": [Interval(Integral, 0, None, closed="left")],
    "target": [Interval(Integral, 0, None, closed="left")],
    "n_epochs": [_integer(1, 1_000_000)],
    "updates_per_epoch": [_integer(1, 1_000_000)],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "fps": [Interval(Real, 0, 1000, closed="right")],
    "dpi": [Interval(Real, 0, 2400, closed="right")],
    "path": [str, PathLike],
    "yscale": [StrOptions({"linear", "log"})],
    "colorbar": ["boolean", StrOptions({"auto"})],
    "legend": ["boolean", StrOptions({"auto", "marks"})],
}


def checked(function: Function) -> Function:
    """Check the arguments of a display's method by their names; other names are not checked."""
    names = [name for name in signature(function).parameters if name in CONSTRAINTS]
    defaults = {name: signature(function).parameters[name].default for name in names}
    allowed = {
        name: CONSTRAINTS[name] + [None] * (default is None) for name, default in defaults.items()
    }
    return validate_params(allowed, prefer_skip_nested_validation=False)(function)


def places(value, name, below, size=None):
    """Return integers from 0 to below a limit as an array.

    Parameters
    ----------
    value : array-like
    name : str
        The name of the parameter, for the message.
    below : float
    size : int or None
        Their number; None for any number except zero.
    """
    found = numbers(value, name, {np.shape(value): "whole numbers"})
    sized = found.ndim == 1 and (found.size == size if size else found.size > 0)
    if not sized or (found != np.round(found)).any() or found.min() < 0 or found.max() >= below:
        raise ValueError(
            f"The {name!r} parameter must be {size or 'a list of'} whole numbers in "
            f"[0, {below:g}). Got {value!r} instead."
        )
    return found.astype(np.intp)


def positive(value, name):
    """Return a list of positive numbers as an array."""
    found = numbers(value, name, {np.shape(value): "numbers"})
    if found.ndim != 1 or not found.size or found.min() <= 0.0:
        raise ValueError(
            f"The {name!r} parameter must be a list of positive numbers. Got {value!r} instead."
        )
    return found


def box(value):
    """Return the bounds of two axes, each as (lowest, highest); None for None."""
    if value is None:
        return None
    found = numbers(value, "bounds", {(2, 2): "the lowest and the highest value of each axis"})
    if (found[:, 0] >= found[:, 1]).any():
        raise ValueError(
            f"The 'bounds' parameter must hold the lowest and then the highest value of each "
            f"axis. Got {value!r} instead."
        )
    return found
