"""Derivatives on all rows against differences, and the classification of stationary points."""

from itertools import product

import numpy as np
import pytest
from scipy import optimize, sparse
from sklearn.exceptions import ConvergenceWarning

from skgd import GDGaborRegressor
from skgd.datasets import load_gabor, make_gabor
from skgd.multistart.minima import End, StationaryPoint, covariance, describe, distinct
from skgd.multistart.newton import polish

EXTRAS = ("fit_amplitude", "fit_width", "fit_baseline")
FITTED = [dict(zip(EXTRAS, which)) for which in product([False, True], repeat=3)]
every_model = pytest.mark.parametrize(
    "fitted", FITTED, ids=lambda f: "+".join(name[4:] for name in f if f[name]) or "plain"
)
STARTS = [[-4.0, 12.0], [1.5, 8.5], [3.0, 20.0], [-8.0, 5.0]]


def curve(theta, X, fitted):
    """Return the wave packet with (offset, frequencies, the extras that are fitted)."""
    p = X.shape[1]
    extras = iter(theta[1 + p :])
    a, s, c = (next(extras) if fitted[key] else v for key, v in zip(EXTRAS, (1.0, 4.0, 0.0)))
    u = theta[0] + 0.06 * (X @ theta[1 : 1 + p])
    return a * np.sin(u) * np.exp(-(u**2) / (2.0 * s**2)) + c


def loss_of(theta, X, y, weight, fitted=FITTED[0], alpha=0.0):
    """Return F, with alpha times half the squared frequencies."""
    residual = curve(theta, X, fitted) - y
    w = theta[1 : 1 + X.shape[1]]
    return 0.5 * (weight @ residual**2) / weight.sum() + 0.5 * alpha * (w @ w)


def slopes_of(function, theta, h=1e-20):
    """Return the derivatives by complex steps, which do not round: a row for each parameter."""
    return np.array([function(theta + step).imag / h for step in h * 1j * np.eye(len(theta))])


def bends_of(function, theta, h=1e-5):
    """Return the second derivatives, as differences of `slopes_of`."""
    steps = h * np.eye(len(theta))
    return np.array(
        [
            (slopes_of(function, theta + s) - slopes_of(function, theta - s)) / (2 * h)
            for s in steps
        ]
    )


def make_weighted(fitted, n=25, p=2, seed=0):
    """Return X, y, weights, and parameters in the estimator's order."""
    rng = np.random.default_rng(seed)
    extras = [v for key, v in zip(EXTRAS, (1.6, 3.1, -0.4)) if fitted[key]]
    theta = np.concatenate([[0.3], rng.uniform(3.0, 12.0, p), extras])
    X = rng.uniform(-15.0, 15.0, (n, p))
    y = curve(theta, X, fitted) + 0.1 * rng.standard_normal(n)
    return X, y, rng.uniform(0.1, 3.0, n), theta + 0.1 * rng.standard_normal(len(theta))


# The objective's derivatives


@every_model
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_gradient_jacobian_and_hessian_are_those_of_differences(fitted, form):
    X, y, weight, theta = make_weighted(fitted)
    model = GDGaborRegressor(penalty="l2", alpha=0.3, **fitted)
    objective = model.objective(form(X), y, weight)
    order = [1, 2, 0, *range(3, len(theta))]  # the objective's: frequencies first
    inward, args = theta[order], (X, y, weight, fitted, 0.3)
    value, g = objective.value_and_gradient(inward)
    np.testing.assert_allclose(value, loss_of(theta, *args), rtol=1e-12)
    expected = slopes_of(lambda t: loss_of(t, *args), theta)[order]
    np.testing.assert_allclose(g, expected, rtol=1e-10, atol=1e-13)
    by_scipy = optimize.approx_fprime(inward, objective.value, 1e-7)
    np.testing.assert_allclose(g, by_scipy, rtol=1e-4, atol=1e-5)
    J = slopes_of(lambda t: curve(t, X, fitted), theta).T[:, order]
    np.testing.assert_allclose(objective.jacobian(inward), J, rtol=1e-11, atol=1e-13)
    H = bends_of(lambda t: loss_of(t, *args), theta)[np.ix_(order, order)]
    np.testing.assert_allclose(objective.hessian(inward), H, rtol=1e-6, atol=1e-8)


# Kinds of stationary points


def stationary(kind, low=(-8.0, 3.0), high=(8.0, 22.0)):
    """Return a stationary point of `load_gabor` of this kind, as a root of the gradient."""
    X, y = load_gabor(return_X_y=True)
    rng, weight = np.random.default_rng(0), np.ones(30)

    def f(theta):
        return loss_of(theta, X, y, weight)

    for start in rng.uniform(low, high, (300, 2)):
        root = optimize.root(
            lambda t: slopes_of(f, t), start, jac=lambda t: bends_of(f, t), tol=1e-14
        )
        eigenvalues_scaled = np.linalg.eigvalsh(bends_of(f, root.x))
        found = {(1, 1): "minimum", (-1, 1): "saddle", (-1, -1): "maximum"}
        near = (
            np.abs(slopes_of(f, root.x)).max() < 1e-14 and np.abs(eigenvalues_scaled).min() > 1e-3
        )
        near = near and (root.x > low).all() and (root.x < high).all()
        if near and found[tuple(np.sign(eigenvalues_scaled).astype(int))] == kind:
            return root.x, eigenvalues_scaled
    raise AssertionError(f"no {kind} found")


@pytest.mark.parametrize("kind", ["saddle", "maximum"])
@pytest.mark.parametrize("optimizer", ["gd", "nesterov"])
def test_a_descent_that_starts_at_a_saddle_or_a_maximum_stays_there_and_reports_its_kind(
    kind, optimizer
):
    theta, eigenvalues_scaled = stationary(kind)
    model = GDGaborRegressor(init=theta, optimizer=optimizer)
    with pytest.warns(
        ConvergenceWarning, match=f"has ended at a {kind}: the smallest eigenvalue"
    ) as caught:
        model.fit(*load_gabor(return_X_y=True))
    assert (model.kind_, caught[0].filename) == (kind, __file__)
    np.testing.assert_allclose(model.theta_, theta, atol=1e-9)
    np.testing.assert_allclose(model.hessian_eigenvalues_, eigenvalues_scaled, rtol=1e-6)


def test_polishing_leads_away_from_a_saddle():
    X, y = load_gabor(return_X_y=True)
    theta, _ = stationary("saddle")
    model = GDGaborRegressor(init=theta + 1e-6, max_iter=1, tol=None, polish=True).fit(X, y)
    args = X, y, np.ones(30)
    assert model.kind_ == "minimum"
    assert np.linalg.eigvalsh(bends_of(lambda t: loss_of(t, *args), model.theta_))[0] > 0.0
    assert loss_of(model.theta_, *args) < loss_of(theta, *args) - 1e-3


def test_polishing_does_not_cross_a_kink_of_the_penalty():
    X, y = make_gabor(40, 3, theta=[0.4, 9.0, 0.0, 0.0], random_state=0)
    model = GDGaborRegressor(penalty="l1", alpha=0.003, init=[0.3, 7.0, 1.0, -1.0])
    minimum = model.set_params(max_iter=5000, tol=1e-10).fit(X, y).parameters()
    objective = model.objective(X, y)
    assert minimum[1] > 0.0  # and on the other side of zero lies none that keeps its sign
    for weight in (1e-3, 0.5):
        right, wrong = minimum.copy(), minimum.copy()
        right[1], wrong[1] = weight, -weight
        np.testing.assert_allclose(polish(objective, right), minimum, atol=1e-6)
        np.testing.assert_array_equal(polish(objective, wrong), wrong)


def test_a_minimum_found_by_newton_is_classified_as_one():
    theta, eigenvalues_scaled = stationary("minimum")
    model = GDGaborRegressor(init=theta).fit(*load_gabor(return_X_y=True))
    assert model.kind_ == "minimum"
    np.testing.assert_allclose(model.hessian_eigenvalues_, eigenvalues_scaled, rtol=1e-6)


def test_if_no_row_overlaps_the_packet_the_objective_is_flat():
    model = GDGaborRegressor(init=[1000.0, 1.0]).fit(*load_gabor(return_X_y=True))
    assert model.kind_ == "flat"
    np.testing.assert_array_equal(model.hessian_eigenvalues_, [0.0, 0.0])


def test_on_a_slope_a_point_is_not_stationary():
    X, y = load_gabor(return_X_y=True)
    objective = GDGaborRegressor().objective(X, y)
    assert describe(objective, np.array([12.0, -4.0])).kind == "not stationary"
    assert describe(objective, np.array([16.4, 0.0])).kind == "not stationary"


def test_frequencies_held_at_zero_have_no_curvature_of_their_own():
    X, y = make_gabor(40, 3, theta=[0.2, 9.0, 0.0, 0.0], random_state=0)
    model = GDGaborRegressor(penalty="l1", alpha=0.005, init=[0.1, 8.0, 1.0, 1.0], polish=True)
    model.fit(X, y)
    held = model.frequency_ == 0.0
    assert 0 < held.sum() < 3
    free = np.append(True, ~held)
    eigenvalues_scaled = bends_of(lambda t: loss_of(t, X, y, np.ones(40)), model.theta_)[
        np.ix_(free, free)
    ]
    np.testing.assert_allclose(
        model.hessian_eigenvalues_[: free.sum()], np.linalg.eigvalsh(eigenvalues_scaled), rtol=1e-5
    )
    assert np.isnan(model.hessian_eigenvalues_[free.sum() :]).all()


# The reported solution


def gain_of_levenberg_marquardt(theta, X, y, weight, fitted):
    """Return the share of F that one step of Gauss and Newton takes off, damped but little."""
    root = np.sqrt(weight)
    J = root[:, None] * slopes_of(lambda t: curve(t, X, fitted), theta).T
    scale = np.linalg.norm(J, axis=0)
    damped = np.vstack([J / scale, 1e-5 * np.eye(len(theta))])
    residual = np.append(root * (y - curve(theta, X, fitted)), np.zeros(len(theta)))
    step = np.linalg.lstsq(damped, residual, rcond=None)[0] / scale
    before = loss_of(theta, X, y, weight, fitted)
    return (before - loss_of(theta + step, X, y, weight, fitted)) / before


@every_model
@pytest.mark.parametrize("seed", range(2))
def test_the_solution_is_stationary_and_a_minimum(fitted, seed):
    X, y, weight, _ = make_weighted(fitted, n=30, p=1, seed=seed)
    model = GDGaborRegressor(max_iter=30, n_screen=300, n_init=3, random_state=0, **fitted)
    theta = model.fit(X, y, weight).theta_
    assert model.converged_
    assert model.kind_ == "minimum"
    assert gain_of_levenberg_marquardt(theta, X, y, weight, fitted) < 1e-6
    eigenvalues_scaled = bends_of(lambda t: loss_of(t, X, y, weight, fitted), theta)
    np.testing.assert_allclose(
        model.hessian_eigenvalues_, np.linalg.eigvalsh(eigenvalues_scaled), rtol=1e-6, atol=1e-9
    )
    assert model.hessian_eigenvalues_[0] > 0.0


@every_model
@pytest.mark.parametrize("weighted", [False, True])
def test_covariance_and_standard_errors_are_those_of_curve_fit(fitted, weighted):
    X, y, weight, _ = make_weighted(fitted, n=40, p=1)
    weight = weight if weighted else None
    model = GDGaborRegressor(max_iter=30, n_screen=300, n_init=3, random_state=0, **fitted)
    model.fit(X, y, weight)
    theta, expected = optimize.curve_fit(
        lambda x, *theta: curve(np.array(theta), x, fitted),
        X,
        y,
        p0=model.theta_,
        sigma=None if weight is None else 1.0 / np.sqrt(weight),
        jac=lambda x, *theta: slopes_of(lambda t: curve(t, x, fitted), np.array(theta)).T,
        ftol=1e-14,
        xtol=1e-14,
        gtol=1e-14,
    )
    np.testing.assert_allclose(model.theta_, theta, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(model.covariance_, expected, rtol=1e-4, atol=1e-10)
    np.testing.assert_allclose(model.standard_errors_, np.sqrt(np.diag(expected)), rtol=1e-5)


def test_without_more_rows_than_parameters_the_covariance_is_infinite():
    X, y = make_gabor(2, random_state=0)
    objective = GDGaborRegressor().objective(X, y)
    np.testing.assert_array_equal(covariance(objective, np.ones(2)), np.full((2, 2), np.inf))
    X, y = make_gabor(30, random_state=0)
    twice = GDGaborRegressor().objective(np.column_stack([X, X]), y)
    assert np.isinf(covariance(twice, np.array([8.0, 8.0, 0.0]))).all()


# The list of them


def test_the_list_of_minima_is_sorted_distinct_and_complete():
    X, y = load_gabor(return_X_y=True)
    model = GDGaborRegressor(n_init=8, n_screen=400, max_iter=200, random_state=1).fit(X, y)
    points, weight = model.minima_, np.ones(30)

    def slopes(theta):
        return slopes_of(lambda t: loss_of(t, X, y, weight), theta)

    assert len(points) > 2
    assert sum(point.n_starts for point in points) == len(model.starts_) == 8
    objectives = [point.objective for point in points]
    assert objectives == sorted(objectives)
    curves = [curve(point.theta, X, FITTED[0]) for point in points]
    apart = [np.mean((a - b) ** 2) for a, b in product(curves, curves) if a is not b]
    assert min(apart) > 1e-6 * np.mean(y**2)
    for point in points:
        np.testing.assert_allclose(point.objective, loss_of(point.theta, X, y, weight))
        eigenvalues_scaled = np.linalg.eigvalsh(
            bends_of(lambda t: loss_of(t, X, y, weight), point.theta)
        )
        np.testing.assert_allclose(point.eigenvalues, eigenvalues_scaled, rtol=1e-6, atol=1e-9)
        assert (point.kind == "minimum") == (eigenvalues_scaled[0] > 1e-4)
        root = optimize.root(slopes, point.theta, tol=1e-13)
        np.testing.assert_allclose(root.x, point.theta, atol=1e-7)
    np.testing.assert_array_equal(points[0].theta, model.theta_)


def test_the_list_of_minima_prints_as_a_table():
    model = GDGaborRegressor(n_init=6, n_screen=400, random_state=1)
    points = model.fit(*load_gabor(return_X_y=True)).minima_
    head, rule, *lines = str(points).split("\n")
    assert head.split() == ["kind", "objective", "starts", "parameters"]
    assert set(rule) == {"-"}
    for point, line in zip(points, lines, strict=True):
        kind, *cells = line.split()
        assert kind == point.kind
        expected = [point.objective, point.n_starts, *point.theta]
        np.testing.assert_allclose([float(cell) for cell in cells], expected, rtol=1e-4)


def test_points_with_one_curve_are_one_point():
    X, y = load_gabor(return_X_y=True)
    objective = GDGaborRegressor(fit_amplitude=True).objective(X, y)
    theta = np.array([16.0, 0.2, 0.9])
    other = np.array([3.0, 9.0, 1.0])
    points = [(theta, 1), (-theta, 1), (theta + 1e-6, 2), (other, 1)]
    merged = distinct(objective, [End(*point, None) for point in points])
    assert [end.n_starts for end in merged] == [4, 1]
    np.testing.assert_allclose(np.abs(merged[0].theta), theta, atol=1e-5)


def test_polishing_ends_where_scipy_does():
    X, y = load_gabor(return_X_y=True)
    objective = GDGaborRegressor().objective(X, y)
    for theta in load_gabor().minima[:, [1, 0]] * 1.01:
        end = polish(objective, theta)
        root = optimize.root(lambda t: objective.value_and_gradient(t)[1], end, tol=1e-13)
        np.testing.assert_allclose(end, root.x, atol=1e-8)
        assert np.abs(objective.value_and_gradient(end)[1]).max() < 1e-9
        assert objective.value(end) < objective.value(theta)
    assert isinstance(describe(objective, end, 3), StationaryPoint)
