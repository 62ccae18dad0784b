"""Validated rows in memory, with their targets and weights."""

from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
from scipy import sparse

from skgd.estimators._sklearn import check_sample_weight, take_rows
from skgd.estimators.distinct_rows import distinct_rows
from skgd.estimators.validation import canonical
from skgd.kernels.moments import SMALL, columns_of, means_and_variances
from skgd.kernels.rows import are_even, even_weights
from skgd.kernels.sums import predictions
from skgd.objective.best_constant import fit_constant
from skgd.objective.rowwise import RowwiseTerm

AT_ONCE = 2**22  # predictions


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
    given_weight : ndarray of shape (n,), or None
        The weights of small data as they were given; None where none were.
    merged : int
        The rows that had a weight before equal ones became one; zero where none did.
    """

    X: object
    y: np.ndarray
    weight: np.ndarray
    total: float
    weighted: bool = False
    frame: object = None
    moments: tuple = ()
    given_weight: np.ndarray | None = None
    merged: int = 0

    def with_moments(self):
        """Return the rows with the moments of their columns, which take one reading of X."""
        if self.moments:
            return self
        return self._replace(moments=means_and_variances(self.X, self.weight))

    def columns(self, intercept):
        """Return the `Columns` of X; without an intercept none counts as constant."""
        return columns_of(self.X, self.weight, *self.with_moments().moments, intercept)

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
            given_weight=None if self.given_weight is None else self.given_weight[index],
        )

    def distinct(self):
        """Return the distinct rows of small data, by `distinct_rows`; all if they are one."""
        if self.X.shape[0] * self.X.shape[1] > SMALL:
            return self
        given = self.weight if self.given_weight is None else self.given_weight
        with np.errstate(over="ignore"):
            X, y, weight = distinct_rows(self.X, self.y, given)
            one = len(y) == 1 or not weight.sum() < np.inf
        return self if one else weighed_rows(X, y, weight)._replace(merged=self.n_weighted)

    def squared_errors(self, coef, intercept):
        """Return the mean squared errors of many coefficients, some at a time.

        Parameters
        ----------
        coef : ndarray of shape (C, n_targets, p)
        intercept : ndarray of shape (C, n_targets)

        Returns
        -------
        ndarray of shape (C, n_targets)
        """
        (C, n_targets, _), n = coef.shape, len(self.y)
        at_once, errors = max(1, AT_ONCE // n), np.empty((C, n_targets))
        with np.errstate(all="ignore"):
            for k, y in enumerate(self.targets):
                for start in range(0, C, at_once):
                    some = slice(start, start + at_once)
                    left = predictions(self.X, np.ascontiguousarray(coef[some, k].T))
                    left += intercept[some, k]
                    left -= y[:, None]
                    errors[some, k] = self.weight @ (left * left) / n
        return errors

    @property
    def shape(self):
        """The number of rows, and that of columns."""
        return self.X.shape

    @property
    def dtype(self):
        """Of X."""
        return self.X.dtype

    @property
    def is_sparse(self):
        """Whether X is sparse."""
        return sparse.issparse(self.X)

    @property
    def is_single(self):
        """Whether y has one dimension."""
        return self.y.ndim == 1

    @property
    def n_weighted(self):
        """How many rows have a weight, as they were given."""
        return self.merged or np.count_nonzero(self.weight)

    @property
    def levels(self):
        """The mean of each target; that of equal ones is no different."""
        targets, weighted = self.targets, self.weight > 0.0
        levels = targets @ self.weight / len(self.weight)
        same = np.ptp(targets if are_even(self.weight) else targets[:, weighted], axis=1) == 0.0
        return np.where(same, targets[:, np.argmax(weighted)], levels)

    def held(self):
        """Hold nothing for a fit, as the rows are in memory."""
        return nullcontext()

    def constants(self, loss, fitted):
        """Return the best constant prediction of each target, a `ConstantFit`."""
        return [fit_constant(loss, target, self.weight, fitted) for target in self.targets]

    def terms(self, model, loss, centre, columns, offsets):
        """Return the data term of each target, seen from its offset."""
        targets = self.targets
        if np.count_nonzero(offsets):
            targets = targets - offsets[:, None]
        known = self.weight, model, loss, centre, columns
        return [RowwiseTerm(self.X, target, *known) for target in targets]


def weighed_rows(X, y, sample_weight, frame=None, moments=()):
    """Return rows with weights of mean one."""
    weight, total, given = even_weights(len(y)), float(len(y)), None
    if sample_weight is not None:
        known = {"dtype": np.float64, "ensure_non_negative": True}
        given = check_sample_weight(sample_weight, X, **known)
        weight, total = _mean_one(given)
        weight = even_weights(len(y)) if weight.min() == weight.max() else weight
    is_small = X.shape[0] * X.shape[1] <= SMALL
    known = frame, moments, given if is_small else None
    return Rows(X, y, weight, total, sample_weight is not None, *known)


def _mean_one(given):
    """Return weights with mean one, and the sum of those given."""
    if not given.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    largest = given.max()
    weight = given / largest
    total = float(largest) * float(weight.sum())
    weight /= weight.mean()
    return weight, total
