"""Networks against torch, update by update; without a hidden layer, against linear models."""

from pathlib import Path

import numpy as np
import pytest
from conftest import make_regression
from sklearn.linear_model import LogisticRegression

from skgd import GDMLPClassifier, GDMLPRegressor, GDRegressor
from skgd.losses import LOSSES
from skgd.optimizers import (
    GD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    Momentum,
    NAdam,
    Nesterov,
    RMSProp,
)

TORCH = np.load(Path(__file__).parent / "data" / "torch_networks.npz")
RULES = {  # as in data/freeze_torch.py
    "gd": (GD(), 0.1),
    "momentum": (Momentum(0.9), 0.05),
    "nesterov": (Nesterov(0.8), 0.05),
    "adagrad": (AdaGrad(1e-7), 0.3),
    "rmsprop": (RMSProp(0.9, 1e-8), 0.02),
    "adadelta": (AdaDelta(0.9, 1e-6), 1.0),
    "adam": (Adam(0.9, 0.999, 1e-8), 0.1),
    "adamw": (AdamW(0.8, 0.99, 1e-8), 0.1),
    "nadam": (NAdam(0.9, 0.999, 1e-8, 0.004), 0.1),
    "amsgrad": (AMSGrad(0.7, 0.9, 1e-8), 0.2),
}
BATCH, WIDTHS = 9, (6, 5)
BOTH = ["tanh", "gelu"], [True, True]
CASES = {
    **{f"{rule}-normalised": (*BOTH, "squared") for rule in RULES},
    "adam-plain": (["relu", "logistic"], [False, False], "squared"),
    "momentum-mixed": (["softplus", "leaky_relu"], [False, True], "squared"),
    "adam-two": (*BOTH, "log"),
    "adam-three": (*BOTH, "softmax"),
}


def with_biased_variances(path, normalised, n):
    """Return a path of torch's with running variances whose divisor is the number of rows.

    torch divides the sum of squares of a batch of m rows by m - 1.
    """
    path, last = path.copy(), path.shape[1]
    sizes = [BATCH] * (n // BATCH - 1) + [BATCH + n % BATCH]
    for width in [w for w, flag in zip(WIDTHS, normalised) if flag][::-1]:
        torch_variances, variances = path[:, last - width : last].copy(), path[:, last - width :]
        for t in range(1, len(path)):
            m = sizes[(t - 1) % len(sizes)]
            entered = torch_variances[t] - 0.9 * torch_variances[t - 1]
            variances[t, :width] = 0.9 * variances[t - 1, :width] + entered * (m - 1) / m
        last -= 2 * width
    return path


@pytest.mark.parametrize("case", CASES)
def test_every_update_equals_that_of_torch_with_its_running_statistics(case):
    (activations, normalised, kind), rule = CASES[case], case.split("-")[0]
    expected = with_biased_variances(TORCH[case], normalised, len(TORCH["X"]))
    optimizer, rate = RULES[rule]
    estimator = GDMLPRegressor if kind == "squared" else GDMLPClassifier
    model = estimator(
        WIDTHS,
        activations,
        batch_norm=normalised,
        alpha=0.01,
        optimizer=optimizer,
        learning_rate=rate,
        batch_size=BATCH,
        sampling="cyclic",
        max_iter=13,
        tol=None,
        init=expected[0],
        record_path=True,
    )
    model.fit(TORCH["X"], TORCH[kind])
    assert model.t_ == len(expected) - 1 >= 50
    np.testing.assert_allclose(model.path_, expected, rtol=0.0, atol=1e-9)
    np.testing.assert_array_equal(model.parameters(), model.path_[-1])


def linear(weights, intercept):
    return {"coefs": [weights], "intercepts": [intercept]}


@pytest.mark.parametrize("batch_size", [None, 7, 1])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson"])
def test_without_a_hidden_layer_a_network_is_a_linear_model(loss, batch_size):
    X, y = make_regression()
    y = np.abs(y) if LOSSES[loss].min_target == 0.0 else y
    options = {
        "loss": loss,
        "optimizer": "adam",
        "penalty": "l1",
        "alpha": 0.01,
        "learning_rate": 0.05,
        "schedule": "constant",
        "batch_size": batch_size,
        "max_iter": 20,
        "tol": None,
        "random_state": 0,
    }
    weight = np.random.default_rng(0).uniform(0.0, 2.0, len(y))
    network = GDMLPRegressor((), init=np.zeros(6), **options).fit(X, y, weight)
    model = GDRegressor(center=False, init=np.zeros(6), **options).fit(X, y, weight)
    np.testing.assert_allclose(network.coefs_[0][:, 0], model.coef_, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(network.intercepts_[0], model.intercept_, rtol=0.0, atol=1e-12)
    exact = slice(None) if batch_size is None else slice(-1, None)  # others as epochs go by
    np.testing.assert_allclose(network.loss_curve_[exact], model.loss_curve_[exact], rtol=1e-12)
    np.testing.assert_allclose(network.predict(X), model.predict(X), rtol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("optimizer", ["lbfgs", "nesterov"])
def test_without_a_hidden_layer_a_classifier_finds_the_minimum_of_logistic_regression(
    optimizer, n_classes
):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3))
    classes = np.array(["a", "b", "c"])[:n_classes]
    y = classes[
        (X @ rng.standard_normal((3, n_classes)) + rng.gumbel(size=(80, n_classes))).argmax(1)
    ]
    weight = rng.uniform(0.1, 2.0, 80)
    alpha = 0.05
    expected = LogisticRegression(C=1.0 / (alpha * weight.sum()), solver="newton-cg", tol=1e-10)
    expected.fit(X, y, weight)
    model = GDMLPClassifier((), alpha=alpha, optimizer=optimizer, batch_size=None)
    exact = {"tol": 1e-8} if optimizer == "lbfgs" else {"tol": None, "max_iter": 1500}
    model.set_params(**exact).fit(X, y, weight)
    np.testing.assert_array_equal(model.classes_, expected.classes_)
    found = model.predict_proba(X)
    np.testing.assert_allclose(found, expected.predict_proba(X), rtol=0.0, atol=1e-7)
    np.testing.assert_allclose(
        model.decision_function(X).shape, expected.decision_function(X).shape
    )
    if n_classes == 2:
        np.testing.assert_allclose(model.coefs_[0].T, expected.coef_, rtol=0.0, atol=1e-6)
