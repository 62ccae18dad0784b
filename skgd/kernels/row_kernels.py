"""Row kernels: a model or a loss evaluated on many rows.

The methods of parts take one row, as scalars. The kernels loop over the rows and call them; each
is compiled for the class of one part, and none allocates. The names below are slots that `bind`
fills with the methods. A model gets the projection z of a row and the parameters that are not
weights, ``extra``.
"""

from functools import cache

import numpy as np

from skgd.kernels.compiling import bind, compile_cached, compiled_code, fuse

STEP = 6e-6  # relative step of central differences: the cube root of the machine epsilon

value = slope = second_derivative = conjugate = mean_of = add_parameter_gradient = None


def model_predictions(model, z, extra):
    """Return the predictions of all rows, for one or for many parameter vectors.

    Parameters
    ----------
    model : Model
    z : ndarray of shape (n,) or (m, n)
        The projections of the rows.
    extra : ndarray of shape (n_extra,) or (m, n_extra)

    Returns
    -------
    ndarray of the shape of z, float64
    """
    z, extra = np.ascontiguousarray(z, float), np.ascontiguousarray(extra, float)
    if model.linear and extra.ndim == 1:  # the same line for all rows
        level, steepness = model.value(0.0, extra, 0), model.slope(0.0, extra, 0)
        z = z if steepness == 1.0 else steepness * z
        return level + z if level else z
    f = np.empty(z.shape)
    with compiled_code():
        _predict_of(type(model))(model, *map(np.atleast_2d, (z, extra, f)))
    return f


def prediction_gradients(model, z, extra):
    """Return the derivatives of each row's prediction with respect to z and ``extra``.

    Returns
    -------
    ndarray of shape (n, 1 + n_extra)
    """
    z, extra = np.ascontiguousarray(z, float), np.ascontiguousarray(extra, float)
    found = np.zeros((z.size, 1 + extra.size))
    with compiled_code():
        _slopes_of(type(model))(model, z, extra, found)
    return found


def prediction_hessians(model, z, extra, r):
    """Return r times the second derivatives of each row's prediction in z and ``extra``.

    Parameters
    ----------
    model : Model
    z, r : ndarray of shape (n,)
    extra : ndarray of shape (n_extra,)

    Returns
    -------
    ndarray of shape (n, 1 + n_extra, 1 + n_extra)
    """
    found = np.zeros((z.size, 1 + extra.size, 1 + extra.size))
    if model.linear:
        return found
    with compiled_code():
        kernel = _seconds_of(type(model))
        kernel(model, np.ascontiguousarray(z, float), np.array(extra, float), r, found)
    return found


def loss_terms(loss, f, y):
    """Return the loss of each prediction, and its first and second derivative.

    Parameters
    ----------
    loss : Loss
    f, y : ndarray, of shapes that broadcast

    Returns
    -------
    ndarray of shape (3, ...)
    """
    shape = np.shape(f)
    if shape != np.shape(y):
        shape = np.broadcast_shapes(shape, np.shape(y))
        f, y = np.broadcast_to(f, shape), np.broadcast_to(y, shape)
    f, y = (np.require(a, float, "CW") for a in (f, y))
    found = np.empty((3, *shape))
    with compiled_code():
        _loss_of(type(loss))(loss, f.reshape(-1), y.reshape(-1), found.reshape(3, -1))
    return found


def conjugates(loss, v, y):
    """Return the conjugate of each row's loss, infinite outside its domain.

    Parameters
    ----------
    loss : Loss
    v, y : ndarray of shape (n,), float64
    """
    found = np.empty(v.size)
    with compiled_code():
        _conjugate_of(type(loss))(loss, v, y, found)
    return found


def activation_terms(activation, u):
    """Return the value and the slope of an activation at each sum, as an array of shape (2, n).

    Parameters
    ----------
    activation : Activation
    u : ndarray of shape (n,), float64
    """
    found = np.empty((2, u.size))
    with compiled_code():
        _activation_of(type(activation))(activation, u, found)
    return found


def inverse_link(loss, f):
    """Return the predictions, in the unit of y and the dtype of f."""
    if loss.link == "identity":
        return f
    f = np.asarray(f)
    found = np.empty(f.shape)
    with compiled_code():
        kernel = _link_of(type(loss))
        kernel(loss, np.ascontiguousarray(f, float).reshape(-1), found.reshape(-1))
        return found.astype(f.dtype)


@cache
def _predict_of(model):
    slots = {"value": fuse(model.value)}
    return compile_cached(bind(predictions_of_rows, slots), (model,), "predictions")


@cache
def _slopes_of(model):
    slots = {
        "slope": fuse(model.slope),
        "add_parameter_gradient": fuse(model.add_parameter_gradient),
    }
    return compile_cached(bind(gradients_of_rows, slots), (model,), "slopes")


@cache
def _seconds_of(model):
    slots = {
        "slope": fuse(model.slope),
        "add_parameter_gradient": fuse(model.add_parameter_gradient),
    }
    slots["second_derivative"] = fuse(model.second_derivative or bind(model_differences, slots))
    return compile_cached(bind(second_derivatives_of_rows, slots), (model,), "seconds")


@cache
def _loss_of(loss):
    slots = {"value": fuse(loss.value), "slope": fuse(loss.slope)}
    slots["second_derivative"] = fuse(loss.second_derivative or bind(loss_differences, slots))
    return compile_cached(bind(losses_of_rows, slots), (loss,), "losses")


@cache
def _conjugate_of(loss):
    slots = {"conjugate": fuse(loss.conjugate)}
    return compile_cached(bind(conjugates_of_rows, slots), (loss,), "conjugates")


@cache
def _activation_of(activation):
    slots = {"value": fuse(activation.value), "slope": fuse(activation.slope)}
    return compile_cached(bind(activations_of_sums, slots), (activation,), "activations")


@cache
def _link_of(loss):
    return compile_cached(
        bind(inverse_link_of_rows, {"mean_of": fuse(loss.inverse_link)}), (loss,), "link"
    )


def predictions_of_rows(model, z, extra, f):
    for k in range(f.shape[0]):
        for i in range(f.shape[1]):
            f[k, i] = value(model, z[k, i], extra[k], 0)


def gradients_of_rows(model, z, extra, found):
    for i in range(z.size):
        found[i, 0] = slope(model, z[i], extra, 0)
        add_parameter_gradient(model, z[i], extra, 0, 1.0, found[i, 1:])


def second_derivatives_of_rows(model, z, extra, r, found):
    for i in range(z.size):
        second_derivative(model, z[i], extra, 0, r[i], found[i])


def losses_of_rows(loss, f, y, found):
    for i in range(f.size):  # which may call functions, one number at a time
        found[0, i] = value(loss, f[i], y[i])
    for i in range(f.size):
        found[1, i] = slope(loss, f[i], y[i])
        found[2, i] = second_derivative(loss, f[i], y[i])


def conjugates_of_rows(loss, v, y, found):
    for i in range(v.size):
        found[i] = conjugate(loss, v[i], y[i])


def activations_of_sums(activation, u, found):
    for i in range(u.size):
        found[0, i] = value(activation, u[i])
        found[1, i] = slope(activation, u[i], found[0, i])


def inverse_link_of_rows(loss, f, found):
    for i in range(f.size):
        found[i] = mean_of(loss, f[i])


def loss_differences(loss, f, y):
    """Return the second derivative of a loss by central differences."""
    h = STEP * (abs(f) + abs(y))
    h = h if h > 0.0 else STEP
    return (slope(loss, f + h, y) - slope(loss, f - h, y)) / (2.0 * h)


def model_differences(model, z, extra, p, r, H):
    """Add the second derivatives of a model by central differences."""
    h = STEP * (1.0 + abs(z))
    H[0, 0] += r * (slope(model, z + h, extra, p) - slope(model, z - h, extra, p)) / (2.0 * h)
    for j in range(p, extra.size):
        t, k = extra[j], 1 + j - p
        h = STEP * (1.0 + abs(t))
        extra[j] = t + h
        up = slope(model, z, extra, p)
        add_parameter_gradient(model, z, extra, p, 0.5 * r / h, H[k, 1:])
        extra[j] = t - h
        down = slope(model, z, extra, p)
        add_parameter_gradient(model, z, extra, p, -0.5 * r / h, H[k, 1:])
        extra[j] = t
        H[k, 0] += 0.5 * r * (up - down) / h
        H[0, k] += 0.5 * r * (up - down) / h
