"""The laws of the table of penalties, and a penalty of a user's own."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from skgd import GDRegressor
from skgd.penalties import L1, L2, PENALTIES, ElasticNet, NoPenalty, Penalty


class Lopsided(Penalty):
    """A penalty of a user's own: dearer above zero than below it, and smooth far out.

    ``Omega = rise max(w, 0) + max(-w, 0) + sqrt(1 + w^2) - 1``.
    """

    __slots__ = ()
    rise: float = 2.0

    def value(self, w):
        slant = self.rise * w if w > 0.0 else -w
        return slant + math.sqrt(1.0 + w * w) - 1.0

    def gradient(self, w):
        return w / math.sqrt(1.0 + w * w)

    def prox(self, w, step):
        if w > self.rise * step:
            return w - self.rise * step
        return w + step if w < -step else 0.0 * w

    def curvature(self):
        return 1.0


ENTRIES = [*(cls() for cls in PENALTIES.values()), ElasticNet(0.0), ElasticNet(1.0), Lopsided()]
ELASTIC = [penalty for penalty in ENTRIES if penalty.elastic()]
WITH_L1 = [penalty for penalty in ELASTIC if penalty.elastic()[0] > 0.0]
weights = st.floats(-5.0, 5.0)
steps = st.floats(1e-3, 4.0)
every_penalty = pytest.mark.parametrize("penalty", ENTRIES, ids=repr)
reproducibly = settings(derandomize=True, deadline=None, max_examples=60)


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0.0)


def what_a_prox_minimises(penalty, w, step):
    """Return the function of z, its smooth part taken off by integrating the gradient."""

    def function(z):
        rest = penalty.value(z) - quad(penalty.gradient, 0.0, z)[0]
        return step * rest + 0.5 * (z - w) ** 2

    return function


def least_on_a_refined_grid(function, reach):
    """Return the least value on ``[-reach, reach]`` that a search without slopes finds."""
    grid = np.linspace(-reach, reach, 41)
    for _ in range(7):
        values = [function(z) for z in grid]
        best, width = grid[np.argmin(values)], grid[1] - grid[0]
        grid = np.linspace(best - width, best + width, 21)
    return min(values)


@every_penalty
@reproducibly
@given(w=weights, step=steps)
def test_no_point_is_better_than_the_prox(penalty, w, step):
    function = what_a_prox_minimises(penalty, w, step)
    found = function(penalty.prox(w, step))
    best = min(function(0.0), function(w), least_on_a_refined_grid(function, abs(w) + 1.0))
    assert found <= best + 1e-13 * (1.0 + w * w)


@every_penalty
@reproducibly
@given(w=weights, step=steps)
def test_gradient_and_prox_share_out_the_slope_of_the_value(penalty, w, step):
    z, h = penalty.prox(w, step), 1e-5
    assume(abs(z) > 1e-3)
    slope = (penalty.value(z + h) - penalty.value(z - h)) / (2.0 * h)
    np.testing.assert_allclose(penalty.gradient(z) + (w - z) / step, slope, atol=1e-8)


@every_penalty
@reproducibly
@given(u=weights, v=weights)
def test_curvature_bounds_the_change_of_the_gradient(penalty, u, v):
    change = abs(penalty.gradient(u) - penalty.gradient(v))
    assert change <= penalty.curvature() * abs(u - v) + 1e-14


@every_penalty
def test_the_value_is_never_negative_and_nothing_at_zero(penalty):
    assert penalty.value(0.0) == 0.0
    assert all(penalty.value(w) >= 0.0 for w in np.linspace(-5.0, 5.0, 41))


@every_penalty
def test_a_prox_hands_on_what_is_not_finite(penalty):
    assert math.isnan(penalty.prox(math.nan, 0.5))
    assert penalty.prox(math.inf, 0.5) == math.inf
    assert penalty.prox(-math.inf, 0.5) == -math.inf


@pytest.mark.parametrize("penalty", ELASTIC, ids=repr)
@reproducibly
@given(w=weights, step=steps)
def test_elastic_tells_the_whole_penalty(penalty, w, step):
    a, b = penalty.elastic()
    np.testing.assert_allclose(penalty.value(w), a * abs(w) + b * w * w / 2.0, rtol=1e-14)
    np.testing.assert_allclose(penalty.gradient(w), b * w, rtol=1e-14)
    np.testing.assert_allclose(penalty.prox(w, step), soft(w, step * a), atol=1e-14)
    assert penalty.curvature() == b


@pytest.mark.parametrize("penalty", WITH_L1, ids=repr)
@reproducibly
@given(step=steps, share=st.floats(-1.0, 1.0))
def test_the_prox_is_exactly_zero_where_l1_outweighs_and_nowhere_else(penalty, step, share):
    threshold = step * penalty.elastic()[0]
    beyond = np.nextafter(threshold, math.inf)
    assert penalty.prox(share * threshold, step) == 0.0
    assert penalty.prox(threshold, step) == penalty.prox(-threshold, step) == 0.0
    assert penalty.prox(beyond, step) > 0.0 > penalty.prox(-beyond, step)


@reproducibly
@given(w=weights, step=steps)
def test_the_elastic_net_ends_in_ridge_and_lasso(w, step):
    for mixture, pure in [(ElasticNet(0.0), L2()), (ElasticNet(1.0), L1())]:
        assert mixture.value(w) == pure.value(w)
        assert mixture.gradient(w) == pure.gradient(w)
        assert mixture.prox(w, step) == pure.prox(w, step)
        assert mixture.elastic() == pure.elastic()


def test_no_penalty_leaves_a_weight_alone():
    penalty = NoPenalty()
    assert penalty.value(3.0) == penalty.gradient(3.0) == 0.0
    assert penalty.prox(3.0, 2.0) == 3.0


def lopsided_descent(X, y, rate, alpha, steps):
    """Return path and objectives of a proximal descent under `Lopsided`, in numpy."""
    theta, path, curve = np.zeros(X.shape[1] + 1), [], []
    for _ in range(steps + 1):
        w, residual = theta[:-1], X @ theta[:-1] + theta[-1] - y
        slant = np.where(w > 0.0, 2.0 * w, -w).sum()
        omega = slant + (np.sqrt(1.0 + w**2) - 1.0).sum()
        path.append(theta)
        curve.append(np.mean(residual**2) / 2.0 + alpha * omega)
        slope = X.T @ residual / len(y) + alpha * w / np.sqrt(1.0 + w**2)
        w = w - rate * slope
        w = np.maximum(w - 2.0 * rate * alpha, 0.0) + np.minimum(w + rate * alpha, 0.0)
        theta = np.append(w, theta[-1] - rate * residual.mean())
    return np.array(path), np.array(curve)


def test_a_penalty_of_ones_own_needs_no_registration(problem):
    path, curve = lopsided_descent(*problem, rate=0.1, alpha=0.2, steps=60)
    model = GDRegressor(
        penalty=Lopsided(),
        alpha=0.2,
        optimizer="gd",
        learning_rate=0.1,
        max_iter=60,
        tol=None,
        record_path=True,
    ).fit(*problem)
    assert 0 < np.count_nonzero(path[-1][:-1] == 0.0) < 5
    np.testing.assert_allclose(model.path_, path, atol=1e-12)
    np.testing.assert_array_equal(model.path_ == 0.0, path == 0.0)
    np.testing.assert_allclose(model.loss_curve_, curve, rtol=1e-12)


def test_a_penalty_of_ones_own_has_second_derivatives_by_differences(problem):
    shares, theta, h = np.array([0.0, 1.0, 2.0, 0.5, 1.0]), np.linspace(-1.0, 2.0, 6), 1e-6
    model = GDRegressor(penalty=Lopsided(), alpha=0.7, penalty_weights=shares)
    objective = model.objective(*problem)
    H = [
        objective.value_and_gradient(theta + step)[1]
        - objective.value_and_gradient(theta - step)[1]
        for step in h * np.eye(6)
    ]
    np.testing.assert_allclose(objective.hessian(theta), np.array(H) / (2.0 * h), atol=1e-7)
    w = theta[:5]
    bends = 0.7 * shares * (1.0 + w**2) ** -1.5
    np.testing.assert_allclose(objective.penalty_curvature(theta), bends, rtol=1e-6)


def test_a_wrong_share_of_l1_is_refused():
    for share in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"'l1_ratio' parameter of ElasticNet"):
            ElasticNet(share)
