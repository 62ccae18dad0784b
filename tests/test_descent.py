"""The loop: every iterate against a slow reference, and laws of batches, seeds and pauses."""

import pickle
from itertools import pairwise, permutations

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse, stats
from sklearn.linear_model import Lasso

from skgd import GDRegressor
from skgd.descent.descent import Descent
from skgd.descent.options import Options, Setup
from skgd.optimizers import GD, Adam, Momentum, Nesterov
from skgd.schedules import Adaptive, Constant, Exponential

N = 23  # rows: three batches of seven, and one of two
SHARE = {None: 0.0, "l1": 1.0, "l2": 0.0, "elasticnet": 0.4}


def make_weighted(seed=0, n=N, p=4):
    """Return X, y and weights, one of which is zero."""
    X, y = make_regression(n=n, p=p, seed=seed)
    weight = np.random.default_rng(seed).uniform(0.2, 3.0, n)
    weight[3] = 0.0
    return X, y, weight


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0.0)


def gd(g, memory, t):
    return g, np.ones_like(g)


def momentum(g, memory, t):
    memory["v"] = 0.9 * memory.get("v", 0.0) + g
    return 0.1 * memory["v"], np.full_like(g, 10.0)


def adam(g, memory, t):
    memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0.0) + 0.001 * g**2
    m, v = memory["m"] / (1 - 0.9**t), memory["v"] / (1 - 0.999**t)
    return m, 1.0 / (np.sqrt(v) + 1e-8)


def twin(rule, X, y, weight, batches, rate, alpha, share):
    """Return the path of the algorithm, written slowly: one row of (w, b) for each update."""
    p = X.shape[1]
    s = weight / weight.mean()
    theta, memory, path = np.zeros(p + 1), {}, [np.zeros(p + 1)]
    for t, rows in enumerate(batches, start=1):
        residual = s[rows] * (X[rows] @ theta[:p] + theta[p] - y[rows])
        g = np.append(X[rows].T @ residual, residual.sum()) / len(rows)
        g[:p] += alpha * (1 - share) * theta[:p]
        d, scale = rule(g, memory, t)
        theta = theta - rate * scale * d
        theta[:p] = soft(theta[:p], rate * scale[:p] * alpha * share)
        path.append(theta)
    return np.array(path)


def objective(theta, X, y, weight, alpha, share):
    """Return F for one row of (w, b)."""
    w, b = theta[:-1], theta[-1]
    omega = share * np.abs(w).sum() + 0.5 * (1 - share) * w @ w
    return 0.5 * np.average((X @ w + b - y) ** 2, weights=weight) + alpha * omega


def path_of(X, y, weight=None, **options):
    """Return the path of some epochs without a test for an end."""
    options = {"learning_rate": 0.05, "optimizer": "gd", "max_iter": 4} | options
    model = GDRegressor(tol=None, record_path=True, random_state=0, **options)
    return model.fit(X, y, sample_weight=weight).path_


def visits(batch_size, sampling="shuffle", epochs=4, seed=0, n=N):
    """Return how often each update saw each row, of shape (updates, n).

    On the rows of the identity, a row moves its own weight, and no other.
    """
    model = GDRegressor(
        optimizer="gd",
        alpha=0.0,
        fit_intercept=False,
        learning_rate=0.01,
        batch_size=batch_size,
        sampling=sampling,
        max_iter=epochs,
        tol=None,
        record_path=True,
        random_state=seed,
    )
    path = model.fit(np.eye(n), np.ones(n)).path_
    sizes = np.diff(np.append(np.arange(0, n, batch_size), n))
    pulls = np.diff(path, axis=0) / (1.0 - path[:-1]) / 0.01
    counts = pulls * np.tile(sizes, epochs)[:, None]
    np.testing.assert_allclose(counts, counts.round(), atol=1e-6)
    np.testing.assert_array_equal(counts.round().sum(axis=1), np.tile(sizes, epochs))
    return counts.round().astype(int)


@pytest.mark.parametrize("batch_size", [None, 7, 1])
@pytest.mark.parametrize(
    ("rule", "penalty", "alpha"),
    [
        (gd, "l1", 0.3),
        (gd, "l2", 0.3),
        (gd, "elasticnet", 0.5),
        (momentum, "elasticnet", 1.5),
        (adam, "elasticnet", 1.5),
    ],
)
def test_every_iterate_equals_that_of_the_slow_twin(rule, penalty, alpha, batch_size):
    X, y, weight = make_weighted()
    epochs = 30 if batch_size is None else 5
    size, share = batch_size or N, SHARE[penalty]
    sweep = [np.arange(start, min(start + size, N)) for start in range(0, N, size)]
    rate = 0.005 if rule is momentum else 0.05
    found = path_of(
        X,
        y,
        weight,
        optimizer=rule.__name__,
        learning_rate=rate,
        penalty=penalty,
        alpha=alpha,
        l1_ratio=share,
        batch_size=batch_size,
        sampling="cyclic",
        max_iter=epochs,
    )
    expected = twin(rule, X, y, weight, sweep * epochs, rate, alpha, share)
    assert share == 0.0 or (expected[1:, :-1] == 0.0).any()
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-11)
    np.testing.assert_array_equal(found == 0.0, expected == 0.0)


@pytest.mark.parametrize("batch_size", [7, 1])
@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
def test_the_order_of_the_rows_depends_on_the_seed_and_not_on_the_data(sampling, batch_size):
    X, y, weight = make_weighted()
    batches = [np.repeat(np.arange(N), times) for times in visits(batch_size, sampling)]
    found = path_of(
        X, y, weight, penalty="l1", alpha=0.3, batch_size=batch_size, sampling=sampling
    )
    expected = twin(gd, X, y, weight, batches, 0.05, 0.3, 1.0)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-11)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_every_epoch_of_a_shuffle_visits_every_row_once(batch_size):
    epochs = visits(batch_size).reshape(4, -1, N)
    np.testing.assert_array_equal(epochs.sum(axis=1), np.ones((4, N)))
    assert not any(np.array_equal(epochs[0], later) for later in epochs[1:])


def test_all_orders_are_equally_likely_and_none_depends_on_the_one_before():
    orders = visits(1, epochs=600, n=3).reshape(600, 3, 3).argmax(axis=2)
    moves = [tuple(np.argsort(one)[other]) for one, other in pairwise(orders)]
    for each in (list(map(tuple, orders)), moves):
        counts = [each.count(order) for order in permutations(range(3))]
        assert stats.chisquare(counts).pvalue > 1e-3


def test_with_replacement_rows_are_drawn_evenly_and_repeat_within_an_epoch():
    epochs = visits(1, "replacement", epochs=100).reshape(100, N, N).sum(axis=1)
    assert stats.chisquare(epochs.sum(axis=0)).pvalue > 1e-3
    seen = (epochs > 0).mean()
    assert abs(seen - (1 - (1 - 1 / N) ** N)) < 0.02


def test_the_mean_over_all_batches_of_their_gradients_is_the_gradient():
    X, y, weight = make_weighted(n=20)
    start = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    r = weight / weight.mean() * (X @ start[:-1] + start[-1] - y)
    full = np.append(X.T @ r, r.sum()) / 20 + 0.7 * np.append(start[:-1], 0.0)
    steps = []
    for k in range(0, 20, 5):
        rows = np.roll(np.arange(20), -k)
        options = {"batch_size": 5, "sampling": "cyclic", "init": start, "alpha": 0.7}
        path = path_of(X[rows], y[rows], weight[rows], learning_rate=2.0**-6, **options)
        steps.append((path[0] - path[1]) * 2.0**6)
    np.testing.assert_allclose(np.mean(steps, axis=0), full, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [N, N + 10])
def test_a_batch_of_all_rows_is_the_full_batch(size):
    X, y, weight = make_weighted()
    np.testing.assert_array_equal(path_of(X, y, weight, batch_size=size), path_of(X, y, weight))


@pytest.mark.parametrize(
    ("batch_size", "form"), [(1, np.asarray), (7, np.asarray), (1, sparse.csr_array)]
)
def test_a_seed_decides_all_and_the_global_state_is_left_alone(batch_size, form):
    X, y, _ = make_weighted()

    def coef(random_state):
        model = GDRegressor(
            optimizer="gd",
            penalty="elasticnet",
            batch_size=batch_size,
            max_iter=3,
            tol=None,
            random_state=random_state,
        )
        return model.fit(form(X), y).coef_

    before = np.random.get_state()[1].copy()
    generator = np.random.RandomState(3)
    first, second = coef(generator), coef(generator)
    np.testing.assert_array_equal(coef(3), first)
    np.testing.assert_array_equal(coef(3), first)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, coef(4))
    np.testing.assert_array_equal(np.random.get_state()[1], before)


LONG = [
    pytest.param(GD(), Exponential(0.995), None, "shuffle", np.asarray, id="full"),
    pytest.param(Nesterov(), Constant(), None, "shuffle", np.asarray, id="accelerated"),
    pytest.param(Momentum(), Constant(), 7, "shuffle", np.asarray, id="batch"),
    pytest.param(Adam(), Exponential(0.9, "update"), 1, "shuffle", np.asarray, id="single"),
    pytest.param(GD(), Constant(), 7, "replacement", np.asarray, id="replacement"),
    pytest.param(GD(), Constant(), 1, "shuffle", sparse.csr_array, id="lazy"),
    pytest.param(GD(), Adaptive(0.5, 1), 7, "shuffle", np.asarray, id="adaptive"),
]


def begin(rule, schedule, batch_size, sampling, form, **options):
    """Return a descent that has not taken a step."""
    X, y, weight = make_weighted()
    model = GDRegressor(penalty="elasticnet", alpha=0.1)
    target = model.objective(form(X), y, weight)
    options = Options(**{"learning_rate": 0.05, **options})
    return Descent(target, rule, schedule, np.zeros(5), Setup(batch_size, sampling, 5), options)


def assert_same_descent(one, other):
    assert one.record.curve == other.record.curve
    assert (one.outcome, one.t) == (other.outcome, other.t)
    np.testing.assert_array_equal(one.iterate, other.iterate)
    np.testing.assert_array_equal(one.state.theta, other.state.theta)
    np.testing.assert_array_equal(one.state.memory, other.state.memory)


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize(("rule", "schedule", "size", "sampling", "form"), LONG)
def test_continuing_equals_never_having_stopped(rule, schedule, size, sampling, form, pickled):
    whole = begin(rule, schedule, size, sampling, form, tol=None)
    whole.minimize(7)
    parts = begin(rule, schedule, size, sampling, form, tol=None)
    parts.minimize(3)
    if pickled:
        parts = pickle.loads(pickle.dumps(parts))
    parts.minimize(4)
    assert_same_descent(parts, whole)


@pytest.mark.parametrize(("rule", "schedule", "size", "sampling", "form"), LONG)
def test_a_pause_does_not_change_when_a_descent_ends(rule, schedule, size, sampling, form):
    whole = begin(rule, schedule, size, sampling, form, tol=1e-2)
    whole.minimize(300)
    parts = begin(rule, schedule, size, sampling, form, tol=1e-2)
    while parts.record.n_epochs < 300 and parts.outcome.name in ("RUNNING", "MAX_ITER"):
        parts.minimize(2 if parts.record.n_epochs else 3)
    assert 3 < whole.record.n_epochs < 300
    assert_same_descent(parts, whole)
    whole.minimize(2)
    parts.minimize(2)
    assert_same_descent(parts, whole)


@pytest.mark.parametrize("batch_size", [None, 7, 1])
@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
def test_the_curve_is_the_objective_of_the_path(batch_size, sampling):
    X, y, weight = make_weighted()
    model = GDRegressor(
        optimizer="gd",
        penalty="elasticnet",
        alpha=0.3,
        l1_ratio=0.4,
        batch_size=batch_size,
        sampling=sampling,
        max_iter=6,
        tol=None,
        record_path=True,
        random_state=0,
    ).fit(X, y, sample_weight=weight)
    updates = -(-N // (batch_size or N))
    assert model.path_.shape == (6 * updates + 1, 5)
    assert (model.n_iter_, model.t_) == (6, 6 * updates)
    expected = [objective(theta, X, y, weight, 0.3, 0.4) for theta in model.path_[::updates]]
    np.testing.assert_allclose(model.loss_curve_, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("optimizer", "batch_size", "form"),
    [
        ("gd", None, np.asarray),
        ("nesterov", None, np.asarray),
        ("momentum", 7, np.asarray),
        ("adam", 1, np.asarray),
        ("gd", 1, sparse.csr_array),
    ],
)
def test_recording_the_path_does_not_change_the_solution(optimizer, batch_size, form):
    X, y, weight = make_weighted()
    model = GDRegressor(
        optimizer=optimizer,
        penalty="elasticnet",
        batch_size=batch_size,
        max_iter=5,
        tol=None,
        random_state=0,
    ).fit(form(X), y, weight)
    plain = np.append(model.coef_, model.intercept_)
    model.set_params(record_path=True).fit(form(X), y, weight)
    np.testing.assert_array_equal(model.path_[-1], np.append(model.coef_, model.intercept_))
    rounding = 1e-15 if form is np.asarray else 1e-13  # sparse rows then leave the lazy form
    np.testing.assert_allclose(model.path_[-1], plain, rtol=rounding, atol=rounding)


FULL = [
    {"penalty": "elasticnet", "alpha": 0.2},
    {"penalty": "elasticnet", "alpha": 0.2, "optimizer": "adam"},
    {"penalty": "elasticnet", "alpha": 0.2, "optimizer": "nesterov", "center": True},
]


@pytest.mark.parametrize("options", FULL)
def test_weights_equal_repetition_of_rows_in_every_iterate(options):
    X, y, _ = make_weighted()
    times = np.random.default_rng(1).integers(0, 4, N)
    repeated = path_of(np.repeat(X, times, axis=0), np.repeat(y, times), max_iter=40, **options)
    weighted = path_of(X, y, times, max_iter=40, **options)
    np.testing.assert_allclose(weighted, repeated, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("options", FULL)
def test_neither_the_order_of_rows_nor_that_of_columns_matters(options):
    X, y, weight = make_weighted()
    path = path_of(X, y, weight, max_iter=40, **options)
    rows, columns = np.random.default_rng(2).permutation(N), np.array([2, 0, 3, 1])
    by_rows = path_of(X[rows], y[rows], weight[rows], max_iter=40, **options)
    by_columns = path_of(X[:, columns], y, weight, max_iter=40, **options)
    np.testing.assert_allclose(by_rows, path, rtol=0.0, atol=1e-10)
    np.testing.assert_allclose(by_columns, path[:, [2, 0, 3, 1, 4]], rtol=0.0, atol=1e-10)


@pytest.mark.parametrize(
    ("batch_size", "form"),
    [(None, np.asarray), (7, np.asarray), (1, np.asarray), (1, sparse.csr_array)],
)
def test_nothing_that_is_given_is_written_to(batch_size, form):
    X, y, weight = make_weighted()
    init, X = np.ones(5), form(X)
    inside = [X] if form is np.asarray else [X.data, X.indices, X.indptr]
    given = [*inside, y, weight, init]
    before = [array.copy() for array in given]
    options = {"penalty": "elasticnet", "init": init, "batch_size": batch_size}
    writeable = path_of(X, y, weight, **options)
    for array, copy in zip(given, before):
        np.testing.assert_array_equal(array, copy)
        assert array.flags.writeable
        array.flags.writeable = False
    np.testing.assert_array_equal(path_of(X, y, weight, **options), writeable)


def test_an_extrapolating_rule_returns_the_iterates_with_the_zeros():
    X, y = make_regression(n=40, p=6, seed=3, sparse_truth=True)
    lasso = Lasso(alpha=0.4, tol=1e-12, max_iter=100_000).fit(X, y)
    options = {"optimizer": "nesterov", "penalty": "l1", "alpha": 0.4, "init": np.ones(7)}
    w = path_of(X, y, learning_rate=0.1, max_iter=200, **options)[:, :-1]
    assert (np.abs(w[w != 0.0]) > 1e-12).all()
    np.testing.assert_array_equal(w[-1] == 0.0, lasso.coef_ == 0.0)
    assert 0 < np.count_nonzero(w[-1]) < 6
