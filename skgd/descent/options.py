"""The settings of a descent beside its objective, optimizer and schedule."""

import math
from collections.abc import Callable
from typing import NamedTuple

LOOSE = 0.1  # of tol: how far a lower bound may be below the minimum for good
NEARER = 0.7  # of the gap where a bound was found: where the next is sought
STRIDE = 16  # epochs between two attempts at a bound


class Setup(NamedTuple):
    """Settings that are fixed for a whole run, however often it is resumed."""

    batch_size: int | None = None  # rows in an update; None for all
    sampling: str = "shuffle"  # or "replacement", or "cyclic"
    seed: int = 0  # of the order of the rows
    average: int = 0  # the first update whose parameters enter the mean; 0 for no mean
    rate_share: float = 1.0  # that an automatic rate is multiplied by
    in_units: bool = False  # whether steps may be taken in units of the parameters

    @property
    def is_drawn(self):
        """Whether rows are drawn with replacement."""
        return self.sampling == "replacement"


class Options(NamedTuple):
    """Settings that may change when a run is resumed.

    ``tol`` is of the gap, over the objective of the best constant. Where ``certify`` is None, it
    is of the scaled residual on the full batch; and on smaller ones the improvement of the
    objective, in the same unit, that keeps a descent going. None for no test.
    """

    learning_rate: float | str = "auto"
    tol: float | None = 1e-4
    certify: Callable | None = None  # returns a `Certificate` for objective, theta, and the last
    n_iter_no_change: int = 5  # epochs without such an improvement
    record_path: int = 0  # every which update's parameters to keep; 0 for none
    clip_norm: float = math.inf  # that the gradient of the smooth part is shortened to
    clip_value: float = math.inf  # that its entries are then cut to

    def seeks_bound(self, objective, certificate, value):
        """Whether a lower bound of the minimum, or a better one, may end the run.

        A better one is sought where the gap to the known one has fallen enough.

        Parameters
        ----------
        objective : Objective
        certificate : Certificate or None
            None as long as no bound is known.
        value : float
            The objective at the iterate.
        """
        if certificate is None:
            return self.certifies
        nearer = value - certificate.lower_bound <= NEARER * certificate.gap
        return self.is_loose(objective, certificate) and nearer

    def stride(self, objective, certificate):
        """Return how many epochs may pass before a better bound is sought."""
        if certificate is None:
            return 1 if self.certifies else math.inf
        return STRIDE if self.is_loose(objective, certificate) else math.inf

    @property
    def clips(self):
        """Whether gradients are clipped."""
        return min(self.clip_norm, self.clip_value) < math.inf

    @property
    def certifies(self):
        """Whether the gap decides that a run has converged."""
        return bool(self.tol) and self.certify is not None

    def is_loose(self, objective, certificate):
        """Whether a lower bound is not near enough to the minimum to be kept for good."""
        return certificate.gap > LOOSE * self.tol * objective.null_objective


SETUP, OPTIONS = Setup(), Options()
