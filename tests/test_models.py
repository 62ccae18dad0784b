"""Models against differences, and rows against the matrix that they are rows of."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skgd.kernels.accumulate import build_accumulate
from skgd.kernels.problem import RowData
from skgd.kernels.row_kernels import model_predictions, prediction_gradients, prediction_hessians
from skgd.kernels.rows import CsrRows, DenseRows, rows_of
from skgd.losses import SquaredError
from skgd.models import Gabor, Linear
from skgd.objective.objective import Objective
from skgd.penalties import NoPenalty
from skgd.testing import check_model

GABORS = [Gabor(*fitted) for fitted in product([False, True], repeat=3)]
MODELS = [Linear(), Linear(intercept=False), *GABORS]
STORAGES = [np.asarray, sparse.csr_matrix]
P = 4  # weights
numbers = st.floats(-5.0, 5.0)
projections = st.floats(-200.0, 200.0)
every_model = pytest.mark.parametrize("model", MODELS, ids=repr)
every_gabor = pytest.mark.parametrize("model", GABORS, ids=repr)
every_storage = pytest.mark.parametrize("store", STORAGES, ids=["dense", "csr"])
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])
reproducibly = settings(derandomize=True, deadline=None)


def parameters(model, seed=0):
    rng = np.random.default_rng(seed)
    return np.append(rng.standard_normal(P), rng.uniform(0.7, 2.0, model.n_extra_parameters()))


def differences(function, theta, h=1e-20):
    """Return the derivatives of a function in each of its parameters, by complex steps.

    ``Im f(t + i h) / h`` has no rounding, so h may be as small as one likes.
    """
    steps = h * 1j * np.eye(len(theta))
    return np.array([function(theta + step).imag / h for step in steps])


@every_model
def test_a_model_keeps_its_laws(model):
    check_model(model)


@every_model
@reproducibly
@given(z=projections)
def test_slope_equals_differences(model, z):
    theta = parameters(model)
    difference = differences(lambda v: model.value(v[0], theta, P), np.array([z]))[0]
    np.testing.assert_allclose(model.slope(z, theta, P), difference, rtol=1e-11, atol=1e-14)


@every_model
@reproducibly
@given(z=projections, r=numbers)
def test_add_parameter_gradient_adds_the_differences_in_the_extra_parameters(model, z, r):
    theta = parameters(model)
    g = np.arange(1.0, len(theta) + 1.0)
    change = differences(lambda v: np.asarray(model.value(z, v, P)), theta)
    expected = g + r * change
    assert not change[:P].any()
    model.add_parameter_gradient(z, theta, P, r, g)
    np.testing.assert_allclose(g, expected, rtol=1e-11, atol=1e-14)


@every_model
def test_second_derivative_equals_differences_of_slope_and_parameter_gradient(model):
    z = np.linspace(-150.0, 150.0, 31)
    theta = parameters(model)

    def first(step, i):
        """Return the derivatives of row i where z and the others have taken a step."""
        moved, g = theta + np.append(np.zeros(P), step[1:]), np.zeros(len(theta), complex)
        model.add_parameter_gradient(z[i] + step[0], moved, P, 1.0, g)
        return np.append(model.slope(z[i] + step[0], moved, P), g[P:])

    k, rows = 1 + model.n_extra_parameters(), prediction_hessians(model, z, theta[P:], z)
    assert rows.shape == (len(z), k, k)
    for i in range(len(z)):
        expected = differences(lambda step, i=i: first(step, i), np.zeros(k))
        np.testing.assert_allclose(rows[i], z[i] * expected, rtol=1e-11, atol=1e-12)
        if not model.linear:
            row = np.ones((k, k))
            model.second_derivative(z[i], theta, P, 0.5, row)
            np.testing.assert_allclose(row, 1.0 + 0.5 * expected, rtol=1e-11, atol=1e-13)


@every_model
def test_the_kernels_of_many_rows_equal_the_methods_of_each_row(model):
    z, theta = np.linspace(-50.0, 50.0, 7), parameters(model)
    slopes = np.zeros((len(z), len(theta) + 1))
    for i in range(len(z)):
        slopes[i, 0] = model.slope(z[i], theta, P)
        model.add_parameter_gradient(z[i], theta, P, 1.0, slopes[i, 1:])
    found = prediction_gradients(model, z, theta[P:])
    np.testing.assert_allclose(found, np.delete(slopes, range(1, P + 1), axis=1), rtol=1e-14)
    rows = [model.value(each, theta, P) for each in z]
    np.testing.assert_allclose(model_predictions(model, z, theta[P:]), rows, rtol=1e-14)
    many = np.array([parameters(model, seed) for seed in range(3)])
    rows = [[model.value(each, one, P) for each in z] for one in many]
    found = model_predictions(model, np.tile(z, (3, 1)), many[:, P:])
    np.testing.assert_allclose(found, rows, rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("model", [GABORS[0], GABORS[-1]], ids=repr)
def test_a_model_without_second_derivatives_gets_them_by_differences(model):
    class Bare(Gabor):
        __slots__ = ()
        second_derivative = None

    z, theta = np.linspace(-50.0, 50.0, 7), parameters(model)
    found = prediction_hessians(Bare(**model.get_params()), z, theta[P:], np.ones(7))
    expected = prediction_hessians(model, z, theta[P:], np.ones(7))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_linear_is_the_projection_and_the_intercept():
    theta = np.array([1.0, 2.0, 3.0, 4.0, 0.5])
    assert Linear().value(2.0, theta, P) == 2.5
    assert Linear(intercept=False).value(2.0, theta[:P], P) == 2.0
    assert (Linear().n_extra_parameters(), Linear(intercept=False).n_extra_parameters()) == (1, 0)


def test_the_gabor_model_of_two_parameters_is_that_of_the_textbook():
    x, offset, frequency = np.linspace(-15.0, 15.0, 13), 0.4, 11.0
    z = offset + 0.06 * (frequency * x)
    found = model_predictions(Gabor(), frequency * x, [offset])
    np.testing.assert_allclose(found, np.sin(z) * np.exp(-(z**2) / 32.0), rtol=1e-14)


@every_gabor
def test_the_extra_parameters_are_in_the_order_offset_amplitude_width_baseline(model):
    z, offset = np.linspace(-150.0, 150.0, 7), 0.3
    extra = {"amplitude": (-1.7, 1.0), "width": (2.5, 4.0), "baseline": (0.6, 0.0)}
    fitted = model.get_params()
    theta = [offset, *(extra[name][0] for name in extra if fitted[name])]
    a, s, c = (extra[name][0 if fitted[name] else 1] for name in extra)
    u = offset + 0.06 * z
    expected = a * np.sin(u) * np.exp(-(u**2) / (2.0 * s**2)) + c
    np.testing.assert_allclose(model_predictions(model, z, theta), expected, rtol=1e-13)


@every_gabor
@reproducibly
@given(signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=8, max_size=8))
def test_canonical_parameters_have_the_same_curve_and_none_is_negative(model, signs):
    theta = parameters(model) * signs[: P + model.n_extra_parameters()]
    X = np.random.default_rng(5).uniform(-15.0, 15.0, (9, P))
    found, before = model.canonical(theta, P), theta.copy()
    np.testing.assert_allclose(
        model_predictions(model, X @ found[:P], found[P:]),
        model_predictions(model, X @ theta[:P], theta[P:]),
        rtol=1e-13,
    )
    assert (found[P + 1 : P + 1 + model.amplitude + model.width] > 0.0).all()
    np.testing.assert_array_equal(theta, before)


def draw_in_region(model, p, y, rng):
    """Return parameters that the bound of the curvature is stated for, often at its edges."""
    largest = np.abs(y).max()
    width = max(1.0, rng.uniform(0.0, 6.0))
    chosen = [
        np.clip(rng.normal(), -1.0, 1.0) * 2.0 * largest,
        width,
        rng.choice([-1, 1]) * largest,
    ]
    fitted = [model.amplitude, model.width, model.baseline]
    return np.concatenate(
        [
            rng.uniform(-25.0, 25.0, p),
            rng.uniform(-4.0, 4.0, 1),
            [value for value, here in zip(chosen, fitted) if here],
        ]
    )


@every_gabor
@reproducibly
@given(seed=st.integers(0, 2**32), size=st.sampled_from([1e-3, 0.5, 3.0, 1e3]))
def test_no_row_exceeds_the_bound_of_the_curvature(model, seed, size):
    rng = np.random.default_rng(seed)
    n, y = 40, size * rng.standard_normal(40)
    theta = draw_in_region(model, 0, y, rng)
    z = np.linspace(-150.0, 150.0, n)
    g = prediction_gradients(model, z, theta)[:, 1:]
    residual = model_predictions(model, z, theta) - y
    h = g[:, :, None] * g[:, None] + prediction_hessians(model, z, theta, residual)[:, 1:, 1:]
    steepest = np.abs(np.linalg.eigvalsh(h)).max(axis=1)
    assert (steepest <= model.curvature(SquaredError(), y)).all()
    each = np.abs(np.diagonal(h, axis1=1, axis2=2)).max(axis=0)
    assert (each <= np.array(model.diagonal_curvature(SquaredError(), y))).all()


@every_gabor
@reproducibly
@given(seed=st.integers(0, 2**32), p=st.integers(1, 3), size=st.sampled_from([0.1, 1.0, 30.0]))
def test_the_hessian_never_exceeds_the_curvature_of_the_objective(model, seed, p, size):
    rng = np.random.default_rng(seed)
    X, y = rng.uniform(-15.0, 15.0, (20, p)), size * rng.standard_normal(20)
    weight = rng.exponential(size=20)
    parts = {"model": model, "loss": SquaredError(), "penalty": NoPenalty(), "alpha": 0.0}
    objective = Objective.of_rows(X, y, weight / weight.mean(), **parts)
    for _ in range(5):
        H = objective.hessian(draw_in_region(model, p, y, rng))
        assert np.abs(np.linalg.eigvalsh(H)).max() <= objective.curvature


def holey_matrix(dtype=np.float64):
    """Return a matrix with many zeros, an empty row, an empty column and a full row."""
    X = np.random.default_rng(1).standard_normal((9, P)).astype(dtype)
    X[np.random.default_rng(2).random(X.shape) < 0.4] = 0.0
    X[3], X[:, 2], X[5] = 0.0, 0.0, [1.5, -2.0, 0.5, 3.0]
    return X


@every_storage
@every_dtype
def test_rows_agree_with_the_matrix(store, dtype):
    X = holey_matrix(dtype)
    rows = rows_of(store(X))
    v, w = np.random.default_rng(3).standard_normal((2, P))
    for i, x in enumerate(X.astype(float)):
        np.testing.assert_allclose(rows.dot(w, i), x @ w, rtol=1e-14, atol=1e-14)
        both = [x @ w, x @ v]
        np.testing.assert_allclose(rows.dot_pair(w, v, i), both, rtol=1e-14, atol=1e-14)
        g = np.arange(1.0, P + 1.0)
        rows.axpy(np.float64(-0.7), i, g)
        np.testing.assert_allclose(g, np.arange(1.0, P + 1.0) - 0.7 * x, rtol=1e-14)
        np.testing.assert_array_equal([rows.entry(i, j) for j in range(P)], x)


@every_storage
@every_dtype
def test_compiled_sums_over_rows_equal_linear_algebra(store, dtype):
    X = holey_matrix(dtype)
    n = len(X)
    rng = np.random.default_rng(4)
    y, weight, theta = rng.standard_normal(n), rng.uniform(0.5, 2.0, n), rng.standard_normal(P + 1)
    rows, g, found = rows_of(store(X)), np.zeros(P + 1), np.zeros(1)
    accumulate = build_accumulate(Linear, SquaredError, type(rows))
    data = RowData(rows, y, weight, 1, np.zeros(0), P)
    accumulate(Linear(), SquaredError(), data, theta, theta, g, (0, n), found)()
    residual = X @ theta[:P] + theta[P] - y
    np.testing.assert_allclose(found[0], np.mean(weight * residual**2) / 2.0, rtol=1e-12)
    np.testing.assert_allclose(g[:P], X.T @ (weight * residual) / n, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(g[P], np.mean(weight * residual), rtol=1e-12)


def test_rows_are_read_in_place_and_never_written():
    X = holey_matrix()
    matrix = sparse.csr_matrix(X)
    dense, csr = rows_of(X), rows_of(matrix)
    assert (type(dense), type(csr)) == (DenseRows, CsrRows)
    assert np.shares_memory(dense.X, X)
    assert np.shares_memory(csr.data, matrix.data)
    assert np.shares_memory(csr.indices, matrix.indices)
    assert not any(array.flags.writeable for array in (*dense, *csr))
    assert X.flags.writeable
    assert matrix.data.flags.writeable


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_csr_rows_accept_both_widths_of_indices(index):
    matrix = sparse.csr_matrix(holey_matrix())
    matrix.indices, matrix.indptr = matrix.indices.astype(index), matrix.indptr.astype(index)
    rows = rows_of(matrix)
    w = np.arange(1.0, P + 1.0)
    found = [rows.dot(w, i) for i in range(9)]
    np.testing.assert_allclose(found, holey_matrix() @ w, rtol=1e-14, atol=1e-14)
    assert rows.indices.dtype == np.uint32
    assert np.shares_memory(rows.indices, matrix.indices)
