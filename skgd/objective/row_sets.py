"""Some of the rows that lie in pieces, as the folds of a search choose them."""

import operator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from skgd.engines.tree import Verb, add
from skgd.kernels.sums import predictions
from skgd.objective.piece import Piece
from skgd.objective.summary import merged_summaries, summary_of


class RowSet(NamedTuple):
    """Some rows, by their numbers over all pieces.

    Attributes
    ----------
    start, stop : int
        The first of them, and that after the last.
    bits : ndarray of uint8, or None
        Which of the rows between, packed; None for all.
    inverted : bool
        Whether all other rows are meant.
    """

    start: int
    stop: int
    bits: Any = None
    inverted: bool = False

    def within(self, first, n):
        """Return which of n rows are in the set, of which one has the number ``first``."""
        begin, end = (min(max(edge - first, 0), n) for edge in (self.start, self.stop))
        if self.bits is None and not self.inverted:
            return slice(begin, end)
        mask = np.zeros(n, dtype=bool)
        mask[begin:end] = True
        if self.bits is not None and begin < end:
            skip = first + begin - self.start
            some = np.unpackbits(self.bits[skip // 8 : -(-(skip + end - begin) // 8)])
            mask[begin:end] = some[skip % 8 :][: end - begin]
        return np.flatnonzero(mask != self.inverted)


def set_of(mask):
    """Return the `RowSet` of a mask of all rows, of which some are chosen."""
    start, stop = int(mask.argmax()), mask.size - int(mask[::-1].argmax())
    is_run = np.count_nonzero(mask) == stop - start
    return RowSet(start, stop, None if is_run else np.packbits(mask[start:stop]))


def chosen(piece, where):
    """Return the piece of some rows of a piece."""
    weight = None if piece.weight.strides == (0,) else piece.weight[where]
    return Piece(piece.X[where], piece.y[where], weight)


class ChosenRows:
    """The engine of some of the rows of another.

    Parameters
    ----------
    engine : engine
    starts : ndarray of shape (n_pieces,)
        The number of the first row of each piece.
    rows : RowSet
    """

    def __init__(self, engine, starts, rows):
        self.engine, self.n_pieces, self._known = engine, engine.n_pieces, (starts, rows)

    def ask(self, verb, *arguments):
        """Return the answer of the rows of all pieces to a `Verb`."""
        ask = partial(_ask_some, verb.ask, *self._known)
        return self.engine.ask(Verb(ask, verb.merge), *arguments)

    def release(self):
        """Forget what is held for the fit."""
        self.engine.release()


def _ask_some(ask, starts, rows, piece, number, *arguments):
    where = rows.within(starts[number], len(piece.y))
    return ask(chosen(piece, where), number, *arguments)


def count(piece, number):
    """Return the number of rows of a piece, in a tuple."""
    return (len(piece.y),)


def summaries_of(piece, number, starts, sets):
    """Return the `Summary`, with products, of the rows of a piece that are in each set."""
    found, n = [], len(piece.y)
    for rows in sets:
        where = rows.within(starts[number], n)
        summary = summary_of(chosen(piece, where), number, True)
        if summary.invalid:
            number, row, what = summary.invalid
            summary = summary._replace(invalid=(number, int(np.arange(n)[where][row]), what))
        found.append(summary)
    return tuple(found)


def merged_sets(one, other):
    """Return the summaries of the rows of two parts, for each set."""
    return tuple(map(merged_summaries, one, other))


def squared_error_sums(piece, number, coef, intercept):
    """Return the weighted sums of squared errors, in a tuple.

    Parameters
    ----------
    coef : ndarray of shape (C, n_targets, p)
    intercept : ndarray of shape (C, n_targets)
    """
    sums = np.zeros(intercept.shape)
    for k, y in enumerate(piece.y.T if len(piece.y) else ()):
        left = predictions(piece.X, np.ascontiguousarray(coef[:, k].T)) + intercept[:, k]
        left -= y[:, None]
        sums[:, k] = piece.weight @ (left * left)
    return (sums,)


COUNTS = Verb(count, operator.add)
SUMMARIES = Verb(summaries_of, merged_sets)
SQUARED_ERRORS = Verb(squared_error_sums, add)
