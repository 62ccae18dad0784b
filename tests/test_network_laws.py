"""Laws of a network's data term: gradients, sums over rows, symmetries of the parameters."""

import numpy as np
import pytest
from scipy import sparse

from skgd.activations import ACTIVATIONS, LeakyReLU, ReLU, Tanh
from skgd.losses import LOSSES, CrossEntropy, LogLoss, SquaredError
from skgd.objective.network import NetworkTerm, Normalisation, Shape

ALL = tuple(cls() for cls in ACTIVATIONS.values())
EVERY_LOSS = [*(cls() for cls in LOSSES.values()), LogLoss(), CrossEntropy()]
N, P, K = 23, 4, 2
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, P)) * (RNG.random((N, P)) < 0.7)
WEIGHT = RNG.uniform(0.2, 3.0, N)
WEIGHT /= WEIGHT.mean()


def targets(loss):
    rng = np.random.default_rng(1)
    if loss.joint:
        return rng.integers(0, K, (N, 1)).astype(float)
    if loss.link == "logit":
        return rng.integers(0, 2, (N, K)).astype(float)
    return np.abs(rng.standard_normal((N, K))) + 0.1


def parameters(shape, seed=0):
    """Return random parameters, whose statistics are variances too."""
    theta = np.random.default_rng(seed).standard_normal(shape.n_parameters)
    for variance in shape.split(theta)[4]:
        variance[:] = np.abs(variance) + 0.5
    return theta


def outputs(theta, shape, X, weight=None, eps=1e-5):
    """Return what a network puts out, in numpy; with weights normalised by their statistics."""
    weights, shifts, scales, means, variances = shape.split(theta)
    scales, known = iter(scales), iter(zip(means, variances))
    flags, activations = (*shape.normalised, False), (*shape.activations, None)
    for W, b, flag, activation in zip(weights, shifts, flags, activations):
        U = X @ W
        if flag:
            mean, variance = next(known)
            if weight is not None:
                mean = weight @ U / weight.sum()
                variance = weight @ (U - mean) ** 2 / weight.sum()
            U = (U - mean) / np.sqrt(variance + eps) * next(scales)
        U = U + b
        X = U if activation is None else np.vectorize(activation.value)(U)
    return X


def mean_loss(loss, F, Y, weight):
    if loss.joint:
        found = np.logaddexp.reduce(F, axis=1) - F[np.arange(len(F)), Y[:, 0].astype(int)]
    else:
        found = np.vectorize(loss.value)(F, Y).sum(axis=1)
    return weight @ found / weight.sum()


def gradient(term, theta, h=1e-5):
    """Return differences of the value, of fourth order."""
    found = np.zeros(theta.size)
    for j, step in enumerate(h * np.eye(theta.size)):
        values = [term.value_and_gradient(theta + k * step)[0] for k in (-2, -1, 1, 2)]
        found[j] = (values[0] - 8.0 * values[1] + 8.0 * values[2] - values[3]) / (12.0 * h)
    return found


FLAGS = {"odd": (True, False) * 3 + (True,), "even": (False, True) * 3 + (False,)}
CASES = [(loss, flags, k % 2) for k, loss in enumerate(EVERY_LOSS) for flags in FLAGS.values()]
CASES += [(SquaredError(), (False,) * 7, store) for store in (False, True)]


@pytest.mark.parametrize(("loss", "flags", "is_sparse"), CASES, ids=str)
def test_value_and_gradient_are_those_of_numpy_for_every_activation(loss, flags, is_sparse):
    shape = Shape((P, *(3,) * 7, K), ALL, flags)
    store = sparse.csr_matrix if is_sparse else np.asarray
    Y = targets(loss)
    term, theta = NetworkTerm(store(X), Y, WEIGHT, shape, loss), parameters(shape)
    value, g = term.value_and_gradient(theta)
    expected = mean_loss(loss, outputs(theta, shape, X, WEIGHT), Y, WEIGHT)
    assert value == pytest.approx(expected, rel=1e-11)
    known = mean_loss(loss, outputs(theta, shape, X), Y, WEIGHT)
    assert term.prediction_loss(theta) == pytest.approx(known, rel=1e-11)
    size = np.abs(g).max()
    assert size > 1e-3
    np.testing.assert_allclose(g, gradient(term, theta), rtol=0.0, atol=1e-7 * max(size, 1.0))
    assert not g[g.size - shape.n_statistics :].any()


TANH = Tanh()


def small(flags, activation=TANH, n=N, eps=1e-5, weight=None):
    """Return a term with one hidden layer, and its parameters."""
    rng = np.random.default_rng(2)
    shape = Shape((P, 5, K), (activation,), flags)
    weight = np.ones(n) if weight is None else weight
    rows, Y = rng.standard_normal((n, P)), rng.standard_normal((n, K))
    normalisation = Normalisation(eps=eps)
    term = NetworkTerm(rows, Y, weight, shape, SquaredError(), normalisation)
    return term, parameters(shape)


def test_tiles_of_rows_add_up_to_the_whole():
    n = 2 * 256 + 1
    weight = np.random.default_rng(3).uniform(0.0, 2.0, n)
    term, theta = small((False,), n=n, weight=weight / weight.mean())
    value, g = term.value_and_gradient(theta)
    F = outputs(theta, term.shape, term.X)
    assert value == pytest.approx(mean_loss(term.loss, F, term.Y, term.weight), rel=1e-12)
    total = np.zeros(theta.size)
    losses = []
    for rows in np.split(np.arange(n), [1, 100, 300]):
        own = np.zeros(theta.size)
        losses.append(len(rows) / n * term.accumulate(theta, rows, own, {}))
        total += len(rows) / n * own
    assert sum(losses) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(total, g, rtol=0.0, atol=1e-13)
    np.testing.assert_allclose(term.predict(theta), F, rtol=0.0, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("k", "n"), [(1, 2), (3, 7), (9, 16), (25, 33), (50, 10)])
@pytest.mark.parametrize("m", [1, 2, 7, 47, 49, 100])
def test_products_of_layers_are_those_of_matrices(m, k, n, dtype):
    rng = np.random.default_rng(m + k)
    shape = Shape((P, k, n, K), (ALL[0],) * 2, (False, False))
    rows, Y, ones = rng.standard_normal((m, P)).astype(dtype), np.zeros((m, K)), np.ones(m)
    term = NetworkTerm(rows, Y, ones, shape, SquaredError())
    theta = rng.standard_normal(shape.n_parameters).astype(dtype)
    (U, V, W), shifts, *_ = shape.split(theta.astype(float))
    H = rows @ U + shifts[0]
    F = (H @ V + shifts[1]) @ W + shifts[2]
    g = term.value_and_gradient(theta)[1]
    back = F @ W.T
    eps = np.finfo(dtype).eps
    for found, inputs, errors in zip(shape.split(g)[0], (rows, H), (back @ V.T, back)):
        expected = inputs.T @ errors / m
        size = np.abs(inputs).T @ np.abs(errors) / m
        np.testing.assert_array_less(np.abs(found - expected), 1e3 * eps * size.max())


def test_scaling_the_weights_before_a_normalisation_changes_nothing():
    term, theta = small((True,), eps=0.0)
    value, g = term.value_and_gradient(theta)
    other = theta.copy()
    scale = np.random.default_rng(4).uniform(0.5, 4.0, 5)
    term.shape.split(other)[0][0][:] *= scale
    scaled_value, scaled_g = term.value_and_gradient(other)
    assert scaled_value == pytest.approx(value, rel=1e-12)
    first, scaled = (term.shape.split(array)[0][0] for array in (g, scaled_g))
    np.testing.assert_allclose(scaled * scale, first, rtol=1e-9, atol=1e-13)


def test_the_gradient_before_a_normalisation_is_orthogonal_to_the_weights():
    term, theta = small((True,), eps=0.0)
    g = term.value_and_gradient(theta)[1]
    W, G = (term.shape.split(array)[0][0] for array in (theta, g))
    assert np.abs(G).max() > 1e-2
    np.testing.assert_allclose((W * G).sum(axis=0), 0.0, atol=1e-13)


def test_permuting_hidden_units_permutes_the_gradient():
    term, theta = small((True,))
    order, other = np.array([3, 1, 4, 0, 2]), np.empty_like(theta)

    def permute(array, into):
        pairs = zip(term.shape.split(array), term.shape.split(into))
        for kind, (there, here) in enumerate(pairs):
            here[0][:] = there[0][:, order] if kind == 0 else there[0][order]
            if kind == 0:
                here[1][:] = there[1][order]
            if kind == 1:
                here[1][:] = there[1]

    permute(theta, other)
    value, g = term.value_and_gradient(theta)
    same, found = term.value_and_gradient(other)
    expected = np.empty_like(g)
    permute(g, expected)
    assert same == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-13)


@pytest.mark.parametrize("activation", [ReLU(), LeakyReLU(0.1)], ids=repr)
def test_rectified_units_may_be_rescaled(activation):
    term, theta = small((False,), activation)
    scale, other = np.random.default_rng(5).uniform(0.3, 3.0, 5), theta.copy()
    weights, shifts, *_ = term.shape.split(other)
    weights[0][:] *= scale
    shifts[0][:] *= scale
    weights[1][:] /= scale[:, None]
    np.testing.assert_allclose(term.predict(other), term.predict(theta), rtol=0.0, atol=1e-12)


def test_a_normalised_batch_has_the_means_and_variances_that_shift_and_scale_say():
    rng = np.random.default_rng(6)
    shape = Shape((P, 5, 5), (ALL[0],), (True,))
    theta = parameters(shape)
    weights, shifts, scales, *_ = shape.split(theta)
    weights[1][:], shifts[1][:] = np.eye(5), 0.0
    rows, Y = 3.0 + 2.0 * rng.standard_normal((N, P)), np.zeros((N, 5))
    none = Normalisation(eps=0.0)
    term = NetworkTerm(rows, Y, WEIGHT, shape, SquaredError(), none)
    F = term.predict(term.recalibrated(theta))
    mean = WEIGHT @ F / N
    np.testing.assert_allclose(mean, shifts[0], rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(WEIGHT @ (F - mean) ** 2 / N, scales[0] ** 2, rtol=1e-11)
