"""Bounds of the second derivatives of a rowwise data term."""

from functools import cached_property

import numpy as np

from skgd.kernels.rows import are_even
from skgd.kernels.sums import row_squares
from skgd.objective.matrix import lanczos_bound

ENTRIES_AT_ONCE = 2**16  # of X, of which a copy is made in other units


class Curvature:
    """Bounds of the second derivatives of a rowwise term.

    Where the loss has no bound, a unit to measure residuals in takes its place.

    Parameters
    ----------
    term : RowwiseTerm
    """

    def __init__(self, term):
        self.term = term
        self.bounded = term.loss.curvature is not None
        self.known = self.bounded or term.loss.curvature_estimate(term.targets) is not None

    @cached_property
    def loss(self):
        """The second derivative of the loss in f to reckon with: a bound, or an estimate."""
        loss = self.term.loss
        bound = loss.curvature if self.bounded else loss.curvature_estimate(self.term.targets)
        return 1.0 if bound is None else bound

    @cached_property
    def largest(self):
        """The largest of the term: an upper bound, within a percent."""
        return self.largest_in(np.ones(self.term.n_parameters))

    def largest_in(self, units):
        """Return the same with parameters in units of their own."""
        term, moves = self.term, np.ones(self.term.n_parameters, dtype=bool)
        moves[: term.p] = ~term.constant

        def multiply(v):
            whole = np.zeros(moves.size)
            whole[moves] = units[moves] * v
            return units[moves] * self.product(whole)[moves]

        return lanczos_bound(multiply, np.count_nonzero(moves)) if moves.any() else 0.0

    @cached_property
    def diagonal(self):
        """Bounds on the diagonal, one for each parameter."""
        term, extra = self.term, np.ones(self.term.n_parameters - self.term.p)
        if self.known:
            extra = np.array(term.model.diagonal_curvature(term.loss, self.term.targets))
        bound = extra[0] if extra.size else self._of_predictions
        weights = term.model.projection_scale**2 * bound * term.column_squares
        return np.concatenate([weights, term.mean_weight * extra])

    def largest_of_a_row_in(self, units):
        """Return the same with weights in units of their own, and the other parameters in one."""
        term, extra = self.term, self.term.n_parameters > self.term.p
        centre, units = np.zeros(term.p) if term.centre is None else term.centre, units[: term.p]
        at_once, squares = max(1, ENTRIES_AT_ONCE // max(1, term.p)), np.empty(term.n_samples)
        for begin in range(0, term.n_samples, at_once):
            rows = term.X[begin : begin + at_once]
            rows = rows.toarray() if term.sparse else rows
            rows = np.square((rows - centre) * units)
            squares[begin : begin + at_once] = rows @ ~term.constant
        squares *= term.model.projection_scale**2
        return float((term.weight * self._of_predictions * (squares + extra)).max())

    @cached_property
    def largest_of_a_row(self):
        """The largest of a single row's loss."""
        term, extra = self.term, self.term.n_parameters > self.term.p
        centre = np.zeros(term.p) if term.centre is None else term.centre
        if term.columns is not None:
            centre = np.where(term.constant, term.columns.mean, centre)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = row_squares(term.X, centre)
            squares *= term.model.projection_scale**2
            squares += extra
        squares = squares if are_even(term.weight) else term.weight * squares
        return float(self._of_predictions * squares.max())

    def product(self, v):
        """Return ``H v``, with H a bound of the second derivative."""
        term, extra = self.term, v[self.term.p :]
        scale, level = term.model.projection_scale, extra[0] if extra.size else 0.0
        if self.products is None:
            slopes, mean = term.square_product(v[: term.p], scale, level)
        else:
            G, means = self.products
            slopes = scale * (G @ v[: term.p]) + level * means
            mean = scale * (means @ v[: term.p]) + level
        rest = term.mean_weight * extra
        rest[:1] = mean
        return self._of_predictions * np.append(scale * slopes, rest)

    @cached_property
    def products(self):
        """The products of the columns with each other, and with one; None where they cost more."""
        return self.term.column_products()

    @property
    def has_second_derivative(self):
        """Whether the second derivative of a squared error costs little."""
        return self.products is not None

    @cached_property
    def second_derivative(self):
        """The second derivative of a squared error, of shape (d, d)."""
        (G, means), p, H = self.products, self.term.p, np.ones((self.term.n_parameters,) * 2)
        H[:p, :p], H[:p, p:], H[p:, :p] = G, means[:, None], means
        return H

    @cached_property
    def _of_predictions(self):
        """The largest second derivative of a loss in (projection, extra parameters)."""
        return self.term.model.curvature(self.term.loss, self.term.targets) if self.known else 1.0
