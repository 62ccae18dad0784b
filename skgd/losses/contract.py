"""Losses of a prediction ``f`` and its target ``y``."""

import math
from typing import Any, ClassVar

import numpy as np

from skgd.part import Part


class Loss(Part):
    """A loss of one row, convex in ``f``. Subclass it to add your own.

    `value`, `slope`, `second_derivative`, `conjugate` and `inverse_link` take one row, as scalars,
    and are compiled. `curvature_estimate`, `linked` and `kinks` take the array of all targets.
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
    joint : bool
        Whether the loss is one of all outputs of a row, by `slopes` in place of `value` and
        `slope`.
    min_target : float
        The smallest valid target.
    """

    __slots__ = ()
    curvature: ClassVar[float | None] = None
    quadratic: ClassVar[bool] = False
    nonsmooth: ClassVar[bool] = False
    joint: ClassVar[bool] = False
    min_target: ClassVar[float] = -math.inf
    link: ClassVar[str] = "identity"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = vars(cls)
        if "inverse_link" in own and "link" not in own:
            cls.link = "custom"
        if "value" in own or "slope" in own:  # those of the class above belong to another loss
            cls.conjugate = own.get("conjugate")
            cls.kinks = own.get("kinks")

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

    # ``kinks(y)`` says of a piecewise linear loss where its slope jumps, in rising order, as an
    # array of one row for each kink and one column for each target. If it is None, there is no
    # direct solver for a loss whose slope jumps, and its duality gap is wide.
    kinks: ClassVar[Any] = None

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
