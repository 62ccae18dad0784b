"""The splits of rows that lie in pieces, of which only the number is known."""

import numpy as np
from sklearn.model_selection import check_cv

from skgd.objective.row_sets import COUNTS, ChangedRows, chosen, set_of
from skgd.pieces import Pieces

MOST_FOLDS = 1000


class PieceSplits:
    """Which rows are trained on and which are held out, by a count of all.

    Parameters
    ----------
    pieces : Pieces
    cv : int, splitter or iterable, or None

    Attributes
    ----------
    n : int
        Rows.
    starts : ndarray of shape (n_pieces,)
        The number of the first row of each piece.
    tests, trains : list of RowSet
        The rows of each split.
    n_held_out : list of int
        Rows that are held out.
    is_parted : bool
        Whether each row is held out once.
    """

    def __init__(self, pieces, cv):
        self.pieces, counts = pieces, np.array(pieces.engine.ask(COUNTS))
        self.n, self.starts = int(counts.sum()), np.append(0, np.cumsum(counts)[:-1])
        self.tests, self.trains, self.n_held_out, self.is_parted = _splits(cv, self.n)

    def engines(self, number):
        """Return the engines of the rows of a split: those to train on, and those held out."""
        both = self.trains[number], self.tests[number]
        known = self.pieces.engine, chosen, self.starts
        return [ChangedRows(*known, rows) for rows in both]

    def sides(self, number):
        """Return the rows of a split as `Pieces`: those to train on, and those held out."""
        given = self.pieces
        known = given.n_features, given.dtype, given.n_targets, given.names, given.is_sparse
        return [Pieces(engine, *known) for engine in self.engines(number)]


def _splits(cv, n):
    """Return the rows to test on and those to train on, and more, as `PieceSplits` has them.

    Raises
    ------
    ValueError
        For splitters that need more than the number of rows.
    """
    tests, trains, sizes, covered = [], [], [], np.zeros(n, dtype=bool)
    try:
        for split in check_cv(cv).split(np.empty((n, 0)), None, None):
            train, test = (_mask(index, n) for index in split)
            tests.append(set_of(test))
            others = (train ^ test).all()
            trains.append(tests[-1]._replace(inverted=True) if others else set_of(train))
            covered |= test
            sizes.append(np.count_nonzero(test))
            if len(tests) > MOST_FOLDS:
                raise ValueError("there are too many splits")
        if not tests:
            raise ValueError("there are no splits")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"cv={cv!r} cannot split {n} rows in pieces, of which only the number is known: "
            f"{error}. Take an integer, KFold, ShuffleSplit, PredefinedSplit, or another splitter "
            "that needs neither y nor groups."
        ) from error
    return tests, trains, sizes, bool(covered.all()) and sum(sizes) == n


def _mask(index, n):
    """Return a mask of the rows of an index or a mask, of which each counts once."""
    index, mask = np.asarray(index), np.zeros(n, dtype=bool)
    mask[index] = True
    size = np.count_nonzero(index) if index.dtype == bool else index.size
    if not size or np.count_nonzero(mask) != size:
        raise ValueError("a split has a row twice, or no rows")
    return mask
