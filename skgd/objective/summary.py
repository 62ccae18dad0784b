"""What one reading of rows tells before a fit: counts, moments, and products of the columns."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skgd.engines.tree import Verb
from skgd.kernels.column_products import centred_products
from skgd.kernels.moments import means_and_variances
from skgd.kernels.rows import even_weights
from skgd.kernels.sums import compiled_rmatvec, gram


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
    X, y, weight, n = piece.X, _targets(piece, number), piece.weight, piece.X.shape[0]
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
    moments = _moments_and_products if with_products else _moments
    means, levels, *sums = moments(X, y, even)
    if not (sound and np.isfinite(means).all()):
        invalid = _invalid(piece, number)
        if invalid or not total:
            return nothing._replace(lowest=lowest, highest=highest, invalid=invalid)
    squares, target_squares, *products = (total / n * found for found in sums)
    known = means, squares, levels, target_squares, lowest, highest, ()
    return Summary(n, total, n_weighted, *known, *products)


def _moments(X, y, weight):
    """Return the means of the columns and of y, and the sums of squares about them."""
    means, variances = means_and_variances(X, weight)
    first = y[np.argmax(weight > 0.0)]
    levels = first + (weight[:, None] * (y - first)).sum(axis=0) / len(y)
    target_squares = (weight[:, None] * (y - levels) ** 2).sum(axis=0)
    return means, levels, len(y) * variances, target_squares


def _moments_and_products(X, y, weight):
    """Return the same, and the products of the columns with each other and with y."""
    p = X.shape[1]
    if sparse.issparse(X):
        means, levels, squares, target_squares = _moments(X, y, weight)
        left = (y - levels) * weight[:, None]
        q = np.stack([compiled_rmatvec(X, u, means) for u in left.T])
        G = len(y) * gram(X, weight, means, squares / len(y))[0]
        return means, levels, squares, target_squares, G, q
    means, G = centred_products(X, y, weight)
    squares = np.maximum(G.diagonal(), 0.0)
    return means[:p], means[p:], squares[:p], squares[p:], G[:p, :p], G[p:, :p]


def _targets(piece, number):
    """Return the targets of a piece, if they are numbers."""
    try:
        return piece.y
    except (TypeError, ValueError) as error:
        raise ValueError(f"y of piece {number} must be numbers: {error}") from error


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


SUMMARY = Verb(summary_of, merged_summaries)
