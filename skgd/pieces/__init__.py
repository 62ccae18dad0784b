"""Rows in pieces that need not be in memory at once: files, or any other source.

The classes of `skgd` fit to them as they fit to an array: ``GDRegressor().fit(from_npy("X.npy",
"y.npy"))``. Every pass over the rows loads one piece after the other, and adds what it finds over
a tree of the pieces' numbers, so that the bits of a fit depend on how the rows are cut only.
"""

from skgd.pieces.callables import from_callables
from skgd.pieces.collection import Pieces
from skgd.pieces.dask_ import is_dask, pieces_of_dask
from skgd.pieces.loading import loaded_piece
from skgd.pieces.npy import from_npy
from skgd.pieces.parquet import from_parquet

__all__ = [
    "Pieces",
    "from_callables",
    "from_npy",
    "from_parquet",
    "is_dask",
    "loaded_piece",
    "pieces_of_dask",
]
