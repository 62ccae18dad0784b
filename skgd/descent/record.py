"""The record of a run: figures of the start and of the end of each epoch."""

import math

import numpy as np

from skgd.kernels.compiling import Stopwatch
from skgd.kernels.problem import GRADIENT_NORM, N_ZEROS, OBJECTIVE, PENALTY, RESIDUAL, STEP_NORM


class History(dict):
    """Arrays by name, each with an entry for the start and one for the end of every epoch.

    ``objective``, ``data_loss`` and ``penalty`` (their difference); ``learning_rate`` (of the
    epoch's last update; NaN at the start); ``gradient_norm`` (of the smooth part, on the full
    batch; NaN on smaller ones, which never compute it); ``step_norm`` (the distance
    since the entry before); ``n_zeros`` (weights that are exactly zero); ``seconds`` (since the
    start, without those of compiling; epochs that were run in one go share their time evenly);
    ``compile_seconds`` (those, until then: of compiling the loops, or of loading them);
    ``updates`` (those of the run until then, which its schedule counts); and
    ``validation_score`` where there is a validation set.
    """

    def to_frame(self):
        """Return the record as a pandas DataFrame, one row for each entry.

        Returns
        -------
        pandas.DataFrame
        """
        import pandas as pd

        return pd.DataFrame(dict(self)).rename_axis("epoch")


class Record:
    """A column of figures for the start and for each epoch, with rates, seconds and scores.

    Its stopwatch starts with it. A column holds what `skgd.kernels.problem` numbers, from
    ``OBJECTIVE`` to ``N_ZEROS``.

    Parameters
    ----------
    start : ndarray of shape (d,) or None
        The first parameters of the path; None where no path is kept.
    every : int
        Every which update's parameters go into the path; 0 for none.
    """

    def __init__(self, start=None, every=0):
        self.every = every
        self._columns, self._rates, self._readings, self._scores = [], [], [], []
        self._updates = []
        self._path = [start[None].copy()] if every else []
        self._stopwatch = Stopwatch()

    @property
    def n_epochs(self):
        """The epochs done."""
        return len(self._rates)

    @property
    def curve(self):
        """The objective at the start and after each epoch."""
        return [column[OBJECTIVE] for column in self._columns]

    @property
    def last(self):
        """The latest column; None where there is none."""
        return self._columns[-1] if self._columns else None

    def latest(self, n):
        """Return the last n columns."""
        return self._columns[len(self._columns) - n :]

    @property
    def residual(self):
        """The latest scaled residual, on the full batch."""
        return self.last[RESIDUAL]

    @property
    def scores(self):
        """The validation scores of the start and of each epoch; empty where none is validated."""
        return tuple(self._scores)

    @property
    def path(self):
        """The parameters at the start and after every kept update, of shape (updates + 1, d)."""
        return np.concatenate(self._path)

    def history(self, before=0):
        """Return the `History`, with the number of updates done at each entry.

        Parameters
        ----------
        before : int
            The updates before the record began.
        """
        columns, (seconds, compiling) = np.array(self._columns).T, np.array(self._readings).T
        updates = np.cumsum([0, *self._updates])
        history = History(
            objective=columns[OBJECTIVE],
            data_loss=columns[OBJECTIVE] - columns[PENALTY],
            penalty=columns[PENALTY],
            learning_rate=np.array([math.nan, *self._rates]),
            gradient_norm=columns[GRADIENT_NORM],
            step_norm=columns[STEP_NORM],
            n_zeros=columns[N_ZEROS].astype(int),
            seconds=seconds - seconds[0],
            compile_seconds=compiling,
            updates=before + updates,
        )
        if self._scores:
            missing = len(self._columns) - len(self._scores)
            history["validation_score"] = np.array([*self._scores, *[math.nan] * missing])
        return history

    def n_kept(self, t, updates):
        """Return how many of the updates after the t-th go into the path."""
        return (t + updates) // self.every - t // self.every if self.every else 0

    def read(self):
        """Return the seconds run so far, without those of compiling, and those."""
        return self._stopwatch.read()

    def append(self, column, rate=math.nan):
        """Append the start, at second zero, or the end of an epoch, now."""
        if self._columns:
            self._rates.append(rate)
            self._updates.append(1)
        self._readings.append(self.read() if self._readings else (0.0, 0.0))
        self._columns.append(column)

    def extend(self, columns, rates, updates, began, at_ends):
        """Append what one call of the loop reports of its epochs.

        Parameters
        ----------
        columns : ndarray of shape (epochs, 6)
        rates : ndarray of shape (epochs,), or (0,) where no step was taken
        updates : int
            In an epoch.
        began : tuple of float
            The `read` at the beginning of the call, whose epochs share its time evenly.
        at_ends : bool
            Whether the columns are of the ends of the epochs, or else of their beginnings.
        """
        (begin, _), (end, compiling), n = began, self.read(), len(columns)
        shares = [(k + at_ends) / n for k in range(n)]
        self._readings += [(begin + share * (end - begin), compiling) for share in shares]
        self._columns += columns.tolist()
        self._rates += rates.tolist()
        self._updates += [updates] * len(rates)

    def extend_path(self, points):
        """Append parameters to the path, if one is kept."""
        if self.every:
            self._path.append(points)

    def withdraw(self):
        """Drop the column of the present epoch, if there is one, and return its step's length."""
        k = self.n_epochs
        columns = self._columns[k:]
        del self._columns[k:], self._readings[k:]
        return columns[0][STEP_NORM] if columns else None

    def join(self, other, begin):
        """Append the entries of a run from ``begin`` on, whose first continues this one's last."""
        seconds, compiling = self._readings[len(self._columns) - begin]
        origin = other._readings[0][0]
        self._readings += [
            (seconds + s - origin, compiling + c) for s, c in other._readings[begin:]
        ]
        self._columns += other._columns[begin:]
        self._rates += other._rates[begin - 1 :]
        self._updates += other._updates[begin - 1 :]

    def add_score(self, score):
        """Set the validation score of the present epoch; epochs that have none get NaN."""
        self._scores += [math.nan] * (self.n_epochs - len(self._scores))
        self._scores[self.n_epochs :] = [score]
