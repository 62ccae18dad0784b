"""The contract of minimizers: descents, second-order methods and direct solvers."""

import abc
from typing import NamedTuple

from skgd.descent.outcome import Outcome


class UpdateRule(NamedTuple):
    """The rule of an update, and the rows that it sees, as reports on failures need them."""

    optimizer: tuple
    batch_size: int | None  # None for all rows
    replacement: bool


class Minimizer(abc.ABC):
    """A run that minimises an objective, and its record.

    Attributes
    ----------
    objective : Objective or None
        None once the data are dropped.
    outcome : Outcome
    record : Record
    iterate : ndarray of shape (d,)
        The latest parameters.
    selected : ndarray of shape (d,) or None
        The parameters that a monitor has chosen to be reported, if it has.
    tol : float or None
        None where the objective at hand does not end the run.
    last : int
        The epoch that ends the present call of `minimize`, counted as `Record.n_epochs` counts.
    n_updates, t_before : int
        Updates since the record began, and those of the run before it.
    learning_rate : float
        What the schedule multiplies; NaN where there is none.
    update_rule : UpdateRule or None
        None where there is no learning rate.
    certificate : Certificate or None
        The best lower bound of the minimum that the run has found, with its point, if any.
    resumable : bool
        Whether the run can be resumed by a later fit.
    in_turn : bool
        Whether an epoch visits pieces of rows, so that no schedule knows a gap.
    """

    outcome, selected, last, t_before = Outcome.RUNNING, None, 0, 0
    certificate, resumable, in_turn = None, False, False

    @property
    def theta(self):
        """The parameters to report: those chosen by a monitor, else the iterate."""
        return self.iterate if self.selected is None else self.selected

    @property
    def running(self):
        """Whether the present call goes on after this epoch."""
        return self.outcome is Outcome.RUNNING and self.record.n_epochs < self.last

    def history(self):
        """Return the `History` of the record, with the number of updates done at each entry."""
        return self.record.history(self.t_before)

    @abc.abstractmethod
    def minimize(self, n_epochs, monitor=None):
        """Go on for so many epochs, or until there is a reason to stop.

        Parameters
        ----------
        n_epochs : int
        monitor : callable or None
            Called with the minimizer after every epoch; may call `stop` and `select`.

        Returns
        -------
        Outcome
        """

    @abc.abstractmethod
    def drop_data(self):
        """Drop the data, so that what remains is small and can be stored."""

    def stop(self, outcome):
        """End the run for this reason, unless it has ended; a failure also counts afterwards."""
        if self.outcome is Outcome.RUNNING or outcome.failed:
            self.outcome = outcome

    def take_over(self, other):
        """End as another run has ended that began at these parameters; it cannot be resumed."""
        self.record.join(other.record, begin=1)
        self.select(other.theta)
        self.certificate, self.resumable = other.certificate, False
        arrived = other.outcome is Outcome.CONVERGED
        self.outcome = Outcome.POLISHED if arrived else other.outcome

    def select(self, theta):
        """Report these parameters, whatever follows."""
        self.selected = theta.copy()
