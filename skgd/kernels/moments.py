"""Moments of the columns of a matrix: means and variances, by one reading of dense data.

Columns are shifted by a typical value before they are averaged, and by their mean before they are
squared, so that a mean that is large compared to the spread (a temperature in kelvin, a year)
costs no digits. In a sparse matrix only full columns are shifted; the others contain zeros.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import sparse

from skgd.engines.threads import n_threads, row_pieces, run_all
from skgd.kernels.compiling import compiled_code
from skgd.kernels.rows import are_even, row_weights, rows_of
from skgd.kernels.sum_kernels import kernel

SMALL = 2**15  # entries, up to which numpy with temporary arrays replaces compiled loops
SMALLEST, LARGEST = 1e-290, 1e290  # sums of squares in which no square under- or overflowed
CONSTANT = 8.0  # a column is constant up to this spread, in roundings of its mean
COUNTED = 2**16  # indices, at least, that are counted at once
WITNESSES = 8  # rows that are tested first when looking for full sparse columns


class Columns(NamedTuple):
    """Moments of the columns of a matrix, each of shape (p,).

    Attributes
    ----------
    mean, variance : ndarray, float64
        Weighted by the rows.
    constant : ndarray, bool
        Whether the spread is below the rounding of the mean.
    """

    mean: np.ndarray
    variance: np.ndarray
    constant: np.ndarray


def column_moments(X, weight, intercept=True):
    """Return the `Columns` of X, for weights with mean one.

    Without an intercept no column counts as constant, because a constant column acts as one.
    """
    mean, variance = means_and_variances(X, weight)
    return columns_of(X, weight, mean, variance, intercept)


def columns_of(X, weight, mean, variance, intercept=True):
    """Return the `Columns` of known moments, if these are numbers to reckon with."""
    variance = in_range(X, weight, variance, mean)
    return Columns(mean, variance, are_constant(mean, variance, X.dtype) & bool(intercept))


def are_constant(mean, variance, dtype):
    """Return which columns are constant: their spread is below the rounding of their mean.

    All storages and solvers use this rule. The rounding is that of the dtype of the data. Columns
    of zeros do not count as constant; their gradient is zero anyway.
    """
    rounding = CONSTANT * np.finfo(dtype).eps * np.abs(mean)
    return (np.sqrt(variance) <= rounding) & (mean != 0.0)


def in_range(X, weight, squares, mean=None):
    """Return the squares of the columns; raise an error if any of them over- or underflowed.

    A column is too small if it has nonzero entries whose squares are zero, in rows that count,
    unless the column equals its ``mean``.
    """
    large = not squares.max(initial=0.0) < LARGEST
    if not large and squares.min(initial=1.0) >= SMALLEST:
        return squares
    small = squares < SMALLEST
    if mean is not None:
        small &= np.abs(mean) < np.sqrt(SMALLEST)
    if large or (small.any() and _any_entry(X, weight, small)):
        raise ValueError(
            f"The entries of X are too {'large' if large else 'small'} for their squares to be "
            "numbers. Scale the features, for instance with StandardScaler."
        )
    return squares


def means_and_variances(X, weight):
    """Return the weighted mean and variance of every column, for weights with mean one.

    The mean of equal values is that value. Entries that are not finite, of whatever weight, make
    the mean of their column no finite number either.
    """
    (n, p), first = X.shape, _first(X, weight)
    with np.errstate(over="ignore", invalid="ignore"):
        if sparse.issparse(X):
            given, (sums, squares, stored) = np.ascontiguousarray(weight), np.zeros((3, p))
            _run("rmatvec", X, given, first, sums)
            mean = first + sums / n
            _run("column_squares", X, given, mean, squares, stored)
            missing = np.where(full_columns(X, weight), 0.0, given.sum() - stored)
            return mean, (squares + np.maximum(missing, 0.0) * mean**2) / n
        if X.size <= SMALL:
            mean = first + _mean(X - first, weight)
            return mean, _mean(np.square(X - mean, dtype=float), weight)
        mean, squares = _dense_moments(X, weight, first)
    return mean, squares / n


def _dense_moments(X, weight, first):
    """Return the means of the columns, and the sums of squares about them.

    Columns are cut into pieces where they are stored, rows otherwise, and their moments merged in
    a tree, as by Chan, Golub and LeVeque (1983).
    """
    (n, p), rows, (given, stride) = X.shape, rows_of(X), row_weights(weight)
    run, by_rows = kernel("moments", type(rows)), X.flags.c_contiguous
    pieces = row_pieces(n, X.size, 2 * p) if by_rows else row_pieces(p, X.size, 1)
    m = len(pieces) if by_rows else 1
    means, squares, room = np.zeros((m, p)), np.zeros((m, p)), np.empty((2, p))
    tasks = []
    for k, (start, stop) in enumerate([(0, 0), *pieces]):
        part = slice(start, stop)
        if by_rows:
            own = given[part] if stride else given
            to = first, means[k - 1], squares[k - 1], np.empty((2, p))
            tasks.append(partial(run, rows.X[part], own, stride, *to))
        else:
            to = first[part], means[0, part], squares[0, part], room[:, part].copy()
            tasks.append(partial(run, rows.T[part], given, stride, *to))
    with compiled_code():
        tasks[0]()  # compiles in this thread
        means[:], squares[:] = 0.0, 0.0
        run_all(tasks[1:], n_threads())
    if m > 1:
        masses = [given[start:stop].sum() if stride else stop - start for start, stop in pieces]
        _merge(np.array(masses, dtype=float)[:, None], means, squares)
    return means[0], squares[0]


def _merge(mass, mean, squares):
    """Merge the moments of all pieces into those of the first: the second half and so on."""
    m = len(mass)
    while m > 1:
        half = (m + 1) // 2
        one, other = slice(0, m - half), slice(half, m)
        total = mass[one] + mass[other]
        share = np.divide(mass[other], total, out=np.zeros_like(total), where=total > 0.0)
        moved = mean[other] - mean[one]
        mean[one] += moved * share
        squares[one] += squares[other] + moved**2 * (mass[one] * share)
        mass[one], m = total, half


def column_means(X, weight):
    """Return the weighted mean of every column, for weights with mean one."""
    return means_and_variances(X, weight)[0]


def column_squares(X, weight, centre):
    """Return the weighted mean square of each column about the centre; None means zero."""
    mean, variance = means_and_variances(X, weight)
    with np.errstate(over="ignore", invalid="ignore"):
        return variance + (mean - (0.0 if centre is None else centre)) ** 2


def entries_of_rows(X):
    """Return how many entries each row of a sparse matrix has."""
    if X.format == "csr":
        return np.diff(X.indptr)
    return _counts(X.indices, X.shape[0])


def full_columns(X, weight=None):
    """Return which columns of a sparse matrix are stored in every row (of nonzero weight)."""
    (n, p), indices = X.shape, X.indices
    even = weight is None or are_even(weight)
    count = n if even else np.count_nonzero(weight)
    if X.format == "csc":
        if count == n:
            return np.diff(X.indptr) == n
        return np.diff(np.append(0, np.cumsum(weight[indices] > 0.0))[X.indptr]) == count
    some = np.arange(min(n, WITNESSES)) if even else np.flatnonzero(weight)[:WITNESSES]
    left = np.bincount(np.concatenate([_indices(X, i) for i in some]), minlength=p) == some.size
    if not left.any():
        return left
    if count < n:
        indices = indices[np.repeat(weight > 0.0, np.diff(X.indptr))]
    return left & (_counts(indices, p) == count)


def _counts(indices, length):
    """Return how often each index occurs; some of them at a time, as numpy copies them."""
    counts, some = np.zeros(length, dtype=np.intp), max(COUNTED, length // 2)
    for start in range(0, indices.size, some):
        counts += np.bincount(indices[start : start + some], minlength=length)
    return counts


def _indices(X, i):
    return X.indices[X.indptr[i] : X.indptr[i + 1]]


def _first(X, weight):
    """Return the first row of nonzero weight; of a sparse one only its full columns, else zero."""
    i = 0 if are_even(weight) else int(np.argmax(weight > 0.0))
    if not sparse.issparse(X):
        return X[i].astype(float)
    full = full_columns(X, weight)
    return np.where(full, X[[i]].toarray()[0], 0.0).astype(float)


def _any_entry(X, weight, columns):
    """Whether these columns have a nonzero entry in a row that has a weight."""
    some = X[:, columns]
    some = some if are_even(weight) else some[np.flatnonzero(weight)]
    return bool((some.data if sparse.issparse(some) else some).any())


def _mean(A, weight):
    """Return the weighted mean of the rows of a small matrix."""
    return A.sum(axis=0) / len(A) if are_even(weight) else weight @ A / len(A)


def _run(name, X, *arrays):
    """Run a compiled sum, which fills its last arrays."""
    rows = rows_of(X)
    with compiled_code():
        kernel(name, type(rows))(*rows, *arrays)
