"""What alpha means: the same as in Lasso, with the factors of other estimators."""

import numpy as np
import pytest
from conftest import make_regression
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge, SGDRegressor

from skgd import GDRegressor

WEIGHT = np.random.default_rng(4).uniform(0.2, 5.0, 60)
weighted = pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
intercepts = pytest.mark.parametrize("fit_intercept", [True, False])
alphas = pytest.mark.parametrize("alpha", [1e-3, 0.1, 1.0])
problem = make_regression(n=60, p=6, seed=7, sparse_truth=True)


def assert_agree(model, neighbour, weight):
    """Fit both and compare coefficients and intercept."""
    X, y = problem
    model.set_params(tol=1e-10, max_iter=10_000).fit(X, y, weight)
    neighbour.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, neighbour.coef_, rtol=0.0, atol=1e-7)
    np.testing.assert_allclose(model.intercept_, neighbour.intercept_, rtol=0.0, atol=1e-7)


@weighted
@intercepts
@alphas
def test_l1_is_lasso_with_the_same_alpha(alpha, fit_intercept, weight):
    model = GDRegressor(penalty="l1", alpha=alpha, fit_intercept=fit_intercept)
    lasso = Lasso(alpha=alpha, fit_intercept=fit_intercept, tol=1e-14, max_iter=100_000)
    assert_agree(model, lasso, weight)
    np.testing.assert_array_equal(model.coef_ == 0.0, lasso.coef_ == 0.0)


@weighted
@intercepts
@alphas
@pytest.mark.parametrize("l1_ratio", [0.2, 0.8])
def test_elasticnet_is_elastic_net_with_the_same_alpha(alpha, l1_ratio, fit_intercept, weight):
    shared = {"alpha": alpha, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept}
    model = GDRegressor(penalty="elasticnet", **shared)
    assert_agree(model, ElasticNet(**shared, tol=1e-14, max_iter=100_000), weight)


@weighted
@intercepts
@alphas
def test_l2_is_ridge_with_alpha_times_the_sum_of_weights(alpha, fit_intercept, weight):
    total = 60 if weight is None else weight.sum()
    ridge = Ridge(alpha=total * alpha, fit_intercept=fit_intercept, solver="cholesky")
    assert_agree(GDRegressor(alpha=alpha, fit_intercept=fit_intercept), ridge, weight)


@weighted
@intercepts
def test_no_penalty_is_linear_regression(fit_intercept, weight):
    model = GDRegressor(penalty=None, alpha=1.0, fit_intercept=fit_intercept)
    assert_agree(model, LinearRegression(fit_intercept=fit_intercept), weight)


@pytest.mark.parametrize(("l1_ratio", "name"), [(1.0, "l1"), (0.0, "l2")])
def test_at_its_ends_the_elastic_net_is_lasso_and_ridge(l1_ratio, name):
    X, y = problem
    tight = {"alpha": 0.1, "tol": 1e-12, "max_iter": 10_000}
    mixed = GDRegressor(penalty="elasticnet", l1_ratio=l1_ratio, **tight).fit(X, y)
    pure = GDRegressor(penalty=name, **tight).fit(X, y)
    np.testing.assert_allclose(mixed.coef_, pure.coef_, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet"])
def test_sgd_regressor_goes_down_to_the_same_objective_with_the_same_alpha(penalty):
    X, y = problem
    sgd = SGDRegressor(
        penalty=penalty,
        alpha=0.3,
        l1_ratio=0.4,
        eta0=0.02,
        tol=None,
        max_iter=2000,
        random_state=0,
    ).fit(X, y)
    theirs = np.append(sgd.coef_, sgd.intercept_)

    def excess(alpha):
        """Return how far their answer is above the minimum for this alpha."""
        model = GDRegressor(penalty=penalty, alpha=alpha, l1_ratio=0.4, tol=1e-10).fit(X, y)
        objective = model.objective(X, y)
        ours = np.append(model.coef_, model.intercept_)
        return (objective.value(theirs) - objective.value(ours)) / objective.null_objective

    assert 0.0 <= excess(0.3) < 1e-4
    assert min(excess(0.15), excess(0.6)) > 1e-3
