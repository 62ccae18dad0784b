"""Sums over the rows of a rowwise data term whose matrix lies column by column.

A chunk of rows is read from memory once, and from the cache for its gradient. The names below are
slots, as in `skgd.kernels.accumulate`.
"""

from skgd.kernels.blocks import read
from skgd.kernels.rows import CHUNK, scratch

project = spread = None
predict = model_derivative = add_parameter_gradient = value = slope = None


def accumulate_columns(block):
    """Do as `accumulate_full` does."""
    model, loss, data, theta, iterate, g, span, found = read(block)
    rows, y, weight, stride, p = data.rows, data.y, data.weight, data.stride, data.width
    scale, total, slope_sum, shift, shift_iterate = 1.0 / y.size, 0.0, 0.0, 0.0, 0.0
    centre, (start, stop), room, other = data.centre, span, scratch(), scratch()
    apart = iterate.size > 0
    for j in range(centre.size):
        shift -= centre[j] * theta[j]
        if apart:
            shift_iterate -= centre[j] * iterate[j]
    for begin in range(start, stop, CHUNK):
        z, z_iterate = room[: min(CHUNK, stop - begin)], other[: min(CHUNK, stop - begin)]
        project(rows, theta, begin, shift, z)
        if apart:
            project(rows, iterate, begin, shift_iterate, z_iterate)
        for k in range(z.size):
            i = begin + k
            f, s = predict(model, z[k], theta, p), weight[i * stride]
            r = scale * s * slope(loss, f, y[i])
            c = r * model_derivative(model, z[k], theta, p)
            add_parameter_gradient(model, z[k], theta, p, r, g)
            if apart:
                f = predict(model, z_iterate[k], iterate, p)
            total += s * value(loss, f, y[i])
            slope_sum += c
            z[k] = c
        spread(rows, z, begin, g)
    for j in range(centre.size):
        g[j] -= slope_sum * centre[j]
    found[0] = total / y.size
