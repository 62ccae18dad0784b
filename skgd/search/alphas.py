"""Trains candidates of the default solver that differ in alpha and penalty: a path a fold.

On the products of the fold's columns where these serve: one decomposition for an l2 penalty, else
coordinate descent from alpha to alpha. What is not exact there is solved on the rows, from alpha
to alpha too.
"""

from typing import NamedTuple

import numpy as np

from skgd.estimators.linear_problem import LinearProblem
from skgd.estimators.messages import messages_of
from skgd.estimators.minimizers import asked_of_a_descent, direct
from skgd.estimators.nested_parameters import part_of, plain
from skgd.estimators.regressor import GDRegressor
from skgd.estimators.validation import stored_as
from skgd.search.gram_problem import gram_problems
from skgd.search.ridge import ridge_minima
from skgd.search.trained import Trained
from skgd.solvers.active_set_path import minima_along
from skgd.solvers.gram_path import minima_on_gram


class AlphaPath(NamedTuple):
    """The minima for falling alphas on the training rows of a fold.

    Attributes
    ----------
    coef : ndarray of shape (n_alphas, n_targets, p)
    intercept : ndarray of shape (n_alphas, n_targets)
    n_iter : ndarray of shape (n_alphas, n_targets), int
        Passes over the data.
    messages : list of (Message or None)
        For each alpha the first that its fit has.
    """

    coef: np.ndarray
    intercept: np.ndarray
    n_iter: np.ndarray
    messages: list


def key_of(estimator):
    """Return what candidates share that are trained together; None for what is trained alone.

    Parameters
    ----------
    estimator : estimator
        With valid parameters.
    """
    params = vars(estimator)
    if type(estimator) is not GDRegressor or not isinstance(params["optimizer"], str):
        return None
    asked = asked_of_a_descent(params, part_of(estimator, "schedule"), False, False)
    others = params["center"] != "auto" or params["warm_start"] or params["verbose"]
    others = others or params["optimizer"] != "auto" or params.get("_skl_callbacks")
    elastic = part_of(estimator, "penalty").elastic()
    if asked or others or elastic is None or not part_of(estimator, "loss").quadratic:
        return None
    factor = params["penalty_weights"]
    try:
        factor = None if factor is None else np.asarray(factor, dtype=float).tobytes()
    except (TypeError, ValueError):  # of which a fit tells
        return None
    plainly = (params[name] for name in ("fit_intercept", "positive", "tol", "max_iter"))
    return "alphas", *map(plain, plainly), factor


def train(estimators, fold):
    """Return what estimators of one key have come to on the training rows of a fold.

    Parameters
    ----------
    estimators : list of GDRegressor
    fold : Fold

    Returns
    -------
    Trained
    """
    C, groups = len(estimators), {}
    for k, estimator in enumerate(estimators):
        kind = estimator.penalty, estimator.l1_ratio
        if not isinstance(kind[0], str):
            kind = part_of(estimator, "penalty").elastic()
        groups.setdefault(kind, []).append(k)
    n_targets, p, _ = fold.form
    coef, intercept = np.zeros((C, n_targets, p)), np.zeros((C, n_targets))
    n_iter, failures, warnings = np.zeros((C, n_targets), int), [None] * C, [None] * C
    for group in groups.values():
        given = np.array([float(estimators[k].alpha) for k in group])
        alphas, at = np.unique(-given, return_inverse=True)
        try:
            path = alpha_path(estimators[group[0]], fold, -alphas)
        except ValueError as error:
            for k in group:
                failures[k] = str(error)
            continue
        coef[group], intercept[group] = path.coef[at], path.intercept[at]
        n_iter[group] = path.n_iter[at]
        for i in [i for i, message in enumerate(path.messages) if message is not None]:
            message = path.messages[i]
            told = failures if message.is_error or message.is_refusal else warnings
            for k in np.array(group)[at == i]:
                told[k] = message.sentence
    return Trained(coef, intercept, failures, warnings, n_iter)


def alpha_path(estimator, fold, alphas):
    """Return the `AlphaPath` of an estimator on a fold.

    Parameters
    ----------
    estimator : GDRegressor
        Whose alpha is of no account.
    fold : Fold
    alphas : ndarray of shape (n_alphas,)
        Falling.
    """
    n_targets, p, dtype = fold.form
    shape, messages = (len(alphas), n_targets), [None] * len(alphas)
    coef = np.zeros((*shape, p))
    n_iter, reached = np.ones(shape, int), np.zeros(shape, bool)
    products, intercept = fold.products, np.zeros(shape)
    if products is not None:
        coef, reached = _on_products(estimator, products, alphas)
        if estimator.fit_intercept:
            intercept = products.levels - coef @ products.means
    if not reached.all():
        problem = LinearProblem(estimator, fold.train, None, False)
        for k in range(shape[1]):
            along = _along_rows(estimator, problem.objectives[k], alphas)
            for i in np.flatnonzero(along.reached & ~reached[:, k]):
                theta = problem.in_order_of_init(k, along.coefs[i])
                coef[i, k], n_iter[i, k] = theta[:p], along.n_passes[i]
                intercept[i, k] = theta[-1] if estimator.fit_intercept else 0.0
            left = np.flatnonzero(~reached[:, k] & ~along.reached)
            for i, run in _on_rows(estimator, problem.objectives[k], alphas, left, coef[:, k]):
                n_iter[i, k] = run.record.n_epochs
                theta = problem.in_order_of_init(k, run.theta)
                coef[i, k] = theta[:p]
                intercept[i, k] = theta[-1] if estimator.fit_intercept else 0.0
                if messages[i] is None and not run.outcome.settled:
                    messages[i] = next(iter(messages_of(estimator, run)), None)
    if dtype != coef.dtype:
        coef, intercept = (
            stored_as(dtype, values, n).astype(float) for values, n in ((coef, p), (intercept, 0))
        )
    return AlphaPath(coef + 0.0, intercept, n_iter, messages)


def _on_products(estimator, products, alphas):
    """Return the minima that the products of the columns tell exactly, and which these are."""
    problems = gram_problems(estimator, products)
    n_targets, p = products.q.shape
    coef, reached = np.zeros((len(alphas), n_targets, p)), np.zeros((len(alphas), n_targets), bool)
    first = problems[0]
    if not first.objective.elastic_strengths[0].any() and not estimator.positive:
        strengths = alphas[:, None] * first.objective.elastic_strengths[1]
        q = np.stack([problem.problem.q for problem in problems])
        coef, served = ridge_minima(first.gram.G, q, strengths)
        reached[:served] = True
        return coef, reached
    for k, problem in enumerate(problems):
        found = minima_on_gram(problem, alphas)
        coef[:, k], reached[:, k] = found.coefs, found.reached
    return coef, reached


def _along_rows(estimator, objective, alphas):
    """Return the minima on the rows that active sets find from alpha to alpha."""
    solver = direct(objective, plain(estimator.tol), for_path=True)
    return minima_along(solver, alphas, estimator.max_iter)


def _on_rows(estimator, objective, alphas, left, coef):
    """Yield the runs of a solver on the rows for some of the alphas, each from the one before.

    Without a penalty there may be many minima: then from zero, as each is alone.
    """
    solver, tol = None, plain(estimator.tol)
    for i in left:
        is_alone = alphas[i] == 0.0
        if is_alone:
            solver = direct(objective.with_alpha(alphas[i]), tol)
        elif solver is None:
            solver = direct(objective, tol, for_path=True)
        if not is_alone:
            solver.set_alpha(alphas[i], coef[i - 1] if i and i - 1 not in left else None)
        solver.minimize(estimator.max_iter)
        yield i, solver


def certified(estimator, rows, coef):
    """Return the attributes of a fit that begins at coefficients, which may be the minimum.

    Parameters
    ----------
    estimator : GDRegressor
    rows : Rows
    coef : ndarray of shape (n_targets, p)

    Returns
    -------
    dict
        The solution with its certificates.
    """
    problem, tol, runs = LinearProblem(estimator, rows, None, False), plain(estimator.tol), []
    for objective, w in zip(problem.objectives, coef):
        runs.append(direct(objective, tol, w))
        runs[-1].minimize(estimator.max_iter)
        for message in [] if runs[-1].outcome.settled else messages_of(estimator, runs[-1]):
            message.tell()
    n_iter = problem.each(np.array([run.record.n_epochs for run in runs]))
    return {"n_iter_": n_iter, **problem.solution(problem.answer(runs))}
