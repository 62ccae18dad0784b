"""One step: direction and scale of the optimizer, move, prox; and the variants of each.

The names below are slots, which `build` (in `skgd.descent.loop`) fills with the plain methods of
the optimizer and the penalty, and by `step_functions`. A slot that is None is left out. Nothing
here allocates.
"""

import math

prepare = step = extrapolate = entry = None
smooth = prox = None
clip = squared_norm = shrink = bound = look_ahead = unit_of = None


def dense_step(parts, problem, state, rule, t, rate):
    """Take one step with the gradient in ``state.g``, and leave zeros there."""
    g, norm, criterion = state.g, 0.0, 0.0
    if clip is not None:
        clip(parts, problem, state, rule)
    if squared_norm is not None:
        norm = squared_norm(parts, problem, state)
    shared = prepare(parts.optimizer, t, norm, state.scalars)
    for j in range(g.size):
        w, z = move(parts, problem, state, shared, rate, j, g[j])
        g[j] = 0.0
        if look_ahead is not None:
            unit = 1.0 if unit_of is None else unit_of(state, j)
            criterion += (w - z) * (z - state.iterate[j]) / (unit * unit)
    if look_ahead is not None:
        look_ahead(parts.optimizer, state, criterion)


def single_step(parts, problem, data, state, t, rate, i, c):
    """Take one step with the gradient ``c x_i``, which is not stored, and ``state.g`` beside."""
    g, p, centre = state.g, data.width, data.centre
    is_centred = centre.size > 0
    shared = prepare(parts.optimizer, t, 0.0, state.scalars)
    for j in range(p):
        x = entry(data.rows, i, j)
        x = x - centre[j] if is_centred else x
        move(parts, problem, state, shared, rate, j, c * x)
    for j in range(p, g.size):
        move(parts, problem, state, shared, rate, j, g[j])
        g[j] = 0.0


def move(parts, problem, state, shared, rate, j, g):
    """Move one parameter; return where it was and where it is.

    In units of its own it is ``theta_j / unit``, with the gradient ``unit * g``.
    """
    w, alpha = state.theta[j], problem.strengths[j]
    unit = 1.0 if unit_of is None else unit_of(state, j)
    decay = alpha * smooth(parts.penalty, w)
    if shrink is None:
        d, s = step(parts.optimizer, unit * (g + decay), state.memory, j, shared)
        s = unit * s
        z = prox(parts.penalty, w - rate * s * d, rate * (s * unit) * alpha)
    else:
        d, s = step(parts.optimizer, g, state.memory, j, shared)
        z = prox(parts.penalty, shrink(w, rate, s * d, decay), rate * s * alpha)
    if bound is not None:
        z = bound(problem, j, z)
    state.theta[j] = z
    return w, z


def own_unit(state, j):
    """Return the unit of a parameter."""
    return state.units[j]


def zero_constant(problem, values):
    """Set what belongs to constant columns to zero."""
    for k in range(problem.constant.size):
        values[problem.constant[k]] = 0.0


def clip_gradient(parts, problem, state, rule):
    """Shorten the gradient of the smooth part, then cut its entries."""
    theta, g, strengths = state.theta, state.g, problem.strengths
    norm = math.sqrt(gradient_norm(parts, problem, state))
    share = rule.norm / norm if norm > rule.norm else 1.0
    for j in range(theta.size):
        decay = strengths[j] * smooth(parts.penalty, theta[j])
        whole = share * (g[j] + decay)
        whole = whole if whole < rule.entry else rule.entry
        g[j] = (whole if whole > -rule.entry else -rule.entry) - decay


def gradient_norm(parts, problem, state):
    """Return the squared norm of the gradient of the smooth part."""
    norm = 0.0
    for j in range(state.theta.size):
        slope = state.g[j] + problem.strengths[j] * smooth(parts.penalty, state.theta[j])
        norm += slope * slope
    return norm


def decoupled_decay(w, rate, move, decay):
    """Shrink a weight beside the step along the gradient of the data term."""
    return w - rate * (move + decay)


def nonnegative(problem, j, z):
    """Turn the prox of a penalty into that of the penalty which is infinite below zero."""
    penalized = problem.penalized[j]  # in any case, so that the loop needs no branch
    return 0.0 if penalized and not z > 0.0 else z


def extrapolate_iterates(optimizer, state, criterion):
    """Take the next gradient past the iterate, on the line from the last one.

    The restart criterion is how far the step opposes that move.
    """
    theta, iterate = state.theta, state.iterate
    reach = extrapolate(optimizer, state.scalars, criterion)
    for j in range(theta.size):
        z = theta[j]
        theta[j] = z + reach * (z - iterate[j])
        iterate[j] = z


def step_functions(variant, optimizer):
    """Return what a step consists of, for a variant of the loop and an optimizer."""
    needs_norm = optimizer.needs_norm or variant.clips
    return {
        "unit_of": own_unit if variant.in_units else None,
        "gradient_norm": gradient_norm if needs_norm else None,
        "squared_norm": gradient_norm if optimizer.needs_norm else None,
        "clip": clip_gradient if variant.clips else None,
        "shrink": decoupled_decay if optimizer.decoupled else None,
        "bound": nonnegative if variant.nonnegative else None,
        "look_ahead": extrapolate_iterates if optimizer.extrapolates else None,
        "move": move,
        "zero_constant": zero_constant,
        "dense_step": dense_step if variant.batch in ("full", "batch") else None,
        "single_step": single_step if variant.batch == "single" else None,
    }
