"""One step of many candidates on the same rows, whose parameters stand side by side.

Parameters are arrays of shape (d, C), so that an inner loop over candidates takes several at once.
The names below are slots, which `skgd.kernels.stacked` fills with the plain methods of a rule and
a loss; ``step`` sees the entry ``j * C + c`` of its memory. A slot that is None is left out.
What differs between the candidates of a tile stands in its room, one row for each quantity.
Nothing here allocates.
"""

import math
from typing import NamedTuple

import numpy as np

TILE = 32  # candidates that an inner loop takes
RATE, L1, L2, SLOPE, NORM, CRITERION, SQUARE, SHARED = range(0, 8 * TILE, TILE)
FIELDS = SHARED + 3 * TILE  # of a rule, up to five

Rule = prepare = step = extrapolate = None
rule_of = keep_shared = shared_of = gradient_of = None
shrink = bound = clip = squared_norm = look_ahead = keep_average = None


class Stack(NamedTuple):
    """The arrays of C candidates."""

    theta: np.ndarray  # (d, C), where gradients are taken
    iterate: np.ndarray  # (d, C), after the last prox; (0, 0) where it is theta
    memory: np.ndarray  # (n_memory, d * C)
    scalars: np.ndarray  # (C, n_scalars)
    mean: np.ndarray  # (d, C), of the iterates; (0, 0) where none is kept
    fields: np.ndarray  # (n_fields, C), of the rules
    rates: np.ndarray  # (C,), of the epoch, before the schedule's multiplier
    l1: np.ndarray  # (C,), strengths of the penalty
    l2: np.ndarray
    target: np.ndarray  # (C,), int64, the column of y that each is fitted to
    t: np.ndarray  # (C,), int64, updates done
    square: np.ndarray  # (C,), the squared length of the iterate after the last step
    same: np.ndarray  # (1,), int64, whether all rules and counts of updates are the same


class StackedProblem(NamedTuple):
    """What candidates have in common beside their rows."""

    factor: np.ndarray  # (d,), of the penalty of each parameter; 0 for an intercept
    units: np.ndarray  # (d,), of the parameters, in which steps are taken
    weights: int  # the number of weights, which come first
    averaged: int  # the first update whose iterate is averaged; 0 for no mean
    norm: float  # the largest norm of a gradient
    entry: float  # the largest entry of a gradient


def load_tile(stack, room, first, width):
    """Put what differs between the candidates of a tile into its room."""
    for c in range(width):
        room[L1 + c] = stack.l1[first + c]
        room[L2 + c] = stack.l2[first + c]
        room[NORM + c] = 0.0
    for f in range(stack.fields.shape[0]):
        for c in range(width):
            room[FIELDS + f * TILE + c] = stack.fields[f, first + c]


def prepare_tile(stack, room, first, width, ahead, multiplier):
    """Prepare an update, which is ``ahead`` of those that are counted."""
    for c in range(width):
        room[RATE + c] = stack.rates[first + c] * multiplier
    same = stack.same[0] == 1
    for c in range(1 if same else width):
        k = first + c
        t = stack.t[k] + ahead
        shared = prepare(rule_of(room, c), t, room[NORM + c], stack.scalars[k])
        keep_shared(room, c, shared)
    if same:
        for c in range(1, width):
            keep_shared(room, c, shared_of(room, 0))
            for q in range(stack.scalars.shape[1]):
                stack.scalars[first + c, q] = stack.scalars[first, q]


def moved(stack, room, w, g, scale, place, c):
    """Return a parameter w of a candidate after a step along the gradient g of its data term."""
    (factor, unit), rate, place = scale, room[RATE + c], np.uint64(place)  # which is not negative
    decay = factor * room[L2 + c] * w
    if shrink is None:
        g = unit * (g + decay)
        d, s = step(rule_of(room, c), g, stack.memory, place, shared_of(room, c))
        z = w - rate * (unit * s) * d
    else:
        d, s = step(rule_of(room, c), g, stack.memory, place, shared_of(room, c))
        z = shrink(w, rate, s * d, decay)
    threshold = rate * (unit * s * unit) * (factor * room[L1 + c])
    clipped = z if z < threshold else threshold
    clipped = clipped if clipped > -threshold else -threshold
    return z - clipped


def move(problem, stack, room, G, x, j, first, width):
    """Move one parameter of the candidates of a tile."""
    theta, n = stack.theta, stack.theta.shape[1]
    scale, unit = (problem.factor[j], problem.units[j]), problem.units[j]
    for c in range(width):
        k = first + c
        w, g = theta[j, k], gradient_of(room, G, x, j, first, c)
        z = moved(stack, room, w, g, scale, j * n + k, c)
        if bound is not None:
            z = bound(problem, j, z)
        if look_ahead is not None:
            room[CRITERION + c] += (w - z) * (z - stack.iterate[j, k]) / (unit * unit)
        theta[j, k] = z


def move_four(problem, stack, room, ahead, X, i, following, j):
    """Move four weights by a row, and add their part of the projections of another one.

    They are a quarter of all apart: so a compiler sees that nothing overlaps in a loop over j.
    """
    theta, n, far = stack.theta, stack.theta.shape[1], problem.weights // 4
    k, m, o = j + far, j + 2 * far, j + 3 * far
    x, y, z, u = X[i, j], X[i, k], X[i, m], X[i, o]
    a, b, e, f = X[following, j], X[following, k], X[following, m], X[following, o]
    scales = (
        (problem.factor[j], problem.units[j]),
        (problem.factor[k], problem.units[k]),
        (problem.factor[m], problem.units[m]),
        (problem.factor[o], problem.units[o]),
    )
    for c in range(n):
        slope = room[SLOPE + c]
        p = moved(stack, room, theta[j, c], slope * x, scales[0], j * n + c, c)
        q = moved(stack, room, theta[k, c], slope * y, scales[1], k * n + c, c)
        r = moved(stack, room, theta[m, c], slope * z, scales[2], m * n + c, c)
        s = moved(stack, room, theta[o, c], slope * u, scales[3], o * n + c, c)
        if bound is not None:
            p, q = bound(problem, j, p), bound(problem, k, q)
            r, s = bound(problem, m, r), bound(problem, o, s)
        theta[j, c], theta[k, c], theta[m, c], theta[o, c] = p, q, r, s
        ahead[c] += (a * p + b * q) + (e * r + f * s)


def slope_of_row(room, G, x, j, first, c):
    """Return an entry of the gradient of one row, whose slopes are in the room."""
    return room[SLOPE + c] * x


def stored_gradient(room, G, x, j, first, c):
    """Return an entry of the gradients in ``G``."""
    return G[j, first + c]


def step_tile(problem, stack, room, G, first, width, ahead, multiplier):
    """Take one step of a tile with the gradients in ``G``."""
    if clip is not None:
        clip(problem, stack, room, G, first, width)
    if squared_norm is not None:
        squared_norm(problem, stack, room, G, first, width)
    prepare_tile(stack, room, first, width, ahead, multiplier)
    if look_ahead is not None:
        for c in range(width):
            room[CRITERION + c] = 0.0
    for j in range(stack.theta.shape[0]):
        move(problem, stack, room, G, 0.0, j, first, width)
    if look_ahead is not None:
        look_ahead(stack, room, first, width)
    if keep_average is not None:
        keep_average(problem, stack, first, width, ahead)


def decoupled_decay(w, rate, move, decay):
    """Shrink a weight beside the step along the gradient of the data term."""
    return w - rate * (move + decay)


def nonnegative(problem, j, z):
    """Keep a weight from being negative."""
    return 0.0 if j < problem.weights and not z > 0.0 else z


def gradient_norms(problem, stack, room, G, first, width):
    """Set the norms to the squared lengths of the gradients of the smooth parts."""
    for c in range(width):
        room[NORM + c] = 0.0
    for j in range(stack.theta.shape[0]):
        factor = problem.factor[j]
        for c in range(width):
            slope = G[j, first + c] + factor * room[L2 + c] * stack.theta[j, first + c]
            room[NORM + c] += slope * slope


def clip_gradients(problem, stack, room, G, first, width):
    """Shorten the gradients of the smooth parts, then cut their entries."""
    gradient_norms(problem, stack, room, G, first, width)
    for c in range(width):
        norm = math.sqrt(room[NORM + c])
        room[NORM + c] = problem.norm / norm if norm > problem.norm else 1.0
    for j in range(stack.theta.shape[0]):
        factor = problem.factor[j]
        for c in range(width):
            decay = factor * room[L2 + c] * stack.theta[j, first + c]
            whole = room[NORM + c] * (G[j, first + c] + decay)
            whole = whole if whole < problem.entry else problem.entry
            G[j, first + c] = (whole if whole > -problem.entry else -problem.entry) - decay
    for c in range(width):
        room[NORM + c] = 0.0


def extrapolate_iterates(stack, room, first, width):
    """Take the next gradients past the iterates, on the lines from the last ones."""
    theta, iterate = stack.theta, stack.iterate
    for c in range(width):
        criterion = room[CRITERION + c]
        room[CRITERION + c] = extrapolate(rule_of(room, c), stack.scalars[first + c], criterion)
    for j in range(theta.shape[0]):
        for c in range(width):
            z = theta[j, first + c]
            theta[j, first + c] = z + room[CRITERION + c] * (z - iterate[j, first + c])
            iterate[j, first + c] = z


def average_iterates(problem, stack, first, width, ahead):
    """Add the iterates to their means, from the first update that counts."""
    iterate = stack.theta if stack.iterate.shape[0] == 0 else stack.iterate
    for c in range(width):
        count = stack.t[first + c] + ahead - problem.averaged
        if count >= 0:
            for j in range(iterate.shape[0]):
                mean = stack.mean[j, first + c]
                stack.mean[j, first + c] = mean + (iterate[j, first + c] - mean) / (count + 1)


def measure_squares(stack, room, first, width):
    """Set the squared lengths of the iterates of a tile."""
    iterate = stack.theta if stack.iterate.shape[0] == 0 else stack.iterate
    for c in range(width):
        room[SQUARE + c] = 0.0
    for j in range(iterate.shape[0]):
        for c in range(width):
            w = iterate[j, first + c]
            room[SQUARE + c] += w * w
    for c in range(width):
        stack.square[first + c] = room[SQUARE + c]


def rule_of_0(room, c):
    """Return the rule of a candidate, which has no fields; below one with more of them."""
    return Rule()


def rule_of_1(room, c):
    return Rule(room[FIELDS + c])


def rule_of_2(room, c):
    return Rule(room[FIELDS + c], room[FIELDS + TILE + c])


def rule_of_3(room, c):
    return Rule(room[FIELDS + c], room[FIELDS + TILE + c], room[FIELDS + 2 * TILE + c])


def rule_of_4(room, c):
    return Rule(
        room[FIELDS + c],
        room[FIELDS + TILE + c],
        room[FIELDS + 2 * TILE + c],
        room[FIELDS + 3 * TILE + c],
    )


def keep_shared_1(room, c, shared):
    """Keep what `prepare` has returned for a candidate, a number; below two or three."""
    room[SHARED + c] = shared


def keep_shared_2(room, c, shared):
    room[SHARED + c] = shared[0]
    room[SHARED + TILE + c] = shared[1]


def keep_shared_3(room, c, shared):
    room[SHARED + c] = shared[0]
    room[SHARED + TILE + c] = shared[1]
    room[SHARED + 2 * TILE + c] = shared[2]


def shared_of_1(room, c):
    return room[SHARED + c]


def shared_of_2(room, c):
    return room[SHARED + c], room[SHARED + TILE + c]


def shared_of_3(room, c):
    return room[SHARED + c], room[SHARED + TILE + c], room[SHARED + 2 * TILE + c]


RULES = rule_of_0, rule_of_1, rule_of_2, rule_of_3, rule_of_4  # by the number of fields
KEEPERS = keep_shared_1, keep_shared_2, keep_shared_3  # by how many numbers are shared, from one
SHARES = shared_of_1, shared_of_2, shared_of_3
