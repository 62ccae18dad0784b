"""The laws of the table of penalties, and a custom penalty."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skgd import GDRegressor
from skgd.penalties import L1, L2, PENALTIES, ElasticNet, NoPenalty, Penalty
from skgd.testing import check_penalty


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
WITH_L1 = [p for p in ENTRIES if p.elastic() is not None and p.elastic()[0] > 0.0]
weights = st.floats(-5.0, 5.0)
steps = st.floats(1e-3, 4.0)
every_penalty = pytest.mark.parametrize("penalty", ENTRIES, ids=repr)
reproducibly = settings(derandomize=True, deadline=None, max_examples=60)


@every_penalty
def test_a_penalty_keeps_its_laws(penalty):
    check_penalty(penalty)


@every_penalty
def test_a_prox_passes_on_nonfinite_numbers(penalty):
    assert math.isnan(penalty.prox(math.nan, 0.5))
    assert penalty.prox(math.inf, 0.5) == math.inf
    assert penalty.prox(-math.inf, 0.5) == -math.inf


@pytest.mark.parametrize("penalty", WITH_L1, ids=repr)
@reproducibly
@given(step=steps, share=st.floats(-1.0, 1.0))
def test_the_prox_is_zero_exactly_up_to_the_l1_threshold(penalty, step, share):
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


def test_a_custom_penalty_needs_no_registration(problem):
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


def test_a_custom_penalty_has_second_derivatives_by_differences(problem):
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
