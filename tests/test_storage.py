"""The order in which data lies in memory changes no answer beyond rounding, and no data."""

import numpy as np
import pandas as pd
import pytest
from conftest import make_regression
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import skgd
from skgd import GDRegressor


def as_frame(X):
    """Return a DataFrame, whose numbers lie column by column where pandas stores it so."""
    return pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])


def read_only(X):
    X = np.asfortranarray(X).copy(order="F")
    X.flags.writeable = False
    return X


def mapped(X, folder):
    """Return an F-ordered file, mapped to memory."""
    array = np.memmap(folder / "X", X.dtype, "w+", shape=X.shape, order="F")
    array[:] = X
    array.flush()
    return np.memmap(folder / "X", X.dtype, "r", shape=X.shape, order="F")


def reversed_columns(X):
    """Return a view that is neither C- nor F-ordered."""
    return np.ascontiguousarray(X[:, ::-1])[:, ::-1]


STORAGES = {
    "F": np.asfortranarray,
    "read-only": read_only,
    "frame": as_frame,
    "view": reversed_columns,
}
SPARSE = {"CSC": sparse.csc_array, "CSR": sparse.csr_array, "COO": sparse.coo_array}
FITS = {
    "l2": {},
    "l1": {"penalty": "l1", "alpha": 0.1},
    "least squares": {"penalty": None},
    "positive": {"penalty": "l1", "alpha": 0.01, "positive": True},
    "full batch": {"optimizer": "nesterov", "max_iter": 20, "tol": None},
    "momentum": {"optimizer": "momentum", "max_iter": 20, "tol": None, "loss": "huber"},
    "adam": {"optimizer": "adam", "batch_size": 7, "max_iter": 5, "tol": None},
    "single": {"optimizer": "gd", "batch_size": 1, "max_iter": 5, "tol": None},
    "replacement": {
        "optimizer": "gd",
        "batch_size": 3,
        "sampling": "replacement",
        "max_iter": 5,
        "tol": None,
    },
    "saga": {"optimizer": "saga", "batch_size": 4, "max_iter": 5, "tol": None},
    "svrg": {"optimizer": "svrg", "batch_size": 4, "max_iter": 5, "tol": None},
    "lbfgs": {"optimizer": "lbfgs", "max_iter": 20},
}


def fitted(X, y, weight=None, **options):
    """Return what a fit finds and records."""
    model = GDRegressor(random_state=0, **options).fit(X, y, sample_weight=weight)
    return np.append(model.coef_, model.intercept_), model.loss_curve_


def assert_same(found, expected, rtol=1e-8):
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
@pytest.mark.parametrize("options", FITS.values(), ids=FITS)
def test_every_order_of_memory_has_the_same_fit(options, storage):
    X, y = make_regression(n=60, p=5)
    before = X.copy()
    assert_same(fitted(storage(X), y, **options), fitted(X, y, **options))
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("options", [FITS[k] for k in ("l2", "l1", "full batch", "adam")], ids=str)
def test_large_shifted_weighted_single_precision_columns_are_those_of_c_order(options):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((5000, 29)) + 30.0 * np.arange(29)).astype(np.float32)
    y = X[:, :3].sum(axis=1).astype(float) + rng.standard_normal(5000)
    weight = rng.uniform(0.0, 2.0, 5000) * (rng.random(5000) < 0.8)
    found = fitted(np.asfortranarray(X), y, weight, **options)
    assert_same(found, fitted(X, y, weight, **options), rtol=1e-5)


@pytest.mark.parametrize("options", [FITS[k] for k in ("l2", "full batch", "adam")], ids=str)
def test_columns_of_a_mapped_file_are_read_in_place(options, tmp_path):
    X, y = make_regression(n=60, p=5)
    assert_same(fitted(mapped(X, tmp_path), y, **options), fitted(X, y, **options))


@pytest.mark.parametrize("storage", SPARSE.values(), ids=SPARSE)
@pytest.mark.parametrize("options", FITS.values(), ids=FITS)
def test_every_sparse_format_has_the_fit_of_dense_rows(options, storage):
    X, y = make_regression(n=60, p=5)
    X = X * (np.random.default_rng(0).random(X.shape) < 0.5)
    X[:, 0] += 20.0  # which is full
    assert_same(fitted(storage(X), y, **options), fitted(X, y, **options), rtol=1e-6)


@pytest.mark.parametrize("storage", [np.asfortranarray, as_frame, sparse.csc_array])
def test_a_path_is_the_same_in_every_order_of_memory(storage):
    X, y = make_regression(n=60, p=5)
    found, expected = (skgd.path(Z, y, n_alphas=5, tol=1e-8) for Z in (storage(X), X))
    np.testing.assert_allclose(found.alphas, expected.alphas)
    np.testing.assert_allclose(found.coefs, expected.coefs, atol=1e-8)


@st.composite
def problems(draw):
    """Draw rows, a target, weights or none, and options of a fit."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, p = draw(st.integers(2, 40)), draw(st.integers(1, 9))
    X = rng.standard_normal((n, p)) * 10.0 ** rng.integers(-3, 4, p)
    X += 10.0 ** rng.integers(-2, 3, p)
    y = X @ (rng.standard_normal(p) / np.abs(X).max(axis=0)) + rng.standard_normal(n)
    weight = rng.uniform(0.1, 2.0, n) if draw(st.booleans()) else None
    options = {
        "penalty": draw(st.sampled_from(["l1", "l2"])),
        "alpha": draw(st.sampled_from([0.01, 1.0])),
        "fit_intercept": draw(st.booleans()),
    }
    return X, y, weight, options


@given(problems())
@settings(max_examples=60, deadline=None)
def test_the_order_of_memory_changes_no_objective_beyond_rounding(problem):
    X, y, weight, options = problem
    scale = y.var() + 1e-300
    model = GDRegressor(tol=1e-8, max_iter=10_000, **options)
    reached = []
    for Z in (X, np.asfortranarray(X), sparse.csc_array(X)):
        model.fit(Z, y, sample_weight=weight)
        reached.append(model.objective(X, y, weight).value(model.parameters()))
    assert np.ptp(reached) <= 1e-7 * scale + 1e-9 * max(reached)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("storage", [np.ascontiguousarray, *STORAGES.values(), *SPARSE.values()])
def test_one_entry_that_is_not_finite_is_refused_wherever_it_lies(storage, bad):
    for place in ((0, 0), (59, 4), (30, 2)):
        X, y = make_regression(n=60, p=5)
        X[place] = bad
        weight = np.ones(60)
        weight[place[0]] = 0.0
        for given_weight in (None, weight):
            with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
                GDRegressor().fit(storage(X), y, given_weight)


def test_a_long_column_with_one_entry_that_is_not_finite_is_refused():
    X = np.ones((40_000, 3))
    X[39_999, 1] = np.nan
    for Z in (X, np.asfortranarray(X)):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            GDRegressor().fit(Z, np.ones(40_000))
