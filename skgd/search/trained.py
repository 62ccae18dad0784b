"""The contract of joint trainers, which fit many candidates of a search at once.

A trainer is a module, or an object, with two functions. ``key_of(estimator)`` returns something
hashable, equal for candidates that can be trained together, or None for one that cannot be
trained by it. ``train(estimators, fold)`` returns the `Trained` candidates, which all have that
key, on the training rows of a `skgd.search.folds.Fold`.
"""

from typing import NamedTuple

import numpy as np

from skgd.estimators.nested_parameters import part_of


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

    def take(self, places):
        """Return the candidates at these places, which may repeat."""
        failures, warnings = ([told[k] for k in places] for told in (self.failures, self.warnings))
        coef, intercept, n_iter = (x[places] for x in (self.coef, self.intercept, self.n_iter))
        return Trained(coef, intercept, failures, warnings, n_iter)


def train_once(train, estimators, fold):
    """Return the `Trained` estimators; those without a penalty that differ in its strength, once.

    So they have the same bits, and the same rank, as where each is fitted alone.

    Parameters
    ----------
    train : callable
        Of a trainer.
    estimators : list of GDRegressor
    fold : Fold
    """
    if not any(map(_is_free, estimators)):
        return train(estimators, fold)
    places, first = {}, []
    for k, estimator in enumerate(estimators):
        rule = part_of(estimator, "optimizer")
        key = (repr(rule), str(estimator.learning_rate)) if _is_free(estimator) else k
        first.append(places.setdefault(key, k))
    distinct = sorted(set(first))
    if len(distinct) == len(estimators):
        return train(estimators, fold)
    trained = train([estimators[k] for k in distinct], fold)
    return trained.take([distinct.index(k) for k in first])


def _is_free(estimator):
    """Whether the penalty of an estimator is none, as no penalty with a name is."""
    if isinstance(estimator.penalty, str):
        return False
    return estimator.penalty is None or part_of(estimator, "penalty").elastic() == (0.0, 0.0)
