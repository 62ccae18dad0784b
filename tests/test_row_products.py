"""Products with four rows at once, and with stored entries, as compiled code takes them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgd.kernels.blocks import read
from skgd.kernels.compiling import Kernel, compiled_code
from skgd.kernels.entries import multiply_entries, multiply_entries_by_two
from skgd.kernels.four_rows import add_four, multiply_four, multiply_four_by_two
from skgd.kernels.rows import index_words

PLACES = 2, 0, 4, 4


def fill(block):
    """Take all three products with the rows at some places."""
    X, (a, b, c, d), (w, v), u, found, g = read(block)
    places = a, b, c, d
    multiply_four(X, places, w, found[0])
    multiply_four_by_two(X, places, w, v, found[1], found[2])
    add_four(X, places, u, g)


RUN = Kernel(fill, (), "test-four-rows")


def products(X, w, v, u, g):
    """Return the products of the rows with w, with w and v, and what is then in g."""
    found, g = np.zeros((3, 4)), g.copy()
    with compiled_code():
        RUN(X, PLACES, (w, v), u, found, g)()
    return found, g


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("p", [0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 31, 40, 101])
def test_products_of_four_rows_are_those_of_numpy_in_float64_for_rows_of_any_length(p, dtype):
    rng = np.random.default_rng(p)
    X = rng.standard_normal((5, p)).astype(dtype)
    w, v, g = rng.standard_normal((3, p + 2))
    u, rows = rng.standard_normal(4), X[list(PLACES)].astype(float)
    found, after = products(X, w, v, u, g)
    assert_allclose(found, [rows @ w[:p], rows @ w[:p], rows @ v[:p]], rtol=1e-13, atol=1e-13)
    assert_allclose(after[:p], g[:p] + u @ rows, rtol=1e-13, atol=1e-13)
    assert_array_equal(after[p:], g[p:])


def test_float32_rows_keep_the_digits_of_sums_that_cancel():
    X = np.ones((5, 64), dtype=np.float32)
    w = np.where(np.arange(64) < 32, 1e9, -1e9)
    w[0] += 0.25
    found, _ = products(X, w, w, np.zeros(4), np.zeros(64))
    assert_array_equal(found, np.full((3, 4), 0.25))


def test_entries_that_are_not_finite_stay_so():
    X = np.ones((5, 11))
    X[2, 3], X[4, 10] = np.nan, np.inf
    found, g = products(X, np.ones(11), np.ones(11), np.ones(4), np.zeros(11))
    assert_array_equal(found, [[np.nan, 11.0, np.inf, np.inf]] * 3)
    assert_array_equal(g, [4.0] * 3 + [np.nan] + [4.0] * 6 + [np.inf])


def fill_from_entries(block):
    """Take the products of some entries with one vector, and with two."""
    data, indices, (start, stop), (w, v), found = read(block)
    found[0] = multiply_entries(data, indices, start, stop, w)
    found[1], found[2] = multiply_entries_by_two(data, indices, start, stop, w, v)


RUN_ENTRIES = Kernel(fill_from_entries, (), "test-entries")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", [np.int32, np.int64])
@pytest.mark.parametrize(("start", "stop"), [(0, 0), (3, 4), (1, 4), (2, 6), (5, 12), (0, 23)])
def test_products_of_entries_are_those_of_numpy_in_float64(start, stop, kind, dtype):
    rng = np.random.default_rng(stop)
    data, (w, v) = rng.standard_normal(23).astype(dtype), rng.standard_normal((2, 9))
    indices, found = rng.integers(0, 9, 23).astype(kind), np.empty(3)
    with compiled_code():
        RUN_ENTRIES(data, index_words(indices), (start, stop), (w, v), found)()
    x, places = data[start:stop].astype(float), indices[start:stop]
    expected = x @ w[places], x @ w[places], x @ v[places]
    assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
