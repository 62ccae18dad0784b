"""The losses of all rows at their predictions, taken some rows at a time.

So nothing of the length of a column is made beside the predictions; only products with sparse
rows need a vector, as these are taken all at once.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skgd.kernels.moments import SMALL
from skgd.kernels.row_kernels import conjugates, loss_terms
from skgd.kernels.sums import matvec, rmatvec

ROWS = 2**12  # whose losses are computed at once
KEPT = 2**15  # rows at most, whose losses and derivatives are kept


class Losses(NamedTuple):
    """Means over the rows, and how many of them have a second derivative."""

    value: float
    slopes: np.ndarray  # (p,): the mean slopes of the columns
    mean_slope: float
    n_curved: int
    terms: np.ndarray | None  # (3, n): those of the rows, where these are few


class SecondDerivatives(NamedTuple):
    """The second derivatives of the losses at some predictions, where they count."""

    objective: object
    f: np.ndarray  # (n,)
    terms: np.ndarray | None = None  # (3, n): of `Losses`
    left_out: np.ndarray | None = None  # (n,), bool

    def of(self, rows):
        """Return those of some rows."""
        h = terms_of(self.objective, self.f[rows], rows, self.terms)[2]
        return h if self.left_out is None else np.where(self.left_out[rows], 0.0, h)


def blocks(start, stop, size=ROWS):
    """Return slices of so many rows."""
    return [slice(k, min(k + size, stop)) for k in range(start, stop, size)]


def terms_of(objective, f, rows, terms=None):
    """Return the loss, its slope and its second derivative of some rows, predicted as f."""
    return loss_terms(objective.loss, f, objective.y[rows]) if terms is None else terms[:, rows]


def sums_of(weight, terms):
    """Return weighted sums over rows; rows without weight do not count, whatever their terms."""
    with np.errstate(invalid="ignore", over="ignore"):
        sums = terms @ weight
        if not np.isfinite(sums).all():
            sums = np.where(weight > 0.0, terms, 0.0) @ weight
        return sums


def losses_at(objective, f):
    """Return the `Losses` at the predictions that ``f(rows)`` returns."""
    sums, slopes, n_curved = np.zeros(2), np.zeros(objective.p), 0
    kept = np.empty((3, objective.n)) if objective.n <= KEPT else None
    for rows, X in _products(objective):
        u = np.empty(rows.stop - rows.start)
        for some in blocks(rows.start, rows.stop):
            terms, weight = terms_of(objective, f(some), some), objective.weight[some]
            sums += sums_of(weight, terms[:2])
            n_curved += np.count_nonzero(terms[2])
            if kept is not None:
                kept[:, some] = terms
            np.multiply(terms[1], weight, out=u[some.start - rows.start :][: weight.size])
        slopes += rmatvec(X, u, objective.centre, objective.term.far)
    slopes[objective.constant] = 0.0
    value, mean_slope = sums / objective.n
    return Losses(float(value), slopes / objective.n, float(mean_slope), n_curved, kept)


def add_curved(objective, v, second, weights, level):
    """Add to each entry of v the second derivative times the change of the prediction."""
    for rows, X in _products(objective):
        z = matvec(X, weights, objective.centre, objective.term.far)
        z += level
        for some in blocks(rows.start, rows.stop):
            v[some] += second.of(some) * z[some.start - rows.start : some.stop - rows.start]


def mean_change(first, second):
    """Return the weighted mean of the change of second derivatives, and that of the first."""
    objective, sums = first.objective, np.zeros(2)
    for some in blocks(0, objective.n):
        before, after = first.of(some), second.of(some)
        sums += sums_of(objective.weight[some], np.stack([np.abs(after - before), before]))
    return sums / objective.n


def mean_conjugates(objective, v, share=1.0):
    """Return the weighted mean of the conjugates of ``share * v``, and of what rounds them."""
    sums = np.zeros(2)
    for some in blocks(0, objective.n):
        slopes = share * v[some]
        values = conjugates(objective.loss, slopes, objective.y[some])
        sizes = np.abs(slopes * objective.y[some]) + np.abs(values)
        sums += sums_of(objective.weight[some], np.stack([values, sizes]))
    return sums / objective.n


def _products(objective):
    """Yield slices of rows and what they store, for products that are taken at once."""
    X, n = objective.X, objective.n
    if sparse.issparse(X):
        yield slice(0, n), X
        return
    read = X.flags.c_contiguous or (X.dtype == np.float64 and not objective.term.far)
    for rows in blocks(0, n, ROWS if read else max(1, SMALL // max(1, objective.p))):
        yield rows, X[rows]
