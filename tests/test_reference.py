"""The reference solutions, against numpy and scikit-learn."""

import numpy as np
import pytest
from conftest import make_regression
from scipy import optimize, sparse
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge

from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor
from skgd.optimizers import Adam
from skgd.penalties import Penalty
from skgd.reference import Solution, closed_form, compare, lbfgs, levenberg_marquardt

WEIGHT = np.random.default_rng(6).uniform(0.1, 3.0, 40)
weighted = pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
intercepts = pytest.mark.parametrize("intercept", [True, False])


def without_full_rank(n, p):
    X = make_regression(n=n, p=p)[0]
    X[:, 2] = X[:, 0] - 2.0 * X[:, 1]
    return X


SHAPES = {
    "tall": make_regression()[0],
    "square": make_regression(p=40)[0],
    "wide": make_regression(p=60)[0],
    "tall, of lower rank": without_full_rank(40, 5),
    "wide, of lower rank": without_full_rank(40, 60),
    "a constant column": np.column_stack([make_regression()[0], np.full(40, 3.0)]),
    "all zero": np.zeros((40, 3)),
}
shapes = pytest.mark.parametrize("shape", SHAPES)
Y = make_regression()[1]


def theta(model, intercept):
    return np.append(model.coef_, model.intercept_)[: model.n_features_in_ + intercept]


# The closed form


@shapes
@intercepts
@weighted
def test_without_a_penalty_the_closed_form_is_the_shortest_least_squares(shape, intercept, weight):
    X = SHAPES[shape]
    objective = GDRegressor(penalty=None, fit_intercept=intercept).objective(X, Y, weight)
    root = np.ones(40) if weight is None else np.sqrt(weight)
    x_mean = np.average(X, axis=0, weights=weight) * intercept
    y_mean = np.average(Y, weights=weight) * intercept
    w = np.linalg.lstsq(root[:, None] * (X - x_mean), root * (Y - y_mean), rcond=1e-12)[0]
    expected = np.append(w, y_mean - x_mean @ w)[: len(w) + intercept]
    np.testing.assert_allclose(closed_form(objective).theta, expected, rtol=1e-7, atol=1e-9)


@shapes
@intercepts
@weighted
def test_with_an_l2_penalty_the_closed_form_is_ridge(shape, intercept, weight):
    X, total = SHAPES[shape], 40.0 if weight is None else weight.sum()
    objective = GDRegressor(alpha=0.2, fit_intercept=intercept).objective(X, Y, weight)
    ridge = Ridge(0.2 * total, fit_intercept=intercept, solver="cholesky")
    expected = theta(ridge.fit(X, Y, weight), intercept)
    np.testing.assert_allclose(closed_form(objective).theta, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("shape", ["tall", "wide"])
def test_without_a_penalty_the_closed_form_is_linear_regression(shape):
    expected = theta(LinearRegression().fit(SHAPES[shape], Y, WEIGHT), True)
    objective = GDRegressor(penalty=None).objective(SHAPES[shape], Y, WEIGHT)
    np.testing.assert_allclose(closed_form(objective).theta, expected, rtol=1e-8, atol=1e-10)


@shapes
@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_the_closed_form_of_sparse_data_is_that_of_dense(shape, alpha):
    X = np.where(np.abs(SHAPES[shape]) < 0.7, 0.0, SHAPES[shape])
    model = GDRegressor(alpha=alpha)
    expected = closed_form(model.objective(X, Y, WEIGHT)).theta
    found = closed_form(model.objective(sparse.csr_array(X), Y, WEIGHT)).theta
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def test_an_elastic_net_without_its_l1_part_has_a_closed_form(problem):
    ridge = closed_form(GDRegressor(alpha=0.2).objective(*problem))
    net = GDRegressor(penalty="elasticnet", l1_ratio=0.0, alpha=0.2).objective(*problem)
    np.testing.assert_allclose(closed_form(net).theta, ridge.theta, rtol=1e-12)
    free = GDRegressor(penalty="l1", alpha=0.0).objective(*problem)
    np.testing.assert_allclose(
        closed_form(free).theta, theta(LinearRegression().fit(*problem), True), rtol=1e-10
    )


def test_the_rank_of_single_precision_data_is_judged_in_single_precision():
    X = without_full_rank(40, 5)
    model = GDRegressor(penalty=None)
    expected = closed_form(model.objective(X, Y)).theta
    found = closed_form(model.objective(X.astype(np.float32), Y)).theta
    np.testing.assert_allclose(found, expected, atol=1e-5)


# L-BFGS


@intercepts
@weighted
@pytest.mark.parametrize("alpha", [0.01, 0.3])
def test_lbfgs_finds_lasso_and_its_zeros(intercept, weight, alpha):
    X, y = make_regression(p=8, sparse_truth=True)
    model = GDRegressor(penalty="l1", alpha=alpha, fit_intercept=intercept)
    lasso = Lasso(alpha, fit_intercept=intercept, tol=1e-14, max_iter=100_000).fit(X, y, weight)
    found = lbfgs(model.objective(X, y, weight)).theta
    np.testing.assert_allclose(found, theta(lasso, intercept), rtol=0.0, atol=1e-8)
    np.testing.assert_array_equal(found[:8] == 0.0, lasso.coef_ == 0.0)


@intercepts
@weighted
@pytest.mark.parametrize("l1_ratio", [0.1, 0.9])
def test_lbfgs_finds_the_elastic_net(intercept, weight, l1_ratio):
    X, y = make_regression(p=8, sparse_truth=True)
    shared = {"alpha": 0.2, "l1_ratio": l1_ratio, "fit_intercept": intercept}
    net = ElasticNet(**shared, tol=1e-14, max_iter=100_000).fit(X, y, weight)
    found = lbfgs(GDRegressor(penalty="elasticnet", **shared).objective(X, y, weight)).theta
    np.testing.assert_allclose(found, theta(net, intercept), rtol=0.0, atol=1e-8)


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet"])
def test_lbfgs_converges_from_every_start(problem, penalty):
    objective = GDRegressor(penalty=penalty, alpha=0.2).objective(*problem)
    start = np.array([5.0, -3.0, 0.0, 20.0, -1.0, 7.0])
    far, near = lbfgs(objective, start), lbfgs(objective)
    np.testing.assert_allclose(far.theta, near.theta, rtol=0.0, atol=1e-7)
    again = lbfgs(objective, near.theta)
    np.testing.assert_allclose(again.theta, near.theta, rtol=0.0, atol=1e-7)
    assert again.n_iter < near.n_iter
    np.testing.assert_array_equal(start, [5.0, -3.0, 0.0, 20.0, -1.0, 7.0])


@shapes
def test_the_two_references_agree(shape):
    objective = GDRegressor(alpha=0.3).objective(SHAPES[shape], Y, WEIGHT)
    one, other = closed_form(objective), lbfgs(objective)
    np.testing.assert_allclose(one.theta, other.theta, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(one.objective, other.objective, rtol=1e-12)
    np.testing.assert_allclose(one.objective, objective.value(one.theta), rtol=1e-14)


# Levenberg and Marquardt

PACKETS = {
    "plain": ({}, [16.0, 0.3]),
    "all extras": (
        {"fit_amplitude": True, "fit_width": True, "fit_baseline": True},
        [16.0, 0.3, 0.8, 3.0, 0.1],
    ),
}
packets = pytest.mark.parametrize("packet", PACKETS)


def wave(x, frequency, offset, amplitude=1.0, width=4.0, baseline=0.0):
    """Return the packet, with parameters in the order of the objective."""
    u = offset + 0.06 * frequency * x
    return amplitude * np.sin(u) * np.exp(-(u**2) / (2.0 * width**2)) + baseline


@packets
@pytest.mark.parametrize("weighted", [False, True])
def test_levenberg_and_marquardt_converge_to_the_minimum_of_curve_fit(packet, weighted):
    (fitted, start), (X, y) = PACKETS[packet], load_gabor(return_X_y=True)
    weight = WEIGHT[:30] if weighted else np.ones(30)
    objective = GDGaborRegressor(**fitted).objective(X, y, weight)
    found = levenberg_marquardt(objective, np.array(start))
    sigma, exact = 1.0 / np.sqrt(weight), {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14}
    expected, _ = optimize.curve_fit(wave, X.ravel(), y, p0=start, sigma=sigma, **exact)
    np.testing.assert_allclose(found.theta, expected, rtol=1e-5, atol=1e-6)
    value = np.average((wave(X.ravel(), *expected) - y) ** 2, weights=weight) / 2.0
    np.testing.assert_allclose(found.objective, value, rtol=1e-10)
    assert found.method == "Levenberg-Marquardt"


@packets
@pytest.mark.parametrize("alpha", [1e-6, 1e-5])
def test_with_an_l2_penalty_they_minimise_the_sum_of_squares_that_it_adds(packet, alpha):
    (fitted, start), (X, y) = PACKETS[packet], load_gabor(return_X_y=True)
    objective = GDGaborRegressor(penalty="l2", alpha=alpha, **fitted).objective(X, y)
    found = levenberg_marquardt(objective, np.array(start))

    def residuals(theta):
        return np.append(wave(X.ravel(), *theta) - y, np.sqrt(30.0 * alpha) * theta[0])

    expected = optimize.least_squares(residuals, start, method="lm", xtol=1e-14, ftol=1e-14)
    np.testing.assert_allclose(found.objective, expected.cost / 30.0, rtol=1e-8)
    np.testing.assert_allclose(found.objective, objective.value(found.theta), rtol=1e-14)


def test_on_a_linear_model_they_find_the_closed_form(problem):
    objective = GDRegressor(alpha=0.2).objective(*problem, WEIGHT)
    found = levenberg_marquardt(objective, np.full(6, 3.0))
    np.testing.assert_allclose(found.theta, closed_form(objective).theta, rtol=1e-9)


@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_levenberg_and_marquardt_need_a_sum_of_squares(penalty):
    model = GDGaborRegressor(penalty=penalty, alpha=0.1)
    objective = model.objective(*load_gabor(return_X_y=True))
    with pytest.raises(ValueError, match="is a sum of squares"):
        levenberg_marquardt(objective, np.zeros(2))


# What they cannot do


class Bridge(Penalty):
    """``Omega = |w|^3``: neither l1 nor l2."""

    __slots__ = ()

    def value(self, w):
        return abs(w) ** 3

    def gradient(self, w):
        return 3.0 * w * abs(w)


@pytest.mark.parametrize("penalty", ["l1", "elasticnet", Bridge()])
def test_other_penalties_have_no_closed_form(problem, penalty):
    objective = GDRegressor(penalty=penalty, alpha=0.1).objective(*problem)
    with pytest.raises(ValueError, match="Only the squared error with l2 or no penalty"):
        closed_form(objective)


def test_lbfgs_says_which_penalties_it_can(problem):
    objective = GDRegressor(penalty=Bridge(), alpha=0.1).objective(*problem)
    with pytest.raises(ValueError, match="needs a penalty that is a mixture of l1 and l2"):
        lbfgs(objective)


# The comparison


@pytest.mark.parametrize(
    ("penalty", "methods"),
    [
        ("l2", ["direct solver", "closed form", "L-BFGS"]),
        ("l1", ["direct solver", "L-BFGS"]),
    ],
)
def test_a_comparison_holds_what_the_objective_allows(problem, penalty, methods):
    X, y = problem
    model = GDRegressor(penalty=penalty, alpha=0.2, tol=1e-9).fit(X, y, WEIGHT)
    rows = compare(model, X, y, WEIGHT)
    assert [row.method for row in rows] == methods
    assert all(isinstance(row, Solution) and row.seconds > 0.0 for row in rows)
    np.testing.assert_array_equal(rows[0].theta, theta(model, True))
    objective = model.objective(X, y, WEIGHT)
    for row in rows:
        np.testing.assert_allclose(row.objective, objective.value(row.theta), rtol=1e-14)
        np.testing.assert_allclose(row.theta, rows[0].theta, rtol=0.0, atol=1e-7)
    assert rows[0].n_iter == model.n_iter_
    assert [row.n_iter is None for row in rows] == [name == "closed form" for name in methods]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "direct solver"),
        ({"optimizer": "gd"}, "descent (gd)"),
        ({"optimizer": Adam(beta1=0.8)}, "descent (Adam)"),
        ({"optimizer": "gd", "batch_size": 32}, "descent (gd, batches of 32)"),
        ({"learning_rate": 0.1}, "descent (auto)"),
    ],
)
def test_a_row_is_named_by_its_method(problem, options, name):
    model = GDRegressor(tol=1e-2, **options).fit(*problem)
    assert compare(model, *problem)[0].method == name


def test_an_unfitted_model_is_compared_by_a_clone(problem):
    model = GDRegressor(alpha=0.2)
    before = vars(model).copy()
    rows = compare(model, *problem)
    expected = theta(GDRegressor(alpha=0.2).fit(*problem), True)
    np.testing.assert_allclose(rows[0].theta, expected, rtol=1e-12)
    assert vars(model) == before


def test_a_fitted_model_is_compared_as_it_is_on_other_data_too(problem):
    X, y = problem
    model = GDRegressor(alpha=0.2).fit(X, y)
    coef = model.coef_.copy()
    rows = compare(model, X[:30], y[:30])
    np.testing.assert_array_equal(rows[0].theta[:5], coef)
    np.testing.assert_array_equal(model.coef_, coef)
    assert rows[0].objective > rows[1].objective + 1e-4


def test_the_printed_table_says_what_the_rows_hold(problem):
    rows = compare(GDRegressor(alpha=0.2, penalty="l1"), *problem)
    head, rule, *lines = str(rows).split("\n")
    names = "method", "objective", "difference", "largest |d coef|", "zeros", "n_iter", "seconds"
    assert head.split("  ")[0] == "method"
    assert " ".join(head.split()) == " ".join(names)
    assert set(rule) == {"-"}
    assert len({len(line) for line in (head, rule, *lines)}) == 1
    for row, line in zip(rows, lines, strict=True):
        assert line.startswith(row.method)
        cells = [float(cell) for cell in line.removeprefix(row.method).split()]
        gap = rows[0].objective - row.objective
        expected = (
            row.objective,
            gap,
            np.abs(row.theta - rows[0].theta).max(),
            np.sum(row.theta == 0.0),
            row.n_iter,
            row.seconds,
        )
        np.testing.assert_allclose(cells, expected, rtol=0.06, atol=6e-5)


def test_a_closed_form_has_no_iterations_to_print(problem):
    line = str(compare(GDRegressor(), *problem)).split("\n")[3]
    assert line.startswith("closed form")
    assert line.split()[-2] == "-"


GABOR = {"n_init": 2, "n_screen": 200, "random_state": 0, "tol": 1e-5}


@pytest.mark.parametrize(
    ("penalty", "methods"),
    [(None, ["Levenberg-Marquardt", "L-BFGS"]), ("l1", ["L-BFGS"])],
)
def test_the_gabor_estimator_is_compared_from_the_same_starts(penalty, methods):
    X, y = load_gabor(return_X_y=True)
    model = GDGaborRegressor(penalty=penalty, alpha=1e-4, **GABOR).fit(X, y, WEIGHT[:30])
    first, *others = compare(model, X, y, WEIGHT[:30])
    objective = model.objective(X, y, WEIGHT[:30])
    np.testing.assert_array_equal(first.theta, model.theta_[[1, 0]])
    assert first.n_iter == model.n_iter_
    assert [row.method for row in others] == methods
    by_name = {"Levenberg-Marquardt": levenberg_marquardt, "L-BFGS": lbfgs}
    for row in others:
        alone = [by_name[row.method](objective, start[[1, 0]]) for start in model.starts_]
        lowest = min(solution.objective for solution in alone)
        np.testing.assert_allclose(row.objective, lowest, rtol=1e-12)
        assert row.n_iter == sum(solution.n_iter for solution in alone)
        assert row.objective >= first.objective * (1.0 - 1e-9)
        np.testing.assert_allclose(row.theta, first.theta, atol=1e-5)


def test_from_one_start_all_methods_of_a_comparison_begin_there():
    X, y = load_gabor(return_X_y=True)
    local, near = load_gabor().minima[1, [1, 0]], [-5.5, 16.5]
    model = GDGaborRegressor(init=near, max_iter=5000, tol=1e-9)
    rows = compare(model, X, y)
    for row in rows:
        np.testing.assert_allclose(row.theta, local, atol=5.1e-5)  # digits of the table
    assert not hasattr(model, "theta_")
