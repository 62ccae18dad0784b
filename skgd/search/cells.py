"""The cells of a search, one for each candidate and split: trained, scored and timed in groups."""

import copy
import time
from typing import Any, NamedTuple

from numpy.random import RandomState

from skgd.estimators._sklearn import named_scorers, split_metadata
from skgd.estimators.data import validated_rows
from skgd.search.fitted import solutions_of
from skgd.search.folds import Fold
from skgd.search.heads import FittedHead, NoHead
from skgd.search.plan import copied
from skgd.search.shared_rows import columns_of, key_of_rows
from skgd.search.sides import Given, Side
from skgd.search.trained import train_once


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


class Work(NamedTuple):
    """Candidates that are about to be trained together on a split.

    Attributes
    ----------
    indices : list of int
    models : list of GDRegressor
    fold : Fold
    columns : dict
        What a fit would know of the columns.
    """

    indices: list
    models: list
    fold: Any
    columns: dict


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
        self.training = Given(head.estimator, task, train)
        self.fit_params = split_metadata(task.X, params=task.fit_params, indices=train)
        steps = NoHead if shared is not None else FittedHead
        self.head = steps(head.estimator, self.training, self.fit_params)
        self.test = Side(task, self.head, Given(head.estimator, task, test, train))
        self.train = Side(task, self.head, self.training) if task.return_train_score else None
        self.n_test = len(self.test.given.y)
        self.seconds = (time.time() - begin) / sum(len(members) for _, members in head.groups)

    def cells(self, train, members):
        """Return the cells of candidates that are trained together.

        Parameters
        ----------
        train : callable
            Of a trainer.
        members : list of Member
        """
        begin, work = time.time(), self.open(members)
        trained = train_once(train, work.models, work.fold)
        return self.scored(work, trained, time.time() - begin, range(len(members)))

    def open(self, members):
        """Return the `Work` of training some candidates."""
        models = [_drawing_anew(member.model) for member in members]
        return Work([member.index for member in members], models, *self._fold(models[0]))

    def scored(self, work, trained, seconds, chosen):
        """Return the cells of candidates that have been trained.

        Parameters
        ----------
        work : Work
        trained : Trained
        seconds : float
            That training took.
        chosen : iterable of int
            Those to score, as they are numbered in the work.
        """
        fold, columns, models = work.fold, work.columns, work.models
        first = copied(models[0])
        vars(first).update(columns)
        solutions = solutions_of(trained, fold.form[2])
        alive = [k for k in chosen if solutions.failures[k] is None]
        left = solutions.take(alive)

        def estimator_of(k):
            model = copied(models[alive[k]])
            vars(model).update(columns)
            return left.estimator(k, model, self.head.training)

        def rows_to_train():
            return fold.train if self.shared is not None else self.train.rows(first)

        begin, sides = time.time(), {}
        if alive:
            scores = self.test.scores(first, lambda: fold.test, left, fold, estimator_of)
            sides["test_scores"] = scores
        score_time = (time.time() - begin) / max(1, len(alive))
        if alive and self.train is not None:
            scores = self.train.scores(first, rows_to_train, left, None, estimator_of)
            sides["train_scores"] = scores
        found = [{key: scores[i] for key, scores in sides.items()} for i in range(len(alive))]
        found = dict(zip(alive, found))
        fit_time, cells = self.seconds + seconds / len(models), []
        known = {"n_test_samples": self.n_test, "fit_time": fit_time, "fit_error": None}
        for k in chosen:
            scores = found.get(k) or failed_scores(self.task)
            result = {**known, **scores, "score_time": score_time if k in found else 0.0}
            said = solutions.failures[k], trained.warnings[k]
            cells.append(Cell(work.indices[k], self.number, result, *said))
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
