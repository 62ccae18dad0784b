"""The end of a descent: converged, plateau, max_iter or diverged, and its messages."""

import re
import warnings

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skgd import GDRegressor

LECTURE = np.array([[0.0], [1.0], [3.0]]), np.array([-1.0, 1.0, 5.0])


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0.0)


def make_weighted(n=40, p=4, seed=0):
    X, y = make_regression(n=n, p=p, seed=seed)
    return X, y, np.random.default_rng(seed).uniform(0.2, 3.0, n)


def spread(y, weight):
    """Return the objective of the best constant prediction."""
    return 0.5 * np.average((y - np.average(y, weights=weight)) ** 2, weights=weight)


def ridge(X, y, weight, alpha):
    """Return the minimum with an l2 penalty, the intercept last, by the normal equations."""
    mean, level = np.average(X, axis=0, weights=weight), np.average(y, weights=weight)
    Z, s = X - mean, weight / weight.sum()
    w = np.linalg.solve(
        (Z * s[:, None]).T @ Z + alpha * np.eye(X.shape[1]), (Z.T * s) @ (y - level)
    )
    return np.append(w, level - mean @ w)


def residual(theta, X, y, weight, alpha, share, centred):
    """Return the largest entry of the proximal gradient, in units of root curvature and spread."""
    w, s = theta[:-1], weight / weight.sum()
    Z = X - s @ X if centred else X
    r = s * (X @ w + theta[-1] - y)
    curvature = s @ Z**2 + alpha * (1 - share)
    g = Z.T @ r + alpha * (1 - share) * w
    left = curvature * np.abs(w - soft(w - g / curvature, alpha * share / curvature))
    parts = left / np.sqrt(2 * curvature * spread(y, weight))
    return max(parts.max(), 0.0 if centred else abs(r.sum()) / np.sqrt(2 * spread(y, weight)))


def largest_stable_rate(X, weight=None, alpha=0.0, intercept=True):
    """Return 2 / L from numpy's eigenvalues."""
    rows = np.column_stack([X, np.ones(len(X))]) if intercept else X
    s = np.ones(len(X)) if weight is None else weight
    hessian = (rows * (s / s.sum())[:, None]).T @ rows
    return 2.0 / (np.linalg.eigvalsh(hessian)[-1] + alpha)


def named_rate(text):
    """Return the rate that a message names as the largest stable one."""
    return float(re.search(r"on this data is (\S+) \(2/L\)", text)[1])


def assert_consistent(model, n, max_iter):
    """Check that the attributes of the record agree with each other."""
    assert not model.converged_ or model.stop_reason_ in ("converged", "plateau")
    assert model.converged_ or model.stop_reason_ != "converged"
    assert 1 <= model.n_iter_ <= max_iter
    assert model.t_ == model.n_iter_ * -(-n // (model.batch_size or n))
    assert len(model.loss_curve_) == model.n_iter_ + 1
    if model.record_path:
        assert len(model.path_) == model.t_ + 1


@pytest.mark.parametrize("batch_size", [None, 7, 1])
def test_without_tol_every_epoch_is_run_and_there_is_no_warning(batch_size):
    X, y = make_regression()
    model = GDRegressor(optimizer="gd", batch_size=batch_size, max_iter=13, tol=None).fit(X, y)
    assert (model.n_iter_, model.stop_reason_, model.converged_) == (13, "max_iter", False)
    assert_consistent(model, 40, 13)


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "nesterov"])
def test_a_tol_near_rounding_is_attained_at_the_closed_form(optimizer):
    X, y, weight = make_weighted()
    model = GDRegressor(alpha=0.3, optimizer=optimizer, tol=1e-12).fit(X, y, weight)
    expected = ridge(X, y, weight, 0.3)
    assert model.stop_reason_ == "converged"
    np.testing.assert_allclose(model.coef_, expected[:-1], rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, expected[-1], rtol=1e-10)
    assert_consistent(model, 40, 1000)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("tol", [1e-1, 1e-2, 1e-4])
def test_a_full_batch_ends_at_the_first_point_whose_residual_and_gap_are_within_tol(tol, centred):
    X, y, weight = make_weighted()
    model = GDRegressor(
        penalty="elasticnet",
        alpha=0.3,
        l1_ratio=0.4,
        optimizer="gd",
        learning_rate=0.15,
        center=centred,
        tol=tol,
        record_path=True,
    ).fit(X, y, weight)
    left = [residual(theta, X, y, weight, 0.3, 0.4, centred) for theta in model.path_]
    assert model.stop_reason_ == "converged"
    assert model.converged_
    zeros = model.path_[:, :5] == 0.0
    within = (np.array(left) <= tol) & (gaps(model, spread(y, weight)) <= 0.99 * tol)
    within &= (zeros == zeros[-1]).all(axis=1)
    assert model.n_iter_ == np.flatnonzero(within)[0] > 2
    assert_consistent(model, 40, 1000)


def test_the_iterate_that_an_accelerated_descent_returns_is_within_tol():
    X, y, weight = make_weighted()
    options = {"penalty": "l1", "alpha": 0.2, "optimizer": "nesterov"}
    for tol in (1e-1, 1e-2, 1e-3, 1e-4, 1e-6):
        model = GDRegressor(tol=tol, **options).fit(X, y, weight)
        theta = np.append(model.coef_, model.intercept_)
        assert model.converged_
        assert residual(theta, X, y, weight, 0.2, 1.0, centred=True) <= tol * (1 + 1e-9)


def test_a_descent_that_starts_at_the_minimum_ends_at_once():
    X, y, weight = make_weighted()
    start = ridge(X, y, weight, 0.3)
    model = GDRegressor(alpha=0.3, optimizer="gd", init=start, tol=1e-10).fit(X, y, weight)
    assert (model.n_iter_, model.stop_reason_) == (1, "converged")


def gaps(model, unit):
    """Return the duality gaps of the curve, by the lower bound that the fit has found."""
    return (model.loss_curve_ - (model.loss_curve_[-1] - model.dual_gap_)) / unit


def end_of_patience(values, gain, epochs):
    """Return how many values have come when so many in a row have not gained on the best."""
    stale = 0
    for k in range(1, len(values)):
        stale = 0 if values[k] < min(values[:k]) - gain else stale + 1
        if stale == epochs:
            return k + 1
    return None


@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
@pytest.mark.parametrize(("tol", "epochs"), [(1e-2, 5), (1e-3, 5), (1e-3, 2), (0.0, 3)])
def test_small_batches_end_on_a_plateau_of_the_curve(tol, epochs, sampling):
    X, y, weight = make_weighted()
    model = GDRegressor(
        optimizer="gd",
        batch_size=7,
        sampling=sampling,
        tol=tol,
        n_iter_no_change=epochs,
        schedule="constant",
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # if that is not the minimum
        model.fit(X, y, weight)
    gain = tol * spread(y, weight)
    end = end_of_patience(model.loss_curve_[:-1], gain, epochs)
    assert model.converged_ == (model.dual_gap_ <= tol * spread(y, weight))
    if model.stop_reason_ == "plateau":
        assert model.n_iter_ == end
    else:
        assert model.converged_
    assert_consistent(model, 40, 1000)


def test_at_max_iter_the_warning_names_the_residual_and_tol():
    X, y, weight = make_weighted()
    model = GDRegressor(penalty="l1", alpha=0.2, optimizer="gd", max_iter=7, tol=1e-9)
    with pytest.warns(ConvergenceWarning, match="max_iter=7 epochs") as caught:
        model.fit(X, y, weight)
    theta = np.append(model.coef_, model.intercept_)
    left = residual(theta, X, y, weight, 0.2, 1.0, centred=True)
    assert f"the scaled residual is {left:.1e}, and tol is 1.0e-09" in str(caught[0].message)
    assert (model.stop_reason_, model.converged_) == ("max_iter", False)
    assert_consistent(model, 40, 7)


def test_at_max_iter_on_small_batches_the_warning_names_the_gap():
    X, y, weight = make_weighted()
    options = {"optimizer": "gd", "batch_size": 7, "max_iter": 3, "random_state": 0}
    model = GDRegressor(tol=1e-5, **options)
    with pytest.warns(ConvergenceWarning, match="tol is 1.0e-05") as caught:
        model.fit(X, y, weight)
    gap = model.dual_gap_ / spread(y, weight)
    assert f"the duality gap is {gap:.1e} of the objective of the best" in str(caught[0].message)
    assert_consistent(model, 40, 3)


def test_the_lectures_example_converges_at_a_rate_of_a_tenth_of_the_sum():
    model = GDRegressor(
        penalty=None, optimizer="gd", learning_rate=0.3, init=[1.0, 0.0], tol=1e-10
    )
    model.fit(*LECTURE)
    np.testing.assert_allclose([model.coef_[0], model.intercept_], [2.0, -1.0], atol=1e-8)


def test_the_lectures_example_diverges_at_half_of_the_sum():
    model = GDRegressor(penalty=None, optimizer="gd", learning_rate=1.5, init=[1.0, 0.0])
    with pytest.warns(ConvergenceWarning, match="GDRegressor diverged") as caught:
        model.fit(*LECTURE)
    text = str(caught[0].message)
    assert f"by epoch {model.n_iter_}, with learning_rate=1.5." in text
    np.testing.assert_allclose(named_rate(text), largest_stable_rate(LECTURE[0]), rtol=0.02)
    assert (model.stop_reason_, model.converged_) == ("diverged", False)
    assert_consistent(model, 3, 1000)
    assert np.isfinite(model.loss_curve_).all()
    assert (model.loss_curve_ > 1e10 * spread(LECTURE[1], np.ones(3))).nonzero()[
        0
    ] == model.n_iter_


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_descent_diverges_from_two_over_the_largest_curvature_on(alpha):
    X, y, weight = make_weighted()
    limit = largest_stable_rate(X, weight, alpha)
    options = {"alpha": alpha, "optimizer": "gd", "tol": None, "max_iter": 150}
    below = GDRegressor(learning_rate=0.99 * limit, **options).fit(X, y, weight)
    assert below.stop_reason_ == "max_iter"
    rows, lowest = np.column_stack([X, np.ones(40)]), ridge(X, y, weight, alpha)
    H = (rows * (weight / weight.sum())[:, None]).T @ rows + np.diag([alpha] * 4 + [0.0])
    slowest = np.abs(1.0 - 0.99 * limit * np.linalg.eigvalsh(H)).max()
    value = below.objective(X, y, weight).value(lowest)
    first, *_, last = below.loss_curve_ - value
    assert -1e-12 <= last <= slowest ** (2 * 150) * first + 1e-12
    with pytest.warns(ConvergenceWarning, match="diverged"):
        above = GDRegressor(learning_rate=1.02 * limit, **options).fit(X, y, weight)
    assert (above.stop_reason_, above.converged_) == ("diverged", False)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    ("batch_size", "rate"), [(None, 1e200), (7, 1e30), (1, 1e30), (7, 1e200), (1, 1e200)]
)
def test_an_objective_that_is_not_finite_is_an_error_that_says_what_to_do(batch_size, rate, form):
    X, y, weight = make_weighted()
    model = GDRegressor(
        penalty="elasticnet",
        alpha=0.5,
        l1_ratio=0.4,
        optimizer="gd",
        learning_rate=rate,
        batch_size=batch_size,
        record_path=True,
        random_state=0,
    )
    with pytest.raises(ValueError, match=r"GDRegressor diverged.*StandardScaler") as caught:
        model.fit(form(X), y, weight)
    text = str(caught.value)
    assert f"by epoch {model.n_iter_}, with learning_rate={rate:.3g}." in text
    if batch_size is None:
        limit = largest_stable_rate(X, weight, 0.3)
        np.testing.assert_allclose(named_rate(text), limit, rtol=0.02)
    assert (model.stop_reason_, model.converged_) == ("nonfinite", False)
    np.testing.assert_allclose(model.loss_curve_[0], 0.5 * np.average(y**2, weights=weight))
    assert not np.isfinite(model.loss_curve_[-1])
    assert_consistent(model, 40, 1000)
    with pytest.raises(NotFittedError):
        model.predict(X)


@pytest.mark.parametrize("optimizer", ["nesterov", "adam"])
def test_no_rule_returns_parameters_that_are_not_finite(optimizer):
    X, y = make_regression()
    with pytest.raises(ValueError, match="diverged"):
        GDRegressor(optimizer=optimizer, learning_rate=1e200).fit(X, y)


def test_an_error_removes_the_results_of_the_fit_before():
    X, y = make_regression()
    model = GDRegressor(optimizer="gd").fit(X, y)
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(learning_rate=1e200).fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


@pytest.mark.parametrize("rate", [1.7, 1.9, 2.0, 3.0])
def test_small_batches_whose_objective_grows_have_not_converged(rate):
    X = np.random.default_rng(0).standard_normal((40, 3))
    model = GDRegressor(optimizer="gd", batch_size=8, learning_rate=rate, random_state=0)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(X, X @ [1.0, 2.0, 3.0])
    assert model.loss_curve_[-1] > 100.0 * model.loss_curve_[0]
    assert (model.stop_reason_, model.converged_) == ("diverged", False)


@pytest.mark.parametrize("seed", range(8))
def test_the_noise_of_small_batches_is_not_called_a_divergence(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((60, 5)), rng.standard_normal(60)
    options = {"optimizer": "gd", "batch_size": 1, "random_state": seed, "max_iter": 5}
    model = GDRegressor(tol=None, **options).fit(X, y)
    assert model.loss_curve_[-1] < 2.0 * model.loss_curve_[0]
    assert model.stop_reason_ == "max_iter"


@pytest.mark.parametrize("optimizer", ["gd", "momentum"])
def test_rounding_is_not_called_a_divergence(optimizer):
    model = GDRegressor(optimizer=optimizer, alpha=0.0, max_iter=30, tol=None)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((2, 1)), np.full(2, rng.standard_normal())
        assert model.fit(X, y, rng.exponential(size=2)).stop_reason_ == "max_iter"
        np.testing.assert_allclose(model.predict(X), y)


@pytest.mark.parametrize("batch_size", [None, 7])
def test_unscaled_features_diverge_at_a_rate_that_suits_scaled_ones_and_not_at_auto(batch_size):
    X, y = make_regression()
    X = X * [1.0, 1e3, 1.0, 1e-2, 1.0]
    options = {"optimizer": "gd", "batch_size": batch_size, "random_state": 0, "max_iter": 20}
    with pytest.warns(ConvergenceWarning, match="diverged"):
        wild = GDRegressor(learning_rate=0.01, tol=None, **options).fit(X, y)
    assert wild.loss_curve_[-1] > 1e10 * wild.loss_curve_[0]
    tame = GDRegressor(tol=None, **options).fit(X, y)
    assert tame.loss_curve_[-1] < tame.loss_curve_[0]


@pytest.mark.parametrize("batch_size", [None, 7])
def test_a_descent_that_starts_far_away_has_not_grown(batch_size):
    X, y = make_regression()
    model = GDRegressor(optimizer="gd", init=np.full(6, 1e9), batch_size=batch_size, max_iter=30)
    model.set_params(tol=None, random_state=0).fit(X, y)
    assert model.loss_curve_[0] > 1e12 * y.var()
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.stop_reason_ == "max_iter"


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", [{}, {"batch_size": 7}, {"learning_rate": 0.1}])
def test_a_constant_target_is_the_intercept(options, weighted):
    X, _, weight = make_weighted()
    model = GDRegressor(penalty=None, optimizer="gd", tol=1e-10, max_iter=5000, **options)
    model.fit(X, np.full(40, 3.0), weight if weighted else None)
    assert model.converged_
    np.testing.assert_allclose(model.coef_, 0.0, atol=1e-5)
    np.testing.assert_allclose(model.intercept_, 3.0, atol=1e-5)
    assert model.loss_curve_[-1] < 1e-9


@pytest.mark.parametrize("options", [{}, {"batch_size": 7}, {"optimizer": "adam"}])
def test_a_target_of_zeros_leaves_all_at_zero(options):
    X, _, weight = make_weighted()
    model = GDRegressor(**{"optimizer": "gd"} | options).fit(X, np.zeros(40), weight)
    np.testing.assert_array_equal(model.coef_, np.zeros(4))
    assert (model.intercept_, model.converged_) == (0.0, True)
    np.testing.assert_array_equal(model.loss_curve_, np.zeros(model.n_iter_ + 1))


def test_a_perfect_fit_is_found_to_rounding():
    X, _, weight = make_weighted()
    truth = np.array([1.0, -2.0, 0.0, 0.5])
    model = GDRegressor(penalty=None, tol=1e-13).fit(X, X @ truth + 4.0, weight)
    assert model.converged_
    np.testing.assert_allclose(np.append(model.coef_, model.intercept_), [*truth, 4.0], atol=1e-11)


@pytest.mark.parametrize(
    ("value", "options"),
    [
        (0.0, {"tol": 1e-8}),
        (3.0, {"tol": 1e-8}),
        (0.0, {"tol": None, "batch_size": 7, "learning_rate": 0.02}),
    ],
)
def test_a_column_that_is_constant_is_left_out(value, options):
    X, y, weight = make_weighted()
    model = GDRegressor(optimizer="gd", alpha=0.1, random_state=0, **options)
    without = model.fit(X, y, weight).coef_
    wide = model.fit(np.insert(X, 2, value, axis=1), y, weight)
    assert abs(wide.coef_[2]) < 1e-13
    np.testing.assert_allclose(np.delete(wide.coef_, 2), without, rtol=1e-6)


@pytest.mark.parametrize("batch_size", [None, 1, 7])
def test_one_row_is_fitted_exactly(batch_size):
    X, y = np.array([[2.0, -1.0]]), np.array([3.0])
    model = GDRegressor(penalty=None, optimizer="gd", batch_size=batch_size, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y)
    free = GDRegressor(penalty=None, optimizer="gd", fit_intercept=False, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(free.coef_, 3.0 * X[0] / 5.0)


@pytest.mark.parametrize("optimizer", ["gd", "nesterov"])
def test_one_column_is_fitted_by_the_ratio_of_covariance_to_variance(optimizer):
    X, y = make_regression(p=1)
    model = GDRegressor(penalty=None, optimizer=optimizer, tol=1e-12).fit(X, y)
    slope = np.cov(X[:, 0], y)[0, 1] / X[:, 0].var(ddof=1)
    np.testing.assert_allclose(model.coef_, [slope], rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, y.mean() - slope * X.mean(), rtol=1e-10)


def test_rows_of_weight_zero_may_as_well_be_absent():
    X, y, weight = make_weighted()
    weight[::3] = 0.0
    kept, model = weight > 0.0, GDRegressor(alpha=0.1, tol=1e-10)
    y[~kept] = 1e6
    wide = model.fit(X, y, weight)
    expected = ridge(X[kept], y[kept], weight[kept], 0.1)
    np.testing.assert_allclose(np.append(wide.coef_, wide.intercept_), expected, rtol=1e-7)
