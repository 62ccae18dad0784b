"""The laws of an activation."""

import math

import numpy as np

from skgd.activations import Activation
from skgd.kernels.row_kernels import activation_terms
from skgd.testing.compilation import check_same
from skgd.testing.laws import bracket, check_value, is_positive, points, require


def check_activation(activation: Activation, *, compiled: bool = True) -> None:
    """Check that an activation keeps its laws.

    - **values**: the activation is an immutable value; its copies are equal.
    - **the value**: it is finite, also where the sum is large.
    - **the slope**: it equals differences of the value; at a kink it lies between both sides'.
    - **the gain**: it is positive and finite.
    - **compilation**: the methods compile without allocating, and give the same numbers compiled.

    Parameters
    ----------
    activation : Activation
    compiled : bool, default=True
        Whether to compile it too, which takes about a second.

    Raises
    ------
    AssertionError
        With the name of the law and the numbers that break it.

    Examples
    --------
    >>> from skgd.activations import Activation
    >>> from skgd.testing import check_activation
    >>> class Square(Activation):
    ...     def value(self, u):
    ...         return u * u
    ...     def slope(self, u, a):
    ...         return u
    >>> check_activation(Square())
    Traceback (most recent call last):
    ...
    AssertionError: Square() breaks the law of the slope: at u=1.37 it is 1.36962, and ...
    """
    check_value(activation, Activation)
    said = f"gain is positive and finite; got {activation.gain!r}"
    require(is_positive(activation.gain), activation, "the gain", said)
    for u in (*points(0), -800.0, 800.0, 0.0):
        value = activation.value(u)
        said = f"at u={u:.4g} it is {value!r}, which is not finite"
        require(math.isfinite(value), activation, "the value", said)
        low, high = bracket(activation.value, u)
        slope = float(activation.slope(u, value))
        said = f"at u={u:.4g} it is {slope:.6g}, and differences of the value are {low:.6g} to"
        require(low <= slope <= high, activation, "the slope", f"{said} {high:.6g}")
    if compiled:
        _check_compiled(activation)
    check_value(activation, Activation)


def _check_compiled(activation):
    u = np.array(points(5))

    def plain():
        values = [activation.value(v) for v in u.tolist()]
        return [values, [activation.slope(*pair) for pair in zip(u.tolist(), values)]]

    check_same(activation, "value and slope", plain, lambda: activation_terms(activation, u))
