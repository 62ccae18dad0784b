"""The loop of every descent, written once and compiled for each combination of parts.

`run` is the loop; in it `accumulate` adds up loss and gradient over some rows, and
`advance` takes one step. The names below are slots, which `build` fills with the plain
methods of the parts. Nothing here allocates.
"""

import math
from functools import cache

from skgd.descent.lazy import LAZY_VERBS
from skgd.descent.variance_reduction import VARIANCE_REDUCED_VERBS
from skgd.kernels.compiling import bind, compilation, compile_cached, fuse
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
from skgd.kernels.rows import prefetch

# How many rows ahead memory is asked for. Rows drawn at random come too late when asked for
# at their turn. Long ones are asked for piece by piece, several rows at a time, which keeps more
# of the memory busy; and all once more, as a busy processor drops requests.
NEXT, AHEAD, APART, SOON = 4, 16, 2, 4
GROWTH = 1e10  # of the objective, over the larger of its start and the constant prediction's

FULL = SINGLE = LAZY = AVERAGES = BOUNDED = CLIPS = EXTRAPOLATES = DECOUPLED = NEEDS_NORM = False
VARIANCE_REDUCED = SNAPSHOTS = False
dot = dot_pair = axpy = prefetch_row = chunks_of = entry = None
predict = model_derivative = add_parameter_gradient = value = slope = None
prepare = step = extrapolate = None
omega_of = smooth = prox = None
apply_pending = refresh_rows = lazy_step = flush = elastic = None
take_snapshot = gradient_correction = add_mean_gradient = None


@cache
def build(model, loss, optimizer, penalty, rows, mode):
    """Return `run`, compiled for these classes.

    Parameters
    ----------
    model, loss, optimizer, penalty, rows : type
    mode : LoopVariant
        Whose batch is "full"; "batch" for smaller ones; "single" for batches of one dense row,
        whose gradient is the row itself and need not be stored; "lazy" for sparse ones that
        move the weights they touch.
    """
    with compilation:
        return _build(model, loss, optimizer, penalty, rows, mode)


def _build(model, loss, optimizer, penalty, rows, mode):
    slots = {
        **_slots_of_data(model, loss, rows),
        "prepare": fuse(optimizer.prepare),
        "step": fuse(optimizer.step),
        "extrapolate": fuse(optimizer.extrapolate),
        "omega_of": fuse(penalty.value),
        "smooth": fuse(penalty.gradient),
        "prox": fuse(penalty.prox),
        "elastic": fuse(penalty.elastic),
        "FULL": mode.batch == "full",
        "SINGLE": mode.batch == "single",
        "LAZY": mode.batch == "lazy",
        "AVERAGES": mode.averages,
        "BOUNDED": mode.bounded,
        "CLIPS": mode.clips,
        "VARIANCE_REDUCED": mode.variance_reduced,
        "SNAPSHOTS": optimizer.snapshots,
        "EXTRAPOLATES": optimizer.extrapolates,
        "DECOUPLED": optimizer.decoupled,
        "NEEDS_NORM": optimizer.needs_norm,
    }
    verbs = (
        *LAZY_VERBS,
        *VARIANCE_REDUCED_VERBS,
        shuffle,
        accumulate,
        mean_loss,
        record_progress,
        clip,
        zero_constant,
        move,
        advance,
    )
    for function in verbs:
        slots[function.__name__] = fuse(bind(function, slots))
    form = "-".join(map(str, mode))
    return compile_cached(bind(run, slots), (model, loss, optimizer, penalty, rows), form)


@cache
def build_accumulate(model, loss, rows):
    """Return `accumulate` alone, for rows in their natural order."""
    slots = {**_slots_of_data(model, loss, rows), "FULL": True}
    return compile_cached(bind(accumulate, slots), (model, loss, rows), "sum")


def _slots_of_data(model, loss, rows):
    return {
        "dot": fuse(rows.dot),
        "dot_pair": fuse(rows.dot_pair),
        "axpy": fuse(rows.axpy),
        "prefetch_row": fuse(rows.prefetch_row),
        "chunks_of": fuse(rows.n_prefetch_chunks),
        "entry": fuse(rows.entry),
        "predict": fuse(model.value),
        "model_derivative": fuse(model.slope),
        "add_parameter_gradient": fuse(model.add_parameter_gradient),
        "value": fuse(loss.value),
        "slope": fuse(loss.slope),
    }


def run(parts, data, state, limits, plan, draws, rates, record, path):
    """Descend by one epoch for each column of ``record``, or until something is against it.

    On the full batch ``state.g`` holds the gradient at ``state.theta`` before and after, and
    the objective recorded is that of the epoch's end. On smaller batches it is that of the
    epoch's beginning, which costs no pass of its own: every row comes by anyway.

    Parameters
    ----------
    parts, data, state, limits, plan : Parts, Data, State, StoppingRule, Cursor
    draws : ndarray of shape (epochs, n)
        Evenly from [0, 1), for the order of the rows.
    rates : ndarray of shape (updates,)
        Learning rates; without any, the loop only looks where it is.
    record : ndarray of shape (6, epochs)
        Filled with the objective; the scaled residual (on the full batch); the penalty; the
        norm of the smooth part's gradient (on the full batch); the length of the way since the
        last column; and the number of weights that are zero.
    path : ndarray of shape (kept updates, d) or (0, d)
        Filled with the parameters after every update that is kept.

    Returns
    -------
    outcome, epochs : int
        Why the loop ended, and how many columns of the record it has filled.
    best, stale, ceiling : float
        As in `Cursor`, for the next call.
    """
    theta, iterate, g = state.theta, state.iterate, state.g
    n, t, batch = data.y.size, plan.t, plan.batch
    best, stale, ceiling, kept = plan.best, plan.stale, plan.ceiling, 0
    for e in range(record.shape[1]):
        total = 0.0
        if not FULL:
            if rates.size == 0 or plan.sampling == REPLACEMENT:
                total = mean_loss(parts, data, iterate)
            if rates.size > 0:
                shuffle(state.order, draws, e, plan.sampling)
        if VARIANCE_REDUCED and rates.size > 0:
            take_snapshot(parts, data, state.gradients, theta)
        for start in range(0, n if rates.size > 0 else 0, batch):
            stop, c, rate = start + batch, 0.0, rates[t - plan.t]
            stop = stop if stop < n else n
            if LAZY:
                refresh_rows(data.rows, theta, state.order, state.lazy_state, start, stop)
            if not FULL:
                seen, c = accumulate(parts, data, state, theta, iterate, g, start, stop)
                total += seen if plan.sampling != REPLACEMENT else 0.0
            if VARIANCE_REDUCED:
                add_mean_gradient(state.gradients, g, (stop - start) / n)
            zero_constant(data.held, g)
            if LAZY:
                lazy_step(parts, data, theta, g, state.order, state.lazy_state, start, stop, rate)
                flush(theta, state.lazy_state, data.width, stop == n)
            else:
                advance(parts, data, state, limits, theta, iterate, g, t, rate, c, start)
            zero_constant(data.held, theta)
            zero_constant(data.held, iterate)
            if path.shape[0] > 0 and t % plan.kept == 0:
                for j in range(theta.size):
                    path[kept, j] = iterate[j] if EXTRAPOLATES else theta[j]
                kept += 1
            if AVERAGES and t >= plan.averaged:
                for j in range(theta.size):
                    w = iterate[j] if EXTRAPOLATES else theta[j]
                    state.mean[j] += (w - state.mean[j]) / (t - plan.averaged + 1)
            t += 1
        if FULL:
            total, _ = accumulate(parts, data, state, theta, iterate, g, 0, n)
            zero_constant(data.held, g)
        scaled_residual = record_progress(
            parts.penalty, data, state, limits, theta, iterate, g, record, e
        )
        total += record[PENALTY, e]
        record[OBJECTIVE, e] = total
        if best == math.inf:
            ceiling = GROWTH * (total if total > limits.null_objective else limits.null_objective)
        stale = 0.0 if total < best - limits.gain else stale + 1.0
        best = total if total < best else best
        if not abs(total) < math.inf:  # isfinite subtracts, and sums that may be reordered cancel
            return NONFINITE, e + 1, best, stale, ceiling
        if total > ceiling:
            return DIVERGED, e + 1, best, stale, ceiling
        if scaled_residual <= limits.tol:
            return CONVERGED, e + 1, best, stale, ceiling
        if stale >= limits.patience:
            return PLATEAU, e + 1, best, stale, ceiling
    return RUNNING, record.shape[1], best, stale, ceiling


def accumulate(parts, data, state, theta, iterate, g, start, stop):
    """Add the gradient of the mean loss of some rows to ``g``.

    Returns
    -------
    total : float
        The loss that these rows have at the answer, as a share of the mean over all.
    pulls : float
        The summed derivative in z; for a single row, what its gradient multiplies.
    """
    rows, y, weight = data.rows, data.y, data.weight
    centre, p, order = data.centre, data.width, state.order
    total, slope_sum, scale = 0.0, 0.0, 1.0 / (stop - start)
    shift, shift_iterate, zoom = 0.0, 0.0, 1.0
    n_prefetch_chunks = 1 if FULL else chunks_of(rows)
    if LAZY:
        zoom = state.lazy_state.scale_and_threshold[0]
    for j in range(centre.size):
        shift -= centre[j] * theta[j]
        shift_iterate -= centre[j] * iterate[j]
    for k in range(start, stop):
        i = k if FULL else order[k]
        if FULL and k + NEXT < stop:
            prefetch_row(rows, k + NEXT, 0, 1)
        if not FULL and k + AHEAD < order.size:
            for q in range(n_prefetch_chunks):
                prefetch_row(rows, order[k + AHEAD - APART * q], q, n_prefetch_chunks)
            prefetch_row(rows, order[k + SOON], 0, 1)
            prefetch(y, order[k + AHEAD], order[k + AHEAD] + 1)
            prefetch(weight, order[k + AHEAD], order[k + AHEAD] + 1)
        if FULL and not EXTRAPOLATES:
            z = dot(rows, theta, i) + shift
            z_iterate = z
        else:
            z, z_iterate = dot_pair(rows, theta, iterate, i)
            z, z_iterate = zoom * z + shift, z_iterate + shift_iterate
        f = predict(parts.model, z, theta, p)
        r = scale * weight[i] * slope(parts.loss, f, y[i])
        if VARIANCE_REDUCED:
            r = gradient_correction(state.gradients, r, scale, i)
        c = r * model_derivative(parts.model, z, theta, p)
        if LAZY:
            state.lazy_state.slopes[k - start] = c
        elif not SINGLE:
            axpy(rows, c, i, g)
        add_parameter_gradient(parts.model, z, theta, p, r, g)
        slope_sum += c
        if not FULL or EXTRAPOLATES:
            f = predict(parts.model, z_iterate, iterate, p)
        total += weight[i] * value(parts.loss, f, y[i])
    for j in range(centre.size):
        g[j] -= slope_sum * centre[j]
    return total / y.size, slope_sum


def mean_loss(parts, data, iterate):
    """Return the mean loss of the answer."""
    rows, y, weight = data.rows, data.y, data.weight
    centre, p = data.centre, data.width
    total, shift = 0.0, 0.0
    for j in range(centre.size):
        shift -= centre[j] * iterate[j]
    for i in range(y.size):
        f = predict(parts.model, dot(rows, iterate, i) + shift, iterate, p)
        total += weight[i] * value(parts.loss, f, y[i])
    return total / y.size


def advance(parts, data, state, limits, theta, iterate, g, t, rate, c, start):
    """Take one step with the gradient in ``state.g``, and leave zeros there."""
    memory, penalty_strength, p = state.memory, data.penalty_strength, data.width
    norm, restart_criterion = 0.0, 0.0
    if CLIPS:
        clip(parts.penalty, penalty_strength, limits, theta, g)
    if NEEDS_NORM:
        for j in range(theta.size):
            slope_j = g[j] + penalty_strength[j] * smooth(parts.penalty, theta[j])
            norm += slope_j * slope_j
    shared = prepare(parts.optimizer, t, norm, state.scalars)
    if SINGLE:
        i = state.order[start]
        for j in range(p):
            x = entry(data.rows, i, j)
            move(parts, data, theta, iterate, memory, shared, rate, j, c * x)
        for j in range(p, theta.size):
            move(parts, data, theta, iterate, memory, shared, rate, j, g[j])
            g[j] = 0.0
    else:
        for j in range(theta.size):
            restart_criterion += move(parts, data, theta, iterate, memory, shared, rate, j, g[j])
            g[j] = 0.0
    if EXTRAPOLATES:
        reach = extrapolate(parts.optimizer, state.scalars, restart_criterion)
        for j in range(theta.size):
            z = theta[j]
            theta[j] = z + reach * (z - iterate[j])
            iterate[j] = z


def clip(penalty, penalty_strength, limits, theta, g):
    """Shorten the gradient of the smooth part, then cut its entries."""
    norm = 0.0
    for j in range(theta.size):
        slope_j = g[j] + penalty_strength[j] * smooth(penalty, theta[j])
        norm += slope_j * slope_j
    norm = math.sqrt(norm)
    share = limits.norm / norm if norm > limits.norm else 1.0
    for j in range(theta.size):
        decay = penalty_strength[j] * smooth(penalty, theta[j])
        whole = share * (g[j] + decay)
        whole = whole if whole < limits.entry else limits.entry
        g[j] = (whole if whole > -limits.entry else -limits.entry) - decay


def zero_constant(columns, values):
    """Set what belongs to constant columns to zero."""
    for k in range(columns.size):
        values[columns[k]] = 0.0


def move(parts, data, theta, iterate, memory, shared, rate, j, g):
    """Move one parameter; return how much its step disagrees with its last move."""
    w, alpha = theta[j], data.penalty_strength[j]
    decay = alpha * smooth(parts.penalty, w)
    if DECOUPLED:
        d, s = step(parts.optimizer, g, memory, j, shared)
        z = prox(parts.penalty, w - rate * (s * d + decay), rate * s * alpha)
    else:
        d, s = step(parts.optimizer, g + decay, memory, j, shared)
        z = prox(parts.penalty, w - rate * s * d, rate * s * alpha)
    if BOUNDED:
        z = z if z > data.floor[j] else data.floor[j]
    theta[j] = z
    return (w - z) * (z - iterate[j]) if EXTRAPOLATES else 0.0


def record_progress(penalty, data, state, limits, theta, iterate, g, record, e):
    """Record what there is to say about the answer but its loss; return what is left to gain.

    The latter is, on the full batch, the largest entry of the proximal gradient, each in its
    own unit and freed of rounding. On smaller batches the answer is then made current.
    """
    omega, worst, squared_gradient, squared_step, n_zeros = 0.0, 0.0, 0.0, 0.0, 0
    for j in range(theta.size):
        alpha, w = data.penalty_strength[j], iterate[j]
        omega += alpha * omega_of(penalty, w)
        moved = w - state.last[j]
        squared_step += moved * moved
        state.last[j] = w
        n_zeros += 1 if w == 0.0 and j < data.width else 0
        if FULL:
            w, tau = theta[j], limits.scale[0, j]
            slope_j = g[j] + alpha * smooth(penalty, w)
            squared_gradient += slope_j * slope_j
            z = prox(penalty, w - tau * slope_j, tau * alpha)
            if BOUNDED:
                z = z if z > data.floor[j] else data.floor[j]
            scaled_residual = limits.scale[1, j] * (abs(w - z) / tau - limits.scale[2, j])
            worst = scaled_residual if scaled_residual > worst else worst
        else:
            iterate[j] = theta[j]
    record[RESIDUAL, e] = worst if FULL else math.inf
    record[PENALTY, e] = omega
    record[GRADIENT_NORM, e] = math.sqrt(squared_gradient) if FULL else math.nan
    record[STEP_NORM, e] = math.sqrt(squared_step)
    record[N_ZEROS, e] = n_zeros
    return record[RESIDUAL, e]


def shuffle(order, draws, e, sampling):
    """Put the rows of epoch ``e`` in order, by numbers drawn evenly from [0, 1)."""
    n = order.size
    if sampling == SHUFFLE:
        for k in range(n):
            order[k] = k
        for k in range(n - 1, 0, -1):
            i = int(draws[e, k] * (k + 1))
            order[k], order[i] = order[i], order[k]
    elif sampling == REPLACEMENT:
        for k in range(n):
            order[k] = int(draws[e, k] * n)
