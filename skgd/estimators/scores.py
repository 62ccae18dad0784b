"""Scores of rows that lie in pieces, by sums over them."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning

from skgd.engines.tree import Verb, add
from skgd.estimators.by_blocks import for_prediction
from skgd.estimators.data import pieces_of
from skgd.estimators.piece_rows import compare_columns
from skgd.pieces import Pieces, is_dask


class Squares(NamedTuple):
    """Sums over rows, one for each target where they are arrays."""

    n: int
    total: float  # of the weights
    levels: np.ndarray  # the means of y
    spreads: np.ndarray  # squares of y about these
    left: np.ndarray  # squares of what the predictions leave

    def errors(self):
        """Return the mean squared error of each target."""
        return self.left / self.total if self.total else np.full(self.left.shape, np.nan)

    def determination(self):
        """Return R^2, the mean over targets; NaN, with a warning, for a single row."""
        if self.n < 2:
            warnings.warn(
                "R^2 score is not well-defined with less than two samples.",
                UndefinedMetricWarning,
                stacklevel=3,
            )
            return float("nan")
        varies = self.spreads > 0.0
        share = self.left / np.where(varies, self.spreads, 1.0)
        return float(np.mean(np.where(varies, 1.0 - share, self.left == 0.0)))


def squares_of(piece, number, estimator):
    """Return the `Squares` of a piece."""
    y, weight, n = piece.y, piece.weight, len(piece.y)
    if not weight.any():
        return Squares(n, 0.0, *np.zeros((3, y.shape[1])))
    predicted = estimator.predict(piece.X).reshape(n, -1)
    _check_finite(y, weight, number)
    if predicted.shape != y.shape:
        raise ValueError(f"y has {y.shape[1]} columns; the predictions {predicted.shape[1]}.")
    total = float(weight.sum())
    levels = y[0] + weight @ (y - y[0]) / total
    return Squares(n, total, levels, weight @ (y - levels) ** 2, weight @ (y - predicted) ** 2)


def merged_squares(one, other):
    """Return the `Squares` of the rows of two."""
    n = one.n + other.n
    if not one.total or not other.total:
        return (one if one.total else other)._replace(n=n)
    total, away = one.total + other.total, other.levels - one.levels
    share = other.total / total
    spreads = one.spreads + other.spreads + one.total * share * away**2
    return Squares(n, total, one.levels + share * away, spreads, one.left + other.left)


def hits(piece, number, estimator):
    """Return the weights of the rows whose class is predicted, and of all."""
    weight = piece.weight
    if not len(weight):
        return 0.0, 0.0
    labels = piece.labels[:, 0]
    _check_finite(labels if labels.dtype.kind == "f" else weight, weight, number)
    hit = estimator.predict(piece.X) == labels
    return float((weight * hit).sum()), float(weight.sum())


def _check_finite(y, weight, number):
    if not (np.isfinite(y).all() and np.isfinite(weight).all()):
        raise ValueError(f"Input y or sample_weight of piece {number} contains NaN or infinity.")


SQUARES, HITS = Verb(squares_of, merged_squares), Verb(hits, add)


class RegressorOnPieces(RegressorMixin):
    """scikit-learn's mixin of regressors, which can also score rows in pieces."""

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the coefficient of determination, R^2, averaged over the targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or a dask array or dataframe, with y and weights in the same blocks, or `Pieces`: one
            pass adds up squares, and brings no row here.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        if not (is_dask(X) or isinstance(X, Pieces)):
            return RegressorMixin.score(self, X, y, sample_weight)
        return sums_of_squares(self, pieces_of(X, y, sample_weight)).determination()


class ClassifierOnPieces(ClassifierMixin):
    """scikit-learn's mixin of classifiers, which can also score rows in pieces."""

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the share of rows whose class is predicted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or a dask array or dataframe, with y and weights in the same blocks, or `Pieces`: one
            pass counts, and brings no row here.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        if not (is_dask(X) or isinstance(X, Pieces)):
            return ClassifierMixin.score(self, X, y, sample_weight)
        return share_of_hits(self, pieces_of(X, y, sample_weight))


def sums_of_squares(regressor, pieces):
    """Return the `Squares` of what a fitted regressor leaves of the targets of pieces."""
    return _ask(regressor, pieces, SQUARES)


def share_of_hits(classifier, pieces):
    """Return the share of the rows of pieces whose class is predicted."""
    hit, total = _ask(classifier, pieces, HITS)
    return hit / total if total else float("nan")


def _ask(estimator, pieces, verb):
    """Return the answer of all pieces to a verb that predicts."""
    known = for_prediction(estimator)
    compare_columns(estimator, pieces.n_features, pieces.names)
    try:
        return pieces.engine.ask(verb, known)
    finally:
        pieces.engine.release()
