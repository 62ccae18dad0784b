"""What data terms share whose prediction is a function of one projection ``w . x``."""

import abc
from functools import cached_property, lru_cache

import numpy as np

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


class ProjectionTerm(DataTerm):
    """The mean loss of a model that sees a row by its projection, wherever the rows are.

    Parameters
    ----------
    shape : tuple of int
        The number of rows, and that of columns.
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
    targets : ndarray
        Those of rows that have a weight, or so many that they stand for all.
    target_square : float
        The weighted mean square of the targets.
    mean_weight : float
        Of the rows.
    n_weighted : int
        Rows that have a weight.
    column_squares : ndarray of shape (p,)
        The mean squares of the columns, seen from the centre; zero for constant ones.
    column_means : ndarray of shape (p,)
    """

    def __init__(self, shape, model, loss, centre, columns):
        self.model, self.loss, self.centre, self.columns = model, loss, centre, columns
        self.n_samples, self.p = shape
        self.n_parameters = self.p + model.n_extra_parameters()
        self.penalized = np.arange(self.n_parameters) < self.p
        self.constant = np.zeros(self.p, dtype=bool) if columns is None else columns.constant
        self.parts, self.linear, self.nonsmooth = (model, loss), model.linear, loss.nonsmooth
        self.affine = is_affine(model)
        self.quadratic = loss.quadratic and self.affine
        self.has_conjugate = loss.conjugate is not None and self.affine

    @abc.abstractmethod
    def square_product(self, v, scale, level):
        """Return the means of ``z (x - centre)`` and of ``z = scale (x - centre) . v + level``."""

    @abc.abstractmethod
    def column_products(self):
        """Return the products of the columns with each other, and with one; None if too many."""

    @abc.abstractmethod
    def hessian(self, theta):
        """Return the second derivatives of the mean loss, of shape (d, d)."""

    @abc.abstractmethod
    def loss_terms_at_zero(self):
        """Return what `mean_loss_terms` returns, where all is predicted as zero."""

    def square_slope_at_zero(self):
        """Return the mean square of the slopes of the losses, where all is predicted as zero."""
        return self.loss_terms_at_zero()[3]

    @abc.abstractmethod
    def jacobian_factor(self, theta, by_curvature=False):
        """Return the derivatives of the predictions, weighted, as far as products tell of them.

        Parameters
        ----------
        theta : ndarray of shape (d,)
        by_curvature : bool, default=False
            Whether the weights are multiplied by the second derivatives of the losses.

        Returns
        -------
        J : ndarray of shape (m, d)
            ``J^T J`` is the weighted mean of the products of the derivatives.
        square, precision : float
            The weighted mean square of the slopes of the losses, and the mean of those weights.
        """

    @abc.abstractmethod
    def curve_differences(self, thetas):
        """Return the mean squared differences of the predictions at some parameters."""

    @abc.abstractmethod
    def projection_range(self, v):
        """Return the smallest and the largest ``(x - centre) . v``."""

    @abc.abstractmethod
    def weighted_rows(self, numbers):
        """Return X, targets and weights of rows, as those that have a weight are counted."""

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

    def curvature(self, units=None):
        return self.bounds.largest if units is None else self.bounds.largest_in(units)

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
        steepness = np.sqrt(self.square_slope_at_zero() / self.bounds.loss)
        return min(unit, steepness) if steepness > 0.0 else unit

    def variance_share(self):
        return np.append(self.spread_share, np.ones(self.n_parameters - self.p))

    def rounding_squares(self):
        squares = self.bounds.diagonal.copy()
        squares[: self.p] += 0.0 if self.centre is None else self.centre**2
        return squares, self.target_square

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
