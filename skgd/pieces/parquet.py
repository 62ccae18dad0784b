"""Pieces that are row groups of parquet files."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skgd.engines.in_turn import InTurn
from skgd.pieces.collection import Pieces
from skgd.pieces.loading import FLOATS, loaded_piece

AT_ONCE = 4096  # rows that are turned from columns to rows, in a room that caches hold


class RowGroups(NamedTuple):
    """Row groups of a file that are read together."""

    path: Path
    metadata: Any
    numbers: range


def from_parquet(
    path: str | PathLike | Sequence[str | PathLike],
    *,
    target: str | Sequence[str],
    sample_weight: str | None = None,
    columns: Sequence[str] | None = None,
    row_groups: int = 1,
    ahead: int = 1,
) -> Pieces:
    """Return the row groups of parquet files.

    Only the columns that are needed are decoded, one piece at a time, in a thread beside the one
    that works on the piece before. Needs pyarrow (``pip install skgd[parquet]``).

    Parameters
    ----------
    path : str, path, or sequence of them
        Files with the same columns; a folder stands for the ``.parquet`` files in it, sorted by
        name.
    target : str or sequence of str
        The column that is the target, of numbers or classes; names in a sequence for several
        targets, which are numbers.
    sample_weight : str, default=None
        The column of the weights.
    columns : sequence of str, default=None
        Those of X, in this order; None for all others, without the index of a pandas frame. Their
        names become ``feature_names_in_``.
    row_groups : int, default=1
        Row groups of a file that make one piece. Whoever writes a file decides how large they are;
        a hundred thousand rows or so are neither slow to read nor hard to hold.
    ahead : int, default=1
        Pieces that are decoded ahead.

    Returns
    -------
    Pieces
        Of float32 where all columns of X are, else float64. Missing values are NaN, which fits
        refuse by piece and row.

    Raises
    ------
    ImportError
        Without pyarrow.
    ValueError
        For columns that are missing, or not numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from skgd import GDRegressor
    >>> from skgd.pieces import from_parquet
    >>> frame = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1, 0, 0, 1], "y": [3, 1, 3, 9]})
    >>> frame.to_parquet("frame.parquet", row_group_size=2)  # doctest: +SKIP
    >>> pieces = from_parquet("frame.parquet", target="y")  # doctest: +SKIP
    >>> GDRegressor(penalty=None).fit(pieces).coef_.round(6)  # doctest: +SKIP
    array([2., 4.])
    """
    pq = _pyarrow_parquet()
    if row_groups < 1:
        raise ValueError(f"row_groups must be at least 1. Got {row_groups}.")
    files = [(one, pq.read_metadata(one)) for one in _files(path)]
    schemas = [(one, metadata.schema.to_arrow_schema()) for one, metadata in files]
    targets = [target] if isinstance(target, str) else list(target)
    weights = [] if sample_weight is None else [sample_weight]
    names = _others(schemas[0][1], targets + weights) if columns is None else list(columns)
    if not (names and targets):
        raise ValueError(f"There must be a column and a target. Got {names} and {targets}.")
    numbers = [*names, *weights, *([] if isinstance(target, str) else targets)]
    kinds = [_numeric(one, schema, numbers) for one, schema in schemas]
    for one, schema in schemas if isinstance(target, str) else ():
        _check_kinds(one, schema, [target], "numbers or strings")
    is_single = all(kind == np.float32 for found in kinds for kind in found[: len(names)])
    dtype = np.dtype(np.float32 if is_single else np.float64)
    groups = [
        RowGroups(one, metadata, range(k, min(k + row_groups, metadata.num_row_groups)))
        for one, metadata in files
        for k in range(0, metadata.num_row_groups, row_groups)
    ]
    if not groups:
        raise ValueError(f"There is no row group in {[str(one) for one, _ in files]}.")

    def load(number: int) -> Any:
        path, metadata, chosen = groups[number]
        with pq.ParquetFile(path, metadata=metadata) as file:
            table = file.read_row_groups(list(chosen), [*names, *targets, *weights])
        single = isinstance(target, str)
        y = table.column(target).to_numpy() if single else _matrix(table, targets, FLOATS[0])
        weight = (_matrix(table, weights, np.dtype(np.float64))[:, 0],) if weights else ()
        given = _matrix(table, names, dtype), y, *weight
        return loaded_piece(number, given, len(names), dtype)

    n_targets = None if isinstance(target, str) else len(targets)
    return Pieces(InTurn(load, len(groups), ahead), len(names), dtype, n_targets, names)


def _pyarrow_parquet() -> Any:
    """Return pyarrow's reader of parquet files."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("from_parquet needs pyarrow: pip install skgd[parquet]") from error
    return pyarrow.parquet


def _files(path: str | PathLike | Sequence[str | PathLike]) -> list[Path]:
    """Return the files that are meant; those of a folder are sorted by name."""
    paths = [path] if isinstance(path, str | PathLike) else path
    found = []
    for one in map(Path, paths):
        found += sorted(one.glob("*.parquet")) if one.is_dir() else [one]
    if not found:
        raise ValueError(f"There is no parquet file in {path}.")
    return found


def _others(schema: Any, taken: list[str]) -> list[str]:
    """Return the columns that are neither taken nor the index of a pandas frame."""
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    taken = [*taken, *(name for name in index if isinstance(name, str))]
    return [name for name in schema.names if name not in taken]


def _numeric(path: Path, schema: Any, names: list[str]) -> list[np.dtype]:
    """Return the types of columns, which must be there and be numbers."""
    found = _check_kinds(path, schema, names, "numbers")
    return [np.dtype(kind.to_pandas_dtype()) for kind in found]


def _check_kinds(path: Path, schema: Any, names: list[str], expected: str) -> list[Any]:
    """Return the types of columns of a file, which must be there and be what is expected."""
    from pyarrow import types

    kinds = [types.is_integer, types.is_floating, types.is_boolean]
    if "strings" in expected:
        kinds += [types.is_string, types.is_large_string, types.is_dictionary]
    missing = [name for name in names if name not in schema.names]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}; it has {schema.names}.")
    found = {name: schema.field(name).type for name in names}
    for name, kind in found.items():
        if not any(is_kind(kind) for is_kind in kinds):
            raise ValueError(
                f"Column {name!r} of {path} is {kind}; expected {expected}. Choose those of X by "
                "columns=[...]."
            )
    return [*found.values()]


def _matrix(table: Any, names: list[str], dtype: np.dtype) -> np.ndarray:
    """Return columns of a table as a matrix in C order."""
    columns = [table.column(name).to_numpy() for name in names]
    found = np.empty((table.num_rows, len(names)), dtype)
    room = np.empty((len(names), AT_ONCE), dtype)
    for begin in range(0, table.num_rows, AT_ONCE):
        rows = slice(begin, begin + AT_ONCE)
        n = len(found[rows])
        for column, place in zip(columns, room):
            place[:n] = column[rows]
        found[rows] = room[:, :n].T
    return found
