"""Searches over rows that lie in pieces: on products of the columns, or by fits one by one."""

import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.utils.validation import check_is_fitted

from skgd.estimators._sklearn import are_valid, has_callbacks, named_scorers
from skgd.estimators.data import pieces_of
from skgd.estimators.estimator import DescentEstimator
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.regressor import GDRegressor
from skgd.objective.row_sets import Borrowed
from skgd.pieces import Pieces, is_dask
from skgd.search.cells import Cell, failed_scores
from skgd.search.fitted import solutions_of
from skgd.search.piece_fits import KNOWN, are_known, lone_cell, score_on_pieces
from skgd.search.piece_folds import PieceFolds
from skgd.search.piece_splits import PieceSplits
from skgd.search.plan import ASKED, Group, Member, SearchPlan, plan_search
from skgd.search.products import MAX_COLUMNS
from skgd.search.scores import distinct, metrics_of
from skgd.search.trained import train_once

ADVICE = "Fit candidates one by one to the pieces, or search on rows that fit in memory."


class PieceTask(NamedTuple):
    """What the cells of a search on pieces have in common.

    Attributes
    ----------
    candidates : list of dict
    scorer : callable
    metrics : dict of Metric
    error_score : float or "raise"
    return_train_score : bool
    """

    candidates: list
    scorer: object
    metrics: dict
    error_score: object
    return_train_score: bool


class ScoresPieces:
    """A search whose best candidate can also score rows in pieces."""

    def score(self, X: Any, y: ArrayLike | None = None, **params: Any) -> float:
        """Return the score of the best candidate, by the metric that it was chosen by.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or `skgd.pieces.Pieces`, or a dask array or dataframe, for scores that sums tell.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        **params : dict
            What the scorer takes beside: ``sample_weight``.

        Returns
        -------
        float
        """
        if not are_in_pieces(X):
            return super().score(X, y, **params)
        check_is_fitted(self)
        scorer = self.scorer_[self.refit] if self.multimetric_ else self.scorer_
        if not are_known(scorer, is_classifier(self)):
            raise ValueError(f"scoring={self.scoring!r} is none that sums over pieces tell.")
        return score_on_pieces(scorer, self.best_estimator_, opened_pieces(X, y, params))


def are_in_pieces(X):
    """Whether rows are `Pieces`, or a collection of dask."""
    return isinstance(X, Pieces) or is_dask(X)


def planned(search, steps, candidates, n_features):
    """Return the groups of candidates with the plan, if a search can be done on pieces.

    Parameters
    ----------
    search : JointSearch
    steps : SearchSteps
    candidates : list of dict
    n_features : int

    Returns
    -------
    joined : list of (callable, list of Member)
        What trains candidates on products of the columns, and these.
    alone : list of Member
        Candidates that are fitted one by one.
    plan : SearchPlan
    task : PieceTask

    Raises
    ------
    ValueError
        That says what cannot be done, before any row is read.
    """
    estimator, joined = search.estimator, []
    if not isinstance(estimator, DescentEstimator):
        _refuse(search, f"candidates of {type(estimator).__name__}; only those that fit to pieces")
    if search.halving is not None or has_callbacks(search) or has_callbacks(estimator):
        _refuse(search, "halving or callbacks")
    by_class = is_classifier(estimator)
    if not are_known(steps.scorers, by_class):
        _refuse(search, f"scoring={search.scoring!r}; only {KNOWN[by_class]}, which sums tell")
    if not candidates:
        raise ValueError("No fits were performed. Were there no candidates?")
    groups = [Group(np.arange(len(candidates)), None, "another kind of estimator")]
    if type(estimator) is GDRegressor:
        heads, groups = plan_search(estimator, candidates, joins_few=True)
        joined = [group for head in heads for group in head.groups]
        few = n_features <= MAX_COLUMNS
        joined = [(train, some) for train, some in joined if few and _are_told(some[0].model)]
    indices = {member.index for _, some in joined for member in some}
    groups = [
        group if not group.trainer or group.candidates[0] in indices else _by_fits(group)
        for group in groups
    ]
    left = [index for index in range(len(candidates)) if index not in indices]
    alone = [Member(index, _lone_model(search, index, candidates[index])) for index in left]
    known = steps.scorers, metrics_of(steps.scorers, {}, False), search.error_score
    task = PieceTask(candidates, *known, search.return_train_score)
    return joined, alone, SearchPlan(groups), task


def _refuse(search, what):
    raise ValueError(f"{type(search).__name__} on rows in pieces does not take {what}. {ADVICE}")


def _by_fits(group):
    """Return a group whose candidates are fitted one by one."""
    return group._replace(trainer=None, reason="products of the columns do not tell of it")


def _lone_model(search, index, params):
    """Return a candidate that is fitted alone, if it can be."""
    try:
        model = clone(search.estimator).set_params(**clone(params, safe=False))
        reason = "" if are_valid(model) else "parameters that are not valid"
    except (TypeError, ValueError) as error:
        reason = str(error)
    if not reason and model.early_stopping:
        reason = ASKED["early_stopping"]
    if reason:
        _refuse(search, f"candidate {index}, {params}: {reason}")
    return model


def _are_told(model):
    """Whether products of the columns tell of the fits of regressors with the same key."""
    return model.batch_size is None and part_of(model, "loss").quadratic


def given_pieces(search, steps, X, y, params):
    """Return `Pieces` of what a search is given."""
    pieces = opened_pieces(X, y, params)
    if params.get("sample_weight") is not None and get_config()["enable_metadata_routing"]:
        routed = steps.route(params)
        if not all("sample_weight" in one for one in (routed.estimator.fit, routed.scorer.score)):
            raise ValueError("sample_weight of rows in pieces weighs fits and scores alike.")
    return pieces


def opened_pieces(X, y, params):
    """Return `Pieces` of rows, targets, and ``sample_weight``, the only parameter allowed."""
    others = sorted(name for name, value in params.items() if value is not None)
    if set(others) - {"sample_weight"}:
        raise ValueError(f"A search on rows in pieces takes no {others} but sample_weight.")
    return pieces_of(X, y, params.get("sample_weight"))


def cells_of(task, joined, alone, pieces, cv):
    """Return the cells of all candidates and splits, and the number of splits.

    Parameters
    ----------
    task, joined, alone
        As `planned` returns them.
    pieces : Pieces
    cv : int, splitter or iterable, or None
    """
    begin, cells, engine = time.time(), [], pieces.engine
    known = pieces.n_features, pieces.dtype, pieces.n_targets, pieces.names, pieces.is_sparse
    try:
        splits, folds = PieceSplits(Pieces(Borrowed(engine), *known), cv), []
        if joined:
            folds = PieceFolds(splits, part_of(joined[0][1][0].model, "loss")).folds
        n_splits = len(splits.tests)
        reading = (time.time() - begin) / (n_splits * len(task.candidates))
        for number, fold in enumerate(folds):
            for train, members in joined:
                cells += _trained_cells(task, number, fold, (train, members), reading)
        for number in range(n_splits if alone else 0):
            sides, n_held_out = splits.sides(number), splits.n_held_out[number]
            known = sides, number
            cells += [lone_cell(task, *known, one, (n_held_out, reading)) for one in alone]
    finally:
        engine.release()
    return cells, n_splits


def _trained_cells(task, number, fold, group, reading):
    """Return the cells of a group of candidates on a split."""
    (train, members), begin = group, time.time()
    models = [member.model for member in members]
    trained = train_once(train, models, fold)
    solutions = solutions_of(trained, fold.form[2])
    alive = [k for k, failure in enumerate(solutions.failures) if failure is None]
    fit_time = reading + (time.time() - begin) / len(models)
    begin, sides = time.time(), {"test_scores": fold.held_out}
    if task.return_train_score:
        sides["train_scores"] = fold.training
    left = solutions.take(alive)
    sides = {name: _scores(task, side, left) for name, side in sides.items() if alive}
    found = {k: {name: scores[i] for name, scores in sides.items()} for i, k in enumerate(alive)}
    score_time = (time.time() - begin) / max(1, len(alive))
    known = {"n_test_samples": fold.held_out.shape[0], "fit_time": fit_time, "fit_error": None}
    cells = []
    for k, member in enumerate(members):
        scores = found.get(k) or failed_scores(task)
        result = {**known, **scores, "score_time": score_time if k in found else 0.0}
        said = solutions.failures[k], trained.warnings[k]
        if said[0] is not None and task.error_score == "raise":
            raise ValueError(said[0])
        cells.append(Cell(member.index, number, result, *said))
    return cells


def _scores(task, side, solutions):
    """Return the scores of candidates on the rows of a side, each a number or a dict."""
    first, at = distinct(solutions)  # equal candidates have equal scores, whatever BLAS does
    coef, intercept = (array[first].astype(float) for array in solutions[:2])
    found = {
        name: [float(score) for score in metric.from_products(side, coef, intercept)]
        for name, metric in task.metrics.items()
    }
    each = [{name: scores[place] for name, scores in found.items()} for place in at]
    return each if named_scorers(task.scorer) else [one["score"] for one in each]
