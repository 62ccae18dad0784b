"""Pieces that functions load."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse

from skgd.engines.in_turn import InTurn
from skgd.pieces.collection import Pieces
from skgd.pieces.loading import loaded_piece


def from_callables(
    loaders: Sequence[Callable[[], tuple]], *, ahead: int = 1, keep: bool = False
) -> Pieces:
    """Return pieces that functions load.

    Parameters
    ----------
    loaders : sequence of callable
        Each returns ``(X, y)`` or ``(X, y, sample_weight)``, whenever it is called the same: a
        matrix of shape (n_k, n_features), which may have no rows, its targets, and weights that
        are not negative.
    ahead : int, default=1
        Pieces that are loaded ahead in a thread, while one is read.
    keep : bool, default=False
        Whether pieces are kept in memory for the length of a fit, once they are loaded.

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
    given = loaders[0]()
    first = loaded_piece(0, given)
    known = first.X.shape[1], first.X.dtype

    def load(number):
        return loaded_piece(number, loaders[number](), *known)

    n_targets = None if np.ndim(given[1]) == 1 else first.y.shape[1]
    engine = InTurn(load, len(loaders), ahead, keep)
    return Pieces(engine, *known, n_targets, None, sparse.issparse(first.X))
