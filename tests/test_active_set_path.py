"""Paths on more columns than rows, by active sets that are kept from alpha to alpha."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet

import skgd
from skgd.estimators.minimizers import direct
from skgd.losses import SquaredError
from skgd.models import Linear
from skgd.objective.objective import Objective
from skgd.penalties import ElasticNet as ElasticPenalty
from skgd.solvers.active_inverse import ActiveInverse
from skgd.solvers.active_set_path import minima_along
from skgd.solvers.gram import DenseGram


def wide(n=40, p=90, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.standard_normal((n, 1))
    return X, X[:, :5].sum(axis=1) + rng.standard_normal(n)


def path_along(X, y, l1_ratio, alphas, positive=False):
    centre = X.mean(axis=0)
    objective = Objective.of_rows(
        *(X, y - y.mean(), np.ones(len(y))),
        model=Linear(False),
        loss=SquaredError(),
        penalty=ElasticPenalty(l1_ratio),
        alpha=1.0,
        centre=centre,
        positive=positive,
        null_objective=0.5 * y.var(),
    )
    return minima_along(direct(objective, 1e-8, for_path=True), alphas, 1000)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_active_sets_reach_the_coefficients_of_coordinate_descent(l1_ratio, positive, order):
    X, y = wide()
    alphas = np.geomspace(1.0, 1e-2, 12)
    found = path_along(np.array(X, order=order), y, l1_ratio, alphas, positive)
    assert found.reached.all()
    for alpha, coef in zip(alphas, found.coefs):
        other = ElasticNet(
            alpha=alpha, l1_ratio=l1_ratio, positive=positive, tol=1e-12, max_iter=10**6
        ).fit(X, y)
        np.testing.assert_allclose(coef, other.coef_, atol=1e-5)


def test_gaps_along_a_path_are_those_of_each_fit_alone_or_smaller_than_its_goal():
    X, y = wide(seed=1)
    found = skgd.path(X, y, n_alphas=30, tol=1e-6)
    assert (found.gaps <= 1e-8 * 0.5 * y.var()).all()


@pytest.mark.parametrize("seed", [4, 23, 52])
def test_all_weights_may_leave_between_two_alphas(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 60))
    p = int(rng.integers(n, 4 * n))
    X = rng.standard_normal((n, p)) * 10 ** rng.uniform(-3, 3, 1) + rng.choice([0, 5.0])
    X[:, : p // 3] = X[:, p // 3 : 2 * (p // 3)]
    y = X[:, :3].sum(axis=1) + rng.standard_normal(n)
    penalty = rng.choice(["l1", "elasticnet"])
    options = {"penalty": penalty, "positive": bool(rng.integers(2)), "tol": 1e-6}
    options["fit_intercept"] = bool(rng.integers(2))
    found = skgd.GDRegressorCV(alphas=15, cv=2, **options).fit(X, y)
    for alpha, coef in zip(found.alphas_[::4], found.coef_path_.T[::4]):
        alone = skgd.GDRegressor(alpha=alpha, max_iter=10_000, **options).fit(X, y)
        np.testing.assert_allclose(X @ coef, X @ alone.coef_, atol=1e-3 * y.std())


def test_equal_columns_do_not_end_a_path():
    X, y = wide()
    X = np.hstack([X, X[:, :10]])
    found = skgd.path(X, y, n_alphas=20, tol=1e-6)
    np.testing.assert_allclose(
        X @ found.coefs + found.intercepts,
        X[:, :90] @ skgd.path(X[:, :90], y, alphas=found.alphas, tol=1e-6).coefs
        + skgd.path(X[:, :90], y, alphas=found.alphas, tol=1e-6).intercepts,
        atol=1e-2,
    )


def test_the_inverse_follows_columns_that_come_and_go():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 30))
    gram, index, l2 = DenseGram(A.T @ A / 60), rng.permutation(50)[:30], np.full(50, 0.1)
    inverse = ActiveInverse()
    for _ in range(12):
        active = np.sort(rng.permutation(30)[: rng.integers(15, 25)])
        assert inverse.set_columns(gram, index, active, l2)
        used, g = np.flatnonzero(inverse.slots >= 0), rng.standard_normal(active.size)
        place = {j: k for k, j in enumerate(index)}
        order = [place[j] for j in inverse.slots[used]]
        right, near = np.zeros(inverse.slots.size), np.zeros(inverse.slots.size)
        right[used], near[used] = g, 0.1
        z = inverse.solve(right, near, 1e-12)[used]
        H = gram.G[np.ix_(order, order)] + 0.1 * np.eye(len(order))
        np.testing.assert_allclose(z, np.linalg.solve(H, g), atol=1e-9)
    assert sorted(order) == active.tolist()
