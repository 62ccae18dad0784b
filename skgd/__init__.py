"""Estimators for scikit-learn that are trained by gradient descent."""

from skgd.linear import GDRegressor

__version__ = "0.1.0"
__all__ = ["GDRegressor"]
