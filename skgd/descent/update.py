"""What an epoch does: the step of a full batch, or those of smaller ones; and what it records.

The names below are slots, which `build` (in `skgd.descent.loop`) fills with the plain methods of
the parts, with what the data term contributes, and with the functions of a `LoopVariant`; a slot
that is None is left out. Nothing here allocates.
"""

import math

from skgd.kernels import draws
from skgd.kernels.blocks import read
from skgd.kernels.problem import (
    EPOCH,
    GRADIENT_NORM,
    N_ZEROS,
    OBJECTIVE,
    PENALTY,
    REPLACEMENT,
    RESIDUAL,
    SHUFFLE,
    STEP,
    STEP_NORM,
    WHAT,
)

accumulate = begin_correction = add_mean_gradient = None
dense_step = single_step = zero_constant = refresh_rows = lazy_step = flush = None
put_in_order = look_ahead = keep_average = finish_update = draw_below = None
measure = progress = smooth = prox = bound = omega_of = None


def update_full(block):
    """Take a step with the gradient in ``state.g``; or record where it has led."""
    parts, problem, state, rule, cursor, epochs, clock = read(block)
    e = clock[EPOCH]
    if clock[WHAT] == STEP:
        t = cursor.t + e
        dense_step(parts, problem, state, rule, t, epochs.rates[e])
        finish_update(problem, state, cursor, epochs.path, t)
    else:
        zero_constant(problem, state.g)
        progress(parts, problem, state, rule, epochs.record, e)


def update_batches(block):
    """Take the steps of an epoch of smaller batches; or record where they have led."""
    parts, problem, state, rule, cursor, epochs, clock, data = read(block)
    n, g, total, e = problem.n, state.g, 0.0, clock[EPOCH]
    if clock[WHAT] == STEP:
        n_batches = (n - problem.fewest) // cursor.batch + 1
        t = cursor.t + e * n_batches
        put_in_order(state.order, epochs.generator, cursor.sampling)
        if begin_correction is not None:
            begin_correction(parts, data, state)
        for k in range(n_batches):
            start, rate = k * cursor.batch, epochs.rates[t - cursor.t]
            stop = start + cursor.batch if k < n_batches - 1 else n
            if lazy_step is not None:
                refresh_rows(data.rows, state, start, stop)
            loss, c = accumulate(parts, data, state, start, stop)
            total += loss
            if add_mean_gradient is not None:
                add_mean_gradient(state.gradients, g, (stop - start) / n)
            zero_constant(problem, g)
            if lazy_step is not None:
                lazy_step(parts, problem, data, state, start, stop, rate)
                flush(state.theta, state.lazy_state, data.width, stop == n)
            elif single_step is not None:
                single_step(parts, problem, data, state, t, rate, state.order[start], c)
            else:
                dense_step(parts, problem, state, rule, t, rate)
            finish_update(problem, state, cursor, epochs.path, t)
            t += 1
        epochs.record[OBJECTIVE, e] = total
    else:
        progress(parts, problem, state, rule, epochs.record, e)


def end_update(problem, state, cursor, path, t):
    """Leave out constant columns, and keep the iterate and its mean where these are asked for."""
    iterate = state.theta if look_ahead is None else state.iterate
    zero_constant(problem, state.theta)
    zero_constant(problem, state.iterate)
    if path.shape[0] > 0 and t % cursor.kept == 0:
        k = t // cursor.kept - (cursor.t - 1) // cursor.kept - 1
        for j in range(iterate.size):
            path[k, j] = iterate[j]
    if keep_average is not None:
        keep_average(state.mean, iterate, t - cursor.averaged)


def record_progress(parts, problem, state, rule, record, e):
    """Record what there is to say about the iterate but its loss; return the scaled residual.

    On smaller batches, which never see the whole gradient, it is infinite, and the iterate is then
    made current.
    """
    theta, iterate, last, worst = state.theta, state.iterate, state.last, 0.0
    omega, squared_gradient, squared_step, n_zeros = 0.0, 0.0, 0.0, 0
    for j in range(iterate.size):
        w = iterate[j]
        omega += problem.strengths[j] * omega_of(parts.penalty, w)
        moved = w - last[j]
        squared_step += moved * moved
        last[j] = w
        n_zeros += 1 if w == 0.0 and problem.penalized[j] else 0
        if measure is None:
            iterate[j] = theta[j]
        else:
            residual, slope = measure(parts, problem, state, rule, j)
            squared_gradient += slope * slope
            worst = residual if residual > worst else worst
    if measure is None:
        worst, squared_gradient = math.inf, math.nan
    record[RESIDUAL, e] = worst
    record[PENALTY, e] = omega
    record[GRADIENT_NORM, e] = math.sqrt(squared_gradient)
    record[STEP_NORM, e] = math.sqrt(squared_step)
    record[N_ZEROS, e] = n_zeros
    return worst


def measure_full(parts, problem, state, rule, j):
    """Return the scaled residual of one parameter, and the slope of the smooth part.

    The former is its proximal gradient, in its own unit and freed of rounding.
    """
    w, alpha, tau = state.theta[j], problem.strengths[j], rule.scale[0, j]
    slope = state.g[j] + alpha * smooth(parts.penalty, w)
    z = prox(parts.penalty, w - tau * slope, tau * alpha)
    if bound is not None:
        z = bound(problem, j, z)
    return rule.scale[1, j] * (abs(w - z) / tau - rule.scale[2, j]), slope


def shuffle(order, generator, sampling):
    """Put the rows of an epoch in order."""
    n, replaced, count = order.size, sampling == REPLACEMENT, 0
    if sampling == SHUFFLE:
        count = n - 1
        for k in range(n):
            order[k] = k
    elif replaced:
        count = n
    for drawn in range(count):
        k = drawn if replaced else n - 1 - drawn
        i = draw_below(generator, n if replaced else k + 1)
        if replaced:
            order[k] = i
        else:
            order[k], order[i] = order[i], order[k]


def average(mean, iterate, count):
    """Add the iterate to the mean of ``count`` iterates; none before the first that counts."""
    if count >= 0:
        for j in range(iterate.size):
            mean[j] += (iterate[j] - mean[j]) / (count + 1)


def update_functions(variant):
    """Return the functions that an update consists of beside its step, innermost first."""
    full = variant.batch == "full"
    return {
        "next_word": None if full else draws.next_word,
        "draw_below": None if full else draws.draw_below,
        "put_in_order": None if full else shuffle,
        "measure": measure_full if full else None,
        "keep_average": average if variant.averages else None,
        "finish_update": end_update,
        "progress": record_progress,
    }
