"""Trains candidates by fits of their own, where they only share the steps before."""

import warnings

import numpy as np
from sklearn.base import clone

from skgd.search.trained import Trained


def train(estimators, fold):
    """Return what estimators have come to, each fitted to the training rows of a fold.

    Parameters
    ----------
    estimators : list of GDRegressor
    fold : Fold

    Returns
    -------
    Trained
    """
    rows, C = fold.train, len(estimators)
    n_targets, p = len(rows.targets), rows.X.shape[1]
    coef, intercept = np.zeros((C, n_targets, p)), np.zeros((C, n_targets))
    n_iter, failures, told = np.zeros((C, n_targets), int), [None] * C, [None] * C
    for k, estimator in enumerate(estimators):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            try:
                fitted = clone(estimator).fit(rows.given, rows.y, **rows.weight_options)
                fitted.predict(rows.given[:1])  # of which one that has diverged is not capable
            except ValueError as error:
                failures[k] = str(error)
                continue
        coef[k], intercept[k], n_iter[k] = fitted.coef_, fitted.intercept_, fitted.n_iter_
        told[k] = str(found[0].message) if found else None
    return Trained(coef, intercept, failures, told, n_iter)
