"""L-BFGS in the metric of the curvature over a sample of the rows, with searches along lines.

Where rows are many, each step costs two passes over them, and few steps are needed. Predictions
are linear along a line, so a search there reads the losses only.

References
----------
Liu and Nocedal, "On the limited memory BFGS method for large scale optimization" (1989); Byrd,
Chin, Neveitt and Nocedal, "On the use of stochastic Hessian information in optimization methods
for machine learning" (2011).
"""

from typing import NamedTuple

import numpy as np

from skgd.kernels.rows import are_even
from skgd.objective.affine import as_vector, curvature
from skgd.objective.loss_points import point_of
from skgd.objective.newton_steps import Tuning as NewtonTuning
from skgd.objective.newton_steps import newton_steps
from skgd.objective.quadratic_model import inverse_of
from skgd.objective.row_losses import SecondDerivatives, losses_along, mean_change

DECREASE = 1e-4  # share of the promised decrease that is asked for (Armijo)


class Tuning(NamedTuple):
    """The size of the sample, and when its curvature serves. Worked out, not measured."""

    rows: int = 20  # for each parameter
    few_rows: int = 8  # the same, at least
    least_rows: int = 250
    share: float = 0.4  # of all rows, at most
    flops: float = 3e6  # multiply-adds of the curvature over all rows, which take less than a step
    many: float = 50.0  # times the rows of the sample: more are begun at its minimum
    gain: float = 0.1  # of the best constant's objective: a gain that ends steps on the sample
    regular: float = 1e-10  # of the diagonal of the curvature, added to it
    reuse: float = 0.5  # of the second derivatives, whose change is too small for a new curvature
    steps: int = 100
    memory: int = 10  # steps whose change of the gradient is remembered
    flat: float = 0.25  # of the slope at its begin, that may be left at the end of a search
    trials: int = 12  # of a search
    newton: NewtonTuning = NewtonTuning(refinements=0, reuse=0.3)


TUNING = Tuning()


def sample_of(objective, tuning=TUNING):
    """Return rows whose curvature stands for that of all; None where they would not be fewer."""
    n_live = objective.n if are_even(objective.weight) else np.count_nonzero(objective.weight)
    most = int(tuning.share * n_live)
    size = min(max(tuning.least_rows, tuning.rows * objective.d), most)
    if size < tuning.few_rows * objective.d or objective.n * objective.d**2 <= tuning.flops:
        return None
    live = objective.n if n_live == objective.n else np.flatnonzero(objective.weight)
    return np.sort(np.random.default_rng(0).choice(live, size, replace=False, shuffle=False))


def minimum_of_sample(sample, theta, tuning=TUNING):
    """Return the minimum of the objective on a sample, which need not be exact."""
    last = np.inf
    for step in newton_steps(sample, theta, tuning.newton, lambda point: False):
        theta = as_vector(sample, step.w, step.level)
        if not last - step.value > tuning.gain * sample.null_objective:
            break
        last = step.value
    return theta


class SampleMetric:
    """The curvature over a sample of the rows, and how the last steps have corrected it.

    Parameters
    ----------
    objective : Objective
    rows : ndarray of int
    tuning : Tuning
    """

    def __init__(self, objective, rows, tuning):
        self.sample, self.rows, self.tuning = objective.take(rows), rows, tuning
        self.columns = np.flatnonzero(~objective.constant)
        self._second, self._inverse, self._pairs = None, None, []

    def look(self, f):
        """Take over the curvature at predictions for all rows, if it has changed."""
        second = SecondDerivatives(self.sample, f[self.rows])
        if self._second is not None:
            change, mean = mean_change(self._second, second)
            if change <= self.tuning.reuse * mean:
                return
        M = curvature(self.sample, self.columns, second.of)
        b = self.sample.resolved_strengths[1][self.columns]
        M[range(b.size), range(b.size)] += b
        diagonal = M.diagonal()
        M[range(len(M)), range(len(M))] += np.where(
            diagonal > 0.0, self.tuning.regular * diagonal, 1.0
        )
        self._second, self._inverse, self._pairs = second, inverse_of(M), []

    def add(self, move, change):
        """Remember by how much a move has changed the gradient."""
        if move @ change > 0.0:
            self._pairs = [*self._pairs[1 - self.tuning.memory :], (move, change)]

    def direction(self, gradient):
        """Return the negative product of the inverse with a gradient."""
        r, weights = -gradient, []
        for move, change in reversed(self._pairs):
            weights.append(move @ r / (move @ change))
            r = r - weights[-1] * change
        r = self._inverse(r)
        for (move, change), share in zip(self._pairs, reversed(weights)):
            r += (share - change @ r / (move @ change)) * move
        return r


def quasi_newton(objective, rows, point, tuning=TUNING):
    """Generate points, each lower than the last.

    Parameters
    ----------
    objective : Objective
        Without an l1 part and bounds.
    rows : ndarray of int
        The sample.
    point : Point
        Where to begin.
    tuning : Tuning

    Yields
    ------
    Point
    """
    metric, b = SampleMetric(objective, rows, tuning), objective.resolved_strengths[1]
    J, fitted = metric.columns, objective.d > objective.p

    def gradient_at(point):
        return np.append((b * point.w - point.u)[J], [point.mean_slope] * fitted)

    gradient = gradient_at(point)
    for _ in range(tuning.steps):
        metric.look(point.f)
        d, w, move = metric.direction(gradient), np.zeros(objective.p), 0.0
        w[J], move = d[: J.size], float(d[J.size :].sum())
        z = objective.matvec(w)
        z += move
        u = np.empty(objective.n)
        share, means = _search(objective, point, (w, z, u), gradient @ d, tuning)
        if means is None:
            return
        z *= share
        point.f[:] += z
        known = means, objective.term.unweighted_rmatvec(u)
        del z, u  # before the next are made
        end = point.w + share * w, point.level + share * move
        point, before = point_of(objective, *end, point.f, known), gradient
        gradient = gradient_at(point)
        metric.add(share * d, gradient - before)
        yield point


def _search(objective, point, line, slope, tuning):
    """Return the share of a step at which the objective is nearly lowest, and the means there.

    Newton steps along the line, kept between ends with slopes of either sign. The means are None
    where no share helps.

    Parameters
    ----------
    objective : Objective
    point : Point
        Where the line begins.
    line : (ndarray of shape (p,), ndarray of shape (n,), ndarray of shape (n,))
        The change of the weights and of the predictions, and what becomes the weighted slopes.
    slope : float
        Of the objective along the line, at its begin.
    tuning : Tuning
    """
    (w, z, u), b = line, objective.resolved_strengths[1]
    across, along, square = 0.5 * (b @ point.w**2), b @ (point.w * w), b @ (w * w)
    low, high, share, means = 0.0, np.inf, 1.0, None
    for _ in range(tuning.trials if slope < 0.0 else 0):
        means = losses_along(objective, point.f, z, share, u)
        value = means.value + across + share * (along + 0.5 * share * square)
        at, second = means.along + along + share * square, means.second_along + square
        lower = value <= point.value + DECREASE * share * slope
        if lower and abs(at) <= -tuning.flat * slope:
            return share, means
        low, high = (share, high) if lower and at < 0.0 else (low, share)
        step = share - at / second if second > 0.0 and np.isfinite(at) else np.nan
        most = 0.5 * (low + high) if np.isfinite(high) else 4.0 * share
        share = step if low < step < min(high, 10.0 * share) else most
    return low, losses_along(objective, point.f, z, low, u) if low else None
