"""Small problems: products of the columns lead to what other ways lead to, or to nothing."""

import pickle

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Ridge

from skgd import GDRegressor
from skgd.solvers.small import SmallSolver

PENALTIES = [("l1", 1.0, 0.05), ("l2", 0.0, 0.05), ("elasticnet", 0.5, 0.1)]
SHAPES = [(30, 3), (200, 40), (40, 60)]


def make_rows(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.uniform(-2.0, 2.0, p)
    return X, X[:, 0] - 2.0 * X[:, -1] + rng.standard_normal(n) + 3.0


@pytest.fixture
def small_runs(monkeypatch):
    """Return the runs of the solver, which are counted."""
    runs, minimize = [], SmallSolver.minimize

    def counted(run, n_epochs, monitor=None):
        runs.append(run)
        return minimize(run, n_epochs, monitor)

    monkeypatch.setattr(SmallSolver, "minimize", counted)
    return runs


def gap_of(model, X, y, weight, share):
    """Return the duality gap by the formula of the elastic net, written anew."""
    alpha, weight = model.alpha, weight / weight.sum()
    a, b, w = alpha * share, alpha * (1.0 - share), model.coef_
    r = y - X @ w - model.intercept_
    value = 0.5 * weight @ r**2 + a * np.abs(w).sum() + 0.5 * b * w @ w
    level = weight @ y if model.fit_intercept else 0.0
    slopes = X.T @ (weight * r)
    if model.positive:
        slopes = np.maximum(slopes, 0.0)
    c = 1.0 if b else min(1.0, a / np.abs(slopes).max())
    excess = np.maximum(c * np.abs(slopes) - a, 0.0)
    bound = c * weight @ (r * (y - level)) - 0.5 * c**2 * weight @ r**2
    return value - bound + (0.5 * excess @ excess / b if b else 0.0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("penalty", "share", "alpha"), PENALTIES)
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"positive": True}], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_small_fit_ends_at_a_certified_minimum(
    small_runs, shape, penalty, share, alpha, options, weighted
):
    X, y = make_rows(*shape)
    weight = np.random.default_rng(1).uniform(0.0, 2.0, len(y)) if weighted else np.ones(len(y))
    model = GDRegressor(penalty=penalty, l1_ratio=share or 0.5, alpha=alpha, **options)
    model.fit(X, y, weight if weighted else None)
    assert len(small_runs) == 1
    assert small_runs[0].outcome.settled
    assert model.converged_
    level = np.average(y, weights=weight) if model.fit_intercept else 0.0
    unit = 0.5 * np.average((y - level) ** 2, weights=weight)
    assert gap_of(model, X, y, weight, share) <= 1.01e-2 * model.tol * unit
    found = model.objective(X, y, weight).value(model.parameters())
    assert model.loss_curve_[-1] == pytest.approx(found, rel=1e-9)
    assert model.history_["n_zeros"].tolist() == [shape[1], np.count_nonzero(model.coef_ == 0.0)]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("penalty", "share", "alpha"), PENALTIES)
def test_a_small_fit_has_the_coefficients_of_scikit_learn(penalty, share, alpha, order):
    X, y = make_rows(200, 40)
    model = GDRegressor(penalty=penalty, l1_ratio=share or 0.5, alpha=alpha, tol=1e-8)
    model.fit(np.asarray(X, order=order), y)
    peer = ElasticNet(alpha, l1_ratio=share, tol=1e-14, max_iter=10**5)
    peer = peer if share else Ridge(alpha * len(y), solver="cholesky")
    peer.fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-6)
    np.testing.assert_array_equal(model.coef_ == 0.0, peer.coef_ == 0.0)
    assert model.intercept_ == pytest.approx(peer.intercept_, abs=1e-6)


def with_a_constant_column(X):
    X[:, 1] = 7.0


def far_from_zero(X):
    X += 1e6


def with_equal_columns(X):
    X[:, 1] = X[:, 2]


@pytest.mark.parametrize("change", [with_a_constant_column, far_from_zero])
@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_what_products_do_not_resolve_is_left_to_the_rows(small_runs, change, penalty):
    X, y = make_rows(50, 4)
    change(X)
    model = GDRegressor(penalty=penalty, alpha=0.01).fit(X, y)
    assert not small_runs[0].outcome.settled
    assert model.converged_
    other = GDRegressor(penalty=penalty, alpha=0.01).fit(X - X.mean(axis=0), y)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-5)


@pytest.mark.parametrize(("penalty", "share", "alpha"), PENALTIES)
def test_equal_columns_have_a_certified_minimum(penalty, share, alpha):
    X, y = make_rows(50, 4)
    with_equal_columns(X)
    model = GDRegressor(penalty=penalty, l1_ratio=share or 0.5, alpha=alpha).fit(X, y)
    assert model.converged_
    assert gap_of(model, X, y, np.ones(50), share) <= 1e-6 * y.var()


def test_a_fit_from_which_more_is_asked_does_not_come_by(small_runs):
    X, y = make_rows(50, 4)
    for options in (
        {"optimizer": "gd"},
        {"batch_size": 10},
        {"record_path": True},
        {"loss": "huber"},
        {"early_stopping": True},
        {"tol": None, "max_iter": 50},
    ):
        GDRegressor(**options, random_state=0).fit(X, y)
    GDRegressor().partial_fit(X, y)
    assert not small_runs


def test_an_estimator_that_comes_from_a_pickle_is_fitted_in_the_same_way(small_runs):
    X, y = make_rows(50, 4)
    model = GDRegressor(penalty="l1", alpha=0.1)
    stored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(stored.fit(X, y).coef_, model.fit(X, y).coef_)
    assert len(small_runs) == 2


def test_a_start_that_is_the_minimum_ends_a_small_fit():
    X, y = make_rows(50, 4)
    model = GDRegressor(penalty="l1", alpha=100.0).fit(X, y)
    assert not model.coef_.any()
    assert (model.intercept_, model.n_iter_) == (pytest.approx(y.mean()), 1)
    assert model.loss_curve_.tolist() == [model.loss_curve_[0]] * 2
