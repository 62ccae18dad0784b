"""The objective on given data: its value, its slope, and what is known of its shape.

``F(theta) = 1/W sum_i s_i loss(f(theta; x_i), y_i) + alpha Omega(w)``. Sums over rows run
through the same compiled functions as the descent; what concerns the matrix alone is
linear algebra.
"""

from functools import cached_property

import numpy as np

from skgd.descent.loop import build_accumulate
from skgd.kernels.compiling import compiled_code
from skgd.kernels.problem import Data, Parts, State
from skgd.kernels.row_kernels import loss_terms
from skgd.kernels.rows import rows_of
from skgd.kernels.sums import column_means, column_squares, in_range, matvec, rmatvec, row_squares
from skgd.objective.duality import certify
from skgd.objective.matrix import lanczos_bound
from skgd.objective.second_order import RowDerivatives

ROUNDING = 8.0 * np.finfo(float).eps  # of the lengths of a column and of the residual's terms
NOTICED = 1e-18  # of the square of a column: an l2 part that changes it
FAR = 1e-6  # spread of a column, as a share of its centre, below which rows are shifted first


class Objective(RowDerivatives):
    """F, for one target.

    Parameters
    ----------
    X : ndarray of shape (n, p), C-ordered, or csr_matrix
        float32 or float64.
    y : ndarray of shape (n,), float64
    weight : ndarray of shape (n,), float64
        Of the rows, with mean one.
    model, loss, penalty : Model, Loss, Penalty
    alpha : float
        Strength of the penalty.
    shares : ndarray of shape (p,) or None
        Of alpha, for each weight; None for one.
    positive : bool
        Whether no weight may be negative.
    centre : ndarray of shape (p,) or None
        What is subtracted from every row; None for nothing. X itself is not touched.
    columns : Columns or None
        What is known of the columns, None for nothing. Those that are constant have no curvature,
        no slope, and a weight of zero.
    null : float
        The objective of the best constant prediction, the unit of what a fit can gain.

    Attributes
    ----------
    n, p, d : int
        Rows, columns, and parameters: p weights, then the model's others.
    """

    def __init__(
        self,
        X,
        y,
        weight,
        *,
        model,
        loss,
        penalty,
        alpha,
        penalty_factor=None,
        positive=False,
        centre=None,
        columns=None,
        null_objective=1.0,
    ):
        self.X, self.y, self.weight = X, y, weight
        self.model, self.loss, self.penalty, self.alpha = model, loss, penalty, float(alpha)
        self.penalty_factor, self.positive, self.centre, self.null_objective = (
            penalty_factor,
            positive,
            centre,
            null_objective,
        )
        (self.n, self.p), self.d = X.shape, X.shape[1] + model.n_extra_parameters()
        self.columns = columns
        self.constant = np.zeros(self.p, dtype=bool) if columns is None else columns.constant
        floor = np.full(self.d, -np.inf)
        floor[: self.p] = 0.0 if positive else -np.inf
        shift = np.zeros(0) if centre is None else centre
        held = np.flatnonzero(self.constant)
        self.data = Data(
            rows_of(X), y, weight, shift, self._penalty_strength(), floor, held, self.p
        )

    def with_alpha(self, alpha):
        """Return the objective for another alpha, with all that is known of the data term."""
        other = Objective.__new__(Objective)
        vars(other).update(vars(self), alpha=float(alpha))
        other.data = self.data._replace(penalty_strength=other._penalty_strength())
        for known in ("elastic_strengths", "resolved_strengths"):
            vars(other).pop(known, None)
        return other

    def _penalty_strength(self):
        """Return the strength of the penalty on each parameter."""
        penalty_strength = np.zeros(self.d)
        penalty_strength[: self.p] = (
            self.alpha if self.penalty_factor is None else self.alpha * self.penalty_factor
        )
        return penalty_strength

    @cached_property
    def elastic_strengths(self):
        """The strengths of the l1 and of the l2 part for each weight; None for other penalties."""
        elastic, penalty_strength = self.penalty.elastic(), self.data.penalty_strength[: self.p]
        return (
            None
            if elastic is None
            else (elastic[0] * penalty_strength, elastic[1] * penalty_strength)
        )

    @cached_property
    def resolved_strengths(self):
        """The same, without l2 parts that no sum of squares of their columns would notice.

        The minimum is then lower, by nothing that can be told; and no number is divided by them.
        """
        a, b = self.elastic_strengths
        return a, np.where(b < NOTICED * self.column_squares, 0.0, b)

    @property
    def quadratic(self):
        """Whether the data term is a quadratic function, with closed forms and a dual."""
        return self.loss.quadratic and self.model.linear

    def admissible(self, theta):
        """Return parameters with their bounds kept, and constant columns left out."""
        theta = np.maximum(theta, self.data.floor)
        self.drop_constant(theta)
        return theta

    def drop_constant(self, *parameters):
        """Set the weights of constant columns to zero, in place."""
        for theta in parameters:
            theta[: self.p][self.constant] = 0.0

    def matvec(self, v):
        """Return ``(x_i - centre) . v`` for every row, v having p entries."""
        return matvec(self.X, v, self.centre, self._far)

    def rmatvec(self, u):
        """Return the weighted mean of ``u_i (x_i - centre)`` over the rows."""
        return self._rmatvec(self.weight * u)

    def _rmatvec(self, u):
        u = u / self.n
        g = rmatvec(self.X, u, self.centre, self._far)
        g[self.constant] = 0.0
        return g

    def as_parameters(self, theta, name="theta"):
        """Return d parameters as float64; compiled code does not ask how many there are."""
        theta = np.asarray(theta)
        if theta.shape != (self.d,) or theta.dtype.kind not in "fiu":
            raise ValueError(
                f"{name} must be an array of {self.d} numbers: {self.p} weights and "
                f"{self.d - self.p} other parameters. Got one of shape {theta.shape} and type "
                f"{theta.dtype}."
            )
        return np.ascontiguousarray(theta, dtype=float)

    def data_term(self, theta):
        """Return the mean loss, and its gradient."""
        theta = self.as_parameters(theta)
        accumulate = build_accumulate(type(self.model), type(self.loss), type(self.data.rows))
        parts = Parts(self.model, self.loss, (), ())
        state, g = State(*((),) * len(State._fields)), np.zeros(self.d)
        with compiled_code():
            total, _ = accumulate(parts, self.data, state, theta, theta, g, 0, self.n)
        return total, g

    def penalty_term(self, theta):
        """Return ``alpha Omega(w)``."""
        theta = self.as_parameters(theta)
        w, penalty_strength = theta[: self.p], self.data.penalty_strength[: self.p]
        if self.elastic_strengths is None:
            return float(penalty_strength @ [*map(self.penalty.value, w.tolist())])
        with np.errstate(over="ignore", invalid="ignore"):
            return float(
                self.elastic_strengths[0] @ np.abs(w) + 0.5 * self.elastic_strengths[1] @ (w * w)
            )

    def value(self, theta):
        """Return F."""
        return self.data_term(theta)[0] + self.penalty_term(theta)

    def value_and_gradient(self, theta):
        """Return F, and the gradient of all but what the penalty leaves to its prox."""
        theta = self.as_parameters(theta)
        total, g = self.data_term(theta)
        w, penalty_strength = theta[: self.p], self.data.penalty_strength[: self.p]
        if self.elastic_strengths is None:
            g[: self.p] += penalty_strength * [*map(self.penalty.gradient, w.tolist())]
        else:
            g[: self.p] += self.elastic_strengths[1] * w
        return total + self.penalty_term(theta), g

    @cached_property
    def _far(self):
        """Whether a column's spread would be lost beside its centre, were that taken off later."""
        if self.columns is None or self.centre is None:
            return False
        spread = FAR * np.abs(self.centre) > np.sqrt(self.columns.variance)
        return bool((spread & ~self.constant).any())

    @cached_property
    def spread_share(self):
        """The variance of each column over its square from the centre; 1 where that is nothing."""
        share = np.ones(self.p)
        if self.columns is not None:
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
        away = self.columns.mean - (0.0 if self.centre is None else self.centre)
        with np.errstate(over="ignore"):
            squares = np.where(self.constant, 0.0, self.columns.variance + away**2)
        return in_range(self.X, squares, self.columns.mean)

    @cached_property
    def column_curvature(self):
        """Bounds of the second derivatives on the diagonal, one for each parameter."""
        diagonal_curvature = np.ones(self.d - self.p)
        if not self._unbounded:
            diagonal_curvature = np.array(self.model.diagonal_curvature(self.loss, self._targets))
        bound = diagonal_curvature[0] if diagonal_curvature.size else self._row_loss_curvature
        curvature = self.model.projection_scale**2 * bound * self.column_squares
        return np.concatenate([curvature, self.weight.mean() * diagonal_curvature])

    @cached_property
    def row_curvature(self):
        """The largest curvature of a single row's loss."""
        centre = np.zeros(self.p) if self.centre is None else self.centre
        if self.columns is not None:
            centre = np.where(self.constant, self.columns.mean, centre)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = self.model.projection_scale**2 * row_squares(self.X, centre)
        return float((self._curvatures * (squares + (self.d > self.p))).max())

    @cached_property
    def curvature(self):
        """The largest curvature of the data term: an upper bound, within a percent."""
        moves = np.append(~self.constant, np.ones(self.d - self.p, dtype=bool))

        def multiply(v):
            whole = np.zeros(self.d)
            whole[moves] = v
            return self._hessian_vector_product(whole)[moves]

        return lanczos_bound(multiply, np.count_nonzero(moves)) if moves.any() else 0.0

    @cached_property
    def loss_curvature(self):
        """The second derivative of the loss to reckon with: a bound, or the best that is known."""
        loss = self.loss
        bound = (
            loss.curvature_estimate(self._targets) if loss.curvature is None else loss.curvature
        )
        return 1.0 if bound is None else bound

    @property
    def prediction_scale(self):
        """The length, in the unit of f, over which that bend rises by what there is to gain."""
        return np.sqrt(2.0 * self.null_objective / self.loss_curvature)

    @cached_property
    def residual_unit(self):
        """What the residual's entries are measured in, beside the roots of their curvatures.

        The root of twice what is to gain. No loss is that steep far out whose slope is bounded,
        as Huber's is: so no more than the slopes that a prediction of zero has.
        """
        unit = np.sqrt(2.0 * self.null_objective)
        if self.loss.quadratic:
            return unit
        slopes = loss_terms(self.loss, 0.0, self.y)[1]
        steepness = np.sqrt(self.weight @ slopes**2 / (self.n * self.loss_curvature))
        return min(unit, steepness) if steepness > 0.0 else unit

    @cached_property
    def _curvatures(self):
        """A bound on the second derivatives of each row's share of the data term, times n.

        Without a bound of the loss, in its stead a unit to measure residuals in.
        """
        return self.weight * self._row_loss_curvature

    @property
    def _row_loss_curvature(self):
        """The largest second derivative of a loss of the predictions."""
        return 1.0 if self._unbounded else self.model.curvature(self.loss, self._targets)

    @property
    def _targets(self):
        """The targets of rows that have a weight."""
        return self.y[self.weight > 0.0]

    @property
    def _unbounded(self):
        """Whether nothing is known of the curvature of the loss."""
        return self.loss.curvature is None and self.loss.curvature_estimate(self.y) is None

    def _hessian_vector_product(self, v):
        """Return ``H v``, with H a bound on the second derivative of the data term."""
        projection_scale, others = self.model.projection_scale, v[self.p :]
        z = projection_scale * self.matvec(v[: self.p]) + (others[0] if others.size else 0.0)
        u = self._curvatures * z
        rest = self._curvatures.mean() * others
        rest[:1] = u.mean()
        return np.append(projection_scale * self._rmatvec(u), rest)

    def curvature_along(self, v):
        """Return ``v . H v``, H bounding the second derivative of the smooth part."""
        smooth = self.data.penalty_strength * self.penalty.curvature()
        return v @ self._hessian_vector_product(v) + smooth @ (v * v)

    def dual_gap(self, theta, certificate=None):
        """Return F minus a lower bound of its minimum: how far from it theta can be at most.

        For the squared error with an elastic penalty; infinite otherwise.

        Parameters
        ----------
        theta : array-like of shape (d,)
        certificate : Certificate or None
            What a solver has found out about the minimum.
        """
        theta = self.as_parameters(theta)
        if not self.quadratic or self.elastic_strengths is None:
            return np.inf
        return certify(self, theta, certificate).gap

    @cached_property
    def column_means(self):
        """The weighted mean of every column."""
        return column_means(self.X, self.weight) if self.columns is None else self.columns.mean
