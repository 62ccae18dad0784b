"""Candidates that are fitted one by one to the rows of a split that lie in pieces."""

import time

import numpy as np
from sklearn import metrics
from sklearn.base import clone, is_classifier

from skgd.estimators._sklearn import is_passthrough, metric_of, named_scorers
from skgd.estimators.scores import share_of_hits, sums_of_squares
from skgd.search.cells import Cell, failed_scores

BY_SQUARES = {  # what sums of squares tell
    metrics.r2_score: lambda sums: sums.determination(),
    metrics.mean_squared_error: lambda sums: float(sums.errors().mean()),
    metrics.root_mean_squared_error: lambda sums: float(np.sqrt(sums.errors()).mean()),
}
KNOWN = {  # the words for ``scoring``, by whether candidates are classifiers
    False: "None, 'r2', 'neg_mean_squared_error' and 'neg_root_mean_squared_error'",
    True: "None and 'accuracy'",
}


def are_known(scorer, by_class):
    """Whether scores are those that sums over pieces tell.

    Parameters
    ----------
    scorer : callable
        As a search has it.
    by_class : bool
        Whether candidates are classifiers.
    """
    functions = {metrics.accuracy_score} if by_class else {*BY_SQUARES}
    found = [*(named_scorers(scorer) or {"score": scorer}).values()]
    known = (metric_of(one) for one in found if not is_passthrough(one))
    return bool(found) and all(one and one[0] in functions and not one[2] for one in known)


def lone_cell(task, sides, number, member, reading):
    """Return the cell of a candidate on a split.

    Parameters
    ----------
    task : PieceTask
    sides : list of two Pieces
        The rows to train on, and those held out.
    number : int
        Of the split.
    member : Member
    reading : tuple of int and float
        The rows held out, and the seconds that a candidate's share of the count has taken.
    """
    begin, error = time.time(), None
    try:
        model = clone(member.model).fit(sides[0])
        fitted = time.time()
        names = ["test_scores", "train_scores"][: 1 + task.return_train_score]
        scores = {name: _scores(task, model, side) for name, side in zip(names, sides[::-1])}
    except ValueError as failure:
        if task.error_score == "raise":
            raise
        error, fitted, scores = f"ValueError: {failure}", time.time(), failed_scores(task)
    n_held_out, seconds = reading
    result = {
        **{"n_test_samples": n_held_out, "fit_time": seconds + fitted - begin},
        **{"fit_error": error, "score_time": time.time() - fitted, **scores},
    }
    return Cell(member.index, number, result, None, None)


def _scores(task, model, pieces):
    """Return the score of a fitted candidate, or those by their names."""
    names = named_scorers(task.scorer)
    found = _sums(model, pieces)
    if names is None:
        return _score(task.scorer, found)
    return {name: _score(scorer, found) for name, scorer in names.items()}


def score_on_pieces(scorer, model, pieces):
    """Return the score of a fitted estimator on pieces, by a scorer that `are_known` knows."""
    return _score(scorer, _sums(model, pieces))


def _sums(model, pieces):
    """Return the share of rows whose class is predicted, or sums of squares."""
    return (share_of_hits if is_classifier(model) else sums_of_squares)(model, pieces)


def _score(scorer, found):
    """Return the score that a share of hits is, or sums of squares tell."""
    if isinstance(found, float):
        return found
    function, sign, _ = metric_of(scorer)
    return sign * BY_SQUARES[function](found)
