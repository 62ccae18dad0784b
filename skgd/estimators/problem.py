"""What an estimator gives to a fit: objectives, starts, and what parameters mean as attributes."""

import abc
from typing import NamedTuple

import numpy as np

from skgd.estimators.nested_parameters import part_of, plain
from skgd.estimators.validation import joined, numbers
from skgd.objective.objective import Objective


class Starts(NamedTuple):
    """Where new runs begin.

    Attributes
    ----------
    points : list of (int, ndarray of shape (d,))
        Targets and parameters in the order of the objective; several starts for a target
        that has many minima.
    attributes : dict
        What the estimator keeps of them.
    """

    points: list
    attributes: dict


class Answer(NamedTuple):
    """What the runs of a fit have come to.

    Attributes
    ----------
    runs : list of Minimizer
        Those that led to the solution, one for each target.
    ends : list of End
        Where all runs have ended that did not fail, the best first.
    """

    runs: list
    ends: list


class Problem(abc.ABC):
    """What an estimator minimises on the rows of a call.

    Attributes
    ----------
    objectives : list of Objective
        One for each target.
    means : RunningMeans
        Of the rows, with those of the calls before in a stream.
    is_single : bool
        Whether y has one dimension.
    is_random : bool
        Whether starts are drawn at random.
    n_jobs : int or None
        Threads that share the runs.
    polishes : bool
        Whether descents are ended by accelerated steps on the full batch.
    in_units : bool
        Whether descents may take steps in units of the parameters.
    """

    polishes = in_units = False

    def given_targets(self, y):
        """Return targets as they were given."""
        return y

    def learning_rate(self, optimizer, start=None, run=None):
        """Return the rate that the estimator asks for; "auto" for what the curvature tells.

        Parameters
        ----------
        optimizer : Optimizer
        start : ndarray of shape (d,) or None
            Of a run that begins.
        run : Minimizer or None
            That goes on.
        """
        return plain(self.estimator.learning_rate)

    def each(self, values):
        """Return values, one for each target; the only one where y has one dimension."""
        return values[0] if self.is_single else values

    @abc.abstractmethod
    def starts(self, seed):
        """Return the `Starts` of new runs, which are those where a resumed fit has ended."""

    @abc.abstractmethod
    def in_order_of_init(self, target, theta):
        """Return parameters, of shape (..., d), in the order of ``init`` and ``path_``."""

    @abc.abstractmethod
    def attributes(self, target, theta):
        """Return the attributes by which the estimator predicts one target by some parameters."""

    @abc.abstractmethod
    def accepts(self, run):
        """Return whether a run is kept; else it begins anew at a quarter of the rate."""

    @abc.abstractmethod
    def answer(self, runs):
        """Return the `Answer` of runs."""

    @abc.abstractmethod
    def solution(self, answer):
        """Return the attributes of the solution, none of whose runs has failed to be finite."""

    @abc.abstractmethod
    def remarks(self, solution):
        """Return sentences of which to warn, beside the outcomes of the runs."""


def objective_on(estimator, term, null_objective, positive=False):
    """Return what an estimator minimises for one target.

    Parameters
    ----------
    estimator : DescentEstimator
    term : ProjectionTerm
    null_objective : float
    positive : bool
        Whether no weight may be negative.
    """
    return Objective(
        term,
        part_of(estimator, "penalty"),
        estimator.alpha,
        penalty_factor=penalty_factor(estimator.penalty_weights, term.p),
        positive=positive,
        null_objective=null_objective,
    )


def given_start(init, shape, description, sizes):
    """Return ``init``, of this shape or for each of its rows; None where there is none.

    Parameters
    ----------
    init : dict, array-like or None
    shape : tuple of two int
        Targets, and parameters of each.
    description : str
        What the parameters are, for the message.
    sizes : dict of int
        The pieces of a row by the names that a dict gives them.
    """
    if init is None:
        return None
    if isinstance(init, dict):
        return joined(init, "init", {k: int(n) for k, n in sizes.items() if n}, shape[0])
    init = numbers(init, "init", {shape[1:]: description, shape: "for each target"})
    return np.broadcast_to(init, shape)


def penalty_factor(penalty_weights, p):
    """Return what each weight's penalty is multiplied by; None for one."""
    if penalty_weights is None:
        return None
    factor = numbers(penalty_weights, "penalty_weights", {(p,): "one for each column"})
    if factor.min() < 0.0:
        raise ValueError(
            f"penalty_weights must have no negative entry. Its smallest is {factor.min():.3g}."
        )
    return factor
