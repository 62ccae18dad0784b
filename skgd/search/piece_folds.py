"""The folds of rows that lie in pieces: products of their columns, which one reading tells."""

from functools import cached_property, reduce

import numpy as np

from skgd.estimators.piece_rows import PieceRows, check_summary
from skgd.estimators.rows import Rows
from skgd.kernels.moments import are_constant
from skgd.kernels.rows import even_weights
from skgd.objective.piece_facts import PieceFacts
from skgd.objective.row_sets import SQUARED_ERRORS, SUMMARIES, RowSet
from skgd.objective.summary import merged_summaries
from skgd.search.products import MAX_COLUMNS, Products

MOST_PRODUCTS = 2**27  # numbers, of the products of all folds: 1 GiB


class PieceSide:
    """Rows in pieces that are scored.

    Parameters
    ----------
    engine : ChangedRows
    test_products : Products
    """

    def __init__(self, engine, test_products):
        self.engine, self.test_products = engine, test_products
        self.shape = test_products.n, test_products.means.size

    @property
    def test(self):
        """What is asked where products lose digits: these rows."""
        return self

    def squared_errors(self, coef, intercept):
        """Return the mean squared errors of many coefficients, as `Rows.squared_errors`."""
        (sums,) = self.engine.ask(SQUARED_ERRORS, coef, intercept)
        return sums / self.test_products.total


class PieceFold:
    """A `Fold` of rows in pieces, of which products are known.

    Parameters
    ----------
    pieces : Pieces
    training : PieceSide
    held_out : PieceSide or None
        None where no rows are scored.
    summary : Summary or None
        Of the rows to train on; None where it is not known.
    """

    def __init__(self, pieces, training, held_out=None, summary=None):
        self._pieces, self._summary = pieces, summary
        self.training, self.held_out, self.test = training, held_out, held_out
        self.test_products = None if held_out is None else held_out.test_products
        self.products = training.test_products.cleared()
        self.form = self.products.levels.size, pieces.n_features, pieces.dtype
        self.entries = self.products.n * pieces.n_features

    @cached_property
    def train(self):
        """The rows to train on."""
        pieces, found = self._pieces, self._summary
        known = self.training.engine, pieces.n_features, pieces.dtype
        facts = PieceFacts.read(*known, True) if found is None else PieceFacts(*known, found)
        return PieceRows(facts, pieces, pieces.n_targets is None)

    @cached_property
    def targets(self):
        """Two rows without columns, whose targets have the means and mean squares of all."""
        spread = np.sqrt(self.products.yy)
        y = np.stack([self.products.levels - spread, self.products.levels + spread])
        return Rows(np.empty((2, 0)), y, even_weights(2), 2.0)


class PieceFolds:
    """The folds of rows in pieces, by one reading of these.

    Where a difference of products loses digits, the rows of the fold are read once more.

    Parameters
    ----------
    splits : PieceSplits
    loss : Loss
    needs_weight : bool, default=True
        Whether some of the rows of each split that are held out must have a weight.

    Attributes
    ----------
    folds : list of PieceFold
    whole : PieceFold
        Of all rows, none of which are scored.
    """

    def __init__(self, splits, loss, needs_weight=True):
        self._splits, self._loss, self._needs_weight = splits, loss, needs_weight
        pieces, trains, tests = splits.pieces, splits.trains, splits.tests
        p = pieces.n_features
        if p > MAX_COLUMNS or len(tests) * (p + 1) ** 2 > MOST_PRODUCTS:
            raise ValueError(
                f"X has {p} columns. A search on rows in pieces keeps their products for each of "
                f"{len(tests)} splits, of at most {MAX_COLUMNS} columns and 1 GiB."
            )
        summary, held_out = self._first_reading(tests)
        whole = _products(summary, pieces.dtype)
        training = [
            whole.less(part, splits.n - part.n) if _is_small(part, whole, rows) else None
            for part, rows in zip(held_out, trains)
        ]
        left = [k for k, products in enumerate(training) if products is None]
        found = self._summaries([trains[k] for k in left], True) if left else []
        found = dict(zip(left, found))
        for k in left:
            training[k] = _products(found[k], pieces.dtype)
        self.folds = []
        for k, products in enumerate(zip(training, held_out)):
            sides = map(PieceSide, splits.engines(k), products)
            self.folds.append(PieceFold(pieces, *sides, found.get(k)))
        self.whole = PieceFold(pieces, PieceSide(pieces.engine, whole), summary=summary)

    def _first_reading(self, tests):
        """Return the `Summary` of all rows, and the `Products` of each set that is held out."""
        if self._splits.is_parted:  # each row is in one of them
            found = self._summaries(tests, self._needs_weight)
            whole = reduce(merged_summaries, found)
        else:
            whole, *found = self._summaries(
                [RowSet(0, self._splits.n), *tests], self._needs_weight
            )
        check_summary(whole, self._loss)
        return whole, [_products(summary, self._splits.pieces.dtype) for summary in found]

    def _summaries(self, sets, needs_weight):
        """Return the `Summary` of the rows of each set."""
        found = self._splits.pieces.engine.ask(SUMMARIES, self._splits.starts, sets)
        for summary in found:
            check_summary(summary, self._loss, needs_weight)
        return found


def _is_small(part, whole, train):
    """Whether the rows to train on are all but a part with less than half of the weight."""
    return train.inverted and part.n <= whole.n - part.n and part.total < 0.9 * whole.total


def _products(summary, dtype):
    """Return the `Products` of the rows of a `Summary`."""
    total, same = summary.total or 1.0, summary.lowest == summary.highest
    variances = summary.squares / total
    return Products(
        summary.n,
        summary.total,
        summary.means,
        np.where(same, summary.lowest, summary.levels),
        summary.G / total,
        summary.q / total,
        np.where(same, 0.0, summary.target_squares / total),
        are_constant(summary.means, variances, dtype),
    )
