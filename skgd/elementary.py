"""exp and tanh in arithmetic that compiled code does for several numbers at once.

In plain Python these are the functions of `math`. `skgd.kernels.lowering_elementary` says how they
are compiled: without a call, to the last digit or two of float64 or float32.
"""

import math

LARGEST = 700.0  # exponent, beyond which exp stays as it is


def exp(x: float) -> float:
    """Return ``e^x``, for x cut to the numbers whose exponentials are numbers."""
    return math.exp(max(-LARGEST, min(x, LARGEST)) if x == x else x)


def tanh(x: float) -> float:
    """Return the hyperbolic tangent."""
    return math.tanh(x)
