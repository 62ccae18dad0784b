"""Scores over alpha on the folds of a search, and the choice by them."""

from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from skgd.estimators.linear_problem import LinearProblem
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.regressor import GDRegressor
from skgd.search.alphas import alpha_path
from skgd.search.errors import determination, squared_errors
from skgd.search.folds import ScaledFold
from skgd.search.gram_problem import gram_problems
from skgd.search.leave_one_out import left_out_errors
from skgd.solvers.quadratic import Quadratic

MOST = 10.0  # mean squares of the rows: the largest alpha of a penalty without an l1 part


def alpha_grid(model, whole, n_alphas, eps):
    """Return falling alphas in equal ratios, the first of which leaves no weight, or hardly any.

    Parameters
    ----------
    model : GDRegressor
        With alpha = 1.
    whole : SharedFold or ScaledFold
        Of all rows, with columns as they are penalised.
    n_alphas : int
    eps : float
        The ratio of the last to the first; its square for a penalty without an l1 part.
    """
    if whole.products is None:
        objectives = LinearProblem(model, whole.train, None, False).objectives
        problems = [Quadratic(objective) for objective in objectives]
    else:
        problems = [problem.problem for problem in gram_problems(model, whole.products)]
    a, b = problems[0].objective.elastic_strengths
    bounded = a > 0.0
    if bounded.any():
        q = np.stack([problem.q for problem in problems])[:, bounded]
        largest = ((q if model.positive else np.abs(q)) / a[bounded]).max()
    else:
        largest, eps = MOST * problems[0].column_squares.sum() / (b.max() or 1.0), eps * eps
    if not largest * eps >= np.finfo(float).tiny:  # no column is correlated with y
        largest = 1.0
    return np.geomspace(largest, largest * eps, n_alphas)


class Curves(NamedTuple):
    """What cross-validation tells of L paths of A alphas on F folds.

    Attributes
    ----------
    errors : ndarray of shape (L, A, F, n_targets)
        Mean squared errors; NaN where no held-out row has a weight.
    scores : ndarray of shape (L, A, F, n_targets or 1)
        The higher the better.
    messages : list of Message
        Of fits that have not converged.
    """

    errors: np.ndarray
    scores: np.ndarray
    messages: list

    def spread_over(self, known):
        """Return the same for all folds, with NaN for those that are not known."""
        errors, scores = (
            np.full((*v.shape[:2], known.size, v.shape[3]), np.nan) for v in self[:2]
        )
        errors[:, :, known], scores[:, :, known] = self.errors, self.scores
        return Curves(errors, scores, self.messages)


def cross_validate(models, alphas, folds, scoring, scaled, n_jobs):
    """Return the `Curves` of models, each with alphas of its own.

    Parameters
    ----------
    models : list of GDRegressor
    alphas : list of ndarray of shape (n_alphas,)
        Falling.
    folds : list of SharedFold
    scoring : callable
        Takes a fold, its number, its mean squared errors, coefficients and intercepts; returns
        scores of shape (n_alphas, n_targets or 1).
    scaled : bool
        Whether columns are scaled to a spread of one within each fold.
    n_jobs : int or None
        Threads over the folds.
    """
    on_fold = partial(_on_fold, models, alphas, scoring, scaled)
    if n_jobs is None or n_jobs == 1:
        found = [on_fold(*task) for task in enumerate(folds)]
    else:
        run = delayed(on_fold)
        found = Parallel(n_jobs=n_jobs, prefer="threads")(run(*task) for task in enumerate(folds))
    errors, scores, messages = zip(*found)
    return Curves(np.stack(errors, axis=2), np.stack(scores, axis=2), [*chain(*messages)])


def _on_fold(models, alphas, scoring, scaled, k, fold):
    """Return the errors and scores on one fold, and what fits have to say."""
    seen, errors, scores, messages = ScaledFold(fold) if scaled else fold, [], [], []
    for model, falling in zip(models, alphas):
        path = alpha_path(model, seen, falling)
        coef = path.coef / seen.scale if scaled else path.coef
        left = squared_errors(fold, coef, path.intercept)
        errors.append(left)
        scores.append(scoring(fold, k, left, coef, path.intercept))
        messages += [message for message in path.messages if message is not None]
    return np.stack(errors), np.stack(scores), messages


def without_each_row(model, alphas, rows):
    """Return the squared errors of shape (A, n, n_targets) without each row; None where inexact.

    By one decomposition, for a penalty of an l2 part alone.
    """
    a, b = part_of(model, "penalty").elastic()
    factor = model.penalty_weights
    factor = np.ones(rows.X.shape[1]) if factor is None else np.asarray(factor, dtype=float)
    if a > 0.0 or not b > 0.0 or model.positive or not factor.min() > 0.0:
        return None
    rows = rows if (factor == 1.0).all() else rows.scaled(np.sqrt(factor))
    return left_out_errors(rows, bool(model.fit_intercept), b * alphas)


def negative_errors(fold, k, errors, coef, intercept):
    """Return the negative mean squared errors of every target."""
    return -errors


def negative_roots(fold, k, errors, coef, intercept):
    """Return the negative roots of the mean squared errors of every target."""
    return -np.sqrt(errors)


def shares_explained(fold, k, errors, coef, intercept):
    """Return R2 of every target."""
    return determination(fold, errors)


ON_PRODUCTS = {  # scores that need no pass over the rows
    None: negative_errors,
    "neg_mean_squared_error": negative_errors,
    "neg_root_mean_squared_error": negative_roots,
    "r2": shares_explained,
}


class Scored:
    """Scores by any scorer, which sees fitted estimators.

    Parameters
    ----------
    scorer : callable
    columns : dict
        What an estimator knows of the columns.
    single : bool
        Whether y has one dimension.
    each : bool
        Whether every target has a score of its own.
    options : list of dict
        What the scorer is told of each fold beside.
    """

    def __init__(self, scorer, columns, single, each, options):
        self.scorer, self.columns, self.options = scorer, columns, options
        self.single, self.each = single, each and not single

    def __call__(self, fold, k, errors, coef, intercept):
        rows, dtype = fold.test, fold.test.X.dtype
        coef = coef.astype(dtype)
        if not self.each:
            y = rows.y
            found = [[self._score(rows, y, w, b, k)] for w, b in zip(coef, intercept)]
            return np.array(found, dtype=float)
        return np.array(
            [
                [
                    self._score(rows, y, w[t : t + 1], b[t : t + 1], k, True)
                    for t, y in enumerate(rows.targets)
                ]
                for w, b in zip(coef, intercept)
            ],
            dtype=float,
        )

    def _score(self, rows, y, coef, intercept, k, single=False):
        model, lone = GDRegressor(), self.single or single
        known = {"coef_": coef[0], "intercept_": intercept[0], "t_": 0}
        if not lone:
            known = {"coef_": coef, "intercept_": intercept, "t_": np.zeros(len(coef), int)}
        vars(model).update(known, **self.columns)
        return self.scorer(model, rows.given, y, **self.options[k])


class Choice(NamedTuple):
    """The chosen path and alphas, by their numbers."""

    path: int
    best: int
    within_error: int  # the largest alpha within one standard error of the best


def standard_error(values):
    """Return the standard error of the mean of some numbers; zero for one of them."""
    if values.size < 2:
        return 0.0
    unit = np.abs(values).max() or 1.0  # whose square may be no number
    return float(unit * (values / unit).std(ddof=1) / np.sqrt(values.size))


def choice_of(scores):
    """Return the `Choice` by scores of shape (L, A, F), the mean over folds.

    Raises
    ------
    ValueError
        Where no score is a number.
    """
    known = np.isfinite(scores)
    counts = known.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(known, scores, 0.0).sum(axis=2) / counts
    means = np.where((counts > 0) & (counts == counts.max()), means, -np.inf)
    if not np.isfinite(means).any():
        raise ValueError("No alpha has a score that is a number on any fold.")
    path, best = np.unravel_index(np.argmax(means), means.shape)
    values = scores[path, best][known[path, best]]
    error = standard_error(values)
    within = int(np.argmax(means[path] >= means[path, best] - error))
    return Choice(int(path), int(best), within)
