"""Sums over rows have float64 precision for every storage of the data and for large means.

References use extended precision if it is more than float64; otherwise they centre the data first.
"""

import numpy as np
import pytest
from scipy import sparse

import skgd
from skgd import GDRegressor
from skgd.kernels.moments import column_means, column_squares, full_columns
from skgd.kernels.sums import gram, matvec, predictions, rmatvec, row_gram, row_squares

FORMS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "CSR": sparse.csr_matrix,
    "CSC": sparse.csc_matrix,
}
WEIGHT = np.random.default_rng(1).uniform(0.1, 2.0, 300)
WEIGHT[::7] = 0.0
EPS32 = np.finfo(np.float32).eps


def make_shifted(ratio, n=300, p=4, dtype=np.float32):
    """Return columns of which all but the last are that many spreads from zero, and a target."""
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((n, p))
    X = (Z + ratio * np.append(np.linspace(1.0, -1.0, p - 1), 0.0)).astype(dtype)
    Z = X.astype(float) - X.astype(float).mean(axis=0)
    return X, Z @ np.linspace(1.0, 2.0, p) + 3.0 + 0.1 * rng.standard_normal(n)


def long(X):
    """Return the same numbers in the longest float there is, dense."""
    return (X.toarray() if sparse.issparse(X) else X).astype(np.longdouble)


@pytest.fixture(params=[(300, 4), (20_000, 4)], ids=["short", "long"])
def rows(request):
    """Return rows that are added up in one go, and rows that are not; with some zeros."""
    n, p = request.param
    X = make_shifted(1e4, n=n, p=p)[0]
    X[:, -1] *= np.abs(X[:, -1]) > 0.7
    X[5, 1] = 0.0  # of a column that is large elsewhere
    weight = np.resize(WEIGHT, n)
    return X, weight / weight.mean()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_are_those_of_extended_precision(rows, dtype, form):
    X, weight = FORMS[form](rows[0].astype(dtype)), rows[1]
    n, p = X.shape
    wide, s, rng = long(X), weight.astype(np.longdouble), np.random.default_rng(2)
    u, v = rng.standard_normal(n), rng.standard_normal(p)
    mean = s @ wide / n
    centre = mean.astype(float)
    size = np.abs(wide).max()
    close = {"rtol": 1e-12, "atol": 1e-12 * float(size)}
    np.testing.assert_allclose(matvec(X, v), (wide @ v).astype(float), **close)
    np.testing.assert_allclose(predictions(X, v[:, None])[:, 0], (wide @ v).astype(float), **close)
    np.testing.assert_allclose(rmatvec(X, u) / n, (u @ wide / n).astype(float), **close)
    np.testing.assert_allclose(column_means(X, weight), centre, rtol=1e-13, atol=1e-14)
    seen = wide - centre
    np.testing.assert_allclose(
        column_squares(X, weight, centre), (s @ seen**2 / n).astype(float), rtol=1e-11
    )
    lengths = (seen**2).sum(axis=1).astype(float)
    np.testing.assert_allclose(row_squares(X, centre), lengths, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("even", [True, False])
def test_products_of_columns_and_of_rows_are_those_of_centred_ones(dtype, form, even):
    X, weight = make_shifted(1e5, dtype=dtype)[0], np.ones(300) if even else WEIGHT / WEIGHT.mean()
    mean = (weight.astype(np.longdouble) @ long(X) / 300).astype(float)
    Z = (long(X) - mean).astype(float)
    expected, spread = (Z * weight[:, None]).T @ Z / 300, Z.std()
    found, exactness = gram(FORMS[form](X), weight, mean, expected.diagonal())
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-10 * spread**2)
    assert exactness <= 1e-10
    K = row_gram(FORMS[form](X), mean, far=True)
    np.testing.assert_allclose(K, Z @ Z.T, rtol=0.0, atol=1e-9 * spread**2)


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix])
def test_a_column_is_full_when_every_row_that_counts_has_an_entry(form):
    X = form(np.array([[1.0, 0.0, 2.0], [1.0, 3.0, 2.0], [0.0, 3.0, 2.0]]))
    assert full_columns(X).tolist() == [False, False, True]
    assert full_columns(X, np.ones(3)).tolist() == [False, False, True]
    assert full_columns(X, np.array([2.0, 1.0, 0.0])).tolist() == [True, False, True]
    assert full_columns(X, np.array([0.0, 1.5, 1.5])).tolist() == [False, True, True]


@pytest.mark.parametrize("value", [1013.25, 0.1, 1.0 / 3.0, -7.3e8])
@pytest.mark.parametrize("form", FORMS)
def test_the_mean_of_equal_numbers_is_that_number(value, form):
    X = FORMS[form](np.full((20_001, 2), value))
    weight = np.resize(WEIGHT, 20_001) / np.resize(WEIGHT, 20_001).mean()
    assert column_means(X, weight).tolist() == [value, value]
    assert column_squares(X, weight, np.full(2, value)).tolist() == [0.0, 0.0]


# Fits

DIRECT = [
    {},
    {"penalty": None},
    {"penalty": "l1", "alpha": 0.05},
    {"penalty": "elasticnet", "alpha": 0.05},
]
DESCENTS = [
    ("C", {"optimizer": "nesterov", "tol": 1e-9}),
    ("CSR", {"optimizer": "nesterov", "tol": 1e-9}),
    ("C", {"optimizer": "adam", "max_iter": 30, "tol": None}),
]


def both(X, y, weight, form, **options):
    """Return fits of float32 data, and of the same numbers in float64."""
    model = GDRegressor(random_state=0, **options)
    single = model.fit(form(X), y, weight)
    kept = single.coef_, single.intercept_, single.dual_gap_, single.predict(form(X))
    return kept, model.fit(form(X.astype(float)), y, weight)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ratio", [0.0, 600.0, 1e5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", DIRECT, ids=str)
def test_a_certified_float32_fit_is_that_of_the_same_numbers(options, weighted, ratio, form):
    X, y = make_shifted(ratio)
    weight = WEIGHT if weighted else None
    exact = {"tol": 1e-9} | options
    (coef, intercept, gap, predicted), double = both(X, y, weight, FORMS[form], **exact)
    np.testing.assert_allclose(coef, double.coef_, rtol=2.0 * EPS32, atol=1e-7)
    room = EPS32 * (np.abs(double.coef_).sum() * (1.0 + ratio) + 5.0)
    np.testing.assert_allclose(intercept, double.intercept_, rtol=EPS32, atol=1e-6)
    np.testing.assert_allclose(predicted, double.predict(X.astype(float)), atol=2.0 * room)
    objective = double.objective(X.astype(float), y, weight)
    mean = (np.ones(300) if weight is None else weight) / (300 if weight is None else weight.sum())
    Z = X.astype(float) - mean @ X.astype(float)
    level = mean @ y - coef.astype(float) @ (mean @ X.astype(float))
    reached = 0.5 * mean @ (y - mean @ y - Z @ coef.astype(float)) ** 2
    reached += objective.penalty_term(np.append(coef, intercept))
    np.testing.assert_allclose(level, intercept, atol=room)
    least = objective.value(double.parameters())
    assert reached - least <= gap + 1e-9 * y.var()


@pytest.mark.parametrize("ratio", [0.0, 1e5])
@pytest.mark.parametrize(("form", "options"), DESCENTS, ids=str)
def test_a_float32_descent_is_that_of_the_same_numbers(options, ratio, form):
    X, y = make_shifted(ratio)
    (coef, *_), double = both(X, y, WEIGHT, FORMS[form], **options)
    np.testing.assert_allclose(coef, double.coef_, rtol=4.0 * EPS32, atol=1e-7)
    assert np.abs(coef).max() > 0.1


@pytest.mark.parametrize("form", ["C", "CSR"])
@pytest.mark.parametrize("batch_size", [1, 32])
def test_batches_of_float32_rows_move_as_those_of_the_same_numbers(batch_size, form):
    for ratio in (0.0, 1e5):
        X, y = make_shifted(ratio)
        options = {"optimizer": "gd", "batch_size": batch_size, "max_iter": 3, "tol": None}
        (coef, intercept, *_), double = both(X, y, None, FORMS[form], **options)
        np.testing.assert_allclose(coef, double.coef_, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(intercept, double.intercept_, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_a_path_of_float32_data_is_that_of_the_same_numbers(penalty, form):
    for ratio in (0.0, 1e5):
        X, y = make_shifted(ratio)
        known = {"penalty": penalty, "alphas": [0.5, 0.01, 1e-6], "tol": 1e-10}
        single = skgd.path(FORMS[form](X), y, **known)
        double = skgd.path(FORMS[form](X.astype(float)), y, **known)
        np.testing.assert_allclose(single.coefs, double.coefs, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(single.intercepts, double.intercepts, rtol=1e-9, atol=1e-4)


def test_without_an_intercept_large_columns_are_fitted_as_they_are():
    X, y = make_shifted(600.0)
    (coef, *_), double = both(X, y, None, np.asarray, penalty=None, fit_intercept=False)
    exact = np.linalg.lstsq(X.astype(float), y, rcond=None)[0]
    np.testing.assert_allclose(double.coef_, exact, rtol=1e-6)
    np.testing.assert_allclose(coef, exact, rtol=1e-6)


@pytest.mark.parametrize("form", ["C", "CSR"])
def test_a_temperature_in_kelvin_is_found_beside_another_column(form):
    rng, n = np.random.default_rng(0), 20_000
    x, z = (290.0 + 0.5 * rng.standard_normal(n)).astype("f4"), rng.standard_normal(n)
    X, level = np.column_stack([x, z]).astype("f4"), 290.0
    y = 2.0 * (x.astype(float) - level) / 0.5 + z + 0.1 * rng.standard_normal(n)
    model = GDRegressor().fit(FORMS[form](X), y)
    np.testing.assert_allclose(model.coef_, [4.0, 1.0], atol=0.01)
    A = np.column_stack([X.astype(float) - X.mean(axis=0, dtype=float), np.ones(n)])
    best = 1.0 - np.linalg.lstsq(A, y, rcond=None)[1][0] / (n * y.var())
    assert model.score(FORMS[form](X), y) > best - 1e-6
