"""The folds of rows that lie in pieces: products of their columns, which one reading tells."""

from functools import cached_property, reduce

import numpy as np
from sklearn.model_selection import check_cv

from skgd.estimators.piece_rows import PieceRows, check_summary
from skgd.estimators.rows import Rows
from skgd.kernels.moments import are_constant
from skgd.kernels.rows import even_weights
from skgd.objective.piece_facts import PieceFacts
from skgd.objective.row_sets import (
    COUNTS,
    SQUARED_ERRORS,
    SUMMARIES,
    ChangedRows,
    RowSet,
    chosen,
    set_of,
)
from skgd.objective.summary import merged_summaries
from skgd.search.products import MAX_COLUMNS, Products

MOST_FOLDS = 1000
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
    pieces : Pieces
    cv : int, splitter or iterable, or None
    loss : Loss
    needs_weight : bool, default=True
        Whether some of the rows of each split that are held out must have a weight.

    Attributes
    ----------
    folds : list of PieceFold
    whole : PieceFold
        Of all rows, none of which are scored.
    """

    def __init__(self, pieces, cv, loss, needs_weight=True):
        if pieces.n_features > MAX_COLUMNS:
            raise ValueError(
                f"X has {pieces.n_features} columns. A search on rows in pieces keeps their "
                f"products for each split, of at most {MAX_COLUMNS} columns."
            )
        self._pieces, self._loss, engine = pieces, loss, pieces.engine
        self._needs_weight = needs_weight
        counts = np.array(engine.ask(COUNTS))
        self.n, self._starts = int(counts.sum()), np.append(0, np.cumsum(counts)[:-1])
        tests, trains, is_parted = _splits(cv, self.n, pieces.n_features)
        summary, held_out = self._first_reading(tests, is_parted)
        whole = _products(summary, pieces.dtype)
        training = [
            whole.less(part, self.n - part.n) if _is_small(part, whole, rows) else None
            for part, rows in zip(held_out, trains)
        ]
        left = [k for k, products in enumerate(training) if products is None]
        found = self._summaries([trains[k] for k in left], True) if left else []
        found = dict(zip(left, found))
        for k in left:
            training[k] = _products(found[k], pieces.dtype)
        self.folds = [
            PieceFold(pieces, *self._sides(trains[k], training[k], tests[k], part), found.get(k))
            for k, part in enumerate(held_out)
        ]
        self.whole = PieceFold(pieces, PieceSide(engine, whole), summary=summary)

    def _first_reading(self, tests, is_parted):
        """Return the `Summary` of all rows, and the `Products` of each set that is held out."""
        if is_parted:  # each row is in one of them
            found = self._summaries(tests, self._needs_weight)
            whole = reduce(merged_summaries, found)
        else:
            whole, *found = self._summaries([RowSet(0, self.n), *tests], self._needs_weight)
        check_summary(whole, self._loss)
        return whole, [_products(summary, self._pieces.dtype) for summary in found]

    def _summaries(self, sets, needs_weight):
        """Return the `Summary` of the rows of each set."""
        found = self._pieces.engine.ask(SUMMARIES, self._starts, sets)
        for summary in found:
            check_summary(summary, self._loss, needs_weight)
        return found

    def _sides(self, train, training, test, held_out):
        """Return the rows to train on and those to score."""
        engines = (
            ChangedRows(self._pieces.engine, chosen, self._starts, rows) for rows in (train, test)
        )
        return map(PieceSide, engines, (training, held_out))


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


def _splits(cv, n, p):
    """Return the rows to test on and those to train on, as `RowSet`.

    Returns
    -------
    tests, trains : list of RowSet
    is_parted : bool
        Whether each row is tested on once.

    Raises
    ------
    ValueError
        For splitters that need more than the number of rows.
    """
    tests, trains, n_tested, covered = [], [], 0, np.zeros(n, dtype=bool)
    try:
        for split in check_cv(cv).split(np.empty((n, 0)), None, None):
            train, test = (_mask(index, n) for index in split)
            tests.append(set_of(test))
            others = (train ^ test).all()
            trains.append(tests[-1]._replace(inverted=True) if others else set_of(train))
            covered |= test
            n_tested += np.count_nonzero(test)
            if len(tests) > MOST_FOLDS or len(tests) * (p + 1) ** 2 > MOST_PRODUCTS:
                raise ValueError("there are too many splits to keep the products of each")
        if not tests:
            raise ValueError("there are no splits")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"cv={cv!r} cannot split {n} rows in pieces, of which only the number is known: "
            f"{error}. Take an integer, KFold, ShuffleSplit, PredefinedSplit, or another splitter "
            "that needs neither y nor groups."
        ) from error
    return tests, trains, bool(covered.all()) and n_tested == n


def _mask(index, n):
    """Return a mask of the rows of an index or a mask, of which each counts once."""
    index, mask = np.asarray(index), np.zeros(n, dtype=bool)
    mask[index] = True
    size = np.count_nonzero(index) if index.dtype == bool else index.size
    if not size or np.count_nonzero(mask) != size:
        raise ValueError("a split has a row twice, or no rows")
    return mask
