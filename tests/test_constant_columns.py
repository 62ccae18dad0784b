"""A constant column has weight zero, and the other weights are those of the fit without it."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

import skgd
from skgd import GDRegressor
from skgd.kernels.moments import column_moments
from skgd.optimizers import OPTIMIZERS

VALUES = [1013.25, 2024.0, 0.1, 1e-3, 1e8, -7.3, 1.0 / 3.0]
FORMS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "CSR": sparse.csr_matrix}
RULES = sorted(set(OPTIMIZERS) - {"sgd"})
WEIGHT = np.random.default_rng(1).uniform(0.1, 2.0, 40)


def make_problem(values=VALUES, dtype=np.float64):
    """Return three columns, the same and constant ones, and a target."""
    rng = np.random.default_rng(0)
    Z = (rng.standard_normal((40, 3)) * [1.0, 2.0, 0.5] + [0.0, 1.0, -1.0]).astype(dtype)
    y = Z @ [1.0, -2.0, 3.0] + 1.0 + 0.1 * rng.standard_normal(40)
    return Z, np.column_stack([Z, *(np.full(40, v, dtype=dtype) for v in values)]), y


def assert_left_out(model, other, atol=1e-6):
    assert model.coef_[3:].tolist() == [0.0] * (model.coef_.size - 3)
    np.testing.assert_allclose(model.coef_[:3], other.coef_, rtol=1e-6, atol=atol)
    np.testing.assert_allclose(model.intercept_, other.intercept_, rtol=1e-6, atol=atol)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet", None])
def test_the_direct_solver_leaves_constant_columns_out(penalty, weight, dtype, form):
    Z, X, y = make_problem(dtype=dtype)
    models = [GDRegressor(penalty=penalty).fit(FORMS[form](A), y, weight) for A in (X, Z)]
    assert_left_out(*models)
    known = {"penalty": penalty or "l2", "alphas": [0.1, 1e-6, 1e-7], "sample_weight": weight}
    path, plain = (skgd.path(FORMS[form](A), y, **known) for A in (X, Z))
    assert not path.coefs[3:].any()
    np.testing.assert_allclose(path.coefs[:3], plain.coefs, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(path.intercepts, plain.intercepts, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "batch_size"),
    [*((rule, size) for rule in RULES for size in (None, 8)), ("gd", 1), ("adam", 1), ("saga", 1)],
)
def test_every_rule_leaves_constant_columns_out(optimizer, batch_size):
    options = {"optimizer": optimizer, "batch_size": batch_size, "random_state": 0}
    Z, X, y = make_problem()
    models = [GDRegressor(**options, max_iter=4, tol=None).fit(A, y) for A in (X, Z)]
    assert_left_out(*models)


@pytest.mark.parametrize("form", ["C", "CSR"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam"},
        {"optimizer": "adam", "center": False},
        {"optimizer": "gd", "batch_size": 1, "penalty": "l1", "alpha": 0.01},
        {"optimizer": "gd", "learning_rate": 0.01},
    ],
    ids=str,
)
def test_no_storage_makes_a_difference_to_what_is_left_out(options, dtype, form):
    Z, X, y = make_problem(dtype=dtype)
    model = GDRegressor(**options, max_iter=4, tol=None, random_state=0)
    models = [clone(model).fit(FORMS[form](A), y) for A in (X, Z)]
    assert_left_out(*models)


@pytest.mark.parametrize("options", [{}, {"optimizer": "gd", "batch_size": 8}], ids=str)
def test_a_stream_leaves_out_what_has_been_constant_so_far(options):
    Z, X, y = make_problem()
    models = GDRegressor(**options, random_state=0), GDRegressor(**options, random_state=0)
    for rows in (slice(0, 20), slice(20, 40)):
        for model, A in zip(models, (X, Z)):
            model.partial_fit(A[rows], y[rows])
    assert_left_out(*models)
    moved = X.copy()
    moved[:, 3] = 1013.25 + np.arange(40.0)
    for _ in range(3):
        models[0].partial_fit(moved, y)
    assert models[0].coef_[3] != 0.0
    assert not models[0].coef_[4:].any()


@pytest.mark.parametrize("form", FORMS)
def test_what_differs_in_rows_without_weight_only_is_constant(form):
    Z, X, y = make_problem([1013.25])
    weight = np.where(np.arange(40) % 5, WEIGHT, 0.0)
    X[weight == 0.0, 3] = 5.0
    models = [GDRegressor(penalty=None).fit(FORMS[form](A), y, weight) for A in (X, Z)]
    assert_left_out(*models)


@pytest.mark.parametrize("penalty", ["l2", None])
def test_without_an_intercept_a_constant_column_is_one(penalty):
    Z, X, y = make_problem([2.0])
    options = {"penalty": penalty, "alpha": 1e-9}
    model = GDRegressor(**options, fit_intercept=False).fit(X, y)
    other = GDRegressor(**options).fit(Z, y)
    np.testing.assert_allclose(model.coef_[:3], other.coef_, rtol=1e-6)
    np.testing.assert_allclose(2.0 * model.coef_[3], other.intercept_, rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["auto", "adam"])
def test_of_a_single_row_only_the_intercept_can_be_told(optimizer):
    model = GDRegressor(optimizer=optimizer, max_iter=5).fit([[1.0, 2024.0]], [3.0])
    assert (model.coef_.tolist(), model.intercept_) == ([0.0, 0.0], 3.0)


@pytest.mark.parametrize("form", ["C", "CSR"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_is_a_spread_below_the_rounding_of_the_mean_in_the_type_of_the_data(dtype, form):
    eps, signs = np.finfo(dtype).eps, np.resize([-1.0, 1.0], 40)
    spreads = np.array([0.0, 1.0, 4.0, 16.0, 1000.0])
    X = (1.5 + signs[:, None] * spreads * eps).astype(dtype)
    found = column_moments(FORMS[form](X), np.ones(40))
    assert found.constant.tolist() == [True, True, True, False, False]
    np.testing.assert_allclose(np.sqrt(found.variance), spreads * eps, rtol=0.2)


@pytest.mark.parametrize("form", ["C", "CSR"])
@pytest.mark.parametrize("ratio", [20.0, 1e3, 1e6])
def test_a_column_that_is_nearly_constant_does_no_harm(ratio, form):
    Z, X, y = make_problem([2024.0])
    X[:, 3] *= 1.0 + ratio * np.finfo(float).eps * np.random.default_rng(3).standard_normal(40)
    for penalty in ("l1", "l2"):
        models = [GDRegressor(penalty=penalty).fit(FORMS[form](A), y) for A in (X, Z)]
        np.testing.assert_allclose(models[0].coef_[:3], models[1].coef_, atol=1e-6)
        assert abs(models[0].coef_[3]) < 1e-3
    model = GDRegressor(penalty=None).fit(FORMS[form](X), y)
    exact = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=1e-30)[0]
    assert abs(model.coef_[3]) < 1e-3 or abs(model.coef_[3] / exact[3] - 1.0) < 2.0 / ratio + 0.01


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("optimizer", ["auto", "gd"])
def test_a_column_that_only_rows_without_weight_hold_has_weight_zero(optimizer, form):
    Z, _, y = make_problem()
    weight = np.where(np.arange(40) % 5, 1.0, 0.0)
    X = np.column_stack([Z, np.where(weight, 0.0, 7.0)])
    fit, other = (GDRegressor(optimizer=optimizer, tol=1e-6) for _ in range(2))
    fit.fit(FORMS[form](X), y, weight)
    assert_left_out(fit, other.fit(Z[weight > 0.0], y[weight > 0.0]))
