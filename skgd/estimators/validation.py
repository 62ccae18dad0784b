"""Validation of arrays: what users pass is checked here before compiled code reads it.

Compiled code reads memory without asking where an array ends, and so does scipy where it
converts one sparse format to another.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import check_array

from skgd.pieces import is_dask

MatrixLike: TypeAlias = ArrayLike | sparse.sparray | sparse.spmatrix
COMPRESSED = ("csr", "csc", "bsr")
INDEX_TYPES = (np.int32, np.int64)


def numbers(value, name, shapes):
    """Return an array of finite float64 numbers, in C order.

    Parameters
    ----------
    value : array-like
    name : str
        Of the parameter, for the message.
    shapes : dict
        The shapes that it may have, each with what it holds.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        For everything else; the message names the parameter.
    """
    refuse_masked(value, name)
    try:
        array = check_array(
            value,
            dtype=np.float64,
            order="C",
            ensure_2d=False,
            allow_nd=True,
            ensure_min_samples=0,
            ensure_min_features=0,
            input_name=name,
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers: {error}") from error
    if array.shape not in shapes:
        expected = "; or ".join(f"{shape}: {what}" for shape, what in shapes.items())
        raise ValueError(f"{name} has shape {array.shape}; expected {expected}.")
    return array


def joined(value, name, sizes, n_rows):
    """Return rows of numbers whose pieces are given by name, in any order.

    Parameters
    ----------
    value : dict of array-like
        A piece for each of the names, the same for all rows or one for each.
    name : str
        Of the parameter, for the message.
    sizes : dict of int
        How many numbers of a row each piece has, in the order of the row.
    n_rows : int

    Returns
    -------
    ndarray of shape (n_rows, sum of sizes)

    Raises
    ------
    ValueError
        For other names, and pieces of other shapes.
    """
    if set(value) != set(sizes):
        raise ValueError(f"{name} must give {', '.join(sizes)} by name. Got {list(value)}.")
    pieces = []
    for key, size in sizes.items():
        shapes = {(size,): "for all", (n_rows, size): "for each target"}
        shapes |= {(): "a number", (n_rows,): "for each target"} if size == 1 else {}
        piece = numbers(value[key], f"{name}[{key!r}]", shapes)
        piece = piece[:, None] if size == 1 and piece.shape == (n_rows,) else piece
        pieces.append(np.broadcast_to(piece, (n_rows, size)))
    return np.hstack(pieces)


def check_bounds(bounds, d):
    """Return the lowest and the highest value of each parameter; None where there are none."""
    if bounds is None:
        return None
    box = numbers(bounds, "bounds", {(d, 2): "lowest and highest value of each parameter"})
    if (box[:, 0] > box[:, 1]).any():
        raise ValueError(
            f"bounds must hold the lowest value of each parameter and then the highest. Got "
            f"{bounds!r} instead."
        )
    return box


def stored_as(dtype, theta, n_weights=0):
    """Return parameters in the type of the data, if they, and the weights, are in its range.

    The weights come first. Whether the others are small beside the least number is of no account:
    they are added to what the weights make of X.
    """
    if theta.dtype == dtype:
        return theta.copy()
    largest, weight = (np.abs(t).max(initial=0.0) for t in (theta, theta[..., :n_weights]))
    kind = np.finfo(dtype)
    lost = 0.0 < weight < kind.tiny
    if lost or kind.max < largest < np.inf:
        raise ValueError(
            f"The fitted parameters, up to {largest:.1e}, are beyond the range of {kind.dtype}, "
            "in which X came. Scale the features, for instance with StandardScaler, or y; or pass "
            "X in float64."
        )
    return theta.astype(dtype)


def refuse_masked(value, name):
    """Refuse an array some of whose entries are masked: what lies beneath is not data."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries. Fill them, or drop their rows.")


def checked_matrix(X, name="X"):
    """Return a matrix that scipy and compiled code can read without leaving it.

    Sparse matrices in compressed formats keep their arrays; of those whose indices are not
    both int32 or both int64, as scipy's functions need them, the shorter array is converted, and
    both where their type is none of these. Everything that is not sparse is left as it is.

    Parameters
    ----------
    X : array-like or sparse matrix

    Returns
    -------
    array-like or sparse matrix

    Raises
    ------
    ValueError
        For indices that point outside of the matrix or its data, and for collections of dask.
    """
    if is_dask(X):
        raise ValueError(
            f"{name} is a {type(X).__name__} of dask, as only fit, predict and score take it. "
            f"Pass {name}.compute(), if it fits into memory."
        )
    if not sparse.issparse(X):
        refuse_masked(X, name)
        return X
    if X.ndim != 2:
        raise ValueError(f"{name} must have two dimensions; it is sparse and has {X.ndim}.")
    if X.format == "coo":
        _check_coordinates(X, name)
        return X
    X = X if X.format in COMPRESSED else X.tocsr()
    return _checked_compressed(X, name)


def canonical(X):
    """Return a matrix without duplicates that compiled code can read.

    A sparse one, which has been checked, with sorted indices; an array in C or F order.
    """
    if not sparse.issparse(X):
        return X if X.flags.forc else np.ascontiguousarray(X)
    arrays = map(np.ascontiguousarray, (X.data, X.indices, X.indptr))
    X = _with(X, *arrays)  # what it says of itself may be out of date
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def _check_coordinates(X, name):
    """Refuse coordinates that do not lie in the matrix."""
    for index, length in zip((X.row, X.col), X.shape):
        index = np.asarray(index)
        if index.ndim != 1 or index.dtype.kind not in "iu" or len(index) != len(X.data):
            raise ValueError(f"The sparse matrix {name} has coordinates that are not integers.")
        _check_range(index, length, name)


def _checked_compressed(X, name):
    """Return a matrix of rows, columns or blocks whose indices have been checked."""
    data, indices, indptr = (np.asarray(a) for a in (X.data, X.indices, X.indptr))
    if {indices.dtype.kind, indptr.dtype.kind} - {"i", "u"}:
        raise ValueError(
            f"The indices of the sparse matrix {name} must be integers. They are of type "
            f"{indices.dtype}, and those that part its rows of type {indptr.dtype}."
        )
    if (data.ndim, indices.ndim) != (3 if X.format == "bsr" else 1, 1):
        raise ValueError(f"The sparse matrix {name} is damaged: its arrays have other dimensions.")
    block = data.shape[1:] if X.format == "bsr" else (1, 1)
    major, minor = (-(-length // max(1, of)) for length, of in zip(X.shape, block))
    major, minor = (minor, major) if X.format == "csc" else (major, minor)
    _check_pointers(indptr, major, min(len(indices), len(data)), name)
    _check_range(indices[: indptr[-1]], minor, name)
    if indices.dtype == indptr.dtype and indices.dtype in INDEX_TYPES:
        return X
    short = indices.dtype == np.int32 and indptr[-1] <= np.iinfo(np.int32).max
    kind = np.int32 if short else np.int64
    return _with(X, data, indices.astype(kind, copy=False), indptr.astype(kind, copy=False))


def _check_pointers(indptr, n, stored, name):
    """Refuse pointers that do not part the entries into n rows, or columns."""
    if (
        indptr.shape != (n + 1,)
        or indptr[0] != 0
        or indptr[-1] > stored
        or (indptr[1:] < indptr[:-1]).any()
    ):
        raise ValueError(
            f"The sparse matrix {name} is damaged: its indptr must have {n + 1} entries that rise "
            f"from 0 to at most {stored}, the number of its entries."
        )


def _check_range(index, length, name):
    if index.size and not (index.min() >= 0 and index.max() < length):
        raise ValueError(
            f"The sparse matrix {name} is damaged: its indices run from {index.min()} to "
            f"{index.max()}, and should lie in [0, {length})."
        )


def _with(X, data, indices, indptr):
    """Return a matrix of the same kind with these arrays, and no memory of what they were."""
    fresh = type(X)(X.shape, dtype=X.dtype)
    fresh.data, fresh.indices, fresh.indptr = data, indices, indptr
    return fresh
