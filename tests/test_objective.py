"""The objective: value and gradient against differences, and the dual gap as an upper bound."""

import numpy as np
import pytest
from conftest import make_regression
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse

from skgd import GDRegressor
from skgd.estimators.minimizers import direct
from skgd.kernels.moments import column_means, column_squares
from skgd.kernels.sums import row_squares
from skgd.losses import SquaredError
from skgd.models import Linear
from skgd.objective.objective import Objective
from skgd.penalties import ElasticNet

PENALTIES = {None: (0.0, 0.0), "l1": (1.0, 0.0), "l2": (0.0, 1.0), "elasticnet": (0.3, 0.7)}
FORMS = [np.asarray, sparse.csr_array]


def make_weighted(seed=0, n=30, p=4):
    """Return X with zeros and a column of nothing else, y and weights with a zero."""
    X, y = make_regression(n=n, p=p, seed=seed)
    rng = np.random.default_rng(seed)
    X = X * (rng.random((n, p)) < 0.7)
    X[:, 1] = 0.0
    weight = rng.uniform(0.1, 3.0, n)
    weight[0] = 0.0
    return X, y, weight


def f_of(theta, X, y, weight, a, b):
    """Return F at (w, intercept), with penalty ``a |w| + b w^2 / 2``."""
    w = theta[:-1]
    data = 0.5 * np.average((X @ w + theta[-1] - y) ** 2, weights=weight)
    return data + a * np.abs(w).sum() + 0.5 * b * (w @ w)


def minimum(X, y, weight, a, b):
    """Return the minimum of F by scipy, as a bounded problem in ``w = u - v``."""
    s, p = weight / weight.sum(), X.shape[1]
    Z, t = X - s @ X, y - s @ y

    def function(z):
        w = z[:p] - z[p:]
        r = Z @ w - t
        g = Z.T @ (s * r) + b * w
        value = 0.5 * (s @ r**2) + a * z.sum() + 0.5 * b * (w @ w)
        return value, np.concatenate([g + a, a - g])

    options = {"maxiter": 10_000, "maxfun": 100_000, "ftol": 0.0, "gtol": 1e-13, "maxcor": 50}
    bounds = [(0.0, None)] * (2 * p)
    found = optimize.minimize(
        function, np.zeros(2 * p), jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    return found.fun


def dual(u, X, y, weight, a, b):
    """Return the dual objective at u; minus infinity where u is not feasible.

    ``max_u sum s (y u - u^2 / 2) - sum_j (|x_j . s u| - a)_+^2 / (2 b)``, with
    ``s . u = 0`` for the intercept; for b = 0 the last term bounds ``|x_j . s u|`` by a.
    """
    s = weight / weight.sum()
    assert abs(s @ u) <= 1e-12 * (1 + s @ np.abs(u))
    excess = np.maximum(np.abs(X.T @ (s * u)) - a, 0.0)
    if b == 0.0:
        beyond = np.inf if (excess > 1e-10 * (1 + a)).any() else 0.0
    else:
        beyond = 0.5 * (excess @ excess) / b
    return s @ (y * u - 0.5 * u**2) - beyond


def gap_of(theta, X, y, weight, a, b):
    """Return F minus the dual at the best multiple of the residual that is tried.

    These are the best of those that a alone makes feasible, and, where b > 0 makes all
    feasible, the residual itself and the best were there no penalty.
    """
    s = weight / weight.sum()
    r = y - X @ theta[:-1] - theta[-1]
    u, t = r - s @ r, y - s @ y
    free = s @ (t * u) / (s @ u**2)
    steepest = np.abs(X.T @ (s * u)).max()
    bounded = np.sign(free) * min(abs(free), a / steepest if steepest > 0.0 else np.inf)
    tried = [bounded] if b == 0.0 else [bounded, 1.0, free]
    best = max(dual(c * u, X, y, weight, a, b) for c in tried)
    return f_of(theta, X, y, weight, a, b) - best


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_value_and_gradient_are_those_of_the_formula_and_of_differences(penalty, form):
    X, y, weight = make_weighted()
    a, b = (0.8 * part for part in PENALTIES[penalty])
    model = GDRegressor(penalty=penalty, alpha=0.8, l1_ratio=0.3)
    target = model.objective(form(X), y, weight)
    for theta in np.random.default_rng(1).standard_normal((3, 5)):
        value, g = target.value_and_gradient(theta)
        np.testing.assert_allclose(value, f_of(theta, X, y, weight, a, b), rtol=1e-12)
        np.testing.assert_allclose(value, target.value(theta), rtol=1e-14)
        smooth = optimize.approx_fprime(theta, f_of, 1e-7, X, y, weight, 0.0, b)
        np.testing.assert_allclose(g, smooth, rtol=1e-5, atol=1e-5)
        r = weight * (X @ theta[:-1] + theta[-1] - y) / weight.sum()
        exact = np.append(X.T @ r + b * theta[:-1], r.sum())
        np.testing.assert_allclose(g, exact, rtol=1e-10, atol=1e-12)


def test_without_intercept_the_objective_has_one_parameter_less():
    X, y, weight = make_weighted()
    target = GDRegressor(penalty=None, fit_intercept=False).objective(X, y, weight)
    w = np.array([1.0, -1.0, 2.0, 0.5])
    expected = f_of(np.append(w, 0.0), X, y, weight, 0.0, 0.0)
    np.testing.assert_allclose(target.value(w), expected, rtol=1e-12)
    assert target.value_and_gradient(w)[1].shape == (4,)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("penalty_factor", [None, np.array([1.0, 0.0, 2.0, 0.5])])
def test_an_objective_with_another_alpha_is_that_of_the_alpha(form, penalty_factor):
    X, y, weight = make_weighted()
    known = {"model": Linear(False), "loss": SquaredError(), "penalty": ElasticNet(0.4)}
    known |= {
        "penalty_factor": penalty_factor,
        "centre": column_means(form(X), weight / weight.mean()),
    }
    first = Objective.of_rows(form(X), y, weight / weight.mean(), alpha=0.2, **known)
    w = np.array([0.3, 0.0, -1.0, 2.0])
    before = first.value(w), first.dual_gap(w), first.column_curvature
    with_alpha = first.with_alpha(1.5)
    fresh = Objective.of_rows(form(X), y, weight / weight.mean(), alpha=1.5, **known)
    np.testing.assert_allclose(with_alpha.value(w), fresh.value(w), rtol=1e-13)
    np.testing.assert_allclose(with_alpha.dual_gap(w), fresh.dual_gap(w), rtol=1e-12)
    assert with_alpha.column_curvature is first.column_curvature
    np.testing.assert_array_equal(with_alpha.elastic_strengths, fresh.elastic_strengths)
    np.testing.assert_allclose(with_alpha.column_curvature, fresh.column_curvature, rtol=1e-13)
    assert (first.value(w), first.dual_gap(w)) == before[:2]


@pytest.mark.parametrize("form", FORMS)
def test_rows_seen_from_a_centre_are_rows_less_the_centre(form):
    X, y, weight = make_weighted()
    X, s = X + np.array([0.0, 0.0, 50.0, -3.0]), weight / weight.mean()
    centre = np.array([1.0, -2.0, 40.0, 0.0])
    known = {"model": Linear(False), "loss": SquaredError(), "penalty": ElasticNet(0.4)}
    seen = Objective.of_rows(form(X), y, s, alpha=0.2, centre=centre, **known)
    moved = Objective.of_rows(form(X - centre), y, s, alpha=0.2, **known)
    w, v = np.array([0.3, 0.0, -1.0, 2.0]), np.array([1.0, -2.0, 0.5, 0.0])
    for one, other in (
        (seen.value(w), moved.value(w)),
        (seen.value_and_gradient(w)[1], moved.value_and_gradient(w)[1]),
        (seen.predict(w), moved.predict(w)),
        (seen.rmatvec(y), moved.rmatvec(y)),
        (seen.jacobian(w), moved.jacobian(w)),
        (seen.hessian(w), moved.hessian(w)),
        (seen.column_curvature, moved.column_curvature),
        (seen.row_curvature, moved.row_curvature),
        (seen.curvature_along(v), moved.curvature_along(v)),
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
    solver = direct(moved, 1e-10)
    solver.minimize(1000)
    excess = moved.value(w) - moved.value(solver.theta)
    for objective in (seen, moved):  # by different ways to a lower bound
        assert excess * (1.0 - 1e-9) <= objective.dual_gap(w) <= 1.01 * excess


def test_each_target_has_an_objective():
    X, y, weight = make_weighted()
    model, theta = GDRegressor(), np.arange(5.0)
    both = model.objective(X, np.column_stack([y, -3.0 * y]), weight)
    for target, single in zip(both, (y, -3.0 * y)):
        alone = model.objective(X, single, weight).value(theta)
        np.testing.assert_allclose(target.value(theta), alone, rtol=1e-13)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("centred", [True, False])
def test_squares_and_means_of_columns_and_rows_are_numpys(form, centred):
    X, _, weight = make_weighted()
    s = weight / weight.mean()
    mean = np.average(X, axis=0, weights=s)
    np.testing.assert_allclose(column_means(form(X), s), mean, rtol=1e-12, atol=1e-15)
    centre, Z = (mean, X - mean) if centred else (None, X)
    columns, rows = np.average(Z**2, axis=0, weights=s), (Z**2).sum(axis=1)
    np.testing.assert_allclose(column_squares(form(X), s, centre), columns, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(row_squares(form(X), centre), rows, rtol=1e-10, atol=1e-13)


def test_wide_and_long_data_is_summed_in_blocks_without_a_difference():
    rng = np.random.default_rng(0)
    X, s = rng.standard_normal((5, 70_000)), np.array([0.5, 2.0, 1.0, 0.0, 1.5])
    for rows in (X, np.ascontiguousarray(X.T)):
        weight = s if len(rows) == 5 else np.ones(70_000)
        found = column_squares(rows, weight, None)
        np.testing.assert_allclose(found, weight @ rows**2 / len(rows), rtol=1e-12)
        np.testing.assert_allclose(row_squares(rows, None), (rows**2).sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_curvature_along_a_direction_is_the_second_difference(form):
    X, y, weight = make_weighted()
    target = GDRegressor(penalty="elasticnet", alpha=0.8, l1_ratio=0.3).objective(
        form(X), y, weight
    )
    v = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    up, down, zero = (f_of(c * v, X, y, weight, 0.0, 0.56) for c in (1.0, -1.0, 0.0))
    np.testing.assert_allclose(target.curvature_along(v), up + down - 2.0 * zero, rtol=1e-10)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("max_iter", [1, 2000])
@pytest.mark.parametrize(("alpha", "share"), [(0.0, 0.5), (0.1, 0.0), (0.1, 0.3), (0.1, 1.0)])
def test_the_gap_of_a_fit_is_between_the_suboptimality_and_the_gap_of_its_residual(
    alpha, share, max_iter, centred, form
):
    X, y, weight = make_weighted()
    model = GDRegressor(
        penalty="elasticnet",
        alpha=alpha,
        l1_ratio=share,
        center=centred,
        max_iter=max_iter,
        tol=None,
    ).fit(form(X), y, weight)
    theta = np.append(model.coef_, model.intercept_)
    strengths = alpha * share, alpha * (1.0 - share)
    plain = gap_of(theta, X, y, weight, *strengths)
    left = f_of(theta, X, y, weight, *strengths) - minimum(X, y, weight, *strengths)
    assert left - 1e-12 <= model.dual_gap_ <= plain * (1.0 + 1e-9) + 1e-14
    if max_iter > 1:
        assert model.dual_gap_ < 1e-12


def test_the_gap_of_float32_is_that_of_the_rounded_parameters():
    X, y, weight = make_weighted()
    X = X.astype(np.float32)
    model = GDRegressor(penalty="l1", alpha=0.1, max_iter=20, tol=None).fit(X, y, weight)
    theta = np.append(model.coef_, model.intercept_).astype(float)
    X = X.astype(float)
    left = f_of(theta, X, y, weight, 0.1, 0.0) - minimum(X, y, weight, 0.1, 0.0)
    assert left - 1e-6 <= model.dual_gap_ <= gap_of(theta, X, y, weight, 0.1, 0.0) + 1e-6


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_gap_of_a_constant_target_is_zero(share):
    X, _, weight = make_weighted()
    options = {"penalty": "elasticnet", "l1_ratio": share, "alpha": 0.1}
    model = GDRegressor(**options).fit(X, np.full(30, 0.7), weight)
    assert 0.0 <= model.dual_gap_ < 1e-15


@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_if_the_penalty_sets_all_weights_to_zero_the_gap_is_zero_at_zero(penalty):
    X, y, weight = make_weighted()
    s = weight / weight.sum()
    largest = np.abs((X - s @ X).T @ (s * (y - s @ y))).max()
    model = GDRegressor(penalty=penalty, alpha=1.001 * largest / 0.3, l1_ratio=0.3).fit(
        X, y, weight
    )
    np.testing.assert_array_equal(model.coef_, np.zeros(4))
    assert model.dual_gap_ < 1e-12


def draw_problem(seed, n, p, decades):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-decades, decades, p)
    X *= rng.random((n, p)) < 0.8
    y = 10.0 ** rng.uniform(-decades, decades) * (rng.standard_normal(n) + rng.integers(0, 3))
    theta = rng.standard_normal(p + 1) * (rng.random(p + 1) < 0.6)
    return X, y, rng.exponential(size=n) + 1e-3, theta * 10.0 ** rng.uniform(-2, 1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 12),
    p=st.integers(1, 5),
    alpha=st.sampled_from([1e-3, 0.1, 1.0, 30.0]),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    form=st.sampled_from(FORMS),
)
def test_the_gap_is_at_least_the_suboptimality(seed, n, p, alpha, share, form):
    X, y, weight, theta = draw_problem(seed, n, p, 0.5)
    a, b = alpha * share, alpha * (1.0 - share)
    s = weight * (n / weight.sum())
    parts = {"loss": SquaredError(), "penalty": ElasticNet(share), "alpha": alpha}
    target = Objective.of_rows(form(X), y, s, model=Linear(True), **parts)
    lowest = minimum(X, y, weight, a, b)
    left = f_of(theta, X, y, weight, a, b) - lowest
    rounding = 1e-9 * (lowest + abs(left)) + 1e-12
    assert left >= -rounding
    assert target.dual_gap(theta) >= left - rounding


def test_the_gap_of_ridge_is_at_most_the_squared_gradient_over_twice_alpha():
    X, y, weight = make_weighted()
    target = GDRegressor(penalty="l2", alpha=0.3).objective(X, y, weight)
    mean, level = np.average(X, axis=0, weights=weight), np.average(y, weights=weight)
    for w in np.random.default_rng(0).standard_normal((10, 4)):
        theta = np.append(w, level - mean @ w)  # where the intercept's gradient is zero
        g = target.value_and_gradient(theta)[1]
        assert 0.0 < target.dual_gap(theta) <= g @ g / 0.6 * (1 + 1e-12)
