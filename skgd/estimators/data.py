"""The data of a fit: validated rows, and the split into those fitted to and those validated on."""

import math

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted, validate_data

from skgd.estimators.minimizers import may_solve
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.piece_rows import rows_in_pieces
from skgd.estimators.plain_arrays import are_plain, check_range, learn_columns
from skgd.estimators.rows import weighed_rows
from skgd.estimators.seeds import draws_rows, new_seed
from skgd.estimators.validation import canonical, checked_matrix, refuse_masked
from skgd.pieces import Pieces, is_dask, pieces_of_dask

DTYPES = [np.float64, np.float32]


def validated_rows(estimator, X, y, sample_weight, reset=True, name=None):
    """Return rows in a form that is read in place, if they and the targets can be fitted to.

    Parameters
    ----------
    estimator : estimator
        That knows, or with ``reset`` learns, the number and the names of the columns.
    X : {array-like, sparse matrix} of shape (n, p)
    y : array-like of shape (n,) or (n, n_targets)
    sample_weight : array-like of shape (n,), float or None
    reset : bool, default=True
    name : str or None
        That messages give to the estimator; None for that of its class.

    Returns
    -------
    Rows

    Raises
    ------
    ValueError
        For what is not finite, does not fit together, or has no meaning under the loss.
    """
    name = name or type(estimator).__name__
    return read_moments(converted_rows(estimator, X, y, sample_weight, reset, name), name)


def converted_rows(estimator, X, y, sample_weight, reset, name):
    """Return the same rows before X is read: nobody knows yet whether it is finite.

    Parameters
    ----------
    estimator, X, y, sample_weight, reset, name
        As in `validated_rows`.
    """
    frame = X if type(X).__module__.partition(".")[0] in ("pandas", "polars") else None
    refuse_masked(sample_weight, "sample_weight")
    if reset and are_plain(X, y):
        learn_columns(estimator, X.shape[1])
    else:
        X, y = _converted(estimator, X, y, reset, name)
    y = _checked_targets(y, part_of(estimator, "loss"))
    return weighed_rows(X, y, sample_weight, frame)


def read_moments(rows, name):
    """Return rows with the moments of their columns, if X is finite.

    Parameters
    ----------
    rows : Rows
    name : str
        That messages give to the estimator.
    """
    rows = rows.with_moments()
    if not np.isfinite(rows.moments[0]).all():
        assert_all_finite(rows.X, estimator_name=name, input_name="X")
    return rows


def _converted(estimator, X, y, reset, name):
    """Return X and y as scikit-learn's validation does, but for whether X is finite.

    The moments of its columns tell that, so that X is read once. Only direct solvers read CSC
    matrices as they are; batches of rows need CSR.
    """
    refuse_masked(y, "y")
    with np.errstate(over="ignore", invalid="ignore"):  # of the sum that tells of NaN
        X, y = validate_data(
            estimator,
            checked_matrix(X),
            y,
            reset=reset,
            estimator=name,
            accept_sparse=("csr", "csc") if _may_be_solved(estimator) else "csr",
            dtype=DTYPES,
            ensure_all_finite=False,
            multi_output=estimator.__sklearn_tags__().target_tags.multi_output,
            y_numeric=True,
        )
    return canonical(X), y


def _may_be_solved(estimator):
    """Whether a direct solver may take the place of a descent."""
    is_auto = isinstance(estimator.optimizer, str) and estimator.optimizer == "auto"
    return is_auto and part_of(estimator, "loss").quadratic


def prediction_rows(estimator, X):
    """Return the rows that an estimator predicts for, if it is fitted and has not failed."""
    check_is_fitted(estimator)
    if failure := vars(estimator).get("_failure"):
        raise ValueError(failure)
    with np.errstate(over="ignore", invalid="ignore"):
        return validate_data(
            estimator, checked_matrix(X), accept_sparse=("csr", "csc"), dtype=DTYPES, reset=False
        )


def validation_rows(estimator, X, y, sample_weight):
    """Return the rows to validate on that were given to `fit`; None where none were.

    Those without a weight are left out.
    """
    if X is None or y is None:
        if X is not None or y is not None or sample_weight is not None:
            raise ValueError("X_val and y_val must be given together, or neither.")
        return None
    if sample_weight is not None and not np.any(sample_weight):
        raise ValueError("sample_weight_val must contain at least one non-zero number.")
    rows = validated_rows(estimator, X, y, sample_weight, reset=False)
    return rows.take(np.flatnonzero(rows.weight))


def pieces_of(X, y, sample_weight):
    """Return collections of dask as `Pieces`, and all else as it is."""
    if isinstance(X, Pieces) and not (y is None and sample_weight is None):
        raise ValueError("Pieces hold targets and weights. Pass them alone: fit(pieces).")
    return pieces_of_dask(X, y, sample_weight) if is_dask(X) else X


def rows_of_fit(estimator, X, y, sample_weight, validation, last, stream):
    """Return the rows to fit to, and those to validate on; None where there are none.

    Parameters
    ----------
    estimator : DescentEstimator
    X, y, sample_weight
        As in `validated_rows`.
    validation : tuple
        X, y and weights to validate on, as they were given.
    last : LastCall or None
        None where columns are learnt anew.
    stream : bool
        Whether the call is one of `partial_fit`.
    """
    if isinstance(X, Pieces):
        rows = rows_in_pieces(estimator, X, last is None)
    else:
        rows = validated_rows(estimator, X, y, sample_weight, reset=last is None)
    held_out = validation_rows(estimator, *validation)
    if estimator.early_stopping and stream:
        raise ValueError("early_stopping should be False with partial_fit.")
    if isinstance(X, Pieces):
        check_validation(estimator, held_out)
    if estimator.early_stopping and held_out is None:
        seed = new_seed(estimator.random_state)
        return hold_out(rows, estimator.validation_fraction, seed, is_classifier(estimator))
    return rows, held_out


def rows_in_use(estimator, rows, stream):
    """Return rows; distinct ones where steps are taken on all of them.

    A direct solver does not amplify rounding, and may take no longer than to sort the rows.
    """
    descends = not may_solve(estimator, stream)
    is_full = estimator.batch_size is None or estimator.batch_size >= rows.shape[0]
    return rows.distinct() if descends and is_full and not draws_rows(estimator, rows) else rows


def check_validation(estimator, held_out):
    """Refuse to hold out rows that lie in pieces."""
    if estimator.early_stopping and held_out is None:
        raise ValueError("early_stopping=True needs X_val and y_val where rows are in pieces.")


def hold_out(rows, fraction, seed, by_class=False):
    """Return the rows to fit to, and a random share of those with a weight to validate on.

    Parameters
    ----------
    rows : Rows
    fraction : float
        In (0, 1).
    seed : int
    by_class : bool, default=False
        Whether the share of each class is the same, if all have two rows.

    Returns
    -------
    training, validation : Rows
    """
    weighted = np.flatnonzero(rows.weight)
    if weighted.size < 2:
        raise ValueError(
            "early_stopping needs two rows that have a weight, one to fit to and one to validate "
            f"on. Got {weighted.size}."
        )
    classes = rows.y[weighted] if by_class else None
    n_held_out = math.ceil(fraction * weighted.size)
    if by_class:
        counts = np.unique(classes, return_counts=True)[1]
        fits = counts.size <= min(n_held_out, weighted.size - n_held_out)
        classes = classes if fits and counts.min() > 1 else None
    known = {"test_size": fraction, "random_state": seed, "stratify": classes}
    held_out = np.sort(train_test_split(weighted, **known)[1])
    return rows.take(np.setdiff1d(np.arange(len(rows.y)), held_out)), rows.take(held_out)


def feature_names(estimator):
    """Return the names of the columns of X, or x0, x1, ... where they have none."""
    numbered = [f"x{j}" for j in range(estimator.n_features_in_)]
    return list(getattr(estimator, "feature_names_in_", numbered))


def _checked_targets(y, loss):
    """Return y as numbers that the loss has a meaning for."""
    y = np.asarray(y, dtype=float)
    check_range(y.min(), y.max(), loss)
    return y
