"""Searches over rows that lie in pieces, whose candidates the products of the columns tell of."""

import time
from typing import NamedTuple

import numpy as np
from sklearn import get_config

from skgd.estimators._sklearn import has_callbacks, named_scorers
from skgd.estimators.data import pieces_of
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.regressor import GDRegressor
from skgd.pieces import Pieces, is_dask
from skgd.search.cells import Cell, failed_scores
from skgd.search.fitted import solutions_of
from skgd.search.piece_folds import PieceFolds
from skgd.search.plan import plan_search
from skgd.search.product_problem import products_tell
from skgd.search.scores import BY_PRODUCTS, distinct, metrics_of
from skgd.search.trained import train_once

ADVICE = (
    "Rows in pieces are searched by the products of their columns. Fit candidates one by one with "
    "GDRegressor().fit(pieces), or search on rows that fit in memory."
)


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


def are_in_pieces(X):
    """Whether rows are `Pieces`, or a collection of dask."""
    return isinstance(X, Pieces) or is_dask(X)


def planned(search, steps, candidates):
    """Return the groups of candidates with the plan, if a search can be done on pieces.

    Parameters
    ----------
    search : JointSearch
    steps : SearchSteps
    candidates : list of dict

    Returns
    -------
    groups : list of (callable, list of Member)
    plan : SearchPlan
    task : PieceTask

    Raises
    ------
    ValueError
        That says what cannot be done, before any row is read.
    """
    if type(search.estimator) is not GDRegressor:
        name = type(search.estimator).__name__
        _refuse(search, f"candidates of {name}; only those of GDRegressor itself")
    if search.halving is not None or has_callbacks(search) or has_callbacks(search.estimator):
        _refuse(search, "halving or callbacks")
    metrics = metrics_of(steps.scorers, {}, False) or {}
    known = [metric.function in BY_PRODUCTS and not metric.options for metric in metrics.values()]
    if not known or not all(known):
        _refuse(
            search,
            f"scoring={search.scoring!r}; only None, 'r2', 'neg_mean_squared_error' and "
            "'neg_root_mean_squared_error', which products tell",
        )
    if not candidates:
        raise ValueError("No fits were performed. Were there no candidates?")
    heads, plan = plan_search(search.estimator, candidates, joins_few=True)
    groups = [group for head in heads for group in head.groups]
    alone = [(group.candidates[0], f": {group.reason}") for group in plan if group.trainer is None]
    members = [member for _, some in groups for member in some]
    untold = [(member.index, "") for member in members if not _is_told(member.model)]
    for index, reason in (*alone, *untold):
        _refuse(
            search,
            f"candidate {index}, {candidates[index]}{reason}; products tell of optimizer='auto' "
            "with tol and batch_size=None, and of descents with tol=None, batch_size=None and a "
            "number as learning_rate, of the squared error without average",
        )
    known = steps.scorers, metrics, search.error_score, search.return_train_score
    return groups, plan, PieceTask(candidates, *known)


def _refuse(search, what):
    raise ValueError(f"{type(search).__name__} on rows in pieces does not take {what}. {ADVICE}")


def _is_told(model):
    """Whether products of the columns tell of the fits of a regressor."""
    schedule = part_of(model, "schedule")
    descends = model.optimizer != "auto" or model.tol is None or model.learning_rate != "auto"
    return not descends or (model.batch_size is None and products_tell(model, schedule))


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


def cells_of(task, groups, pieces, cv):
    """Return the cells of all candidates and splits, and the number of splits.

    Parameters
    ----------
    task : PieceTask
    groups : list of (callable, list of Member)
    pieces : Pieces
    cv : int, splitter or iterable, or None
    """
    begin, cells = time.time(), []
    try:
        folds = PieceFolds(pieces, cv, part_of(groups[0][1][0].model, "loss")).folds
        reading = (time.time() - begin) / (len(folds) * len(task.candidates))
        for number, fold in enumerate(folds):
            for train, members in groups:
                cells += _trained_cells(task, number, fold, (train, members), reading)
    finally:
        pieces.engine.release()
    return cells, len(folds)


def _trained_cells(task, number, fold, group, reading):
    """Return the cells of a group of candidates on a split."""
    (train, members), begin = group, time.time()
    models = [member.model for member in members]
    if fold.products.constant.any() and any(map(_descends, models)):
        at = int(np.argmax(fold.products.constant))
        raise ValueError(f"Column {at} is constant in split {number}, where descents need rows.")
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


def _descends(model):
    return model.optimizer != "auto" or model.tol is None


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
