"""Arrays that need no conversion: what scikit-learn's validation would return as they are.

Its many questions about frames, lists and other libraries' arrays take longer than a small fit.
"""

import numpy as np

FLOATS = np.dtype(np.float64), np.dtype(np.float32)


def are_plain(X, y):
    """Whether X and y are numpy arrays of floats, one row of X for each entry of a finite y."""
    if type(X) is not np.ndarray or type(y) is not np.ndarray or (X.ndim, y.ndim) != (2, 1):
        return False
    if X.dtype not in FLOATS or y.dtype not in FLOATS or not X.flags.forc:
        return False
    if len(X) != len(y) or not X.size:
        return False
    with np.errstate(all="ignore"):  # of a sum that tells of NaN
        return bool(np.isfinite(y.sum()))


def learn_columns(estimator, n_columns):
    """Let an estimator learn the number of columns, which have no names."""
    vars(estimator).pop("feature_names_in_", None)
    estimator.n_features_in_ = n_columns


def check_range(lowest, highest, loss):
    """Refuse targets whose squares are no numbers, and those that the loss has no meaning for."""
    largest = max(highest, -lowest, 0.0)
    if not (largest == 0.0 or 1e-140 < largest < 1e140):
        raise ValueError(
            f"The entries of y are too {'large' if largest > 1.0 else 'small'} for their squares "
            f"to be numbers: the largest is {largest:.1e}. Scale y."
        )
    if lowest < loss.min_target:
        raise ValueError(
            f"Some values of y are below {loss.min_target:g}, the lowest that the loss "
            f"{type(loss).__name__} has a meaning for."
        )
