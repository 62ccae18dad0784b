"""Targets as numbers: classes are the numbers of their places among all classes."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import assert_all_finite, column_or_1d, compute_sample_weight
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
    if len(estimator.classes_) == 1:
        raise ValueError(
            f"y has one class only, {estimator.classes_.tolist()[0]!r}. A classifier needs two "
            "or more."
        )
    if estimator.class_weight is not None:
        factor = compute_sample_weight(estimator.class_weight, y)
        sample_weight = factor if sample_weight is None else factor * sample_weight
    X_val, y_val, weight_val = validation
    y_val = None if y_val is None else _codes(_checked(y_val), estimator.classes_)
    return _codes(y, estimator.classes_), sample_weight, (X_val, y_val, weight_val)


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
