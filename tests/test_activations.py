"""Activations against torch's definitions in numpy, and the laws that all of them keep."""

import math

import numpy as np
import pytest
from scipy import special

from skgd.activations import ACTIVATIONS, GELU, Activation, LeakyReLU, ReLU, Tanh
from skgd.kernels.row_kernels import activation_terms
from skgd.testing import check_activation

TABLE = [cls() for cls in ACTIVATIONS.values()] + [LeakyReLU(0.2)]
every_activation = pytest.mark.parametrize("activation", TABLE, ids=repr)

DEFINITIONS = {  # of the value, by scipy
    "Identity": lambda u: u,
    "ReLU": lambda u: np.maximum(u, 0.0),
    "LeakyReLU": lambda u: np.where(u > 0.0, u, 0.01 * u),
    "Tanh": np.tanh,
    "Logistic": special.expit,
    "GELU": lambda u: 0.5 * u * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (u + 0.044715 * u**3))),
    "Softplus": lambda u: np.logaddexp(0.0, u),
}


@every_activation
def test_an_activation_keeps_its_laws(activation):
    check_activation(activation)


@pytest.mark.parametrize("activation", TABLE[:-1], ids=repr)
def test_an_activation_is_what_its_formula_says(activation):
    u = np.concatenate([np.linspace(-40.0, 40.0, 801), [-800.0, -1e-9, 1e-300, 800.0]])
    expected = DEFINITIONS[type(activation).__name__](u)
    found = activation_terms(activation, u)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


@every_activation
def test_a_sum_that_is_not_a_number_stays_one(activation):
    assert np.isnan(activation_terms(activation, np.array([np.nan]))[0])


def test_the_gelu_of_torch_is_close_to_the_normal_distribution_times_its_argument():
    u = np.linspace(-5.0, 5.0, 101)
    exact = u * special.ndtr(u)
    assert np.abs(activation_terms(GELU(), u)[0] - exact).max() < 1e-3


BROKEN = {
    "a slope of twice": ("the slope", Tanh, {"slope": lambda s, u, a: 2.0 * (1.0 - a * a)}),
    "a step": ("the slope", ReLU, {"value": lambda s, u: 1.0 if u > 0.0 else -u}),
    "no number": ("the value", Activation, {"value": lambda s, u: math.inf}),
    "no gain": ("the gain", Tanh, {"gain": 0.0}),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_law_that_a_broken_activation_breaks_is_named(case):
    law, parent, members = BROKEN[case]
    activation = type("Broken", (parent,), members)()
    with pytest.raises(AssertionError, match=f"^Broken.* breaks the law of {law}: "):
        check_activation(activation, compiled=False)
