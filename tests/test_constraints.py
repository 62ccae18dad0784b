"""Constraints of a descent: signs, penalty weights per feature, and clipped gradients."""

import numpy as np
import pytest
from conftest import make_regression
from scipy import optimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LinearRegression, Ridge

from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor
from skgd.reference import lbfgs

X, Y = make_regression(n=60, p=6)
TIGHT = {"tol": 1e-10, "max_iter": 20_000}


# Signs


@pytest.mark.parametrize(
    ("options", "peer"),
    [
        ({"penalty": None}, LinearRegression(positive=True)),
        ({"penalty": "l1", "alpha": 0.2}, Lasso(alpha=0.2, positive=True, tol=1e-12)),
        ({"penalty": "l2", "alpha": 0.2}, Ridge(alpha=12.0, positive=True, tol=1e-12)),
    ],
    ids=["none", "l1", "l2"],
)
@pytest.mark.parametrize("center", [True, False])
def test_positive_weights_are_those_of_scikit_learn(options, peer, center):
    model = GDRegressor(positive=True, center=center, **options, **TIGHT).fit(X, Y)
    peer.fit(X, Y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, atol=1e-6)
    np.testing.assert_array_equal(model.coef_ == 0.0, peer.coef_ < 1e-12)
    assert (model.coef_ == 0.0).any()
    found = lbfgs(model.objective(X, Y)).theta
    np.testing.assert_allclose(found, np.append(peer.coef_, peer.intercept_), atol=1e-6)


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 7, "optimizer": "adam"}])
def test_no_iterate_leaves_the_positive_side(options):
    model = GDRegressor(positive=True, record_path=True, max_iter=5, tol=None, **options)
    path = model.set_params(random_state=0).fit(X, Y).path_
    assert (path[:, :-1] >= 0.0).all()
    assert (path[:, :-1] > 0.0).any()


def test_the_gap_of_a_positive_fit_vanishes():
    model = GDRegressor(positive=True, penalty="l1", alpha=0.2, **TIGHT).fit(X, Y)
    assert 0.0 <= model.dual_gap_ < 1e-9


# Penalties of unequal strength

SHARES = np.array([0.0, 1.0, 2.0, 0.5, 1.0, 4.0])


def test_ridge_with_penalty_weights_is_the_closed_form():
    model = GDRegressor(alpha=0.3, penalty_weights=SHARES, fit_intercept=False, **TIGHT)
    H = X.T @ X / 60 + 0.3 * np.diag(SHARES)
    np.testing.assert_allclose(model.fit(X, Y).coef_, np.linalg.solve(H, X.T @ Y / 60), rtol=1e-8)


def test_lasso_with_penalty_weights_is_lasso_on_columns_divided_by_them():
    penalty_factor = np.where(SHARES == 0.0, 3.0, SHARES)
    model = GDRegressor(penalty="l1", alpha=0.1, penalty_weights=penalty_factor, **TIGHT).fit(X, Y)
    lasso = Lasso(alpha=0.1, tol=1e-12).fit(X / penalty_factor, Y)
    np.testing.assert_allclose(model.coef_, lasso.coef_ / penalty_factor, atol=1e-7)
    np.testing.assert_array_equal(model.coef_ == 0.0, lasso.coef_ == 0.0)
    assert 0.0 <= model.dual_gap_ < 1e-8


def test_a_penalty_weight_of_zero_leaves_a_weight_unpenalised():
    model = GDRegressor(penalty="l1", alpha=1e3, penalty_weights=SHARES, **TIGHT).fit(X, Y)
    alone = LinearRegression().fit(X[:, :1], Y)
    np.testing.assert_allclose(model.coef_, np.append(alone.coef_, np.zeros(5)), atol=1e-7)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_penalty_weights_scale_the_penalty_of_each_single_row_step(penalty):
    options = {"penalty": penalty, "batch_size": 1, "max_iter": 4, "tol": None, "random_state": 0}
    doubled = GDRegressor(alpha=0.1, penalty_weights=np.full(6, 2.0), **options).fit(X, Y)
    plain = GDRegressor(alpha=0.2, learning_rate=doubled.learning_rate_, **options).fit(X, Y)
    np.testing.assert_allclose(doubled.coef_, plain.coef_, rtol=1e-12)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones(5), r"penalty_weights has shape \(5,\); expected \(6,\)"),
        (-np.ones(6), "penalty_weights must have no negative entry"),
        (np.ones((6, 1)), r"penalty_weights has shape \(6, 1\); expected \(6,\)"),
    ],
)
def test_penalty_weights_of_another_shape_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        GDRegressor(penalty_weights=bad).fit(X, Y)


def test_the_frequencies_of_a_wave_are_penalised_by_their_penalty_weights():
    rows, y = load_gabor(return_X_y=True)
    rows = np.column_stack([rows, np.random.default_rng(0).standard_normal(len(y))])
    model = GDGaborRegressor(
        penalty="l2", alpha=1e-3, penalty_weights=[0.0, 5.0], n_screen=300, random_state=0
    ).fit(rows, y)

    def objective(theta):
        z = theta[0] + 0.06 * rows @ theta[1:]
        loss = 0.5 * np.mean((np.sin(z) * np.exp(-z * z / 32.0) - y) ** 2)
        return loss + 1e-3 * 5.0 * theta[2] ** 2 / 2.0

    best = optimize.minimize(objective, model.theta_, tol=1e-12)
    np.testing.assert_allclose(model.theta_, best.x, atol=1e-4)
    assert objective(model.theta_) <= objective(best.x) * (1.0 + 1e-9)


# Gradients of limited size


def clipped(g, norm, value):
    """Return the gradient shortened, then cut."""
    length = np.linalg.norm(g)
    g = g * (norm / length) if length > norm else g
    return np.clip(g, -value, value)


@pytest.mark.parametrize(("norm", "value"), [(0.5, np.inf), (np.inf, 0.2), (0.5, 0.2)])
@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_a_clipped_descent_is_that_of_its_slow_twin(norm, value, beta):
    model = GDRegressor(
        optimizer="momentum", alpha=0.1, learning_rate=0.1, tol=None, max_iter=30,
        record_path=True, center=False, clip_norm=None if norm == np.inf else norm,
        clip_value=None if value == np.inf else value,
    ).set_params(optimizer__beta=beta)  # fmt: skip
    A, theta, v = np.column_stack([X, np.ones(60)]), np.zeros(7), np.zeros(7)
    path = [theta]
    for _ in range(30):
        g = A.T @ (A @ theta - Y) / 60 + 0.1 * np.append(theta[:6], 0.0)
        v = beta * v + clipped(g, norm, value)
        theta = theta - 0.1 * v
        path.append(theta)
    np.testing.assert_allclose(model.fit(X, Y).path_, path, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch_size", [None, 1, 7])
def test_limits_that_are_never_reached_change_nothing(batch_size):
    model = GDRegressor(batch_size=batch_size, max_iter=5, tol=None, center=False, random_state=0)
    plain = model.fit(X, Y).coef_
    wide = model.set_params(clip_norm=1e9, clip_value=1e9).fit(X, Y).coef_
    np.testing.assert_allclose(wide, plain, rtol=1e-12)


def test_clipping_stabilises_a_rate_that_diverges():
    model = GDRegressor(optimizer="gd", learning_rate=5.0, max_iter=200, tol=None, center=False)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(X, Y)
    model.set_params(clip_norm=0.1).fit(X, Y)
    assert np.isfinite(model.loss_curve_).all()
