"""The kinds of data that a fit reads, if possible in place, and those that it refuses."""

import re
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor

rng = np.random.default_rng(0)
ZEROS_AND_ONES = rng.integers(0, 2, (40, 5)).astype(float)
Y = ZEROS_AND_ONES @ [1.0, -2.0, 0.5, 0.0, 3.0] + rng.standard_normal(40)


def fitted(X, y=Y, weight=None):
    """Return coefficients and intercept of a tight fit."""
    model = GDRegressor(tol=1e-12).fit(X, y, weight)
    return np.append(model.coef_, model.intercept_)


def locked(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def misaligned(X):
    return np.frombuffer(b"\0" + X.tobytes(), offset=1).reshape(X.shape)


DENSE = {
    "Fortran order": np.asfortranarray,
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every other column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": locked,
    "misaligned": misaligned,
    "other byte order": lambda X: X.astype(">f8"),
    "list": lambda X: X.tolist(),
    "object": lambda X: X.astype(object),
    "masked array": np.ma.masked_array,
    "bool": lambda X: X.astype(bool),
    "int8": np.int8,
    "uint16": np.uint16,
    "int64": np.int64,
    "float16": np.float16,
    "longdouble": np.longdouble,
}
STORES = "csr", "csc", "coo", "bsr", "lil", "dok", "dia"
SPARSE = {
    f"{store}_{kind}": getattr(sparse, f"{store}_{kind}")
    for store in STORES
    for kind in ("array", "matrix")
}


def with_long_indices(X):
    X = sparse.csr_array(X)
    return sparse.csr_array((X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)))


def with_explicit_zeros(X):
    n, p = X.shape
    return sparse.csr_array((X.ravel(), np.tile(np.arange(p), n), p * np.arange(n + 1)))


def unsorted_with_duplicates(X):
    """Return a matrix whose every entry is stored in two parts, from right to left."""
    X = sparse.csr_array(X[:, ::-1])
    indices = np.repeat(X.shape[1] - 1 - X.indices, 2)
    return sparse.csr_array((np.repeat(X.data / 2.0, 2), indices, 2 * X.indptr))


def read_only_rows(X):
    X = unsorted_with_duplicates(X)
    for array in (X.data, X.indices, X.indptr):
        array.flags.writeable = False
    return X


ODD_ROWS = {
    "64-bit indices": with_long_indices,
    "explicit zeros": with_explicit_zeros,
    "unsorted, with duplicates": unsorted_with_duplicates,
    "read-only": read_only_rows,
    "integers": lambda X: sparse.csr_array(X.astype(int)),
}


@pytest.mark.parametrize("kind", [*DENSE, *SPARSE, *ODD_ROWS])
def test_every_kind_of_matrix_gives_the_same_fit_and_predictions(kind):
    X = (DENSE | SPARSE | ODD_ROWS)[kind](ZEROS_AND_ONES)
    np.testing.assert_allclose(fitted(X), fitted(ZEROS_AND_ONES), rtol=0.0, atol=1e-10)
    model = GDRegressor().fit(ZEROS_AND_ONES, Y)
    np.testing.assert_allclose(model.predict(X), model.predict(ZEROS_AND_ONES), atol=1e-12)


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", *ODD_ROWS])
@pytest.mark.parametrize("batch_size", [None, 1])
def test_every_kind_of_sparse_matrix_has_the_curvature_of_its_values(kind, batch_size):
    X = (SPARSE | ODD_ROWS)[kind](ZEROS_AND_ONES)
    model = GDRegressor(optimizer="gd", center=False, batch_size=batch_size, max_iter=1, tol=None)
    expected = model.fit(ZEROS_AND_ONES, Y).learning_rate_
    np.testing.assert_allclose(model.fit(X, Y).learning_rate_, expected, rtol=1e-10)


@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix"])
def test_rows_and_columns_without_an_entry_are_zeros_like_others(kind):
    X = ZEROS_AND_ONES.copy()
    X[[0, 7, 39]] = 0.0
    X[:, [1, 4]] = 0.0
    found = fitted(SPARSE[kind](X))
    np.testing.assert_allclose(found, fitted(X), rtol=0.0, atol=1e-10)
    np.testing.assert_array_equal(found[[1, 4]], 0.0)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
def test_a_fit_leaves_its_data_as_it_was(kind):
    X = kind(unsorted_with_duplicates(ZEROS_AND_ONES))
    before, y, weight = X.copy(), Y.copy(), np.arange(40.0)
    GDRegressor().fit(X, y, weight)
    np.testing.assert_array_equal(X.data, before.data)
    np.testing.assert_array_equal(X.indices, before.indices)
    np.testing.assert_array_equal(y, Y)
    np.testing.assert_array_equal(weight, np.arange(40.0))


@pytest.mark.parametrize(
    "kind",
    [
        np.ndarray.tolist,
        pd.Series,
        pl.Series,
        np.float32,
        lambda y: y.astype(">f8"),
        lambda y: y.astype(object),
        lambda y: np.repeat(y, 3)[::3],
        locked,
    ],
)
def test_every_kind_of_vector_serves_for_target_and_weights(kind):
    y, weight = np.arange(40.0), np.arange(40.0)[::-1] + 1.0
    expected = fitted(ZEROS_AND_ONES, y, weight)
    found = fitted(ZEROS_AND_ONES, kind(y), kind(weight))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# Without a copy


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ordered_floats_are_read_in_place(dtype, tmp_path):
    X = ZEROS_AND_ONES.astype(dtype)
    kept = np.memmap(tmp_path / "X", dtype=dtype, mode="w+", shape=X.shape)
    kept[:] = X
    kept.flush()
    mapped = np.memmap(tmp_path / "X", dtype=dtype, mode="r", shape=X.shape)
    for data in (X, locked(X), mapped):
        assert np.shares_memory(GDRegressor().objective(data, Y).X, data)
        np.testing.assert_allclose(fitted(data), fitted(X), rtol=100.0 * np.finfo(dtype).eps)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix, with_long_indices])
def test_sparse_rows_are_read_in_place(kind):
    X = kind(sparse.csr_array(ZEROS_AND_ONES))
    rows = GDRegressor().objective(X, Y).term.data.rows
    assert np.shares_memory(rows.data, X.data)
    assert np.shares_memory(rows.indices, X.indices)


def peak(call, *args):
    """Return the bytes that a call has in use at most, beyond what there was before."""
    tracemalloc.start()
    try:
        call(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [None, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dense_data_is_never_copied(dtype, batch_size):
    X, y = make_regression(n=50_000, p=100)
    X = X.astype(dtype)
    model = GDRegressor(optimizer="gd", batch_size=batch_size, max_iter=2, tol=None)
    model.fit(X, y)  # so that what is compiled once is not counted
    assert peak(model.fit, X, y) < 0.25 * X.nbytes
    assert peak(model.predict, X) < 0.25 * X.nbytes


@pytest.mark.slow
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("batch_size", [None, 100])
def test_sparse_data_is_never_made_dense(batch_size, center):
    rows, columns = rng.integers(2000, size=100_000), rng.integers(50_000, size=100_000)
    X = sparse.csr_array((rng.standard_normal(100_000), (rows, columns)), (2000, 50_000))
    y = X @ np.ones(50_000)
    model = GDRegressor(optimizer="gd", batch_size=batch_size, center=center, max_iter=2, tol=None)
    model.fit(X[:200], y[:200])
    dense = 8 * 2000 * 50_000
    assert peak(model.fit, X, y) < 0.1 * dense
    assert peak(model.predict, X) < 0.1 * dense


# Names of columns

FRAMES = [pd.DataFrame, lambda X, columns: pl.DataFrame(X, schema=columns)]


every_frame = pytest.mark.parametrize("frame", FRAMES, ids=["pandas", "polars"])


@every_frame
def test_a_frame_gives_the_fit_of_its_values(frame):
    found = fitted(frame(ZEROS_AND_ONES, columns=list("abcde")))
    np.testing.assert_allclose(found, fitted(ZEROS_AND_ONES), rtol=0.0, atol=1e-12)


@every_frame
def test_the_names_of_a_frame_are_kept_and_asked_for(frame):
    names = list("abcde")
    X = frame(ZEROS_AND_ONES, columns=names)
    if not hasattr(StandardScaler().fit(X), "feature_names_in_"):
        pytest.skip("This version of scikit-learn does not know the names of such a frame.")
    model = GDRegressor(tol=1e-12).fit(X, Y)
    np.testing.assert_array_equal(model.feature_names_in_, names)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        from_values = model.predict(ZEROS_AND_ONES)
    np.testing.assert_allclose(model.predict(X), from_values, rtol=1e-13, atol=1e-13)
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        model.predict(X[names[::-1]])
    with pytest.raises(ValueError, match="Feature names unseen at fit time:\n- f"):
        model.predict(frame(ZEROS_AND_ONES, columns=list("abcdf")))


def test_columns_of_a_frame_may_be_of_several_types():
    X = pd.DataFrame(ZEROS_AND_ONES, columns=list("abcde"))
    mixed = X.astype({"a": bool, "b": "int8", "c": "float32", "d": "Int64", "e": "object"})
    np.testing.assert_allclose(fitted(mixed), fitted(X), rtol=0.0, atol=1e-12)


def test_a_frame_of_targets_is_as_good_as_its_values():
    targets = np.column_stack([Y, Y**2])
    model = GDRegressor().fit(ZEROS_AND_ONES, pd.DataFrame(targets))
    expected = GDRegressor().fit(ZEROS_AND_ONES, targets).coef_
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-10)


# What is refused

X, SMALL = ZEROS_AND_ONES, np.ones(39)


def holed(a, value):
    a = a.copy()
    a.flat[3] = value
    return a


REFUSED = {
    "X with NaN": ((holed(X, np.nan), Y), "Input X contains NaN"),
    "X with infinity": ((holed(X, -np.inf), Y), "Input X contains infinity or a value too large"),
    "sparse with NaN": ((sparse.csr_array(holed(X, np.nan)), Y), "Input X contains NaN"),
    "y with NaN": ((X, holed(Y, np.nan)), "Input y contains NaN"),
    "y with infinity": ((X, holed(Y, np.inf)), "Input y contains infinity"),
    "weight with NaN": ((X, Y, holed(Y**2, np.nan)), "Input sample_weight contains NaN"),
    "weight infinite": ((X, Y, holed(Y**2, np.inf)), "Input sample_weight contains infinity"),
    "weight negative": ((X, Y, holed(Y**2, -1.0)), "Negative values in data passed to `sample_we"),
    "weights zero": ((X, Y, 0.0 * Y), "weights must contain at least one non-zero number"),
    "weight zero": ((X, Y, 0.0), "weights must contain at least one non-zero number"),
    "weights too few": ((X, Y, SMALL), r"sample_weight.shape == \(39,\), expected \(40,\)!"),
    "weights a column": ((X, Y, Y[:, None] ** 2), "Sample weights must be 1D array or scalar"),
    "weights complex": ((X, Y, Y + 1j), "Complex data not supported"),
    "y too short": ((X, SMALL), r"inconsistent numbers of samples: \[40, 39\]"),
    "y missing": ((X, None), "requires y to be passed, but the target y is None"),
    "y of words": ((X, ["word"] * 40), "could not convert string to float"),
    "y complex": ((X, Y + 1j), "Complex data not supported"),
    "y of three dimensions": ((X, Y[:, None, None]), "Found array with dim 3"),
    "X complex": ((X + 1j, Y), "Complex data not supported"),
    "X of words": (([["word"]] * 40, Y), "could not convert string to float"),
    "X one row of numbers": ((Y, Y), "Expected 2D array, got 1D array instead"),
    "X of three dimensions": ((X[None], Y), "Found array with dim 3"),
    "no rows": ((X[:0], Y[:0]), r"Found array with 0 sample\(s\)"),
    "no columns": ((X[:, :0], Y), r"Found array with 0 feature\(s\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_data_is_refused_before_any_work(case):
    data, message = REFUSED[case]
    model = GDRegressor()
    with pytest.raises(ValueError, match=message):
        model.fit(*data)
    assert not hasattr(model, "loss_curve_")
    assert not hasattr(model, "coef_")


PARAMETERS = {
    "loss": "l2",
    "penalty": "l0",
    "alpha": -1e-9,
    "l1_ratio": 1.5,
    "fit_intercept": "yes",
    "positive": "yes",
    "penalty_weights": "ones",
    "optimizer": "quantum",
    "learning_rate": 0.0,
    "schedule": "never",
    "batch_size": 0,
    "sampling": "sorted",
    "clip_norm": 0.0,
    "clip_value": -1.0,
    "average": 0,
    "max_iter": 0,
    "tol": -1.0,
    "n_iter_no_change": 0,
    "polish": "yes",
    "early_stopping": "yes",
    "validation_fraction": 1.0,
    "scoring": 3.5,
    "init": "zeros",
    "center": None,
    "record_path": "yes",
    "warm_start": 2.0,
    "random_state": -1,
    "verbose": -1,
}


@pytest.mark.parametrize("name", GDRegressor().get_params(deep=False))
def test_a_bad_parameter_is_refused_by_name(name):
    model = GDRegressor(**{name: PARAMETERS[name]})
    with pytest.raises(ValueError, match=f"The '{name}' parameter of GDRegressor must be"):
        model.fit(ZEROS_AND_ONES, Y)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["alpha", "learning_rate", "tol"])
def test_a_parameter_is_a_finite_number(name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter .* Got {value} instead"):
        GDRegressor(**{name: value}).fit(ZEROS_AND_ONES, Y)


# The edge of what there is to fit


@pytest.mark.parametrize("batch_size", [None, 1])
def test_one_row_is_met_exactly(batch_size):
    model = GDRegressor(penalty=None, batch_size=batch_size, tol=1e-12).fit(X[:1], Y[:1])
    np.testing.assert_allclose(model.predict(X[:1]), Y[:1], rtol=1e-5)


@pytest.mark.parametrize(
    ("X", "y"),
    [(np.ones((40, 3)), Y), (np.zeros((40, 3)), Y), (X, np.full(40, 7.0)), (X, np.zeros(40))],
    ids=["constant X", "zero X", "constant y", "zero y"],
)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_without_variance_in_y_the_mean_is_predicted(X, y, kind):
    model = GDRegressor().fit(kind(X), y)
    np.testing.assert_array_equal(model.coef_, 0.0)
    np.testing.assert_allclose(model.predict(kind(X)), y.mean(), rtol=1e-14)


def fit_or_refuse(model, X, y, weight):
    """Return predictions and None, or None and the sentence of the refusal."""
    try:
        return model.fit(X, y, weight).predict(X), None
    except ValueError as refusal:
        return None, str(refusal)


SCALES = [
    *(("X", np.float64, scale) for scale in (1e-200, 1e-160, 1e-100, 1e100, 1e160, 1e200)),
    *(("X", np.float32, scale) for scale in (1e-30, 1e-20, 1e20, 1e30)),
    *(("y", np.float64, scale) for scale in (1e-200, 1e-160, 1e-100, 1e100, 1e160, 1e200)),
    *(("weight", np.float64, scale) for scale in (1e-307, 1e-200, 1e200, 1e307)),
]


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize(("what", "dtype", "scale"), SCALES)
def test_numbers_of_extreme_size_are_fitted_or_refused(what, dtype, scale, batch_size):
    data = {"X": X - 0.5, "y": (X - 0.5) @ [1.0, -2.0, 0.5, 0.0, 3.0], "weight": np.ones(40)}
    data[what] = (scale * data[what]).astype(dtype)
    model = GDRegressor(
        penalty=None, fit_intercept=False, batch_size=batch_size, tol=1e-7, random_state=0
    )
    found, refusal = fit_or_refuse(model, **data)
    if refusal:
        assert re.search("too (large|small)|[Ss]cal(e|ing)", refusal)
    else:
        exactness = 1e-3 if batch_size else 1e-6  # a batch's tol is of the square of the errors
        np.testing.assert_allclose(found, data["y"], atol=exactness * np.abs(data["y"]).max())
