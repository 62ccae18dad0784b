"""A warm start of the default optimizer starts at the last solution and ends like a cold fit."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import ElasticNet

from skgd import GDRegressor

STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "CSR": sparse.csr_array,
    "float32": lambda X: X.astype(np.float32),
    "CSR, float32": lambda X: sparse.csr_array(X.astype(np.float32)),
}
L1 = {"penalty": "l1", "alpha": 0.05}
CHANGES = {
    "nothing": (L1, {}),
    "alpha": (L1, {"alpha": 0.03}),
    "penalty": (L1, {"penalty": "l2"}),
    "from l2": ({"penalty": "l2", "alpha": 0.1}, L1),
    "l1_ratio": ({"penalty": "elasticnet", "l1_ratio": 0.9, "alpha": 0.05}, {"l1_ratio": 0.5}),
    "tol": (L1, {"tol": 1e-7}),
    "positive": (L1, {"positive": True}),
    "intercept": (L1, {"fit_intercept": False}),
    "another rule": ({"optimizer": "adam", "max_iter": 3, "tol": None}, {
        "optimizer": "auto", "tol": 1e-6, "max_iter": 1000, **L1,
    }),
}  # fmt: skip


def make_rows(n=60, p=200, seed=0, targets=None):
    """Return rows with zeros, and targets of ten of their columns."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.4)
    truth = np.zeros((p, targets or 1))
    truth[:10] = np.random.default_rng(1).standard_normal((10, targets or 1))
    Y = 3.0 + X @ truth + 0.1 * rng.standard_normal((n, 1))
    return X, Y if targets else Y[:, 0]


def value(model, X, y):
    """Return the objective of a fit, from its definition, in float64."""
    X, w = sparse.csr_array(X).toarray().astype(float), model.coef_.astype(float)
    share = {"l1": 1.0, "l2": 0.0, "elasticnet": model.l1_ratio}[model.penalty]
    omega = share * np.abs(w).sum() + 0.5 * (1.0 - share) * w @ w
    return 0.5 * np.mean((X @ w + model.intercept_ - y) ** 2) + model.alpha * omega


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_warm_start_ends_at_the_minimum_of_its_own_settings(change, storage):
    (before, after), (X, y) = CHANGES[change], make_rows()
    X = STORAGES[storage](X)
    model = GDRegressor(warm_start=True, **before)
    if before.get("tol", 1e-4) is None:
        model.fit(X, y)
    else:
        assert model.fit(X, y).converged_
    model.set_params(**after).fit(X, y)
    cold = clone(model).fit(X, y)
    assert np.isnan(model.learning_rate_)
    assert model.converged_
    spread = 0.5 * y.var()
    assert abs(value(model, X, y) - value(cold, X, y)) <= 1e-5 * spread
    assert model.dual_gap_ <= 1e-6 * spread
    assert model.loss_curve_[0] <= cold.loss_curve_[0]


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_a_warm_start_takes_fewer_passes_than_a_cold_one(penalty):
    X, y = make_rows(150, 400)
    options = {"penalty": penalty, "alpha": 0.01}
    model = GDRegressor(warm_start=True, **options).fit(sparse.csr_array(X), y)
    passes = model.n_iter_
    more = model.fit(sparse.csr_array(X), y).n_iter_
    assert more == 1
    assert model.set_params(alpha=0.0101).fit(sparse.csr_array(X), y).n_iter_ < passes
    assert model.loss_curve_[0] < 0.5 * y.var()


def test_a_warm_start_on_other_rows_finds_their_minimum():
    X, y = make_rows(120)
    model = GDRegressor(penalty="l1", alpha=0.05, tol=1e-9, warm_start=True)
    for rows in (slice(0, 60), slice(60, 120), slice(0, 120)):
        model.fit(X[rows], y[rows])
        peer = ElasticNet(alpha=0.05, l1_ratio=1.0, tol=1e-12, max_iter=100_000)
        peer.fit(X[rows], y[rows])
        np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-6)


def test_every_target_of_a_warm_start_starts_at_its_own_solution():
    X, Y = make_rows(targets=3)
    model = GDRegressor(penalty="l1", alpha=0.05, tol=1e-8, warm_start=True).fit(X, Y)
    ends, before = [curve[-1] for curve in model.loss_curve_], model.coef_.copy()
    model.fit(X, Y)
    np.testing.assert_allclose([curve[0] for curve in model.loss_curve_], ends, rtol=1e-9)
    np.testing.assert_allclose(model.coef_, before, atol=1e-6)
    np.testing.assert_array_equal(model.n_iter_, 1)
    with pytest.raises(ValueError, match="y has 2 targets; the fit so far has 3"):
        model.fit(X, Y[:, :2])


def test_a_stored_estimator_starts_warm_and_a_clone_cold():
    X, y = make_rows()
    model = GDRegressor(penalty="l1", alpha=0.05, tol=1e-8, warm_start=True).fit(X, y)
    stored = pickle.loads(pickle.dumps(model))
    assert stored.fit(X, y).n_iter_ == 1
    cold = clone(model)
    with pytest.raises(NotFittedError):
        cold.predict(X)
    assert cold.fit(X, y).loss_curve_[0] == pytest.approx(0.5 * y.var())


def test_a_warm_start_is_not_bound_to_the_signs_of_the_last_solution():
    X, y = make_rows()
    model = GDRegressor(penalty="l1", alpha=0.05, tol=1e-8, warm_start=True).fit(X, y)
    first = model.coef_.copy()
    np.testing.assert_allclose(model.fit(X, -y).coef_, -first, atol=1e-5)
