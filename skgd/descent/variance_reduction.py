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

from skgd.kernels.problem import Reduced
from skgd.kernels.sums import rmatvec

SAME = 1e-6  # relative difference of drifts that are one

ANCHORS = False
project = spread = predict = pull = slope = None  # filled in by `build`


def anchor(parts, data, reduced, theta):
    """For rules with an anchor, fill the table and the drift from where the parameters are."""
    rows, y, weight, p = data.rows, data.y, data.weight, data.width
    table, drift, shift, total = reduced.table, reduced.drift, 0.0, 0.0
    if ANCHORS:
        for j in range(theta.size):
            drift[j] = 0.0
        for j in range(data.centre.size):
            shift -= data.centre[j] * theta[j]
        for i in range(y.size):
            z = project(rows, theta, i) + shift
            c = weight[i] * slope(parts.loss, predict(parts.model, z, theta, p), y[i])
            table[i] = c
            total += c / y.size
            spread(rows, c / y.size, i, drift)
            pull(parts.model, z, theta, p, c / y.size, drift)
        for j in range(data.centre.size):
            drift[j] -= total * data.centre[j]
        reduced.seen[0] = y.size


def differ(reduced, r, scale, i):
    """Return by how much the pull of a row, a share of its batch's, has changed."""
    fresh, before = r / scale, reduced.table[i]
    if before != before:  # NaN: not seen yet
        before = 0.0
        reduced.seen[0] += 1.0
    if not ANCHORS:
        reduced.table[i] = fresh
    return scale * (fresh - before)


def lean(reduced, g, share):
    """Add the drift to a batch's changes, which are a share of all rows'."""
    raised = reduced.table.size / reduced.seen[0]
    for j in range(g.size):
        change = g[j]
        g[j] = change + raised * reduced.drift[j]
        if not ANCHORS:
            reduced.drift[j] += share * change


def remembered(optimizer, objective, full, before=()):
    """Return the memory of a rule, or () for none: as before where that is true of the rows."""
    n, p, d = objective.n, objective.p, objective.d
    if full or not optimizer.reduces:
        return ()
    if not objective.model.linear:
        raise ValueError(f"{type(optimizer).__name__} needs a linear model.")
    if before and before.table.size == n:
        table = np.nan_to_num(before.table)
        mean = table.mean()
        drift = np.append(rmatvec(objective.X, table / n), np.full(d - p, mean))
        drift[:p] -= 0.0 if objective.centre is None else mean * objective.centre
        if np.abs(drift - before.drift).max() <= SAME * np.abs(drift).max():
            return before
    return Reduced(np.full(n, np.nan), np.zeros(d), np.zeros(1))


REDUCING_VERBS = (anchor, differ, lean)
