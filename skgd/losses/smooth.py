"""Losses with a continuous slope."""

import math

import numpy as np

from skgd.elementary import exp, expm1, log, log1p
from skgd.losses.contract import Loss


class SquaredError(Loss):
    """``(f - y)^2 / 2``."""

    __slots__ = ()
    curvature = 1.0
    quadratic = True

    def value(self, f, y):
        return 0.5 * (f - y) * (f - y)

    def slope(self, f, y):
        return f - y

    def second_derivative(self, f, y):
        return 1.0

    def conjugate(self, v, y):
        """Return ``y v + v^2 / 2`` (Boyd and Vandenberghe (2004), example 3.22)."""
        return v * (y + 0.5 * v)


class Huber(Loss):
    """``(f - y)^2 / 2`` up to a distance of epsilon, and linear beyond it.

    Parameters
    ----------
    epsilon : float, default=1.35
        The distance, in the unit of y, greater than 0. (`HuberRegressor` measures its epsilon in
        units of a scale that it fits.)

    References
    ----------
    Huber, "Robust estimation of a location parameter" (1964).
    """

    __slots__ = ()
    epsilon: float = 1.35
    ranges = {"epsilon": "(0, inf)"}
    curvature = 1.0

    def value(self, f, y):
        r = abs(f - y)
        near = r if r < self.epsilon else self.epsilon
        return near * (r - 0.5 * near)

    def slope(self, f, y):
        r = f - y
        r = r if r < self.epsilon else self.epsilon
        return r if r > -self.epsilon else -self.epsilon

    def second_derivative(self, f, y):
        return 1.0 if abs(f - y) < self.epsilon else 0.0

    def conjugate(self, v, y):
        """Return ``y v + v^2 / 2`` for ``|v| <= epsilon``.

        The loss is the smallest sum of ``epsilon |f - u|`` and ``(u - y)^2 / 2``, so its conjugate
        is the sum of theirs (Beck, "First-order methods in optimization" (2017), section 4.4).
        """
        return v * (y + 0.5 * v) if abs(v) <= self.epsilon else math.inf


class SquaredEpsilonInsensitive(Loss):
    """``max(0, |f - y| - epsilon)^2 / 2``.

    Parameters
    ----------
    epsilon : float, default=0.1
        The largest distance without loss, in the unit of y, at least 0.
    """

    __slots__ = ()
    epsilon: float = 0.1
    ranges = {"epsilon": "[0, inf)"}
    curvature = 1.0

    def value(self, f, y):
        r = abs(f - y) - self.epsilon
        return 0.5 * r * r if r > 0.0 else 0.0

    def slope(self, f, y):
        r = f - y
        near = r if r < self.epsilon else self.epsilon
        return r - (near if near > -self.epsilon else -self.epsilon)

    def second_derivative(self, f, y):
        return 1.0 if abs(f - y) > self.epsilon else 0.0

    def conjugate(self, v, y):
        """Return ``y v + epsilon |v| + v^2 / 2``.

        The dual of support vector regression with squared loss (Ho and Lin, "Large-scale linear
        support vector regression" (2012)).
        """
        return v * (y + 0.5 * v) + self.epsilon * abs(v)


class Poisson(Loss):
    """``exp(f) - y f + y log(y) - y``, for counts with mean ``exp(f)``.

    It is half the Poisson deviance, as in `PoissonRegressor`. Predictions are ``exp(f)``, so one
    unit more of a feature *multiplies* the prediction by ``exp(coef)``.
    """

    __slots__ = ()
    min_target = 0.0
    link = "log"

    def value(self, f, y):
        d = f - log(y)  # times y, which is zero where y is
        # y (exp(d) - 1 - d), without cancellation for small d
        value = y * (expm1(d) - d) if abs(d) < 0.5 else exp(f) - y * (1.0 + d)
        return value if f < 700.0 else math.inf

    def slope(self, f, y):
        return exp(f) - y

    def second_derivative(self, f, y):
        return exp(f)

    def conjugate(self, v, y):
        """Return ``u log(u) - u - (y log(y) - y)`` for ``u = y + v >= 0``, with ``0 log(0) = 0``.

        The first two terms are the conjugate of the exponential at u (Boyd and Vandenberghe
        (2004), example 3.21).
        """
        u, level = y + v, log(y) if y > 0.0 else 0.0
        near = abs(v) < 0.5 * y  # a logarithm of nearly one
        value = v * (level - 1.0) + u * (log1p(v / y) if near else log(u) - level)
        return value if u >= 0.0 else math.inf

    def inverse_link(self, f):
        return math.exp(f) if f < 709.0 else math.inf

    def curvature_estimate(self, y):
        return max(1.0, float(np.max(y, initial=0.0)))

    def linked(self, y):
        least = np.min(y[y > 0.0], initial=1.0)
        return np.log(np.maximum(y, 0.5 * least))
