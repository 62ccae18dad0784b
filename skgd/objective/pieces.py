"""The data term of rows that lie in pieces: sums that an engine adds over a fixed tree."""

from functools import cached_property
from uuid import uuid4

import numpy as np

from skgd.engines.in_turn import InTurn
from skgd.kernels.accumulate import RowKernel
from skgd.kernels.blocks import PythonCall
from skgd.kernels.compiling import compiled_code
from skgd.kernels.rows import DenseRows, are_even
from skgd.objective.piece import (
    DUAL_SUMS,
    HESSIAN,
    LOSS_AND_GRADIENT,
    SECANTS,
    SECOND_ORDER,
    SQUARE_PRODUCT,
    Piece,
    Seen,
)
from skgd.objective.piece_curves import (
    CURVE_DIFFERENCES,
    CURVE_HESSIAN,
    JACOBIAN_FACTOR,
    PROJECTION_RANGE,
)
from skgd.objective.piece_facts import PieceFacts
from skgd.objective.projection import ProjectionTerm

MAX_COLUMNS = 1000  # of whose second derivatives Newton steps take a sum over all rows


class PiecesTerm(ProjectionTerm):
    """The mean loss of a model that sees a row by its projection, over pieces of rows.

    A descent on the full batch is the same as that on a `RowwiseTerm`, but for who adds. Rows
    cannot be taken one by one.

    Parameters
    ----------
    facts : PieceFacts
        What is known of the pieces, and their engine.
    model, loss, centre, columns
        As in `ProjectionTerm`.
    target : int
    offset : float
        That the target is seen from.
    """

    at_hand = False

    def __init__(self, facts, model, loss, centre, columns, target=0, offset=0.0):
        super().__init__((facts.n, facts.p), model, loss, centre, columns)
        self.facts, self.target, self.offset = facts, target, offset
        self.seen = Seen(uuid4().hex, model, loss, centre, columns, target, float(offset))
        self.kernel = RowKernel(type(model), type(loss), DenseRows)
        self.mean_weight, self.data = 1.0, ()
        self.has_conjugate &= self.is_solvable

    @classmethod
    def of_rows(cls, term):
        """Return the term of rows at hand, as one piece.

        Parameters
        ----------
        term : RowwiseTerm
        """
        piece = Piece(term.X, term.y[:, None], None if are_even(term.weight) else term.weight)
        facts = PieceFacts.read(InTurn(lambda number: piece, 1), term.p, term.X.dtype, False)
        columns = facts.columns(False) if term.columns is None else term.columns
        return cls(facts, term.model, term.loss, term.centre, columns)

    @property
    def is_solvable(self):
        """Whether a direct solver knows enough: all products, or all second derivatives."""
        if self.quadratic:
            return len(self.facts.G) > 0
        known = not self.nonsmooth or self.loss.kinks is not None
        return known and self.p <= MAX_COLUMNS

    def seen_from_means(self):
        """Return the term of the same rows less the means of their columns."""
        known = self.columns.mean, self.columns, self.target, self.offset
        return PiecesTerm(self.facts, self.model, self.loss, *known)

    def centred(self, model):
        """Return the term of a model without intercept, seen from the means of rows and y."""
        level = self.facts.levels[self.target]
        known = self.columns.mean, self.columns, self.target, level
        return PiecesTerm(self.facts, model, self.loss, *known)

    def value_and_gradient(self, theta):
        """Return the mean loss, and its gradient."""
        with compiled_code():
            loss, g = self.facts.mean(LOSS_AND_GRADIENT, self.seen, theta, None)
        return float(loss), g

    def accumulate(self, theta, rows, g, buffers):
        if len(rows) != self.n_samples:
            raise ValueError("Rows that lie in pieces are only added all at once.")
        loss, slopes = self.value_and_gradient(theta)
        g += slopes
        return loss

    def sums(self, theta, iterate, g):
        found = np.zeros(1)

        def add():
            other = None if iterate is theta else iterate.copy()
            loss, slopes = self.facts.mean(LOSS_AND_GRADIENT, self.seen, theta.copy(), other)
            found[0] = loss
            np.add(g, slopes, out=g)

        return PythonCall(add), found

    def hessian(self, theta):
        """Return the second derivatives of the mean loss."""
        return self.facts.mean(HESSIAN if self.affine else CURVE_HESSIAN, self.seen, theta)[0]

    def jacobian_factor(self, theta, by_curvature=False):
        R, *means = self.facts.engine.ask(JACOBIAN_FACTOR, self.seen, theta, by_curvature)
        square, precision = (value / self.facts.total for value in means)
        return R / np.sqrt(self.facts.total), square, precision

    def curve_differences(self, thetas):
        return self.facts.engine.ask(CURVE_DIFFERENCES, self.seen, thetas)[0] / self.n_samples

    def projection_range(self, v):
        return self.facts.engine.ask(PROJECTION_RANGE, self.seen, v)

    @property
    def n_weighted(self):
        return self.facts.n_weighted

    def weighted_rows(self, numbers):
        X, y, weight = self.facts.rows(numbers, self.target)
        return X, y - self.offset, weight

    def second_order(self, theta, smoothing=0.0):
        """Return the means of `skgd.objective.piece.second_order_terms`."""
        return self.facts.mean(SECOND_ORDER, self.seen, theta, smoothing)

    def curvature_of_secants(self, theta):
        """Return the mean of `skgd.objective.piece.curvature_of_secants`."""
        return self.facts.mean(SECANTS, self.seen, theta)[0]

    def dual_sums(self, theta, step, smoothing, multiples):
        """Return the means of `skgd.objective.piece.dual_sums`."""
        return self.facts.mean(DUAL_SUMS, self.seen, theta, step, smoothing, multiples)

    def square_product(self, v, scale, level):
        return self.facts.mean(SQUARE_PRODUCT, self.seen, v, scale, level)

    def loss_terms_at_zero(self):
        if self.quadratic:
            level, square = self.facts.levels[self.target] - self.offset, self.target_square
            return np.array([0.5 * square, -level, 1.0, square])
        return self.facts.constant_terms(self.loss, self.target, self.offset)

    def column_products(self):
        """Return what the first reading of the pieces has found; None for too many columns."""
        if not len(self.facts.G):
            return None
        moves = ~self.constant
        means = self.column_means - (0.0 if self.centre is None else self.centre)
        return self.gram(), means * moves

    def gram(self):
        moves = ~self.constant
        away = self.column_means - (0.0 if self.centre is None else self.centre)
        return (self.facts.G + np.outer(away, away)) * np.outer(moves, moves)

    def slopes_at_zero(self):
        """Return the means of the target's products with the columns, seen from the centre."""
        away = self.column_means - (0.0 if self.centre is None else self.centre)
        level = self.facts.levels[self.target] - self.offset
        return np.where(self.constant, 0.0, self.facts.q[self.target] + level * away)

    @property
    def target_square(self):
        level = self.facts.levels[self.target] - self.offset
        return self.facts.target_squares[self.target] + level**2

    @cached_property
    def targets(self):
        return self.facts.targets(self.target)[0] - self.offset

    @cached_property
    def column_squares(self):
        if self.columns.mean is self.centre:
            return np.where(self.constant, 0.0, self.columns.variance)
        away = self.columns.mean - (0.0 if self.centre is None else self.centre)
        return np.where(self.constant, 0.0, self.columns.variance + away**2)

    @property
    def column_means(self):
        return self.columns.mean
