"""Predictions for blocks of rows that dask holds: lazy arrays of the same blocks."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skgd.estimators.piece_rows import compare_columns
from skgd.estimators.serialization import TRAINING
from skgd.pieces import is_dask
from skgd.pieces.dask_ import column_names, row_blocks

Method = TypeVar("Method", bound=Callable)
RECORD = {
    *(*TRAINING, "history_", "loss_curve_", "path_", "minima_", "feature_names_in_"),
    *("mse_path_", "score_path_", "coef_path_"),
}


def by_blocks(method: Method) -> Method:
    """Let a method that predicts for rows answer collections of dask by a lazy dask array."""

    @wraps(method)
    def predict(self, X):
        return _lazy(self, method.__name__, X) if is_dask(X) else method(self, X)

    return predict


def for_prediction(estimator: Any) -> Any:
    """Return a fitted estimator without what only tells of its fit, for rows without names."""
    check_is_fitted(estimator)
    known = type(estimator).__new__(type(estimator))
    vars(known).update((name, v) for name, v in vars(estimator).items() if name not in RECORD)
    return known


def _lazy(estimator, name, X):
    """Return the blocks of what a method predicts."""
    rows, known = row_blocks(X), for_prediction(estimator)
    compare_columns(estimator, rows.shape[1], column_names(X))
    kind = np.float32 if rows.dtype == np.float32 else np.float64
    nothing = getattr(known, name)(np.zeros((1, rows.shape[1]), kind))[:0]
    block = partial(_predict_block, known, name, nothing)
    known_type = {"dtype": nothing.dtype, "meta": nothing}
    if nothing.ndim == 1:
        return rows.map_blocks(block, drop_axis=1, **known_type)
    return rows.map_blocks(block, chunks=(rows.chunks[0], nothing.shape[1:]), **known_type)


def _predict_block(estimator, name, nothing, X):
    return getattr(estimator, name)(X) if X.shape[0] else nothing
