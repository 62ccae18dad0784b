"""The data of a fit: validated rows, and the split into those fitted to and those validated on."""

import math
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted, validate_data

from skgd.estimators._sklearn import check_sample_weight, take_rows
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.plain_arrays import are_plain, learn_columns
from skgd.estimators.seeds import new_seed
from skgd.estimators.validation import canonical, checked_matrix, refuse_masked
from skgd.kernels.moments import columns_of, means_and_variances
from skgd.kernels.rows import even_weights

DTYPES = [np.float64, np.float32]


class Rows(NamedTuple):
    """Validated rows with their targets and weights.

    Attributes
    ----------
    X : ndarray in C or F order, or canonical CSR or CSC matrix, of shape (n, p)
    y : ndarray of shape (n,) or (n, n_targets), float64
    weight : ndarray of shape (n,)
        Of mean one.
    total : float
        The sum of the weights as they were given.
    weighted : bool
        Whether weights were given.
    frame : pandas or polars DataFrame, or None
        X as it was given, if its columns have names.
    moments : tuple of two ndarray of shape (p,), or ()
        The means and variances of the columns, where they are known.
    """

    X: object
    y: np.ndarray
    weight: np.ndarray
    total: float
    weighted: bool = False
    frame: object = None
    moments: tuple = ()

    def columns(self, intercept):
        """Return the `Columns` of X; without an intercept none counts as constant."""
        moments = self.moments or means_and_variances(self.X, self.weight)
        return columns_of(self.X, *moments, intercept)

    @property
    def targets(self):
        """The targets one by one, of shape (n_targets, n)."""
        return np.ascontiguousarray(self.y.reshape(len(self.y), -1).T)

    @property
    def given(self):
        """X as it was given, if its columns have names, else as it is read."""
        return self.X if self.frame is None else self.frame

    @property
    def weight_options(self):
        """The weights that were given, as an option of scikit-learn's functions."""
        return {"sample_weight": self.weight} if self.weighted else {}

    def target(self, k):
        """Return the rows with one of their targets."""
        return self._replace(y=self.y if self.y.ndim == 1 else np.ascontiguousarray(self.y[:, k]))

    def scaled(self, scale):
        """Return the rows with copies of their columns, divided by a scale."""
        if sparse.issparse(self.X):
            X = canonical((self.X @ sparse.diags(1.0 / scale)).asformat(self.X.format))
        else:
            X = self.X / scale
        return self._replace(X=X.astype(self.X.dtype, copy=False), frame=None, moments=())

    def take(self, index):
        """Return some of the rows; those that follow each other are not copied."""
        first, n = index[0] if len(index) else 0, len(self.y)
        run = np.array_equal(index, np.arange(first, first + len(index)))
        if run and len(index) == n:
            return self
        in_place = run and not sparse.issparse(self.X) and self.X.flags.c_contiguous
        kept = self.weight[index]
        return Rows(
            self.X[first : first + len(index)] if in_place else self.X[index],
            self.y[index],
            kept / kept.mean() if self.weighted else even_weights(len(index)),
            self.total * kept.sum() / self.weight.sum(),
            self.weighted,
            None if self.frame is None else take_rows(self.frame, index),
        )


def validated_rows(estimator, X, y, sample_weight, reset=True):
    """Return rows in a form that is read in place, if they and the targets can be fitted to.

    Parameters
    ----------
    estimator : estimator
        That knows, or with ``reset`` learns, the number and the names of the columns.
    X : {array-like, sparse matrix} of shape (n, p)
    y : array-like of shape (n,) or (n, n_targets)
    sample_weight : array-like of shape (n,), float or None
    reset : bool, default=True

    Returns
    -------
    Rows

    Raises
    ------
    ValueError
        For what is not finite, does not fit together, or has no meaning under the loss.
    """
    frame = X if type(X).__module__.partition(".")[0] in ("pandas", "polars") else None
    refuse_masked(sample_weight, "sample_weight")
    if reset and are_plain(X, y):
        learn_columns(estimator, X.shape[1])
    else:
        X, y = _converted(estimator, X, y, reset)
    y = _checked_targets(y, part_of(estimator, "loss"))
    weight, total = even_weights(len(y)), float(len(y))
    if sample_weight is not None:
        weight, total = _mean_one(sample_weight, X)
        weight = even_weights(len(y)) if weight.min() == weight.max() else weight
    moments = means_and_variances(X, weight)
    if not np.isfinite(moments[0]).all():
        assert_all_finite(X, estimator_name=type(estimator).__name__, input_name="X")
    return Rows(X, y, weight, total, sample_weight is not None, frame, moments)


def _mean_one(sample_weight, X):
    """Return weights with mean one, and the sum of those given."""
    weight = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    largest = weight.max()
    weight = weight / largest
    total = float(largest) * float(weight.sum())
    weight /= weight.mean()
    return weight, total


def _converted(estimator, X, y, reset):
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
    rows = validated_rows(estimator, X, y, sample_weight, reset=last is None)
    held_out = validation_rows(estimator, *validation)
    if estimator.early_stopping and stream:
        raise ValueError("early_stopping should be False with partial_fit.")
    if estimator.early_stopping and held_out is None:
        seed = new_seed(estimator.random_state)
        return hold_out(rows, estimator.validation_fraction, seed, is_classifier(estimator))
    return rows, held_out


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
    largest = max(y.max(), -y.min(), 0.0)
    if not (largest == 0.0 or 1e-140 < largest < 1e140):
        raise ValueError(
            f"The entries of y are too {'large' if largest > 1.0 else 'small'} for their squares "
            f"to be numbers: the largest is {largest:.1e}. Scale y."
        )
    if y.min() < loss.min_target:
        raise ValueError(
            f"Some values of y are below {loss.min_target:g}, the lowest that the loss "
            f"{type(loss).__name__} has a meaning for."
        )
    return y
