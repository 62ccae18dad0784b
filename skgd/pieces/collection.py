"""Rows in pieces, and who asks all of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class Pieces:
    """Rows with their targets and weights, in pieces.

    `from_npy`, `from_parquet` and `from_callables` make them.

    Parameters
    ----------
    engine : object
        That asks all pieces: ``engine.ask(verb, *arguments)``, ``engine.pieces(numbers)`` and
        ``engine.n_pieces``, as `skgd.engines.in_turn.InTurn` has them.
    n_features : int
        The number of columns.
    dtype : dtype
        Of the columns: float64 or float32.
    n_targets : int or None, default=None
        None where y has one dimension.
    names : sequence of str or None, default=None
        Of the columns.
    is_sparse : bool, default=False
    """

    def __init__(
        self,
        engine: Any,
        n_features: int,
        dtype: Any,
        n_targets: int | None = None,
        names: Sequence[str] | None = None,
        is_sparse: bool = False,
    ) -> None:
        self.engine, self.n_features, self.dtype = engine, n_features, np.dtype(dtype)
        self.n_targets, self.names, self.is_sparse = n_targets, names, is_sparse

    def __len__(self) -> int:
        """Return the number of pieces."""
        return self.engine.n_pieces
