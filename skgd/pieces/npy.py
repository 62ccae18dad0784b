"""Pieces that are slices of files of numpy, mapped into memory."""

import os
import sys
from os import PathLike
from typing import Any

import numpy as np

from skgd.engines.in_turn import InTurn
from skgd.pieces.collection import Pieces
from skgd.pieces.loading import FLOATS, loaded_piece

PIECE = 2**25  # bytes of X
MOST_ROWS = 2**20  # of a piece, whose predictions and slopes then take less than 30 MB


def from_npy(
    X_path: str | PathLike,
    y_path: str | PathLike,
    sample_weight_path: str | PathLike | None = None,
    *,
    rows_per_piece: int | None = None,
    ahead: int = 1,
) -> Pieces:
    """Return slices of the rows of ``.npy`` files.

    The files are mapped into memory, where the operating system keeps of them what there is room
    for. Arrays of float64 or float32 in C order are read where they lie; others are converted
    piece by piece.

    Parameters
    ----------
    X_path : str or path
        Of an array of shape (n_samples, n_features), as `numpy.save` writes it.
    y_path : str or path
        Of one of shape (n_samples,) or (n_samples, n_targets).
    sample_weight_path : str or path, default=None
        Of one of shape (n_samples,).
    rows_per_piece : int, default=None
        None for about 32 MB of X.
    ahead : int, default=1
        Pieces that are read from the disk ahead in a thread, while one is worked on.

    Returns
    -------
    Pieces

    Raises
    ------
    ValueError
        For files that hold no such arrays, or not as many rows as each other.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skgd import GDRegressor
    >>> from skgd.pieces import from_npy
    >>> folder = tempfile.TemporaryDirectory()
    >>> X_path, y_path = Path(folder.name, "X.npy"), Path(folder.name, "y.npy")
    >>> X = np.random.default_rng(0).standard_normal((1000, 2))
    >>> np.save(X_path, X)
    >>> np.save(y_path, X @ [2.0, -1.0] + 3.0)
    >>> pieces = from_npy(X_path, y_path, rows_per_piece=300)
    >>> len(pieces)
    4
    >>> GDRegressor(penalty=None).fit(pieces).coef_.round(6)
    array([ 2., -1.])
    >>> folder.cleanup()
    """
    paths = {"X_path": X_path, "y_path": y_path, "sample_weight_path": sample_weight_path}
    paths = {name: path for name, path in paths.items() if path is not None}
    arrays = [_mapped(path, name) for name, path in paths.items()]
    for array, (name, path), dimensions in zip(arrays, paths.items(), ((2,), (1, 2), (1,))):
        if array.ndim not in dimensions:
            raise ValueError(
                f"{name}: {path} has shape {array.shape}; expected "
                f"{' or '.join(map(str, dimensions))} dimensions."
            )
    lengths = [len(array) for array in arrays]
    if min(lengths) < max(lengths):
        raise ValueError(f"Found input variables with inconsistent numbers of samples: {lengths}")
    X, y = arrays[:2]
    dtype = X.dtype if X.dtype in FLOATS else np.dtype(np.float64)
    n, p = X.shape
    size = rows_per_piece
    if size is None:
        size = max(1, min(PIECE // max(1, p * dtype.itemsize), MOST_ROWS))
    if size < 1:
        raise ValueError(f"rows_per_piece must be at least 1. Got {rows_per_piece}.")

    def load(number: int) -> Any:
        rows = slice(number * size, (number + 1) * size)
        for array, path in zip(arrays, paths.values()):
            _read_ahead(path, array, rows)
        return loaded_piece(number, tuple(array[rows] for array in arrays), p, dtype)

    n_targets = None if y.ndim == 1 else y.shape[1]
    return Pieces(InTurn(load, max(1, -(-n // size)), ahead), p, dtype, n_targets)


def _mapped(path: str | PathLike, name: str) -> np.memmap:
    """Return the array of a file, mapped into memory."""
    array = np.load(path, mmap_mode="r")
    if not isinstance(array, np.memmap):
        raise ValueError(f"{name}: {path} holds several arrays; expected a .npy file of one.")
    return array


def _read_ahead(path: str | PathLike, array: np.memmap, rows: slice) -> None:
    """Ask the operating system, where it can be asked, to read some rows."""
    if sys.platform != "linux" or not array.flags.c_contiguous or not len(array):
        return
    row = array.nbytes // len(array)
    begin, size = array.offset + rows.start * row, (rows.stop - rows.start) * row
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), begin, size, os.POSIX_FADV_WILLNEED)
