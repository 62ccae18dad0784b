"""The data term of models whose prediction is a function of one projection ``w . x``."""

from functools import cached_property, partial

import numpy as np
from scipy import sparse

from skgd.engines.threads import in_pieces
from skgd.kernels.accumulate import RowKernel, build_accumulate
from skgd.kernels.compiling import compiled_code
from skgd.kernels.loss_kernels import mean_loss_terms
from skgd.kernels.moments import column_means, column_squares, in_range
from skgd.kernels.problem import RowData
from skgd.kernels.row_kernels import (
    loss_terms,
    model_predictions,
    prediction_gradients,
)
from skgd.kernels.rows import are_even, row_weights, rows_of
from skgd.kernels.sums import gram, matvec, rmatvec
from skgd.kernels.vectors import mean_square
from skgd.objective import second_order
from skgd.objective.piece_curves import squared_differences
from skgd.objective.projection import ProjectionTerm

MAX_GRAM_COLUMNS = 160  # up to which their products cost less than those of ten vectors with X


class RowwiseTerm(ProjectionTerm):
    """The mean loss of a model that sees a row by its projection.

    Parameters
    ----------
    X : ndarray of shape (n, p), in C or F order, csr_matrix or csc_matrix
        float32 or float64.
    y : ndarray of shape (n,), float64
    weight : ndarray of shape (n,), float64
        Of the rows, with mean one.
    model, loss, centre, columns
        As in `ProjectionTerm`.
    """

    def __init__(self, X, y, weight, model, loss, centre=None, columns=None):
        super().__init__(X.shape, model, loss, centre, columns)
        self.X, self.y, self.weight, self.sparse = X, y, weight, sparse.issparse(X)
        self.by_columns = not self.sparse and not X.flags.c_contiguous

    def centred(self, model):
        """Return the term of a model without intercept, seen from the means of rows and y."""
        means = self.column_means if self.columns is None else self.columns.mean
        y = self.y - self.weight @ self.y / self.n_samples
        known = {"centre": means, "columns": self.columns}
        return RowwiseTerm(self.X, y, self.weight, model, self.loss, **known)

    def seen_from_means(self):
        """Return the term of the same rows less the means of their columns."""
        known = self.model, self.loss, self.columns.mean, self.columns
        return RowwiseTerm(self.X, self.y, self.weight, *known)

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

    def row_curvature(self, units=None):
        bounds = self.bounds
        return bounds.largest_of_a_row if units is None else bounds.largest_of_a_row_in(units)

    @property
    def targets(self):
        return self.y if are_even(self.weight) else self.y[self.weight > 0.0]

    @property
    def target_square(self):
        return mean_square(self.weight, self.y)

    @property
    def mean_weight(self):
        return self.weight.mean()

    def hessian(self, theta):
        """Return the second derivatives of the mean loss."""
        return second_order.data_hessian(self, theta)

    def jacobian_factor(self, theta, by_curvature=False):
        weight, f = self.weight / self.n_samples, self.predict(theta)
        _, slope, second = loss_terms(self.loss, f, self.y)
        square = float(weight @ slope**2)
        weight = weight * second if by_curvature else weight
        J = np.sqrt(weight)[:, None] * second_order.jacobian(self, theta)
        return J, square, float(weight.sum())

    def curve_differences(self, thetas):
        return squared_differences([*map(self.predict, thetas)]) / self.n_samples

    def projection_range(self, v):
        z = self.matvec(v)
        return np.array([z.min(), z.max()])

    @property
    def n_weighted(self):
        return np.count_nonzero(self.weight)

    def weighted_rows(self, numbers):
        rows = np.flatnonzero(self.weight)[numbers]
        return self.X[rows], self.y[rows], self.weight[rows]

    def loss_terms_at_zero(self):
        return mean_loss_terms(self.loss, 0.0, self.y, self.weight)

    def square_product(self, v, scale, level):
        z = self.matvec(v)
        z *= scale
        z += level
        return self.rmatvec(z), self.weight @ z / z.size

    def column_products(self):
        """Return what takes one reading of the data, where products with vectors take two each.

        It is None where those cost less, and where rows are not seen from zero or the means.
        """
        if self.sparse or not self.p <= min(MAX_GRAM_COLUMNS, self.n_samples):
            return None
        if self.centre is not None and self.centre is not self.column_means:
            return None
        moves = ~self.constant
        means = self.column_means - (0.0 if self.centre is None else self.centre)
        return self.gram() * np.outer(moves, moves), means * moves

    def gram(self):
        return gram(self.X, self.weight, self.centre, self.column_squares)[0]

    @cached_property
    def column_squares(self):
        """The mean squares of the columns, seen from the centre; zero for constant ones."""
        if self.columns is None:
            with np.errstate(over="ignore", invalid="ignore"):
                squares = column_squares(self.X, self.weight, self.centre)
                return in_range(self.X, self.weight, squares)
        if self.columns.mean is self.centre:
            return np.where(self.constant, 0.0, self.columns.variance)
        away = self.columns.mean - (0.0 if self.centre is None else self.centre)
        with np.errstate(over="ignore"):
            squares = np.where(self.constant, 0.0, self.columns.variance + away**2)
        return in_range(self.X, self.weight, squares, self.columns.mean)

    @cached_property
    def column_means(self):
        """The weighted mean of every column."""
        return column_means(self.X, self.weight) if self.columns is None else self.columns.mean
