"""Paths of coefficients, compared with scikit-learn and with single fits."""

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Ridge, enet_path, lasso_path

import skgd
from skgd import GDRegressor


def make_wide(n=40, p=90):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) + rng.uniform(-2.0, 2.0, p)
    return X, 5.0 + X[:, :6] @ rng.standard_normal(6) + 0.3 * rng.standard_normal(n)


PROBLEMS = {"tall": lambda: make_regression(n=60, p=5), "wide": make_wide}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_path_of_the_lasso_is_scikit_learns(problem):
    X, y = PROBLEMS[problem]()
    Z, t = X - X.mean(axis=0), y - y.mean()
    largest = np.abs(Z.T @ t).max() / len(y)
    alphas = np.geomspace(largest, 0.01 * largest, 12)
    coefs = lasso_path(Z, t, alphas=alphas, tol=1e-12, max_iter=100_000)[1]
    found = skgd.path(X, y, n_alphas=12, eps=0.01, tol=1e-11)
    np.testing.assert_allclose(found.alphas, alphas, rtol=1e-10)
    np.testing.assert_allclose(found.coefs, coefs, atol=1e-6)
    np.testing.assert_allclose(found.intercepts, y.mean() - X.mean(axis=0) @ coefs, atol=1e-6)
    assert (found.gaps <= 1e-9 * y.var()).all()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_path_of_the_elastic_net_is_scikit_learns(problem):
    X, y = PROBLEMS[problem]()
    options = {"penalty": "elasticnet", "l1_ratio": 0.4, "fit_intercept": False}
    largest = np.abs(X.T @ y).max() / len(y) / 0.4
    alphas = np.geomspace(largest, 1e-3 * largest, 8)
    coefs = enet_path(X, y, l1_ratio=0.4, alphas=alphas, tol=1e-12, max_iter=100_000)[1]
    found = skgd.path(X, y, n_alphas=8, tol=1e-11, **options)
    np.testing.assert_allclose(found.alphas, alphas, rtol=1e-10)
    np.testing.assert_allclose(found.coefs, coefs, atol=1e-6)
    assert not found.intercepts.any()


@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_a_path_over_nearly_dependent_columns_is_scikit_learns(l1_ratio):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((300, 24)) + 10.0 * rng.standard_normal((300, 1))
    X = np.column_stack([X, X[:, :6] + 0.3 * rng.standard_normal((300, 6)), np.full(300, 3.0)])
    y = X[:, ::3] @ rng.standard_normal(11) + rng.standard_normal(300)
    Z, t = X - X.mean(axis=0), y - y.mean()
    alphas = np.geomspace(1.0, 1e-3, 20) * np.abs(Z.T @ t).max() / (300 * l1_ratio)
    options = {"l1_ratio": l1_ratio, "alphas": alphas}
    found = skgd.path(X, y, penalty="elasticnet", tol=1e-10, **options)
    coefs = enet_path(Z, t, tol=1e-10, max_iter=1_000_000, **options)[1]
    np.testing.assert_allclose(found.coefs, coefs, atol=1e-4 * np.abs(coefs).max())
    assert (found.gaps <= 1e-10 * y.var()).all()


def test_every_point_of_a_path_is_a_fit():
    X, y = make_wide()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, 40)
    X[np.abs(X) < 1.0] = 0.0
    for rows in (X, sparse.csr_matrix(X)):
        found = skgd.path(rows, y, alphas=[0.02, 0.5, 0.1], sample_weight=weight, tol=1e-10)
        assert found.alphas.tolist() == [0.5, 0.1, 0.02]
        for k, alpha in enumerate(found.alphas):
            model = GDRegressor(penalty="l1", alpha=alpha, tol=1e-10).fit(rows, y, weight)
            np.testing.assert_allclose(found.coefs[:, k], model.coef_, atol=1e-8)
            np.testing.assert_allclose(found.intercepts[k], model.intercept_, atol=1e-8)


@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_the_gaps_of_a_path_bound_the_suboptimality(penalty):
    X, y = make_wide()
    share = {"l1": 1.0, "elasticnet": 0.5}[penalty]
    rows = sparse.csr_array(X)  # of which sweeps end before the minimum
    found = skgd.path(rows, y, penalty=penalty, n_alphas=6, eps=0.01, tol=0.1)
    peer = ElasticNet(l1_ratio=share, tol=1e-13, max_iter=100_000)
    left = []
    for alpha, coef, intercept in zip(found.alphas, found.coefs.T, found.intercepts):
        objective = GDRegressor(penalty=penalty, alpha=alpha).objective(X, y)
        peer.set_params(alpha=alpha).fit(X, y)
        ends = np.append(coef, intercept), np.append(peer.coef_, peer.intercept_)
        left.append(np.subtract(*map(objective.value, ends)))
    assert (left <= found.gaps + 1e-12 * y.var()).all()
    assert max(left) > 1e-8 * y.var()


def test_a_path_of_ridges_needs_its_alphas():
    X, y = make_wide()
    found = skgd.path(X, y, penalty="l2", alphas=[1.0, 0.1], tol=1e-10)
    for k, alpha in enumerate(found.alphas):
        np.testing.assert_allclose(
            found.coefs[:, k], Ridge(alpha=40 * alpha).fit(X, y).coef_, atol=1e-7
        )
    with pytest.raises(ValueError, match="give alphas"):
        skgd.path(X, y, penalty="l2")


def test_at_the_largest_alpha_all_weights_are_zero_and_below_it_not():
    X, y = make_wide()
    found = skgd.path(X, y, n_alphas=3, eps=0.9, tol=1e-8)
    assert not found.coefs[:, 0].any()
    assert found.coefs[:, 1].any()


@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
@pytest.mark.parametrize("value", [0.0, 0.1, -5.0, 1e8])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, np.float32])
def test_the_path_of_a_constant_is_zeros(penalty, value, form):
    X, _ = make_wide()
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    for given in (None, [1e-3, 1e-9]):
        y = np.full(len(X), value)
        found = skgd.path(form(X), y, penalty=penalty, alphas=given, sample_weight=weight)
        np.testing.assert_array_equal(found.coefs, 0.0)
        np.testing.assert_array_equal(found.intercepts, value)
        np.testing.assert_array_equal(found.gaps, 0.0)
        assert (np.diff(found.alphas) < 0.0).all()


def test_the_path_of_columns_without_a_product_with_y_is_zeros():
    y = np.array([1.0, -1.0, 1.0, -1.0])
    X = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    np.testing.assert_array_equal(skgd.path(X, y, fit_intercept=False).coefs, 0.0)


def test_if_max_iter_is_reached_the_path_says_at_which_alpha():
    X, y = make_wide()
    with pytest.warns(ConvergenceWarning, match="At alpha=0.01 the path has not converged"):
        skgd.path(X, y, alphas=[0.01], max_iter=1, tol=1e-9)


def test_more_targets_than_one_are_refused():
    X, y = make_wide()
    with pytest.raises(ValueError, match="one target at a time"):
        skgd.path(X, np.column_stack([y, y]))


@pytest.mark.parametrize(
    ("y", "given", "message"),
    [
        (None, {"alphas": [0.1, -1.0]}, "not negative"),
        (None, {"alphas": [[0.1, 1.0]]}, "a list of numbers"),
        (None, {"alphas": [0.1, np.nan]}, "NaN"),
        (None, {"alphas": []}, "not negative"),
    ],
    ids=["negative", "table", "nan", "empty"],
)
def test_invalid_alphas_are_refused(y, given, message):
    X, target = make_wide()
    with pytest.raises(ValueError, match=message):
        skgd.path(X, target if y is None else y, **given)
