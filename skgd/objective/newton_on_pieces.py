"""Newton steps for losses on rows in pieces, and lower bounds of the minimum at their ends.

As `skgd.objective.newton_steps`, but for what is known of the rows: one reading gives the second
derivatives of the data term over all columns, another what the dual vector of a step proves.
"""

from typing import NamedTuple

import numpy as np

from skgd.objective.affine import MOST_ROUNDINGS
from skgd.objective.duality import EPS, ROUNDING, Certificate, Slack, stored_lengths
from skgd.objective.quadratic_model import Model, model_minimum

ROUNDS = 500  # steps, for each smoothing
PARTS = 0.5 ** np.arange(12)  # of a step that are tried
SHORT = 0.2  # part of a step, below which the secants' step is tried too
NOISE = 1e-13  # of the objective, below which its differences are rounding
NEAR = 0.01  # of the best constant's objective: what a step lowers, from which bounds are worth it
EXCHANGES = 3  # of columns of the model, that may fail to lower the number of wrong ones
REFINEMENTS = 2  # of a dual vector whose slopes are not those of the minimum of the model
MULTIPLES = 1.0 - np.array([0.0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2])  # of a dual vector
DAMPINGS = 0.0, 1e-8, 1e-5, 1e-2  # of a model whose minimum leads nowhere
FALL = 0.2  # of the smoothing, from one minimum to the next
ENOUGH = 0.01  # of what smoothing adds to the loss of a row: a smaller fall ends the steps
LEAST = 1e-12  # of the first smoothing


class Found(NamedTuple):
    """Parameters on the way to the minimum, and what is known there."""

    theta: np.ndarray  # (d,)
    value: float  # the objective
    smoothed: float  # the same of smoothed losses; of smooth ones itself
    g: np.ndarray  # (d,): the slopes of the latter's data term
    H: np.ndarray  # (d, d): its second derivatives
    bound: float = -np.inf  # a lower bound of the minimum


def newton_on_pieces(objective, theta):
    """Generate steps to the minimum, of which the first stays at theta.

    Losses whose slope jumps are smoothed, ever less: from the minimum for one smoothing the steps
    go to that for the next.

    Parameters
    ----------
    objective : Objective
        Of a linear model, and a loss that is smooth or has kinks, whose term is a `PiecesTerm`.
    theta : ndarray of shape (d,)

    Yields
    ------
    Found
    """
    term, smoothing = objective.term, 0.0
    if term.nonsmooth:
        steepness = np.sqrt(term.square_slope_at_zero())
        smoothing = objective.null_objective / (steepness if steepness > 0.0 else 1.0)
    least = LEAST * smoothing
    while True:
        for found in _steps(objective, theta, smoothing):
            yield found
        theta, smoothing = found.theta, FALL * smoothing
        if smoothing <= least:
            return


def _steps(objective, theta, smoothing):
    """Generate steps for one smoothing."""
    found, unit = _found(objective, theta, smoothing), objective.null_objective
    steepness = np.sqrt(objective.term.square_slope_at_zero())
    enough = ENOUGH * smoothing * steepness / objective.n
    yield found
    for _ in range(ROUNDS):
        if not (np.isfinite(found.value) and np.isfinite(found.H).all()):
            return
        before = found
        for damping in DAMPINGS:
            end, target = _minimum_of_model(objective, before, damping)
            found, part = _lower(objective, before, end, smoothing)
            if part < SHORT and not smoothing and not _is_at_rest(objective, before):
                found = _safer(objective, before, found)
            if found is not before or _is_at_rest(objective, before):
                break
        fall = before.smoothed - found.smoothed
        ends = found.theta is before.theta or (smoothing > 0.0 and fall <= enough)
        if fall <= NEAR * unit and (ends or not smoothing):
            least = min(before.value, found.value)
            bound = _bound(objective, before.theta, smoothing, target, least)
            found = found._replace(bound=bound)
        yield found
        if ends:
            return


def _safer(objective, before, found):
    """Return the end of a step with the curvature of secants, where it is lower."""
    if objective.loss.curvature is None:
        return found
    H = objective.term.curvature_of_secants(before.theta)
    constant = np.flatnonzero(objective.constant)
    H[constant] = H[:, constant] = 0.0
    end, _ = _minimum_of_model(objective, before._replace(H=H), 0.0)
    other, _ = _lower(objective, before, end, 0.0)
    return other if other.value < found.value else found


def certify_on_pieces(objective, theta, known=None, share=0.5, negligible=1e-7):
    """Return the certificate of a point.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (d,)
    known : Certificate or None
        Of another point.
    share : float
        Of the gap at the point, by which the bound may be below the minimum.
    negligible : float
        Gap over the best constant's objective, which is not worth another step.
    """
    value, bound = objective.value(theta), -np.inf if known is None else known.lower_bound
    unit, least = negligible * objective.null_objective, value
    if not value - bound <= unit:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for found in newton_on_pieces(objective, theta):
                least, bound = min(least, found.value), max(bound, found.bound)
                if bound >= least - max(unit, share * (value - least)):
                    break
    return Certificate(theta, value, bound)


def _found(objective, theta, smoothing):
    loss, smoothed, g, H = objective.term.second_order(theta, smoothing)
    constant = np.flatnonzero(objective.constant)
    g[constant] = H[constant] = H[:, constant] = 0.0
    penalty = objective.penalty_term(theta)
    return Found(theta, float(loss) + penalty, float(smoothed) + penalty, g, H)


def _strengths(objective):
    """Return the strengths of the l1 and the l2 part of each parameter."""
    none = np.zeros(objective.d - objective.p)
    return [np.append(strength, none) for strength in objective.resolved_strengths]


def _minimum_of_model(objective, found, damping):
    """Return the minimum of the quadratic model at a point, with its signs and the model.

    A share of its diagonal may be added to the second derivative, as Levenberg does.
    """
    a, b = _strengths(objective)
    H = found.H + damping * np.diag(found.H.diagonal())
    q = H @ found.theta - found.g
    weights = np.arange(objective.d) < objective.p
    bounded = (a > 0.0) | (weights & objective.positive)
    model = Model(H + np.diag(b), q, a, b, bounded, objective.positive)
    z, signs = model_minimum(model, found.theta, EXCHANGES)
    return z, (z, signs, model)


def _lower(objective, before, end, smoothing):
    """Return the end of the part of a step that lowers the objective, and that part.

    The begin, and zero, are returned for none.
    """
    noise, found = NOISE * abs(before.smoothed), _found(objective, end, smoothing)
    if abs(found.smoothed - before.smoothed) <= noise:
        left = [_residual(objective, point) for point in (found, before)]
        return (found, 1.0) if left[0] < left[1] else (before, 0.0)
    for part in PARTS:
        if part < 1.0:
            theta = before.theta + part * (end - before.theta)
            found = _found(objective, theta, smoothing)
        if found.smoothed < before.smoothed - noise:
            return found, part
    return before, 0.0


def _residual(objective, found):
    """Return by how much the conditions of a minimum are not met, in units of the columns."""
    (a, b), theta = _strengths(objective), found.theta
    g = -found.g - b * theta
    g = np.where(theta != 0.0, g - a * np.sign(theta), np.sign(g) * np.maximum(np.abs(g) - a, 0.0))
    if objective.positive:
        blocked = (theta == 0.0) & (g < 0.0) & (np.arange(theta.size) < objective.p)
        g = np.where(blocked, 0.0, g)
    lengths = np.append(np.sqrt(objective.column_squares), np.ones(theta.size - objective.p))
    return np.abs(np.divide(g, lengths, np.zeros(theta.size), where=lengths > 0.0)).max()


def _is_at_rest(objective, found):
    """Whether the conditions of a minimum are met up to rounding."""
    steepness = np.sqrt(objective.term.square_slope_at_zero())
    return _residual(objective, found) <= NOISE * steepness


def _bound(objective, theta, smoothing, target, least):
    """Return the lower bound of the minimum that a step from theta proves.

    The step is refined where the slopes of its dual vector are not those that the minimum of the
    model has.
    """
    (z, signs, model), p, best = target, objective.p, -np.inf
    kept = ~model.bounded | (signs != 0.0)
    step, lengths = z - theta, stored_lengths(objective)
    for k in range(REFINEMENTS + 1):
        sums = objective.term.dual_sums(theta, step, smoothing, MULTIPLES)
        u, noise = sums[0], EPS * (8.0 + min(objective.n, MOST_ROUNDINGS)) * np.sqrt(sums[1])
        if not np.isfinite(u).all():
            break
        u[:p][objective.constant] = 0.0
        slack, level = Slack(noise * lengths, z[:p], least), z[p:].sum()
        multiples, end = MULTIPLES, _largest_multiple(objective, u, slack, noise)
        if end < MULTIPLES[-1]:
            multiples = end * MULTIPLES
            sums = objective.term.dual_sums(theta, step, smoothing, multiples)
        known = [(c, *rest) for c, *rest in zip(multiples, *sums[2:]) if c <= end]
        values = [_dual_value(objective, -u, *rest, slack, level) for rest in known]
        best = max([best, *values])
        rest = (-u - model.a * signs - model.b * z)[kept]
        within = noise * np.append(lengths, np.ones(z.size - p))[kept]
        if k == REFINEMENTS or (np.abs(rest) <= within).all():
            break
        move = np.zeros(z.size)
        move[kept] = np.linalg.lstsq(model.M[np.ix_(kept, kept)], rest, rcond=None)[0]
        step, z = step + move, z + move
    return best


def _largest_multiple(objective, u, slack, noise):
    """Return the largest multiple of a dual vector, at most one, that is feasible."""
    a, hard = objective.resolved_strengths[0], objective.resolved_strengths[1] == 0.0
    p, end, sizes = objective.p, 1.0, -u[: objective.p]
    sizes = np.maximum(sizes, 0.0) if objective.positive else np.abs(sizes)
    if objective.d > p and noise:
        end = noise / max(abs(u[p:].sum()), noise)
    steep = hard & (sizes > slack.rounding)
    return min(end, ((a + slack.rounding)[steep] / sizes[steep]).min(initial=1.0))


def _dual_value(objective, u, multiple, losses, size, slack, level):
    """Return the dual objective at a multiple, as `skgd.objective.conjugates` has it."""
    (a, b), p = objective.resolved_strengths, objective.p
    mean, u = u[p:].sum(), np.maximum(u[:p], 0.0) if objective.positive else u[:p]
    soft = b > 0.0
    excess = np.maximum(multiple * np.abs(u) - a, 0.0)[soft]
    value = -losses - 0.5 * (excess**2 / b[soft]).sum() - ROUNDING * size
    value -= float(slack.cost(multiple * u, (a, b))) + abs(multiple * mean * level)
    return value if value == value else -np.inf
