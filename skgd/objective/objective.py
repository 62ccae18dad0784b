"""The objective: a data term and a penalty, with value, gradient and duality gap.

``F(theta) = 1/W sum_i s_i loss(f(theta; x_i), y_i) + alpha Omega(w)``.
"""

from functools import cached_property

import numpy as np

from skgd.kernels.problem import Problem
from skgd.kernels.row_kernels import inverse_link, loss_terms
from skgd.objective import data_term, second_order
from skgd.objective.conjugates import certify_by_conjugates
from skgd.objective.duality import certify
from skgd.objective.newton_on_pieces import certify_on_pieces
from skgd.objective.rowwise import RowwiseTerm

NOTICED = 1e-18  # of the square of a column: an l2 part that changes it


def resolved(l2_strength, column_squares):
    """Return the strengths of l2 parts without those that no sum of squares would notice."""
    return np.where(l2_strength < NOTICED * column_squares, 0.0, l2_strength)


def _of_term(name):
    """Return a property that reads an attribute of the data term."""
    return property(lambda objective: getattr(objective.term, name))


class Objective:
    """F, for one target.

    Parameters
    ----------
    term : DataTerm
    penalty : Penalty
    alpha : float
        Strength of the penalty.
    penalty_factor : ndarray of shape (p,) or None
        What alpha is multiplied by for each weight; None for one.
    positive : bool
        Whether no weight may be negative.
    null_objective : float
        The objective of the best constant prediction, the unit of what a fit can gain.

    Attributes
    ----------
    n, p, d : int
        Rows, weights and parameters.
    strengths : ndarray of shape (d,)
        Alpha times the penalty factor; zero for parameters that are not penalised.
    X, y, weight, model, loss, centre, columns, constant
        Those of a `RowwiseTerm`.
    """

    X, y, weight = _of_term("X"), _of_term("y"), _of_term("weight")
    model, loss = _of_term("model"), _of_term("loss")
    centre, columns, constant = _of_term("centre"), _of_term("columns"), _of_term("constant")
    column_squares, column_means = _of_term("column_squares"), _of_term("column_means")
    matvec, rmatvec = _of_term("matvec"), _of_term("rmatvec")
    n, d = _of_term("n_samples"), _of_term("n_parameters")
    quadratic = _of_term("quadratic")

    def __init__(
        self, term, penalty, alpha, *, penalty_factor=None, positive=False, null_objective=1.0
    ):
        self.term, self.penalty, self.positive = term, penalty, positive
        self.penalty_factor, self.null_objective = penalty_factor, null_objective
        self.p = int(np.count_nonzero(term.penalized))
        self._set_alpha(alpha)

    @classmethod
    def of_rows(cls, X, y, weight, *, model, loss, penalty, alpha, **options):
        """Return the objective of a model of one projection, with a `RowwiseTerm`.

        Parameters
        ----------
        X, y, weight, model, loss
            As in `RowwiseTerm`.
        penalty, alpha
            As in `Objective`.
        **options
            Those of both.
        """
        known = {name: options.pop(name, None) for name in ("centre", "columns")}
        return cls(RowwiseTerm(X, y, weight, model, loss, **known), penalty, alpha, **options)

    def with_alpha(self, alpha):
        """Return the objective for another alpha, with all that is known of the data term."""
        other = Objective.__new__(Objective)
        vars(other).update(vars(self))
        for known in ("elastic_strengths", "resolved_strengths", "problem"):
            vars(other).pop(known, None)
        other._set_alpha(alpha)
        return other

    def take(self, rows):
        """Return the objective on some of the rows, which is measured in the same unit."""
        other, term = self.with_alpha(self.alpha), self.term
        weight = term.weight[rows]
        known = term.model, term.loss, term.centre, term.columns
        other.term = RowwiseTerm(term.X[rows], term.y[rows], weight / weight.mean(), *known)
        return other

    def on(self, term):
        """Return the objective on another term of the same rows."""
        other = self.with_alpha(self.alpha)
        other.term = term
        return other

    def _set_alpha(self, alpha):
        """Set what depends on the strength of the penalty."""
        self.alpha, self.strengths = float(alpha), np.zeros(self.d)
        factor = 1.0 if self.penalty_factor is None else self.penalty_factor
        self.strengths[self.term.penalized] = self.alpha * factor

    @cached_property
    def problem(self):
        """What the loop reads of the penalty."""
        constant = np.flatnonzero(self.term.constant)
        return Problem(self.n, self.strengths, self.term.penalized, constant, self.term.fewest)

    @cached_property
    def elastic_strengths(self):
        """The strengths of the l1 and of the l2 part for each weight; None for other penalties."""
        elastic, strengths = self.penalty.elastic(), self.strengths[self.term.penalized]
        return None if elastic is None else (elastic[0] * strengths, elastic[1] * strengths)

    @cached_property
    def resolved_strengths(self):
        """The same, without l2 parts that no sum of squares of their columns would notice.

        The minimum is then lower, by nothing that can be told; and no number is divided by them.
        """
        a, b = self.elastic_strengths
        return a, resolved(b, self.column_squares)

    @property
    def curvature(self):
        """The largest curvature of the data term: an upper bound, within a percent; or None."""
        return self.term.curvature()

    @property
    def row_curvature(self):
        """The largest curvature of a single row's loss, or None."""
        return self.term.row_curvature()

    @property
    def column_curvature(self):
        """Bounds of the second derivatives on the diagonal, one for each parameter, or None."""
        return self.term.diagonal_curvature()

    def admissible(self, theta):
        """Return parameters with their bounds kept, and constant columns left out."""
        theta = np.array(theta, dtype=float)
        self.project_onto_bounds(theta)
        return theta

    def project_onto_bounds(self, *parameters):
        """Keep the bounds of weights, and set those of constant columns to zero, in place."""
        for theta in parameters:
            if self.positive:
                weights = self.term.penalized
                theta[weights] = np.maximum(theta[weights], 0.0)
            theta[np.flatnonzero(self.constant)] = 0.0

    @property
    def prediction_scale(self):
        """The length, in the unit of f, over which the loss rises by what there is to gain."""
        return np.sqrt(2.0 * self.null_objective / self.term.bounds.loss)

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
        if self.term.kernel is None:
            return data_term.value_and_gradient(self.term, theta)
        return self.term.value_and_gradient(theta)

    def penalty_term(self, theta):
        """Return ``alpha Omega(w)``."""
        w = self.as_parameters(theta)[self.term.penalized]
        if self.elastic_strengths is None:
            values = [*map(self.penalty.value, w.tolist())]
            return float(self.strengths[self.term.penalized] @ values)
        a, b = self.elastic_strengths
        with np.errstate(over="ignore", invalid="ignore"):
            return float(a @ np.abs(w) + 0.5 * b @ (w * w))

    def value(self, theta):
        """Return F."""
        return self.data_term(theta)[0] + self.penalty_term(theta)

    def value_and_gradient(self, theta):
        """Return F, and the gradient of all but what the penalty leaves to its prox."""
        theta, weights = self.as_parameters(theta), self.term.penalized
        total, g = self.data_term(theta)
        if self.elastic_strengths is None:
            slopes = [*map(self.penalty.gradient, theta[weights].tolist())]
            g[weights] += self.strengths[weights] * slopes
        else:
            g[weights] += self.elastic_strengths[1] * theta[weights]
        return total + self.penalty_term(theta), g

    def predict(self, theta):
        """Return f for every row."""
        return self.term.predict(self.as_parameters(theta))

    def inverse_link(self, f):
        """Return predictions f in the unit of y."""
        return inverse_link(self.loss, f)

    def loss_terms(self, theta):
        """Return every row's loss, its slope and its second derivative, of shape (3, n)."""
        return loss_terms(self.loss, self.predict(theta), self.y)

    def jacobian(self, theta):
        """Return the derivatives of every row's prediction, of shape (n, d)."""
        return second_order.jacobian(self.term, self.as_parameters(theta))

    def hessian(self, theta):
        """Return the second derivatives of all but what the penalty leaves to its prox."""
        H = self.term.hessian(self.as_parameters(theta))
        H[range(self.p), range(self.p)] += self.penalty_curvature(theta)
        return H

    def penalty_curvature(self, theta):
        """Return the second derivatives of the penalty's smooth part, in each weight."""
        weights, theta = self.term.penalized, self.as_parameters(theta)
        if self.elastic_strengths is not None:
            return self.elastic_strengths[1]
        strengths = self.strengths[weights]
        return second_order.penalty_curvature(self.penalty, strengths, theta[weights])

    def curvature_along(self, v):
        """Return ``v . H v``, H bounding the second derivative of the smooth part."""
        smooth = self.strengths * self.penalty.curvature()
        return self.term.curvature_along(v) + smooth @ (v * v)

    @property
    def has_dual(self):
        """Whether lower bounds of the minimum are known."""
        known = self.quadratic or self.term.has_conjugate
        return self.elastic_strengths is not None and known

    def dual_gap(self, theta, certificate=None):
        """Return F minus a lower bound of its minimum: how far from it theta can be at most.

        For a linear model with an elastic penalty and a loss whose conjugate is known; infinite
        otherwise.

        Parameters
        ----------
        theta : array-like of shape (d,)
        certificate : Certificate or None
            What a solver has found out about the minimum.
        """
        theta = self.as_parameters(theta)
        return self.certificate(theta, certificate).gap if self.has_dual else np.inf

    def certificate(self, theta, known=None):
        """Return the `Certificate` of a point, where a dual is known.

        Parameters
        ----------
        theta : array-like of shape (d,)
        known : Certificate or None
            What has been found out about the minimum.
        """
        theta = self.as_parameters(theta)
        if known is not None and np.array_equal(theta, known.theta):
            return known
        by_conjugates = certify_by_conjugates if self.term.at_hand else certify_on_pieces
        bounds = certify if self.quadratic else by_conjugates
        return bounds(self, theta, known)
