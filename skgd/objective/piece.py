"""A piece of rows, and what is asked of it: verbs, whose answers are added over all pieces."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skgd.engines.tree import Verb, add
from skgd.kernels.compiling import compiled_code
from skgd.kernels.loss_kernels import mean_loss_terms
from skgd.kernels.moments import means_and_variances
from skgd.kernels.row_kernels import conjugates, loss_terms
from skgd.kernels.rows import even_weights
from skgd.kernels.sums import gram, rmatvec
from skgd.objective import second_order
from skgd.objective.row_losses import sums_of
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
    y : ndarray of shape (n, n_targets), float64
    weight : ndarray of shape (n,), float64, or None
        As it was given; None for one.
    """

    def __init__(self, X, y, weight=None):
        self.X, self.y = X, y
        self.weight = even_weights(len(y)) if weight is None else weight
        self._term = self._key = self._sum = None

    def __reduce__(self):
        weight = self.weight if self.weight.strides != (0,) else None
        return Piece, (self.X, self.y, weight)

    def term(self, seen):
        """Return the `RowwiseTerm` of the rows; the last one is kept."""
        if seen.key != self._key:
            y = np.ascontiguousarray(self.y[:, seen.target] - seen.offset)
            known = seen.model, seen.loss, seen.centre, seen.columns
            self._term, self._key = RowwiseTerm(self.X, y, self.weight, *known), seen.key
            self._sum = None
        return self._term

    def sum_of(self, seen, apart):
        """Return the `FullSum` of the rows; the last one is kept."""
        term = self.term(seen)
        if self._sum is None or self._sum.is_apart is not apart:
            theta, iterate, g = np.zeros((3, term.n_parameters))
            task, found = term.sums(theta, iterate if apart else theta, g)
            self._sum = FullSum(apart, theta, iterate, g, task, found)
        return self._sum


class Summary(NamedTuple):
    """What is known of rows before a fit; sums are about the means.

    Attributes
    ----------
    n : int
        Rows.
    total : float
        The sum of their weights.
    n_weighted : int
        Rows that have a weight.
    means, squares : ndarray of shape (p,)
        Of the columns: weighted means, and the sums of squares about them.
    levels, target_squares : ndarray of shape (n_targets,)
        The same of the targets.
    lowest, highest : ndarray of shape (n_targets,)
        Of all targets.
    invalid : tuple
        The number of the first piece and row that is not finite, and whether it is so in X, y or
        the weights; empty for none.
    G : ndarray of shape (p, p), or ()
        Sums of the products of the columns with each other.
    q : ndarray of shape (n_targets, p), or ()
        The same of the columns with the targets.
    """

    n: int
    total: float
    n_weighted: int
    means: Any
    squares: Any
    levels: np.ndarray
    target_squares: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    invalid: tuple = ()
    G: Any = ()
    q: Any = ()


def summary_of(piece, number, with_products):
    """Return the `Summary` of a piece."""
    X, y, weight, n = piece.X, piece.y, piece.weight, len(piece.y)
    k, p = y.shape[1], X.shape[1]
    nothing = Summary(n, 0.0, 0, np.zeros(p), np.zeros(p), np.zeros(k), np.zeros(k), *_none(k))
    if with_products:
        nothing = nothing._replace(G=np.zeros((p, p)), q=np.zeros((k, p)))
    if n == 0:
        return nothing
    lowest, highest = y.min(axis=0), y.max(axis=0)
    total, n_weighted, smallest = float(weight.sum()), int(np.count_nonzero(weight)), weight.min()
    sound = 0.0 < total < np.inf and smallest >= 0.0 and np.isfinite([lowest, highest]).all()
    even = even_weights(n) if not sound or smallest == weight.max() else weight / (total / n)
    means, variances = means_and_variances(X, even)
    if not (sound and np.isfinite(means).all()):
        invalid = _invalid(piece, number)
        if invalid or not total:
            return nothing._replace(lowest=lowest, highest=highest, invalid=invalid)
    first = y[np.argmax(weight > 0.0)]
    levels = first + even @ (y - first) / n
    left = (y - levels) * even[:, None]
    share = total / n
    squares = share * (left * (y - levels)).sum(axis=0)
    found = (means, total * variances, levels, squares, lowest, highest)
    if not with_products:
        return Summary(n, total, n_weighted, *found)
    G = total * gram(X, even, means, variances)[0]
    q = share * np.stack([rmatvec(X, u, means) for u in left.T])
    return Summary(n, total, n_weighted, *found, G=G, q=q)


def _none(k):
    return np.full(k, np.inf), np.full(k, -np.inf)


def _invalid(piece, number):
    """Return where the first row stands that is not finite, or whose weight is negative."""
    X, y, weight = piece.X, piece.y, piece.weight
    if sparse.issparse(X):
        bad = np.flatnonzero(~np.isfinite(X.data))
        rows = np.searchsorted(X.indptr, bad[:1], side="right") - 1
    else:
        rows = np.flatnonzero(~np.isfinite(X).all(axis=1))
    places = [(rows, "X"), (np.flatnonzero(~np.isfinite(y).all(axis=1)), "y")]
    places.append((np.flatnonzero(~np.isfinite(weight)), "sample_weight"))
    places.append((np.flatnonzero(weight < 0.0), "negative"))
    found = [(int(rows[0]), what) for rows, what in places if rows.size]
    return (number, *min(found)) if found else ()


def merged_summaries(one, other):
    """Return the `Summary` of the rows of two, as by Chan, Golub and LeVeque (1983)."""
    rows = {
        "n": one.n + other.n,
        "lowest": np.minimum(one.lowest, other.lowest),
        "highest": np.maximum(one.highest, other.highest),
        "invalid": one.invalid or other.invalid,
    }
    if not one.total or not other.total:
        return (one if one.total else other)._replace(**rows)
    total = one.total + other.total
    share, mass = other.total / total, one.total * (other.total / total)
    away, up = other.means - one.means, other.levels - one.levels
    products = {}
    if len(one.G):
        products["G"] = one.G + other.G + mass * np.outer(away, away)
        products["q"] = one.q + other.q + mass * np.outer(up, away)
    return Summary(
        total=total,
        n_weighted=one.n_weighted + other.n_weighted,
        means=one.means + share * away,
        squares=one.squares + other.squares + mass * away**2,
        levels=one.levels + share * up,
        target_squares=one.target_squares + other.target_squares + mass * up**2,
        **rows,
        **products,
    )


def loss_and_gradient(piece, number, seen, theta, iterate):
    """Return the sum of the losses at ``iterate``, and that of the gradients at theta.

    The former is at theta where ``iterate`` is None.
    """
    n = len(piece.y)
    if not n:
        return 0.0, np.zeros(theta.size)
    with compiled_code():
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
    slopes, mean = piece.term(seen).square_product(v, scale, level)
    return n * slopes, n * float(mean)


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
    return (n * second_order.data_hessian(piece.term(seen), theta),)


def second_order_terms(piece, number, seen, theta):
    """Return the sums of the losses, of their gradients, and of their second derivatives."""
    loss, g = loss_and_gradient(piece, number, seen, theta, None)
    return loss, g, *hessian(piece, number, seen, theta)


def dual_sums(piece, number, seen, theta, step, shares):
    """Return what tells of the dual vector that has the slopes at the end of a step.

    To first order: ``v = slope + second derivative * change of the prediction``; where that is
    outside of the domain of the conjugate, the slope at the end itself.

    Parameters
    ----------
    theta, step : ndarray of shape (d,)
    shares : ndarray of shape (m,)
        Multiples of the vector.

    Returns
    -------
    u : ndarray of shape (d,)
        Sums of v with the columns, and with one.
    square : float
        The sum of its squares.
    conjugates, sizes : ndarray of shape (m,)
        Sums of the conjugates of its multiples, and of what rounds them.
    """
    d, m = theta.size, shares.size
    if not len(piece.y):
        return np.zeros(d), 0.0, np.zeros(m), np.zeros(m)
    term = piece.term(seen)
    f, move = term.predict(theta), term.predict(step)
    loss, y, weight = term.loss, term.y, piece.weight
    _, slope, second = loss_terms(loss, f, y)
    v = slope + second * move
    outside = np.isinf(conjugates(loss, v, y))
    if outside.any():
        v[outside] = loss_terms(loss, (f + move)[outside], y[outside])[1]
    found = np.zeros((2, m))
    for k, share in enumerate(shares):
        values = conjugates(loss, share * v, y)
        sizes = np.abs(share * v * y) + np.abs(values)
        found[:, k] = sums_of(weight, np.stack([values, sizes]))
    u, n = term.rmatvec(v) * len(y), d - term.p
    return np.append(u, [weight @ v] * n), float(weight @ v**2), *found


def sampled_targets(piece, number, target, every):
    """Return every so many of the targets of rows that have a weight, and their weights."""
    rows = np.flatnonzero(piece.weight > 0.0)[::every]
    return piece.y[rows, target], piece.weight[rows]


def _joined(one, other):
    return tuple(map(np.concatenate, zip(one, other)))


SUMMARY = Verb(summary_of, merged_summaries)
LOSS_AND_GRADIENT = Verb(loss_and_gradient, add)
SQUARE_PRODUCT = Verb(square_product, add)
CONSTANT_TERMS = Verb(constant_terms, add)
HESSIAN = Verb(hessian, add)
SECOND_ORDER = Verb(second_order_terms, add)
DUAL_SUMS = Verb(dual_sums, add)
TARGETS = Verb(sampled_targets, _joined)
