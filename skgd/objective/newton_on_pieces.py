"""Newton steps for smooth losses on rows in pieces, and lower bounds of the minimum at their ends.

As `skgd.objective.newton_steps`, but for what is known of the rows: one reading gives the second
derivatives of the data term over all columns, another what the dual vector of a step proves.
"""

from typing import NamedTuple

import numpy as np

from skgd.objective.affine import MOST_ROUNDINGS
from skgd.objective.duality import EPS, ROUNDING, Certificate, Slack, stored_lengths
from skgd.objective.quadratic_model import Model, model_minimum

ROUNDS = 50  # steps
PARTS = 0.5 ** np.arange(12)  # of a step that are tried
NOISE = 1e-13  # of the objective, below which its differences are rounding
NEAR = 0.01  # of the best constant's objective: what a step lowers, from which bounds are worth it
EXCHANGES = 3  # of columns of the model, that may fail to lower the number of wrong ones
REFINEMENTS = 2  # of a dual vector whose slopes are not those of the minimum of the model
SHARES = 1.0 - np.array([0.0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2])  # of a dual vector


class Found(NamedTuple):
    """Parameters on the way to the minimum, and what is known there."""

    theta: np.ndarray  # (d,)
    value: float  # the objective
    g: np.ndarray  # (d,): the slopes of the data term
    H: np.ndarray  # (d, d): its second derivatives
    bound: float = -np.inf  # a lower bound of the minimum


def newton_on_pieces(objective, theta):
    """Generate steps to the minimum, of which the first stays at theta.

    Parameters
    ----------
    objective : Objective
        Of a linear model and a smooth loss, whose term is a `PiecesTerm`.
    theta : ndarray of shape (d,)

    Yields
    ------
    Found
    """
    found = _found(objective, theta)
    yield found
    for _ in range(ROUNDS):
        if not (np.isfinite(found.value) and np.isfinite(found.H).all()):
            return
        before, (end, target) = found, _minimum_of_model(objective, found)
        found = _lower(objective, before, end)
        if before.value - found.value <= NEAR * objective.null_objective:
            bound = _bound(objective, before, target, min(before.value, found.value))
            found = found._replace(bound=bound)
        yield found
        if found.theta is before.theta:
            return


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


def _found(objective, theta):
    loss, g, H = objective.term.second_order(theta)
    constant = np.flatnonzero(objective.constant)
    g[constant] = H[constant] = H[:, constant] = 0.0
    return Found(theta, float(loss) + objective.penalty_term(theta), g, H)


def _strengths(objective):
    """Return the strengths of the l1 and the l2 part of each parameter."""
    none = np.zeros(objective.d - objective.p)
    return [np.append(strength, none) for strength in objective.resolved_strengths]


def _minimum_of_model(objective, found):
    """Return the minimum of the quadratic model at a point, with its signs and the model."""
    a, b = _strengths(objective)
    q = found.H @ found.theta - found.g
    weights = np.arange(objective.d) < objective.p
    bounded = (a > 0.0) | (weights & objective.positive)
    model = Model(found.H + np.diag(b), q, a, b, bounded, objective.positive)
    z, signs = model_minimum(model, found.theta, EXCHANGES)
    return z, (z, signs, model)


def _lower(objective, before, end):
    """Return the end of the part of a step that lowers the objective; the begin for none."""
    noise = NOISE * abs(before.value)
    found = _found(objective, end)
    if found.value < before.value - noise:
        return found
    if abs(found.value - before.value) <= noise:
        closer = (
            np.abs(_residual(objective, found)).max() < np.abs(_residual(objective, before)).max()
        )
        return found if closer else before
    for part in PARTS[1:]:
        theta = before.theta + part * (end - before.theta)
        if objective.value(theta) < before.value - noise:
            return _found(objective, theta)
    return before


def _residual(objective, found):
    """Return by how much the conditions of a minimum are not met, in units of the columns."""
    (a, b), theta = _strengths(objective), found.theta
    g = -found.g - b * theta
    g = np.where(theta != 0.0, g - a * np.sign(theta), np.sign(g) * np.maximum(np.abs(g) - a, 0.0))
    if objective.positive:
        blocked = (theta == 0.0) & (g < 0.0) & (np.arange(theta.size) < objective.p)
        g = np.where(blocked, 0.0, g)
    lengths = np.append(np.sqrt(objective.column_squares), np.ones(theta.size - objective.p))
    return np.divide(g, lengths, np.zeros(theta.size), where=lengths > 0.0)


def _bound(objective, before, target, least):
    """Return the lower bound of the minimum that a step proves.

    The step is refined where the slopes of its dual vector are not those that the minimum of the
    model has.
    """
    (z, signs, model), p, best = target, objective.p, -np.inf
    kept = ~model.bounded | (signs != 0.0)
    step, lengths = z - before.theta, stored_lengths(objective)
    for k in range(REFINEMENTS + 1):
        u, square, losses, sizes = objective.term.dual_sums(before.theta, step, SHARES)
        u[:p][objective.constant] = 0.0
        if not np.isfinite(u).all():
            break
        noise = EPS * (8.0 + min(objective.n, MOST_ROUNDINGS)) * np.sqrt(square)
        slack = Slack(noise * lengths, z[:p], least)
        best = max(best, _dual_value(objective, -u, (losses, sizes), slack, noise, z[p:].sum()))
        rest = (-u - model.a * signs - model.b * z)[kept]
        within = noise * np.append(lengths, np.ones(z.size - p))[kept]
        if k == REFINEMENTS or (np.abs(rest) <= within).all():
            break
        move = np.zeros(z.size)
        move[kept] = np.linalg.lstsq(model.M[np.ix_(kept, kept)], rest, rcond=None)[0]
        step, z = step + move, z + move
    return best


def _dual_value(objective, u, conjugates, slack, noise, level):
    """Return the dual objective at the best of the multiples, as `conjugates.dual_value` does."""
    (a, b), p, (losses, sizes) = objective.resolved_strengths, objective.p, conjugates
    mean, u = u[p:].sum(), np.maximum(u[:p], 0.0) if objective.positive else u[:p]
    hard, end = b == 0.0, 1.0
    if objective.d > p and noise:
        end = noise / max(abs(mean), noise)
    steep = hard & (np.abs(u) > slack.rounding)
    end = min(end, ((a + slack.rounding)[steep] / np.abs(u)[steep]).min(initial=1.0))
    best = -np.inf
    for c, loss, size in zip(SHARES, losses, sizes):
        if c <= end and np.isfinite(loss):
            excess = np.maximum(c * np.abs(u) - a, 0.0)[~hard]
            value = -loss - 0.5 * (excess**2 / b[~hard]).sum() - ROUNDING * size
            value -= float(slack.cost(c * u, (a, b))) + abs(c * mean * level)
            best = max(best, value)
    return best
