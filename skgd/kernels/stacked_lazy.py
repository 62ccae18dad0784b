"""Sweeps of plain descent over sparse rows, of which a step moves the weights that its rows have.

The names below are slots, which `skgd.kernels.stacked` fills. Nothing here allocates.
"""

from typing import NamedTuple

import numpy as np

from skgd.kernels.blocks import read
from skgd.kernels.rows import scratch
from skgd.kernels.stacked_step import L1, L2, RATE, SLOPE

LOWEST = 1e-4  # scale of lazy weights, below which all are brought up to date

project = spread = load_tile = set_slopes = apply_pending = place_of = None


class Lazy(NamedTuple):
    """The lazy step's account of C candidates, as in `skgd.descent.lazy`."""

    scale: np.ndarray  # (C,)
    threshold: np.ndarray  # (C,)
    applied: np.ndarray  # (p, C)
    slopes: np.ndarray  # (batch, C)


def threshold_pending(theta, lazy, j, width):
    """Threshold the scaled weights of one column by what they have missed."""
    for c in range(width):
        v, t = theta[j, c], lazy.threshold[c] - lazy.applied[j, c]
        clipped = v if v < t else t
        clipped = clipped if clipped > -t else -t
        theta[j, c] = v - clipped
        lazy.applied[j, c] = lazy.threshold[c]


def sweep_lazy(block):
    """Take steps of plain descent on sparse rows, which move only the weights that rows have."""
    loss, problem, stack, chunk, lazy, batch = read(block)
    rows, theta, room, width = chunk.rows, stack.theta, scratch(), stack.theta.shape[1]
    m, p, d = chunk.order.size, problem.weights, theta.shape[0]
    load_tile(stack, room, 0, width)
    sparse = False
    for c in range(width):
        sparse = sparse or room[L1 + c] > 0.0
    for start in range(0, m, batch):
        stop, multiplier = start + batch, chunk.multipliers[start // batch]
        stop = stop if stop < m else m
        for k in range(start, stop if sparse else start):
            i = place_of(chunk, k)
            for place in range(rows.indptr[i], rows.indptr[i + 1]):
                apply_pending(theta, lazy, rows.indices[place, 0], width)
        for k in range(start, stop):
            i = place_of(chunk, k)
            for c in range(width):
                room[SLOPE + c] = 0.0
            project(rows, i, 0, theta, room, width)
            for c in range(width):
                room[SLOPE + c] *= lazy.scale[c]
                room[SLOPE + c] += theta[p, c] if d > p else 0.0
            set_slopes(loss, stack, chunk, i, room, 1.0 / (stop - start))
            for c in range(width):
                lazy.slopes[k - start, c] = room[SLOPE + c]
        lowest = 1.0
        for c in range(width):
            rate = stack.rates[c] * multiplier
            lazy.scale[c] *= 1.0 - rate * room[L2 + c]
            lazy.threshold[c] += rate * room[L1 + c] / lazy.scale[c]
            room[RATE + c] = rate
            lowest = lazy.scale[c] if lazy.scale[c] < lowest else lowest
        for k in range(start, stop):
            for c in range(width):
                r = room[RATE + c] * lazy.slopes[k - start, c]
                room[SLOPE + c] = -r / lazy.scale[c]
                if d > p:
                    theta[p, c] -= r
            spread(rows, place_of(chunk, k), room, theta, width)
        if stop == m or not lowest > LOWEST:
            for j in range(p):
                if sparse:
                    apply_pending(theta, lazy, j, width)
                for c in range(width):
                    theta[j, c] *= lazy.scale[c]
                    lazy.applied[j, c] = 0.0
            for c in range(width):
                lazy.scale[c] = 1.0
                lazy.threshold[c] = 0.0
