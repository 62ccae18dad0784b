"""The automatic rate: curvature bounds against eigenvalues, and its guarantees."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from conftest import make_regression
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skgd import GDRegressor
from skgd.descent.rates import stable_rate
from skgd.estimators.nested_parameters import part_of
from skgd.kernels.moments import column_means
from skgd.losses import SquaredError
from skgd.models import Linear
from skgd.objective.matrix import lanczos_bound
from skgd.objective.objective import Objective
from skgd.optimizers import OPTIMIZERS, Adam, Momentum, Normalized
from skgd.penalties import ElasticNet

RULES = sorted({"auto", *OPTIMIZERS} - {"sgd"})


def make_objective(X, y, weight, centred=False, intercept=True, form=np.asarray, alpha=0.0):
    """Return an elastic net's objective, half of whose strength is l2."""
    weight = weight * (len(y) / weight.sum())
    centre = column_means(X, weight) if centred else None
    parts = {"loss": SquaredError(), "penalty": ElasticNet(0.5), "alpha": alpha}
    model = Linear(intercept and not centred)
    return Objective.of_rows(form(X), y, weight, model=model, centre=centre, **parts)


def rows_of(X, weight, centred, intercept):
    """Return the rows that the parameters see, and weights of mean one."""
    Z = X - np.average(X, axis=0, weights=weight) if centred else X
    Z = np.column_stack([Z, np.ones(len(X))]) if intercept and not centred else Z
    return Z, weight / weight.mean()


def make_problem(seed=0, n=40, p=5, decades=1.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-decades, decades, p)
    return X + rng.standard_normal(p), rng.standard_normal(n), rng.exponential(size=n)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("centred", "intercept"), [(True, True), (False, True), (False, False)])
@pytest.mark.parametrize(("n", "p"), [(40, 5), (40, 1), (1, 4), (30, 60), (300, 120)])
def test_the_curvature_bounds_the_largest_eigenvalue_within_a_percent(
    n, p, centred, intercept, form
):
    for seed in range(5):
        X, y, weight = make_problem(seed, n, p)
        Z, s = rows_of(X, weight, centred, intercept)
        largest = np.linalg.eigvalsh((Z * s[:, None]).T @ Z / n)[-1]
        bound = make_objective(X, y, weight, centred, intercept, form).curvature
        rounding = 1e-12 * (X**2).mean(axis=0).sum()
        assert largest * (1 - 1e-12) - rounding <= bound <= 1.01 * largest + rounding


@pytest.mark.parametrize("spectrum", [[0.0, 0.0], [1.0, 1.0, 1.0], [5.0, 4.99, 0.0], [1e-9, 1e9]])
def test_the_lanczos_bound_holds_for_any_spectrum(spectrum):
    d = len(spectrum)
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((d, d)))[0]
    bound = lanczos_bound(lambda v: Q @ (spectrum * (Q.T @ v)), d)
    assert max(spectrum) * (1 - 1e-12) <= bound <= max(spectrum) * 1.01


@pytest.mark.parametrize("off", [0.0, 1e-9, 1e-3])
@pytest.mark.parametrize("d", [2, 5, 30])
def test_the_lanczos_bound_holds_though_it_starts_beside_another_eigenvector(d, off):
    starts = []
    lanczos_bound(lambda v: starts.append(v) or v, d)
    basis = np.random.default_rng(1).standard_normal((d, d))
    basis[:, 0] = starts[0] + off * basis[:, 1]
    Q = np.linalg.qr(basis)[0]
    spectrum = np.append([1.0, 100.0], np.linspace(50.0, 2.0, d - 2))
    bound = lanczos_bound(lambda v: Q @ (spectrum * (Q.T @ v)), d)
    assert 100.0 * (1 - 1e-12) <= bound <= 101.0


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("centred", "intercept"), [(True, True), (False, True), (False, False)])
def test_the_row_curvature_is_the_longest_rows(centred, intercept, form):
    X, y, weight = make_problem()
    Z, s = rows_of(X, weight, centred, intercept)
    expected = max(s[i] * (Z[i] @ Z[i]) for i in range(40))
    found = make_objective(X, y, weight, centred, intercept, form).row_curvature
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_rate_of_a_full_batch_is_the_reciprocal_of_the_curvature():
    X, y, weight = make_problem()
    target = make_objective(X, y, weight, alpha=0.6)
    Z, s = rows_of(X, weight, False, True)
    largest = np.linalg.eigvalsh((Z * s[:, None]).T @ Z / 40)[-1] + 0.3
    assert 0.99 / largest <= stable_rate(target) <= (1 + 1e-12) / largest


@pytest.mark.parametrize("batch", [1, 2, 8, 20])
@pytest.mark.parametrize("replacement", [False, True])
def test_the_rate_of_small_batches_is_that_of_gower_et_al(batch, replacement):
    n = 40
    X, y, weight = make_problem(n=n)
    Z, s = rows_of(X, weight, False, True)
    largest = np.linalg.eigvalsh((Z * s[:, None]).T @ Z / n)[-1] + 0.3
    steepest = (s * (Z**2).sum(axis=1)).max() + 0.3
    smoothness = (n * (batch - 1) * largest + (n - batch) * steepest) / (batch * (n - 1))
    if replacement:
        smoothness = ((batch - 1) * largest + steepest) / batch
    found = stable_rate(make_objective(X, y, weight, alpha=0.6), batch, replacement)
    assert 0.99 / (2 * smoothness) <= found <= (1 + 1e-12) / (2 * smoothness)


def expected_smoothness(Z, s, batches):
    """Return the least S with ``E |g_B(v) - g_B(0)|^2 <= 2 S (F(v) - F(0))`` for quadratic F."""
    curvatures = [Z[b].T @ (s[b][:, None] * Z[b]) / len(b) for b in map(list, batches)]
    values, vectors = np.linalg.eigh(np.mean(curvatures, axis=0))
    root = vectors[:, values > 1e-9] / np.sqrt(values[values > 1e-9])
    return np.linalg.eigvalsh(root.T @ np.mean([h @ h for h in curvatures], axis=0) @ root)[-1]


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
@pytest.mark.parametrize("orthogonal", [True, False])
def test_the_automatic_rate_obeys_the_smoothness_expected_of_its_batches(
    orthogonal, sampling, batch
):
    X = np.eye(6) if orthogonal else make_problem(n=6, p=3)[0]
    weight = np.ones(6) if orthogonal else np.array([0.1, 2.0, 1.0, 1.0, 3.0, 0.5])
    whole = batch == 6 and sampling == "shuffle"
    draws = (
        combinations(range(6), batch) if sampling == "shuffle" else product(range(6), repeat=batch)
    )
    bound = expected_smoothness(X, weight / weight.mean(), draws)
    model = GDRegressor(
        penalty=None,
        fit_intercept=False,
        optimizer="gd",
        batch_size=batch,
        sampling=sampling,
        max_iter=1,
        tol=None,
        random_state=0,
    ).fit(X, np.ones(6), weight)
    assert model.learning_rate_ <= (1.0 if whole else 0.5) / bound * (1 + 1e-12)


EQUIVARIANT = [
    "gd",
    *sorted(set(OPTIMIZERS) - {"sgd"}),
    Normalized("l2"),
    Adam(eps=0.0),
]


@pytest.mark.parametrize("optimizer", EQUIVARIANT, ids=str)
@pytest.mark.parametrize(("batch_size", "penalty"), [(None, "l1"), (1, "elasticnet")])
def test_rescaling_the_data_rescales_the_fit_and_nothing_else(optimizer, batch_size, penalty):
    X, y = make_regression()
    options = {"batch_size": batch_size, "fit_intercept": batch_size is None, "random_state": 0}
    options |= {"penalty": penalty, "l1_ratio": 1.0, "max_iter": 25}
    model = GDRegressor(optimizer=optimizer, tol=None, **options)
    fit = model.set_params(alpha=0.1).fit(X, y)
    coef, intercept, curve = fit.coef_, fit.intercept_, fit.loss_curve_
    for x_unit, y_unit in [(2.0**20, 1.0), (1.0, 2.0**-20), (2.0**-9, 2.0**15)]:
        fit = model.set_params(alpha=0.1 * x_unit * y_unit).fit(X * x_unit, y * y_unit)
        np.testing.assert_allclose(fit.coef_ * x_unit / y_unit, coef, rtol=1e-12)
        np.testing.assert_allclose(fit.intercept_ / y_unit, intercept, rtol=1e-12)
        np.testing.assert_allclose(fit.loss_curve_ / y_unit**2, curve, rtol=1e-12)


@pytest.mark.parametrize("optimizer", EQUIVARIANT, ids=str)
def test_eps_scales_with_the_data_over_all_powers_of_ten(optimizer):
    X, y = make_regression()
    model = GDRegressor(optimizer=optimizer, penalty="l1", tol=None, max_iter=5)
    fit = model.set_params(alpha=0.1).fit(X, y)
    coef, curve = fit.coef_, fit.loss_curve_
    assert curve[-1] < curve[0]
    for x_unit, y_unit in [(1.0, 1e-12), (1.0, 1e12), (1e-12, 1.0), (1e12, 1.0), (1e-7, 1e-7)]:
        fit = model.set_params(alpha=0.1 * x_unit * y_unit).fit(X * x_unit, y * y_unit)
        np.testing.assert_allclose(fit.coef_ * x_unit / y_unit, coef, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(fit.loss_curve_ / y_unit**2, curve, rtol=1e-7)


@pytest.mark.parametrize("optimizer", EQUIVARIANT, ids=str)
def test_a_rate_that_is_given_leaves_eps_as_it_is(optimizer):
    X, y = make_regression()
    model = GDRegressor(optimizer=optimizer, tol=None, max_iter=2)
    rate = model.fit(X, y).learning_rate_
    descent = model.set_params(learning_rate=rate).fit(X, y)._descents[0]
    assert descent.optimizer == part_of(model, "optimizer").resolved(True)


@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_tol_has_no_unit(tol):
    X, y = make_regression()
    plain = GDRegressor(alpha=0.0, tol=tol).fit(X, y)
    scaled = GDRegressor(alpha=0.0, tol=tol).fit(X * 2.0**20, y * 2.0**-20)
    assert plain.n_iter_ == scaled.n_iter_
    np.testing.assert_allclose(scaled.coef_ * 2.0**40, plain.coef_, rtol=1e-9)


@st.composite
def problems(draw, penalties, batches, forms=(np.asarray,)):
    """Draw X, y and weight of any scale, and options of the estimator."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, p = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    X = rng.standard_normal((n, p)) + draw(st.sampled_from([0.0, 3.0]))
    X *= 10.0 ** rng.integers(-6, 7, p) * (rng.random((n, p)) < draw(st.sampled_from([0.4, 1.0])))
    y = rng.standard_normal(n) + draw(st.sampled_from([0.0, 3.0]))
    y *= 10.0 ** draw(st.integers(-6, 6))
    weight = draw(st.sampled_from([None, rng.exponential(size=n) ** 2 + 1e-9]))
    options = {
        "penalty": draw(st.sampled_from(penalties)),
        "alpha": draw(st.sampled_from([0.0, 1e-3, 1.0, 1e3])),
        "l1_ratio": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "fit_intercept": draw(st.booleans()),
        "batch_size": draw(st.sampled_from(batches)),
        "sampling": draw(st.sampled_from(["shuffle", "replacement"])),
    }
    return draw(st.sampled_from(forms))(X), y, weight, options


def assert_tame(problem, optimizer):
    """Check that a fit neither diverges nor, but for the noise of its batches, rises."""
    X, y, weight, options = problem
    model = GDRegressor(optimizer=optimizer, tol=None, max_iter=30, random_state=0, **options)
    model.fit(X, y, weight)
    s = np.ones(len(y)) if weight is None else weight
    start = 0.5 * np.average(y**2, weights=s)
    ceiling = model.loss_curve_[0] if options["batch_size"] is None else 10.0 * start
    assert model.stop_reason_ == "max_iter"
    assert np.isfinite(model.loss_curve_).all()
    assert model.loss_curve_[-1] <= ceiling * (1 + 1e-9) + 1e-28 * start


@pytest.mark.parametrize("batch_size", [None, 3, 1])
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_plain_descent_at_the_automatic_rate_never_diverges(batch_size, data):
    forms = (np.asarray, sparse.csr_array)
    assert_tame(data.draw(problems(["elasticnet"], [batch_size], forms)), "gd")


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", RULES)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_no_rule_at_its_automatic_rate_diverges_on_the_full_batch(optimizer, data):
    assert_tame(data.draw(problems(["l1", "l2"], [None])), optimizer)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", RULES)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_no_rule_at_its_automatic_rate_diverges_on_single_rows(optimizer, data):
    assert_tame(data.draw(problems(["elasticnet"], [1])), optimizer)


@pytest.mark.parametrize("optimizer", RULES)
def test_no_rule_leaves_the_valley_of_two_almost_equal_columns(optimizer):
    rng = np.random.default_rng(0)
    both, apart = np.linalg.qr(rng.standard_normal((40, 2)))[0].T * np.sqrt(40)
    X = np.column_stack([both + 0.01 * apart, both - 0.01 * apart])
    y = apart + 0.005 * both
    model = GDRegressor(penalty="l2", alpha=0.0, optimizer=optimizer, tol=None, max_iter=200)
    assert model.fit(X, y).loss_curve_[-1] <= model.loss_curve_[0]


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e6])
def test_if_the_start_has_no_gradient_the_step_still_has_the_unit_of_the_data(unit):
    X, y = np.array([[unit], [-unit]]), np.array([1.0, 1.0])  # each row pulls, both do not
    options = {"fit_intercept": False, "batch_size": 1, "sampling": "cyclic"}
    model = GDRegressor(penalty=None, optimizer="adam", max_iter=50, tol=None, **options)
    curve = model.fit(X, y).loss_curve_
    assert model.stop_reason_ == "max_iter"
    assert curve.max() < 2.0 * curve[0]


def test_decoupled_decay_does_not_overshoot():
    X, y = make_regression()
    model = GDRegressor(optimizer="adamw", alpha=1.0, max_iter=50, tol=None).fit(X, 1e4 * y)
    assert model.loss_curve_.max() <= model.loss_curve_[0] * (1 + 1e-12)


NORMALISING = [
    name
    for name in RULES
    if name != "auto" and OPTIMIZERS[name]().resolved(True).newton_fraction is not None
]


def soft(g, t):
    return np.sign(g) * np.maximum(np.abs(g) - t, 0.0)


@pytest.mark.parametrize(("penalty", "share"), [("l2", 0.0), ("l1", 1.0)])
@pytest.mark.parametrize("name", NORMALISING)
def test_normalising_rules_start_with_a_fraction_of_the_newton_step_along_the_signs(
    name, penalty, share
):
    X, y = make_regression()
    alpha, rule = 0.5, OPTIMIZERS[name]().resolved(True)
    model = GDRegressor(penalty=penalty, alpha=alpha, optimizer=name, max_iter=1, tol=None)
    Z, t = X - X.mean(axis=0), y - y.mean()
    slope = soft(-Z.T @ t / len(y), share * alpha)  # at zero, less what the prox takes off
    signs = np.sign(slope)
    bend = np.mean((Z @ signs) ** 2) + (1.0 - share) * alpha * (signs @ signs)
    unit = np.sqrt(t @ t / len(y) * (Z**2).mean(axis=0).max())  # of gradients, that of eps
    first = unit * math.sqrt(rule.eps / (1.0 - rule.rho)) if name == "adadelta" else 1.0
    expected = rule.newton_fraction * (slope @ signs) / bend / first
    np.testing.assert_allclose(model.fit(X, y).learning_rate_, expected, rtol=1e-10)


@pytest.mark.parametrize("batch_size", [None, 8])
def test_the_averaged_form_of_momentum_descends_as_the_velocity_form_at_automatic_rates(
    batch_size,
):
    X, y = make_regression()
    options = {"batch_size": batch_size, "center": False, "random_state": 0, "record_path": True}
    averaged, velocity = (
        GDRegressor(optimizer=Momentum(0.8, averaged=form), max_iter=5, tol=None, **options)
        for form in (True, False)
    )
    paths = averaged.fit(X, y).path_, velocity.fit(X, y).path_
    np.testing.assert_allclose(*paths, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["saga", "svrg"])
def test_the_rate_of_variance_reduction_on_single_rows_is_a_third_of_the_steepest_rows(name):
    X, y = make_regression()
    model = GDRegressor(alpha=0.3, optimizer=name, batch_size=1, max_iter=1, tol=None)
    steepest = (X**2).sum(axis=1).max() + 1.0 + 0.3  # the intercept's column, and the penalty
    np.testing.assert_allclose(model.fit(X, y).learning_rate_, 1.0 / (3.0 * steepest), rtol=1e-10)
