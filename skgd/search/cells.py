"""The cells of a search, one for each candidate and split: trained, scored and timed in groups."""

import copy
import threading
import time
from typing import Any, NamedTuple

from numpy.random import RandomState
from sklearn import get_config

from skgd.estimators._sklearn import (
    is_passthrough,
    named_scorers,
    score_candidate,
    split_metadata,
    split_rows,
)
from skgd.estimators.data import validated_rows
from skgd.estimators.nested_parameters import part_of
from skgd.search.fitted import solutions_of
from skgd.search.folds import Fold, folds_of
from skgd.search.heads import FittedHead, ending_in
from skgd.search.plan import copied
from skgd.search.scores import joint_scores, metrics_of


class Task(NamedTuple):
    """What the cells of a search have in common.

    Attributes
    ----------
    X, y : array-like
    splits : list of two ndarray
        The rows to train on, and those to test on.
    candidates : list of dict
    scorer : callable
    fit_params, score_params : dict
        Metadata of all rows.
    error_score : float or "raise"
    return_train_score : bool
    """

    X: Any
    y: Any
    splits: list
    candidates: list
    scorer: Any
    fit_params: dict
    score_params: dict
    error_score: Any
    return_train_score: bool


class Cell(NamedTuple):
    """What has become of a candidate on a split.

    Attributes
    ----------
    candidate, split : int
    result : dict
        As scikit-learn's search keeps it.
    failure, warning : str or None
    """

    candidate: int
    split: int
    result: dict
    failure: str | None
    warning: str | None


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
        folds, columns = self.found[key]
        return folds[split], columns

    def _folds(self, model):
        task, model = self.task, copied(model)
        weights = [params.get("sample_weight") for params in (task.fit_params, task.score_params)]
        rows, scored = validated_rows(model, task.X, task.y, weights[0]), None
        if weights[0] is not weights[1]:
            scored = validated_rows(model, task.X, task.y, weights[1], reset=False)
        return folds_of(rows, task.splits, scored), columns_of(model)


def key_of_rows(model):
    """Return what the way a regressor reads rows depends on."""
    return part_of(model, "loss"), model.optimizer == "auto"


def columns_of(model):
    """Return what a regressor knows of the columns of X."""
    return {k: v for k, v in vars(model).items() if k in ("n_features_in_", "feature_names_in_")}


class Side:
    """The rows of a split that are scored: those held out, or those that were trained on.

    Parameters
    ----------
    task : Task
    head : FittedHead
    index : ndarray
    X, y : array-like
        These rows.
    """

    def __init__(self, task, head, index, X, y):
        self.task, self.head, self.X, self.y = task, head, X, y
        self.params = split_metadata(task.X, params=task.score_params, indices=index)
        passes, params = is_passthrough(task.scorer), self.params
        self.seen = head.scored(X, y, params, passes)
        if passes:
            weight = self.seen.sample_weight
            params = {} if weight is None else {"sample_weight": weight}
        self.weight = params.get("sample_weight")
        routed = get_config().get("enable_metadata_routing", False)
        self.metrics = metrics_of(task.scorer, params, routed)

    def rows(self, model):
        """Return these rows as a regressor reads them, with the weights of the score."""
        return validated_rows(model, self.seen.X, self.y, self.weight, reset=False)

    def scores(self, model, rows, solutions, fold, estimator_of):
        """Return the scores of candidates, each a number or a dict.

        Parameters
        ----------
        model : GDRegressor
            One of them.
        rows : Rows
            These, as it reads them.
        solutions : Solutions
        fold : Fold or None
            Whose held-out rows these are.
        estimator_of : callable
            Returns the fitted regressor of a number.
        """
        found = None
        if self.metrics is not None:
            try:
                found = joint_scores(self.metrics, model, rows, self.y, solutions, fold)
            except Exception:  # of which the scores one by one tell
                found = None
        if found is None:
            return [self._score(estimator_of(k)) for k in range(len(solutions.coef))]
        return found if named_scorers(self.task.scorer) else [one["score"] for one in found]

    def _score(self, model):
        """Return the score of a fitted regressor, as scikit-learn does."""
        estimator, task = ending_in(model, self.head.estimator), self.task
        score = score_candidate
        return score(estimator, self.X, self.y, task.scorer, self.params, task.error_score)


class JointSplit:
    """A split, and one setting of the steps before the regressor.

    Parameters
    ----------
    task : Task
    number : int
        Of the split.
    head : Head
    shared : SharedRows or None
        None where there are steps before the regressor.
    """

    def __init__(self, task, number, head, shared):
        begin = time.time()
        self.task, self.number, self.shared, self.found = task, number, shared, {}
        train, test = task.splits[number]
        X, y = split_rows(head.estimator, task.X, task.y, train)
        fit_params = split_metadata(task.X, params=task.fit_params, indices=train)
        self.X, self.y, self.fit_params = X, y, fit_params
        self.head = FittedHead(head.estimator, X, y, fit_params)
        if self.head.is_validated:
            raise ValueError("Rows to validate on need a fit of their own.")
        X_test, y_test = split_rows(head.estimator, task.X, task.y, test, train)
        self.test = Side(task, self.head, test, X_test, y_test)
        self.train = Side(task, self.head, train, X, y) if task.return_train_score else None
        self.n_test = len(self.test.y)
        self.seconds = (time.time() - begin) / sum(len(members) for _, members in head.groups)

    def cells(self, train, members):
        """Return the cells of candidates that are trained together.

        Parameters
        ----------
        train : callable
            Of a trainer.
        members : list of Member
        """
        begin, task = time.time(), self.task
        models = [_drawing_anew(member.model) for member in members]
        fold, columns = self._fold(models[0])
        first = copied(models[0])
        vars(first).update(columns)
        trained = train(models, fold)
        solutions = solutions_of(trained, fold.train.X.dtype)
        fit_time = self.seconds + (time.time() - begin) / len(members)
        alive = [k for k, failure in enumerate(solutions.failures) if failure is None]
        left = solutions.take(alive)

        def estimator_of(k):
            model = copied(models[alive[k]])
            vars(model).update(columns)
            return left.estimator(k, model, fold.train, self.head.training)

        begin, sides = time.time(), {}
        if alive:
            test = self.test
            sides["test_scores"] = test.scores(first, fold.test, left, fold, estimator_of)
        score_time = (time.time() - begin) / max(1, len(alive))
        if alive and self.train is not None:
            rows = self.train.rows(first)
            sides["train_scores"] = self.train.scores(first, rows, left, None, estimator_of)
        found = [{key: scores[i] for key, scores in sides.items()} for i in range(len(alive))]
        found = dict(zip(alive, found))
        known = {"n_test_samples": self.n_test, "fit_time": fit_time, "fit_error": None}
        cells = []
        for k, member in enumerate(members):
            scores = found.get(k) or failed_scores(task)
            result = {**known, **scores, "score_time": score_time if k in found else 0.0}
            said = solutions.failures[k], trained.warnings[k]
            cells.append(Cell(member.index, self.number, result, *said))
        return cells

    def _fold(self, model):
        """Return the rows as a regressor reads them, and what it knows of the columns."""
        if self.shared is not None:
            return self.shared.fold(self.number, model)
        key = key_of_rows(model)
        if key not in self.found:
            model, training = copied(model), self.head.training
            train = validated_rows(model, training.X, training.y, training.sample_weight)
            self.found[key] = Fold(train, self.test.rows(model)), columns_of(model)
        return self.found[key]


def failed_scores(task):
    """Return the scores of a candidate that has failed."""
    score, scorers = task.error_score, named_scorers(task.scorer)
    sides = ["test_scores", "train_scores"][: 1 + task.return_train_score]
    return {side: dict.fromkeys(scorers, score) if scorers else score for side in sides}


def _drawing_anew(model):
    """Return a regressor whose random numbers are drawn as by a clone."""
    if isinstance(model.random_state, RandomState):
        model = copied(model)
        model.random_state = copy.deepcopy(model.random_state)
    return model
