"""What is known of rows before a fit: their means, with those of earlier calls, and units."""

from typing import NamedTuple

import numpy as np

from skgd.descent.new_state import identity

ROUNDING = 1e-30  # of the mean square of y, below which y is constant


class RunningMeans(NamedTuple):
    """Means over rows, and the sum of the weights that they are means by. Plain data."""

    total: float
    columns: np.ndarray  # (p,), means; about zero where no constant can be fitted
    variances: np.ndarray  # (p,)
    targets: np.ndarray  # (n_targets,), means likewise
    null_objectives: np.ndarray  # (n_targets,), the objective of a constant prediction
    loss: str
    quadratic: bool
    level: bool  # whether a constant can be fitted
    complete: bool  # whether these are all rows that the parameters were fitted to

    def merged(self, later):
        """Return the means over these rows and later ones; of these alone if an intercept comes.

        The unit of another loss begins anew.
        """
        if self.level != later.level:
            return later
        total = self.total + later.total
        share, rest = later.total / total, self.total / total
        apart, moved = later.columns - self.columns, later.targets - self.targets
        null_objectives = rest * self.null_objectives + share * later.null_objectives
        if self.quadratic:  # the spread of all is more than that within each
            null_objectives += 0.5 * share * rest * moved**2
        return later._replace(
            total=total,
            columns=self.columns + share * apart,
            variances=rest * self.variances + share * later.variances + share * rest * apart**2,
            targets=self.targets + share * moved,
            null_objectives=null_objectives if self.loss == later.loss else later.null_objectives,
            complete=self.complete,
        )

    def units(self, latest):
        """Return what fits of the targets can gain; on the latest rows where all are constant.

        Parameters
        ----------
        latest : ndarray of shape (n_targets,)
        """
        known = self.null_objectives > ROUNDING * self.targets**2
        return np.where(known, self.null_objectives, latest)


class Statistics(NamedTuple):
    """What is known of the rows before anything is fitted to them.

    Attributes
    ----------
    means : RunningMeans
        Over these rows and, in a stream, all before them.
    levels : ndarray of shape (n_targets,)
        The best constant predictions for these rows.
    units : ndarray of shape (n_targets,)
        What a fit of each target can gain.
    """

    means: RunningMeans
    levels: np.ndarray
    units: list


def statistics_of(rows, columns, loss, level, stream=None):
    """Return the `Statistics` of some rows.

    Parameters
    ----------
    rows : Rows
    columns : Columns
    loss : Loss
    level : bool
        Whether a constant can be fitted.
    stream : LastCall or None
        The last call, whose rows these follow; None where these are all rows.
    """
    constants = rows.constants(loss, level)
    levels, units, losses = (np.array(values) for values in zip(*constants))
    means = rows.levels if level else np.zeros(levels.size)
    null_objectives = losses if loss.quadratic else units
    kind = identity(loss), loss.quadratic, level, stream is None
    found = RunningMeans(rows.total, columns.mean, columns.variance, means, null_objectives, *kind)
    if stream is not None and stream.means is not None:
        found = stream.means.merged(found)
        units = found.units(units)
    return Statistics(found, levels, units)


def link_name(loss):
    """Return the name of the function by which predictions come back to the unit of y."""
    mean = type(loss).inverse_link
    return f"{mean.__module__}.{mean.__qualname__}"


def check_link(last, loss):
    """Refuse a loss that predicts by another function of the parameters than the last one did.

    Parameters
    ----------
    last : str or None
        The `link_name` of the fit so far; None where it is not known.
    loss : Loss
    """
    if last not in (None, link_name(loss)):
        raise ValueError(
            f"Under {type(loss).__name__} predictions are another function of X "
            f"({link_name(loss)}) than in the fit so far ({last}): its parameters are no start. "
            "Begin anew by fit with warm_start=False."
        )
