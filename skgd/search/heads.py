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
    given : Given
        These rows.
    fit_params : dict
        What ``fit`` of the estimator is given of them.

    Attributes
    ----------
    training : Seen

    Raises
    ------
    ValueError
        Where the regressor is given rows to validate on.
    """

    def __init__(self, estimator, given, fit_params):
        recorder = copied(model_of(estimator), Recorder)
        self.estimator = clone(ending_in(recorder, estimator))
        self.estimator.fit(given.X, given.y, **fit_params)
        self.recorder = model_of(self.estimator)
        self.training = self.recorder.seen_
        if self.recorder.is_validated_:
            raise ValueError("Rows to validate on need a fit of their own.")

    def scored(self, given, score_params, passes_through):
        """Return what the regressor sees of rows to score.

        Parameters
        ----------
        given : Given
        score_params : dict
        passes_through : bool
            Whether the scorer is the estimator's own ``score``.
        """
        if passes_through:
            self.estimator.score(given.X, given.y, **score_params)
        else:
            self.estimator.predict(given.X)
        return self.recorder.seen_


class NoHead:
    """What a `FittedHead` is where there are no steps before; it copies no rows.

    Parameters
    ----------
    estimator, given, fit_params
        As those of a `FittedHead`.
    """

    def __init__(self, estimator, given, fit_params):
        if fit_params.keys() - {"sample_weight"}:
            raise ValueError("Only weights are known to be joined.")
        self.estimator, self.given = estimator, given
        self.weight = fit_params.get("sample_weight")

    @property
    def training(self):
        """The rows that are trained on."""
        return Seen(self.given.X, self.given.y, self.weight)

    def scored(self, given, score_params, passes_through):
        """Return the weights of a score."""
        return Seen(None, None, score_params.get("sample_weight"))


def ending_in(model, estimator):
    """Return a pipeline with a regressor as its last step; the regressor for a regressor."""
    if type(estimator) is not Pipeline:
        return model
    pipeline = copied(estimator)
    pipeline.steps = [*estimator.steps[:-1], (estimator.steps[-1][0], model)]
    return pipeline
