"""The laws of the table of losses, and custom losses."""

import math

import numpy as np
import pytest
from conftest import make_regression
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import HuberRegressor, PoissonRegressor, QuantileRegressor
from sklearn.svm import LinearSVR

from skgd import GDRegressor
from skgd.losses import (
    LOSSES,
    EpsilonInsensitive,
    Huber,
    Loss,
    Quantile,
    SquaredEpsilonInsensitive,
)
from skgd.reference import lbfgs
from skgd.schedules import Adaptive
from skgd.testing import check_loss


class PseudoHuber(Loss):
    """A loss of a user's own: ``delta^2 (sqrt(1 + ((f - y) / delta)^2) - 1)``."""

    __slots__ = ()
    delta: float = 0.5
    curvature = 1.0

    def value(self, f, y):
        r = (f - y) / self.delta
        return self.delta * self.delta * (math.sqrt(1.0 + r * r) - 1.0)

    def slope(self, f, y):
        r = (f - y) / self.delta
        return (f - y) / math.sqrt(1.0 + r * r)


class Quartic(Loss):
    """A loss of a user's own whose curvature has no bound: ``(f - y)^4 / 4``."""

    __slots__ = ()

    def value(self, f, y):
        return 0.25 * (f - y) ** 4

    def slope(self, f, y):
        return (f - y) ** 3


ENTRIES = [*(cls() for cls in LOSSES.values()), PseudoHuber(), Quartic()]
BOUNDED = [loss for loss in ENTRIES if loss.curvature is not None]
numbers = st.floats(-5.0, 5.0)
every_loss = pytest.mark.parametrize("loss", ENTRIES, ids=repr)
reproducibly = settings(derandomize=True, deadline=None)


@every_loss
def test_a_loss_keeps_its_laws(loss):
    check_loss(loss)


@pytest.mark.parametrize("loss", BOUNDED, ids=repr)
def test_the_bound_of_the_curvature_is_reached(loss):
    f, h = np.linspace(-5.0, 5.0, 201), 1e-4
    changes = [(loss.slope(v + h, 0.0) - loss.slope(v - h, 0.0)) / (2.0 * h) for v in f]
    np.testing.assert_allclose(max(changes), loss.curvature, rtol=1e-6)


@every_loss
@reproducibly
@given(f=numbers, y=numbers)
def test_nothing_is_better_than_the_target_itself(loss, f, y):
    y = abs(y) + 0.01 if np.isfinite(loss.min_target) else y
    best = np.log(y) if loss.inverse_link(0.0) == 1.0 else y
    np.testing.assert_allclose(loss.inverse_link(best), y, rtol=1e-14)
    assert abs(loss.slope(best, y)) <= 1e-14 * (1.0 + abs(y))
    assert abs(loss.value(best, y)) <= 1e-14 * (1.0 + abs(y))
    assert loss.value(f, y) >= -1e-14


def skewed_problem():
    """Return a problem whose noise lies on one side, so that mean and minimum differ."""
    X, y = make_regression(n=40, p=3, seed=2, noise=0.0)
    return X, y + np.random.default_rng(3).standard_exponential(40)


def pseudo_huber_objective(X, y, weight, alpha):
    """Return the objective in numpy, for PseudoHuber(0.5) and an l2 penalty."""

    def function(theta):
        r = (X @ theta[:-1] + theta[-1] - y) / 0.5
        losses = 0.25 * (np.sqrt(1.0 + r**2) - 1.0)
        return np.average(losses, weights=weight) + alpha * theta[:-1] @ theta[:-1] / 2.0

    return function


@pytest.mark.parametrize("options", [{}, {"center": False}], ids=["automatic", "not centred"])
def test_a_custom_loss_is_minimised(options):
    X, y = skewed_problem()
    weight = np.random.default_rng(4).uniform(0.5, 2.0, len(y))
    function = pseudo_huber_objective(X, y, weight, alpha=0.1)
    best = minimize(function, np.zeros(4), method="BFGS", options={"gtol": 1e-8})
    model = GDRegressor(loss=PseudoHuber(), alpha=0.1, tol=1e-9, **options)
    model.fit(X, y, sample_weight=weight)
    theta = np.append(model.coef_, model.intercept_)
    np.testing.assert_allclose(function(theta), best.fun, rtol=1e-9)
    np.testing.assert_allclose(theta, best.x, atol=1e-5)
    np.testing.assert_allclose(model.loss_curve_[-1], best.fun, rtol=1e-9)


@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_loss_without_a_bound_descends_at_a_given_rate(batch_size):
    X, y = make_regression(n=24, p=3, seed=5)
    y, rate, theta = y / 4.0, 0.01, np.zeros(4)
    path = [theta]
    for _ in range(10):
        for rows in np.split(np.arange(24), 24 // (batch_size or 24)):
            r = X[rows] @ theta[:-1] + theta[-1] - y[rows]
            slope = np.append(X[rows].T @ r**3, (r**3).sum()) / len(rows)
            theta = theta - rate * slope
            path.append(theta)
    model = GDRegressor(
        loss=Quartic(),
        penalty=None,
        optimizer="gd",
        learning_rate=rate,
        batch_size=batch_size,
        sampling="cyclic",
        max_iter=10,
        tol=None,
        record_path=True,
    ).fit(X, y)
    np.testing.assert_allclose(model.path_, path, atol=1e-12)


def test_a_loss_without_a_bound_has_no_automatic_rate(problem):
    with pytest.raises(ValueError, match="learning_rate"):
        GDRegressor(loss=Quartic(), optimizer="gd").fit(*problem)


@pytest.mark.slow
def test_poisson_is_the_poisson_regression_of_scikit_learn():
    X, y = make_regression(n=80, p=3)
    counts = np.random.default_rng(0).poisson(np.exp(0.3 * y / y.std()))
    theirs = PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=10_000).fit(X, counts)
    ours = GDRegressor(loss="poisson", alpha=0.1, tol=1e-8, max_iter=100_000).fit(X, counts)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4)


PATIENT = {"schedule": Adaptive(wait=100), "tol": 1e-6, "max_iter": 100_000}


def excess(model, X, y, coef, intercept):
    """Return how far the answer is above another's, in units of the best constant's objective."""
    objective = model.objective(X, y)
    best = objective.value(np.append(coef, intercept)[: objective.d])
    return (objective.value(model.parameters()) - best) / objective.null_objective


@pytest.mark.slow
@pytest.mark.parametrize("quantile", [0.1, 0.2, 0.5, 0.9])
def test_a_falling_rate_leads_to_the_quantile_regression_of_scikit_learn(quantile):
    X, y = skewed_problem()
    theirs = QuantileRegressor(quantile=quantile, alpha=0.01).fit(X, y)
    model = GDRegressor(loss=Quantile(quantile), penalty="l1", alpha=0.01, **PATIENT).fit(X, y)
    assert -1e-9 <= excess(model, X, y, theirs.coef_, theirs.intercept_) <= model.tol


@pytest.mark.parametrize("loss", ["absolute_error", "quantile"])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_under_a_piecewise_linear_loss_the_unit_of_the_target_changes_nothing(loss, batch_size):
    X, y = skewed_problem()
    model = GDRegressor(loss=loss, penalty=None, batch_size=batch_size, random_state=0)
    model.set_params(max_iter=20, tol=None)
    plain = model.fit(X, y).parameters()
    other = model.fit(X, 2.0**10 * y).parameters()
    np.testing.assert_allclose(other, 2.0**10 * plain, rtol=1e-12)


def test_the_automatic_rate_of_poisson_uses_the_curvature_at_the_largest_count():
    X, _ = make_regression(n=40, p=3)
    y = np.random.default_rng(0).poisson(4.0, 40).astype(float)
    A = np.column_stack([X, np.ones(40)])
    bend = y.max()  # the second derivative exp(f) where f = log(y)
    largest = np.linalg.eigvalsh(A.T @ A / 40)[-1] * bend
    model = GDRegressor(loss="poisson", penalty=None, optimizer="gd", max_iter=1, tol=None)
    assert 0.99 / largest <= model.fit(X, y).learning_rate_ <= (1.0 + 1e-12) / largest


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["huber", "squared_epsilon_insensitive"])
def test_smooth_losses_converge_to_the_minimum_of_lbfgs(loss):
    X, y = skewed_problem()
    model = GDRegressor(loss=loss, alpha=0.1, tol=1e-9, max_iter=100_000).fit(X, y)
    found = lbfgs(model.objective(X, y))
    np.testing.assert_allclose(model.parameters(), found.theta, atol=1e-5)


@pytest.mark.slow
def test_the_absolute_error_is_twice_the_quantile_loss_at_a_half():
    X, y = skewed_problem()
    ours = GDRegressor(loss="absolute_error", penalty=None, **PATIENT).fit(X, y)
    half = QuantileRegressor(quantile=0.5, alpha=0.0).fit(X, y)
    assert -1e-9 <= excess(ours, X, y, half.coef_, half.intercept_) <= ours.tol
    value = ours.objective(X, y).value(ours.parameters())
    np.testing.assert_allclose(value, np.abs(y - ours.predict(X)).mean(), rtol=1e-12)


@pytest.mark.slow
def test_huber_is_the_huber_regression_of_scikit_learn_at_its_scale():
    X, y = skewed_problem()
    theirs = HuberRegressor(alpha=2.0, tol=1e-9, max_iter=1000).fit(X, y)
    distance, alpha = 1.35 * theirs.scale_, 2.0 * theirs.scale_ / len(y)
    ours = GDRegressor(loss=Huber(distance), alpha=alpha, tol=1e-8, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "theirs", "half"),
    [
        (EpsilonInsensitive(0.3), "epsilon_insensitive", 1.0),
        (SquaredEpsilonInsensitive(0.3), "squared_epsilon_insensitive", 2.0),
    ],
    ids=["absolute", "squared"],
)
def test_the_epsilon_insensitive_loss_is_support_vector_regression(loss, theirs, half):
    X, y = skewed_problem()
    C = 1.0 / (half * 0.05 * len(y))
    peer = LinearSVR(epsilon=0.3, loss=theirs, C=C, fit_intercept=False, tol=1e-10, dual=True)
    peer.set_params(max_iter=10_000_000, random_state=0).fit(X, y)
    options = PATIENT if loss.nonsmooth else {"tol": 1e-6}
    model = GDRegressor(loss=loss, alpha=0.05, fit_intercept=False, **options).fit(X, y)
    assert -1e-9 <= excess(model, X, y, peer.coef_, 0.0) <= model.tol


def test_counts_below_zero_are_refused(problem):
    X, y = problem
    with pytest.raises(ValueError, match="Some values of y are below 0, the lowest that the loss"):
        GDRegressor(loss="poisson").fit(X, y - y.max())
