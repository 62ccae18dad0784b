"""Sweeps of many candidates over the same rows, in the same order.

Dense rows come gathered in their order, float64 and seen from the centre; sparse ones are read
where they stand. Constant columns are zero. The names below are slots, filled by `build`. Nothing
here allocates.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from skgd.kernels import stacked_step as steps
from skgd.kernels.blocks import read
from skgd.kernels.compiling import Kernel, bind, fuse
from skgd.kernels.rows import scratch
from skgd.kernels.stacked_full import sweep_full
from skgd.kernels.stacked_lazy import sweep_lazy, threshold_pending
from skgd.kernels.stacked_step import SLOPE, TILE

slope = project = spread = load_tile = prepare_tile = move = move_four = step_tile = None
keep_average = measure_squares = set_slopes = place_of = None


class Chunk(NamedTuple):
    """Rows in the order of a sweep."""

    rows: tuple  # DenseRows in their order, with the targets and weights; or CsrRows
    order: np.ndarray  # (m,), which of the sparse rows; (0,) for dense ones
    y: np.ndarray  # (n, n_targets)
    weight: np.ndarray  # (n,), with mean one over all rows
    centre: np.ndarray  # (p,), of sparse rows; (0,) for none, and for dense rows
    multipliers: np.ndarray  # (updates,), of the rates


def project_dense(rows, i, first, theta, room, width):
    """Add the projections of a row, from a column on, four of them at a time, to the slopes."""
    X, p = rows.X, rows.X.shape[1]
    for j in range(first, p - p % 4, 4):
        x, y, z, u = X[i, j], X[i, j + 1], X[i, j + 2], X[i, j + 3]
        for c in range(width):
            pair = x * theta[j, c] + y * theta[j + 1, c]
            room[SLOPE + c] += pair + (z * theta[j + 2, c] + u * theta[j + 3, c])
    for j in range(p - p % 4, p):
        x = X[i, j]
        for c in range(width):
            room[SLOPE + c] += x * theta[j, c]


def spread_dense(rows, i, room, G, width):
    """Add the slopes times a row to the gradients."""
    for j in range(rows.X.shape[1]):
        x = rows.X[i, j]
        for c in range(width):
            G[j, c] += room[SLOPE + c] * x


def project_sparse(rows, i, first, theta, room, width):
    for k in range(rows.indptr[i], rows.indptr[i + 1]):
        x, j = rows.data[k], rows.indices[k, 0]
        for c in range(width):
            room[SLOPE + c] += x * theta[j, c]


def spread_sparse(rows, i, room, G, width):
    for k in range(rows.indptr[i], rows.indptr[i + 1]):
        x, j = rows.data[k], rows.indices[k, 0]
        for c in range(width):
            G[j, c] += room[SLOPE + c] * x


def dense_place(chunk, k):
    """Return where the k-th row of a sweep stands, if rows are gathered."""
    return k


def sparse_place(chunk, k):
    return chunk.order[k]


def slopes_of_row(loss, stack, chunk, i, room, share):
    """Replace the predictions of a row by the slopes of its losses, as a share of a batch."""
    s, width = share * chunk.weight[i], stack.theta.shape[1]
    if chunk.y.shape[1] == 1:
        y = chunk.y[i, 0]
        for c in range(width):
            room[SLOPE + c] = s * slope(loss, room[SLOPE + c], y)
    else:
        for c in range(width):
            room[SLOPE + c] = s * slope(loss, room[SLOPE + c], chunk.y[i, stack.target[c]])


def sweep_single(block):
    """Take a step for each dense row: one pass over the parameters projects, one moves them.

    Where four are moved at once, one pass moves them and projects the next row.
    """
    loss, problem, stack, chunk = read(block)
    theta, room, width = stack.theta, scratch(), stack.theta.shape[1]
    X, p, d, m = chunk.rows.X, problem.weights, theta.shape[0], chunk.rows.X.shape[0]
    ahead, fours = scratch(), 0 if move_four is None else p - p % 4
    load_tile(stack, room, 0, width)
    for i in range(m):
        for c in range(width):
            room[SLOPE + c] = theta[p, c] if d > p else 0.0
        if fours == 0 or i == 0:
            project(chunk.rows, i, 0, theta, room, width)
        else:
            for c in range(width):
                room[SLOPE + c] += ahead[c]
            project(chunk.rows, i, fours, theta, room, width)
        set_slopes(loss, stack, chunk, i, room, 1.0)
        prepare_tile(stack, room, 0, width, i + 1, chunk.multipliers[i])
        for c in range(width):
            ahead[c] = 0.0
        if move_four is not None:
            following = i + 1 if i + 1 < m else i
            for j in range(fours // 4):
                move_four(problem, stack, room, ahead, X, i, following, j)
        for j in range(fours, p):
            move(problem, stack, room, theta, X[i, j], j, 0, width)
        if d > p:
            move(problem, stack, room, theta, 1.0, p, 0, width)
        if keep_average is not None:
            keep_average(problem, stack, 0, width, i + 1)


def sweep_batches(block):
    """Take a step for each batch, with gradients that are stored."""
    loss, problem, stack, chunk, G, batch = read(block)
    theta, room, width = stack.theta, scratch(), stack.theta.shape[1]
    p, d, centre = problem.weights, theta.shape[0], chunk.centre
    m = chunk.order.size if chunk.order.size > 0 else chunk.weight.size
    load_tile(stack, room, 0, width)
    for start in range(0, m, batch):
        stop, update = start + batch if start + batch < m else m, start // batch
        for j in range(d):
            for c in range(width):
                G[j, c] = 0.0
        for c in range(width):  # what the centre takes off each projection, in the last row of G
            G[d, c] = theta[p, c] if d > p else 0.0
            G[d + 1, c] = 0.0
        for j in range(centre.size):
            for c in range(width):
                G[d, c] -= centre[j] * theta[j, c]
        for k in range(start, stop):
            i = place_of(chunk, k)
            for c in range(width):
                room[SLOPE + c] = G[d, c]
            project(chunk.rows, i, 0, theta, room, width)
            set_slopes(loss, stack, chunk, i, room, 1.0 / (stop - start))
            spread(chunk.rows, i, room, G, width)
            for c in range(width):
                G[d + 1, c] += room[SLOPE + c]
        for j in range(centre.size):
            for c in range(width):
                G[j, c] -= centre[j] * G[d + 1, c]
        for j in range(p, d):
            for c in range(width):
                G[j, c] = G[d + 1, c]
        step_tile(problem, stack, room, G, 0, width, update + 1, chunk.multipliers[update])


def step_stack(block):
    """Take a step with the gradients of all candidates; measure the iterates if that is asked."""
    problem, stack, G, update = read(block)  # update: its number, multiplier; whether to measure
    room, n = scratch(), stack.theta.shape[1]
    for first in range(0, n, TILE):
        width = TILE if first + TILE < n else n - first
        load_tile(stack, room, first, width)
        step_tile(problem, stack, room, G, first, width, int(update[0]), update[1])
        if update[2] > 0.0:
            measure_squares(stack, room, first, width)


class StackVariant(NamedTuple):
    """What a sweep is composed of, beside the classes of its rule and its loss."""

    sweep: str  # one of `SWEEPS`
    sparse: bool = False
    averages: bool = False
    nonnegative: bool = False
    clips: bool = False


SWEEPS = {
    "single": sweep_single,
    "batches": sweep_batches,
    "lazy": sweep_lazy,
    "step": step_stack,
    "full": sweep_full,
}
WITHOUT_LOSS = "step", "full"  # which are given gradients, or what these follow from


@cache
def build(rule, fields, loss, shared, variant):
    """Return a sweep for the classes of a rule and a loss.

    Parameters
    ----------
    rule, fields, loss : type
        The second is that of the named tuple of the rule's fields; the loss is None for sweeps
        `WITHOUT_LOSS`.
    shared : int
        How many numbers `prepare` of the rule returns.
    variant : StackVariant
    """
    single, sparse = variant.sweep == "single", variant.sparse
    slots = {
        "Rule": fields,
        "prepare": fuse(rule.prepare),
        "step": fuse(rule.step),
        "extrapolate": fuse(rule.extrapolate),
        "slope": loss and fuse(loss.slope),
        "project": fuse(project_sparse if sparse else project_dense),
        "spread": fuse(spread_sparse if sparse else spread_dense),
    }
    functions = {
        "rule_of": steps.RULES[len(rule._fields)],
        "keep_shared": steps.KEEPERS[shared - 1],
        "shared_of": steps.SHARES[shared - 1],
        "gradient_of": steps.slope_of_row if single else steps.stored_gradient,
        "gradient_norms": steps.gradient_norms,
        "shrink": steps.decoupled_decay if rule.decoupled else None,
        "bound": steps.nonnegative if variant.nonnegative else None,
        "clip": steps.clip_gradients if variant.clips else None,
        "squared_norm": steps.gradient_norms if rule.needs_norm else None,
        "look_ahead": steps.extrapolate_iterates if rule.extrapolates else None,
        "keep_average": steps.average_iterates if variant.averages else None,
        "load_tile": steps.load_tile,
        "prepare_tile": steps.prepare_tile,
        "moved": steps.moved,
        "move": steps.move,
        "move_four": steps.move_four if single and rule.n_memory < 2 else None,
        "step_tile": steps.step_tile,
        "measure_squares": steps.measure_squares,
        "place_of": sparse_place if sparse else dense_place,
        "set_slopes": slopes_of_row,
        "apply_pending": threshold_pending,
    }
    for name, function in functions.items():
        slots[name] = None if function is None else fuse(bind(function, slots))
    classes = (rule,) if loss is None else (rule, loss)
    return Kernel(bind(SWEEPS[variant.sweep], slots), classes, "-".join(map(str, variant)))
