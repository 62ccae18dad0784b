"""The Gabor estimator: one descent from a start, step by step, and what scikit-learn asks."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse, stats
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV

from skgd import GDGaborRegressor
from skgd.datasets import load_gabor, make_gabor
from skgd.optimizers import GD, Momentum
from skgd.penalties import Penalty
from skgd.schedules import Cosine

EXTRAS = {"fit_amplitude": True, "fit_width": True, "fit_baseline": True}
BAD, GOOD = load_gabor().bad_start, load_gabor().good_start
LOCAL, GLOBAL = load_gabor().minima[[1, 0], :2]


@pytest.fixture
def packet():
    """Return load_gabor's X of shape (30, 1), and y."""
    return load_gabor(return_X_y=True)


def wave(z):
    return np.sin(z) * np.exp(-(z**2) / 32.0)


def gradient(theta, X, y):
    """Return the gradient of the mean of half the squared errors, offset first."""
    z = theta[0] + 0.06 * (X @ theta[1:])
    slope = (np.cos(z) - z * np.sin(z) / 16.0) * np.exp(-(z**2) / 32.0)
    add_parameter_gradient = (wave(z) - y) * slope / len(y)
    return np.append(add_parameter_gradient.sum(), 0.06 * (X.T @ add_parameter_gradient))


def objective(theta, X, y):
    """Return the mean of half the squared errors, offset first."""
    return np.mean((wave(theta[0] + 0.06 * (X @ theta[1:])) - y) ** 2) / 2.0


def stationary_near(theta, X, y):
    """Return the root of the gradient next to a point."""
    return optimize.root(gradient, theta, (X, y), tol=1e-14).x


def quiet(model, *data):
    """Fit a model that need not have converged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*data)


# One descent


@pytest.mark.parametrize("batch_size", [None, 1])
@pytest.mark.parametrize("beta", [0.0, 0.9])
@pytest.mark.parametrize("p", [1, 3])
def test_from_init_one_descent_is_followed_step_by_step(batch_size, beta, p):
    X, y = make_gabor(12, p, random_state=3)
    theta, epochs, rate = np.append(-1.0, np.linspace(4.0, 9.0, p)), 5, 0.1
    rows = [slice(None)] if batch_size is None else [slice(i, i + 1) for i in range(12)]
    v, path = np.zeros(p + 1), [theta]
    for _ in range(epochs):
        for row in rows:
            v = beta * v + gradient(theta, X[row], y[row])
            theta = theta - rate * v
            path.append(theta)
    model = GDGaborRegressor(
        init=path[0],
        optimizer=Momentum(beta) if beta else GD(),
        learning_rate=rate,
        batch_size=batch_size,
        sampling="cyclic",
        max_iter=epochs,
        tol=None,
        record_path=True,
    ).fit(X, y)
    np.testing.assert_allclose(model.path_, path, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(model.theta_, model.path_[-1])
    np.testing.assert_array_equal(np.append(model.offset_, model.frequency_), model.theta_)
    np.testing.assert_array_equal(model.starts_, path[:1])
    assert (model.amplitude_, model.width_, model.baseline_) == (1.0, 4.0, 0.0)
    assert (model.n_iter_, model.t_) == (epochs, len(path) - 1)
    ends = [objective(theta, X, y) for theta in (path[0], path[-1])]
    np.testing.assert_allclose(model.loss_curve_[[0, -1]], ends, rtol=1e-11)
    np.testing.assert_allclose(model.predict(X), wave(theta[0] + 0.06 * (X @ theta[1:])))


@pytest.mark.parametrize("rate", [2.0, 4.0])
@pytest.mark.parametrize(("start", "end"), [(BAD, LOCAL), (GOOD, GLOBAL)], ids=["bad", "good"])
def test_plain_descent_ends_where_its_start_decides(packet, start, end, rate):
    model = GDGaborRegressor(init=start, optimizer="gd", learning_rate=rate, tol=1e-9)
    model.set_params(max_iter=4000)
    once, again = (model.set_params(random_state=k).fit(*packet).theta_ for k in (0, 1))
    np.testing.assert_array_equal(once, again)
    np.testing.assert_allclose(once, stationary_near(end, *packet), atol=1e-6)


RATE, EPOCHS = 4.0, 60


def stochastic(seed):
    return GDGaborRegressor(
        init=BAD,
        optimizer="gd",
        learning_rate=RATE,
        batch_size=1,
        schedule=Cosine(floor=1e-3),
        max_iter=EPOCHS,
        tol=None,
        polish=True,
        random_state=seed,
    )


def stochastic_twin(seed, X, y):
    """Return where numpy's stochastic descent ends from the bad start, polished by scipy."""
    rng, theta = np.random.default_rng(seed), BAD
    for epoch in range(EPOCHS):
        rate = RATE * (1e-3 + 0.999 * np.cos(np.pi * epoch / EPOCHS / 2.0) ** 2)
        for i in rng.permutation(len(y)):
            theta = theta - rate * gradient(theta, X[[i]], y[[i]])
    return optimize.minimize(objective, theta, (X, y), jac=gradient, tol=1e-10).x


def test_stochastic_descent_escapes_from_the_bad_start_as_often_as_its_slow_twin(packet):
    ends = np.array([quiet(stochastic(seed), *packet).theta_ for seed in range(40)])
    theirs = np.array([stochastic_twin(seed, *packet) for seed in range(40)])
    best = stationary_near(GLOBAL, *packet)
    ours, twins = ((np.abs(t - best).max(axis=1) < 1e-4).sum() for t in (ends, theirs))
    assert 0 < twins < 40
    assert 0 < ours < 40
    assert stats.fisher_exact([[ours, 40 - ours], [twins, 40 - twins]])[1] > 1e-3
    again = [quiet(stochastic(seed), *packet).theta_ for seed in (0, 1, 2)]
    np.testing.assert_array_equal(again, ends[:3])


def test_without_a_start_the_default_finds_the_global_minimum(packet):
    model = GDGaborRegressor(random_state=0).fit(*packet)
    np.testing.assert_allclose(model.theta_, stationary_near(GLOBAL, *packet), atol=1e-8)
    assert model.kind_ == "minimum"


def test_an_unpolished_descent_that_reaches_max_iter_warns(packet):
    model = GDGaborRegressor(init=BAD, max_iter=3)
    with pytest.warns(ConvergenceWarning, match="has not converged in max_iter=3 epochs"):
        model.fit(*packet)
    assert (model.stop_reason_, model.converged_) == ("max_iter", False)
    assert model.kind_ == "not stationary"


def test_what_has_converged_is_stationary(packet):
    model = GDGaborRegressor(init=BAD, optimizer="gd", max_iter=20_000).fit(*packet)
    assert model.converged_
    assert model.kind_ == "minimum"


@pytest.mark.parametrize("seed", range(6))
def test_the_record_is_that_of_the_descent_that_led_to_the_solution(seed):
    X, y = make_gabor(random_state=seed)
    model = GDGaborRegressor(max_iter=3, n_screen=300, record_path=True, random_state=seed)
    model.fit(X, y)
    alone = clone(model).set_params(init=model.path_[0], polish=True).fit(X, y)
    np.testing.assert_allclose(model.path_, alone.path_, rtol=1e-12)
    np.testing.assert_allclose(model.theta_, alone.theta_, atol=1e-6)


# Rates


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 20),
    p=st.integers(1, 3),
    size=st.sampled_from([1e-6, 0.1, 1.0, 30.0, 1e6]),
    spread=st.sampled_from([1e-3, 10.0, 1e4]),
)
def test_plain_descent_at_the_automatic_rate_never_rises(seed, n, p, size, spread):
    rng = np.random.default_rng(seed)
    X, y = spread * rng.uniform(-1.0, 1.0, (n, p)), size * rng.standard_normal(n)
    start = rng.normal(0.0, 3.0, p + 1) * np.append(1.0, np.full(p, 50.0 / spread))
    model = quiet(GDGaborRegressor(init=start, optimizer="gd", max_iter=30, tol=1e-9), X, y)
    assert np.diff(model.loss_curve_).max(initial=0.0) <= 1e-13 * model.loss_curve_[0]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from([1e-6, 0.1, 1.0, 30.0, 1e6]),
    wild=st.sampled_from([1.0, 30.0, 1e3, 1e6]),
    optimizer=st.sampled_from(["gd", "nesterov"]),
    batch_size=st.sampled_from([None, 1]),
)
def test_with_all_extras_the_automatic_rate_does_not_diverge(
    seed, size, wild, optimizer, batch_size
):
    rng = np.random.default_rng(seed)
    X, y = rng.uniform(-15.0, 15.0, (20, 1)), size * rng.standard_normal(20)
    start = rng.normal(0.0, [3.0, 10.0, wild * size, 3.0, wild * size])
    model = GDGaborRegressor(
        init=start, optimizer=optimizer, batch_size=batch_size, max_iter=20, **EXTRAS
    )
    quiet(model, X, y)
    assert model.stop_reason_ not in ("diverged", "nonfinite")
    assert np.isfinite(model.theta_).all()
    highest = max(model.loss_curve_[0], 0.5 * np.mean(y**2))
    assert model.loss_curve_[-1] <= highest * (1.0 + 1e-12)


def test_diverged_descents_are_not_listed_as_ends(packet):
    model = GDGaborRegressor(optimizer="gd", learning_rate=50.0, max_iter=3, tol=None)
    model.set_params(n_init=8, n_screen=300, polish=False, random_state=0).fit(*packet)
    alone = [quiet(clone(model).set_params(init=start), *packet) for start in model.starts_]
    sound = [each for each in alone if each.stop_reason_ != "diverged"]
    assert 0 < len(sound) < 8
    assert sum(point.n_starts for point in model.minima_) == len(sound)
    lowest = min(each.loss_curve_[-1] for each in sound)
    np.testing.assert_allclose(model.minima_[0].objective, lowest, rtol=1e-12)


def test_a_given_rate_that_is_too_high_is_reported(packet):
    model = GDGaborRegressor(init=[0.0, 16.0, 0.0], fit_baseline=True, optimizer="gd")
    sentence = "The largest stable rate of gradient descent on this data is .* Lower the learning"
    with pytest.warns(ConvergenceWarning, match=sentence):
        model.set_params(learning_rate=3.0).fit(*packet)
    assert model.stop_reason_ == "diverged"
    assert model.loss_curve_[-1] > 1e9 * model.loss_curve_[0]
    with pytest.raises(ValueError, match=sentence):
        model.set_params(learning_rate=1e160).fit(*packet)
    assert model.stop_reason_ == "nonfinite"
    with pytest.raises(NotFittedError):
        model.predict(packet[0])


# What is fitted


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_amplitude_width_and_baseline_are_those_of_curve_fit_and_near_the_truth(size):
    X = np.random.default_rng(2).uniform(-15.0, 15.0, (60, 1))
    u = 0.7 + 0.06 * 14.0 * X.ravel()
    noise = 0.02 * np.random.default_rng(3).standard_normal(60)
    y = size * (2.5 * np.sin(u) * np.exp(-0.5 * (u / 2.2) ** 2) - 1.2 + noise)
    model = GDGaborRegressor(n_init=4, n_screen=1000, max_iter=100, random_state=0, **EXTRAS)
    model.fit(X, y)
    truth = np.array([0.7, 14.0, 2.5 * size, 2.2, -1.2 * size])

    def curve(x, b, w, a, s, c):
        u = b + 0.06 * w * x
        return a * np.sin(u) * np.exp(-0.5 * (u / s) ** 2) + c

    exact = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    theirs, _ = optimize.curve_fit(curve, X.ravel(), y, p0=truth, **exact)
    np.testing.assert_allclose(model.theta_, theirs, rtol=1e-7)
    assert (np.abs(model.theta_ - truth) < 4.0 * model.standard_errors_).all()
    named = [model.offset_, *model.frequency_, model.amplitude_, model.width_, model.baseline_]
    np.testing.assert_array_equal(named, model.theta_)
    assert model.kind_ == "minimum"
    assert model.converged_


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_another_unit_of_x_rescales_the_frequency_and_nothing_else(packet, unit):
    X, y = packet
    model = GDGaborRegressor(n_init=4, n_screen=1000, max_iter=100, random_state=0)
    one, other = (clone(model).fit(k * X, y) for k in (1.0, unit))
    np.testing.assert_allclose(other.theta_, one.theta_ / [1.0, unit], rtol=1e-5, atol=1e-8)
    expected = one.standard_errors_ / [1.0, unit]
    np.testing.assert_allclose(other.standard_errors_, expected, rtol=1e-5)
    assert other.kind_ == "minimum"


@pytest.mark.parametrize("seed", range(3))
def test_amplitude_and_width_are_not_negative(seed):
    X, y = make_gabor(30, random_state=seed)
    model = GDGaborRegressor(
        fit_amplitude=True, fit_width=True, n_init=4, n_screen=300, max_iter=100, random_state=0
    ).fit(X, -y)
    assert (model.amplitude_ > 0.0, model.width_ > 0.0) == (True, True)
    assert all((point.theta[2:] >= 0.0).all() for point in model.minima_)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_a_penalty_is_of_the_frequencies_alone(penalty):
    X, y = make_gabor(40, 3, theta=[0.4, 9.0, 0.0, 0.0], random_state=0)
    start, alpha = [0.3, 7.0, 1.0, -1.0], 0.01
    model = GDGaborRegressor(penalty=penalty, alpha=alpha, init=start, max_iter=5000, tol=1e-9)
    theta = model.fit(X, y).theta_
    slope, w = gradient(theta, X, y), theta[1:]
    if penalty == "l2":
        np.testing.assert_allclose(slope + alpha * np.append(0.0, w), 0.0, atol=1e-7)
        size = alpha * (w @ w) / 2.0
    else:
        held = w == 0.0
        assert held.tolist() == [False, True, True]
        assert (np.abs(slope[1:][held]) <= alpha).all()
        np.testing.assert_allclose(slope[[0, 1]], [0.0, -alpha * np.sign(w[0])], atol=1e-7)
        size = alpha * np.abs(w).sum()
    data = np.mean((wave(theta[0] + 0.06 * (X @ w)) - y) ** 2) / 2.0
    np.testing.assert_allclose(model.loss_curve_[-1], data + size, rtol=1e-12)


class Bridge(Penalty):
    """``Omega = |w|^3``: a user's own, neither l1 nor l2."""

    __slots__ = ()

    def value(self, w):
        return abs(w) ** 3

    def gradient(self, w):
        return 3.0 * w * abs(w)


def test_a_custom_penalty_is_used(packet):
    model = GDGaborRegressor(
        penalty=Bridge(), alpha=1e-6, init=GOOD, optimizer="gd", learning_rate=4.0, max_iter=3000
    )
    theta = model.set_params(tol=1e-6).fit(*packet).theta_
    slope = gradient(theta, *packet) + np.array([0.0, 3e-6 * theta[1] ** 2])
    np.testing.assert_allclose(slope, 0.0, atol=1e-6)


# Data in all forms


def test_a_weight_of_two_is_a_row_given_twice_and_of_zero_one_left_out(packet):
    X, y = packet
    weight = np.random.default_rng(0).integers(0, 3, 30)
    model = GDGaborRegressor(init=GOOD, max_iter=50, tol=None, record_path=True)
    weighted = quiet(model, X, y, weight).path_
    rows = np.repeat(np.arange(30), weight)
    np.testing.assert_allclose(quiet(model, X[rows], y[rows]).path_, weighted, rtol=1e-10)
    absurd = np.where(weight == 0, 1e6, y)
    np.testing.assert_array_equal(quiet(model, X, absurd, weight).path_, weighted)


def test_zero_weights_hide_their_rows_from_the_search(packet):
    X, y = packet
    model = GDGaborRegressor(n_init=3, n_screen=300, max_iter=100, random_state=0)
    alone = model.fit(X, y).theta_
    X, y = np.vstack([X, [[1e4]]]), np.append(y, 50.0)
    found = model.fit(X, y, np.append(np.ones(30), 0.0)).theta_
    np.testing.assert_allclose(found, alone, atol=1e-8)


def test_a_column_of_zeros_has_no_frequency(packet):
    X, y = packet
    model = GDGaborRegressor(random_state=0).fit(np.column_stack([X, 0.0 * X]), y)
    alone = GDGaborRegressor(random_state=0).fit(0.0 * X, y)
    assert np.isfinite(model.predict(np.column_stack([X, X]))).all()
    assert np.isfinite(alone.predict(X)).all()


def test_single_precision_is_kept(packet):
    X, y = packet
    double = GDGaborRegressor(n_init=3, n_screen=300, max_iter=100, random_state=0).fit(X, y)
    single = clone(double).fit(X.astype(np.float32), y)
    assert single.theta_.dtype == single.predict(X.astype(np.float32)).dtype == np.float32
    assert single.predict(X).dtype == np.float64
    np.testing.assert_allclose(single.theta_, double.theta_, atol=1e-5)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix, pd.DataFrame])
def test_sparse_data_and_frames_are_as_dense(form):
    X, y = make_gabor(25, 3, random_state=0)
    X[np.random.default_rng(1).random(X.shape) < 0.4] = 0.0
    model = GDGaborRegressor(n_init=2, n_screen=100, max_iter=20, random_state=0)
    dense, other = quiet(clone(model), X, y), quiet(clone(model), form(X), y)
    np.testing.assert_allclose(other.starts_, dense.starts_, rtol=1e-12)
    np.testing.assert_allclose(other.theta_, dense.theta_, rtol=1e-6)
    np.testing.assert_allclose(other.predict(form(X)), dense.predict(X), rtol=1e-6, atol=1e-9)


def test_a_fit_survives_pickling_and_cloning_forgets_it(packet):
    model = GDGaborRegressor(fit_width=True, n_init=3, n_screen=300, max_iter=50, random_state=0)
    model.fit(*packet)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(packet[0]), model.predict(packet[0]))
    assert str(again.minima_) == str(model.minima_)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(packet[0])


def test_nested_names_work_in_a_grid(packet):
    model = GDGaborRegressor(init=GOOD, optimizer="momentum", tol=None, max_iter=30)
    grid = GridSearchCV(model, {"optimizer__beta": [0.0, 0.5, 0.9]}, cv=2).fit(*packet)
    assert len(set(grid.cv_results_["mean_test_score"])) == 3
    best = Momentum(grid.best_params_["optimizer__beta"])
    assert grid.best_estimator_.optimizer == best
    alone = clone(model).set_params(optimizer=best).fit(*packet)
    np.testing.assert_array_equal(grid.predict(packet[0]), alone.predict(packet[0]))


# What is refused


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"init": [1.0]}, r"init has shape \(1,\); expected \(2,\): offset, frequencies"),
        ({"init": [1.0, np.nan]}, "init contains NaN"),
        ({"init": [1.0, 2.0, 0.0], "fit_width": True}, "width"),
        ({"bounds": [[0.0, 1.0]]}, r"bounds has shape \(1, 2\); expected \(2, 2\)"),
        ({"bounds": [[0.0, 1.0], [2.0, 1.0]]}, "the lowest value of each parameter and then"),
        ({"bounds": [[0.0, 1.0], [2.0, np.inf]]}, "bounds contains infinity"),
        ({"n_init": 0}, "'n_init' parameter of GDGaborRegressor must be an int in the range"),
        ({"n_screen": 0}, "'n_screen' parameter of GDGaborRegressor must be an int in the range"),
        ({"polish": "no"}, "'polish' parameter of GDGaborRegressor must be"),
        ({"fit_width": 1.5}, "'fit_width' parameter of GDGaborRegressor must be"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter of GDGaborRegressor must be"),
    ],
)
def test_invalid_arguments_are_refused(packet, wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        GDGaborRegressor(**wrong).fit(*packet)
