"""Variance reduction: smaller batches correct a mean gradient that is known from before.

The gradient of row i is ``c_i x_i`` in a linear model, so one number stores it. A batch B
estimates the gradient by ``mean over B of (c_i - slopes_i) x_i``, plus ``mean_gradient``, the mean
over all rows seen so far of ``slopes_i x_i``; at the minimum both vanish, and with them the noise.
The table is updated row by row (SAGA), or filled anew before every epoch (SVRG).

References
----------
Defazio, Bach and Lacoste-Julien, "SAGA: a fast incremental gradient method" (2014); Johnson and
Zhang, "Accelerating stochastic gradient descent using predictive variance reduction" (2013);
Xiao and Zhang, "A proximal stochastic gradient method with progressive variance reduction" (2014).
"""

import numpy as np

from skgd.kernels.problem import GradientTable
from skgd.kernels.rows import CHUNK
from skgd.kernels.sums import rmatvec

SAME = 1e-6  # relative difference of mean gradients that are one

dot = axpy = project = spread = predict = add_parameter_gradient = slope = None


def take_snapshot(parts, data, state):
    """Fill the table and the mean gradient from where the parameters are."""
    theta, slopes, g = state.theta, state.gradients.slopes, state.gradients.mean_gradient
    n, total, shift = data.y.size, 0.0, 0.0
    for j in range(theta.size):
        g[j] = 0.0
    for j in range(data.centre.size):
        shift -= data.centre[j] * theta[j]
    if project is not None:
        for begin in range(0, n, CHUNK):
            project(data.rows, theta, begin, shift, slopes[begin : begin + CHUNK])
    for i in range(n):
        z = slopes[i] if project is not None else dot(data.rows, theta, i) + shift
        f = predict(parts.model, z, theta, data.width)
        c = data.weight[i * data.stride] * slope(parts.loss, f, data.y[i])
        slopes[i] = c
        total += c / n
        if project is None:
            axpy(data.rows, c / n, i, g)
        add_parameter_gradient(parts.model, z, theta, data.width, c / n, g)
    if project is not None:
        for begin in range(0, n, CHUNK):
            spread(data.rows, slopes[begin : begin + CHUNK], begin, g)
        for j in range(data.width):
            g[j] /= n
    for j in range(data.centre.size):
        g[j] -= total * data.centre[j]
    state.gradients.n_seen[0] = n


def saga_correction(gradients, r, scale, i):
    """Return the slope of row i minus the stored one, over the batch size; update the table."""
    current, stored = r / scale, gradients.slopes[i]
    if stored != stored:  # NaN: not seen yet
        stored = 0.0
        gradients.n_seen[0] += 1.0
    gradients.slopes[i] = current
    return scale * (current - stored)


def svrg_correction(gradients, r, scale, i):
    """Return the slope of row i minus that of the snapshot, over the batch size."""
    return scale * (r / scale - gradients.slopes[i])


def add_and_update_mean_gradient(gradients, g, share):
    """Add the mean gradient to a batch's changes, and these, a share of all rows', to it."""
    raised = gradients.slopes.size / gradients.n_seen[0]
    for j in range(g.size):
        change = g[j]
        g[j] = change + raised * gradients.mean_gradient[j]
        gradients.mean_gradient[j] += share * change


def add_mean_gradient(gradients, g, share):
    """Add the mean gradient of the snapshot to a batch's changes."""
    for j in range(g.size):
        g[j] += gradients.mean_gradient[j]


CORRECTIONS = {  # of the variants of the loop: snapshot, correction of a row, mean gradient
    "none": (None, None, None),
    "saga": (None, saga_correction, add_and_update_mean_gradient),
    "svrg": (take_snapshot, svrg_correction, add_mean_gradient),
}


def correction_of(optimizer, full):
    """Return the name of the correction that a rule asks for."""
    if full or not optimizer.variance_reduced:
        return "none"
    return "svrg" if optimizer.snapshots else "saga"


def new_gradient_table(optimizer, objective, full, before=()):
    """Return the table of a rule, or () for none: the one before where it is true of the rows."""
    n, p, d = objective.n, objective.p, objective.d
    if correction_of(optimizer, full) == "none":
        return ()
    if not objective.term.linear:
        raise ValueError(f"{type(optimizer).__name__} needs a linear model.")
    if before and before.slopes.size == n:
        slopes = np.nan_to_num(before.slopes)
        mean = slopes.mean()
        g = np.append(rmatvec(objective.X, slopes / n), np.full(d - p, mean))
        g[:p] -= 0.0 if objective.centre is None else mean * objective.centre
        if np.abs(g - before.mean_gradient).max() <= SAME * np.abs(g).max():
            return before
    return GradientTable(np.full(n, np.nan), np.zeros(d), np.zeros(1))
