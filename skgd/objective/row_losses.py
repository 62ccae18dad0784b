"""The losses of all rows at their predictions, taken some rows at a time.

So nothing of the length of a column is made beside the predictions; only products with sparse
rows need a vector, as these are taken all at once.
"""

import numpy as np
from scipy import sparse

from skgd.kernels.loss_kernels import ROWS, LossSums, blocks, constants, loss_sums
from skgd.kernels.moments import SMALL
from skgd.kernels.row_kernels import conjugates
from skgd.kernels.sums import matvec, rmatvec


class SecondDerivatives:
    """The second derivatives of the losses at some predictions; those of few rows are kept.

    Parameters
    ----------
    objective : Objective
    f : ndarray of shape (n,)
        The predictions.
    left_out : ndarray of shape (n,), bool, or None
        The rows whose second derivatives do not count.
    """

    def __init__(self, objective, f, left_out=None):
        self.objective, self.f, self.left_out, self._kept = objective, f, left_out, None

    def without(self, left_out):
        """Return the same without some rows."""
        return SecondDerivatives(self.objective, self.f, left_out)

    def of(self, rows):
        """Return those of some rows, at most `ROWS`."""
        n = self.objective.n
        if n <= ROWS and self._kept is None:
            self._kept = terms_of(self.objective, self.f, slice(0, n))[1]
        if self._kept is not None:
            h = self._kept[rows]
        else:
            h = terms_of(self.objective, self.f[rows], rows)[1]
        return h if self.left_out is None else np.where(self.left_out[rows], 0.0, h)


class Secants(SecondDerivatives):
    """The curvature of the `secants` in place of the second derivatives."""

    def without(self, left_out):
        """Return the same without some rows."""
        return Secants(self.objective, self.f, left_out)

    def of(self, rows):
        """Return those of some rows, at most `ROWS`."""
        f, second = self.f[rows], super().of(rows)
        slopes = terms_of(self.objective, f, rows)[0]
        found = secants(self.objective.loss, f - self.objective.y[rows], slopes, second)
        return found if self.left_out is None else np.where(self.left_out[rows], 0.0, found)


def secants(loss, away, slopes, second):
    """Return slopes of losses over distances from the targets; at least second derivatives.

    Of losses that grow more and more slowly than a parabola, as Huber's, they make a model that
    lies above the objective and touches it: steps to its minimum are those of weighted least
    squares, and always lead down.

    Parameters
    ----------
    loss : Loss
        Whose second derivatives have a bound.
    away, slopes, second : ndarray of shape (n,)

    References
    ----------
    Huber, "Robust statistics" (1981), section 7.8.
    """
    found = np.divide(slopes, away, second.copy(), where=away != 0.0)
    return np.clip(found, second, max(loss.curvature, second.max(initial=0.0)))


def terms_of(objective, f, rows):
    """Return the slopes of the losses of some rows, predicted as f, and their derivatives."""
    y, terms = objective.y[rows], (np.empty(len(f)), np.empty(len(f)))
    loss_sums(objective.loss, f, None, 0.0, y, constants(1.0)[: len(f)], *terms)
    return terms


def losses_at(objective, f):
    """Return the means of the `LossSums` at predictions, and of the columns' slopes."""
    n, sums, g = objective.n, np.zeros(len(LossSums._fields)), np.zeros(objective.p)
    slopes, seconds = np.empty((2, min(n, ROWS)))
    for rows, X in _products(objective):
        m = rows.stop - rows.start
        u = slopes[:m] if m <= ROWS else np.empty(m)
        for some in blocks(rows.start, rows.stop):
            to = u[some.start - rows.start : some.stop - rows.start]
            sums += _sums(objective, f, None, 0.0, some, (to, seconds[: to.size]))
        g += rmatvec(X, u, objective.centre, objective.term.far)
    g[objective.constant] = 0.0
    return _means(sums, n), g / n


def losses_along(objective, f, z, step, u=None):
    """Return the means of the `LossSums` at ``f + step z``; u, if given, becomes their slopes."""
    n, sums = objective.n, np.zeros(len(LossSums._fields))
    slopes, seconds = np.empty((2, min(n, ROWS)))
    for some in blocks(0, n):
        m = some.stop - some.start
        to = slopes[:m] if u is None else u[some]
        sums += _sums(objective, f, z[some], step, some, (to, seconds[:m]))
    return _means(sums, n)


def _sums(objective, f, z, step, rows, terms):
    y, weight = objective.y[rows], objective.weight[rows]
    return loss_sums(objective.loss, f[rows], z, step, y, weight, *terms)


def _means(sums, n):
    sums[:-1] /= n
    return LossSums(*sums.tolist())


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


def sums_of(weight, terms):
    """Return weighted sums over rows; rows without weight do not count, whatever their terms."""
    with np.errstate(invalid="ignore", over="ignore"):
        sums = terms @ weight
        if not np.isfinite(sums).all():
            sums = np.where(weight > 0.0, terms, 0.0) @ weight
        return sums


def _products(objective):
    """Yield slices of rows and what they store, for products that are taken at once."""
    X, n = objective.X, objective.n
    is_sparse = sparse.issparse(X)
    read = is_sparse or X.flags.c_contiguous or (X.dtype == np.float64 and not objective.term.far)
    if is_sparse or (read and n <= ROWS):
        yield slice(0, n), X
        return
    for rows in blocks(0, n, ROWS if read else max(1, SMALL // max(1, objective.p))):
        yield rows, X[rows]
