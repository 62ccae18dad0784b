"""Sums over rows of a loss, its slope and its second derivative, along a line of predictions.

The kernel is compiled for the class of one loss; the names below are slots that `bind` fills.
"""

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from skgd.kernels.compiling import bind, compile_cached, compiled_code, fuse
from skgd.kernels.row_kernels import loss_differences

ROWS = 2**13  # whose losses are computed at once, as many as a fast cache holds

value = slope = second_derivative = None


class LossSums(NamedTuple):
    """Weighted sums over rows, at the predictions ``f + step z``."""

    value: float
    slope: float
    second: float  # second derivatives
    along: float  # slopes times z
    second_along: float  # second derivatives times the square of z
    product: float  # slopes times predictions
    size: float  # absolute values of what is added to the value and the product
    square: float  # of the slopes
    curved: float  # rows with a second derivative, whatever their weight


def blocks(start, stop, size=ROWS):
    """Return slices of so many rows."""
    return [slice(k, min(k + size, stop)) for k in range(start, stop, size)]


@lru_cache
def constants(number):
    """Return one block of equal numbers."""
    return np.full(ROWS, number)


def loss_sums(loss, f, z, step, y, weight, slopes, seconds):
    """Return the `LossSums` of at most `ROWS` rows as an array, and set what each row adds.

    Parameters
    ----------
    loss : Loss
    f, z, y : ndarray of shape (n,), float64
        z may be None, for one everywhere.
    step : float
    weight : ndarray of shape (n,)
        Rows without weight add nothing, whatever their loss.
    slopes, seconds : ndarray of shape (n,), float64
        Become the slopes and second derivatives, times the weights.
    """
    n, found = len(f), np.empty(len(LossSums._fields))
    z = constants(1.0)[:n] if z is None else z
    weight = np.require(weight, float, "CW") if weight.strides[0] else constants(1.0)[:n]
    with compiled_code():
        kernel = _sums_of(type(loss))
        y = np.require(y, float, "CW")
        kernel(loss.as_tuple, f, z, step, y, weight, (slopes, seconds), found)
    return found


def mean_loss_terms(loss, constant, y, weight):
    """Return weighted means over rows for a constant prediction, for weights with mean one.

    Those of the loss, its first and second derivative, and the square of the first.

    Parameters
    ----------
    loss : Loss
    constant : float
    y, weight : ndarray of shape (n,)
    """
    n, sums, terms = y.size, np.zeros(len(LossSums._fields)), np.empty((2, min(y.size, ROWS)))
    for rows in blocks(0, n):
        f, to = constants(0.0)[: rows.stop - rows.start], terms[:, : rows.stop - rows.start]
        sums += loss_sums(loss, f, None, float(constant), y[rows], weight[rows], *to)
    means = LossSums(*(sums / n))
    return np.array([means.value, means.slope, means.second, means.square])


@cache
def _sums_of(loss):
    slots = {"value": fuse(loss.value), "slope": fuse(loss.slope)}
    slots["second_derivative"] = fuse(loss.second_derivative or bind(loss_differences, slots))
    return compile_cached(bind(sums_of_rows, slots), (loss,), "sums")


def sums_of_rows(loss, f, z, step, y, weight, terms, found):
    slopes, seconds = terms
    total = level = second = along = across = product = size = square = curved = 0.0
    for i in range(f.size):
        s, x = weight[i], z[i]
        at = f[i] + step * x
        v, r, h = value(loss, at, y[i]), slope(loss, at, y[i]), second_derivative(loss, at, y[i])
        curved += 1.0 if h != 0.0 else 0.0
        v = s * v if s > 0.0 else 0.0
        r = r if s > 0.0 else 0.0
        g = s * r
        h = s * h if s > 0.0 else 0.0
        slopes[i], seconds[i] = g, h
        total += v
        level += g
        second += h
        along += g * x
        across += h * x * x
        product += g * at
        size += abs(v) + abs(g * at)
        square += g * r
    found[0], found[1], found[2], found[3] = total, level, second, along
    found[4], found[5], found[6], found[7] = across, product, size, square
    found[8] = curved
