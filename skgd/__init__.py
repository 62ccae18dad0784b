"""Estimators for scikit-learn that are trained by gradient descent."""

from skgd.gabor import GDGaborRegressor
from skgd.linear import GDRegressor

__version__ = "0.1.0"
__all__ = ["GDGaborRegressor", "GDRegressor"]
