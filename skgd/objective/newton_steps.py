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

from skgd.objective.affine import Step, as_vector, curvature, split
from skgd.objective.newton_duals import Target, dual_of_step
from skgd.objective.quadratic_model import Model, model_minimum
from skgd.objective.row_losses import (
    SecondDerivatives,
    blocks,
    losses_at,
    mean_change,
)

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
    """Parameters, and what the losses of the rows make there."""

    w: np.ndarray  # (p,)
    level: float
    f: np.ndarray  # (n,): predictions
    value: float  # the objective
    u: np.ndarray  # (p,): the negative slopes of the data term
    mean_slope: float  # of the losses
    n_curved: int  # rows with a second derivative
    terms: np.ndarray | None  # (3, n): of `Losses`

    def as_step(self, v=None):
        """Return the point as a `Step`, with a dual vector or without."""
        return Step(v, self.w, self.level, self.value, self.u, self.mean_slope)


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


def newton_steps(objective, theta, tuning, wants=None):
    """Generate steps to the minimum.

    Parameters
    ----------
    objective : Objective
        Of a linear model and a smooth loss.
    theta : ndarray of shape (d,)
    tuning : Tuning
    wants : callable or None
        Says whether a step to a `Point` needs a dual vector, if it leads anywhere; None for all.

    Yields
    ------
    Step
    """
    (a, b), unit = objective.resolved_strengths, objective.null_objective
    point, flops, known = point_at(objective, *split(objective, theta)), tuning.flops, None
    v = None
    for k in range(tuning.rounds):
        active = _active(objective, point, tuning)
        second = SecondDerivatives(objective, point.f, point.terms)
        serve = not k and slope_gap(objective, point.w, point.u) <= tuning.slope_gap * unit
        if serve:  # the slopes at hand, where free columns have none
            active &= (a == 0.0) & (b == 0.0)
        if known is None or not known.serves(active, second, tuning.reuse):
            known, cost = None, _flops(objective, active, point.n_curved)
            if cost > flops:
                active &= (a == 0.0) & (b == 0.0)
                cost = _flops(objective, active, point.n_curved)
            flops -= cost
            J = np.flatnonzero(active)
            too_large = flops < 0.0 or J.size > tuning.max_columns
            if too_large or not (np.isfinite(point.value) and np.isfinite(point.u).all()):
                return
            M = curvature(objective, J, second.of)
            if not np.isfinite(M).all():
                return
            known = Curvature(active, J, second, M)
        del v  # before there are new predictions
        before, (end, target) = point, _newton_step(objective, known, point, tuning)
        if not np.isfinite(end.value):
            return
        point, part = _lower(objective, before, end)
        stays, fresh = point is before, known.second is second
        if stays or wants is None or wants(point):
            v = dual_of_step(objective, known, before, end.f, part, target, tuning.refinements)
            if not np.isfinite(v.sum()):
                return
        else:
            v = None
        if v is point.f:
            point = point_at(objective, point.w, point.level)
        known = known if point is end and not serve else None
        del before, end, second
        yield point.as_step(v)
        if stays and fresh and not serve:
            return


def point_at(objective, w, level):
    """Return the point with these parameters."""
    f = objective.predict(as_vector(objective, w, level))
    return _point(objective, w, level, f, lambda rows: f[rows])


def _point(objective, w, level, f, predictions):
    """Return the point with these parameters, and predictions for some rows."""
    a, b = objective.resolved_strengths
    penalty = a @ np.abs(w) + 0.5 * b @ w**2
    value, slopes, *rest = losses_at(objective, predictions)
    return Point(w, level, f, value + penalty, -slopes, *rest)


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


def _active(objective, point, tuning):
    """Return the columns to move: those with a weight, and the steepest ones without."""
    a, w, u = objective.resolved_strengths[0], point.w, point.u
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
    (a, b), (_, J, _, M) = objective.resolved_strengths, known
    constant = np.zeros(objective.d - objective.p)
    a, b = np.append(a[J], constant), np.append(b[J], constant)
    z = np.append(point.w[J], constant + point.level)
    q = M @ z + np.append(point.u[J], constant - point.mean_slope)
    bounded = np.append(np.full(J.size, objective.positive), constant > 0.0) | (a > 0.0)
    model = Model(M + np.diag(b), q, a, b, bounded, objective.positive)
    z, signs = model_minimum(model, z, tuning.exchanges)
    w = point.w.copy()
    w[J] = z[: J.size]
    return point_at(objective, w, float(z[J.size :].sum())), Target(z, signs, model)


def _lower(objective, begin, end):
    """Return the end of the part of a step that lowers the objective, and that part.

    Where its rounding hides that, the violation of the conditions of a minimum decides. The begin
    is returned where no part serves. The predictions at the end become those of the part.
    """
    noise, point = NOISE * abs(begin.value), end
    for part in PARTS:

        def between(rows, part=part):
            return begin.f[rows] + part * (end.f[rows] - begin.f[rows])

        if part < 1.0:
            level = begin.level + part * (end.level - begin.level)
            w = begin.w + part * (end.w - begin.w)
            point = _point(objective, w, level, end.f, between)
        if point.value < begin.value + noise:
            lower = point.value < begin.value - noise
            if not lower and not _violation(objective, point) < _violation(objective, begin):
                break
            if part < 1.0:
                for rows in blocks(0, objective.n):
                    end.f[rows] = between(rows)
            return point, part
    return begin, 1.0


def _violation(objective, point):
    """Return by how much the conditions of a minimum are not met, in units of the columns."""
    (a, b), u = objective.resolved_strengths, point.u
    g = u - b * point.w
    g = np.where(point.w != 0.0, g - a * np.sign(point.w), np.maximum(np.abs(g) - a, 0.0))
    if objective.positive:
        g = np.where((point.w == 0.0) & (u < 0.0), 0.0, g)
    lengths = np.sqrt(objective.column_squares)
    g = np.divide(np.abs(g), lengths, np.zeros(g.size), where=lengths > 0.0)
    level = abs(point.mean_slope) * (objective.d > objective.p)
    return max(g.max(initial=0.0), level)
