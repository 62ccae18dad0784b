"""The duality gap of a fit: an upper bound of what is left to gain, and small where it converged.

Gaps are relative to the objective of the best constant prediction (without an intercept: of zero).
"""

import functools
import itertools
import warnings

import numpy as np
import pytest
from scipy import optimize, sparse
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lasso_path

import skgd
from skgd import GDRegressor
from skgd.objective.duality import Slack, Tuning, certify, improved_bound

SHARES = np.array([0.0, 1.0, 2.0, 0.0, 0.5, 1.0])
STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "CSR": sparse.csr_array,
    "float32": lambda X: X.astype(np.float32),
    "CSR, float32": lambda X: sparse.csr_array(X.astype(np.float32)),
}
COSTS = {
    "none": {"penalty": None},
    "alpha=0": {"penalty": "l1", "alpha": 0.0},
    "l2": {"penalty": "l2", "alpha": 0.1},
    "l2, small": {"penalty": "l2", "alpha": 1e-9},
    "l1": {"penalty": "l1", "alpha": 0.1},
    "l1, small": {"penalty": "l1", "alpha": 1e-5},
    "elastic net": {"penalty": "elasticnet", "alpha": 0.1},
    "elastic net, small": {"penalty": "elasticnet", "alpha": 1e-6},
}
FORMS = {
    "plain": {},
    "weighted": {"weighted": True},
    "no intercept": {"fit_intercept": False},
    "positive": {"positive": True},
    "shares": {"penalty_weights": True},
    "positive, shares, weighted": {"positive": True, "penalty_weights": True, "weighted": True},
}
ROWS = {
    "tall": (40, 6, None),
    "wide": (12, 24, None),
    "of low rank": (40, 6, 3),
    "repeated": (24, 12, 5),
}


def make_rows(n, p, rank, seed=0):
    """Return rows of a rank, numbers that float32 holds, and a target."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-4, 5, (n, p)) * (rng.random((n, p)) < 0.7) / 4.0
    if rank:
        X = X[:, :rank] @ rng.integers(-2, 3, (rank, p))
    w = rng.standard_normal(p) * (rng.random(p) < 0.5)
    return X, 2.0 + X @ w + rng.standard_normal(n), rng.integers(0, 4, n).astype(float)


class Problem:
    """F from its definition, of dense float64 rows, and its least value by bounded L-BFGS.

    Weights are differences of two variables that are not negative.
    """

    def __init__(self, X, y, weight, model):
        self.X, self.y, p = X, y, X.shape[1]
        self.s = np.ones(len(y)) if weight is None else weight
        self.s = self.s / self.s.sum()
        share = {"l1": 1.0, "l2": 0.0, "elasticnet": model.l1_ratio, None: 0.0}[model.penalty]
        penalty_factor = np.ones(p) if model.penalty_weights is None else model.penalty_weights
        alpha = 0.0 if model.penalty is None else model.alpha
        self.a, self.b = alpha * share * penalty_factor, alpha * (1.0 - share) * penalty_factor
        self.level, self.positive = model.fit_intercept, model.positive
        mean = self.s @ y if self.level else 0.0
        self.null_objective = 0.5 * self.s @ (y - mean) ** 2

    def value(self, w, level):
        r = self.X @ w + level - self.y
        return 0.5 * self.s @ r**2 + self.a @ np.abs(w) + 0.5 * self.b @ w**2

    def least(self):
        """Return the least value, from above, and a lower bound of it by duality."""
        X, y, p = self.X, self.y, self.X.shape[1]
        if self.level:
            X, y = X - self.s @ X, y - self.s @ y

        def function(z):
            w = z[:p] - z[p:]
            r = X @ w - y
            g = X.T @ (self.s * r) + self.b * w
            value = 0.5 * self.s @ r**2 + self.a @ z[:p] + self.a @ z[p:] + 0.5 * self.b @ w**2
            return value, np.concatenate([g + self.a, self.a - g])

        if not self.positive and not self.a.any():
            return self.solved(X, y, np.ones(p))
        top = 0.0 if self.positive else None
        bounds = [(0.0, None)] * p + [(0.0, top)] * p
        options = {"maxiter": 3000, "maxfun": 5000, "ftol": 0.0, "gtol": 1e-13, "maxcor": 30}
        z, exact = np.zeros(2 * p), np.inf
        for _ in range(10):
            z = optimize.minimize(
                function, z, jac=True, method="L-BFGS-B", bounds=bounds, options=options
            ).x
            exact = min(exact, self.solved(X, y, z[:p] - z[p:]))
            if exact <= function(z)[0] + 1e-14 * self.null_objective:
                break
        return min(function(z)[0], exact)

    def solved(self, X, y, w):
        """Return the value where the equations of the weights in use hold, if the signs do."""
        used = np.abs(w) > 1e-9
        signs, A = np.sign(w[used]), X[:, used] * np.sqrt(self.s)[:, None]
        root, w = np.sqrt(self.b[used]), np.zeros(w.size)
        M = np.vstack([A, np.diag(root)])
        rhs = np.append(np.sqrt(self.s) * y, np.zeros(used.sum()))
        inverse = np.linalg.pinv(M)
        w[used] = inverse @ rhs - inverse @ (inverse.T @ (self.a[used] * signs))
        bound = (self.a > 0.0) | self.positive
        if (w[used] * signs < 0.0)[bound[used]].any():
            return np.inf
        r = X @ w - y
        return 0.5 * self.s @ r**2 + self.a @ np.abs(w) + 0.5 * self.b @ w**2


def fitted(strengths, form, shape, storage, **options):
    """Return a fit and its problem."""
    X, y, weight = make_rows(*ROWS[shape])
    form = dict(FORMS[form])
    weight = weight if form.pop("weighted", False) else None
    if form.pop("penalty_weights", False):
        form["penalty_weights"] = np.resize(SHARES, X.shape[1])
    model = GDRegressor(**{"max_iter": 5000, **COSTS[strengths], **form, **options})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(STORAGES[storage](X), y, weight)
    return model, Problem(X, y, weight, model)


@functools.cache
def least(strengths, form, shape):
    """Return the least value of a problem."""
    return fitted(strengths, form, shape, "C", max_iter=1)[1].least()


def excess(model, problem, *names):
    """Return by how much a fit is above the least value that is known."""
    w, level = model.coef_.astype(float), float(model.intercept_)
    return problem.value(w, level) - least(*names)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("strengths", COSTS)
@pytest.mark.parametrize("shape", ROWS)
def test_the_gap_of_a_converged_default_fit_is_small_and_bounds_the_suboptimality(
    shape, strengths, form
):
    for storage in STORAGES:
        model, problem = fitted(strengths, form, shape, storage)
        assert model.converged_
        assert model.dual_gap_ >= 0.0
        left = excess(model, problem, strengths, form, shape)
        assert model.dual_gap_ >= left - 1e-12 * problem.null_objective
        assert model.dual_gap_ <= 1e-6 * problem.null_objective


DESCENTS = {
    "one epoch": {"optimizer": "nesterov", "max_iter": 1},
    "with its own intercept": {"optimizer": "nesterov", "center": False},
    "batches": {"optimizer": "gd", "batch_size": 5, "max_iter": 2, "random_state": 0},
}


@pytest.mark.slow
@pytest.mark.parametrize("descent", DESCENTS)
@pytest.mark.parametrize("form", ["plain", "shares", "positive, shares, weighted"])
def test_the_gap_of_a_descent_bounds_the_suboptimality_and_is_near_it_at_the_end(form, descent):
    for strengths, shape, storage in itertools.product(
        COSTS, ["tall", "of low rank"], ["C", "CSR"]
    ):
        model, problem = fitted(strengths, form, shape, storage, **DESCENTS[descent])
        left = excess(model, problem, strengths, form, shape)
        assert model.dual_gap_ >= left - 1e-12 * problem.null_objective
        if shape == "tall" and descent == "with its own intercept":
            assert model.dual_gap_ <= left + 1e-6 * problem.null_objective


def test_without_a_penalty_the_gap_is_the_gain_of_least_squares():
    X, y, weight = make_rows(40, 6, None)
    objective = GDRegressor(penalty=None).objective(X, y, weight)
    theta = np.random.default_rng(0).standard_normal(7)
    A, s = np.column_stack([X, np.ones(40)]), weight / weight.sum()
    root = np.sqrt(s)
    gain = np.linalg.lstsq(A * root[:, None], root * (y - A @ theta), rcond=None)[0]
    np.testing.assert_allclose(objective.dual_gap(theta), 0.5 * s @ (A @ gain) ** 2, rtol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("n_unpenalised", [2, 6])
def test_many_unpenalised_columns_are_projected_out_without_a_factor(n_unpenalised, intercept):
    X, y, weight = make_rows(40, 6, None)
    penalty_factor = np.where(np.arange(6) < n_unpenalised, 0.0, 1.0)
    model = GDRegressor(
        penalty="l1", alpha=0.3, penalty_weights=penalty_factor, fit_intercept=intercept
    )
    objective = model.objective(sparse.csr_array(X), y, weight)
    mean = weight / weight.sum()
    level = mean @ y if intercept else 0.0
    y = y - level
    slack = Slack(1e-12 * np.ones(6), np.zeros(6), objective.value(np.zeros(objective.d)))
    bounds = [
        improved_bound(objective, y, level, objective.rmatvec(y), slack, tuning)
        for tuning in (Tuning(flops=0.0), Tuning())
    ]
    assert 0.0 < bounds[0] <= bounds[1] * (1.0 + 1e-12)
    centred = X - mean @ X if intercept else X
    A = np.sqrt(mean)[:, None] * centred[:, :n_unpenalised]
    left = y - centred[:, :n_unpenalised] @ np.linalg.lstsq(A, np.sqrt(mean) * y, rcond=None)[0]
    steepest = np.abs(centred.T @ (mean * left)).max()
    c = min(1.0, 0.3 / steepest)
    np.testing.assert_allclose(bounds[0], (c - 0.5 * c**2) * mean @ left**2, rtol=1e-10)


def standardised_diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X / X.std(axis=0), y


def test_every_alpha_of_a_default_path_has_a_small_gap_and_lassos_coefficients():
    X, y = standardised_diabetes()
    found = skgd.path(X, y)
    Z, t = X - X.mean(axis=0), y - y.mean()
    exact = lasso_path(Z, t, alphas=found.alphas, tol=1e-13, max_iter=100_000)[1]
    theirs = lasso_path(Z, t, alphas=found.alphas)[1]
    assert (found.gaps <= 1e-6 * 0.5 * y.var()).all()
    assert np.abs(found.coefs - exact).max() <= np.abs(theirs - exact).max()


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet"])
def test_every_alpha_of_default_fits_has_a_small_gap(penalty):
    X, y = standardised_diabetes()
    for alpha in np.geomspace(45.0, 1e-8, 12):
        for rows in (X, sparse.csr_array(X)):
            model = GDRegressor(penalty=penalty, alpha=alpha).fit(rows, y)
            assert model.converged_
            assert model.dual_gap_ <= 1e-6 * 0.5 * y.var()


@pytest.mark.parametrize("penalty", ["l1", "l2", None])
def test_the_gap_includes_the_rounding_of_gradients(penalty):
    rng = np.random.default_rng(0)
    X, truth = 1e8 + rng.standard_normal((60, 4)), np.array([1.0, -2.0, -0.5, 1.5])
    y = X @ truth
    model = GDRegressor(penalty=penalty, alpha=1e-3, fit_intercept=False, max_iter=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    objective = model.objective(X, y)
    left = objective.value(model.coef_) - objective.value(truth)
    assert model.dual_gap_ >= left - 1e-12 * objective.null_objective


def test_the_gap_at_a_point_does_not_depend_on_points_seen_before():
    X, y = load_diabetes(return_X_y=True)
    model = GDRegressor(penalty="l1", alpha=0.5, tol=1e-10).fit(X, y)
    objective, start = model.objective(X, y), np.zeros(11)
    before = objective.dual_gap(start)
    assert objective.dual_gap(model.parameters()) < 1e-6 * y.var()
    assert objective.dual_gap(start) == before


def test_a_lower_bound_that_is_known_certifies_other_points():
    X, y = load_diabetes(return_X_y=True)
    model = GDRegressor(penalty="l1", alpha=0.5, tol=1e-10).fit(X, y)
    objective, other = model.objective(X, y), 1.01 * model.parameters()
    found = certify(objective, model.parameters())
    left, rounding = objective.value(other) - objective.value(found.theta), 1e-12 * y.var()
    assert left - rounding <= objective.dual_gap(other, found) <= left + found.gap + rounding


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet"])
@pytest.mark.parametrize("tol", [1e-1, 1e-6])
def test_the_gap_of_rounded_coefficients_is_theirs(penalty, tol):
    X, y = load_diabetes(return_X_y=True)
    X, options = (20.0 * X).astype(np.float32), {"penalty": penalty, "alpha": 0.3}
    model, exact = (GDRegressor(tol=t, **options).fit(X, y) for t in (tol, 1e-12))
    best = GDRegressor(tol=1e-12, **options).fit(X.astype(float), y)
    objective = best.objective(X.astype(float), y)
    w = model.coef_.astype(float)  # its intercept is rounded too, but is not of this gap
    level = y.mean() - X.mean(axis=0, dtype=float) @ w
    left = objective.value(np.append(w, level)) - objective.value(best.parameters())
    assert model.coef_.dtype == np.float32
    assert model.dual_gap_ >= left - 1e-12 * objective.null_objective
    assert model.dual_gap_ <= 0.01 * tol * objective.null_objective + 1e-12 * y.var()
    assert exact.dual_gap_ <= 1e-9 * objective.null_objective
