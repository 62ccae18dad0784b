"""Piecewise linear losses, whose slope jumps."""

import math

import numpy as np

from skgd.losses.contract import Loss


class NonsmoothLoss(Loss):
    """Base class of piecewise linear losses."""

    __slots__ = ()
    nonsmooth = True

    def second_derivative(self, f, y):
        return 0.0

    def curvature_estimate(self, y):
        """Return the reciprocal of the mean absolute deviation of the targets.

        If the targets are all equal, it is the reciprocal of their size.
        """
        spread, size = float(np.mean(np.abs(y - np.median(y)))), float(np.mean(np.abs(y)))
        return 1.0 / ((spread if spread > 1e-15 * size else size) or 1.0)


class EpsilonInsensitive(NonsmoothLoss):
    """``max(0, |f - y| - epsilon)``: the loss of support vector regression.

    Parameters
    ----------
    epsilon : float, default=0.1
        The largest distance without loss, in the unit of y, at least 0.
    """

    __slots__ = ()
    epsilon: float = 0.1
    ranges = {"epsilon": "[0, inf)"}

    def value(self, f, y):
        r = abs(f - y) - self.epsilon
        return r if r > 0.0 else 0.0

    def slope(self, f, y):
        r = f - y
        if r > self.epsilon:
            return 1.0
        return -1.0 if r < -self.epsilon else 0.0

    def kinks(self, y):
        return np.stack([y - self.epsilon, y + self.epsilon])

    def conjugate(self, v, y):
        """Return ``y v + epsilon |v|`` for ``|v| <= 1``.

        The dual of support vector regression (Smola and Schölkopf, "A tutorial on support vector
        regression" (2004)).
        """
        return y * v + self.epsilon * abs(v) if abs(v) <= 1.0 else math.inf


class AbsoluteError(NonsmoothLoss):
    """``|f - y|``, whose minimum is the median."""

    __slots__ = ()

    def value(self, f, y):
        return abs(f - y)

    def slope(self, f, y):
        if f > y:
            return 1.0
        return -1.0 if f < y else 0.0

    def kinks(self, y):
        return y[None]

    def conjugate(self, v, y):
        """Return ``y v`` for ``|v| <= 1`` (Boyd and Vandenberghe (2004), example 3.26)."""
        return y * v if abs(v) <= 1.0 else math.inf


class Quantile(NonsmoothLoss):
    """``quantile (y - f)`` below the target and ``(1 - quantile) (f - y)`` above.

    Parameters
    ----------
    quantile : float, default=0.5
        In (0, 1). At 0.5 it is half the absolute error.

    References
    ----------
    Koenker and Bassett, "Regression quantiles" (1978).
    """

    __slots__ = ()
    quantile: float = 0.5
    ranges = {"quantile": "(0, 1)"}

    def value(self, f, y):
        return (1.0 - self.quantile) * (f - y) if f > y else self.quantile * (y - f)

    def slope(self, f, y):
        if f > y:
            return 1.0 - self.quantile
        return -self.quantile if f < y else 0.0

    def kinks(self, y):
        return y[None]

    def conjugate(self, v, y):
        """Return ``y v`` for ``-quantile <= v <= 1 - quantile``.

        The dual of quantile regression (Koenker and Bassett (1978)).
        """
        return y * v if -self.quantile <= v <= 1.0 - self.quantile else math.inf
