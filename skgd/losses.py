"""Losses: how far a prediction ``f`` is from its target ``y``."""

import numpy as np

from skgd.part import Part


class Loss(Part):
    """A loss of one row. Subclass it to add your own; methods are compiled.

    Attributes
    ----------
    curvature : float or None
        The largest second derivative in ``f``; None where there is no bound.
    quadratic : bool
        Whether the loss is ``(f - y)^2 / 2``, for which there are closed forms.
    """

    __slots__ = ()
    curvature = None
    quadratic = False

    def value(self, f, y):
        """Return the loss of predicting ``f`` for ``y``."""
        raise NotImplementedError

    def slope(self, f, y):
        """Return the derivative of `value` in ``f``."""
        raise NotImplementedError

    def second(self, f, y):
        """Return the second derivative in ``f``, for arrays; only second-order answers ask."""
        raise NotImplementedError


class SquaredError(Loss):
    """``(f - y)^2 / 2``."""

    __slots__ = ()
    curvature = 1.0
    quadratic = True

    def value(self, f, y):
        return 0.5 * (f - y) * (f - y)

    def slope(self, f, y):
        return f - y

    def second(self, f, y):
        return np.ones(np.shape(f))


LOSSES = {"squared_error": SquaredError}

__all__ = ["LOSSES", "Loss", "SquaredError"]
