"""A piece of rows, and what is asked of it: verbs, whose answers are added over all pieces.

Sums are those of compiled loops and of `column_products`: the bits of BLAS alone depend on where
arrays lie in memory.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from skgd.engines.tree import Verb, add
from skgd.kernels.column_products import column_products
from skgd.kernels.compiling import compiled_code
from skgd.kernels.loss_kernels import mean_loss_terms
from skgd.kernels.row_kernels import conjugates, loss_terms
from skgd.kernels.rows import aligned_rows, even_weights
from skgd.kernels.sums import compiled_matvec, compiled_rmatvec
from skgd.objective import second_order
from skgd.objective.line_pieces import LinePieces
from skgd.objective.row_losses import secants
from skgd.objective.rowwise import RowwiseTerm


class Seen(NamedTuple):
    """How rows are seen: by a model and a loss, from a centre, and for one target."""

    key: str  # by which a piece knows it again
    model: Any
    loss: Any
    centre: np.ndarray | None
    columns: Any  # Columns
    target: int
    offset: float  # of the target


class FullSum(NamedTuple):
    """What adds up all rows of a piece, and the arrays that it reads and fills."""

    is_apart: bool  # whether the loss is wanted elsewhere than the gradient
    theta: np.ndarray
    iterate: np.ndarray
    g: np.ndarray
    task: Callable
    found: np.ndarray


class Piece:
    """Some rows, with their targets and weights.

    Parameters
    ----------
    X : ndarray of shape (n, p), C-ordered, or canonical csr_matrix
        float64 or float32.
    labels : ndarray of shape (n, n_targets)
        Targets, or classes of any type.
    weight : ndarray of shape (n,), float64, or None
        As it was given; None for one.
    """

    def __init__(self, X, labels, weight=None):
        self.X, self.labels = aligned_rows(X), np.require(labels, requirements="A")
        weight = even_weights(len(labels)) if weight is None else weight
        self.weight = np.require(weight, requirements="A")
        self._term = self._key = self._sum = None

    def __reduce__(self):
        weight = self.weight if self.weight.strides != (0,) else None
        return Piece, (self.X, self.labels, weight)

    @cached_property
    def y(self):
        """The targets, of shape (n, n_targets), float64."""
        return np.ascontiguousarray(self.labels, dtype=np.float64)

    def term(self, seen):
        """Return the `RowwiseTerm` of the rows; the last one is kept."""
        if seen.key != self._key:
            known = seen.model, seen.loss, seen.centre, seen.columns
            self._term = RowwiseTerm(self.X, self.targets(seen), self.weight, *known)
            self._key = seen.key
            self._sum = None
        return self._term

    def targets(self, seen):
        """Return the targets of the rows."""
        return np.ascontiguousarray(self.y[:, seen.target] - seen.offset)

    def sum_of(self, seen, apart):
        """Return the `FullSum` of the rows; the last one is kept."""
        term = self.term(seen)
        if self._sum is None or self._sum.is_apart is not apart:
            theta, iterate, g = np.zeros((3, term.n_parameters))
            with compiled_code():
                task, found = term.sums(theta, iterate if apart else theta, g)
            self._sum = FullSum(apart, theta, iterate, g, task, found)
        return self._sum


def loss_and_gradient(piece, number, seen, theta, iterate):
    """Return the sum of the losses at ``iterate``, and that of the gradients at theta.

    The former is at theta where ``iterate`` is None. Who asks does so in `compiled_code`.
    """
    n = len(piece.labels)
    if not n:
        return 0.0, np.zeros(theta.size)
    known = piece.sum_of(seen, iterate is not None)
    known.theta[:], known.g[:] = theta, 0.0
    if iterate is not None:
        known.iterate[:] = iterate
    known.task()
    return n * float(known.found[0]), n * known.g


def square_product(piece, number, seen, v, scale, level):
    """Return the sums that are the means of `ProjectionTerm.square_product`."""
    n = len(piece.y)
    if not n:
        return np.zeros(v.size), 0.0
    z = scale * _projections(piece, seen, v) + level
    return _sums(piece, seen, z)


def constant_terms(piece, number, loss, target, level):
    """Return sums over rows for a constant prediction, as `mean_loss_terms` returns means."""
    n = len(piece.y)
    if not n:
        return (np.zeros(4),)
    y = np.ascontiguousarray(piece.y[:, target])
    return (n * mean_loss_terms(loss, level, y, piece.weight),)


def hessian(piece, number, seen, theta):
    """Return the sum of the second derivatives of the losses."""
    n = len(piece.y)
    if not n:
        return (np.zeros((theta.size, theta.size)),)
    term = piece.term(seen)
    if term.affine and not term.nonsmooth:
        return (second_order_terms(piece, number, seen, theta, 0.0)[3],)
    return (n * second_order.data_hessian(term, theta),)


def curvature_of_secants(piece, number, seen, theta):
    """Return the sum of the squares of rows, times the `secants` of their losses."""
    n, d, p = len(piece.y), theta.size, piece.X.shape[1]
    if not n:
        return (np.zeros((d, d)),)
    term = piece.term(seen)
    f = _projections(piece, seen, theta[:p]) + theta[p:].sum()
    _, slopes, second = loss_terms(term.loss, f, term.y)
    return (_curvature(piece, seen, secants(term.loss, f - term.y, slopes, second), d),)


def second_order_terms(piece, number, seen, theta, smoothing):
    """Return what Newton steps need to know of the rows of a linear model.

    Parameters
    ----------
    theta : ndarray of shape (d,)
    smoothing : float
        Of losses whose slope jumps, as in `LinePieces.smoothed`; zero for none.

    Returns
    -------
    losses, smoothed : float
        Sums of the losses, and of the smoothed ones.
    g, H : ndarray of shape (d,) and (d, d)
        Sums of the slopes and second derivatives of the latter.
    """
    n, d, p = len(piece.y), theta.size, piece.X.shape[1]
    if not n:
        return 0.0, 0.0, np.zeros(d), np.zeros((d, d))
    term, weight = piece.term(seen), piece.weight
    f = _projections(piece, seen, theta[:p]) + theta[p:].sum()
    value, slope, second = terms = loss_terms(term.loss, f, term.y)
    if smoothing:
        value, slope, second = LinePieces(term.loss, term.y).smoothed(f, smoothing)
    losses, smoothed = (float(_weighted(weight, v).sum()) for v in (terms[0], value))
    g, total = _sums(piece, seen, slope)
    return losses, smoothed, np.append(g, [total] * (d - p)), _curvature(piece, seen, second, d)


def _curvature(piece, seen, second, d):
    """Return the sum of the squares of rows, times their second derivatives."""
    H, p = np.empty((d, d)), piece.X.shape[1]
    H[:p, :p] = _products(piece.term(seen), piece.weight * second)
    mixed, curved = _sums(piece, seen, second)
    H[:p, p:], H[p:, :p], H[p:, p:] = mixed[:, None], mixed, curved
    return H


def _products(term, u):
    """Return the sum of ``u_i (x_i - centre) (x_i - centre)^T``."""
    if term.sparse:
        return second_order.row_products(term, u, np.zeros((u.size, 0)))[0]
    none, centre = np.zeros((u.size, 0)), np.zeros(term.p) if term.centre is None else term.centre
    H = column_products(term.X, none, np.maximum(u, 0.0), centre)
    if u.min() < 0.0:
        H -= column_products(term.X, none, np.maximum(-u, 0.0), centre)
    return H[:-1, :-1]


def _weighted(weight, values):
    """Return weighted numbers; rows without weight do not count, whatever they have."""
    return np.where(weight > 0.0, weight * values, 0.0)


def dual_sums(piece, number, seen, theta, step, smoothing, multiples):
    """Return what tells of the dual vector that has the slopes at the end of a step.

    To first order: ``v = slope + second derivative * change of the prediction``; where that is
    outside of the domain of the conjugate, the slope at the end itself.

    Parameters
    ----------
    theta, step : ndarray of shape (d,)
    smoothing : float
        As in `second_order_terms`.
    multiples : ndarray of shape (m,)
        Of the vector.

    Returns
    -------
    u : ndarray of shape (d,)
        Sums of v with the columns, and with one.
    square : float
        The sum of its squares.
    conjugates, sizes : ndarray of shape (m,)
        Sums of the conjugates of its multiples, and of what rounds them.
    """
    d, m = theta.size, multiples.size
    if not len(piece.y):
        return np.zeros(d), 0.0, np.zeros(m), np.zeros(m)
    term, p = piece.term(seen), piece.X.shape[1]
    f = _projections(piece, seen, theta[:p]) + theta[p:].sum()
    move = _projections(piece, seen, step[:p]) + step[p:].sum()
    loss, y, weight = term.loss, term.y, piece.weight
    lines = LinePieces(loss, y) if smoothing else None

    def slopes(f):
        terms = loss_terms(loss, f, y) if lines is None else lines.smoothed(f, smoothing)
        return terms[1], terms[2]

    slope, second = slopes(f)
    v = slope + second * move
    outside = np.isinf(conjugates(loss, v, y))
    if outside.any():
        v = np.where(outside, slopes(f + move)[0], v)
    found = np.zeros((2, m))
    for k, multiple in enumerate(multiples):
        values = conjugates(loss, multiple * v, y)
        sizes = np.abs(multiple * v * y) + np.abs(values)
        found[:, k] = _weighted(weight, np.stack([values, sizes])).sum(axis=1)
    u, total = _sums(piece, seen, v)
    return np.append(u, [total] * (d - p)), float((weight * v**2).sum()), *found


def _projections(piece, seen, v):
    """Return ``(x_i - centre) . v`` for every row."""
    return compiled_matvec(piece.X, v, seen.centre)


def _sums(piece, seen, u):
    """Return the weighted sums of ``u_i (x_i - centre)`` and of u; zero for constant columns."""
    u = piece.weight * u
    g = compiled_rmatvec(piece.X, u, seen.centre)
    g[seen.columns.constant] = 0.0
    return g, float(u.sum())


def sampled_targets(piece, number, target, every):
    """Return every so many of the targets of rows that have a weight, and their weights."""
    rows = np.flatnonzero(piece.weight > 0.0)[::every]
    return piece.y[rows, target], piece.weight[rows]


def _joined(one, other):
    return tuple(map(np.concatenate, zip(one, other)))


LOSS_AND_GRADIENT = Verb(loss_and_gradient, add)
SQUARE_PRODUCT = Verb(square_product, add)
CONSTANT_TERMS = Verb(constant_terms, add)
HESSIAN = Verb(hessian, add)
SECOND_ORDER = Verb(second_order_terms, add)
SECANTS = Verb(curvature_of_secants, add)
DUAL_SUMS = Verb(dual_sums, add)
TARGETS = Verb(sampled_targets, _joined)
