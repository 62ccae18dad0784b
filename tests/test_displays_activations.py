"""The display of what reaches the activations of a network."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import make_regression

from skgd import GDMLPRegressor, GDRegressor
from skgd.displays import ActivationDisplay

matplotlib.use("Agg")
X, Y = make_regression()


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def network(**options):
    options = {"batch_norm": [False, True], "max_iter": 3, "record_path": True, **options}
    return GDMLPRegressor((6, 4), "tanh", tol=None, random_state=0, **options).fit(X, Y)


def passed(fit, Z):
    """Return what reaches both activations, by numpy."""
    first = Z @ fit.coefs_[0] + fit.intercepts_[0]
    sums = np.tanh(first) @ fit.coefs_[1]
    spread = np.sqrt(fit.running_variances_[0] + 1e-5)
    return first, fit.scales_[0] * (sums - fit.running_means_[0]) / spread + fit.shifts_[0]


def test_the_inputs_of_layers_are_those_of_a_pass_by_hand():
    fit = network()
    for found, expected in zip(fit.layer_inputs(X), passed(fit, X), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    for found, expected in zip(fit.layer_inputs(X, fit.path_[-1]), passed(fit, X), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_parameters_of_another_number_are_refused():
    fit = network()
    with pytest.raises(ValueError, match=f"must be {fit.parameters().size} numbers"):
        fit.layer_inputs(X, np.zeros(3))


def test_means_and_spreads_are_drawn_for_each_layer_over_the_updates():
    fit = network()
    shown = ActivationDisplay.from_estimator(fit, X, n_frames=4)
    assert shown.updates[[0, -1]].tolist() == [0, fit.t_]
    assert shown.means.shape == shown.spreads.shape == (4, 2)
    last = [(sums.mean(), sums.std()) for sums in passed(fit, X)]
    np.testing.assert_allclose(shown.means[-1], [mean for mean, _ in last], rtol=1e-6)
    np.testing.assert_allclose(shown.spreads[-1], [spread for _, spread in last], rtol=1e-6)
    for lines, values in ((shown.mean_lines_, shown.means), (shown.spread_lines_, shown.spreads)):
        for line, column in zip(lines, values.T, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), np.c_[shown.updates, column])


def test_models_without_layers_are_refused():
    linear = GDRegressor(optimizer="gd", record_path=True, max_iter=2, tol=None).fit(X, Y)
    with pytest.raises(TypeError, match="GDRegressor has no layers"):
        ActivationDisplay.from_estimator(linear, X)
