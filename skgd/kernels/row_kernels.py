"""What a model and a loss say of many rows: the compiled row kernels.

A part's method speaks of one row, in scalars. The kernels go through the rows and call it; each
is compiled for the class of one part, and none allocates. The names below are slots, which `bind`
fills with the part's plain methods. Of a row a model is given the projection z, and of the
parameters those beside the weights, the ``others``.
"""

from functools import cache

import numpy as np

from skgd.kernels.compiling import bind, compile_cached, fuse, undisturbed

STEP = 6e-6  # of central differences, relative: the cube root of the rounding

value = slope = second = mean = pull = None


def model_predictions(model, z, others):
    """Return the predictions of rows under one set of parameters, or under many.

    Parameters
    ----------
    model : Model
    z : ndarray of shape (n,) or (m, n)
        The projections of the rows.
    others : ndarray of shape (n_others,) or (m, n_others)

    Returns
    -------
    ndarray of the shape of z, float64
    """
    z, others = np.ascontiguousarray(z, float), np.ascontiguousarray(others, float)
    if model.linear and others.ndim == 1:  # the same line for all rows
        return model.value(0.0, others, 0) + model.slope(0.0, others, 0) * z
    f = np.empty(z.shape)
    with undisturbed():
        _predict_of(type(model))(model, *map(np.atleast_2d, (z, others, f)))
    return f


def prediction_slopes(model, z, others):
    """Return the derivatives of every row's prediction in z and in the others.

    Returns
    -------
    ndarray of shape (n, 1 + n_others)
    """
    z, others = np.ascontiguousarray(z, float), np.ascontiguousarray(others, float)
    found = np.zeros((z.size, 1 + others.size))
    with undisturbed():
        _slopes_of(type(model))(model, z, others, found)
    return found


def prediction_seconds(model, z, others, r):
    """Return r times the second derivatives of every row's prediction, in z and the others.

    Parameters
    ----------
    model : Model
    z, r : ndarray of shape (n,)
    others : ndarray of shape (n_others,)

    Returns
    -------
    ndarray of shape (n, 1 + n_others, 1 + n_others)
    """
    found = np.zeros((z.size, 1 + others.size, 1 + others.size))
    if model.linear:
        return found
    with undisturbed():
        kernel = _seconds_of(type(model))
        kernel(model, np.ascontiguousarray(z, float), np.array(others, float), r, found)
    return found


def loss_terms(loss, f, y):
    """Return the loss of every prediction, its slope and its second derivative.

    Parameters
    ----------
    loss : Loss
    f, y : ndarray of one shape, or of two that broadcast

    Returns
    -------
    ndarray of shape (3, ...)
    """
    f, y = (np.ascontiguousarray(a, float) for a in np.broadcast_arrays(f, y))
    found = np.empty((3, *f.shape))
    with undisturbed():
        _loss_of(type(loss))(loss, f.reshape(-1), y.reshape(-1), found.reshape(3, -1))
    return found


def inverse_link(loss, f):
    """Return predictions in the unit of y, in the dtype of f."""
    if loss.link == "identity":
        return f
    f = np.asarray(f)
    found = np.empty(f.shape)
    with undisturbed():
        kernel = _link_of(type(loss))
        kernel(loss, np.ascontiguousarray(f, float).reshape(-1), found.reshape(-1))
        return found.astype(f.dtype)


@cache
def _predict_of(model):
    slots = {"value": fuse(model.value)}
    return compile_cached(bind(predict_rows, slots), (model,), "predictions")


@cache
def _slopes_of(model):
    slots = {"slope": fuse(model.slope), "pull": fuse(model.pull)}
    return compile_cached(bind(differentiate_rows, slots), (model,), "slopes")


@cache
def _seconds_of(model):
    slots = {"slope": fuse(model.slope), "pull": fuse(model.pull)}
    slots["second"] = fuse(model.second or bind(model_differences, slots))
    return compile_cached(bind(bend_rows, slots), (model,), "seconds")


@cache
def _loss_of(loss):
    slots = {"value": fuse(loss.value), "slope": fuse(loss.slope)}
    slots["second"] = fuse(loss.second or bind(loss_differences, slots))
    return compile_cached(bind(lose_rows, slots), (loss,), "losses")


@cache
def _link_of(loss):
    return compile_cached(bind(unlink_rows, {"mean": fuse(loss.mean)}), (loss,), "link")


def predict_rows(model, z, others, f):
    for k in range(f.shape[0]):
        for i in range(f.shape[1]):
            f[k, i] = value(model, z[k, i], others[k], 0)


def differentiate_rows(model, z, others, found):
    for i in range(z.size):
        found[i, 0] = slope(model, z[i], others, 0)
        pull(model, z[i], others, 0, 1.0, found[i, 1:])


def bend_rows(model, z, others, r, found):
    for i in range(z.size):
        second(model, z[i], others, 0, r[i], found[i])


def lose_rows(loss, f, y, found):
    for i in range(f.size):
        found[0, i] = value(loss, f[i], y[i])
        found[1, i] = slope(loss, f[i], y[i])
        found[2, i] = second(loss, f[i], y[i])


def unlink_rows(loss, f, found):
    for i in range(f.size):
        found[i] = mean(loss, f[i])


def loss_differences(loss, f, y):
    """Return the second derivative of a loss that has none of its own."""
    h = STEP * (abs(f) + abs(y))
    h = h if h > 0.0 else STEP
    return (slope(loss, f + h, y) - slope(loss, f - h, y)) / (2.0 * h)


def model_differences(model, z, others, p, r, H):
    """Add the second derivatives of a model that has none of its own."""
    h = STEP * (1.0 + abs(z))
    H[0, 0] += r * (slope(model, z + h, others, p) - slope(model, z - h, others, p)) / (2.0 * h)
    for j in range(p, others.size):
        t, k = others[j], 1 + j - p
        h = STEP * (1.0 + abs(t))
        others[j] = t + h
        up = slope(model, z, others, p)
        pull(model, z, others, p, 0.5 * r / h, H[k, 1:])
        others[j] = t - h
        down = slope(model, z, others, p)
        pull(model, z, others, p, -0.5 * r / h, H[k, 1:])
        others[j] = t
        H[k, 0] += 0.5 * r * (up - down) / h
        H[0, k] += 0.5 * r * (up - down) / h
