"""Pieces of dask arrays and dataframes: one for each block of rows.

dask is imported only when one of its collections comes in.
"""

import warnings
from functools import partial
from math import isnan
from typing import Any
from uuid import uuid4

import numpy as np
from scipy import sparse

from skgd.engines.dask_ import Scheduled, Workers
from skgd.pieces.collection import Pieces
from skgd.pieces.loading import FLOATS, loaded_piece

LIBRARIES = "dask", "dask_expr"
MAX_BLOCK = 2**30  # bytes of a block of rows, beyond which its columns are not brought together


def is_dask(value: Any) -> bool:
    """Whether a value is a collection of dask."""
    return any(kind.__module__.partition(".")[0] in LIBRARIES for kind in type(value).__mro__)


def pieces_of_dask(X: Any, y: Any, sample_weight: Any = None) -> Pieces:
    """Return the blocks of rows of a dask array or dataframe as pieces.

    Parameters
    ----------
    X : dask Array or DataFrame of shape (n, p)
    y : dask Array, Series or DataFrame, or array-like, of shape (n,) or (n, n_targets)
        In other blocks than X, or in memory, only if the sizes of the blocks are known.
    sample_weight : dask Array or Series, or array-like, of shape (n,), float or None

    Raises
    ------
    ValueError
        For rows that cannot be brought together.
    """
    import dask.array as da
    from dask.array.utils import meta_from_array
    from dask.layers import ArrayBlockIdDep

    rows, given = row_blocks(X), []
    if y is None:
        raise ValueError("y is missing: the targets of the rows of X.")
    y = _beside(y, rows, "y", (1, 2))
    scalar = np.isscalar(sample_weight) or sample_weight is None
    if not scalar:
        given = [_beside(sample_weight, rows, "sample_weight", (1,)), "i"]
    p, dtype = rows.shape[1], rows.dtype
    dtype = dtype if dtype in FLOATS else np.dtype(np.float64)
    load = partial(_load, p, dtype, sample_weight if scalar else None)
    numbers = ArrayBlockIdDep(rows.chunks[:1])
    known = {
        "name": f"pieces-{uuid4().hex}",
        "concatenate": True,
        "align_arrays": False,
        "meta": np.empty(0, object),
    }
    blocks = rows, "ij", y, "ij"[: y.ndim].replace("j", "k"), *given
    pieces = da.blockwise(load, "i", numbers, "i", *blocks, **known)
    n_targets = None if y.ndim == 1 else y.shape[1]
    is_sparse = sparse.issparse(meta_from_array(rows))
    return Pieces(engine_of(pieces), p, dtype, n_targets, column_names(X), is_sparse)


def engine_of(pieces: Any) -> Any:
    """Return the engine that asks the pieces in an array: on workers, where a client is active."""
    from dask.base import get_scheduler

    client = getattr(get_scheduler(collections=[pieces]), "__self__", None)
    return Scheduled(pieces) if client is None else Workers(pieces, client)


def row_blocks(X: Any) -> Any:
    """Return X as a dask array whose blocks have all columns.

    Blocks of columns are brought together where the blocks of rows do not become too large.
    """
    rows = as_array(X, "X")
    if rows.ndim != 2 or isnan(rows.shape[1]):
        raise ValueError(f"Expected X to have two dimensions and known columns: {rows}.")
    if rows.numblocks[1] == 1:
        return rows
    size = max(rows.chunks[0]) * rows.shape[1] * rows.dtype.itemsize
    if size > MAX_BLOCK:  # which no unknown size is
        raise ValueError(
            f"X has {rows.numblocks[1]} blocks of columns, which together would take "
            f"{size / 2**30:.1f} GiB a block of rows. Rechunk it so that each block has all "
            'columns: X.rechunk({0: "auto", 1: -1}).'
        )
    return rows.rechunk({1: -1})


def as_array(values: Any, name: str) -> Any:
    """Return a dask array of an array, a dataframe or a series."""
    import dask.array as da

    if isinstance(values, da.Array):
        return values
    if not hasattr(type(values), "to_dask_array"):  # a Delayed has every attribute
        raise ValueError(
            f"{name} must be a dask array, dataframe or series. It is a {type(values).__name__}."
        )
    with warnings.catch_warnings():  # that types of pandas become objects, which are read as well
        warnings.filterwarnings("ignore", "Dask currently has limited support", UserWarning)
        return values.to_dask_array()


def column_names(X: Any) -> list[str] | None:
    """Return the names of the columns of a dataframe; None where not all have one."""
    names = [*getattr(X, "columns", ())]
    return names if names and all(isinstance(name, str) for name in names) else None


def _beside(values: Any, rows: Any, name: str, dimensions: tuple) -> Any:
    """Return what belongs to rows in the same blocks as these."""
    import dask.array as da

    unknown = isnan(rows.shape[0])
    if not is_dask(values):
        values = np.asarray(values)
        if unknown:
            raise ValueError(
                f"{name} is in memory, and the sizes of the blocks of X are unknown. Pass {name} "
                "as a dask array or series in the same blocks, or X with known sizes: of a "
                "dataframe X.to_dask_array(lengths=True), of an array X.compute_chunk_sizes()."
            )
        chunks = rows.chunks[0] if len(values) == rows.shape[0] else -1
        values = da.from_array(values, chunks=(chunks, *[-1] * (values.ndim - 1)))
    values = as_array(values, name)
    if values.ndim not in dimensions:
        raise ValueError(f"{name} has {values.ndim} dimensions; expected one of {dimensions}.")
    values = values.rechunk({1: -1}) if values.ndim == 2 else values
    lengths = [rows.shape[0], values.shape[0]]
    if not any(map(isnan, lengths)):
        if lengths[0] != lengths[1]:
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: {lengths}"
            )
        return values.rechunk({0: rows.chunks[0]})
    if values.numblocks[0] != rows.numblocks[0]:
        raise ValueError(
            f"X has {rows.numblocks[0]} blocks of rows and {name} {values.numblocks[0]}, and not "
            "all of their sizes are known, so that rows cannot be brought together. Give both the "
            "same blocks, or known sizes (compute_chunk_sizes, to_dask_array(lengths=True))."
        )
    return values


def _load(n_features: int, dtype: Any, weight: float | None, block: tuple, *blocks: Any) -> Any:
    """Return a piece of what dask has loaded."""
    X, y, *given = blocks
    if weight is not None:
        given = [np.full(X.shape[0], weight)]
    return loaded_piece(block[0], (X, y, *given), n_features, dtype)
