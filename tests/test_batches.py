"""Smaller batches: centring, and the automatic rates of momentum and of unequal batches."""

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse

from skgd import GDRegressor
from skgd.descent.rates import stable_rate
from skgd.optimizers import GD, Momentum, Nesterov

N, P = 23, 3


def make_problem(seed=0):
    X, y = make_regression(n=N, p=P, seed=seed)
    return X + np.array([3.0, -2.0, 0.5]), y, np.random.default_rng(seed).uniform(0.5, 2.0, N)


def centred_iterates(X, y, weight, batch, rate, alpha, epochs):
    """Return the coefficients after each update of plain descent on rows less their means."""
    s = weight / weight.mean()
    mean, level = s @ X / N, s @ y / N
    Z, t, w, path = X - mean, y - level, np.zeros(P), [np.zeros(P)]
    for _ in range(epochs):
        for k in range(0, N, batch):
            rows = slice(k, k + batch)
            g = s[rows] * (Z[rows] @ w - t[rows]) @ Z[rows] / len(t[rows])
            w = w - rate * (g + alpha * w)
            path.append(w)
    path = np.array(path)
    return np.column_stack([path, level - path @ mean])


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
def test_centred_batches_descend_on_rows_less_their_means(batch, form, dtype, weighted):
    X, y, weight = make_problem()
    X, weight = X.astype(dtype), weight if weighted else np.ones(N)
    model = GDRegressor(
        alpha=0.1,
        optimizer="gd",
        learning_rate=0.01,
        batch_size=batch,
        sampling="cyclic",
        center=True,
        max_iter=3,
        tol=None,
        record_path=True,
    ).fit(form(X), y, weight)
    expected = centred_iterates(X.astype(float), y, weight, batch, 0.01, 0.1, 3)
    np.testing.assert_allclose(model.path_, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("batch", [2, 5, 15, 22])
@pytest.mark.parametrize("replacement", [False, True])
def test_the_rate_of_an_epoch_with_a_ragged_batch_is_that_of_the_mean_smoothness(
    batch, replacement
):
    X, y, weight = make_problem()
    s = weight / weight.mean()
    Z = np.column_stack([X, np.ones(N)])
    largest = np.linalg.eigvalsh((Z * s[:, None]).T @ Z / N)[-1]
    steepest = (s * (Z**2).sum(axis=1)).max()

    def smoothness(b):  # Gower et al. (2019), of one batch
        if replacement:
            return ((b - 1) * largest + steepest) / b
        return (N * (b - 1) * largest + (N - b) * steepest) / (b * (N - 1))

    sizes = [len(rows) for rows in np.split(np.arange(N), range(batch, N, batch))]
    assert sizes[-1] < batch
    expected = 1.0 / (2.0 * np.mean([smoothness(b) for b in sizes]))
    objective = GDRegressor(penalty=None).objective(X, y, weight)
    found = stable_rate(objective, batch, replacement)
    assert 0.99 * expected <= found <= (1.0 + 1e-12) * expected


HEAVY = [Momentum(beta) for beta in (0.0, 0.5, 0.9, 0.99)]
HEAVY += [Momentum(0.9, averaged=True), Nesterov(0.5), Nesterov(0.9)]


def rate_of(rule, batch):
    X, y, weight = make_problem()
    model = GDRegressor(optimizer=rule, batch_size=batch, center=False, max_iter=1, tol=None)
    return model.fit(X, y, weight).learning_rate_


def step_of(rule, updates=4000):
    """Return how far one unit of rate moves along a gradient of one, in the long run."""
    memory, total = np.zeros((1, 1)), 0.0
    for t in range(1, updates + 1):
        d, s = rule.step(1.0, memory, 0, rule.prepare(t, 0.0, np.zeros(0)))
        total = d * s
    return total


@pytest.mark.parametrize("rule", HEAVY, ids=repr)
def test_on_batches_momentum_moves_as_far_as_plain_descent_over_many_steps(rule):
    far = rate_of(rule, 4) * step_of(rule)
    np.testing.assert_allclose(far, rate_of(GD(), 4), rtol=1e-10)
    assert rate_of(rule, None) * step_of(rule) >= far


@pytest.mark.parametrize("beta", [0.9, 0.99])
def test_momentum_on_batches_has_no_more_noise_than_plain_descent(beta):
    """The targets are noise; the rates are such that both move as far over many steps."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((400, 2)), rng.standard_normal(400)
    options = {"batch_size": 4, "penalty": None, "fit_intercept": False, "random_state": 0}
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    variances = []
    for rule in (GD(), Momentum(beta)):
        model = GDRegressor(
            optimizer=rule, max_iter=40, tol=None, record_path=True, **options
        ).fit(X, y)
        variances.append(np.mean((model.path_[1000:] - best) ** 2))
    assert variances[1] <= 1.5 * variances[0]
