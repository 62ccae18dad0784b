"""Proximal Newton steps for smooth losses, and dual vectors at their ends.

Each step goes to the minimum of the quadratic model of the data term plus the penalty, over the
active columns: those with a weight, and the steepest of those whose slope exceeds its bound. Where
only a small part of it leads down, as few losses are curved at the begin, the curvature of their
secants makes a safer model. The dual vector has the slopes of the losses at the end, to first
order.

References
----------
Lee, Sun and Saunders, "Proximal Newton-type methods for minimizing composite functions" (2014).
"""

from typing import NamedTuple

import numpy as np

from skgd.objective.affine import curvature, split
from skgd.objective.loss_points import (
    Point,
    certified_point,
    point_at,
    point_of,
    slope_gap,
    violation,
)
from skgd.objective.newton_duals import Target, dual_of_step
from skgd.objective.quadratic_model import Model, model_minimum
from skgd.objective.row_losses import Secants, SecondDerivatives, losses_along, mean_change

PARTS = 0.5 ** np.arange(12)  # of a step that are tried
NOISE = 1e-13  # of the objective, below which its differences are rounding


class Tuning(NamedTuple):
    """How much the steps may cost. Worked out, not measured."""

    flops: float = 1e10  # multiply-adds of the curvatures of all steps: about a second
    max_columns: int = 2000  # active at once, beyond which there are no steps
    rounds: int = 12  # steps
    slope_gap: float = 1e-7  # of the best constant's objective: no more than free columns move
    reuse: float = 0.05  # of the second derivatives, whose change is too small for a new curvature
    columns: int = 200  # that join at once; or as many as there are
    refinements: int = 4  # of the solution of each step
    short: float = 0.2  # part of a step, below which the secants' step is tried too
    exchanges: int = 3  # of columns of the model, that may fail to lower the number of wrong ones


class Curvature(NamedTuple):
    """Second derivatives of the data term over some columns and the intercept."""

    active: np.ndarray  # (p,), bool
    J: np.ndarray  # the columns
    second: SecondDerivatives  # of the losses
    M: np.ndarray

    def serves(self, active, second, reuse):
        """Whether it is near enough to the one over these columns with these derivatives."""
        if (active & ~self.active).any():
            return False
        change, mean = mean_change(self.second, second)
        return bool(change <= reuse * mean)


class Move(NamedTuple):
    """A step from a point, and where it leads."""

    point: Point
    part: float  # of the step that is taken
    known: Curvature
    end: Point  # of all of it
    target: Target


def newton_steps(objective, theta, tuning, wants=None, start=None):
    """Generate steps to the minimum.

    Parameters
    ----------
    objective : Objective
        Of a linear model and a smooth loss.
    theta : ndarray of shape (d,)
    tuning : Tuning
    wants : callable or None
        Says whether a step to a `Point` needs a dual vector, if it leads anywhere; None for all.
    start : callable or None
        Returns the `Point` at theta and forgets it, if it is known.

    Yields
    ------
    Step
        With a dual vector, or the lower bound that its slopes prove.
    """
    (a, b), flops, known = objective.resolved_strengths, tuning.flops, None
    goal, v = tuning.slope_gap * objective.null_objective, None
    point = point_at(objective, *split(objective, theta)) if start is None else start()
    point, bound = _certified(objective, point, goal, wants)
    if bound > -np.inf:
        yield point.as_step(None, bound)
    for k in range(tuning.rounds):
        active, second = _active(objective, point, tuning), SecondDerivatives(objective, point.f)
        serve = not k and slope_gap(objective, point.w, point.u) <= goal
        if serve:  # the slopes at hand, where free columns have none
            active &= (a == 0.0) & (b == 0.0)
        if known is None or not known.serves(active, second, tuning.reuse):
            known, flops = _curvature(objective, point, active, second, flops, tuning)
            if known is None:
                return
        del v  # before there are new predictions
        before, move = point, _move(objective, known, point, tuning)
        if move.part < tuning.short or move.point is before:
            move, flops = _safer(objective, move, before, active, flops, tuning)
        if not np.isfinite(move.end.value):
            return
        point, known = move.point, move.known
        stays, fresh, v = point is before, known.second is second, None
        point, bound = _certified(objective, point, goal, wants)
        if bound == -np.inf and (stays or wants is None or wants(point)):
            v = dual_of_step(objective, before, move, tuning.refinements)
            if not np.isfinite(v.sum()):
                return
        if v is point.f:
            point = point_at(objective, point.w, point.level)
        known = known if move.part == 1.0 and not (serve or stays) else None
        del before, move, second
        yield point.as_step(v, bound)
        if stays and fresh and not serve:
            return


def _move(objective, known, before, tuning):
    """Return the step to the minimum of a model, or the part of it that leads down."""
    end, target = _newton_step(objective, known, before, tuning)
    lowest = _lower(objective, before, end) if np.isfinite(end.value) else (before, 1.0)
    return Move(*lowest, known, end, target)


def _safer(objective, move, before, active, flops, tuning):
    """Return the step of the secants where it leads lower than a move, and the flops left."""
    if objective.loss.curvature is None:
        return move, flops
    secants = Secants(objective, before.f)
    known, flops = _curvature(objective, before, active, secants, flops, tuning)
    if known is None:
        return move, flops
    other = _move(objective, known, before, tuning)
    return (other if other.point.value < move.point.value else move), flops


def _curvature(objective, point, active, second, flops, tuning):
    """Return the `Curvature` at a point, None if it costs too much, and what flops are left."""
    (a, b), cost = objective.resolved_strengths, _flops(objective, active, point.means.curved)
    if cost > flops:
        active = active & (a == 0.0) & (b == 0.0)
        cost = _flops(objective, active, point.means.curved)
    flops, J = flops - cost, np.flatnonzero(active)
    too_large = flops < 0.0 or J.size > tuning.max_columns
    if too_large or not (np.isfinite(point.value) and np.isfinite(point.u).all()):
        return None, flops
    M = curvature(objective, J, second.of)
    return Curvature(active, J, second, M) if np.isfinite(M).all() else None, flops


def _certified(objective, point, goal, wants):
    """Return a point, and the bound that its slopes prove if that is wanted and near enough."""
    b = objective.resolved_strengths[1]
    if np.count_nonzero(b) < b.size or objective.loss.conjugate is None:
        return point, -np.inf
    if slope_gap(objective, point.w, point.u) > goal or not (wants is None or wants(point)):
        return point, -np.inf
    end, bound = certified_point(objective, point)
    return end, bound if end.value - bound <= goal else -np.inf


def _active(objective, point, tuning):
    """Return the columns to move: those with a weight, and the steepest ones without."""
    a, w, u = objective.resolved_strengths[0], point.w, point.u
    if not (np.count_nonzero(a) or objective.positive):
        return ~objective.constant
    excess = (u if objective.positive else np.abs(u)) - a
    excess[(w != 0.0) | objective.constant] = -np.inf
    active = (w != 0.0) & ~objective.constant
    joining = np.flatnonzero(excess > 0.0)
    most = max(tuning.columns, np.count_nonzero(active))
    if joining.size > most:
        joining = joining[np.argpartition(-excess[joining], most)[:most]]
    active[joining] = True
    return active


def _flops(objective, columns, n_curved):
    """Return the multiply-adds of the curvature over some columns, and of its factor."""
    k = np.count_nonzero(columns) + objective.d - objective.p
    if objective.term.sparse:
        X = objective.X
        return X.nnz**2 / max(1, X.shape[0]) + float(k) ** 3
    return (n_curved + k) * float(k) ** 2


def _newton_step(objective, known, point, tuning):
    """Take a step over some columns and the intercept.

    Where the curvature is singular, the end is the nearest.

    Parameters
    ----------
    objective : Objective
    known : Curvature
        At the point or near to it.
    point : Point
    tuning : Tuning

    Returns
    -------
    end : Point
    target : Target
    """
    J, M, n_weights = known.J, known.M, known.J.size
    slopes, z, a, b = np.zeros((4, len(M)))
    for of, values in zip((slopes, z, a, b), (point.u, point.w, *objective.resolved_strengths)):
        of[:n_weights] = values[J]
    slopes[n_weights:], z[n_weights:] = -point.mean_slope, point.level
    bounded = a > 0.0
    bounded[:n_weights] |= objective.positive
    q, penalised = M @ z + slopes, M.copy()
    penalised.flat[:: len(M) + 1] += b
    model = Model(penalised, q, a, b, bounded, objective.positive)
    z, signs = model_minimum(model, z, tuning.exchanges)
    w = point.w.copy()
    w[J] = z[:n_weights]
    return point_at(objective, w, float(z[n_weights:].sum())), Target(z, signs, model)


def _lower(objective, begin, end):
    """Return the end of the part of a step that lowers the objective, and that part.

    Where its rounding hides that, the violation of the conditions of a minimum decides. The begin
    is returned where no part serves. The predictions at the end become those of the part.
    """
    noise, value = NOISE * abs(begin.value), end.value
    (a, b), z, part = objective.resolved_strengths, None, 1.0
    for part in PARTS:
        w = begin.w + part * (end.w - begin.w)
        if part < 1.0:
            z = np.subtract(end.f, begin.f, out=end.f) if z is None else z
            value = losses_along(objective, begin.f, z, part).value
            value += a @ np.abs(w) + 0.5 * (b @ (w * w))
        if value < begin.value + noise:
            break
    else:
        z += begin.f
        return begin, 1.0
    point = end
    if part < 1.0:
        z *= part
        z += begin.f
        level = begin.level + part * (end.level - begin.level)
        point = point_of(objective, w, level, z)
    if point.value < begin.value - noise:
        return point, part
    nearer = violation(objective, point) < violation(objective, begin)
    return (point, part) if nearer else (begin, part)
