"""The working set and its subspace steps: stored columns, added columns, and descent."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Lasso

from skgd import GDRegressor
from skgd.descent.outcome import Outcome
from skgd.estimators.minimizers import direct
from skgd.solvers.active_set import Tuning as ActiveSet
from skgd.solvers.active_set import active_set_cg, active_set_newton
from skgd.solvers.auto import Tuning
from skgd.solvers.columns import Tuning as Columns
from skgd.solvers.coordinate_descent import Tuning as CoordinateDescent
from skgd.solvers.coordinate_descent import descend_with_steps
from skgd.solvers.gram import DenseGram
from skgd.solvers.quadratic import Separable
from skgd.solvers.working_set import Tuning as WorkingSet


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


# Little room, so that there is something to drop.
NARROW = Tuning(working_set=WorkingSet(first_columns=(16, 16)))


def centred_lasso(X, y, share, weight=None):
    """Return the objective of centred rows, with an l1 cost as in `lasso`."""
    Z, t = X - np.average(X, axis=0, weights=weight), y - np.average(y, weights=weight)
    model = lasso(X, y, share).set_params(fit_intercept=False)
    return model.objective(Z, t, weight)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_stored_gram_matrix_is_that_of_the_working_set(weighted):
    X, y = make_correlated(150, 2000, 40)
    weight = np.random.default_rng(1).uniform(0.1, 2.0, len(y)) if weighted else np.ones(len(y))
    solver = direct(centred_lasso(X, y, 0.01, weight), 1e-6, tuning=NARROW)
    sets = []
    solver.minimize(1000, lambda solver: sets.append(solver.working_set.columns.index))
    assert solver.outcome is Outcome.CONVERGED
    assert any(set(before) - set(after) for before, after in pairwise(sets))  # some are dropped
    columns, share = solver.working_set.columns, weight / weight.sum()
    assert np.unique(columns.index).size == columns.index.size
    assert set(np.flatnonzero(solver.theta)) <= set(columns.index)
    seen = X[:, columns.index] - share @ X[:, columns.index]
    np.testing.assert_allclose(columns.gram.G, seen.T @ (share[:, None] * seen), atol=1e-12)


def test_a_path_through_a_set_that_drops_columns_is_that_of_single_fits():
    X, y = make_correlated(150, 2000, 40)
    objective, sets = centred_lasso(X, y, 1.0), []
    solver = direct(objective, 1e-8, tuning=NARROW, for_path=True)
    for share in np.geomspace(0.9, 0.01, 6):
        solver.set_alpha(share * objective.alpha)
        solver.minimize(1000, lambda solver: sets.append(solver.working_set.columns.index))
        fit = lasso(X, y, share, 1e-8).fit(X, y)
        np.testing.assert_allclose(solver.theta, fit.coef_, atol=1e-6)
    assert any(set(before) - set(after) for before, after in pairwise(sets))


STEPS = CoordinateDescent(cg_size=20, cg_changes=0.3)  # conjugate gradients, and that soon
ONLY_CG = STEPS._replace(newton_size=0)
ONLY_SWEEPS = ONLY_CG._replace(active_set=ActiveSet(cg_steps=0))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_a_working_set_solved_by_conjugate_gradients_has_lassos_minimum(form):
    X, y = make_correlated(150, 300, 40)
    if form is not np.asarray:
        X = X * (np.random.default_rng(2).random(X.shape) < 0.03)
        y = y + X @ np.random.default_rng(3).standard_normal(300)
    model = lasso(X, y, 0.02).set_params(fit_intercept=False)
    objective = model.objective(form(X), y)
    columns = Columns(coordinate_descent=STEPS)
    solver = direct(objective, 1e-9, tuning=Tuning(working_set=WorkingSet(columns=columns)))
    assert solver.minimize(1000) is Outcome.CONVERGED
    assert np.isnan(solver.learning_rate)
    theirs = Lasso(alpha=model.alpha, tol=1e-13, max_iter=100_000, fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(solver.theta, theirs.coef_, atol=1e-6)


def test_conjugate_gradients_between_sweeps_are_ahead_of_sweeps_alone():
    X, y = make_correlated(150, 120, 40)
    gram, q, m = DenseGram(X.T @ X / 150), X.T @ y / 150, 120
    separable = Separable(np.full(m, 1e-3), np.zeros(m), np.full(m, -np.inf), np.ones(m))
    left = []
    for tuning in (ONLY_CG, ONLY_SWEEPS):
        w = np.zeros(m)
        descend_with_steps(gram, q, w, separable, 1e-12, tuning._replace(max_rounds=10))
        left.append(value(gram, q, w, separable))
    assert left[0] < left[1]


def equations(seed, m=40, at_zero=8, rows=120):
    """Return a Gram matrix, q, weights of which some are zero, and the separable part."""
    rng = np.random.default_rng(seed)
    R = rng.standard_normal((rows, m))
    w = rng.standard_normal(m)
    w[rng.choice(m, at_zero, replace=False)] = 0.0
    separable = Separable(np.full(m, 0.3), np.full(m, 0.1), np.full(m, -np.inf), np.ones(m))
    return DenseGram(R.T @ R / rows), rng.standard_normal(m), w, separable


def value(gram, q, w, separable):
    return 0.5 * w @ gram.G @ w - q @ w + separable[0] @ np.abs(w) + 0.5 * separable[1] @ w**2


STEP_KINDS = [
    lambda *args: active_set_newton(*args, n_solves=4),
    lambda *args: active_set_cg(*args, tol=1e-9),
]


def test_active_set_conjugate_gradients_end_at_the_solution_of_the_equations():
    gram, q, w, separable = equations(0)
    signs = np.sign(w)
    kept = signs != 0.0
    H = gram.G[np.ix_(kept, kept)] + np.diag(separable[1][kept])
    far = np.zeros(w.size)  # with slopes there for which the same signs are right
    far[kept] = np.linalg.solve(H, (gram.G @ w + separable[1] * w)[kept])
    q = gram.G @ far + separable[1] * far + separable[0] * signs
    for step in STEP_KINDS:
        v = 1.2 * w
        for _ in range(3):  # a step is of a few conjugate gradients
            step(gram, v, q - gram.product(v), separable)
        np.testing.assert_allclose(v[kept], far[kept], atol=1e-7)
        assert not v[~kept].any()


@pytest.mark.parametrize("step", STEP_KINDS, ids=["newton", "cg"])
@pytest.mark.parametrize("seed", range(10))
def test_subspace_steps_descend_and_no_weight_changes_its_sign(step, seed):
    gram, q, w, separable = equations(seed)
    v = w.copy()
    step(gram, v, q - gram.product(v), separable)
    assert value(gram, q, v, separable) < value(gram, q, w, separable)
    assert (v * w >= 0.0).all()
    assert np.count_nonzero(v) < np.count_nonzero(w)  # these slopes would turn some around


@pytest.mark.parametrize("seed", range(5))
def test_an_active_set_step_that_may_drop_all_weights_ends_at_gradient_zero(seed):
    gram, q, w, separable = equations(seed, rows=20)
    few, v = w.copy(), w.copy()
    assert not active_set_newton(gram, few, q - gram.product(few), separable, n_solves=4)
    assert active_set_newton(gram, v, q - gram.product(v), separable, n_solves=w.size)
    assert (
        value(gram, q, v, separable)
        < value(gram, q, few, separable)
        < value(gram, q, w, separable)
    )
    slopes = q - gram.product(v) - separable[1] * v - separable[0] * np.sign(v)
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
