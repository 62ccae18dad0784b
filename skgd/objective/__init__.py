"""The objective on given data: value, gradient, curvature, residual, second order, duality."""

from skgd.objective.objective import Objective

__all__ = ["Objective"]
