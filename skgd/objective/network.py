"""The data term of fully connected networks, whose batches are products of matrices."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from skgd.kernels.compiling import compiled_code
from skgd.kernels.layers import PIECE
from skgd.kernels.network import (
    Layers,
    NetworkData,
    NetworkKernel,
    Workspace,
    build_network,
    predict_network,
    sum_network,
)
from skgd.kernels.rows import row_weights, rows_of
from skgd.objective.data_term import DataTerm

TILE = 256  # rows that are passed at once where no statistics ask for more


class Shape(NamedTuple):
    """The layers of a network.

    Attributes
    ----------
    widths : tuple of int
        Columns of X, units of each hidden layer, and outputs.
    activations : tuple of Activation
        One for each hidden layer.
    normalised : tuple of bool
        Which hidden layers are normalised before their activation.
    """

    widths: tuple
    activations: tuple
    normalised: tuple

    @property
    def sizes(self):
        """The weights of each layer, as rows and columns."""
        return [*zip(self.widths[:-1], self.widths[1:])]

    @property
    def n_weights(self):
        """The number of weights, which come first."""
        return sum(k * n for k, n in self.sizes)

    @property
    def normalised_widths(self):
        """The units of each layer that is normalised."""
        return [n for n, flag in zip(self.widths[1:], self.normalised) if flag]

    @property
    def n_statistics(self):
        """The number of means and variances, which come last."""
        return 2 * sum(self.normalised_widths)

    @property
    def n_parameters(self):
        """The length of theta."""
        scales = sum(self.normalised_widths)
        return self.n_weights + sum(self.widths[1:]) + scales + self.n_statistics

    def split(self, theta):
        """Return views of theta: weights, shifts, scales, means and variances, layer by layer."""
        places, start = [], 0

        def take(size):
            nonlocal start
            start += size
            return theta[start - size : start]

        weights = [take(k * n).reshape(k, n) for k, n in self.sizes]
        shifts = [take(n) for n in self.widths[1:]]
        scales = [take(n) for n in self.normalised_widths]
        for n in self.normalised_widths:
            places.append((take(n), take(n)))
        means, variances = [m for m, _ in places], [v for _, v in places]
        return weights, shifts, scales, means, variances

    def layers(self, tile):
        """Return the `Layers`, for passes of so many rows."""
        n_layers, widths = len(self.widths) - 1, np.array(self.widths)
        flags = np.array([*self.normalised, False], dtype=bool)
        own = np.where(flags, widths[1:], 0)
        weights = np.cumsum([0, *(k * n for k, n in self.sizes)])
        shifts = weights[-1] + np.cumsum([0, *widths[1:]])
        scales = shifts[-1] + np.cumsum([0, *own])
        statistics = scales[-1] + np.cumsum([0, *(2 * own)])
        kinds = [*self.numbers, 0]
        return Layers(
            width=widths.astype(np.int64),
            weights=weights[:n_layers].astype(np.int64),
            shift=shifts[:n_layers].astype(np.int64),
            scale=np.where(flags, scales[:n_layers], -1).astype(np.int64),
            statistics=statistics[:n_layers].astype(np.int64),
            activation=np.array(kinds, dtype=np.int64),
            room=(tile * np.cumsum([0, *widths[:-1]])).astype(np.int64),
        )

    @property
    def parts(self):
        """The activations that differ."""
        return tuple(dict.fromkeys(self.activations))

    @property
    def numbers(self):
        """The number of each hidden layer's activation among those that differ."""
        return [self.parts.index(activation) for activation in self.activations]


class Normalisation(NamedTuple):
    """How layers are normalised.

    Attributes
    ----------
    batch : int or None
        The rows that are normalised together; None for all, and then the statistics in theta are
        those of all rows.
    decay : float
        The share of the past in the statistics, from batch to batch.
    eps : float
        Added to variances.
    """

    batch: int | None = None
    decay: float = 0.9
    eps: float = 1e-5


NORMALISATION = Normalisation()


class NetworkTerm(DataTerm):
    """The mean loss of a network in training mode: normalised by the statistics of each batch.

    Theta holds the weights of all layers, then biases and shifts, then scales, then the means and
    variances by which predictions are normalised. No gradient reaches these: they follow those of
    the batches.

    Parameters
    ----------
    X : ndarray of shape (n, p), in C order, or csr_matrix
        float32 or float64, which theta has, too.
    Y : ndarray of shape (n, outputs), float64
        With a joint loss of shape (n, 1): the number of the class.
    weight : ndarray of shape (n,), float64
        Of mean one.
    shape : Shape
    loss : Loss
        Summed over the outputs, or joint.
    normalisation : Normalisation
    units : ndarray of shape (d,) or None
        As in `DataTerm`.
    """

    def __init__(self, X, Y, weight, shape, loss, normalisation=NORMALISATION, units=None):
        self.X, self.Y, self.weight, self.shape, self.loss = X, Y, weight, shape, loss
        self.normalisation, self.batch = normalisation, normalisation.batch
        self.n_samples, self.n_parameters = X.shape[0], shape.n_parameters
        self.penalized = np.arange(self.n_parameters) < shape.n_weights
        self.parts = shape.parts, loss
        self.dtype, self.units = X.dtype, units
        self.is_normalised = bool(shape.n_statistics)
        self.fewest = 2 if self.is_normalised else 1

    @property
    def groups(self):
        found, start, first = np.full(self.n_parameters, -1), 0, 0
        for k, n in self.shape.sizes:
            found[start : start + k * n] = first + np.tile(np.arange(n), k)
            start, first = start + k * n, first + n
        return found

    @cached_property
    def data(self):
        """What compiled code reads."""
        n = self.n_samples
        batch = min(self.batch or n, n)
        tile = batch if self.is_normalised else min(TILE, batch)
        return self._data(rows_of(self.X), self.Y, row_weights(self.weight), tile)

    def _data(self, rows, Y, weights, tile):
        widths, shape = self.shape.widths, self.shape
        room, widest = tile + 1, max(widths)
        first = shape.n_weights
        turned = PIECE * max(k + n for k, n in shape.sizes)
        work = Workspace(
            outputs=np.zeros(room * sum(widths), self.dtype),
            sums=np.zeros(room * sum(widths), self.dtype),
            errors=np.zeros(2 * room * widest, self.dtype),
            inverse=np.zeros(sum(widths[1:]), self.dtype),
            means=np.zeros(2 * widest),
            ones=np.ones(widest, self.dtype),
            turned=np.zeros(turned, self.dtype),
            relative_weights=np.zeros(room),
        )
        layers = shape.layers(room)
        eps, decay = float(self.normalisation.eps), float(self.normalisation.decay)
        return NetworkData(rows, Y, *weights, layers, work, first, eps, decay, tile)

    @cached_property
    def kernel(self):
        """What compiled code is made of."""
        classes = tuple(type(part) for part in self.shape.parts)
        return NetworkKernel(classes, type(self.loss), type(self.data.rows), self.is_normalised)

    def sums(self, theta, iterate, g):
        order = np.arange(self.n_samples, dtype=np.int32)
        decay = 1.0 if self.batch else 0.0
        return self._sums(theta, iterate, g, order, decay)

    def _sums(self, theta, iterate, g, order, decay):
        """Return what adds up some rows, and where it writes their mean loss."""
        found, none = np.zeros(1), np.zeros(0, self.dtype)
        other = none if iterate is theta else iterate
        run = build_network(sum_network, *self.kernel)
        arguments = self.parts, self.data, order, theta, other, g, none, decay, found
        return run(*arguments), found

    def accumulate(self, theta, rows, g, buffers):
        theta, order = theta.astype(self.dtype), np.asarray(rows, dtype=np.int32)
        total = np.zeros(g.size, self.dtype)
        with compiled_code():
            task, found = self._sums(theta, theta, total, order, 1.0)
            task()
        g += total
        return float(found[0])

    def value_and_gradient(self, theta):
        """Return the mean loss, and its gradient."""
        g = np.zeros(self.n_parameters)
        return self.accumulate(theta, np.arange(self.n_samples), g, {}), g

    def prediction_loss(self, theta):
        """Return the mean loss of predictions, which the statistics in theta normalise."""
        order, theta = np.arange(self.n_samples, dtype=np.int32), theta.astype(self.dtype)
        none = np.zeros(0, self.dtype)
        with compiled_code():
            task, found = self._sums(theta, theta, none, order, -1.0)
            task()
        return float(found[0])

    def recalibrated(self, theta):
        """Return theta with the statistics of all rows."""
        all_rows = self.normalisation._replace(batch=None)
        whole = NetworkTerm(self.X, self.Y, self.weight, self.shape, self.loss, all_rows)
        theta, none = theta.astype(self.dtype), np.zeros(0, self.dtype)
        with compiled_code():
            task, _ = whole.sums(theta, theta, none)
            task()
        return theta

    def predict(self, theta):
        return self.predictions(theta, self.X)

    def predictions(self, theta, X):
        """Return f for rows, of shape (n, outputs), by the statistics in theta."""
        return self._passed(theta, X, min(TILE, X.shape[0]))[0]

    def layer_inputs(self, theta, X):
        """Return what reaches the activations of each hidden layer, by the statistics in theta."""
        _, data = self._passed(theta, X, X.shape[0])
        _, shifts, scales, *_ = self.shape.split(theta)
        factors, found = iter(scales), []
        for layer, normalised in enumerate(self.shape.normalised):
            start, n = data.layers.room[layer + 1], self.shape.widths[layer + 1]
            sums = data.work.sums[start : start + X.shape[0] * n].reshape(-1, n)
            found.append((next(factors) if normalised else 1.0) * sums + shifts[layer])
        return found

    def _passed(self, theta, X, tile):
        """Pass rows forward; return f for them, and the data with the sums of the last tile."""
        theta, X = theta.astype(self.dtype), X.astype(self.dtype, copy=False)
        data = self._data(rows_of(X), np.zeros((0, 1)), (np.ones(1), 0), tile)
        n = X.shape[0]
        F = np.empty((n, self.shape.widths[-1]))
        with compiled_code():
            classes = self.kernel._replace(rows=type(data.rows))
            run = build_network(predict_network, *classes)
            run(self.parts[0], data, np.arange(n, dtype=np.int32), theta, F)()
        return F, data

    def settings(self):
        shape = self.shape.widths, tuple(map(bool, self.shape.normalised))
        parts = (f"{type(part).__module__}.{part!r}" for part in (*self.parts[0], self.loss))
        return *parts, str(shape), str(self.dtype), False
