"""Points of a smooth convex objective, and what the slopes of the losses prove there.

By Fenchel and Young the slopes of the losses at a point are a dual vector, whose conjugates are
known without being computed: of a slope it is the prediction times it less the loss.
"""

import math
from typing import NamedTuple

import numpy as np

from skgd.kernels.loss_kernels import LossSums
from skgd.objective.affine import Step, as_vector, rounding_of
from skgd.objective.duality import ROUNDING
from skgd.objective.row_losses import losses_at

LEVELS = 8  # Newton steps of the intercept alone, at most


class Point(NamedTuple):
    """Parameters, and what the losses of the rows make there."""

    w: np.ndarray  # (p,)
    level: float
    f: np.ndarray  # (n,): predictions
    value: float  # the objective
    u: np.ndarray  # (p,): the negative slopes of the data term
    means: LossSums  # over the rows

    @property
    def mean_slope(self):
        """The mean slope of the losses."""
        return self.means.slope

    def as_step(self, v=None, bound=-np.inf):
        """Return the point as a `Step`, with a dual vector or a lower bound, or neither."""
        return Step(v, self.w, self.level, self.value, self.u, self.mean_slope, bound)


def point_at(objective, w, level):
    """Return the point with these parameters."""
    if np.count_nonzero(w):
        return point_of(objective, w, level, objective.predict(as_vector(objective, w, level)))
    return point_of(objective, w, level, np.full(objective.n, level))


def point_of(objective, w, level, f, known=None):
    """Return the point with these parameters and predictions.

    The means of the losses and the columns' slopes may be known.
    """
    (a, b), (means, slopes) = objective.resolved_strengths, known or losses_at(objective, f)
    return Point(w, level, f, means.value + a @ np.abs(w) + 0.5 * (b @ (w * w)), -slopes, means)


def certified_point(objective, point):
    """Return a point and the lower bound of the minimum that its own slopes prove.

    The intercept moves to where the slopes of the losses have mean zero. Where Fenchel and Young's
    inequality is an equality, the conjugate of a slope is ``f`` times it less the loss.
    """
    fitted = objective.d > objective.p
    for _ in range(LEVELS * fitted):
        blur, slope = rounding_of(objective, point.means.square), point.mean_slope
        if not (abs(slope) > blur and point.means.second > 0.0):
            break
        move = slope / point.means.second
        point.f[:] -= move
        point = point_of(objective, point.w, point.level - move, point.f)
    (a, b), u, means = objective.resolved_strengths, point.u, point.means
    blur = rounding_of(objective, means.square)
    if fitted and not abs(point.mean_slope) <= blur:
        return point, -np.inf
    excess = np.maximum((u if objective.positive else np.abs(u)) - a, 0.0)
    bound = means.value - means.product - 0.5 * float((excess**2 / b).sum())
    bound -= ROUNDING * means.size + abs(means.slope * point.level) * fitted
    return point, bound if math.isfinite(bound) else -np.inf


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


def violation(objective, point):
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
