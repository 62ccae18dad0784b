"""The forward and the backward pass of a fully connected network over some rows.

Parameters are flat: the weights of all layers, then their biases or shifts, then the scales of
normalised layers, then their statistics, which no gradient reaches. Layer l reads what layer
l - 1 has put out, as a matrix of one row for each row of data. The names below are slots, which
`network_slots` fills. Nothing here allocates.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from skgd.kernels.blocks import read
from skgd.kernels.compiling import Kernel, bind, fuse
from skgd.kernels.layers import layer_slots
from skgd.kernels.products import matrix, vector

activate = weigh_by_slope = slopes_of_loss = normalise = normalise_by_known = pass_back = None
gather = sparse_product = sparse_outer = product = outer = inner = None
forward = backward = pass_rows = None


class Layers(NamedTuple):
    """The L layers of a network, and where their numbers stand."""

    width: np.ndarray  # (L + 1,), of the rows and of each layer's output
    weights: np.ndarray  # (L,), where the weights of each layer begin in theta
    shift: np.ndarray  # (L,), where its biases or shifts do
    scale: np.ndarray  # (L,), where the scales of a normalised layer do, else -1
    statistics: np.ndarray  # (L,), where its means do, which its variances follow
    activation: np.ndarray  # (L,), the number of its activation
    room: np.ndarray  # (L + 1,), where the rows and outputs begin in the workspace


class Workspace(NamedTuple):
    """What a pass over some rows needs beside theta and the gradient."""

    outputs: np.ndarray  # of every layer
    sums: np.ndarray  # of every layer, that reach its activation; normalised in such layers
    errors: np.ndarray  # two layers' derivatives in their sums
    inverse: np.ndarray  # of the standard deviations of normalised sums, at their shifts' places
    means: np.ndarray  # (2 * widest,)
    ones: np.ndarray  # (widest,)
    turned: np.ndarray  # transposes of some rows of a layer's derivatives
    relative_weights: np.ndarray  # (rows,), of the rows at hand in their statistics


class NetworkData(NamedTuple):
    """The data of a network's term."""

    rows: tuple
    Y: np.ndarray  # (n, outputs), or (n, 1) with the number of the class
    weight: np.ndarray  # (n,), with mean one; (1,) where all rows have the same
    stride: int  # row i has the weight ``weight[i * stride]``
    layers: tuple  # Layers
    work: tuple  # Workspace
    first_shift: int  # where the biases and shifts of all layers begin in theta
    eps: float  # added to variances
    decay: float  # the share of the past in the statistics, from batch to batch
    tile: int  # rows that are passed at once


def pass_forward(activations, data, theta, order, start, m, decay):
    """Compute the outputs for the rows ``order[start:start + m]``; the last are the predictions.

    A decay below zero normalises by the statistics in theta.
    """
    layers, work = data.layers, data.work
    n_layers = layers.weights.size
    if gather is not None:
        gather(data.rows, order, start, matrix(work.outputs, 0, m, layers.width[0]))
    for layer in range(n_layers):
        k, n = layers.width[layer], layers.width[layer + 1]
        W = matrix(theta, layers.weights[layer], k, n)
        sums = matrix(work.sums, layers.room[layer + 1], m, n)
        outputs = matrix(work.outputs, layers.room[layer + 1], m, n)
        if layer == 0 and sparse_product is not None:
            sparse_product(data.rows, order, start, W, sums)
        else:
            product(matrix(work.outputs, layers.room[layer], m, k), W, sums)
        scale, shift = vector(work.ones, 0, n), vector(theta, layers.shift[layer], n)
        if normalise is not None and layers.scale[layer] >= 0:
            scale = vector(theta, layers.scale[layer], n)
            if decay < 0.0:
                normalise_by_known(data, theta, layer, sums)
            else:
                normalise(data, theta, layer, sums, decay)
        if activate is not None and layer < n_layers - 1:
            kind = layers.activation[layer]
            activate(activations, kind, sums, scale, shift, outputs)
        else:
            for i in range(m):
                for j in range(n):
                    outputs[i, j] = sums[i, j] + shift[j]


def pass_backward(activations, data, theta, g, order, start, m):
    """Add the gradient to g, from the slopes in the place of the predictions."""
    layers, work = data.layers, data.work
    n_layers, half = layers.weights.size, work.errors.size // 2
    for layer in range(n_layers - 1, -1, -1):
        k, n = layers.width[layer], layers.width[layer + 1]
        if layer == n_layers - 1:
            errors = matrix(work.outputs, layers.room[n_layers], m, n)
        else:
            errors = matrix(work.errors, layer % 2 * half, m, n)
        if pass_back is not None and layers.scale[layer] >= 0:
            pass_back(data, theta, g, layer, errors)
        else:
            own = vector(g, layers.shift[layer], n)
            for i in range(m):
                for j in range(n):
                    own[j] += errors[i, j]
        G = matrix(g, layers.weights[layer], k, n)
        inputs = matrix(work.outputs, layers.room[layer], m, k)
        if layer == 0 and sparse_outer is not None:
            sparse_outer(data.rows, order, start, errors, G)
        else:
            outer(inputs, errors, G)
        if weigh_by_slope is not None and layer > 0:
            before = matrix(work.errors, (layer - 1) % 2 * half, m, k)
            W = matrix(theta, layers.weights[layer], k, n)
            inner(errors, W, before, work.turned)
            sums = matrix(work.sums, layers.room[layer], m, k)
            scale, shift = vector(work.ones, 0, k), vector(theta, layers.shift[layer - 1], k)
            if pass_back is not None and layers.scale[layer - 1] >= 0:
                scale = vector(theta, layers.scale[layer - 1], k)
            kind = layers.activation[layer - 1]
            weigh_by_slope(activations, kind, sums, scale, shift, inputs, before)


def pass_over(parts, data, order, theta, g, span, decay):
    """Return the sum of the weighted losses of a span of rows; add their mean gradient to g.

    An empty g wants no gradient. Rows go tile by tile; a last row alone joins the tile before.
    """
    (activations, loss), (begin, stop) = parts, span
    work, layers, total, scale = data.work, data.layers, 0.0, 1.0 / (stop - begin)
    n_layers = layers.weights.size
    while begin < stop:
        m, whole = stop - begin, 0.0
        m = m if m <= data.tile + 1 else data.tile
        for r in range(m):
            whole += data.weight[order[begin + r] * data.stride]
        if whole > 0.0:
            for r in range(m):
                work.relative_weights[r] = data.weight[order[begin + r] * data.stride] / whole
            forward(activations, data, theta, order, begin, m, decay)
            n = layers.width[n_layers]
            outputs = matrix(work.outputs, layers.room[n_layers], m, n)
            for r in range(m):
                i = order[begin + r]
                s = data.weight[i * data.stride]
                total += s * slopes_of_loss(loss, outputs, data.Y, i, r, s * scale)
            if g.size > 0:
                backward(activations, data, theta, g, order, begin, m)
        begin += m
    return total


def sum_network(block):
    """Add the gradient of the mean loss at ``theta`` to ``g``, and find the loss at ``iterate``.

    An empty ``iterate`` is ``theta``.
    """
    parts, data, order, theta, iterate, g, none, decay, found = read(block)
    n = order.size
    for at, into in ((theta, g), (iterate, none)):
        if at.size > 0:
            found[0] = pass_rows(parts, data, order, at, into, (0, n), decay) / n


def predict_network(block):
    """Set F to the predictions for all rows, by the statistics in theta."""
    activations, data, order, theta, F = read(block)
    layers, last = data.layers, data.layers.weights.size
    for start in range(0, F.shape[0], data.tile):
        m = min(data.tile, F.shape[0] - start)
        forward(activations, data, theta, order, start, m, -1.0)
        outputs = matrix(data.work.outputs, layers.room[last], m, layers.width[last])
        for r in range(m):
            for j in range(outputs.shape[1]):
                F[start + r, j] = outputs[r, j]


def accumulate_network(parts, data, state, start, stop):
    """Add the gradient of some rows to ``state.g``; return their loss, as a share of the mean.

    The loss is that at ``state.theta``, as it moves.
    """
    known, span = (parts.model, parts.loss), (start, stop)
    total = pass_rows(known, data, state.order, state.theta, state.g, span, data.decay)
    return total / data.Y.shape[0], 0.0


def network_slots(activations, loss, rows, normalised):
    """Return the slots of a network, for the classes of its parts and of the storage of rows."""
    slots = layer_slots(activations, loss, rows, normalised)
    for name, function in (
        ("forward", pass_forward),
        ("backward", pass_backward),
        ("pass_rows", pass_over),
    ):
        slots[name] = fuse(bind(function, slots))
    return slots


@cache
def build_network(function, activations, loss, rows, normalised):
    """Return `sum_network` or `predict_network`, compiled for a network."""
    slots = network_slots(activations, loss, rows, normalised)
    classes = *activations, loss, rows
    mode = f"{function.__name__}-{normalised}"
    return Kernel(bind(function, slots), classes, mode)


class NetworkKernel(NamedTuple):
    """What a network's term contributes to a loop."""

    activations: tuple
    loss: type
    rows: type
    normalised: bool

    @property
    def classes(self):
        """The classes that compiled code is kept for."""
        return *self.activations, self.loss, self.rows

    @staticmethod
    def fuse(function):
        """Return a function, to be copied into the compiled code that calls it."""
        return fuse(function)

    def slots(self, variant, correct):
        """Return what the loop calls on smaller batches."""
        slots = network_slots(*self)
        return slots | {"accumulate": fuse(bind(accumulate_network, slots))}
