"""Products of the columns and targets of some rows, from which fits and scores follow.

They are seen from the means of their own rows. The products of the rows that are left where some
are held out are the difference of two; it counts only where no digits are lost.
"""

from typing import NamedTuple

import numpy as np

from skgd.kernels.moments import are_constant
from skgd.kernels.sums import gram, rmatvec

MAX_COLUMNS = 2000  # whose products of 32 MB are kept for every fold
MAX_LOSS = 100.0  # a spread of all rows over that of a part, up to which differences are exact
FAR = 1e4  # a mean over the spread, up to which differences of means are exact


class Products(NamedTuple):
    """Weighted means of the products of the columns and targets of some rows.

    Attributes
    ----------
    n : int
        Rows.
    total : float
        The sum of their weights.
    means : ndarray of shape (p,)
        Of the columns, from which the products are seen.
    levels : ndarray of shape (n_targets,)
        The means of the targets, the same.
    G : ndarray of shape (p, p)
        Of the columns with each other.
    q : ndarray of shape (n_targets, p)
        Of the targets with the columns.
    yy : ndarray of shape (n_targets,)
        Of the targets with themselves.
    constant : ndarray of shape (p,), bool
        The columns whose spread is below the rounding of their mean.
    """

    n: int
    total: float
    means: np.ndarray
    levels: np.ndarray
    G: np.ndarray
    q: np.ndarray
    yy: np.ndarray
    constant: np.ndarray

    def cleared(self):
        """Return the `Products` with zeros for constant columns, which have no weight."""
        if not self.constant.any():
            return self
        G, q = self.G.copy(), self.q.copy()
        G[self.constant] = G[:, self.constant] = q[:, self.constant] = 0.0
        return self._replace(G=G, q=q)

    def about(self, centre, levels):
        """Return G, q and yy as they are seen from other points.

        Parameters
        ----------
        centre : ndarray of shape (p,) or float
        levels : ndarray of shape (n_targets,) or float
        """
        away, up = self.means - centre, self.levels - levels
        return self.G + np.outer(away, away), self.q + np.outer(up, away), self.yy + up * up

    def scaled(self, scale):
        """Return the `Products` of columns that are divided by a scale."""
        G = self.G / scale / scale[:, None]
        return self._replace(means=self.means / scale, G=G, q=self.q / scale)

    def less(self, part, n):
        """Return the `Products` of the n rows that are left without a part; None if inexact."""
        total = self.total - part.total
        share = part.total / total
        away, up = part.means - self.means, part.levels - self.levels
        cross = share * (1.0 + share)
        G = (1.0 + share) * self.G - share * part.G - cross * np.outer(away, away)
        q = (1.0 + share) * self.q - share * part.q - cross * np.outer(up, away)
        yy = (1.0 + share) * self.yy - share * part.yy - cross * up * up
        means, levels = self.means - share * away, self.levels - share * up
        known = (
            (self.G.diagonal(), G.diagonal(), means, ~self.constant),
            (self.yy, yy, levels, True),
        )
        if any(_are_lost((1.0 + share) * all_, *rest) for all_, *rest in known):
            return None
        return Products(n, total, means, levels, G, q, yy, self.constant)


def joined(parts, dtype):
    """Return the `Products` of rows that are in one part each; None where inexact.

    Parameters
    ----------
    parts : list of (Products or None)
    dtype : dtype
        Of the columns.
    """
    if any(part is None for part in parts):
        return None
    totals = np.array([part.total for part in parts])
    shares = totals / totals.sum()
    means = shares @ np.stack([part.means for part in parts])
    levels = shares @ np.stack([part.levels for part in parts])
    seen = [part.about(means, levels) for part in parts]
    G, q, yy = (sum(share * values for share, values in zip(shares, v)) for v in zip(*seen))
    variance = G.diagonal()
    constant = are_constant(means, variance, dtype)
    moves = ~constant & (variance > 0.0)
    if (np.abs(means) > FAR * np.sqrt(variance))[moves].any():
        return None
    n = sum(part.n for part in parts)
    return Products(n, float(totals.sum()), means, levels, G, q, yy, constant)


def _are_lost(all_, left, mean, moves):
    """Whether the spread of some column is that of the part that is taken off."""
    far = np.abs(mean) > FAR * np.sqrt(all_)
    return bool((moves & (all_ > 0.0) & ((all_ > MAX_LOSS * left) | far)).any())


def products_of(rows):
    """Return the `Products` of some rows; None where there are too many columns.

    Parameters
    ----------
    rows : Rows
    """
    n, p = rows.X.shape
    if p > MAX_COLUMNS:
        return None
    try:
        columns = rows.columns(True)
    except ValueError:  # squares that are no numbers, of which a fit tells
        return None
    X, weight, targets, mean = rows.X, rows.weight, rows.targets, columns.mean
    levels = targets @ weight / n
    levels = np.where(np.ptp(targets, axis=1) == 0.0, targets[:, 0], levels)
    left = (targets - levels[:, None]) * weight
    far = bool((np.abs(mean) > FAR * np.sqrt(columns.variance))[~columns.constant].any())
    q = np.stack([rmatvec(X, u, mean, far) / n for u in left])
    yy = ((targets - levels[:, None]) * left).sum(axis=1) / n
    G = gram(X, weight, mean, columns.variance)[0]
    return Products(n, rows.total, mean, levels, G, q, yy, columns.constant)
