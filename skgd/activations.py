"""Activations: what the layers of a network make of their sums.

A part has two methods of one number, `value` and `slope`. `skgd.testing.check_activation` checks
one of your own.
"""

import math

from skgd.elementary import exp, tanh
from skgd.part import Part

ROOT = math.sqrt(2.0 / math.pi)
CUBIC = 0.044715


class Activation(Part):
    """An activation of one number. Subclass it to add your own.

    Methods are compiled. They take the sum ``u`` that reaches a unit.

    Attributes
    ----------
    gain : float
        What the variance of initial weights is multiplied by, over 1 / fan-in: 2 where half of
        all sums are cut off (He et al., 2015), else 1.
    """

    __slots__ = ()
    gain = 1.0

    def value(self, u: float) -> float:
        """Return the output of a unit."""
        raise NotImplementedError

    def slope(self, u: float, a: float) -> float:
        """Return the derivative of `value` in ``u``, where ``a`` is the value."""
        raise NotImplementedError


class Identity(Activation):
    """``u``."""

    __slots__ = ()

    def value(self, u):
        return u

    def slope(self, u, a):
        return 1.0


class ReLU(Activation):
    """``max(0, u)``, whose slope at zero is zero.

    References
    ----------
    Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines" (2010).
    """

    __slots__ = ()
    gain = 2.0

    def value(self, u):
        return u if u > 0.0 or u != u else 0.0

    def slope(self, u, a):
        return 1.0 if u > 0.0 else 0.0


class LeakyReLU(Activation):
    """``u`` where that is positive, else ``leak u``.

    Parameters
    ----------
    leak : float, default=0.01
        The slope below zero, in [0, 1].

    References
    ----------
    Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models" (2013).
    """

    __slots__ = ()
    leak: float = 0.01
    ranges = {"leak": "[0, 1]"}
    gain = 2.0

    def value(self, u):
        return u if u > 0.0 else self.leak * u

    def slope(self, u, a):
        return 1.0 if u > 0.0 else self.leak


class Tanh(Activation):
    """The hyperbolic tangent."""

    __slots__ = ()

    def value(self, u):
        return tanh(u)

    def slope(self, u, a):
        return 1.0 - a * a


class Logistic(Activation):
    """``1 / (1 + exp(-u))``."""

    __slots__ = ()

    def value(self, u):
        return 1.0 / (1.0 + exp(-u))

    def slope(self, u, a):
        return a * (1.0 - a)


class GELU(Activation):
    """``u (1 + tanh(sqrt(2 / pi) (u + 0.044715 u^3))) / 2``.

    Equals ``torch.nn.GELU(approximate="tanh")``.

    References
    ----------
    Hendrycks and Gimpel, "Gaussian error linear units" (2016), section 2.
    """

    __slots__ = ()
    gain = 2.0

    def value(self, u):
        return 0.5 * u * (1.0 + tanh(ROOT * u * (1.0 + CUBIC * u * u)))

    def slope(self, u, a):
        h = tanh(ROOT * u * (1.0 + CUBIC * u * u))
        steepness = ROOT * (1.0 + 3.0 * CUBIC * u * u)
        return 0.5 * (1.0 + h) + 0.5 * u * (1.0 - h * h) * steepness


class Softplus(Activation):
    """``log(1 + exp(u))``.

    References
    ----------
    Dugas et al., "Incorporating second-order functional knowledge for better option pricing"
    (2001).
    """

    __slots__ = ()
    gain = 2.0

    def value(self, u):
        return (u if u > 0.0 or u != u else 0.0) + math.log1p(exp(-abs(u)))

    def slope(self, u, a):
        return 1.0 / (1.0 + exp(-u))


ACTIVATIONS = {
    "identity": Identity,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "tanh": Tanh,
    "logistic": Logistic,
    "gelu": GELU,
    "softplus": Softplus,
}
Activation.named = ACTIVATIONS
