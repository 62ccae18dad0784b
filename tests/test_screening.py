"""The starts of descents; the best of them ends in the global minimum."""

import numpy as np
import pytest
from scipy import optimize, sparse

from skgd import GDGaborRegressor
from skgd.datasets import load_gabor, make_gabor
from skgd.multistart.screening import default_bounds, screen

EXTRAS = {"fit_amplitude": True, "fit_width": True, "fit_baseline": True}


def wave(z):
    return np.sin(z) * np.exp(-(z**2) / 32.0)


def misfit(theta, x, y):
    """Return half the mean squared error of packets, one for each row of (offset, frequency)."""
    theta = np.atleast_2d(theta)
    return ((wave(theta[:, :1] + 0.06 * theta[:, 1:] * x) - y) ** 2).mean(axis=1) / 2.0


# What the default finds


def draw_problem(seed):
    """Return 30 noisy rows of a random packet: x, y and the truth."""
    rng = np.random.default_rng(seed)
    x, truth = rng.uniform(-15.0, 15.0, 30), np.array([rng.uniform(-5, 5), rng.uniform(5, 25)])
    return x, wave(truth[0] + 0.06 * truth[1] * x) + 0.1 * rng.standard_normal(30), truth


def best_known(x, y, truth, n_starts):
    """Return the lowest misfit by Levenberg and Marquardt from a dense grid of packets.

    The grid has the frequencies that the estimator thinks worth trying, of both signs, and every
    packet whose middle is within the range of x; the truth is one more start.
    """
    fastest = np.pi * 29.0 / (0.06 * np.ptp(x))
    w, middle, phase = np.meshgrid(
        np.linspace(-fastest, fastest, 121), np.linspace(x.min(), x.max(), 21), np.arange(-4, 5)
    )
    starts = np.column_stack([(phase - 0.06 * w * middle).ravel(), w.ravel()])
    starts = np.vstack([truth, starts[np.argsort(misfit(starts, x, y))[:n_starts]]])

    def residuals(theta):
        return wave(theta[0] + 0.06 * theta[1] * x) - y

    ends = [optimize.least_squares(residuals, start, method="lm").x for start in starts]
    return misfit(ends, x, y).min()


def is_best(seed, n_starts):
    x, y, truth = draw_problem(seed)
    found = GDGaborRegressor(random_state=seed).fit(x[:, None], y).theta_
    return misfit(found, x, y)[0] <= best_known(x, y, truth, n_starts) * (1.0 + 1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_the_default_finds_the_global_minimum(seed):
    assert is_best(seed, n_starts=20)


@pytest.mark.slow
def test_of_a_hundred_random_problems_the_default_solves_ninety_nine():
    assert sum(is_best(seed, n_starts=40) for seed in range(100)) >= 99


@pytest.mark.parametrize("seed", range(3))
def test_a_packet_of_two_columns_is_found(seed):
    X, y = make_gabor(60, 2, noise=0.05, random_state=seed)
    model = GDGaborRegressor(max_iter=100, random_state=0).fit(X, y)
    truth = np.append(0.0, np.full(2, load_gabor().theta[1] / np.sqrt(2.0)))
    assert (np.abs(model.theta_ - truth) < 4.0 * model.standard_errors_).all()


# The starts


def starts_of(X, y, n_screen=400, n_init=5, seed=0, weight=None, **options):
    """Return the starts in the estimator's order, and F and its gradient there."""
    model = GDGaborRegressor(
        n_screen=n_screen, n_init=n_init, random_state=seed, max_iter=1, polish=False, **options
    )
    objective = model.objective(X, y, weight)
    found = screen(objective, n_screen, n_init, np.random.default_rng(seed))
    return found, *zip(*(objective.value_and_gradient(theta) for theta in found))


def test_the_starts_come_best_first_and_their_curves_differ():
    X, y = load_gabor(return_X_y=True)
    starts, losses, _ = starts_of(X, y, n_init=8)
    assert list(losses) == sorted(losses)
    curves = wave(starts[:, 1:] + 0.06 * starts[:, :1] * X.ravel())
    for k, loss in enumerate(losses):
        apart = np.mean((curves[k + 1 :] - curves[k]) ** 2, axis=1)
        assert (apart > 0.5 * loss).all()


def test_more_points_give_a_better_first_start():
    X, y = load_gabor(return_X_y=True)
    few = [starts_of(X, y, n_screen=100, n_init=1, seed=k)[1][0] for k in range(20)]
    many = [starts_of(X, y, n_screen=3000, n_init=1, seed=k)[1][0] for k in range(20)]
    assert max(many) < np.median(few)


def test_amplitude_and_baseline_start_at_their_least_squares_fit():
    X, y = make_gabor(40, random_state=2)
    weight = np.random.default_rng(0).uniform(0.1, 2.0, 40)
    y = 3.0 * y - 7.0
    starts, losses, gradients = starts_of(X, y, weight=weight, n_screen=300, **EXTRAS)
    free = np.abs(starts[:, 2]) < 0.99 * 2.0 * np.abs(y - np.average(y, weights=weight)).max()
    assert free.sum() >= 3
    np.testing.assert_allclose(np.array(gradients)[free][:, [2, 4]], 0.0, atol=1e-10)
    spread = np.average((y - np.average(y, weights=weight)) ** 2, weights=weight) / 2.0
    assert max(np.array(losses)[free]) <= spread


@pytest.mark.parametrize("seed", range(3))
def test_no_start_has_an_amplitude_beyond_twice_the_targets(seed):
    X, y = make_gabor(4, random_state=seed)  # where packets between the rows ask for any
    amplitudes = np.abs(starts_of(X, y, n_screen=300, n_init=300, **EXTRAS)[0][:, 2])
    largest = 2.0 * np.abs(y - y.mean()).max()
    assert (amplitudes <= largest * (1.0 + 1e-12)).all()
    assert amplitudes.max() >= largest * (1.0 - 1e-12)


def test_one_of_the_points_is_the_straight_line():
    X = np.random.default_rng(0).uniform(-1.0, 1.0, (30, 2))
    y = 0.01 * (X @ [1.0, -2.0]) + 0.002
    starts, losses, _ = starts_of(X, y, n_screen=1, n_init=3)
    expected = [1.0 * 0.01 / 0.06, -2.0 * 0.01 / 0.06, 0.002]
    np.testing.assert_allclose(starts, [expected], rtol=1e-8)
    assert losses[0] < 1e-6 * np.mean(y**2)


def test_rows_without_weight_do_not_matter_to_the_starts():
    X, y = load_gabor(return_X_y=True)
    weight = np.append(np.ones(30), 0.0)
    wide, off = np.vstack([X, [[1e6]]]), np.append(y, 1e3)
    for options in ({}, EXTRAS):
        found = starts_of(wide, off, weight=weight, **options)[0]
        np.testing.assert_allclose(found, starts_of(X, y, **options)[0], rtol=1e-12)


def test_many_rows_are_ranked_on_some_of_them():
    X, y = make_gabor(2000, random_state=0)
    starts, losses, _ = starts_of(X, y, n_screen=2000)
    assert starts.shape == (5, 2)
    assert losses[0] < 0.3 * np.mean(y**2) / 2.0


# The box


def test_the_fastest_wave_has_half_a_period_between_neighbours():
    x = np.linspace(-3.0, 8.0, 12)
    fastest, low, high = default_bounds(x[:, None])
    np.testing.assert_allclose(np.diff(0.06 * fastest * x), np.pi)
    np.testing.assert_array_equal([low, high], [[-3.0], [8.0]])
    shared = default_bounds(np.column_stack([x, 10.0 * x]))[0]
    np.testing.assert_allclose(shared, np.append(fastest, 0.1 * fastest) / np.sqrt(2.0))


def test_the_box_does_not_depend_on_storage_and_allows_constant_columns():
    X = np.column_stack([np.linspace(-1.0, 2.0, 9), np.zeros(9), np.full(9, 7.0)])
    X[::2, 0] = 0.0
    for dense, other in zip(default_bounds(X), default_bounds(sparse.csr_array(X))):
        np.testing.assert_array_equal(dense, other)
        assert np.isfinite(dense).all()


def test_the_starts_lie_within_bounds_in_the_order_of_init():
    X, y = make_gabor(30, 2, random_state=0)
    bounds = [[-1.0, 1.0], [5.0, 6.0], [-9.0, -8.0], [2.0, 3.0], [1.5, 1.5], [-0.2, 0.1]]
    model = GDGaborRegressor(
        bounds=bounds, n_init=6, n_screen=50, max_iter=2, tol=None, random_state=0, **EXTRAS
    ).fit(X, y)
    low, high = np.transpose(bounds)
    assert model.starts_.shape == (6, 6)
    assert (model.starts_ >= low).all()
    assert (model.starts_ <= high).all()
    assert (np.ptp(model.starts_, axis=0) > 0.0).tolist() == [True] * 4 + [False, True]


def test_bounds_around_a_local_minimum_lead_to_it_and_are_no_constraints():
    data = load_gabor()
    local = data.minima[4, :2]
    box = np.column_stack([local - [0.2, 0.5], local - [0.1, 0.2]])
    model = GDGaborRegressor(bounds=box, n_init=2, n_screen=20, random_state=0)
    model.fit(data.data, data.target)
    np.testing.assert_allclose(model.theta_, local, atol=5.1e-5)  # digits of the table


# How many, and who does the work


@pytest.mark.parametrize("n_init", [1, 4])
def test_as_many_descents_as_asked_begin_at_different_points(n_init):
    X, y = load_gabor(return_X_y=True)
    model = GDGaborRegressor(n_init=n_init, n_screen=200, max_iter=50, random_state=0).fit(X, y)
    assert model.starts_.shape == (n_init, 2)
    assert len(np.unique(model.starts_, axis=0)) == n_init
    assert sum(point.n_starts for point in model.minima_) == n_init
    few = GDGaborRegressor(n_init=n_init, n_screen=1, max_iter=50, random_state=0).fit(X, y)
    assert few.starts_.shape == (1, 2)


def test_threads_share_the_starts_and_change_nothing():
    X, y = load_gabor(return_X_y=True)
    options = {"n_init": 4, "n_screen": 200, "max_iter": 50, "random_state": 0}
    one, two = (
        GDGaborRegressor(n_jobs=n_jobs, record_path=True, **options).fit(X, y)
        for n_jobs in (None, 2)
    )
    np.testing.assert_allclose(two.theta_, one.theta_, rtol=1e-9)
    np.testing.assert_allclose(two.path_, one.path_, rtol=1e-9)
    assert [point.n_starts for point in two.minima_] == [point.n_starts for point in one.minima_]


def test_the_same_seed_gives_the_same_starts_and_another_others():
    X, y = load_gabor(return_X_y=True)
    model = GDGaborRegressor(n_init=3, n_screen=100, max_iter=5)
    a, b, c = (model.set_params(random_state=k).fit(X, y).starts_ for k in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a != c).all()
