"""How a broken law is reported, the laws of all parts, and the numbers that parts are tried at."""

import copy
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from skgd.part import Part

REACH = 5.0  # the largest weight, prediction and target that is tried
N_POINTS = 100  # at which a function of one or two numbers is tried
STEP = 1e-6  # of one-sided differences
EPS = float(np.finfo(float).eps)


def require(holds: bool, part: Part, law: str, sentence: str) -> None:
    """Raise an `AssertionError` that names the law, unless it holds."""
    if not holds:
        raise AssertionError(f"{part!r} breaks the law of {law}: {sentence}.")


def check_value(part: Part, kind: type[Part]) -> None:
    """Check that a part is an immutable value of its kind, equal to what is made of its fields.

    Raises
    ------
    TypeError
        Where it is no instance of the kind.
    AssertionError
        With the name of the law.
    """
    if not isinstance(part, kind):
        raise TypeError(f"An instance of {kind.__name__} is checked. Got {part!r} instead.")
    cls, fields = type(part), part.get_params(deep=False)
    state = getattr(part, "__dict__", {})
    require(not state, part, "values", f"only fields hold values; found the attributes {[*state]}")
    copies = {
        "the part of the same fields": cls(**fields),
        "replace()": part.replace(),
        "copy.copy": copy.copy(part),
        "pickle": pickle.loads(pickle.dumps(part)) if _is_importable(cls) else part,
    }
    for way, other in copies.items():
        same = other == part and repr(other) == repr(part)
        require(same, part, "values", f"{way} gives an equal part; got {other!r}")
        said = f"equal parts have equal hashes; {way} gives another"
        require(hash(other) == hash(part), part, "values", said)
    said = f"repr tells the class and all fields, {[*fields]}"
    told = cls.__name__ in repr(part) and all(f"{name}=" in repr(part) for name in fields)
    require(told, part, "values", said)
    for name, value in fields.items():
        require(_is_fixed(part, name, value), part, "values", f"the field {name!r} can be set")


def points(seed: int, n: int = N_POINTS) -> list[float]:
    """Return numbers between -5 and 5, in no order, none of them round."""
    return np.random.default_rng(seed).uniform(-REACH, REACH, n).tolist()


def is_positive(*values: float) -> bool:
    """Whether all values are above zero and finite."""
    return all(0.0 < value < np.inf for value in values)


def bracket(function: Callable[[float], float], x: float) -> tuple[float, float]:
    """Return bounds of the derivative of a function, or of its subgradients where it is convex.

    Where differences of fourth order agree with one another, these, and room for their rounding;
    elsewhere the differences on both sides.
    """
    here, before, after = function(x), function(x - STEP), function(x + STEP)
    low, high = sorted([(here - before) / STEP, (after - here) / STEP])
    wide = 8.0 * EPS * abs(here) / STEP + 1e-8
    if not (high - low <= 1e-4 * (1.0 + abs(low))):
        return low - wide * (1.0 + abs(low)), high + wide * (1.0 + abs(high))
    one, other = (difference(lambda step: function(x + step), h) for h in (1e-3, 5e-4))
    if abs(one - other) > 1e-9 * (1.0 + abs(one)):
        return low - wide * (1.0 + abs(low)), high + wide * (1.0 + abs(high))
    return other - 1e-8 * (1.0 + abs(other)), other + 1e-8 * (1.0 + abs(other))


def difference(function: Callable[[float], Any], h: float = 1e-3) -> Any:
    """Return the derivative at zero of a function of one number, to fourth order in h."""
    values = [function(k * h) for k in (-2, -1, 1, 2)]
    return (values[0] - 8.0 * values[1] + 8.0 * values[2] - values[3]) / (12.0 * h)


def _is_importable(cls):
    """Whether pickle finds the class again: not where it was made in a function or a doctest."""
    found = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is cls


def _is_fixed(part, name, value):
    try:
        setattr(part, name, value)
    except AttributeError:
        return True
    return False
