"""The data term of models whose prediction is a function of one projection ``w . x``."""

from functools import cached_property, lru_cache, partial

import numpy as np
from scipy import sparse

from skgd.engines.threads import in_pieces
from skgd.kernels.accumulate import RowKernel, build_accumulate
from skgd.kernels.compiling import compiled_code
from skgd.kernels.moments import column_means, column_squares, in_range
from skgd.kernels.problem import RowData
from skgd.kernels.row_kernels import (
    loss_terms,
    mean_loss_terms,
    model_predictions,
    prediction_gradients,
)
from skgd.kernels.rows import are_even, row_weights, rows_of
from skgd.kernels.sums import gram, matvec, rmatvec
from skgd.objective.curvature import Curvature
from skgd.objective.data_term import DataTerm

ROUNDING = 8.0 * np.finfo(float).eps  # of the length of a column
FAR = 1e-6  # spread of a column, as a share of its centre, below which rows are shifted first


@lru_cache
def is_affine(model):
    """Whether a model predicts ``w . x``, plus an intercept if it has another parameter."""
    n_extra, extra = model.n_extra_parameters(), np.ones(1)
    if not model.linear or n_extra > 1:
        return False
    values = model.value(0.0, extra[:n_extra], 0), model.slope(0.0, extra[:n_extra], 0)
    return values == (n_extra, 1.0)


class RowwiseTerm(DataTerm):
    """The mean loss of a model that sees a row by its projection.

    Parameters
    ----------
    X : ndarray of shape (n, p), in C or F order, csr_matrix or csc_matrix
        float32 or float64.
    y : ndarray of shape (n,), float64
    weight : ndarray of shape (n,), float64
        Of the rows, with mean one.
    model, loss : Model, Loss
    centre : ndarray of shape (p,) or None
        What is subtracted from every row; None for nothing. X itself is not touched.
    columns : Columns or None
        What is known of the columns, None for nothing. Those that are constant have no curvature,
        no slope, and a weight of zero.

    Attributes
    ----------
    p : int
        The number of weights, which come first; the model's extra parameters follow.
    """

    def __init__(self, X, y, weight, model, loss, centre=None, columns=None):
        self.X, self.y, self.weight, self.model, self.loss = X, y, weight, model, loss
        self.centre, self.columns, self.nonsmooth = centre, columns, loss.nonsmooth
        self.n_samples, self.p = X.shape
        self.n_parameters = self.p + model.n_extra_parameters()
        self.penalized = np.arange(self.n_parameters) < self.p
        self.constant = np.zeros(self.p, dtype=bool) if columns is None else columns.constant
        self.parts, self.linear = (model, loss), model.linear
        self.affine, self.sparse = is_affine(model), sparse.issparse(X)
        self.quadratic = loss.quadratic and self.affine
        self.by_columns = not self.sparse and not X.flags.c_contiguous
        self.has_conjugate = loss.conjugate is not None and self.affine

    def centred(self, model):
        """Return the term of a model without intercept, seen from the means of rows and y."""
        means = self.column_means if self.columns is None else self.columns.mean
        y = self.y - self.weight @ self.y / self.n_samples
        known = {"centre": means, "columns": self.columns}
        return RowwiseTerm(self.X, y, self.weight, model, self.loss, **known)

    @cached_property
    def data(self):
        """What compiled code reads."""
        shift = np.zeros(0) if self.centre is None else self.centre
        X = self.X.tocsr() if self.sparse else self.X
        return RowData(rows_of(X), self.y, *row_weights(self.weight), shift, self.p)

    @cached_property
    def kernel(self):
        """What compiled code is made of."""
        return RowKernel(type(self.model), type(self.loss), type(self.data.rows))

    @property
    def name(self):
        return type(self.loss).__name__

    @property
    def is_bounded(self):
        """Whether the loss has a bound of its curvature, or an estimate."""
        return self.bounds.known

    def settings(self):
        parts = (f"{type(part).__module__}.{part!r}" for part in (self.model, self.loss))
        return *parts, self.centre is not None

    def value_and_gradient(self, theta):
        """Return the mean loss, and its gradient."""
        g = np.zeros(self.n_parameters)
        with compiled_code():
            task, found = self.sums(theta, theta, g)
            task()
        return float(found[0]), g

    def sums(self, theta, iterate, g):
        accumulate = build_accumulate(*self.kernel)
        other = np.zeros(0) if iterate is theta else iterate
        arguments = self.model, self.loss, self.data, theta, other
        entries = self.X.nnz if self.sparse else self.X.size
        return in_pieces(partial(accumulate.calls, arguments), self.n_samples, entries, g)

    def accumulate(self, theta, rows, g, buffers):
        z = self.matvec(theta[: self.p])[rows]
        extra, weight = theta[self.p :], self.weight[rows] / len(rows)
        f = model_predictions(self.model, z, extra)
        value, slope, _ = loss_terms(self.loss, f, self.y[rows])
        slopes = (weight * slope)[:, None] * prediction_gradients(self.model, z, extra)
        u = np.bincount(rows, slopes[:, 0], minlength=self.n_samples)
        g[: self.p] += rmatvec(self.X, u, self.centre, self.far)
        g[self.p :] += slopes[:, 1:].sum(axis=0)
        return weight @ value

    def matvec(self, v):
        """Return ``(x_i - centre) . v`` for every row, v having p entries."""
        return matvec(self.X, v, self.centre, self.far)

    def rmatvec(self, u):
        """Return the weighted mean of ``u_i (x_i - centre)`` over the rows."""
        return self.unweighted_rmatvec(u if are_even(self.weight) else self.weight * u)

    def unweighted_rmatvec(self, u):
        """Return the mean of ``u_i (x_i - centre)``; zero for constant columns."""
        g = rmatvec(self.X, u, self.centre, self.far) / self.n_samples
        g[self.constant] = 0.0
        return g

    def predict(self, theta):
        """Return f for every row."""
        if self.affine:
            f = self.matvec(theta[: self.p])
            f += theta[self.p :].sum()
            return f
        return model_predictions(self.model, self.matvec(theta[: self.p]), theta[self.p :])

    def curvature(self, units=None):
        return self.bounds.largest if units is None else self.bounds.largest_in(units)

    def row_curvature(self, units=None):
        bounds = self.bounds
        return bounds.largest_of_a_row if units is None else bounds.largest_of_a_row_in(units)

    def diagonal_curvature(self):
        return self.bounds.diagonal

    def curvature_along(self, v):
        return v @ self.bounds.product(v)

    def residual_unit(self, null_objective):
        """Return the unit of slopes over the root of their curvature.

        The root of twice what a fit can gain. A loss whose slope is bounded, as Huber's, is not
        that steep far out: so no more than the slopes that a prediction of zero has.
        """
        unit = np.sqrt(2.0 * null_objective)
        if self.loss.quadratic:
            return unit
        square = mean_loss_terms(self.loss, 0.0, self.y, self.weight)[3]
        steepness = np.sqrt(square / self.bounds.loss)
        return min(unit, steepness) if steepness > 0.0 else unit

    def variance_share(self):
        return np.append(self.spread_share, np.ones(self.n_parameters - self.p))

    def rounding_squares(self):
        squares = self.bounds.diagonal.copy()
        squares[: self.p] += 0.0 if self.centre is None else self.centre**2
        return squares, self.y @ self.y / self.n_samples

    def gram(self):
        return gram(self.X, self.weight, self.centre, self.column_squares)[0]

    @cached_property
    def bounds(self):
        """What is known of the second derivatives."""
        return Curvature(self)

    @cached_property
    def far(self):
        """Whether a column's spread would be lost beside its centre, were that taken off later."""
        if self.columns is None or self.centre is None:
            return False
        spread = FAR * np.abs(self.centre) > np.sqrt(self.columns.variance)
        return bool((spread & ~self.constant).any())

    @cached_property
    def spread_share(self):
        """The variance of each column over its square from the centre; 1 where that is nothing."""
        share = np.ones(self.p)
        if self.columns is not None and self.columns.mean is not self.centre:
            squares, spread = self.column_squares, self.columns.variance
            told = spread > ROUNDING**2 * squares
            share[told] = spread[told] / squares[told]
        return share

    @cached_property
    def column_squares(self):
        """The mean squares of the columns, seen from the centre; zero for constant ones."""
        if self.columns is None:
            with np.errstate(over="ignore", invalid="ignore"):
                return in_range(self.X, column_squares(self.X, self.weight, self.centre))
        if self.columns.mean is self.centre:
            return np.where(self.constant, 0.0, self.columns.variance)
        away = self.columns.mean - (0.0 if self.centre is None else self.centre)
        with np.errstate(over="ignore"):
            squares = np.where(self.constant, 0.0, self.columns.variance + away**2)
        return in_range(self.X, squares, self.columns.mean)

    @cached_property
    def column_means(self):
        """The weighted mean of every column."""
        return column_means(self.X, self.weight) if self.columns is None else self.columns.mean
