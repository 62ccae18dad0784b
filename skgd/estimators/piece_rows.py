"""The rows of a fit that lie in pieces, as problems ask for them."""

from contextlib import contextmanager

import numpy as np
from sklearn.base import is_classifier

from skgd.estimators.nested_parameters import part_of
from skgd.estimators.plain_arrays import check_range, learn_columns
from skgd.objective.piece_facts import PieceFacts
from skgd.objective.pieces import PiecesTerm


class PieceRows:
    """Rows in pieces, with what one reading of them tells.

    The attributes and methods are those of `Rows` that need no row.

    Parameters
    ----------
    facts : PieceFacts
    given : Pieces
        As it was given.
    is_single : bool
        Whether y has one dimension.
    """

    weighted, moments, y, weight_options = True, (), None, {}

    def __init__(self, facts, given, is_single):
        self.facts, self.given, self.is_single = facts, given, is_single
        self.total, self.n_weighted, self.levels = facts.total, facts.n_weighted, facts.levels
        self.shape, self.dtype = (facts.n, facts.p), facts.dtype
        self.is_sparse = given.is_sparse

    @contextmanager
    def held(self):
        """Hold what the engine holds for a fit, and release it at the end."""
        try:
            yield
        finally:
            self.given.engine.release()

    def target(self, k):
        """Return the rows with one of their targets."""
        return self if self.is_single else PieceRows(self.facts.of_target(k), self.given, True)

    def scaled(self, scale):
        """Return the rows with columns that are divided by a scale."""
        return PieceRows(self.facts.scaled(scale), self.given, self.is_single)

    def distinct(self):
        """Return the same, as rows in pieces are not compared."""
        return self

    def columns(self, intercept):
        """Return the `Columns` of X; without an intercept none counts as constant."""
        return self.facts.columns(intercept)

    def constants(self, loss, fitted):
        """Return the best constant prediction of each target, a `ConstantFit`."""
        return self.facts.constants(loss, fitted)

    def terms(self, model, loss, centre, columns, offsets):
        """Return the data term of each target, seen from its offset."""
        columns = self.columns(False) if columns is None else columns
        known = self.facts, model, loss, centre, columns
        return [PiecesTerm(*known, k, float(offset)) for k, offset in enumerate(offsets)]


def rows_in_pieces(estimator, pieces, reset, in_turn=False):
    """Return the `PieceRows` of pieces, if an estimator can be fitted to them.

    Parameters
    ----------
    estimator : DescentEstimator
    pieces : Pieces
    reset : bool
        Whether the columns are learnt anew.
    in_turn : bool, default=False
        Whether pieces are fitted to one by one, so that sums over all are not wanted.

    Raises
    ------
    ValueError
        For what is not finite, with its piece and row, and what has no meaning under the loss.
    """
    loss = part_of(estimator, "loss")
    check_columns(estimator, pieces, reset)
    try:
        with_products = loss.quadratic and not (in_turn or estimator.has_many_minima)
        facts = PieceFacts.read(pieces.engine, pieces.n_features, pieces.dtype, with_products)
        check_summary(facts.summary, None if is_classifier(estimator) else loss)
    except BaseException:
        pieces.engine.release()
        raise
    return PieceRows(facts, pieces, pieces.n_targets is None)


def check_summary(summary, loss, needs_weight=True):
    """Refuse rows that cannot be fitted to; the loss is None where any number is a class."""
    if not summary.n:
        raise ValueError("Found pieces with 0 sample(s) while a minimum of 1 is required.")
    if summary.invalid:
        number, row, what = summary.invalid
        where = f"in row {row} of piece {number} (both counted from 0)"
        if what == "negative":
            raise ValueError(f"Negative values in data passed to `sample_weight`, {where}.")
        raise ValueError(f"Input {what} contains NaN or infinity, {where}.")
    if needs_weight and not summary.total:
        raise ValueError("Sample weights must contain at least one non-zero number.")
    if loss is not None:
        check_range(summary.lowest.min(), summary.highest.max(), loss)


def check_columns(estimator, pieces, reset):
    """Let an estimator learn the columns of pieces, or compare them with those it knows."""
    if not reset:
        return compare_columns(estimator, pieces.n_features, pieces.names)
    learn_columns(estimator, pieces.n_features)
    if pieces.names is not None:
        estimator.feature_names_in_ = np.asarray(pieces.names, dtype=object)


def compare_columns(estimator, n_features, names):
    """Refuse columns that are not those an estimator knows.

    Parameters
    ----------
    estimator : estimator
    n_features : int
    names : sequence of str or None
    """
    if n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    known = vars(estimator).get("feature_names_in_")
    if known is not None and names is not None and not np.array_equal(known, names):
        raise ValueError("The feature names should match those that were passed during fit.")
