"""The loop of every descent, written once and compiled for each combination of parts.

`run` is the loop; in it `accumulate` adds up loss and gradient over some rows, and
`advance` takes one step. The names below are slots, which `build` fills with the plain
methods of the parts. Nothing here allocates.
"""

import math
from functools import cache

from skgd.descent.lazy import LAZY_VERBS
from skgd.descent.variance_reduction import REDUCING_VERBS
from skgd.kernels.compiling import bind, compilation, compile_cached, fuse
from skgd.kernels.problem import (
    CONVERGED,
    GROWN,
    LEFT,
    NONFINITE,
    OMEGA,
    PLATEAU,
    REPLACEMENT,
    RUNNING,
    SHUFFLE,
    SLOPE,
    STEP,
    TOTAL,
    ZEROS,
)
from skgd.kernels.rows import prefetch

# How many rows ahead memory is asked for. Rows drawn at random come too late when asked for
# at their turn. Long ones are asked for piece by piece, several rows at a time, which keeps more
# of the memory busy; and all once more, as a busy processor drops requests.
NEXT, AHEAD, APART, SOON = 4, 16, 2, 4
GROWTH = 1e10  # of the objective, over the larger of its start and the constant prediction's

FULL = SINGLE = LAZY = AVERAGES = BOUNDED = CLIPS = LOOKS_AHEAD = DECOUPLED = NEEDS_NORM = False
REDUCES = ANCHORS = False
project = project_both = spread = fetch = pieces_of = entry = None
predict = bend = pull = value = slope = None
prepare = step = extrapolate = None
omega_of = smooth = prox = None
cut = wake = tick = rest = elastic = None
anchor = differ = lean = None


@cache
def build(model, loss, optimizer, penalty, rows, mode):
    """Return `run`, compiled for these classes.

    Parameters
    ----------
    model, loss, optimizer, penalty, rows : type
    mode : Mode
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
        "REDUCES": mode.reduces,
        "ANCHORS": optimizer.anchors,
        "LOOKS_AHEAD": optimizer.looks_ahead,
        "DECOUPLED": optimizer.decoupled,
        "NEEDS_NORM": optimizer.needs_norm,
    }
    verbs = (
        *LAZY_VERBS,
        *REDUCING_VERBS,
        shuffle,
        accumulate,
        survey,
        appraise,
        clip,
        hold,
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
        "project": fuse(rows.project),
        "project_both": fuse(rows.project_both),
        "spread": fuse(rows.spread),
        "fetch": fuse(rows.fetch),
        "pieces_of": fuse(rows.pieces),
        "entry": fuse(rows.entry),
        "predict": fuse(model.value),
        "bend": fuse(model.slope),
        "pull": fuse(model.pull),
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
    parts, data, state, limits, plan : Parts, Data, State, Limits, Plan
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
        As in `Plan`, for the next call.
    """
    theta, answer, g = state.theta, state.answer, state.g
    n, t, batch = data.y.size, plan.t, plan.batch
    best, stale, ceiling, kept = plan.best, plan.stale, plan.ceiling, 0
    for e in range(record.shape[1]):
        total = 0.0
        if not FULL:
            if rates.size == 0 or plan.sampling == REPLACEMENT:
                total = survey(parts, data, answer)
            if rates.size > 0:
                shuffle(state.order, draws, e, plan.sampling)
        if REDUCES and rates.size > 0:
            anchor(parts, data, state.reduced, theta)
        for start in range(0, n if rates.size > 0 else 0, batch):
            stop, c, rate = start + batch, 0.0, rates[t - plan.t]
            stop = stop if stop < n else n
            if LAZY:
                wake(data.rows, theta, state.order, state.idle, start, stop)
            if not FULL:
                seen, c = accumulate(parts, data, state, theta, answer, g, start, stop)
                total += seen if plan.sampling != REPLACEMENT else 0.0
            if REDUCES:
                lean(state.reduced, g, (stop - start) / n)
            hold(data.held, g)
            if LAZY:
                tick(parts, data, theta, g, state.order, state.idle, start, stop, rate)
                rest(theta, state.idle, data.width, stop == n)
            else:
                advance(parts, data, state, limits, theta, answer, g, t, rate, c, start)
            hold(data.held, theta)
            hold(data.held, answer)
            if path.shape[0] > 0 and t % plan.kept == 0:
                for j in range(theta.size):
                    path[kept, j] = answer[j] if LOOKS_AHEAD else theta[j]
                kept += 1
            if AVERAGES and t >= plan.averaged:
                for j in range(theta.size):
                    w = answer[j] if LOOKS_AHEAD else theta[j]
                    state.mean[j] += (w - state.mean[j]) / (t - plan.averaged + 1)
            t += 1
        if FULL:
            total, _ = accumulate(parts, data, state, theta, answer, g, 0, n)
            hold(data.held, g)
        left = appraise(parts.penalty, data, state, limits, theta, answer, g, record, e)
        total += record[OMEGA, e]
        record[TOTAL, e] = total
        if best == math.inf:
            ceiling = GROWTH * (total if total > limits.null else limits.null)
        stale = 0.0 if total < best - limits.gain else stale + 1.0
        best = total if total < best else best
        if not abs(total) < math.inf:  # isfinite subtracts, and sums that may be reordered cancel
            return NONFINITE, e + 1, best, stale, ceiling
        if total > ceiling:
            return GROWN, e + 1, best, stale, ceiling
        if left <= limits.tol:
            return CONVERGED, e + 1, best, stale, ceiling
        if stale >= limits.patience:
            return PLATEAU, e + 1, best, stale, ceiling
    return RUNNING, record.shape[1], best, stale, ceiling


def accumulate(parts, data, state, theta, answer, g, start, stop):
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
    total, pulls, scale = 0.0, 0.0, 1.0 / (stop - start)
    shift, shift_answer, zoom = 0.0, 0.0, 1.0
    pieces = 1 if FULL else pieces_of(rows)
    if LAZY:
        zoom = state.idle.clock[0]
    for j in range(centre.size):
        shift -= centre[j] * theta[j]
        shift_answer -= centre[j] * answer[j]
    for k in range(start, stop):
        i = k if FULL else order[k]
        if FULL and k + NEXT < stop:
            fetch(rows, k + NEXT, 0, 1)
        if not FULL and k + AHEAD < order.size:
            for q in range(pieces):
                fetch(rows, order[k + AHEAD - APART * q], q, pieces)
            fetch(rows, order[k + SOON], 0, 1)
            prefetch(y, order[k + AHEAD], order[k + AHEAD] + 1)
            prefetch(weight, order[k + AHEAD], order[k + AHEAD] + 1)
        if FULL and not LOOKS_AHEAD:
            z = project(rows, theta, i) + shift
            z_answer = z
        else:
            z, z_answer = project_both(rows, theta, answer, i)
            z, z_answer = zoom * z + shift, z_answer + shift_answer
        f = predict(parts.model, z, theta, p)
        r = scale * weight[i] * slope(parts.loss, f, y[i])
        if REDUCES:
            r = differ(state.reduced, r, scale, i)
        c = r * bend(parts.model, z, theta, p)
        if LAZY:
            state.idle.pulls[k - start] = c
        elif not SINGLE:
            spread(rows, c, i, g)
        pull(parts.model, z, theta, p, r, g)
        pulls += c
        if not FULL or LOOKS_AHEAD:
            f = predict(parts.model, z_answer, answer, p)
        total += weight[i] * value(parts.loss, f, y[i])
    for j in range(centre.size):
        g[j] -= pulls * centre[j]
    return total / y.size, pulls


def survey(parts, data, answer):
    """Return the mean loss of the answer."""
    rows, y, weight = data.rows, data.y, data.weight
    centre, p = data.centre, data.width
    total, shift = 0.0, 0.0
    for j in range(centre.size):
        shift -= centre[j] * answer[j]
    for i in range(y.size):
        f = predict(parts.model, project(rows, answer, i) + shift, answer, p)
        total += weight[i] * value(parts.loss, f, y[i])
    return total / y.size


def advance(parts, data, state, limits, theta, answer, g, t, rate, c, start):
    """Take one step with the gradient in ``state.g``, and leave zeros there."""
    memory, strength, p = state.memory, data.strength, data.width
    norm, disagreement = 0.0, 0.0
    if CLIPS:
        clip(parts.penalty, strength, limits, theta, g)
    if NEEDS_NORM:
        for j in range(theta.size):
            slope_j = g[j] + strength[j] * smooth(parts.penalty, theta[j])
            norm += slope_j * slope_j
    shared = prepare(parts.optimizer, t, norm, state.scalars)
    if SINGLE:
        i = state.order[start]
        for j in range(p):
            x = entry(data.rows, i, j)
            move(parts, data, theta, answer, memory, shared, rate, j, c * x)
        for j in range(p, theta.size):
            move(parts, data, theta, answer, memory, shared, rate, j, g[j])
            g[j] = 0.0
    else:
        for j in range(theta.size):
            disagreement += move(parts, data, theta, answer, memory, shared, rate, j, g[j])
            g[j] = 0.0
    if LOOKS_AHEAD:
        reach = extrapolate(parts.optimizer, state.scalars, disagreement)
        for j in range(theta.size):
            z = theta[j]
            theta[j] = z + reach * (z - answer[j])
            answer[j] = z


def clip(penalty, strength, limits, theta, g):
    """Shorten the gradient of the smooth part, then cut its entries."""
    norm = 0.0
    for j in range(theta.size):
        slope_j = g[j] + strength[j] * smooth(penalty, theta[j])
        norm += slope_j * slope_j
    norm = math.sqrt(norm)
    share = limits.norm / norm if norm > limits.norm else 1.0
    for j in range(theta.size):
        decay = strength[j] * smooth(penalty, theta[j])
        whole = share * (g[j] + decay)
        whole = whole if whole < limits.entry else limits.entry
        g[j] = (whole if whole > -limits.entry else -limits.entry) - decay


def hold(columns, values):
    """Set what belongs to constant columns to zero."""
    for k in range(columns.size):
        values[columns[k]] = 0.0


def move(parts, data, theta, answer, memory, shared, rate, j, g):
    """Move one parameter; return how much its step disagrees with its last move."""
    w, alpha = theta[j], data.strength[j]
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
    return (w - z) * (z - answer[j]) if LOOKS_AHEAD else 0.0


def appraise(penalty, data, state, limits, theta, answer, g, record, e):
    """Record what there is to say about the answer but its loss; return what is left to gain.

    The latter is, on the full batch, the largest entry of the proximal gradient, each in its
    own unit and freed of rounding. On smaller batches the answer is then made current.
    """
    omega, worst, steep, way, zeros = 0.0, 0.0, 0.0, 0.0, 0
    for j in range(theta.size):
        alpha, w = data.strength[j], answer[j]
        omega += alpha * omega_of(penalty, w)
        moved = w - state.last[j]
        way += moved * moved
        state.last[j] = w
        zeros += 1 if w == 0.0 and j < data.width else 0
        if FULL:
            w, tau = theta[j], limits.scale[0, j]
            slope_j = g[j] + alpha * smooth(penalty, w)
            steep += slope_j * slope_j
            z = prox(penalty, w - tau * slope_j, tau * alpha)
            if BOUNDED:
                z = z if z > data.floor[j] else data.floor[j]
            left = limits.scale[1, j] * (abs(w - z) / tau - limits.scale[2, j])
            worst = left if left > worst else worst
        else:
            answer[j] = theta[j]
    record[LEFT, e] = worst if FULL else math.inf
    record[OMEGA, e] = omega
    record[SLOPE, e] = math.sqrt(steep) if FULL else math.nan
    record[STEP, e] = math.sqrt(way)
    record[ZEROS, e] = zeros
    return record[LEFT, e]


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
