"""The surfaces of the page that are no model of the package, and sums over rows.

Written in the language of `skgd.displays.page.translate`: the page runs their translations.
"""

import math
from collections import namedtuple

Rows = namedtuple("Rows", ("model", "loss", "X", "y", "order", "p", "normalized"))

EPSILON = 1e-5  # of batch normalisation, as in torch


def quadratic_value(x, y, k):
    return 0.5 * (x * x + k * y * y)


def quadratic_gradient(x, y, k):
    return x, k * y


def rosenbrock_value(x, y, k):
    return 0.5 * ((1.0 - x) * (1.0 - x) + k * (y - x * x) * (y - x * x))


def rosenbrock_gradient(x, y, k):
    return x - 1.0 - 2.0 * k * x * (y - x * x), k * (y - x * x)


def saddle_value(x, y, k):
    return 0.5 * (x * x - y * y) + 0.25 * (y * y * y * y / k + k)


def saddle_gradient(x, y, k):
    return x, y * y * y / k - y


def waves_value(x, y, k):
    return 0.05 * x * x + 1.0 - math.cos(k * x)


def waves_gradient(x, y, k):
    return 0.1 * x + k * math.sin(k * x), 0.0


def mean_loss(rows, theta):
    """Return the mean loss of all rows."""
    total = 0.0
    for i in range(rows.y.size):
        z = 0.0
        for j in range(rows.p):
            z += rows.X[i, j] * theta[j]
        total += rows.loss.value(rows.model.value(z, theta, rows.p), rows.y[i])
    return total / rows.y.size


def add_mean_gradient(rows, start, stop, theta, g):
    """Add the mean gradient of the rows ``order[start:stop]``."""
    for k in range(start, stop):
        i = rows.order[k]
        z = 0.0
        for j in range(rows.p):
            z += rows.X[i, j] * theta[j]
        r = rows.loss.slope(rows.model.value(z, theta, rows.p), rows.y[i]) / (stop - start)
        slope = r * rows.model.slope(z, theta, rows.p)
        for j in range(rows.p):
            g[j] += slope * rows.X[i, j]
        rows.model.add_parameter_gradient(z, theta, rows.p, r, g)


def centre_and_spread(rows, start, stop):
    """Return the mean and the variance of the only feature over a batch."""
    n, centre, spread = stop - start, 0.0, 0.0
    for k in range(start, stop):
        centre += rows.X[rows.order[k], 0] / n
    for k in range(start, stop):
        deviation = rows.X[rows.order[k], 0] - centre
        spread += deviation * deviation / n
    return centre, spread


def hidden(rows, x, w, centre, spread):
    """Return the input of the hidden unit, and its derivative in the weight ``w``.

    Batch normalisation of ``w x`` divides by a root that depends on the weight too.
    """
    if not rows.normalized:
        return w * x, x
    root = math.sqrt(w * w * spread + EPSILON)
    return w * (x - centre) / root, (x - centre) * EPSILON / (root * root * root)


def network_value(rows, theta):
    """Return the mean of half the squared errors of ``v tanh(w x)``, for theta = (w, v)."""
    total = 0.0
    centre, spread = centre_and_spread(rows, 0, rows.y.size)
    for i in range(rows.y.size):
        u, _ = hidden(rows, rows.X[i, 0], theta[0], centre, spread)
        r = theta[1] * math.tanh(u) - rows.y[i]
        total += 0.5 * r * r
    return total / rows.y.size


def add_network_gradient(rows, start, stop, theta, g):
    """Add the mean gradient of a batch, whose mean and variance normalise it."""
    centre, spread = centre_and_spread(rows, start, stop)
    for k in range(start, stop):
        i = rows.order[k]
        u, du = hidden(rows, rows.X[i, 0], theta[0], centre, spread)
        h = math.tanh(u)
        r = (theta[1] * h - rows.y[i]) / (stop - start)
        g[0] += r * theta[1] * (1.0 - h * h) * du
        g[1] += r * h


def convergence_factor(h, beta, look_ahead):
    """Return by what factor a step shrinks the error on a quadratic, in the long run.

    Parameters
    ----------
    h : float
        The rate times the curvature.
    beta : float
        The momentum of the velocity form; 0 for gradient descent.
    look_ahead : bool
        Whether the gradient is that of Nesterov's momentum.

    Returns
    -------
    float
        The larger absolute value of the roots of ``z^2 - (1 + beta - h') z + beta'``, where
        ``h' = h, beta' = beta``, and with look-ahead ``h' = (1 + beta) h, beta' = beta (1 - h)``.
    """
    trace = (1.0 + beta) * (1.0 - h) if look_ahead else 1.0 + beta - h
    det = beta * (1.0 - h) if look_ahead else beta
    inside = trace * trace - 4.0 * det
    if inside < 0.0:
        return math.sqrt(det)
    return 0.5 * (abs(trace) + math.sqrt(inside))
