"""The contract of joint trainers, which fit many candidates of a search at once.

A trainer is a module, or an object, with two functions. ``key_of(estimator)`` returns something
hashable, equal for candidates that can be trained together, or None for one that cannot be
trained by it. ``train(estimators, fold)`` returns the `Trained` candidates, which all have that
key, on the training rows of a `skgd.search.folds.Fold`.
"""

from typing import NamedTuple

import numpy as np


class Trained(NamedTuple):
    """What C candidates have come to on one fold.

    Attributes
    ----------
    coef : ndarray of shape (C, n_targets, p), float64
    intercept : ndarray of shape (C, n_targets), float64
    failures : list of (str or None)
        For each candidate why its fit would raise an error, or refuses to predict.
    warnings : list of (str or None)
        For each candidate what its fit would warn of.
    n_iter : ndarray of shape (C, n_targets), int
        Epochs.
    """

    coef: np.ndarray
    intercept: np.ndarray
    failures: list
    warnings: list
    n_iter: np.ndarray
