"""The steps before the regressor of a pipeline, fitted once for all candidates that share them.

A pipeline that ends in a `Recorder` does all that the pipeline itself does, with its metadata and
its memory, and its last step keeps what came through.
"""

from typing import Any, NamedTuple

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skgd.estimators.regressor import GDRegressor
from skgd.search.plan import copied, model_of


class Recorder(GDRegressor):
    """A regressor that keeps the rows that it is given, and learns nothing."""

    def __sklearn_is_fitted__(self):
        return True

    def fit(
        self, X, y=None, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None
    ):
        """Keep the rows of a fit."""
        self.seen_ = Seen(X, y, sample_weight)
        self.is_validated_ = X_val is not None or y_val is not None
        return self

    def predict(self, X):
        """Keep the rows to predict for."""
        self.seen_ = Seen(X, None, None)

    def score(self, X, y, sample_weight=None):
        """Keep the rows of a score."""
        self.seen_ = Seen(X, y, sample_weight)


class Seen(NamedTuple):
    """The rows that came through the steps before."""

    X: Any
    y: Any
    sample_weight: Any


class FittedHead:
    """The steps before a regressor, fitted to the training rows of a split.

    Parameters
    ----------
    estimator : GDRegressor or Pipeline
        Of which the regressor is not fitted.
    X, y : array-like
    fit_params : dict
        What ``fit`` of the estimator is given of these rows.

    Attributes
    ----------
    training : Seen
    is_validated : bool
        Whether the regressor is given rows to validate on.
    """

    def __init__(self, estimator, X, y, fit_params):
        recorder = copied(model_of(estimator), Recorder)
        self.estimator = clone(ending_in(recorder, estimator))
        self.estimator.fit(X, y, **fit_params)
        self.recorder = model_of(self.estimator)
        self.training, self.is_validated = self.recorder.seen_, self.recorder.is_validated_

    def scored(self, X, y, score_params, passes_through):
        """Return what the regressor sees of rows to score.

        Parameters
        ----------
        X, y : array-like
        score_params : dict
        passes_through : bool
            Whether the scorer is the estimator's own ``score``.
        """
        if passes_through:
            self.estimator.score(X, y, **score_params)
        else:
            self.estimator.predict(X)
        return self.recorder.seen_


def ending_in(model, estimator):
    """Return a pipeline with a regressor as its last step; the regressor for a regressor."""
    if type(estimator) is not Pipeline:
        return model
    pipeline = copied(estimator)
    pipeline.steps = [*estimator.steps[:-1], (estimator.steps[-1][0], model)]
    return pipeline
