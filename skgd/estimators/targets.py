"""Targets as numbers: classes are the numbers of their places among all classes."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import (
    assert_all_finite,
    column_or_1d,
    compute_class_weight,
    compute_sample_weight,
)
from sklearn.utils.multiclass import check_classification_targets


def numeric_targets(estimator, y, sample_weight, validation, begins):
    """Return targets that are numbers, weights, and the same of rows to validate on.

    A classifier learns its classes where a fit ``begins``, and weighs the rows of each.

    Parameters
    ----------
    estimator : DescentEstimator
    y, sample_weight
        As they were given.
    validation : tuple
        X, y and weights to validate on, as they were given.
    begins : bool
    """
    if y is None or not is_classifier(estimator):
        return y, sample_weight, validation
    y = _checked(y)
    if begins:
        estimator.classes_ = vars(estimator).pop("_all_classes", np.unique(y))
    _refuse_one_class(estimator.classes_)
    if estimator.class_weight is not None:
        factor = compute_sample_weight(estimator.class_weight, y)
        sample_weight = factor if sample_weight is None else factor * sample_weight
    return _codes(y, estimator.classes_), sample_weight, _coded(validation, estimator.classes_)


def learn_classes(estimator, classes, counts, begins):
    """Let a classifier learn the classes of all rows, and return what the rows of each weigh.

    Parameters
    ----------
    estimator : classifier
    classes, counts : ndarray of shape (n_classes,)
        Of all rows, sorted.
    begins : bool
        As in `numeric_targets`.

    Returns
    -------
    ndarray of shape (n_classes,) or None
        Factors of the weights, for each of ``classes_``; None for one.
    """
    check_classification_targets(classes)
    if begins:
        estimator.classes_ = vars(estimator).pop("_all_classes", classes)
    known, factors = estimator.classes_, estimator.class_weight
    _refuse_one_class(known)
    if factors is None:
        return None
    if factors == "balanced":
        factors = dict(zip(classes.tolist(), counts.sum() / (classes.size * counts)))
    found = dict(zip(classes.tolist(), compute_class_weight(factors, classes=classes, y=classes)))
    return np.array([found.get(one, 1.0) for one in known.tolist()])


def coded_validation(estimator, validation):
    """Return rows to validate on with numbers for the classes that a classifier knows."""
    return _coded(validation, estimator.classes_) if is_classifier(estimator) else validation


def _coded(validation, classes):
    X, y, weight = validation
    return X, None if y is None else _codes(_checked(y), classes), weight


def _refuse_one_class(classes):
    if len(classes) == 1:
        raise ValueError(
            f"y has one class only, {classes.tolist()[0]!r}. A classifier needs two or more."
        )


def _checked(y):
    """Return y in one dimension, if its entries are classes."""
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    return y


def _codes(y, classes):
    """Return the number of each class."""
    unknown = np.setdiff1d(y, classes)
    if unknown.size:
        raise ValueError(
            f"y has the class {unknown.tolist()[0]!r}, which is none of {classes.tolist()}."
        )
    return np.searchsorted(classes, y).astype(float)
