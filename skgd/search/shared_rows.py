"""The rows of a search as regressors read them, which is done once for all splits."""

import threading

from skgd.estimators.data import validated_rows
from skgd.estimators.nested_parameters import part_of
from skgd.search.folds import folds_of
from skgd.search.plan import copied


class SharedRows:
    """All rows of a search without steps before the regressor, as the folds share them.

    Parameters
    ----------
    task : Task
    """

    def __init__(self, task):
        self.task, self.found, self.lock = task, {}, threading.Lock()

    def fold(self, split, model):
        """Return the fold of a split, as a regressor reads it, and what it knows of columns."""
        key = key_of_rows(model)
        with self.lock:
            if key not in self.found:
                self.found[key] = self._folds(model)
        folds, columns, weights = self.found[key]
        for weight, index in zip(weights, self.task.splits[split]):
            if not weight[index].any():
                raise ValueError("No row has a weight, of which the fit of its own tells.")
        return folds[split], columns

    def _folds(self, model):
        task, model = self.task, copied(model)
        weights = [params.get("sample_weight") for params in (task.fit_params, task.score_params)]
        rows, scored = validated_rows(model, task.X, task.y, weights[0]), None
        if weights[0] is not weights[1]:
            scored = validated_rows(model, task.X, task.y, weights[1], reset=False)
        weights = rows.weight, (rows if scored is None else scored).weight
        return folds_of(rows, task.splits, scored), columns_of(model), weights


def key_of_rows(model):
    """Return what the way a regressor reads rows depends on."""
    return part_of(model, "loss"), model.optimizer == "auto"


def columns_of(model):
    """Return what a regressor knows of the columns of X."""
    return {k: v for k, v in vars(model).items() if k in ("n_features_in_", "feature_names_in_")}
