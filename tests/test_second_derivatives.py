"""Descents of squared errors on the full batch, which go by the second derivative."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skgd import GDRegressor
from skgd.descent import loop_variant
from skgd.kernels.blocks import PythonCall
from skgd.kernels.quadratic import FRESH, new_reference, quadratic_sums

EPOCHS = 300  # more than a point serves
RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 6)) * [1.0, 2.0, 0.5, 1.0, 3.0, 1.0] + [0.0, 1.0, 0.0, -2.0, 0.0, 5.0]
NOISY = X @ [1.0, -2.0, 3.0, 0.0, 0.5, 0.0] + 4.0 + RNG.standard_normal(60)
EXACT = X @ [1.0, -2.0, 3.0, 0.0, 0.5, 0.0]
WEIGHT = RNG.uniform(0.2, 3.0, 60)


@pytest.fixture(autouse=True)
def small_data_pays(monkeypatch):
    """Let second derivatives of small data be used as early as those of large data."""
    monkeypatch.setattr(loop_variant, "READ", 0)


def mean_loss(theta, y, weight, intercept):
    """Return the mean loss by rows, and its gradient."""
    A = np.column_stack([X, np.ones(len(y))]) if intercept else X
    residual = A @ theta - y
    s = weight / weight.sum()
    return 0.5 * s @ residual**2, A.T @ (s * residual)


def by_rows(y, weight, intercept, rate, beta, alpha):
    """Return where gradient descent with momentum leads under the l1 penalty, and its curve."""
    theta, v = np.zeros(6 + intercept), np.zeros(6 + intercept)
    strengths, curve = np.where(np.arange(6 + intercept) < 6, alpha, 0.0), []
    for _ in range(EPOCHS + 1):
        loss, g = mean_loss(theta, y, weight, intercept)
        curve.append(loss + strengths @ np.abs(theta))
        kept = theta
        v = beta * v + g
        z = theta - rate * v
        theta = np.sign(z) * np.maximum(np.abs(z) - rate * strengths, 0.0)
    return kept, np.array(curve)


@pytest.mark.parametrize("y", [NOISY, EXACT], ids=["noisy", "exact"])
@pytest.mark.parametrize("weight", [np.ones(60), WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("beta", "alpha"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.1)])
def test_a_long_descent_is_that_of_its_gradients(y, weight, intercept, beta, alpha):
    options = {"optimizer": "momentum", "optimizer__beta": beta} if beta else {"optimizer": "gd"}
    fit = GDRegressor(
        penalty="l1", alpha=alpha, fit_intercept=intercept, center=False, learning_rate=0.02,
        tol=None, max_iter=EPOCHS, schedule="constant",
    ).set_params(**options)  # fmt: skip
    fit.fit(X, y, weight)
    theta, curve = by_rows(y, weight, intercept, 0.02, beta, alpha)
    assert_allclose(np.append(fit.coef_, fit.intercept_)[: 6 + intercept], theta, atol=1e-12)
    assert_allclose(fit.loss_curve_, curve, rtol=1e-9, atol=1e-28)


def test_a_monitored_descent_goes_the_same_way():
    options = {"optimizer": "nesterov", "tol": None, "max_iter": EPOCHS, "center": False}
    plain = GDRegressor(**options).fit(X, NOISY)
    seen = GDRegressor(**options).fit(X, NOISY, X_val=X, y_val=NOISY)
    np.testing.assert_array_equal(seen.loss_curve_, plain.loss_curve_)


@pytest.mark.parametrize("rule", ["gd", "nesterov", "adam"])
@pytest.mark.parametrize("options", [{}, {"penalty": "l1", "alpha": 0.1}], ids=str)
def test_targets_go_on_as_each_alone(rule, options):
    Y = np.column_stack([NOISY, -2.0 * NOISY, EXACT + RNG.standard_normal(60)])
    fit = GDRegressor(optimizer=rule, tol=1e-9, max_iter=3000, **options)
    alone = [GDRegressor(**fit.get_params(deep=False)).fit(X, y) for y in Y.T]
    fit.fit(X, Y)
    assert_allclose(fit.coef_, [one.coef_ for one in alone], rtol=1e-10, atol=1e-12)
    assert fit.n_iter_.tolist() == [one.n_iter_ for one in alone]
    assert fit.stop_reason_ == [one.stop_reason_ for one in alone]


def test_rows_tell_of_another_point_after_a_while_and_where_digits_would_be_lost():
    H, minimum = X.T @ X / 60, np.ones(6)
    theta, g, reference, told = np.zeros(6), np.zeros(6), new_reference(6), np.zeros(1)
    asked = []

    def read_rows():
        asked.append(theta.copy())
        reference.slope[:] += H @ (theta - minimum)
        told[0] = 0.5 * (theta - minimum) @ H @ (theta - minimum)

    rows = PythonCall(read_rows), told
    add_up, found = quadratic_sums(H, reference, theta, theta, g, rows)
    for k in range(FRESH + 2):
        theta[:] = 1e-3 * k
        add_up()
    assert len(asked) == 2
    theta[:] = 1.0 - 1e-6
    add_up()
    assert len(asked) == 3
    assert_allclose(found[0], 0.5e-12 * H.sum(), rtol=1e-9)
