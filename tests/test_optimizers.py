"""The laws of the table of optimizers, and their trajectories against independent sources."""

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import make_regression
from sklearn.linear_model import Lasso

from skgd import GDRegressor, optimizers
from skgd.optimizers import (
    GD,
    OPTIMIZERS,
    SAGA,
    SVRG,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    Normalized,
    Optimizer,
    RMSProp,
)
from skgd.optimizers.classical import Accelerated
from skgd.schedules import Adaptive
from skgd.testing import check_optimizer

# What every entry of the table runs as, on the full batch and on smaller ones: each rule once.
RESOLVED = (cls().resolved(full) for cls in OPTIMIZERS.values() for full in (True, False))
RULES = [
    *dict.fromkeys(RESOLVED),
    Nesterov(0.7),
    Momentum(0.6, averaged=True),
    Adam(bias_correction=False),
    Normalized("l2").resolved(full_batch=True),
]
every_rule = pytest.mark.parametrize("rule", RULES, ids=repr)


def test_every_entry_of_the_table_is_among_the_rules_that_are_tested():
    tested = {type(rule) for rule in RULES}
    as_they_are = {cls for cls in OPTIMIZERS.values() if cls().resolved(False) == cls()}
    assert as_they_are <= tested
    assert {SAGA, SVRG, Adam, Nesterov, Accelerated} <= tested


def test_the_module_exports_every_class_of_the_table():
    named = {cls.__name__ for cls in OPTIMIZERS.values()}
    assert set(optimizers.__all__) == named | {"OPTIMIZERS", "Optimizer"}
    assert all(hasattr(optimizers, name) for name in optimizers.__all__)


def direction_and_scale(rule, gradients):
    """Return d and s of all updates, each of shape (updates, p)."""
    p = gradients.shape[1]
    memory, scalars, found = np.zeros((rule.n_memory, p)), np.zeros(rule.n_scalars), []
    for t, g in enumerate(gradients, start=1):
        shared = rule.prepare(t, float(g @ g) if rule.needs_norm else 0.0, scalars)
        found.append(np.transpose([rule.step(float(g[j]), memory, j, shared) for j in range(p)]))
    return np.moveaxis(found, 1, 0)


@every_rule
def test_a_rule_keeps_the_laws_of_an_optimizer(rule):
    check_optimizer(rule)


@pytest.mark.parametrize("cls", dict.fromkeys(OPTIMIZERS.values()))
def test_an_entry_of_the_table_keeps_the_laws_before_it_is_resolved(cls):
    check_optimizer(cls(), compiled=False)


@every_rule
def test_a_rule_may_be_lazy_exactly_if_its_step_is_the_gradient(rule):
    gradients = np.random.default_rng(0).standard_normal((5, 3))
    d, s = direction_and_scale(rule, gradients)
    plain = np.array_equal(d, gradients) and bool(np.all(s == 1.0))
    assert rule.lazy == (plain and not rule.extrapolates and not rule.variance_reduced)


# What the rates rest on

ENDURING = [rule for rule in RULES if rule.stability_limit() is not None]


def growth_on_a_parabola(rule, rate):
    """Return by how much an update on ``theta^2 / 2`` can grow what it rewrites.

    That is the spectral radius of the linear map of parameter, answer and memory, late in a
    descent whose momentum is not restarted.
    """
    columns = []
    for theta, iterate, *memory in np.eye(2 + rule.n_memory):
        memory, scalars = np.reshape(memory, (-1, 1)), np.full(rule.n_scalars, 1e9)
        d, s = rule.step(theta, memory, 0, rule.prepare(10**6, theta * theta, scalars))
        new = theta - rate * s * d
        ahead = rule.extrapolate(scalars, -1.0) if rule.extrapolates else 0.0
        columns.append([new + ahead * (new - iterate), new, *memory.ravel()])
    return np.abs(np.linalg.eigvals(np.transpose(columns))).max()


@pytest.mark.parametrize("rule", ENDURING, ids=repr)
def test_the_stability_limit_is_the_largest_rate_without_growth_in_units_of_two_over_the_curvature(
    rule,
):
    limit = 2.0 * rule.stability_limit()
    assert (
        growth_on_a_parabola(rule, 0.999 * limit) < 1.0 < growth_on_a_parabola(rule, 1.001 * limit)
    )


TORCH = np.load(Path(__file__).parent / "data" / "torch_trajectories.npz")
SAME_AS_TORCH = {
    "gd": (GD(), 0.1),
    "momentum": (Momentum(0.9), 0.05),
    "nesterov": (Nesterov(0.8), 0.05),
    "adagrad": (AdaGrad(1e-7), 0.3),
    "rmsprop": (RMSProp(0.9, 1e-8), 0.02),
    "adadelta": (AdaDelta(0.9, 1e-6), 1.0),
    "adam": (Adam(0.9, 0.999, 1e-8), 0.1),
    "adamw": (AdamW(0.8, 0.99, 1e-8), 0.1),
    "nadam": (NAdam(0.9, 0.999, 1e-8, 0.004), 0.1),
    "amsgrad": (AMSGrad(0.7, 0.9, 1e-8), 0.2),
}


def descend(optimizer, rate, X, y, weight=None, start=None, steps=50, **options):
    """Return the path of a full-batch descent, of shape (steps + 1, p + 1)."""
    model = GDRegressor(
        optimizer=optimizer,
        learning_rate=rate,
        init=np.zeros(X.shape[1] + 1) if start is None else start,
        max_iter=steps,
        tol=None,
        record_path=True,
        **options,
    )
    return model.fit(X, y, sample_weight=weight).path_


@pytest.mark.parametrize("name", [name for name in TORCH.files if "-" in name])
def test_every_iterate_equals_that_of_torch(name):
    rule, penalty, kind = name.split("-")
    path = descend(
        *SAME_AS_TORCH[rule],
        TORCH["X"],
        TORCH["y"],
        weight=TORCH["weight"] if kind == "weighted" else None,
        start=TORCH["start"],
        penalty="l2",
        alpha=0.3 if penalty == "l2" else 0.0,
    )
    np.testing.assert_allclose(path, TORCH[name], rtol=0.0, atol=1e-9)


def test_the_averaged_form_is_the_velocity_form_at_a_smaller_rate(problem):
    averaged = descend(Momentum(0.9, averaged=True), 0.5, *problem)
    velocity = descend(Momentum(0.9), 0.05, *problem)
    np.testing.assert_allclose(averaged, velocity, rtol=1e-12, atol=1e-12)


def test_without_bias_correction_adams_first_step_is_too_large(problem):
    corrected = descend(Adam(eps=0.0), 0.1, *problem, steps=1)[1]
    plain = descend(Adam(eps=0.0, bias_correction=False), 0.1, *problem, steps=1)[1]
    np.testing.assert_allclose(np.abs(corrected), 0.1)
    np.testing.assert_allclose(plain, corrected * (1 - 0.9) / math.sqrt(1 - 0.999))


def test_normalised_steps_have_the_length_of_the_rate(problem):
    elementwise = np.diff(descend(Normalized(eps=0.0), 0.01, *problem), axis=0)
    np.testing.assert_allclose(np.abs(elementwise), 0.01)
    whole = np.diff(descend(Normalized("l2", eps=0.0), 0.01, *problem), axis=0)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 0.01)


def gradient(X, y, theta):
    """Return the gradient of the mean of half the squared errors."""
    residual = X @ theta[:-1] + theta[-1] - y
    return np.append(X.T @ residual, residual.sum()) / len(y)


def test_lion_follows_its_paper(problem):
    X, y = problem
    theta, m, path = np.zeros(6), np.zeros(6), [np.zeros(6)]
    for _ in range(30):
        g = gradient(X, y, theta)
        theta = theta - 0.01 * np.sign(0.9 * m + 0.1 * g)
        m = 0.99 * m + 0.01 * g
        path.append(theta)
    found = descend(Lion(0.9, 0.99), 0.01, X, y, steps=30, penalty=None)
    np.testing.assert_allclose(found, path, atol=1e-12)


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0.0)


def test_the_accelerated_sequence_is_fista_with_restarts(problem):
    X, y = problem
    rate, alpha, restarts = 0.1, 0.2, 0
    z = look = np.zeros(6)
    u, path = 1.0, [z]
    for _ in range(200):
        step = look - rate * gradient(X, y, look)
        new = np.append(soft(step[:-1], rate * alpha), step[-1])
        if (look - new) @ (new - z) > 0.0:
            u, restarts = 1.0, restarts + 1
        following = (1.0 + math.sqrt(1.0 + 4.0 * u * u)) / 2.0
        look = new + (u - 1.0) / following * (new - z)
        z, u = new, following
        path.append(z)
    assert restarts >= 2
    found = descend(Nesterov(), rate, X, y, steps=200, penalty="l1", alpha=alpha)
    np.testing.assert_allclose(found, path, atol=1e-10)


def test_nesterov_without_beta_accelerates_on_the_full_batch_only():
    assert Nesterov().resolved(full_batch=True).extrapolates
    assert Nesterov().resolved(full_batch=False) == Nesterov(0.9)
    assert Nesterov(0.5).resolved(full_batch=True) == Nesterov(0.5)


# By its own steps on the full batch: "saga" and "svrg" run as others there.
SETTLING = sorted(set(OPTIMIZERS) - {"sgd", "saga", "svrg", "normalized", "lion"})


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SETTLING)
def test_every_rule_that_converges_finds_the_support_of_lasso(name, seed):
    X, y = make_regression(n=120, p=12, seed=seed, sparse_truth=True)
    Z = X - X.mean(axis=0)
    alpha = 0.1 * np.abs(Z.T @ (y - y.mean())).max() / len(y)
    lasso = Lasso(alpha=alpha, tol=1e-12, max_iter=100_000).fit(X, y)
    model = GDRegressor(penalty="l1", alpha=alpha, optimizer=name, tol=1e-8, max_iter=30_000).fit(
        X, y
    )
    assert 0 < np.count_nonzero(lasso.coef_) < 12
    np.testing.assert_array_equal(model.coef_ == 0.0, lasso.coef_ == 0.0)
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-5)
    assert model.dual_gap_ < 1e-6 * y.var()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SETTLING if name != "adamw"])
def test_every_rule_that_converges_has_ridge_for_its_fixed_point(name):
    X, y = make_regression(n=120, p=6, seed=1)
    schedule = Adaptive(wait=50) if OPTIMIZERS[name].newton_fraction else "constant"
    model = GDRegressor(
        alpha=0.5, optimizer=name, schedule=schedule, tol=1e-8, max_iter=100_000
    ).fit(X, y)
    Z = X - X.mean(axis=0)
    ridge = np.linalg.solve(Z.T @ Z / 120 + 0.5 * np.eye(6), Z.T @ y / 120)
    np.testing.assert_allclose(model.coef_, ridge, atol=1e-5)


class Halving(Optimizer):
    """A rule of a user's own: plain descent at half the rate."""

    __slots__ = ()
    share: float = 0.5

    def step(self, g, memory, j, shared):
        return g, self.share


def test_a_custom_optimizer_needs_no_registration(problem):
    np.testing.assert_allclose(
        descend(Halving(), 0.1, *problem), descend(GD(), 0.05, *problem), rtol=1e-13, atol=1e-13
    )
