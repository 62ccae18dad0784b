"""Proximal Newton steps for smooth losses, and dual vectors at their ends.

Each step goes to the minimum of the quadratic model of the data term plus the penalty, over the
active columns: those with a weight, and the steepest of those whose slope exceeds its bound. The
dual vector has the slopes of the losses there, to first order.

References
----------
Lee, Sun and Saunders, "Proximal Newton-type methods for minimizing composite functions" (2014).
"""

from typing import NamedTuple

import numpy as np

from skgd.kernels.row_kernels import conjugates, loss_terms
from skgd.objective.affine import Step, as_vector, curvature, rounding, split, weighted_mean
from skgd.objective.quadratic_model import Model, inverse_of, model_minimum

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
    exchanges: int = 3  # of columns of the model, that may fail to lower the number of wrong ones


class Point(NamedTuple):
    """Parameters, and the losses of the rows there."""

    w: np.ndarray  # (p,)
    level: float
    f: np.ndarray  # (n,): predictions
    terms: np.ndarray  # (3, n): value, slope, second derivative
    value: float  # the objective


class Curvature(NamedTuple):
    """Second derivatives of the data term over some columns and the intercept."""

    active: np.ndarray  # (p,), bool
    J: np.ndarray  # the columns
    h: np.ndarray  # (n,): second derivatives of the losses
    M: np.ndarray

    def serves(self, objective, active, h, reuse):
        """Whether it is near enough to the one over these columns with these derivatives."""
        change = weighted_mean(objective, np.abs(h - self.h))
        near = change <= reuse * weighted_mean(objective, self.h)
        return near and not (active & ~self.active).any()


def newton_steps(objective, theta, tuning):
    """Generate steps to the minimum.

    Parameters
    ----------
    objective : Objective
        Of a linear model and a smooth loss.
    theta : ndarray of shape (d,)
    tuning : Tuning

    Yields
    ------
    Step
    """
    (a, b), unit = objective.resolved_strengths, objective.null_objective
    point, flops, known = point_at(objective, *split(objective, theta)), tuning.flops, None
    u = -objective.rmatvec(point.terms[1])
    for k in range(tuning.rounds):
        active = _active(objective, point.w, u, tuning)
        h = point.terms[2]
        serve = not k and slope_gap(objective, point.w, u) <= tuning.slope_gap * unit
        if serve:  # the slopes at hand, where free columns have none
            active &= (a == 0.0) & (b == 0.0)
        if known is None or not known.serves(objective, active, h, tuning.reuse):
            if _flops(objective, active, h) > flops:
                active &= (a == 0.0) & (b == 0.0)
            flops -= _flops(objective, active, h)
            J = np.flatnonzero(active)
            too_large = flops < 0.0 or J.size > tuning.max_columns
            if too_large or not np.isfinite(point.terms).all():
                return
            known = Curvature(active, J, h, curvature(objective, J, h))
        end, v = _newton_step(objective, known, point, u, tuning)
        if not (np.isfinite(v).all() and np.isfinite(end.value)):
            return
        before, (point, u) = point, _lower(objective, point, u, end)
        mean_slope = weighted_mean(objective, point.terms[1])
        yield Step(v, point.w, point.level, point.value, u, mean_slope)
        if point is before and known.h is h and not serve:
            return
        known = known if point is end and not serve else None


def point_at(objective, w, level):
    """Return the point with these parameters."""
    a, b = objective.resolved_strengths
    f = objective.predict(as_vector(objective, w, level))
    terms = loss_terms(objective.loss, f, objective.y)
    penalty = a @ np.abs(w) + 0.5 * b @ w**2
    return Point(w, level, f, terms, weighted_mean(objective, terms[0]) + penalty)


def slope_gap(objective, w, u):
    """Return the duality gap that slopes of the columns leave at weights.

    It is Fenchel and Young's for each column, infinite where a slope exceeds its bound; free
    columns and the intercept are left out.

    Parameters
    ----------
    objective : Objective
    w, u : ndarray of shape (p,)
        The weights, and the negative slopes of the data term.
    """
    a, b = objective.resolved_strengths
    excess = np.maximum((u if objective.positive else np.abs(u)) - a, 0.0)
    hard, free = b == 0.0, (a == 0.0) & (b == 0.0)
    if (hard & ~free & (excess > 0.0)).any():
        return np.inf
    gaps = a * np.abs(w) + 0.5 * b * w**2 - u * w
    gaps[~hard] += excess[~hard] ** 2 / (2.0 * b[~hard])
    return float(gaps[~free].sum())


def _active(objective, w, u, tuning):
    """Return the columns to move: those with a weight, and the steepest ones without."""
    a = objective.resolved_strengths[0]
    excess = (u if objective.positive else np.abs(u)) - a
    excess[(w != 0.0) | objective.constant] = -np.inf
    active = (w != 0.0) & ~objective.constant
    joining = np.flatnonzero(excess > 0.0)
    most = max(tuning.columns, np.count_nonzero(active))
    if joining.size > most:
        joining = joining[np.argpartition(-excess[joining], most)[:most]]
    active[joining] = True
    return active


def _flops(objective, columns, h):
    """Return the multiply-adds of the curvature over some columns, and of its factor."""
    k = np.count_nonzero(columns) + objective.d - objective.p
    if objective.term.sparse:
        X = objective.X
        return X.nnz**2 / max(1, X.shape[0]) + float(k) ** 3
    return (np.count_nonzero(h) + k) * float(k) ** 2


def _newton_step(objective, known, point, u, tuning):
    """Return the end of a step over some columns and the intercept, and its dual vector.

    Where the curvature is singular, the end is the nearest.

    Parameters
    ----------
    objective : Objective
    known : Curvature
        At the point or near to it.
    point : Point
    u : ndarray of shape (p,)
        The negative slopes of the columns there.
    tuning : Tuning
    """
    (a, b), slopes, (_, J, h, M) = objective.resolved_strengths, point.terms[1], known
    constant = np.zeros(objective.d - objective.p)
    a, b = np.append(a[J], constant), np.append(b[J], constant)
    z = np.append(point.w[J], constant + point.level)
    q = M @ z + np.append(u[J], constant - weighted_mean(objective, slopes))
    bounded = np.append(np.full(J.size, objective.positive), constant > 0.0) | (a > 0.0)
    model = Model(M + np.diag(b), q, a, b, bounded, objective.positive)
    z, signs = model_minimum(model, z, tuning.exchanges)
    w = point.w.copy()
    w[J] = z[: J.size]
    end = point_at(objective, w, float(z[J.size :].sum()))
    v = slopes + h * (end.f - point.f)
    if (
        objective.loss.conjugate is not None and tuning.refinements
    ):  # outside of its domain, the slopes themselves
        outside = np.isinf(conjugates(objective.loss, v, objective.y))
        if outside.any():
            less = curvature(objective, J, np.where(outside, h, 0.0))
            v, h = np.where(outside, end.terms[1], v), np.where(outside, 0.0, h)
            model = model._replace(M=model.M - less)
    return end, _refined(objective, J, v, h, z, signs, model, tuning.refinements)


def _refined(objective, J, v, h, z, signs, model, refinements):
    """Return a dual vector whose slopes are what they are at the minimum of the model."""
    lengths = np.sqrt(np.append(objective.column_squares[J], np.ones(z.size - J.size)))
    kept = ~model.bounded | (signs != 0.0)
    within = rounding(objective, v) * lengths[kept]
    inverse = None
    for _ in range(refinements):
        u = np.append(objective.rmatvec(v)[J], [weighted_mean(objective, v)] * (z.size - J.size))
        rest = (-u - model.a * signs - model.b * z)[kept]
        if (np.abs(rest) <= within).all():
            break
        inverse = inverse or inverse_of(model.M[np.ix_(kept, kept)])
        move, whole = np.zeros(z.size), np.zeros(objective.p)
        move[kept] = inverse(rest)
        whole[J], z = move[: J.size], z + move
        v = v + h * (objective.matvec(whole) + move[J.size :].sum())
    return v


def _lower(objective, begin, u, end):
    """Return the end of the part of a step that lowers the objective, and the slopes there.

    Where its rounding hides that, the violation of the conditions of a minimum decides. The begin
    is returned where no part serves.
    """
    noise = NOISE * abs(begin.value)
    for part in PARTS:
        point = end
        if part < 1.0:
            level = begin.level + part * (end.level - begin.level)
            point = point_at(objective, begin.w + part * (end.w - begin.w), level)
        if point.value < begin.value + noise:
            there = -objective.rmatvec(point.terms[1])
            if point.value < begin.value - noise:
                return point, there
            if _violation(objective, point, there) < _violation(objective, begin, u):
                return point, there
            return begin, u
    return begin, u


def _violation(objective, point, u):
    """Return by how much the conditions of a minimum are not met, in units of the columns."""
    a, b = objective.resolved_strengths
    g = u - b * point.w
    g = np.where(point.w != 0.0, g - a * np.sign(point.w), np.maximum(np.abs(g) - a, 0.0))
    if objective.positive:
        g = np.where((point.w == 0.0) & (u < 0.0), 0.0, g)
    lengths = np.sqrt(objective.column_squares)
    g = np.divide(np.abs(g), lengths, np.zeros(g.size), where=lengths > 0.0)
    level = abs(weighted_mean(objective, point.terms[1])) * (objective.d > objective.p)
    return max(g.max(initial=0.0), level)
