"""A start with named parameters equals the array of the same numbers."""

import pickle

import numpy as np
import pytest
from conftest import make_regression
from sklearn.base import clone

from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor

SHORT = {"optimizer": "gd", "max_iter": 3, "tol": None, "record_path": True}


def path(init, X, y, cls=GDRegressor, **options):
    return cls(init=init, **{**SHORT, **options}).fit(X, y).path_


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_coefficients_and_intercept_are_named(shape):
    X, y = make_regression(20, 3)
    w, b = [1.0, -2.0, 0.5], np.full(shape, 4.0)
    listed = path([*w, 4.0], X, y)
    np.testing.assert_array_equal(listed[0], [*w, 4.0])
    np.testing.assert_array_equal(path({"intercept": b, "coef": w}, X, y), listed)
    np.testing.assert_array_equal(path({"coef": [w], "intercept": b}, X, y), listed)


def test_without_an_intercept_none_is_named():
    X, y = make_regression(20, 3)
    listed = path([1.0, 2.0, 3.0], X, y, fit_intercept=False)
    named = path({"coef": [1.0, 2.0, 3.0]}, X, y, fit_intercept=False)
    np.testing.assert_array_equal(named, listed)
    with pytest.raises(ValueError, match=r"init must give coef by name\. Got .*intercept"):
        path({"coef": [1.0, 2.0, 3.0], "intercept": 0.0}, X, y, fit_intercept=False)


def test_each_target_has_a_start_of_its_own_or_the_same():
    X, y = make_regression(20, 2)
    Y = np.column_stack([y, -y, y + 1.0])
    same = path({"coef": [1.0, 2.0], "intercept": 3.0}, X, Y)
    own = path({"coef": [[1.0, 2.0]] * 3, "intercept": [3.0, 4.0, 5.0]}, X, Y)
    np.testing.assert_array_equal([p[0] for p in same], [[1.0, 2.0, 3.0]] * 3)
    np.testing.assert_array_equal([p[0] for p in own], [[1.0, 2.0, b] for b in (3.0, 4.0, 5.0)])


@pytest.mark.parametrize("fitted", [{}, {"fit_width": True}, {"fit_amplitude": True,
                                    "fit_baseline": True}], ids=str)  # fmt: skip
def test_offset_and_frequency_and_what_else_is_fitted_are_named(fitted):
    X, y = load_gabor(return_X_y=True)
    values = {"offset": -1.0, "frequency": 14.0, "amplitude": 1.5, "width": 3.0, "baseline": 0.2}
    names = ["offset", "frequency", *(n for n in list(values)[2:] if f"fit_{n}" in fitted)]
    listed = path([values[n] for n in names], X, y, GDGaborRegressor, **fitted)
    named = path({n: values[n] for n in reversed(names)}, X, y, GDGaborRegressor, **fitted)
    np.testing.assert_array_equal(named, listed)


def test_frequencies_are_one_for_each_column():
    X, y = make_regression(20, 2)
    named = path({"frequency": [3.0, 4.0], "offset": 1.0}, X, y, GDGaborRegressor)
    np.testing.assert_array_equal(named[0], [1.0, 3.0, 4.0])


@pytest.mark.parametrize(
    ("init", "said"),
    [
        ({}, r"init must give coef, intercept by name. Got \[\]"),
        ({"slope": 1.0, "intercept": 2.0}, "init must give coef, intercept by name"),
        ({"coef": [1.0], "intercept": 2.0}, r"init\['coef'\] has shape \(1,\)"),
        ({"coef": [1.0, 2.0, 3.0], "intercept": [[1.0, 2.0]]}, r"init\['intercept'\] has shape"),
        ({"coef": [1.0, np.nan, 3.0], "intercept": 2.0}, r"init\['coef'\]"),
        ({"coef": "zeros", "intercept": 2.0}, r"init\['coef'\]"),
    ],
)
def test_other_names_and_shapes_are_refused_with_a_message(init, said):
    X, y = make_regression(20, 3)
    with pytest.raises(ValueError, match=said):
        path(init, X, y)


def test_a_named_start_is_cloned_and_pickled():
    X, y = make_regression(20, 3)
    model = GDRegressor(init={"coef": [1.0, 2.0, 3.0], "intercept": 4.0}, **SHORT)
    expected = clone(model).fit(X, y).path_
    again = pickle.loads(pickle.dumps(model.fit(X, y)))
    np.testing.assert_array_equal(again.path_, expected)
    np.testing.assert_array_equal(again.fit(X, y).path_, expected)
