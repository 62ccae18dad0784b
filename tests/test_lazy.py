"""Lazy updates for sparse rows: the same descent, at the cost of the nonzero entries."""

from types import FunctionType

import numpy as np
import pytest
from scipy import sparse

from skgd import GDRegressor
from skgd.descent import lazy
from skgd.descent.loop_variant import loop_variant
from skgd.kernels.problem import NO_STATE, LazyState, Parts, Problem, RowData
from skgd.kernels.rows import CsrRows
from skgd.optimizers import GD
from skgd.penalties import ElasticNet

STRENGTHS = [(0.0, 0.0), (0.05, 0.0), (0.05, 1.0), (0.05, 0.5)]


def make_sparse(n=30, p=12, density=0.2, seed=0):
    """Return sparse X with an empty row and an empty column, y, and weights with a zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < density)
    X[4], X[:, 7] = 0.0, 0.0
    weight = rng.uniform(0.2, 3.0, n)
    weight[5] = 0.0
    y = X @ rng.standard_normal(p) + 0.5 + 0.1 * rng.standard_normal(n)
    return sparse.csr_array(X), y, weight


def fit_both(X, y, weight=None, **options):
    """Return the fits of sparse rows, which are lazy, and of the same rows made dense."""
    options = {"optimizer": "gd", "penalty": "elasticnet", "batch_size": 1} | options
    model = GDRegressor(tol=None, random_state=0, **options)
    parameters = []
    for rows in (X, X.toarray()):
        model.fit(rows, y, weight)
        parameters.append((model.coef_, model.intercept_, model.loss_curve_))
    return parameters


def assert_same(one, other, rtol=1e-9):
    for mine, theirs in zip(one, other):
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=1e-12)
    np.testing.assert_array_equal(one[0] == 0.0, other[0] == 0.0)


def variant_of(batch, recorded=False):
    """Return which batches the loop serves for sparse rows, plain descent and an elastic net."""
    objective = GDRegressor(penalty="elasticnet", alpha=0.05).objective(*make_sparse())
    wanted = {"averages": False, "clips": False, "in_units": False}
    return loop_variant(objective, GD(), batch, wanted, np.array([0.1]), recorded).batch


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize(("alpha", "l1_ratio"), STRENGTHS)
def test_the_lazy_form_is_the_plain_form(alpha, l1_ratio, batch_size, fit_intercept):
    X, y, weight = make_sparse()
    lazy_fit, plain_fit = fit_both(
        X,
        y,
        weight,
        alpha=alpha,
        l1_ratio=l1_ratio,
        batch_size=batch_size,
        fit_intercept=fit_intercept,
        learning_rate=0.1,
        max_iter=40,
    )
    assert_same(lazy_fit, plain_fit)


@pytest.mark.parametrize("sampling", ["cyclic", "replacement"])
@pytest.mark.parametrize("schedule", ["inverse_time", "step"])
def test_the_lazy_form_follows_schedules_and_samplings(schedule, sampling):
    X, y, weight = make_sparse()
    both = fit_both(X, y, weight, alpha=0.1, schedule=schedule, sampling=sampling, max_iter=20)
    assert_same(*both)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.02, 0.1])
def test_the_lazy_form_survives_resets_of_its_scale_and_threshold(l1_ratio):
    X, y, weight = make_sparse()
    rate, alpha = 0.1, 4.8
    shrinkage = 1.0 - rate * alpha * (1.0 - l1_ratio)
    assert shrinkage**30 < lazy.MIN_SCALE  # within an epoch
    options = {"alpha": alpha, "l1_ratio": l1_ratio, "learning_rate": rate, "max_iter": 30}
    both = fit_both(X, y, weight, init=np.full(13, 5.0), **options)
    assert_same(*both)
    assert np.ptp(both[0][2][-5:]) > 0.0  # weights still move


def test_the_lazy_form_survives_an_epoch_that_shrinks_by_more_than_a_float_can_hold():
    X, y, weight = make_sparse(n=1300, density=0.1)
    options = {"alpha": 4.8, "l1_ratio": 0.001, "learning_rate": 0.1, "max_iter": 2}
    assert (1.0 - 0.1 * 4.8 * 0.999) ** 1300 == 0.0
    both = fit_both(X, y, weight, init=np.full(13, 5.0), **options)
    assert_same(*both)
    assert np.ptp(both[0][2][-5:]) > 0.0  # weights still move


@pytest.mark.parametrize("shrinkage", [0.6, 1.0, 1.5])
def test_a_penalty_too_strong_for_lazy_updates_is_applied_at_once(shrinkage):
    X, y, weight = make_sparse()
    options = {"alpha": 25.0 * shrinkage, "l1_ratio": 0.2, "learning_rate": 0.05, "max_iter": 20}
    assert options["learning_rate"] * options["alpha"] * 0.8 == pytest.approx(shrinkage)
    assert_same(*fit_both(X, y, weight, init=np.full(13, 5.0), **options))


@pytest.mark.parametrize(
    "asked",
    [
        {"penalty_weights": np.linspace(0.0, 2.0, 12)},
        {"positive": True},
        {"clip_norm": 0.3},
        {"clip_value": 0.1},
        {"average": 5},
        {"center": True},
    ],
    ids=lambda asked: next(iter(asked.items()))[0],
)
def test_under_all_options_sparse_rows_descend_like_dense_ones(asked):
    X, y, weight = make_sparse()
    options = {"alpha": 0.1, "l1_ratio": 0.5, "learning_rate": 0.01, "batch_size": 5}
    both = fit_both(X, y, weight, max_iter=10, **(options | asked))
    assert_same(*both)
    plain = fit_both(X, y, weight, max_iter=10, **options)[0]
    assert np.abs(both[0][0] - plain[0]).max() > 1e-4


def test_weights_that_are_cut_to_zero_are_zero_exactly():
    X, y, weight = make_sparse()
    both = fit_both(X, y, weight, alpha=0.3, l1_ratio=1.0, learning_rate=0.05, max_iter=40)
    assert_same(*both)
    assert 0 < np.count_nonzero(both[0][0]) < np.count_nonzero(X.toarray().any(axis=0))


def test_a_column_without_entries_keeps_its_start_or_shrinks_by_the_penalty_alone():
    X, y, _ = make_sparse()
    start, rate, alpha = np.ones(13), 0.01, 0.5
    model = GDRegressor(
        optimizer="gd",
        penalty="elasticnet",
        alpha=alpha,
        l1_ratio=0.4,
        batch_size=1,
        learning_rate=rate,
        init=start,
        max_iter=2,
        tol=None,
        random_state=0,
    ).fit(X, y)
    w = 1.0
    for _ in range(2 * 30):
        w = max(w - rate * alpha * 0.6 * w - rate * alpha * 0.4, 0.0)
    np.testing.assert_allclose(model.coef_[7], w, rtol=1e-12)


def test_only_plain_descent_on_sparse_rows_is_lazy():
    assert variant_of(1) == "lazy"
    assert variant_of(5) == "lazy"
    assert variant_of(None) == "full"
    assert variant_of(1, recorded=True) == "batch"


class Counted:
    """Numbers that count how often one of them is read or written."""

    def __init__(self, values):
        self.values, self.size, self.touched = values, len(values), 0

    def __getitem__(self, j):
        self.touched += 1
        return self.values[j]

    def __setitem__(self, j, value):
        self.touched += 1
        self.values[j] = value


def plain(function):
    """Return a verb of the lazy form as ordinary Python, with what it calls."""
    names = {
        "apply_pending": lazy.apply_pending,
        "elastic": ElasticNet.elastic,
        "axpy": CsrRows.axpy,
    }
    return FunctionType(function.__code__, function.__globals__ | names)


@pytest.mark.parametrize("p", [10, 1000])
@pytest.mark.parametrize("entries", [0, 1, 7])
def test_an_update_touches_the_weights_of_its_row_and_the_intercept_only(p, entries):
    rng = np.random.default_rng(0)
    indices = rng.permutation(p)[:entries]
    rows = CsrRows(rng.standard_normal(entries), indices[:, None], np.array([0, entries]))
    penalty_strength = np.append(np.full(p, 0.1), 0.0)
    penalized, none = np.arange(p + 1) < p, np.zeros(0, dtype=int)
    data = RowData(rows, np.ones(1), np.ones(1), 1, np.zeros(0), p)
    problem = Problem(1, penalty_strength, penalized, none)
    parts = Parts((), (), (), ElasticNet(0.5))
    theta, order = Counted(rng.standard_normal(p + 1)), np.zeros(1, dtype=int)
    before = theta.values.copy()
    lazy_state = LazyState(np.array([0.9, 0.3]), Counted(np.zeros(p)), np.array([2.0]))
    state = NO_STATE._replace(theta=theta, g=np.ones(p + 1), order=order, lazy_state=lazy_state)
    plain(lazy.refresh_rows)(rows, state, 0, 1)
    plain(lazy.lazy_step)(parts, problem, data, state, 0, 1, 0.1)
    assert theta.touched == 4 * entries + 2
    assert lazy_state.applied.touched == 2 * entries
    moved = np.flatnonzero(theta.values != before)
    np.testing.assert_array_equal(moved, np.append(np.sort(indices), p))
