"""partial_fit and warm_start continue a descent."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor

FORMS = [
    {},
    {"optimizer": "momentum", "center": False},
    {"optimizer": "adam", "schedule": "cosine", "batch_size": 7},
    {"optimizer": "gd", "batch_size": 1, "sampling": "replacement"},
    {"optimizer": "gd", "batch_size": 1, "penalty": "l1", "alpha": 0.1},
    {"fit_intercept": False},
]
GABOR = {"init": [1.5, 8.5], "optimizer": "momentum"}


SOLUTION = ("coef_", "theta_", "intercept_", "t_")
RECORD = ("path_", "loss_curve_")


def values(model, names):
    return [np.asarray(getattr(model, name)) for name in names if hasattr(model, name)]


def record_of(model):
    """Return all that a fit tells of its descent."""
    return values(model, (*SOLUTION, *RECORD, "n_iter_"))


def assert_same(one, other):
    for a, b in zip(record_of(one), record_of(other), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_calls_make(whole, model, calls):
    """Check that calls, each with a record of its own, have led where one fit leads.

    Parameters
    ----------
    whole : estimator
        After one fit.
    model : estimator
        After the last call.
    calls : list of list of ndarray
        The `RECORD` of each call, which begins where that of the call before ends.
    """
    for a, b in zip(values(whole, SOLUTION), values(model, SOLUTION), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, *pieces in zip(values(whole, RECORD), *calls, strict=True):
        joined = [pieces[0], *(piece[1:] for piece in pieces[1:])]
        np.testing.assert_allclose(a, np.concatenate(joined), rtol=1e-12)
        for piece, following in pairwise(pieces):
            np.testing.assert_allclose(piece[-1], following[0], rtol=1e-12)


def two_ways(model):
    """Return a model for one fit of three epochs, and one to be continued."""
    model.set_params(max_iter=3, random_state=0, record_path=True)
    return clone(model).set_params(tol=None), clone(model)


@pytest.mark.parametrize("options", FORMS, ids=str)
def test_calls_of_partial_fit_are_the_epochs_of_one_fit(options):
    X, y = make_regression()
    whole, parts = two_ways(GDRegressor(**options))
    calls = []
    for _ in range(3):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, y)))
        calls.append(values(parts, RECORD))
    assert_calls_make(whole.fit(X, y), parts, calls)


def test_partial_fit_follows_one_descent_of_the_gabor_model():
    X, y = load_gabor(return_X_y=True)
    whole, parts = two_ways(GDGaborRegressor(**GABOR))
    calls = [values(parts.partial_fit(X, y), RECORD) for _ in range(3)]
    assert_calls_make(whole.fit(X, y), parts, calls)


def test_sparse_rows_and_many_targets_continue_as_well():
    X, y = make_regression()
    Y = np.column_stack([y, -2.0 * y])
    whole, parts = two_ways(GDRegressor(optimizer="gd", batch_size=1, record_path=False))
    whole.set_params(record_path=False).fit(sparse.csr_array(X), Y)
    for _ in range(3):
        parts.set_params(record_path=False).partial_fit(sparse.csr_array(X), Y)
    np.testing.assert_array_equal(whole.coef_, parts.coef_)


@pytest.mark.parametrize("options", FORMS[:3], ids=str)
def test_a_warm_start_continues_with_state_and_count(options):
    X, y = make_regression()
    whole, parts = two_ways(GDRegressor(**options))
    parts.set_params(warm_start=True, tol=None, max_iter=1)
    calls = [values(parts.fit(X, y), RECORD)]
    if "schedule" not in options:
        calls.append(values(parts.set_params(max_iter=2).fit(X, y), RECORD))
        assert_calls_make(whole.fit(X, y), parts, calls)
        assert (parts.n_iter_, len(parts.loss_curve_)) == (2, 3)


def test_warm_starts_along_a_path_of_alphas_find_each_lasso():
    X, y = make_regression(n=60, p=6, sparse_truth=True)
    model = GDRegressor(penalty="l1", warm_start=True, tol=1e-9, max_iter=10_000)
    for alpha in (1.0, 0.3, 0.1):
        lasso = Lasso(alpha=alpha, tol=1e-12).fit(X, y)
        model.set_params(alpha=alpha).fit(X, y)
        np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-6)
    assert len(model.loss_curve_) == model.n_iter_ + 1


def test_another_optimizer_starts_at_the_last_parameters_with_new_state():
    X, y = make_regression()
    model = GDRegressor(warm_start=True, tol=1e-8, alpha=0.1).fit(X, y)
    first = model.coef_.copy()
    model.set_params(optimizer="gd", learning_rate=1e-9, max_iter=1, tol=None).fit(X, y)
    assert model.n_iter_ == 1
    np.testing.assert_allclose(model.coef_, first, atol=1e-5)


@pytest.mark.parametrize("center", [True, False])
def test_chunks_with_a_common_minimum_lead_to_it(center):
    X, _ = make_regression(n=600, p=4)
    truth, y = np.array([1.0, -2.0, 0.5, 0.0]), X @ [1.0, -2.0, 0.5, 0.0] + 3.0
    model = GDRegressor(optimizer="gd", penalty=None, center=center)
    for _ in range(100):
        for rows in np.array_split(np.arange(600), 6):
            model.partial_fit(X[rows], y[rows])
    np.testing.assert_allclose(model.coef_, truth, atol=1e-8)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-8)


def test_an_automatic_rate_falls_for_rows_that_need_a_lower_one():
    X, y = make_regression()
    model = GDRegressor(optimizer="gd", center=False).partial_fit(X, y)
    first = model.learning_rate_
    model.partial_fit(10.0 * X, y)
    assert model.learning_rate_ < first / 50.0
    low = model.learning_rate_
    assert model.partial_fit(X, y).learning_rate_ == low


def test_without_warm_start_a_fit_starts_from_the_beginning():
    X, y = make_regression()
    model = GDRegressor(random_state=0, batch_size=8).fit(X, y)
    first = record_of(model)
    for a, b in zip(first, record_of(model.fit(X, y)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_a_continued_fit_needs_the_same_columns_and_targets(call):
    X, y = make_regression()
    model = GDRegressor(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features, but GDRegressor is expecting 5"):
        getattr(model, call)(X[:, :3], y)
    with pytest.raises(ValueError, match="y has 2 targets; the fit so far has 1"):
        getattr(model, call)(X, np.column_stack([y, y]))


def test_a_failed_fit_is_not_continued():
    X, y = make_regression()
    model = GDRegressor(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(optimizer="gd", learning_rate=1e200).fit(X, y)
    model.set_params(optimizer="nesterov", learning_rate="auto").fit(X, y)
    assert_same(model, GDRegressor(optimizer="nesterov").fit(X, y))


def test_partial_fit_does_not_warn_of_missing_epochs():
    X, y = make_regression()
    assert GDRegressor(tol=1e-12).partial_fit(X, y).stop_reason_ == "max_iter"
    with pytest.warns(ConvergenceWarning, match="max_iter=1 epochs"):
        GDRegressor(optimizer="nesterov", tol=1e-12, max_iter=1).fit(X, y)


def test_the_state_of_a_fit_does_not_hold_the_data():
    X, y = make_regression(n=5000, p=5)
    model = GDRegressor().fit(X, y)
    assert len(pickle.dumps(model)) < 0.1 * X.nbytes
