"""The working set and its subspace steps: stored columns, added columns, and descent."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Lasso

import skgd
from skgd import GDRegressor
from skgd.solvers import coordinate_descent as settle
from skgd.solvers import working_set as working
from skgd.solvers.active_set import active_set_cg, active_set_newton
from skgd.solvers.gram import DenseGram
from skgd.solvers.working_set import WorkingSet


def make_correlated(n, p, support, seed=0):
    """Return columns of which each is correlated 0.6 with the last, and a target of some."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = 0.6 * X[:, j - 1] + 0.8 * X[:, j]
    w = np.zeros(p)
    w[rng.choice(p, support, replace=False)] = rng.standard_normal(support)
    return X, X @ w + 0.3 * (X @ w).std() * rng.standard_normal(n)


def residual(model, X, y):
    """Return the largest entry of the proximal gradient, in its unit, from the definition."""
    Z, t, w = X - X.mean(axis=0), y - y.mean(), model.coef_
    curvature = (Z**2).mean(axis=0)
    z = w + Z.T @ (t - Z @ w) / len(y) / curvature
    z = np.sign(z) * np.maximum(np.abs(z) - model.alpha / curvature, 0.0)
    return (np.sqrt(curvature / t.var()) * np.abs(w - z)).max()


def lasso(X, y, share, tol=1e-4):
    """Return an estimator with an l1 cost of some share of the one that leaves nothing."""
    steepest = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(y)
    return GDRegressor(penalty="l1", alpha=share * steepest, tol=tol, max_iter=10_000)


@pytest.mark.parametrize("tol", 10.0 ** -np.arange(4, 10))
def test_columns_that_violate_optimality_after_a_solve_are_added(tol):
    X, y = make_correlated(60, 600, 20)
    model = lasso(X, y, 0.01, tol).fit(X, y)
    assert model.converged_
    assert residual(model, X, y) <= tol * (1.0 + 1e-6) + 1e-13


@pytest.mark.parametrize("weighted", [False, True])
def test_the_stored_gram_matrix_is_that_of_the_working_set(weighted, monkeypatch):
    sets, sizes, extend = [], [], WorkingSet._extend

    def extended(self, new):
        extend(self, new)
        sets.append(self)
        sizes.append((self.working_set.size, new.size))

    monkeypatch.setattr(WorkingSet, "_extend", extended)
    monkeypatch.setattr(working, "FIRST", 16)  # little room, that there is something to drop
    X, y = make_correlated(150, 2000, 40)
    weight = np.random.default_rng(1).uniform(0.1, 2.0, len(y)) if weighted else np.ones(len(y))
    model = lasso(X, y, 0.01, 1e-6).fit(X, y, weight)
    assert model.converged_
    assert sizes[-1][0] < sum(new for _, new in sizes)  # some were dropped
    working_set, share = sets[-1].working_set, weight / weight.sum()
    assert np.unique(working_set).size == working_set.size
    assert set(np.flatnonzero(model.coef_)) <= set(working_set)
    seen = X[:, working_set] - share @ X[:, working_set]
    np.testing.assert_allclose(sets[-1].gram.G, seen.T @ (share[:, None] * seen), atol=1e-12)


def test_a_path_through_a_set_that_drops_columns_is_that_of_single_fits(monkeypatch):
    dropped, drop = [], WorkingSet._drop

    def counted(self, w, k):
        m = self.working_set.size
        drop(self, w, k)
        dropped.append(m - self.working_set.size)

    monkeypatch.setattr(WorkingSet, "_drop", counted)
    monkeypatch.setattr(working, "FIRST", 16)
    X, y = make_correlated(150, 2000, 40)
    found = skgd.path(X, y, n_alphas=6, eps=0.01, tol=1e-8)
    assert sum(dropped) > 0
    for alpha, coef in zip(found.alphas, found.coefs.T):
        fit = GDRegressor(penalty="l1", alpha=alpha, tol=1e-8).fit(X, y)
        np.testing.assert_allclose(coef, fit.coef_, atol=1e-6)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_a_working_set_solved_by_conjugate_gradients_has_lassos_minimum(form, monkeypatch):
    glides = []
    monkeypatch.setattr(settle, "MANY", 20)
    monkeypatch.setattr(settle, "FIXED", 0.3)
    monkeypatch.setattr(settle, "active_set_cg", lambda *args: glides.append(active_set_cg(*args)))
    X, y = make_correlated(150, 300, 40)
    if form is not np.asarray:
        X = X * (np.random.default_rng(2).random(X.shape) < 0.03)
        y = y + X @ np.random.default_rng(3).standard_normal(300)
    model = lasso(X, y, 0.02, 1e-9).fit(form(X), y)
    assert model.converged_
    assert glides
    theirs = Lasso(alpha=model.alpha, tol=1e-13, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-6)


def equations(seed, m=40, at_zero=8, rows=120):
    """Return products, slopes, weights of which some are zero, and limits."""
    rng = np.random.default_rng(seed)
    R = rng.standard_normal((rows, m))
    w = rng.standard_normal(m)
    w[rng.choice(m, at_zero, replace=False)] = 0.0
    limits = np.full(m, 0.3), np.full(m, 0.1), np.full(m, -np.inf), np.ones(m)
    return DenseGram(R.T @ R / rows), rng.standard_normal(m), w, limits


def value(gram, q, w, limits):
    return 0.5 * w @ gram.G @ w - q @ w + limits[0] @ np.abs(w) + 0.5 * limits[1] @ w**2


def test_active_set_conjugate_gradients_end_at_the_solution_of_the_equations():
    gram, q, w, limits = equations(0)
    signs = np.sign(w)
    kept = signs != 0.0
    H = gram.G[np.ix_(kept, kept)] + np.diag(limits[1][kept])
    far = np.zeros(w.size)  # with slopes there for which the same signs are right
    far[kept] = np.linalg.solve(H, (gram.G @ w + limits[1] * w)[kept])
    q = gram.G @ far + limits[1] * far + limits[0] * signs
    for step in (active_set_newton, lambda *args: active_set_cg(*args, tol=1e-9)):
        v = 1.2 * w
        for _ in range(3):  # a glide is of a few conjugate gradients
            step(gram, v, q - gram.product(v), kept, limits)
        np.testing.assert_allclose(v[kept], far[kept], atol=1e-7)
        assert not v[~kept].any()


@pytest.mark.parametrize("step", [active_set_newton, lambda *args: active_set_cg(*args, tol=1e-9)])
@pytest.mark.parametrize("seed", range(10))
def test_subspace_steps_descend_and_no_weight_changes_its_sign(step, seed):
    gram, q, w, limits = equations(seed)
    v = w.copy()
    step(gram, v, q - gram.product(v), v != 0.0, limits)
    assert value(gram, q, v, limits) < value(gram, q, w, limits)
    assert (v * w >= 0.0).all()
    assert np.count_nonzero(v) < np.count_nonzero(w)  # these slopes would turn some around


@pytest.mark.parametrize("seed", range(5))
def test_an_active_set_step_that_may_drop_all_weights_ends_at_gradient_zero(seed):
    gram, q, w, limits = equations(seed, rows=20)
    few, v = w.copy(), w.copy()
    assert not active_set_newton(gram, few, q - gram.product(few), few != 0.0, limits, drops=4)
    assert active_set_newton(gram, v, q - gram.product(v), v != 0.0, limits, drops=w.size)
    assert value(gram, q, v, limits) < value(gram, q, few, limits) < value(gram, q, w, limits)
    slopes = q - gram.product(v) - limits[1] * v - limits[0] * np.sign(v)
    assert 0 < np.count_nonzero(v) < np.count_nonzero(w)
    np.testing.assert_allclose(slopes[v != 0.0], 0.0, atol=1e-9)


def test_many_dependent_columns_are_solved():
    rng = np.random.default_rng(0)
    t = np.linspace(-1.0, 1.0, 80)
    X = np.cos(np.arange(1, 13) * np.arccos(t)[:, None]) + 1e-3 * rng.standard_normal((80, 12))
    X = np.c_[X, X + 1e-3 * rng.standard_normal(X.shape)]
    y = np.abs(t) + 0.01 * rng.standard_normal(80)
    model = lasso(X, y, 1e-4, 1e-8).fit(X, y)
    assert model.converged_
    assert residual(model, X, y) <= 1e-8 * (1.0 + 1e-6) + 1e-13
