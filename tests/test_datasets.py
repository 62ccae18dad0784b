"""The data with known truth, against scipy's search of the whole box."""

from itertools import product

import numpy as np
import pytest
from scipy import optimize, stats

from skgd.datasets import load_gabor, make_gabor


def wave(z):
    return np.sin(z) * np.exp(-(z**2) / 32.0)


def objective(theta, X, y):
    """Return the mean of half the squared errors at (offset, frequencies)."""
    return np.mean((wave(theta[0] + 0.06 * (X @ theta[1:])) - y) ** 2) / 2.0


def gradient(theta, X, y):
    z = theta[0] + 0.06 * (X @ theta[1:])
    slope = (np.cos(z) - z * np.sin(z) / 16.0) * np.exp(-(z**2) / 32.0)
    pull = (wave(z) - y) * slope / len(y)
    return np.append(pull.sum(), 0.06 * (X.T @ pull))


def test_rows_follow_the_formula():
    X, y = make_gabor(50, 3, theta=[0.5, 3.0, -8.0, 12.0], noise=0.0, random_state=0)
    z = 0.5 + 0.06 * (3.0 * X[:, 0] - 8.0 * X[:, 1] + 12.0 * X[:, 2])
    assert X.shape == (50, 3)
    np.testing.assert_allclose(y, wave(z), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("p", [1, 4])
def test_the_default_truth_has_an_offset_of_zero_and_a_frequency_of_a_fixed_length(p):
    X, y = make_gabor(20, p, noise=0.0, random_state=0)
    np.testing.assert_allclose(y, wave(0.06 * 16.6 / np.sqrt(p) * X.sum(axis=1)), rtol=1e-12)


def test_rows_are_even_and_noise_is_normal_with_its_standard_deviation():
    X, y = make_gabor(4000, noise=0.3, random_state=0)
    clean = wave(0.06 * 16.6 * X.ravel())
    assert -15.0 <= X.min() < -14.9
    assert 14.9 < X.max() <= 15.0
    assert stats.kstest(X.ravel(), stats.uniform(-15.0, 30.0).cdf).pvalue > 1e-3
    assert stats.kstest((y - clean) / 0.3, stats.norm.cdf).pvalue > 1e-3


def test_the_noise_is_added_to_the_same_rows():
    (X, clean), (same, noisy) = (make_gabor(noise=s, random_state=4) for s in (0.0, 0.2))
    np.testing.assert_array_equal(X, same)
    assert 0.0 < np.std(noisy - clean) < 0.4


def test_a_seed_gives_the_same_data_and_another_seed_others():
    a, b, c = (make_gabor(random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a[0], b[0])
    np.testing.assert_array_equal(a[1], b[1])
    assert (a[0] != c[0]).all()
    state = np.random.RandomState(0)
    np.testing.assert_array_equal(make_gabor(random_state=state)[0], a[0])


@pytest.mark.parametrize("theta", [[1.0], [1.0, 2.0, 3.0], [[0.0, 16.6]]])
def test_a_truth_of_another_shape_is_refused(theta):
    with pytest.raises(ValueError, match=r"expected \(2,\): offset and frequencies"):
        make_gabor(theta=theta)


def test_the_fixed_problem_is_the_first_of_the_made_ones():
    data = load_gabor()
    X, y = load_gabor(return_X_y=True)
    made = make_gabor(random_state=1)
    for a, b, c in zip((X, y), (data.data, data.target), made):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    noise = (y - wave(data.theta[0] + 0.06 * X @ data.theta[1:])) / 0.1
    assert 1e-3 < stats.chi2.cdf(noise @ noise, len(y)) < 1.0 - 1e-3


def test_the_fixed_problem_has_the_minima_of_its_table_and_no_others():
    data = load_gabor()
    ends, distinct = [], []
    for start in product(np.linspace(-10.0, 10.0, 17), np.linspace(2.5, 22.5, 17)):
        found = optimize.minimize(
            objective, start, (data.data, data.target), jac=gradient, options={"gtol": 1e-8}
        )
        if abs(found.x[0]) <= 10.0 and 2.5 <= found.x[1] <= 22.5:
            ends.append([*found.x, found.fun])
    for end in sorted(ends, key=lambda end: end[2]):
        if not distinct or np.abs(np.subtract(distinct, end)[:, :2]).max(axis=1).min() > 1e-3:
            distinct.append(end)
    np.testing.assert_allclose(distinct, data.minima, rtol=0.0, atol=5.1e-5)


def test_the_table_of_the_docstring_is_the_data():
    lines = load_gabor.__doc__.split("\n")
    rows = [line.split() for line in lines if line.strip()[:1] in "-0123456789" and line.strip()]
    table = [[float(cell) for cell in row] for row in rows if len(row) == 3]
    np.testing.assert_allclose(table, load_gabor().minima, rtol=0.0, atol=0.0051)
    assert load_gabor.__doc__ == load_gabor().DESCR


@pytest.mark.parametrize(("start", "index"), [("good_start", 0), ("bad_start", 1)])
def test_descent_in_plain_numpy_goes_from_each_start_to_its_minimum(start, index):
    data = load_gabor()
    theta = data[start].copy()
    for _ in range(3000):
        theta -= 2.0 * gradient(theta, data.data, data.target)
    np.testing.assert_allclose(theta, data.minima[index, :2], atol=5.1e-5)
