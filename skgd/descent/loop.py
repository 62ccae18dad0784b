"""The loop of every descent, written once and compiled for each combination of parts.

`run` is the loop. `build` fills the slots below: with the plain methods of the parts, with what
the data term contributes, and with the functions of a `LoopVariant`; a slot that is None is left
out. A term without a kernel descends in plain Python, through the same loop. Nothing here
allocates.
"""

import math
from functools import cache

from skgd.descent.lazy import LAZY_FUNCTIONS
from skgd.descent.step import step_functions
from skgd.descent.variance_reduction import CORRECTIONS
from skgd.kernels import draws
from skgd.kernels.compiling import bind, compilation, compile_cached
from skgd.kernels.problem import (
    CONVERGED,
    DIVERGED,
    GRADIENT_NORM,
    N_ZEROS,
    NONFINITE,
    OBJECTIVE,
    PENALTY,
    PLATEAU,
    REPLACEMENT,
    RESIDUAL,
    RUNNING,
    SHUFFLE,
    STEP_NORM,
)

MAX_GROWTH = 1e10  # of the objective, over the larger of its start and the null objective

accumulate = mean_loss = begin_correction = add_mean_gradient = None
dense_step = single_step = zero_constant = refresh_rows = lazy_step = flush = None
put_in_order = look_ahead = keep_average = None
draw_below = None
measure = progress = smooth = prox = bound = omega_of = None


def run(parts, problem, state, rule, cursor, epochs):
    """Descend by one epoch for each column of the record, or until something is against it.

    On the full batch ``state.g`` holds the gradient at ``state.theta`` before and after, and
    the objective recorded is that of the epoch's end. On smaller batches it is that of the
    epoch's beginning, which costs no pass of its own: every row comes by anyway.

    Parameters
    ----------
    parts, problem, state, rule, cursor : Parts, Problem, State, StoppingRule, Cursor
    epochs : Epochs
        The record is filled with the objective; the scaled residual (on the full batch); the
        penalty; the norm of the smooth part's gradient (on the full batch); the distance from
        the iterate of the column before; and the number of weights that are zero. The path is
        filled with the iterate after every update that is kept.

    Returns
    -------
    outcome, epochs : int
        Why the loop ended, and how many columns of the record it has filled.
    best, stale, ceiling : float
        As in `Cursor`, for the next call.
    """
    record, rates, path, g = epochs.record, epochs.rates, epochs.path, state.g
    theta, n, t, kept = state.theta, problem.n, cursor.t, 0
    iterate = theta if look_ahead is None else state.iterate
    best, stale, ceiling = cursor.best, cursor.stale, cursor.ceiling
    for e in range(record.shape[1]):
        total = 0.0
        if put_in_order is not None:  # on smaller batches
            if rates.size == 0 or cursor.sampling == REPLACEMENT:
                total = mean_loss(parts, problem.data, state.iterate)
            if rates.size > 0:
                put_in_order(state.order, epochs.generator, cursor.sampling)
                if begin_correction is not None:
                    begin_correction(parts, problem.data, state)
        for start in range(0, n if rates.size > 0 else 0, cursor.batch):
            stop, rate, loss, c = start + cursor.batch, rates[t - cursor.t], 0.0, 0.0
            stop = stop if stop < n else n
            if lazy_step is not None:
                refresh_rows(problem.data.rows, state, start, stop)
            if put_in_order is not None:  # on the full batch the gradient is there
                loss, c = accumulate(parts, problem.data, state, start, stop)
                total += loss if cursor.sampling != REPLACEMENT else 0.0
            if add_mean_gradient is not None:
                add_mean_gradient(state.gradients, g, (stop - start) / n)
            zero_constant(problem, g)
            if lazy_step is not None:
                lazy_step(parts, problem, state, start, stop, rate)
                flush(theta, state.lazy_state, problem.data.width, stop == n)
            elif single_step is not None:
                single_step(parts, problem, state, t, rate, state.order[start], c)
            else:
                dense_step(parts, problem, state, rule, t, rate)
            zero_constant(problem, theta)
            zero_constant(problem, state.iterate)
            if path.shape[0] > 0 and t % cursor.kept == 0:
                for j in range(iterate.size):
                    path[kept, j] = iterate[j]
                kept += 1
            if keep_average is not None:
                keep_average(state.mean, iterate, t - cursor.averaged)
            t += 1
        if put_in_order is None:
            total, c = accumulate(parts, problem.data, state, 0, n)
            zero_constant(problem, g)
        residual = progress(parts, problem, state, rule, record, e)
        total += record[PENALTY, e]
        record[OBJECTIVE, e] = total
        if best == math.inf:
            ceiling = MAX_GROWTH * max(rule.null_objective, total)
        stale = 0.0 if total < best - rule.gain else stale + 1.0
        best = total if total < best else best
        outcome = judge(total, residual, stale, ceiling, rule)
        if outcome != RUNNING:
            return outcome, e + 1, best, stale, ceiling
    return RUNNING, record.shape[1], best, stale, ceiling


def judge(total, residual, stale, ceiling, rule):
    """Return whether and why a descent ends after an epoch."""
    if not abs(total) < math.inf:  # isfinite subtracts, and sums that may be reordered cancel
        return NONFINITE
    if total > ceiling:
        return DIVERGED
    if residual <= rule.tol:
        return CONVERGED
    return PLATEAU if stale >= rule.patience else RUNNING


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
    n = order.size
    if sampling == SHUFFLE:
        for k in range(n):
            order[k] = k
        for k in range(n - 1, 0, -1):
            i = draw_below(generator, k + 1)
            order[k], order[i] = order[i], order[k]
    elif sampling == REPLACEMENT:
        for k in range(n):
            order[k] = draw_below(generator, n)


def average(mean, iterate, count):
    """Add the iterate to the mean of ``count`` iterates; none before the first that counts."""
    if count >= 0:
        for j in range(iterate.size):
            mean[j] += (iterate[j] - mean[j]) / (count + 1)


def variant_functions(variant, optimizer):
    """Return the functions that a variant of the loop consists of, innermost first."""
    full, (begin, _, add) = variant.batch == "full", CORRECTIONS[variant.correction]
    lazy = LAZY_FUNCTIONS if variant.batch == "lazy" else dict.fromkeys(LAZY_FUNCTIONS)
    return {
        **step_functions(variant, optimizer),
        **lazy,
        "next_word": None if full else draws.next_word,
        "draw_below": None if full else draws.draw_below,
        "begin_correction": begin,
        "add_mean_gradient": add,
        "put_in_order": None if full else shuffle,
        "measure": measure_full if full else None,
        "keep_average": average if variant.averages else None,
        "progress": record_progress,
        "judge": judge,
    }


@cache
def build(kernel, optimizer, penalty, variant):
    """Return `run`, composed for a data term, and compiled where the term can be.

    Parameters
    ----------
    kernel : TermKernel
        Of the data term.
    optimizer, penalty : type
    variant : LoopVariant
    """
    with compilation:
        correct = CORRECTIONS[variant.correction][1]
        slots = kernel.slots(variant, optimizer.extrapolates, correct)
        slots |= {
            "prepare": kernel.fuse(optimizer.prepare),
            "step": kernel.fuse(optimizer.step),
            "extrapolate": kernel.fuse(optimizer.extrapolate),
            "omega_of": kernel.fuse(penalty.value),
            "smooth": kernel.fuse(penalty.gradient),
            "prox": kernel.fuse(penalty.prox),
            "elastic": kernel.fuse(penalty.elastic),
        }
        for name, function in variant_functions(variant, optimizer).items():
            slots[name] = None if function is None else kernel.fuse(bind(function, slots))
        loop = bind(run, slots)
        if kernel.classes is None:
            return loop
        classes = (*kernel.classes, optimizer, penalty)
        return compile_cached(loop, classes, "-".join(map(str, variant)))
