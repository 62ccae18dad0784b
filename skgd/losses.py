"""Losses of a prediction ``f`` and its target ``y``."""

import math
from typing import Any, ClassVar

import numpy as np

from skgd.part import Part


class Loss(Part):
    """A loss of one row, convex in ``f``. Subclass it to add your own.

    `value`, `slope`, `second_derivative`, `conjugate` and `inverse_link` take one row, as scalars,
    and are compiled. `curvature_estimate` and `linked` take the array of all targets, once a fit.
    `skgd.testing.check_loss` checks one of your own.

    Attributes
    ----------
    link : str
        The link function of a generalised linear model: "identity" if the prediction is ``f``,
        "log" if it is ``exp(f)``, or another name. The default of a class that overrides
        `inverse_link` is "custom".
    curvature : float or None
        The largest second derivative in ``f``; None if it is unbounded.
    quadratic : bool
        Whether the loss is ``(f - y)^2 / 2``, for which there are closed forms.
    nonsmooth : bool
        Whether the slope jumps. Then the gradient does not vanish at the minimum, and a descent
        ends when the objective stops improving.
    min_target : float
        The smallest valid target.
    """

    __slots__ = ()
    curvature: ClassVar[float | None] = None
    quadratic: ClassVar[bool] = False
    nonsmooth: ClassVar[bool] = False
    min_target: ClassVar[float] = -math.inf
    link: ClassVar[str] = "identity"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = vars(cls)
        if "inverse_link" in own and "link" not in own:
            cls.link = "custom"
        if ("value" in own or "slope" in own) and "conjugate" not in own:
            cls.conjugate = None  # that of the class above belongs to another loss

    def value(self, f: float, y: float) -> float:
        """Return the loss of the prediction ``f`` for the target ``y``."""
        raise NotImplementedError

    def slope(self, f: float, y: float) -> float:
        """Return the derivative of `value` in ``f``."""
        raise NotImplementedError

    # ``second_derivative(f, y)`` is the second derivative in f. Only second-order methods use it;
    # if it is None, differences of `slope` replace it.
    second_derivative: ClassVar[Any] = None

    # ``conjugate(v, y)`` is the convex conjugate, ``max_f v f - value(f, y)``, and infinite where
    # that has no bound. If it is None, there is no duality gap. (Boyd and Vandenberghe, "Convex
    # optimization" (2004), section 3.3.)
    conjugate: ClassVar[Any] = None

    def inverse_link(self, f: float) -> float:
        """Return the prediction in the unit of ``y``: the inverse link."""
        return f

    def curvature_estimate(self, y: np.ndarray) -> float | None:
        """Return a typical second derivative for these targets, an array; None if unknown.

        It replaces `curvature` if there is no bound. The automatic rate is computed from it, and
        is lowered if the estimate is too small.
        """
        return self.curvature

    def linked(self, y: np.ndarray) -> np.ndarray:
        """Return the array of targets in the unit of ``f``."""
        return y


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

    def conjugate(self, v, y):
        """Return ``y v + epsilon |v|`` for ``|v| <= 1``.

        The dual of support vector regression (Smola and Schölkopf, "A tutorial on support vector
        regression" (2004)).
        """
        return y * v + self.epsilon * abs(v) if abs(v) <= 1.0 else math.inf


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
        if r > self.epsilon:
            return r - self.epsilon
        return r + self.epsilon if r < -self.epsilon else 0.0

    def second_derivative(self, f, y):
        return 1.0 if abs(f - y) > self.epsilon else 0.0

    def conjugate(self, v, y):
        """Return ``y v + epsilon |v| + v^2 / 2``.

        The dual of support vector regression with squared loss (Ho and Lin, "Large-scale linear
        support vector regression" (2012)).
        """
        return v * (y + 0.5 * v) + self.epsilon * abs(v)


class AbsoluteError(NonsmoothLoss):
    """``|f - y|``, whose minimum is the median."""

    __slots__ = ()

    def value(self, f, y):
        return abs(f - y)

    def slope(self, f, y):
        if f > y:
            return 1.0
        return -1.0 if f < y else 0.0

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

    def conjugate(self, v, y):
        """Return ``y v`` for ``-quantile <= v <= 1 - quantile``.

        The dual of quantile regression (Koenker and Bassett (1978)).
        """
        return y * v if -self.quantile <= v <= 1.0 - self.quantile else math.inf


class Poisson(Loss):
    """``exp(f) - y f + y log(y) - y``, for counts with mean ``exp(f)``.

    It is half the Poisson deviance, as in `PoissonRegressor`. Predictions are ``exp(f)``, so one
    unit more of a feature *multiplies* the prediction by ``exp(coef)``.
    """

    __slots__ = ()
    min_target = 0.0
    link = "log"

    def value(self, f, y):
        if f >= 700.0:
            return math.inf
        if y <= 0.0:
            return math.exp(f) - y * f
        d = f - math.log(y)
        # y (exp(d) - 1 - d), without cancellation for small d
        return y * (math.expm1(d) - d) if d < 1.0 else math.exp(f) - y * (1.0 + d)

    def slope(self, f, y):
        return math.exp(f if f < 700.0 else 700.0) - y

    def second_derivative(self, f, y):
        return math.exp(f if f < 700.0 else 700.0)

    def conjugate(self, v, y):
        """Return ``u log(u) - u - (y log(y) - y)`` for ``u = y + v >= 0``, with ``0 log(0) = 0``.

        The first two terms are the conjugate of the exponential at u (Boyd and Vandenberghe
        (2004), example 3.21).
        """
        u = y + v
        if u < 0.0:
            return math.inf
        level = math.log(y) if y > 0.0 else 0.0
        if u == 0.0:
            return y * (1.0 - level)
        near = abs(v) < 0.5 * y  # a logarithm of nearly one
        return v * (level - 1.0) + u * (math.log1p(v / y) if near else math.log(u) - level)

    def inverse_link(self, f):
        return math.exp(f) if f < 709.0 else math.inf

    def curvature_estimate(self, y):
        return max(1.0, float(np.max(y, initial=0.0)))

    def linked(self, y):
        least = np.min(y[y > 0.0], initial=1.0)
        return np.log(np.maximum(y, 0.5 * least))


LOSSES = Loss.named = {
    "squared_error": SquaredError,
    "huber": Huber,
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
    "absolute_error": AbsoluteError,
    "quantile": Quantile,
    "poisson": Poisson,
}

__all__ = ["LOSSES", "Loss", "NonsmoothLoss", *sorted(cls.__name__ for cls in LOSSES.values())]
