"""What a layer of a network does with a matrix of rows: products, activation, normalisation.

The names below are slots, which `layer_slots` fills for the classes of the activations, the loss
and the storage of rows. Nothing here allocates.
"""

import math

from skgd.kernels.compiling import bind, fuse
from skgd.kernels.products import add_outer, add_product, matrix, transpose, vector
from skgd.kernels.rows import DenseRows

PIECE = 48  # rows whose transposes stay in the first caches, whole vectors of both sizes

value = slope = K = rest = None  # of an activation and its number, and what others do
loss_value = loss_slope = None


def apply_activation(activations, kind, sums, scale, shift, outputs):
    """Set outputs to the activation of ``scale * sums + shift``."""
    if kind == K:
        for i in range(sums.shape[0]):
            for j in range(sums.shape[1]):
                outputs[i, j] = value(activations[K], scale[j] * sums[i, j] + shift[j])
    elif rest is not None:
        rest(activations, kind, sums, scale, shift, outputs)


def apply_slope(activations, kind, sums, scale, shift, outputs, errors):
    """Multiply errors by the slope of the activation."""
    if kind == K:
        for i in range(sums.shape[0]):
            for j in range(sums.shape[1]):
                u = scale[j] * sums[i, j] + shift[j]
                errors[i, j] *= slope(activations[K], u, outputs[i, j])
    elif rest is not None:
        rest(activations, kind, sums, scale, shift, outputs, errors)


def normalise_sums(data, theta, layer, sums, decay):
    """Normalise sums by the statistics of these rows, which enter those in theta."""
    layers, work = data.layers, data.work
    m, n = sums.shape
    place = layers.statistics[layer]
    mean, variance = vector(work.means, 0, n), vector(work.means, n, n)
    known = vector(theta, place, 2 * n)
    inverse = vector(work.inverse, layers.shift[layer] - data.first_shift, n)
    for j in range(n):
        mean[j] = 0.0
        variance[j] = 0.0
    for i in range(m):
        weight = work.relative_weights[i]
        for j in range(n):
            mean[j] += weight * sums[i, j]
    for i in range(m):
        weight = work.relative_weights[i]
        for j in range(n):
            z = sums[i, j] - mean[j]
            sums[i, j] = z
            variance[j] += weight * z * z
    for j in range(n):
        inverse[j] = 1.0 / math.sqrt(variance[j] + data.eps)
        known[j] = decay * known[j] + (1.0 - decay) * mean[j]
        known[n + j] = decay * known[n + j] + (1.0 - decay) * variance[j]
    for i in range(m):
        for j in range(n):
            sums[i, j] *= inverse[j]


def normalise_by_known(data, theta, layer, sums):
    """Normalise sums by the statistics in theta."""
    m, n = sums.shape
    known = vector(theta, data.layers.statistics[layer], 2 * n)
    inverse = vector(data.work.means, 0, n)
    for j in range(n):
        inverse[j] = 1.0 / math.sqrt(known[n + j] + data.eps)
    for i in range(m):
        for j in range(n):
            sums[i, j] = (sums[i, j] - known[j]) * inverse[j]


def pass_normalised(data, theta, g, layer, errors):
    """Turn derivatives in scaled and shifted sums into those in the sums before normalisation."""
    layers, work = data.layers, data.work
    m, n = errors.shape
    sums = matrix(work.sums, layers.room[layer + 1], m, n)
    inverse = vector(work.inverse, layers.shift[layer] - data.first_shift, n)
    scale = vector(theta, layers.scale[layer], n)
    to_shift, to_scale = vector(work.means, 0, n), vector(work.means, n, n)
    g_shift, g_scale = vector(g, layers.shift[layer], n), vector(g, layers.scale[layer], n)
    for j in range(n):
        to_shift[j] = 0.0
        to_scale[j] = 0.0
    for i in range(m):
        for j in range(n):
            to_shift[j] += errors[i, j]
            to_scale[j] += errors[i, j] * sums[i, j]
    for j in range(n):
        g_shift[j] += to_shift[j]
        g_scale[j] += to_scale[j]
    for i in range(m):
        weight = work.relative_weights[i]
        for j in range(n):
            through = weight * (to_shift[j] + sums[i, j] * to_scale[j])
            errors[i, j] = scale[j] * inverse[j] * (errors[i, j] - through)


def slopes_apart(loss, outputs, Y, i, r, scale):
    """Return the sum of the losses of a row's outputs; put their scaled slopes in their place."""
    total = 0.0
    for j in range(outputs.shape[1]):
        f, y = outputs[r, j], Y[i, j]
        total += loss_value(loss, f, y)
        outputs[r, j] = scale * loss_slope(loss, f, y)
    return total


def gather_rows(rows, order, start, inputs):
    """Copy rows in their order."""
    for r in range(inputs.shape[0]):
        i = order[start + r]
        for j in range(inputs.shape[1]):
            inputs[r, j] = rows.X[i, j]


def multiply_sparse(rows, order, start, W, sums):
    """Set sums to the products of sparse rows with the weights of the first layer."""
    for r in range(sums.shape[0]):
        for c in range(sums.shape[1]):
            sums[r, c] = 0.0
        for k in range(rows.indptr[order[start + r]], rows.indptr[order[start + r] + 1]):
            x, j = rows.data[k], rows.indices[k, 0]
            for c in range(sums.shape[1]):
                sums[r, c] += x * W[j, c]


def multiply_sparse_outer(rows, order, start, errors, G):
    """Add to G the gradient in the weights of the first layer, from sparse rows."""
    for r in range(errors.shape[0]):
        for k in range(rows.indptr[order[start + r]], rows.indptr[order[start + r] + 1]):
            x, j = rows.data[k], rows.indices[k, 0]
            for c in range(errors.shape[1]):
                G[j, c] += x * errors[r, c]


def multiply(A, W, sums):
    """Set sums to ``A W``."""
    m, (k, n) = A.shape[0], W.shape
    if n > 1:
        add_product(A, W, sums, 0.0)
    else:
        for i in range(m):
            z = 0.0
            for q in range(k):
                z += A[i, q] * W[q, 0]
            sums[i, 0] = z


def multiply_outer(A, D, G):
    """Add ``A^T D`` to G."""
    m, (k, n) = A.shape[0], G.shape
    if m == 1:
        for q in range(k):
            for j in range(n):
                G[q, j] += A[0, q] * D[0, j]
    elif n == 1:
        for i in range(m):
            for q in range(k):
                G[q, 0] += D[i, 0] * A[i, q]
    else:
        add_outer(A, D, G)


def multiply_inner(D, W, E, room):
    """Set E to ``D W^T``, by the transposes of a few rows of D and E."""
    m, (k, n) = D.shape[0], W.shape
    if n == 1 or m == 1:
        for i in range(m):
            for q in range(k):
                z = 0.0
                for j in range(n):
                    z += D[i, j] * W[q, j]
                E[i, q] = z
    else:
        for start in range(0, m, PIECE):
            size = min(PIECE, m - start)
            transposed, result = matrix(room, 0, n, size), matrix(room, n * size, k, size)
            transpose(matrix(D, start * n, size, n), transposed)
            add_product(W, transposed, result, 0.0)
            transpose(result, matrix(E, start * k, size, k))


def layer_slots(activations, loss, rows, normalised):
    """Return the slots that the layers of a network fill.

    Parameters
    ----------
    activations : tuple of type
        In the order of their numbers.
    loss, rows : type
    normalised : bool
        Whether any layer is.
    """
    slots = {
        "product": fuse(multiply),
        "outer": fuse(multiply_outer),
        "inner": fuse(multiply_inner),
        "normalise_by_known": fuse(normalise_by_known) if normalised else None,
        "normalise": fuse(normalise_sums) if normalised else None,
        "pass_back": fuse(pass_normalised) if normalised else None,
    }
    for name, method, function in (
        ("activate", "value", apply_activation),
        ("weigh_by_slope", "slope", apply_slope),
    ):
        slots[name] = None
        for k in reversed(range(len(activations))):
            own = {method: fuse(getattr(activations[k], method)), "K": k, "rest": slots[name]}
            slots[name] = fuse(bind(function, own))
    if loss.joint:
        slots["slopes_of_loss"] = fuse(loss.slopes)
    else:
        own = {"loss_value": fuse(loss.value), "loss_slope": fuse(loss.slope)}
        slots["slopes_of_loss"] = fuse(bind(slopes_apart, own))
    dense = rows is DenseRows
    slots["gather"] = fuse(gather_rows) if dense else None
    slots["sparse_product"] = None if dense else fuse(multiply_sparse)
    slots["sparse_outer"] = None if dense else fuse(multiply_sparse_outer)
    return slots
