"""Variance reduction: SAGA and SVRG, iterate by iterate, and their convergence."""

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.linear_model import Lasso, Ridge

from skgd import GDGaborRegressor, GDRegressor
from skgd.descent.descent import Descent
from skgd.descent.options import Options, Setup
from skgd.losses import SquaredError
from skgd.models import Linear
from skgd.objective.objective import Objective
from skgd.optimizers import SAGA, SVRG
from skgd.penalties import L1
from skgd.schedules import Constant

RATE, ALPHA = 0.03, 0.2


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0.0)


def twin(rule, X, y, weight, batch, epochs):
    """Return the iterates under an l1 penalty, in the order of the rows, the intercept last."""
    Z, s = np.column_stack([X, np.ones(len(y))]), weight / weight.mean()
    theta, n = np.zeros(Z.shape[1]), len(y)
    gradient_table, seen, path = np.zeros(n), np.zeros(n, dtype=bool), [theta]
    for _ in range(epochs):
        if rule == "svrg":
            gradient_table, seen = s * (Z @ theta - y), np.ones(n, dtype=bool)
        for start in range(0, n, batch):
            rows = np.arange(start, min(start + batch, n))
            fresh = s[rows] * (Z[rows] @ theta - y[rows])
            seen[rows] = True
            g = (fresh - gradient_table[rows]) @ Z[rows] / len(
                rows
            ) + gradient_table @ Z / seen.sum()
            if rule == "saga":
                gradient_table[rows] = fresh
            theta = theta - RATE * g
            theta[:-1] = soft(theta[:-1], RATE * ALPHA)
            path.append(theta)
    return np.array(path)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("rule", ["saga", "svrg"])
def test_every_iterate_equals_that_of_the_formula(rule, batch, form):
    X, y = make_regression()
    weight = np.random.default_rng(0).uniform(0.2, 2.0, len(y))
    model = GDRegressor(
        penalty="l1",
        alpha=ALPHA,
        optimizer=rule,
        learning_rate=RATE,
        batch_size=batch,
        sampling="cyclic",
        max_iter=4,
        tol=None,
        record_path=True,
    ).fit(form(X), y, weight)
    np.testing.assert_allclose(model.path_, twin(rule, X, y, weight, batch, 4), atol=1e-12)


@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
@pytest.mark.parametrize("rule", ["saga", "svrg"])
def test_at_a_constant_rate_the_minimum_is_reached_and_by_plain_descent_not(rule, sampling):
    X, y = make_regression(n=60, p=5)
    options = {"batch_size": 4, "sampling": sampling, "max_iter": 300, "tol": None}
    lasso = Lasso(alpha=0.3, tol=1e-12).fit(X, y)
    model, plain = (
        GDRegressor(penalty="l1", alpha=0.3, optimizer=name, random_state=0, **options).fit(X, y)
        for name in (rule, "gd")
    )
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-7)
    np.testing.assert_array_equal(model.coef_ == 0.0, lasso.coef_ == 0.0)
    assert model.dual_gap_ < 1e-9 * y.var() < plain.dual_gap_


@pytest.mark.parametrize("rule", ["saga", "svrg"])
def test_centred_rows_lead_to_the_same_minimum(rule):
    X, y = make_regression(n=60, p=5)
    model = GDRegressor(
        alpha=0.1, optimizer=rule, batch_size=4, center=True, max_iter=300, tol=None
    ).fit(X + 3.0, y)
    ridge = Ridge(alpha=60 * 0.1).fit(X + 3.0, y)
    np.testing.assert_allclose(model.coef_, ridge.coef_, atol=1e-7)
    np.testing.assert_allclose(model.intercept_, ridge.intercept_, atol=1e-6)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("rule", [SAGA(), SVRG()], ids=repr)
def test_rows_centred_at_another_point_than_their_mean_are_rows_less_this_point(rule, form):
    X, y = make_regression()
    weight, centre = np.random.default_rng(0).uniform(0.2, 2.0, len(y)), np.linspace(-3.0, 4.0, 5)
    parts = {"loss": SquaredError(), "penalty": L1(), "alpha": ALPHA, "model": Linear(False)}
    seen = Objective.of_rows(form(X), y, weight / weight.mean(), centre=centre, **parts)
    moved = Objective.of_rows(form(X - centre), y, weight / weight.mean(), **parts)
    paths = []
    for objective in (seen, moved):
        setup, options = Setup(7, "cyclic"), Options(0.003, tol=None, record_path=1)
        descent = Descent(objective, rule, Constant(), np.ones(5), setup, options)
        descent.minimize(4)
        paths.append(descent.record.path)
    np.testing.assert_allclose(*paths, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", ["saga", "svrg"])
def test_calls_of_one_epoch_each_equal_one_fit(rule):
    X, y = make_regression(n=60, p=5)
    options = {"optimizer": rule, "batch_size": 4, "tol": None, "random_state": 0}
    whole, parts = GDRegressor(max_iter=3, **options).fit(X, y), GDRegressor(**options)
    for _ in range(3):
        parts.partial_fit(X, y)
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-12)


def test_gradients_of_other_rows_are_not_reused():
    X, y = make_regression(n=60, p=5)
    model = GDRegressor(optimizer="saga", batch_size=4, random_state=0, warm_start=True)
    model.set_params(max_iter=300, tol=None).fit(X, y).fit(X[::-1] + 1.0, 2.0 * y)
    ridge = Ridge(alpha=60e-4).fit(X[::-1] + 1.0, 2.0 * y)
    np.testing.assert_allclose(model.coef_, ridge.coef_, atol=1e-6)


def test_on_the_full_batch_there_is_no_variance_to_reduce():
    X, y = make_regression()
    paths = [
        GDRegressor(optimizer=name, max_iter=5, tol=None, record_path=True).fit(X, y).path_
        for name in ("saga", "gd")
    ]
    np.testing.assert_array_equal(*paths)


@pytest.mark.slow
def test_epoch_by_epoch_it_is_not_behind_scikit_learns():
    X, y = make_regression(n=2000, p=10)
    alpha = 0.01
    objective = GDRegressor(alpha=alpha).objective(X, y)
    best = Ridge(alpha=2000 * alpha, tol=1e-12).fit(X, y)
    lowest = objective.value(np.append(best.coef_, best.intercept_))
    for epochs in (5, 10, 15):
        peer = Ridge(alpha=2000 * alpha, solver="saga", max_iter=epochs, tol=0.0, random_state=0)
        with pytest.warns(UserWarning, match="max_iter"):
            peer.fit(X, y)
        model = GDRegressor(
            alpha=alpha, optimizer="saga", batch_size=1, max_iter=epochs, tol=None, random_state=0
        ).fit(X, y)
        theirs = objective.value(np.append(peer.coef_, peer.intercept_)) - lowest
        assert model.loss_curve_[-1] - lowest <= 2.0 * theirs + 1e-13


def test_a_model_that_is_not_linear_is_refused():
    x = np.linspace(-3.0, 3.0, 30)[:, None]
    with pytest.raises(ValueError, match="SAGA needs a linear model"):
        GDGaborRegressor(optimizer="saga", batch_size=5).fit(x, np.sin(x[:, 0]))
