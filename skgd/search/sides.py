"""The rows of a split on which candidates are scored."""

from functools import cached_property

import numpy as np
from sklearn import get_config

from skgd.estimators._sklearn import (
    is_passthrough,
    named_scorers,
    score_candidate,
    split_metadata,
    split_rows,
    take_rows,
)
from skgd.estimators.data import validated_rows
from skgd.search.heads import ending_in
from skgd.search.scores import joint_scores, metrics_of


class Given:
    """Some rows of a search as they came.

    Parameters
    ----------
    estimator : GDRegressor or Pipeline
    task : Task
    index : ndarray
    train : ndarray or None
        The rows to train on, which columns of kernels are of.
    """

    def __init__(self, estimator, task, index, train=None):
        self.index, self._known = index, (estimator, task.X, None, index, train)
        y = task.y
        if y is not None:
            y = y[index] if type(y) is np.ndarray else take_rows(y, index)
        self.y = y

    @cached_property
    def X(self):  # noqa: N802
        """The columns, which are copied when they are asked for."""
        return split_rows(*self._known)[0]


class Side:
    """The rows of a split that are scored: those held out, or those that were trained on.

    Parameters
    ----------
    task : Task
    head : FittedHead
    given : Given
        These rows.
    """

    def __init__(self, task, head, given):
        self.task, self.head, self.given = task, head, given
        self.params = split_metadata(task.X, params=task.score_params, indices=given.index)
        passes, params = is_passthrough(task.scorer), self.params
        self.seen = head.scored(given, params, passes)
        if passes:
            weight = self.seen.sample_weight
            params = {} if weight is None else {"sample_weight": weight}
        self.weight = params.get("sample_weight")
        routed = get_config().get("enable_metadata_routing", False)
        self.metrics = metrics_of(task.scorer, params, routed)

    def rows(self, model):
        """Return these rows as a regressor reads them, with the weights of the score."""
        return validated_rows(model, self.seen.X, self.given.y, self.weight, reset=False)

    def scores(self, model, rows, solutions, fold, estimator_of):
        """Return the scores of candidates, each a number or a dict.

        Parameters
        ----------
        model : GDRegressor
            One of them.
        rows : callable
            Returns these, as it reads them.
        solutions : Solutions
        fold : Fold or None
            Whose held-out rows these are.
        estimator_of : callable
            Returns the fitted regressor of a number.
        """
        found = None
        if self.metrics is not None:
            try:
                found = joint_scores(self.metrics, model, rows, self.given.y, solutions, fold)
            except Exception:  # of which the scores one by one tell
                found = None
        if found is None:
            return [self._score(estimator_of(k)) for k in range(len(solutions.coef))]
        return found if named_scorers(self.task.scorer) else [one["score"] for one in found]

    def _score(self, model):
        """Return the score of a fitted regressor, as scikit-learn does."""
        estimator, task = ending_in(model, self.head.estimator), self.task
        X, y, score = self.given.X, self.given.y, score_candidate
        return score(estimator, X, y, task.scorer, self.params, task.error_score)
