"""Estimators for scikit-learn that are trained by gradient descent."""

from skgd.gabor import GDGaborRegressor
from skgd.linear import GDRegressor
from skgd.paths import path

__version__ = "0.1.0"
__all__ = ["GDGaborRegressor", "GDRegressor", "path"]
