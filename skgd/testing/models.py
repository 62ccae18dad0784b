"""The laws of a model."""

import math
from contextlib import suppress

import numpy as np

from skgd.kernels.row_kernels import (
    model_predictions,
    prediction_gradients,
    prediction_hessians,
)
from skgd.losses import SquaredError
from skgd.models import Model
from skgd.testing.compilation import check_same
from skgd.testing.laws import check_value, difference, points, require

P = 3  # weights
N_ROWS = 60


def check_model(model: Model, *, compiled: bool = True) -> None:
    """Check that a model keeps its laws.

    - **values**: the model is an immutable value; its copies are equal.
    - **the projection**: a row and its weights enter by ``z = w . x`` alone.
    - **the slope**: it equals differences of the value in z.
    - **the parameter gradient**: `add_parameter_gradient` adds differences of the value in the
      parameters beside the weights to their places in ``g``, and changes nothing else.
    - **the second derivative**, where it is written: it equals differences of both.
    - **linearity**: with ``linear`` the value is linear in z and in the parameters.
    - **curvature**, where it is written: it bounds the second derivatives of the squared error, in
      ``projection_scale * z`` plus the first of the other parameters, and in the rest.
    - **compilation**: the methods compile without allocating, and give the same numbers compiled.

    Parameters
    ----------
    model : Model
    compiled : bool, default=True
        Whether to compile it too, which takes about two seconds.

    Raises
    ------
    AssertionError
        With the name of the law and the numbers that break it.

    Examples
    --------
    >>> from skgd.models import Gabor, Linear
    >>> from skgd.testing import check_model
    >>> check_model(Gabor(amplitude=True))
    >>> class Doubled(Linear):
    ...     def value(self, z, theta, p):
    ...         return 2.0 * z + theta[p]
    >>> check_model(Doubled())
    Traceback (most recent call last):
    ...
    AssertionError: Doubled(intercept=True) breaks the law of the slope: at z=1.37 it is 1, and ...
    """
    check_value(model, Model)
    n_extra = model.n_extra_parameters()
    said = f"n_extra_parameters is a number of parameters; got {n_extra!r}"
    require(isinstance(n_extra, int) and n_extra >= 0, model, "the parameter gradient", said)
    for k, z in enumerate(points(0, N_ROWS)):
        theta = _parameters(model, k)
        _check_projection(model, z, theta)
        _check_slope(model, z, theta)
        _check_parameter_gradient(model, z, theta)
        _check_second_derivative(model, z, theta)
        _check_linearity(model, z, theta)
    _check_curvature(model)
    if compiled:
        _check_compiled(model)
    check_value(model, Model)


def _parameters(model, seed):
    """Return weights, and other parameters of ordinary size."""
    rng = np.random.default_rng(seed)
    return np.append(rng.standard_normal(P), rng.uniform(1.0, 2.0, model.n_extra_parameters()))


def _moved(theta, j, step):
    theta = theta.copy()
    theta[j] += step
    return theta


def _is_close(found, expected):
    return bool(np.allclose(found, expected, rtol=1e-6, atol=1e-8))


def _first(model, z, theta):
    """Return the derivatives in z and in the other parameters."""
    g = np.zeros(theta.size)
    model.add_parameter_gradient(z, theta, P, 1.0, g)
    return np.append(model.slope(z, theta, P), g[P:])


def _check_projection(model, z, theta):
    other = np.append(theta[:P] + 1.0, theta[P:])
    pairs = [(method(z, theta, P), method(z, other, P)) for method in (model.value, model.slope)]
    said = f"at z={z:.4g} other weights with the same projection change value and slope: {pairs}"
    require(all(one == two for one, two in pairs), model, "the projection", said)


def _check_slope(model, z, theta):
    slope = float(model.slope(z, theta, P))
    expected = difference(lambda step: model.value(z + step, theta, P))
    said = f"at z={z:.4g} it is {slope:.6g}, and differences of the value are {expected:.6g}"
    require(_is_close(slope, expected), model, "the slope", said)


def _check_parameter_gradient(model, z, theta):
    r, g, kept = 0.7, np.arange(1.0, theta.size + 1.0), theta.copy()
    law = "the parameter gradient"
    try:
        model.add_parameter_gradient(z, theta, P, r, g)
    except IndexError as error:
        said = f"it keeps to n_extra_parameters() = {theta.size - P}; {error}"
        require(False, model, law, said)
    require(np.array_equal(theta, kept), model, law, "theta is read and never written")
    for j in range(theta.size):
        added = g[j] - (j + 1.0)
        change = difference(lambda step, j=j: model.value(z, _moved(theta, j, step), P))
        said = f"at z={z:.4g}, r={r} entry {j} of g grows by {added:.6g}, and differences of the "
        said += f"value, times r, are {r * change if j >= P else 0.0:.6g}"
        require(_is_close(added, r * change if j >= P else 0.0), model, law, said)


def _check_second_derivative(model, z, theta):
    if model.second_derivative is None:
        return
    k, r = 1 + theta.size - P, 0.7
    found = np.ones((k, k))
    model.second_derivative(z, theta, P, r, found)
    rows = _second(model, z, theta)
    for i, row in enumerate(rows):
        said = (
            f"at z={z:.4g}, r={r} row {i} of H grows by {found[i] - 1.0}, and differences of the"
        )
        said += f" first derivatives, times r, are {r * row}"
        close = bool(np.allclose(found[i] - 1.0, r * row, rtol=1e-6, atol=1e-7))
        require(close, model, "the second derivative", said)


def _check_linearity(model, z, theta):
    if model.linear:
        shift = np.append(np.zeros(P), np.ones(theta.size - P))
        values = [model.value(z + k, theta + k * shift, P) for k in (-1.0, 0.0, 1.0)]
        said = f"linear says so, but about z={z:.4g} equal steps lead to the values {values}"
        straight = math.isclose(values[0] + values[2], 2.0 * values[1], rel_tol=1e-9, abs_tol=1e-9)
        require(straight, model, "linearity", said)


def _check_curvature(model):
    """Compare bounds with the Hessians of ``(f - y)^2 / 2``, for targets of the model's own."""
    thetas, z = [_parameters(model, k) for k in range(N_ROWS)], points(6, N_ROWS)
    y = np.array([model.value(*pair, P) for pair in zip(points(7, N_ROWS), thetas[::-1])])
    bounds, diagonal = None, None
    with suppress(NotImplementedError):
        bounds = np.broadcast_to(model.curvature(SquaredError(), y), y.shape)
        diagonal = np.asarray(model.diagonal_curvature(SquaredError(), y), dtype=float)
    if bounds is None or diagonal is None:
        return
    n_extra = model.n_extra_parameters()
    said = f"diagonal_curvature has {n_extra} entries; got the shape {diagonal.shape}"
    require(diagonal.shape == (n_extra,), model, "curvature", said)
    for i, theta in enumerate(thetas):
        g = _first(model, z[i], theta)
        if n_extra:
            said = f"at z={z[i]:.4g} the slope is {g[0]:.6g}, not projection_scale times the "
            said += f"derivative {g[1]:.6g} in the first of the other parameters"
            require(_is_close(g[0], model.projection_scale * g[1]), model, "curvature", said)
        residual = model.value(z[i], theta, P) - y[i]
        hessian = np.outer(g, g) + residual * _second(model, z[i], theta)
        inner = hessian[1:, 1:] if n_extra else hessian / model.projection_scale**2
        found = float(np.abs(np.linalg.eigvalsh(inner)).max())
        said = f"at z={z[i]:.4g}, y={y[i]:.4g} a second derivative is {found:.6g}, more than "
        said += f"{bounds[i]:.6g}"
        require(found <= bounds[i] * (1.0 + 1e-5) + 1e-9, model, "curvature", said)
        each = np.abs(np.diagonal(inner))[:n_extra]
        said = f"at z={z[i]:.4g}, y={y[i]:.4g} diagonal second derivatives are {each}, more than"
        kept = bool((each <= diagonal * (1.0 + 1e-5) + 1e-9).all())
        require(kept, model, "curvature", f"{said} {diagonal}")


def _second(model, z, theta):
    """Return the second derivatives in z and the other parameters, by differences."""
    rows = [difference(lambda step: _first(model, z + step, theta))]
    for j in range(P, theta.size):
        rows.append(difference(lambda step, j=j: _first(model, z, _moved(theta, j, step))))
    return np.array(rows)


def _check_compiled(model):
    z, r, theta = np.array(points(8, 20)), np.array(points(9, 20)), _parameters(model, 0)
    extra, k = theta[P:], 1 + model.n_extra_parameters()
    check_same(
        model,
        "value",
        lambda: [model.value(v, extra, 0) for v in z.tolist()],
        lambda: model_predictions(model, z[None], extra[None])[0],
    )
    check_same(
        model,
        "slope and add_parameter_gradient",
        lambda: [_first(model, v, theta) for v in z.tolist()],
        lambda: prediction_gradients(model, z, extra),
    )
    if model.second_derivative is not None:

        def plain():
            found = np.zeros((z.size, k, k))
            for i, v in enumerate(z.tolist()):
                model.second_derivative(v, extra, 0, r[i], found[i])
            return found

        check_same(
            model, "second_derivative", plain, lambda: prediction_hessians(model, z, extra, r)
        )
