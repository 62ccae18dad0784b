"""Variance reduction: smaller batches correct a mean gradient that is known from before.

The gradient of row i is ``c_i x_i`` in a linear model, so that one number remembers it. A batch B
estimates the gradient by ``mean over B of (c_i - table_i) x_i``, plus ``drift``, the mean over all
rows seen so far of ``table_i x_i``; at the minimum both vanish, and with them the noise. The table
is kept up to date row by row (SAGA), or filled anew before every epoch (SVRG).

References
----------
Defazio, Bach and Lacoste-Julien, "SAGA: a fast incremental gradient method" (2014); Johnson and
Zhang, "Accelerating stochastic gradient descent using predictive variance reduction" (2013);
Xiao and Zhang, "A proximal stochastic gradient method with progressive variance reduction" (2014).
"""

import numpy as np

from skgd.kernels.problem import GradientTable
from skgd.kernels.sums import rmatvec

SAME = 1e-6  # relative difference of drifts that are one

SNAPSHOTS = False
dot = axpy = predict = add_parameter_gradient = slope = None  # filled in by `build`


def take_snapshot(parts, data, gradients, theta):
    """For rules with an anchor, fill the table and the drift from where the parameters are."""
    rows, y, weight, p = data.rows, data.y, data.weight, data.width
    gradient_table, mean_gradient, shift, total = (
        gradients.gradient_table,
        gradients.mean_gradient,
        0.0,
        0.0,
    )
    if SNAPSHOTS:
        for j in range(theta.size):
            mean_gradient[j] = 0.0
        for j in range(data.centre.size):
            shift -= data.centre[j] * theta[j]
        for i in range(y.size):
            z = dot(rows, theta, i) + shift
            c = weight[i] * slope(parts.loss, predict(parts.model, z, theta, p), y[i])
            gradient_table[i] = c
            total += c / y.size
            axpy(rows, c / y.size, i, mean_gradient)
            add_parameter_gradient(parts.model, z, theta, p, c / y.size, mean_gradient)
        for j in range(data.centre.size):
            mean_gradient[j] -= total * data.centre[j]
        gradients.seen[0] = y.size


def gradient_correction(gradients, r, scale, i):
    """Return by how much the pull of a row, a share of its batch's, has changed."""
    fresh, before = r / scale, gradients.gradient_table[i]
    if before != before:  # NaN: not seen yet
        before = 0.0
        gradients.seen[0] += 1.0
    if not SNAPSHOTS:
        gradients.gradient_table[i] = fresh
    return scale * (fresh - before)


def add_mean_gradient(gradients, g, share):
    """Add the drift to a batch's changes, which are a share of all rows'."""
    raised = gradients.gradient_table.size / gradients.seen[0]
    for j in range(g.size):
        change = g[j]
        g[j] = change + raised * gradients.mean_gradient[j]
        if not SNAPSHOTS:
            gradients.mean_gradient[j] += share * change


def new_gradient_table(optimizer, objective, full, before=()):
    """Return the memory of a rule, or () for none: as before where that is true of the rows."""
    n, p, d = objective.n, objective.p, objective.d
    if full or not optimizer.variance_reduced:
        return ()
    if not objective.model.linear:
        raise ValueError(f"{type(optimizer).__name__} needs a linear model.")
    if before and before.gradient_table.size == n:
        gradient_table = np.nan_to_num(before.gradient_table)
        mean = gradient_table.mean()
        mean_gradient = np.append(rmatvec(objective.X, gradient_table / n), np.full(d - p, mean))
        mean_gradient[:p] -= 0.0 if objective.centre is None else mean * objective.centre
        if (
            np.abs(mean_gradient - before.mean_gradient).max()
            <= SAME * np.abs(mean_gradient).max()
        ):
            return before
    return GradientTable(np.full(n, np.nan), np.zeros(d), np.zeros(1))


VARIANCE_REDUCED_VERBS = (take_snapshot, gradient_correction, add_mean_gradient)
