"""exp, log and tanh in arithmetic that compiled code does for several numbers at once.

In plain Python these are the functions of `math`. `skgd.kernels.lowering_elementary` says how they
are compiled: without a call, to the last digit or two of float64 or float32.
"""

import math

LARGEST = 700.0  # exponent, beyond which exp stays as it is
LEAST = 2.0**-1022  # number, below which log stays as it is


def exp(x: float) -> float:
    """Return ``e^x``, for x cut to the numbers whose exponentials are numbers."""
    return math.exp(max(-LARGEST, min(x, LARGEST)) if x == x else x)


def expm1(x: float) -> float:
    """Return ``e^x - 1`` to all digits, for x cut as in `exp`."""
    return math.expm1(max(-LARGEST, min(x, LARGEST)) if x == x else x)


def log(x: float) -> float:
    """Return the natural logarithm, for a finite x cut to the normal positive numbers."""
    return math.log(max(float(x), LEAST) if x == x else x)


def log1p(x: float) -> float:
    """Return ``log(1 + x)`` to all digits, for a finite x above -1."""
    return math.log1p(max(x, -1.0 + 2.0**-53) if x == x else x)


def tanh(x: float) -> float:
    """Return the hyperbolic tangent."""
    return math.tanh(x)
