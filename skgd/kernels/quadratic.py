"""A mean of squared errors, known by its second derivative and by its rows at one point."""

from functools import cache
from typing import NamedTuple

import numpy as np

from skgd.kernels.blocks import call, read
from skgd.kernels.compiling import Kernel, bind, fuse

FRESH = 128  # times that a point serves
LOST = 1e-3  # of the value at the point, below which digits are lost
VALUE, LEFT = range(2)  # of the numbers of a reference

change = None


class Reference(NamedTuple):
    """What rows have told at a point."""

    point: np.ndarray  # (d,)
    slope: np.ndarray  # (d,), the gradient
    numbers: np.ndarray  # (2,), the value, and how many times the point still serves


def new_reference(d):
    """Return a `Reference` to which rows have told nothing yet."""
    return Reference(np.zeros(d), np.zeros(d), np.zeros(2))


def change_from(H, reference, theta, moved, gradient):
    """Set the gradient at theta, and return how much larger the value is than at the point."""
    total = 0.0
    for j in range(theta.size):
        moved[j] = theta[j] - reference.point[j]
    for j in range(theta.size):
        s = 0.0
        for k in range(theta.size):
            s += H[j, k] * moved[k]
        gradient[j] = reference.slope[j] + s
        total += moved[j] * (reference.slope[j] + 0.5 * s)
    return total


def add_quadratic(block):
    """Add the gradient at theta to ``g``, and write the value at the iterate.

    Rows tell them at another point where this one has served long, or where the value has become
    so small beside that at the point that digits are lost. An iterate without entries is theta.
    """
    H, reference, theta, iterate, g, room, found, by_rows, told = read(block)
    numbers, moved, gradient, total = reference.numbers, room[0], room[1], 0.0
    if numbers[LEFT] > 0.0:
        total = numbers[VALUE] + change(H, reference, theta, moved, gradient)
    if not total > LOST * numbers[VALUE] or not numbers[LEFT] > 0.0:
        for j in range(theta.size):
            reference.point[j] = theta[j]
            reference.slope[j] = 0.0
        failed = call(by_rows)
        for j in range(theta.size):
            gradient[j] = reference.slope[j]
        total = told[0]
        numbers[VALUE] = total
        numbers[LEFT] = 0.0 if failed else FRESH
    if iterate.size > 0:
        total = numbers[VALUE] + change(H, reference, iterate, moved, room[2])
    for j in range(theta.size):
        g[j] += gradient[j]
    numbers[LEFT] -= 1.0
    found[0] = total


@cache
def _kernel():
    slots = {"change": fuse(change_from)}
    return Kernel(bind(add_quadratic, slots), (), "quadratic")


def quadratic_sums(H, reference, theta, iterate, g, by_rows):
    """Return what adds the gradient to ``g``, and where it writes the value.

    Parameters
    ----------
    H : ndarray of shape (d, d)
    reference : Reference
    theta, iterate, g : ndarray of shape (d,)
    by_rows : tuple of Call and ndarray of shape (1,)
        What adds the gradient at theta to that of the reference, and where it writes the value.
    """
    found, room = np.zeros(1), np.empty((3, theta.size))
    iterate = np.zeros(0) if iterate is theta else iterate
    return _kernel()(H, reference, theta, iterate, g, room, found, *by_rows), found
