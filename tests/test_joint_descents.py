"""Candidates that descend together come to what each comes to alone."""

import re
import tracemalloc
import warnings

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skgd import GDRegressor
from skgd.estimators.data import validated_rows
from skgd.optimizers import SAGA, Adam, Momentum, Nesterov, Normalized
from skgd.penalties import ElasticNet
from skgd.search.descents import key_of, train
from skgd.search.folds import Fold
from skgd.search.joint_descents import JointDescents

RNG = np.random.default_rng(0)
N, P = 40, 6
X = RNG.standard_normal((N, P))
X[:, 3] = 2.0  # constant
y = X @ RNG.standard_normal(P) + RNG.standard_normal(N) + 3.0
WEIGHT = RNG.uniform(0.0, 2.0, N)
S = sparse.csr_array(sparse.random(N, P, density=0.4, random_state=1))
BATCHES = 1, 7, None
PENALTIES = None, "l1", "l2", "elasticnet"
GRID = [
    {"learning_rate": rate, "penalty": penalty, "alpha": alpha}
    for rate in (1e-3, 0.05, 3.0)
    for penalty in PENALTIES
    for alpha in (0.01, 0.3)
]


def descent(**params):
    known = {"optimizer": "gd", "max_iter": 4, "tol": None, "random_state": 0}
    return GDRegressor(**(known | params))


def fold_of(estimator, X, y, weight=None):
    rows = validated_rows(clone(estimator), X, y, weight)
    return Fold(rows, rows)


def fitted(estimator, X, y, weight=None):
    """Return a fit of its own, the sentences it warns of, and why it has failed."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            estimator = clone(estimator).fit(X, y, weight)
            estimator.predict(X[:1])
        except ValueError as error:
            return None, None, str(error)
    told = [str(w.message) for w in told if w.category is ConvergenceWarning]
    return estimator, told, None


def rounded(sentence):
    """Return a sentence without the numbers that are of the size of roundings."""
    return re.sub(r"-?\d\.\de-1\d", "0", sentence)


def check_equal(estimators, X, y, weight=None, tol=1e-11):
    """Check that candidates come to the same together and alone; return which have failed."""
    (key,) = {key_of(estimator) for estimator in estimators}
    assert key is not None
    trained = train(estimators, fold_of(estimators[0], X, y, weight))
    for c, estimator in enumerate(estimators):
        alone, told, failure = fitted(estimator, X, y, weight)
        assert (failure is None) == (trained.failures[c] is None), (c, failure)
        if failure is None:
            coef, intercept = np.atleast_2d(alone.coef_), np.ravel(alone.intercept_)
            scale = max(np.abs(coef).max(), np.abs(intercept).max())
            assert np.abs(trained.coef[c] - coef).max() <= tol * scale
            assert np.abs(trained.intercept[c] - intercept).max() <= tol * scale
            np.testing.assert_array_equal(trained.n_iter[c], np.ravel(alone.n_iter_))
            assert [*map(rounded, told)] == [
                *map(rounded, (trained.warnings[c] or "").splitlines())
            ]
    return np.array([failure is not None for failure in trained.failures])


TOLS = [
    {"learning_rate": rate, "penalty": penalty, "alpha": alpha}
    for rate in (1e-3, 0.03, 0.3)
    for penalty in PENALTIES
    for alpha in (0.03, 0.3)
]


def candidates(base, grid=GRID):
    return [clone(base).set_params(**params) for params in grid]


@pytest.mark.parametrize("batch_size", BATCHES)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("storage", ["dense", "sparse"])
def test_descents_of_a_grid_end_where_each_ends_alone(batch_size, weight, storage):
    data = X if storage == "dense" else S
    failed = check_equal(candidates(descent(batch_size=batch_size)), data, y, weight)
    assert 0 < failed.sum() < failed.size


@pytest.mark.parametrize("batch_size", BATCHES)
@pytest.mark.parametrize(
    "rules",
    [
        [Momentum(0.5), Momentum(0.9), Momentum(0.7, averaged=True)],
        [Adam(), Adam(0.5, 0.9), Adam(eps=1e-3, bias_correction=False)],
    ],
    ids=["momentum", "adam"],
)
def test_fields_of_the_rule_may_differ(batch_size, rules):
    grid = [
        {"learning_rate": rate, "penalty": penalty, "alpha": 0.1, "optimizer": rule}
        for rate in (1e-3, 0.03)
        for penalty in ("l1", ElasticNet(0.3))
        for rule in rules
    ]
    check_equal(candidates(descent(batch_size=batch_size), grid), X, y, WEIGHT)


@pytest.mark.parametrize("rule", [Nesterov(), Normalized("l2")], ids=["accelerated", "directed"])
def test_rules_that_see_all_parameters_at_once_are_joined(rule):
    check_equal(candidates(descent(optimizer=rule)), X, y)


@pytest.mark.parametrize("batch_size", BATCHES)
@pytest.mark.parametrize(
    "params",
    [
        {"center": True},
        {"fit_intercept": False},
        {"schedule": "cosine"},
        {"penalty_weights": np.arange(P) / 2.0},
        {"init": np.arange(P + 1.0)},
        {"sampling": "replacement"},
        {"sampling": "cyclic"},
    ],
    ids=lambda params: next(iter(params)),
)
def test_common_settings_are_those_of_each(batch_size, params):
    check_equal(candidates(descent(batch_size=batch_size, **params)), X, y, WEIGHT)


@pytest.mark.parametrize(
    "params",
    [
        {"average": 3, "batch_size": 7},
        {"clip_norm": 0.5, "clip_value": 0.2},
        {"positive": True, "batch_size": 1},
        {"loss": "huber", "batch_size": 7},
        {"loss": "absolute_error"},
    ],
    ids=lambda params: next(iter(params)),
)
def test_other_updates_and_losses_are_those_of_each(params):
    check_equal(candidates(descent(**params)), X, y)


@pytest.mark.parametrize("batch_size", BATCHES)
@pytest.mark.parametrize("data", [X, S], ids=["dense", "sparse"])
def test_targets_descend_together(batch_size, data):
    targets = np.column_stack([y, -2.0 * y + RNG.standard_normal(N)])
    check_equal(candidates(descent(batch_size=batch_size)), data, targets)


@pytest.mark.parametrize("data", [X.astype(np.float32), np.asfortranarray(X)], ids=["f4", "F"])
def test_any_storage_is_read(data):
    for batch_size in BATCHES:
        check_equal(candidates(descent(batch_size=batch_size)), data, y)


def test_more_candidates_than_a_tile_close_the_gaps_of_those_that_diverge():
    rates = np.geomspace(1e-4, 30.0, 80)
    for batch_size in BATCHES:
        grid = [{"learning_rate": rate} for rate in rates]
        failed = check_equal(candidates(descent(batch_size=batch_size, max_iter=12), grid), X, y)
        assert 10 < failed.sum() < 60


def test_a_descent_that_has_grown_but_little_has_failed_as_it_does_alone():
    grid = [{"learning_rate": rate} for rate in np.linspace(0.1, 1.5, 30)]
    failed = check_equal(candidates(descent(max_iter=3, penalty=None), grid), X, y)
    assert 0 < failed.sum() < failed.size


@pytest.mark.parametrize("batch_size", BATCHES)
@pytest.mark.parametrize("data", [X, S], ids=["dense", "sparse"])
def test_candidates_arrive_when_they_do_alone_and_warn_of_the_same(batch_size, data):
    base = descent(batch_size=batch_size, tol=1e-4, max_iter=150)
    failed = check_equal(candidates(base, TOLS), data, y, WEIGHT)
    assert not failed.all()


@pytest.mark.parametrize("batch_size", [7, None])
@pytest.mark.parametrize(
    "params",
    [
        {"optimizer": "adam"},
        {"optimizer": "nesterov"},
        {"loss": "huber"},
        {"schedule": "adaptive"},
        {"schedule": "adaptive", "tol": None},
        {"tol": 0.0},
        {"tol": 1e-10},
    ],
    ids=lambda params: "-".join(map(str, params.values())),
)
def test_tolerances_and_plateaus_are_those_of_each(batch_size, params):
    base = descent(batch_size=batch_size, max_iter=100).set_params(**({"tol": 1e-4} | params))
    check_equal(candidates(base, TOLS), X, y, tol=1e-9)


@pytest.mark.parametrize("batch_size", BATCHES)
@pytest.mark.parametrize("rule", ["gd", "adam"])
@pytest.mark.parametrize("tol", [None, 1e-4])
def test_automatic_rates_and_what_controls_them_are_those_of_each(batch_size, rule, tol):
    grid = [{"penalty": p, "alpha": alpha} for p in PENALTIES for alpha in (1e-3, 0.1)]
    auto = {"learning_rate": "auto", "batch_size": batch_size, "optimizer": rule}
    estimators = candidates(descent(**auto, tol=tol, max_iter=120), grid)
    check_equal(estimators, X * np.geomspace(1.0, 5.0, P), y, tol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_batches_that_grow_on_the_way_are_those_of_each(batch_size):
    grid = [{"penalty": p, "alpha": alpha} for p in PENALTIES for alpha in (1e-3, 0.1)]
    auto = {"learning_rate": "auto", "optimizer": "adam", "tol": 1e-5}
    check_equal(candidates(descent(**auto, batch_size=batch_size, max_iter=300), grid), S, y)


def test_targets_of_a_loss_with_an_estimated_curvature_have_units_of_their_own():
    counts = np.abs(np.column_stack([y, 20.0 * y])).round()
    grid = [{"penalty": p, "alpha": alpha} for p in ("l1", "l2") for alpha in (1e-3, 0.1)]
    base = descent(loss="poisson", learning_rate="auto", tol=1e-3, max_iter=60)
    check_equal(candidates(base, grid), X, counts, tol=1e-9)


def test_targets_arrive_each_in_its_time():
    targets = np.column_stack([y, -2.0 * y + RNG.standard_normal(N)])
    check_equal(candidates(descent(tol=1e-3, max_iter=100), TOLS), X, targets)


def test_candidates_can_be_dropped_on_the_way():
    estimators = candidates(descent(batch_size=7, max_iter=6), GRID[:12])
    descents = JointDescents(estimators, fold_of(estimators[0], X, y))
    descents.advance(2)
    first = descents.results()
    kept = np.arange(12) % 2 == 0
    descents.keep(kept)
    descents.advance(6)
    found = descents.results()
    whole = train(estimators, fold_of(estimators[0], X, y))
    np.testing.assert_array_equal(found.n_iter[:, 0], np.where(kept, 6, 2))
    np.testing.assert_allclose(found.coef[kept], whole.coef[kept], rtol=1e-12)
    np.testing.assert_array_equal(found.coef[~kept], first.coef[~kept])


def test_without_a_random_state_the_global_generator_decides():
    estimators = candidates(descent(batch_size=1, random_state=None), GRID[:4])
    fold, found = fold_of(estimators[0], X, y), []
    for seed in (1, 1, 2):
        np.random.seed(seed)
        found.append(train(estimators, fold).coef)
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


def test_what_only_a_fit_of_its_own_can_do_is_not_joined():
    alone = [
        {"optimizer": "auto", "tol": 1e-4, "learning_rate": "auto"},
        {"optimizer": "lbfgs", "tol": 1e-4},
        {"optimizer": SAGA()},
        *({name: True} for name in ("record_path", "warm_start", "polish", "verbose")),
        {"early_stopping": True},
        {"random_state": np.random.RandomState(0)},
    ]
    assert [key_of(descent(**({"learning_rate": 0.1} | params))) for params in alone] == [None] * 9
    assert key_of(descent(learning_rate=0.1, optimizer="auto")) is not None


def test_settings_that_no_candidate_can_be_fitted_with_fail_for_all():
    estimators = candidates(descent(init=np.zeros(3)), GRID[:3])
    trained = train(estimators, fold_of(estimators[0], X, y))
    alone = fitted(estimators[0], X, y)[2]
    assert trained.failures == [alone] * 3


@settings(max_examples=25, deadline=None)
@given(
    rates=st.lists(st.floats(1e-4, 2.0), min_size=1, max_size=5),
    alphas=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=3),
    penalties=st.lists(st.sampled_from(PENALTIES), min_size=1, max_size=3),
    batch_size=st.sampled_from(BATCHES),
    n=st.integers(2, N),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_grid_is_that_of_separate_fits(rates, alphas, penalties, batch_size, n, seed):
    grid = [
        {"learning_rate": rate, "alpha": alpha, "penalty": penalty}
        for rate in rates
        for alpha in alphas
        for penalty in penalties
    ]
    base = descent(batch_size=batch_size, random_state=seed, max_iter=3)
    check_equal(candidates(base, grid), X[:n], y[:n], tol=1e-10)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="takes long in plain Python")
@pytest.mark.parametrize("batch_size", [1, 8, None])
def test_adam_takes_four_numbers_for_each_parameter_of_a_candidate(batch_size):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 20_000)), rng.standard_normal(40)
    known = {"optimizer": "adam", "batch_size": batch_size, "max_iter": 1, "tol": None}
    models = [GDRegressor(learning_rate=1e-6 * k, random_state=0, **known) for k in range(1, 65)]
    rows = validated_rows(models[0], X, y, None)
    JointDescents(models[:2], Fold(rows, rows)).advance(1)  # compiles
    tracemalloc.start()
    try:
        JointDescents(models, Fold(rows, rows)).advance(1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / 8 < 4.5 * len(models) * X.shape[1]
