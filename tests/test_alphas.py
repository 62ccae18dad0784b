"""Candidates that differ in alpha and penalty, trained together, are what each is alone."""

import warnings

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold

from skgd import GDRegressor
from skgd.estimators.data import validated_rows
from skgd.penalties import ElasticNet, Penalty
from skgd.search.alphas import key_of, train
from skgd.search.folds import Fold, folds_of

STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "float32": np.float32,
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_matrix,
}
OPTIONS = {
    "plain": {},
    "without an intercept": {"fit_intercept": False},
    "positive": {"positive": True},
    "penalty weights": {"penalty_weights": [1.0, 2.0, 0.5, 1.5, 3.0]},
    "an unpenalised column": {"penalty_weights": [1.0, 0.0, 0.5, 1.5, 3.0]},
    "a finer tol": {"tol": 1e-9},
}
ALPHAS = [0.03, 1.0, 0.0, 0.003, 1e3]


def candidates(**options):
    """Return estimators of all penalties, in no order."""
    found = [
        GDRegressor(penalty=penalty, alpha=alpha, **options)
        for alpha in ALPHAS
        for penalty in ("l1", "l2", "elasticnet", ElasticNet(0.9))
    ]
    return [*found, GDRegressor(penalty=None, **options)]


def assert_are_alone(found, estimators, X, y, weight=None):
    """Compare with separate fits: to rounding without an l1 part, else by what tol promises."""
    for k, estimator in enumerate(estimators):
        alone = estimator.fit(X, y, sample_weight=weight)
        w, b = np.atleast_2d(alone.coef_), np.ravel(alone.intercept_)
        rough = X.dtype == np.float32
        scale = np.abs(w).max() + 1e-12
        has_l1 = estimator.alpha > 0.0 and str(estimator.penalty) not in ("l2", "None")
        if not has_l1 and not estimator.positive:
            close = 1e-5 if rough else 1e-9
            np.testing.assert_allclose(found.coef[k], w, rtol=close, atol=close * scale)
            np.testing.assert_allclose(found.intercept[k], b, rtol=close, atol=close)
            continue
        objectives = alone.objective(X, y, weight)
        objectives = objectives if isinstance(objectives, list) else [objectives]
        for objective, there, here, level, at in zip(
            objectives, found.coef[k], w, found.intercept[k], b
        ):
            theta, other = np.append(there, level), np.append(here, at)
            d = objective.d
            gap = objective.value(theta[:d]) - objective.value(other[:d])
            goal = max(estimator.tol, 1e-6 if rough else 0.0) * objective.null_objective
            assert abs(gap) <= max(0.02 * goal, 1e-12 * objective.null_objective)


def fold_of(X, y, weight=None, train=40):
    rows = validated_rows(GDRegressor(), X, y, weight)
    n = X.shape[0]
    return folds_of(rows, [(np.arange(train), np.arange(train, n))])[0]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_candidates_are_what_each_is_alone(options):
    X, y = make_regression(n=50)
    estimators = candidates(**options)
    found = train(estimators, fold_of(X, y))
    assert found.failures == found.warnings == [None] * len(estimators)
    assert_are_alone(found, estimators, X[:40], y[:40])


@pytest.mark.parametrize("storage", STORAGES)
def test_candidates_are_what_each_is_alone_in_every_storage(storage):
    X, y = make_regression(n=50)
    X = STORAGES[storage](np.where(np.abs(X) < 0.3, 0.0, X))
    estimators = candidates()
    assert_are_alone(train(estimators, fold_of(X, y)), estimators, X[:40], y[:40])


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_candidates_are_what_each_is_alone_with_more_columns_than_rows(fit_intercept):
    X, y = make_regression(n=30, p=60)
    estimators = candidates(fit_intercept=fit_intercept)
    found = train(estimators, fold_of(X, y, train=25))
    assert_are_alone(found, estimators, X[:25], y[:25])


def test_candidates_are_what_each_is_alone_for_several_targets():
    X, y = make_regression(n=50)
    Y = np.column_stack([y, X[:, 0] ** 2, np.ones(50)])
    estimators = candidates()
    assert_are_alone(train(estimators, fold_of(X, Y)), estimators, X[:40], Y[:40])


def test_a_weight_is_a_repetition():
    X, y = make_regression(n=50)
    weight = np.random.default_rng(0).integers(0, 4, 50)
    many, each = np.repeat(np.arange(40), weight[:40]), np.arange(50)
    estimators = candidates(tol=1e-10)
    weighted = train(estimators, fold_of(X, y, weight.astype(float)))
    rows = validated_rows(GDRegressor(), X, y, None)
    repeated = train(estimators, folds_of(rows, [(many, each[40:])])[0])
    np.testing.assert_allclose(weighted.coef, repeated.coef, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(weighted.intercept, repeated.intercept, rtol=1e-5, atol=1e-7)
    assert_are_alone(weighted, estimators, X[:40], y[:40], weight[:40])


def test_columns_that_differ_from_fold_to_fold_are_trained_from_their_own_rows():
    X, y = make_regression(n=50)
    rows = validated_rows(GDRegressor(), X, y, None)
    estimators = candidates()
    fold = Fold(rows.take(np.arange(40)), rows.take(np.arange(40, 50)))
    assert_are_alone(train(estimators, fold), estimators, X[:40], y[:40])


@pytest.mark.parametrize("kind", ["constant", "equal", "far", "tiny", "nearly equal"])
def test_columns_that_are_hard_on_products_are_as_they_are_alone(kind):
    X, y = make_regression(n=50)
    if kind == "constant":
        X[:40, 2] = 3.0
    elif kind == "equal":
        X[:, 2] = X[:, 1]
    elif kind == "nearly equal":
        X[:, 2] = X[:, 1] + 1e-7 * X[:, 0]
    elif kind == "far":
        X[:, 2] += 1e7
    else:
        X[:, 2] *= 1e-7
    estimators = candidates()
    found = train(estimators, fold_of(X, y))
    for k, estimator in enumerate(estimators):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            alone = estimator.fit(X[:40], y[:40])
        f = X[:40] @ found.coef[k, 0] + found.intercept[k, 0]
        spread = np.abs(f - alone.predict(X[:40])).max() / y.std()
        assert spread < (1e-2 if estimator.penalty not in ("l2", None) else 1e-7), estimator


def test_a_fit_that_needs_more_passes_tells_of_it():
    X, y = make_regression(n=30, p=60)
    estimators = [GDRegressor(penalty="l1", alpha=a, max_iter=1, tol=1e-12) for a in (1e-3, 1e3)]
    found = train(estimators, fold_of(X, y, train=25))
    assert "has not converged in max_iter=1" in found.warnings[0]
    assert found.warnings[1] is None
    assert found.failures == [None, None]


class Cubic(Penalty):
    def value(self, w):
        return abs(w) ** 3


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam"},
        {"learning_rate": 0.1},
        {"batch_size": 3},
        {"loss": "huber"},
        {"penalty": Cubic()},
        {"tol": None},
        {"early_stopping": True},
        {"record_path": True},
        {"center": False},
        {"warm_start": True},
        {"penalty_weights": [[1.0], [1.0, 2.0]]},
        {"average": True},
        {"schedule": "cosine"},
    ],
    ids=str,
)
def test_what_only_a_fit_alone_can_do_has_no_key(options):
    assert key_of(GDRegressor(**options)) is None


def test_candidates_have_one_key_if_they_differ_in_penalty_and_alpha_only():
    assert len({key_of(estimator) for estimator in candidates()}) == 1
    others = [{"tol": 1e-5}, {"positive": True}, {"fit_intercept": False}, {"max_iter": 3}]
    others += [{"penalty_weights": [1.0]}, {"penalty_weights": [2.0]}, {}]
    assert len({key_of(GDRegressor(**options)) for options in others}) == len(others)


def test_a_target_that_cannot_be_weighted_fails_for_all():
    X, y = make_regression(n=50)
    found = train([GDRegressor(penalty_weights=[1.0, 2.0])], fold_of(X, y))
    assert "penalty_weights has shape (2,)" in found.failures[0]


def test_every_fold_is_its_own():
    X, y = make_regression(n=50)
    rows, estimators = validated_rows(GDRegressor(), X, y, None), candidates()
    splits = [*KFold(3).split(X)]
    for (chosen, _), fold in zip(splits, folds_of(rows, splits)):
        assert_are_alone(train(estimators, fold), estimators, X[chosen], y[chosen])
