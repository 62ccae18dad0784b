"""From what was loaded to a piece: arrays in the types that compiled code reads."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skgd.objective.piece import Piece

FLOATS = np.dtype(np.float64), np.dtype(np.float32)


def loaded_piece(
    number: int, given: tuple, n_features: int | None = None, dtype: Any = None
) -> Piece:
    """Return the `Piece` of what was loaded, in the type of the others.

    Parameters
    ----------
    number : int
        Of the piece, for messages.
    given : tuple
        X, y and, if there are, the weights; y may hold classes of any type.
    n_features, dtype : int and dtype, or None
        Those of the other pieces; None for this one's own.

    Raises
    ------
    ValueError
        For arrays that do not fit together.
    """
    X, y, weight = (*given, None) if len(given) == 2 else given
    X = _matrix(X, dtype)
    if X.ndim != 2 or (n_features is not None and X.shape[1] != n_features):
        raise ValueError(
            f"X of piece {number} has shape {X.shape}; expected {n_features or 'some'} columns."
        )
    y = np.asarray(y)
    y = y[:, None] if y.ndim == 1 else y
    weight = None if weight is None else _numbers(weight, f"sample_weight of piece {number}")
    for name, rows in (("y", y), ("sample_weight", weight)):
        if rows is not None and len(rows) != X.shape[0]:
            raise ValueError(
                f"{name} of piece {number} has {len(rows)} entries for {X.shape[0]} rows of X."
            )
    return Piece(X, y, weight)


def _matrix(X: Any, dtype: Any) -> Any:
    """Return X as a C-ordered array or CSR matrix of floats."""
    if sparse.issparse(X):
        X = sparse.csr_matrix(X)
        wanted = dtype or (X.dtype if X.dtype in FLOATS else np.float64)
        X = X.astype(wanted, copy=False)
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        return X
    X = np.asarray(X)
    wanted = dtype or (X.dtype if X.dtype in FLOATS else np.float64)
    return np.ascontiguousarray(X, dtype=wanted)


def _numbers(values: ArrayLike, name: str) -> np.ndarray:
    try:
        return np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers: {error}") from error
