"""The settings of a descent beside its objective, optimizer and schedule."""

import math
from typing import NamedTuple


class Setup(NamedTuple):
    """Settings that are fixed for a whole run, however often it is resumed."""

    batch_size: int | None = None  # rows in an update; None for all
    sampling: str = "shuffle"  # or "replacement", or "cyclic"
    seed: int = 0  # of the order of the rows
    average: int = 0  # the first update whose parameters enter the mean; 0 for no mean
    rate_share: float = 1.0  # that an automatic rate is multiplied by


class Options(NamedTuple):
    """Settings that may change when a run is resumed.

    ``tol`` is, on the full batch, of the scaled residual; on smaller ones, it is the improvement
    of the objective, in units of the constant prediction's, that keeps a descent going. None for
    no test.
    """

    learning_rate: float | str = "auto"
    tol: float | None = 1e-4
    n_iter_no_change: int = 5  # epochs without such an improvement, on smaller batches
    record_path: int = 0  # every which update's parameters to keep; 0 for none
    clip_norm: float = math.inf  # that the gradient of the smooth part is shortened to
    clip_value: float = math.inf  # that its entries are then cut to


SETUP, OPTIONS = Setup(), Options()
