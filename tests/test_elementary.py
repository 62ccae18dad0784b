"""The functions that compiled code computes by arithmetic of its own."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skgd.elementary import exp, expm1, log, log1p, tanh
from skgd.kernels.blocks import read
from skgd.kernels.compiling import Kernel, bind, compiled_code

function = None
FUNCTIONS = {
    "exp": (exp, np.exp),
    "expm1": (expm1, np.expm1),
    "log": (log, np.log),
    "log1p": (log1p, np.log1p),
    "tanh": (tanh, np.tanh),
}
SPECIAL = [math.nan, math.inf, -math.inf, 0.0]


def fill(block):
    """Set each number to the function of it."""
    (x,) = read(block)
    for i in range(x.size):
        x[i] = function(x[i])


def values(name, x):
    """Return the function of an array, by compiled code."""
    run = Kernel(bind(fill, {"function": FUNCTIONS[name][0]}), (), f"test-{name}")
    y = x.copy()
    with compiled_code():
        run(y)()
    return y


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled_functions_equal_those_of_numpy_to_two_roundings(name, dtype):
    x = np.concatenate([np.linspace(-30.0, 30.0, 10_001), np.logspace(-12.0, 0.0, 500)])
    x = np.concatenate([x, -x]).astype(dtype)
    if name == "log":
        x = np.concatenate([x[x > 0.0], 1.0 + x[np.abs(x) < 0.5], np.logspace(-37.0, 38.0, 500)])
        x = x.astype(dtype)
    x = x[x > -0.999] if name == "log1p" else x
    exact = FUNCTIONS[name][1](x.astype(np.longdouble))
    error = np.abs(values(name, x) - exact) / np.abs(np.where(exact == 0.0, 1.0, exact))
    assert error.max() <= 2.0 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_no_number_stays_so_and_infinity_is_cut(dtype):
    x = np.array(SPECIAL, dtype)
    assert_array_equal(values("tanh", x), np.tanh(x))
    found = values("exp", x)
    assert math.isnan(found[0])
    assert found[1] > 1e34
    assert 0.0 <= found[2] < 1e-34
    assert found[3] == 1.0
    assert math.isnan(values("log", x)[0])
    assert values("expm1", x)[3] == 0.0


def test_plain_python_gives_the_same():
    for x in (-1000.0, -1.5, 0.0, 0.25, 3.0, 1000.0):
        assert exp(x) == math.exp(max(-700.0, min(x, 700.0)))
        assert tanh(x) == math.tanh(x)
        assert expm1(x) == math.expm1(max(-700.0, min(x, 700.0)))
        assert log(x) == math.log(max(x, 2.0**-1022))
        assert log1p(x) == math.log1p(max(x, -1.0 + 2.0**-53))
    for function in (exp, expm1, log, log1p):
        assert math.isnan(function(math.nan))
