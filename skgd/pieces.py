"""Rows in pieces that need not be in memory at once: files, or any other source.

The classes of `skgd` fit to them as they fit to an array: ``GDRegressor().fit(from_npy("X.npy",
"y.npy"))``. Every pass over the rows loads one piece after the other, and adds what it finds over
a tree of the pieces' numbers, so that the bits of a fit depend on how the rows are cut only.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skgd.engines.in_turn import InTurn
from skgd.objective.piece import Piece

FLOATS = np.dtype(np.float64), np.dtype(np.float32)


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


def from_callables(loaders: Sequence[Callable[[], tuple]], *, ahead: int = 1) -> Pieces:
    """Return pieces that functions load.

    Parameters
    ----------
    loaders : sequence of callable
        Each returns ``(X, y)`` or ``(X, y, sample_weight)``, whenever it is called the same: a
        matrix of shape (n_k, n_features), which may have no rows, its targets, and weights that
        are not negative.
    ahead : int, default=1
        Pieces that are loaded ahead in a thread, while one is read.

    Returns
    -------
    Pieces

    Examples
    --------
    >>> import numpy as np
    >>> from skgd import GDRegressor
    >>> from skgd.pieces import from_callables
    >>> x = np.arange(6.0)[:, None]
    >>> loaders = [lambda k=k: (x[k : k + 3], 2.0 * x[k : k + 3, 0]) for k in (0, 3)]
    >>> pieces = from_callables(loaders)
    >>> GDRegressor(penalty=None).fit(pieces).coef_.round(6)
    array([2.])
    """
    if not len(loaders):
        raise ValueError("loaders must hold one function for each piece. It is empty.")
    first = loaded_piece(0, loaders[0]())
    known = first.X.shape[1], first.X.dtype
    y = np.asarray(loaders[0]()[1]) if first.y.shape[1] == 1 else first.y

    def load(number):
        return loaded_piece(number, loaders[number](), *known)

    n_targets = None if y.ndim == 1 else y.shape[1]
    engine = InTurn(load, len(loaders), ahead)
    return Pieces(engine, *known, n_targets, None, sparse.issparse(first.X))


def loaded_piece(
    number: int, given: tuple, n_features: int | None = None, dtype: Any = None
) -> Piece:
    """Return the `Piece` of what was loaded, in the type of the others.

    Parameters
    ----------
    number : int
        Of the piece, for messages.
    given : tuple
        X, y and, if there are, the weights.
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
    y = _numbers(y, f"y of piece {number}")
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
