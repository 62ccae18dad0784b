"""Rows in pieces as they are changed on the way: some of them, in other units, or one target."""

import operator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skgd.engines.tree import Verb, add
from skgd.kernels.rows import are_even
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


def chosen(piece, number, starts, rows):
    """Return the piece of the rows of a piece that are in a `RowSet`.

    Parameters
    ----------
    starts : ndarray of shape (n_pieces,)
        The number of the first row of each piece.
    rows : RowSet
    """
    where = rows.within(starts[number], piece.X.shape[0])
    weight = None if are_even(piece.weight) else piece.weight[where]
    return Piece(piece.X[where], piece.labels[where], weight)


def scaled(piece, number, scale):
    """Return the piece of columns that are divided by a scale."""
    X = piece.X
    if sparse.issparse(X):
        X = X.copy()
        X.data = X.data / scale[X.indices].astype(X.dtype)
    else:
        X = (X / scale).astype(X.dtype, copy=False)
    return Piece(X, piece.labels, None if are_even(piece.weight) else piece.weight)


def one_target(piece, number, target):
    """Return the piece with one of its targets."""
    y = piece.labels[:, target : target + 1]
    return Piece(piece.X, y, None if are_even(piece.weight) else piece.weight)


class ChangedRows:
    """The engine of what becomes of the pieces of another.

    Parameters
    ----------
    engine : engine
    change : callable
        Takes a piece, its number and arguments; returns another piece.
    *arguments
    """

    def __init__(self, engine, change, *arguments):
        self.engine, self.n_pieces, self._known = engine, engine.n_pieces, (change, *arguments)

    def ask(self, verb, *arguments):
        """Return the answer of all changed pieces to a `Verb`."""
        return self.engine.ask(Verb(partial(_ask, verb.ask, self._known), verb.merge), *arguments)

    def pieces(self, numbers):
        """Generate changed pieces in this order, with their numbers."""
        change, *known = self._known
        for number, piece in self.engine.pieces(numbers):
            yield number, change(piece, number, *known)

    def release(self):
        """Forget what is held for the fit."""
        self.engine.release()


class Borrowed:
    """The engine of another, which it does not release.

    Parameters
    ----------
    engine : engine
    """

    def __init__(self, engine):
        self.engine, self.n_pieces = engine, engine.n_pieces

    def ask(self, verb, *arguments):
        """Return the answer of all pieces to a `Verb`."""
        return self.engine.ask(verb, *arguments)

    def pieces(self, numbers):
        """Generate pieces in this order, with their numbers."""
        return self.engine.pieces(numbers)

    def release(self):
        """Forget nothing, as whoever has made the engine goes on with it."""


def _ask(ask, known, piece, number, *arguments):
    change, *rest = known
    return ask(change(piece, number, *rest), number, *arguments)


def count(piece, number):
    """Return the number of rows of a piece, in a tuple."""
    return (piece.X.shape[0],)


def summaries_of(piece, number, starts, sets):
    """Return the `Summary`, with products, of the rows of a piece that are in each set."""
    found, n = [], piece.X.shape[0]
    for rows in sets:
        summary = summary_of(chosen(piece, number, starts, rows), number, True)
        if summary.invalid:
            where = rows.within(starts[number], n)
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
