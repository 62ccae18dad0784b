"""What a stream has shown so far: running means over the rows of all calls."""

from typing import NamedTuple

import numpy as np

ROUNDING = 1e-30  # of the mean square of y, below which y is constant


class Seen(NamedTuple):
    """Means over rows, and the sum of the weights that they are means by."""

    total: float
    columns: np.ndarray  # (p,), means; about zero where no constant can be fitted
    variances: np.ndarray  # (p,)
    targets: np.ndarray  # (n_targets,), means likewise
    nulls: np.ndarray  # (n_targets,), the objective of a constant prediction
    loss: object
    level: bool  # whether a constant can be fitted

    def then(self, later):
        """Return the means over these rows and later ones.

        Under another loss, and where an intercept comes or goes, they begin anew.
        """
        if (self.loss, self.level) != (later.loss, later.level):
            return later
        total = self.total + later.total
        share, rest = later.total / total, self.total / total
        apart, moved = later.columns - self.columns, later.targets - self.targets
        nulls = rest * self.nulls + share * later.nulls
        if self.loss.quadratic:  # the spread of all is more than that within each
            nulls += 0.5 * share * rest * moved**2
        return Seen(
            total,
            self.columns + share * apart,
            rest * self.variances + share * later.variances + share * rest * apart**2,
            self.targets + share * moved,
            nulls,
            self.loss,
            self.level,
        )

    def units(self, fresh):
        """Return what fits of the targets can gain; as on fresh rows alone where all are constant.

        Parameters
        ----------
        fresh : list of float
        """
        told = self.nulls > ROUNDING * self.targets**2
        return np.where(told, self.nulls, fresh).tolist()


def see(y, weight, total, columns, loss, units, level):
    """Return the means over some rows.

    Parameters
    ----------
    y : ndarray of shape (n_targets, n)
    weight, total : ndarray of shape (n,), float
        Of mean one, and their sum before they were made so.
    columns : Columns
    loss : Loss
    units : list of float
        What a fit of each target can gain.
    level : bool
        Whether a constant can be fitted.
    """
    means = y @ weight / len(weight) if level else np.zeros(len(y))
    spreads = 0.5 * ((y - means[:, None]) ** 2 @ weight / len(weight))
    nulls = spreads if loss.quadratic else np.array(units)
    return Seen(total, columns.mean, columns.variance, means, nulls, loss, level)
