"""A run whose epochs visit pieces of rows, one call of a descent each."""

import math

import numpy as np

from skgd.descent.minimizer import Minimizer
from skgd.descent.outcome import Outcome
from skgd.descent.record import Record
from skgd.kernels.problem import GRADIENT_NORM, N_ZEROS, OBJECTIVE, STEP_NORM


class RunInTurn(Minimizer):
    """The run of a target over epochs, in each of which a descent is resumed on every piece.

    The figures of an epoch are means over the pieces, weighted as their rows are: each of the end
    of the call on it; those of the start, of the beginnings of the first calls.

    Parameters
    ----------
    start : ndarray of shape (d,)
    every : int
        Every which update's parameters go into the path; 0 for none.
    tol : float or None
        Of the objective of a constant prediction: by how much an epoch has to lower the best mean
        objective so far; None for no test.
    patience : int
        Epochs in a row that may fail to do so.

    Attributes
    ----------
    descent : Descent
        What goes on from piece to piece.
    """

    in_turn = resumable = True

    def __init__(self, start, every, tol, patience):
        self.iterate, self.descent, self.objective = start, None, None
        self.record, self._tol, self._patience = Record(start, every), tol, patience
        self._best, self._stale, self._calls, self._updates = math.inf, 0, [], 0
        self._began = self.record.read()

    @property
    def tol(self):
        """What decides that the run has ended; None for no test."""
        return self._tol

    @property
    def n_updates(self):
        """Updates since the record began."""
        return self._updates + sum(updates for *_, updates in self._calls)

    @property
    def learning_rate(self):
        """What the schedule multiplies."""
        return self.descent.learning_rate

    @property
    def update_rule(self):
        """The rule of an update, and the rows that it sees."""
        return self.descent.update_rule

    @property
    def has_calls(self):
        """Whether there are calls of an epoch that has not ended."""
        return bool(self._calls)

    def minimize(self, n_epochs, monitor=None):
        raise NotImplementedError("Epochs over pieces are driven by whoever loads these.")

    def drop_data(self):
        """Drop the data, so that what remains is small and can be stored."""
        self.objective = None

    def add_call(self, descent, weight, unit):
        """Take over what a descent has done on a piece.

        Parameters
        ----------
        descent : Descent
        weight : float
            The sum of the weights of the rows.
        unit : float
            The objective of a constant prediction.
        """
        self.descent, self.objective = descent, descent.objective
        self._reached = descent.iterate.copy()
        record = descent.record
        columns = np.array([record.latest(2)[0], record.last])
        rate = descent.history()["learning_rate"][-1]
        self._calls.append((columns, weight, unit, rate, descent.n_updates))
        if not self.record.n_epochs and len(self._calls) == 1:
            self.t_before = descent.t_before
        if self.record.every:
            self.record.extend_path(record.path[1:])
        if descent.outcome.failed:
            self.stop(descent.outcome)

    def end_epoch(self, schedule):
        """Record the epoch, and stop where nothing is gained any more.

        Parameters
        ----------
        schedule : Schedule
            That may lower the rate first.
        """
        columns, weights, units, rates, updates = map(list, zip(*self._calls))
        begins, ends = np.average(np.array(columns), axis=0, weights=weights)
        for column in (begins, ends):
            column[[GRADIENT_NORM, STEP_NORM]] = math.nan
        ends[STEP_NORM] = np.linalg.norm(self._reached - self.iterate)
        begins[N_ZEROS], ends[N_ZEROS] = columns[0][0, N_ZEROS], columns[-1][-1, N_ZEROS]
        if not self.record.n_epochs:
            self.record.extend(begins[None], np.empty(0), 0, self._began, False)
        self._updates += sum(updates)
        self.record.extend(ends[None], np.array(rates[-1:]), sum(updates), self._began, True)
        self.iterate, self._calls, self._began = self._reached, [], self.record.read()
        self._test(ends[OBJECTIVE], np.average(units, weights=weights), schedule)

    def _test(self, objective, unit, schedule):
        """Count epochs without improvement; cut the rate after some, or stop."""
        patience = schedule.patience()
        if self._tol is None and patience is None:
            return
        gained = objective < self._best - (self._tol or 0.0) * unit
        self._best = min(self._best, objective)
        self._stale = 0 if gained else self._stale + 1
        if self._stale < (patience or self._patience):
            return
        factor = 0.0 if patience is None else schedule.next_factor(self.descent.factor)
        if factor == 0.0:
            self.stop(Outcome.PLATEAU)
        else:
            self.descent.factor, self._stale = factor, 0
