"""Bounds of the second derivatives of a rowwise data term."""

from functools import cached_property

import numpy as np

from skgd.kernels.sums import row_squares
from skgd.objective.matrix import lanczos_bound


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
        self.known = self.bounded or term.loss.curvature_estimate(term.y) is not None

    @cached_property
    def loss(self):
        """The second derivative of the loss in f to reckon with: a bound, or an estimate."""
        loss = self.term.loss
        bound = loss.curvature if self.bounded else loss.curvature_estimate(self._targets)
        return 1.0 if bound is None else bound

    @cached_property
    def largest(self):
        """The largest of the term: an upper bound, within a percent."""
        term, moves = self.term, np.ones(self.term.n_parameters, dtype=bool)
        moves[: term.p] = ~term.constant

        def multiply(v):
            whole = np.zeros(moves.size)
            whole[moves] = v
            return self.product(whole)[moves]

        return lanczos_bound(multiply, np.count_nonzero(moves)) if moves.any() else 0.0

    @cached_property
    def diagonal(self):
        """Bounds on the diagonal, one for each parameter."""
        term, extra = self.term, np.ones(self.term.n_parameters - self.term.p)
        if self.known:
            extra = np.array(term.model.diagonal_curvature(term.loss, self._targets))
        bound = extra[0] if extra.size else self._of_predictions
        weights = term.model.projection_scale**2 * bound * term.column_squares
        return np.concatenate([weights, term.weight.mean() * extra])

    @cached_property
    def largest_of_a_row(self):
        """The largest of a single row's loss."""
        term, extra = self.term, self.term.n_parameters > self.term.p
        centre = np.zeros(term.p) if term.centre is None else term.centre
        if term.columns is not None:
            centre = np.where(term.constant, term.columns.mean, centre)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = term.model.projection_scale**2 * row_squares(term.X, centre)
        return float((term.weight * self._of_predictions * (squares + extra)).max())

    def product(self, v):
        """Return ``H v``, with H a bound of the second derivative."""
        term, scale, extra = self.term, self.term.model.projection_scale, v[self.term.p :]
        rows = term.weight * self._of_predictions
        z = scale * term.matvec(v[: term.p]) + (extra[0] if extra.size else 0.0)
        u = rows * z
        rest = rows.mean() * extra
        rest[:1] = u.mean()
        return np.append(scale * term.unweighted_rmatvec(u), rest)

    @cached_property
    def _of_predictions(self):
        """The largest second derivative of a loss in (projection, extra parameters)."""
        return self.term.model.curvature(self.term.loss, self._targets) if self.known else 1.0

    @property
    def _targets(self):
        """The targets of rows that have a weight."""
        return self.term.y[self.term.weight > 0.0]
