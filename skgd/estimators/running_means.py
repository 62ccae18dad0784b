"""What a stream has shown so far: running means over the rows of all calls."""

from typing import NamedTuple

import numpy as np

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

    def then(self, later):
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

    def units(self, fresh):
        """Return what fits of the targets can gain; as on fresh rows alone where all are constant.

        Parameters
        ----------
        fresh : list of float
        """
        told = self.null_objectives > ROUNDING * self.targets**2
        return np.where(told, self.null_objectives, fresh).tolist()


def means_of(y, weight, level):
    """Return the means of targets over some rows, zero without a level, and half their squares.

    Parameters
    ----------
    y : ndarray of shape (n_targets, n)
    weight : ndarray of shape (n,)
        Of mean one.
    level : bool
        Whether a constant can be fitted.
    """
    means = y @ weight / len(weight) if level else np.zeros(len(y))
    return means, 0.5 * ((y - means[:, None]) ** 2 @ weight / len(weight))


def link_name(loss):
    """Return the name of the function by which predictions come back to the unit of y."""
    mean = type(loss).inverse_link
    return f"{mean.__module__}.{mean.__qualname__}"


def check_link(last, loss):
    """Refuse a loss that predicts by another function of the parameters than the last one did.

    Parameters
    ----------
    last : str or None
        The `link_name` of the fit so far; None where there is none.
    loss : Loss
    """
    if last not in (None, link_name(loss)):
        raise ValueError(
            f"Under {type(loss).__name__} predictions are another function of X "
            f"({link_name(loss)}) than in the fit so far ({last}): its parameters are no start. "
            "Begin anew by fit with warm_start=False."
        )
