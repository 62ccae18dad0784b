"""Estimators for scikit-learn that are trained by gradient descent."""

from skgd.estimators.gabor import GDGaborRegressor
from skgd.estimators.network_classifier import GDMLPClassifier
from skgd.estimators.network_regressor import GDMLPRegressor
from skgd.estimators.path import path
from skgd.estimators.regressor import GDRegressor
from skgd.search.grid import JointGridSearchCV
from skgd.search.randomized import JointRandomizedSearchCV
from skgd.search.regressor_cv import GDRegressorCV

__version__ = "0.1.0"
__all__ = [
    "GDGaborRegressor",
    "GDMLPClassifier",
    "GDMLPRegressor",
    "GDRegressor",
    "GDRegressorCV",
    "JointGridSearchCV",
    "JointRandomizedSearchCV",
    "path",
]
