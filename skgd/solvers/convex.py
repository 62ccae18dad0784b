"""Direct solvers of convex losses: proximal Newton steps, or interior points where slopes jump."""

import math
from typing import NamedTuple

import numpy as np

from skgd.descent.outcome import Outcome
from skgd.objective.affine import as_vector, split
from skgd.objective.conjugates import Tuning as StepTuning
from skgd.objective.conjugates import bound_of_step, dual_vectors, trivial_bound
from skgd.objective.duality import Certificate
from skgd.objective.line_pieces import LinePieces
from skgd.objective.loss_points import certified_point, point_at, slope_gap
from skgd.objective.newton_steps import Tuning as NewtonTuning
from skgd.objective.piecewise import Tuning as PiecewiseTuning
from skgd.objective.residual import residual_scale
from skgd.solvers.direct import DirectSolver
from skgd.solvers.quasi_newton import Tuning as SampleTuning
from skgd.solvers.quasi_newton import minimum_of_sample, quasi_newton, sample_of


class Tuning(NamedTuple):
    """The goals, and what the steps may cost. Worked out, not measured."""

    gap: float = 1e-2  # of tol: the duality gap to be reached, over the best constant's objective
    finest_tol: float = 1e-7  # below which the gap is left to rounding
    columns: int = 2000  # or rows, if slopes jump, up to which factors are cheaper than a descent
    trace: float = 1e-3  # of that gap, or of what is left of the slope: so small a weight is zero
    gain: float = 1e-3  # of the best constant's objective: of a quasi-Newton step worth another
    more: float = 4.0  # such steps to the goal, and
    columns_per_step: float = 15.0  # of the curvature over all rows, which take as long as it
    sample: SampleTuning = SampleTuning()
    steps: StepTuning = StepTuning(
        newton=NewtonTuning(flops=np.inf, rounds=1000), piecewise=PiecewiseTuning(flops=1e12)
    )


TUNING = Tuning()
NEAR = 0.5  # of the goal of the gap, at which slopes may prove that it is met


def is_too_large(objective, tuning=TUNING):
    """Whether the factors of the first steps take longer than a descent."""
    n, p = objective.X.shape
    penalised = objective.elastic_strengths[0].all()
    first = min(p, tuning.steps.newton.columns) if penalised else p
    return (min(n, first) if objective.loss.nonsmooth else first) > tuning.columns


class ConvexSolver(DirectSolver):
    """Steps to the minimum, each with a lower bound of it, if the loss has a conjugate.

    The first start of many rows is the minimum over a sample of them.

    Parameters
    ----------
    objective, tol, fallback, start
        As in `DirectSolver`; the model is linear, the penalty has l1 and l2 parts, and the loss is
        smooth or has kinks.
    tuning : Tuning
    """

    def __init__(self, objective, tol, fallback, start=None, tuning=TUNING):
        super().__init__(objective, tol, fallback, start)
        self.tuning, self.certificate, self._slope_gaps, self._start = tuning, None, [], None
        self._judged = None, None  # slopes, and what they are worth
        self.gap_goal = tuning.gap * max(tol, tuning.finest_tol) * objective.null_objective
        self._scale = None if objective.loss.nonsmooth else residual_scale(objective)

    def drop_data(self):
        """Drop the data, so that what remains is small and can be stored."""
        self.objective = self.slopes = self.certificate = self._monitor = self._scale = None
        self._start = None

    def record_start(self):
        objective = self.objective
        self._start = point_at(objective, *split(objective, self.iterate))
        is_rough = objective.loss.nonsmooth and objective.term.has_conjugate
        bound = trivial_bound(objective) if is_rough else -math.inf
        self._record(self._start.as_step(), bound)
        if objective.loss.nonsmooth:  # whose steps do not begin at its predictions
            self._start = None

    def solve(self):
        objective, tuning = self.objective, self.tuning.sample
        rows = None if objective.loss.nonsmooth else sample_of(objective, tuning)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if rows is not None:
                if not np.count_nonzero(self.iterate[: objective.p]):
                    self._begin_at_sample(rows)
                if not (np.count_nonzero(objective.elastic_strengths[0]) or objective.positive):
                    self._take_quasi_newton_steps(rows)
            if self.running:
                self._take_steps()

    def _begin_at_sample(self, rows):
        """Begin where the objective on a sample of many rows is lowest, if it is lower there."""
        objective, tuning = self.objective, self.tuning.sample
        if objective.n < tuning.many * rows.size and not np.count_nonzero(
            objective.elastic_strengths[0]
        ):
            return
        theta = minimum_of_sample(objective.take(rows), self.iterate, tuning)
        point = point_at(objective, *split(objective, theta))
        self._start = point if point.value < self._start.value else self._start

    def _pop_start(self):
        """Return the latest point, which the next steps begin at, and forget it."""
        point, self._start = self._start, None
        return point

    def _take_quasi_newton_steps(self, rows):
        """Take steps that read all rows twice, while they are worth it."""
        for point in quasi_newton(self.objective, rows, self._start, self.tuning.sample):
            self._start = point
            if not self._goes_on(point):
                return

    def _take_steps(self):
        """Take steps from the start until the gap is small enough."""
        objective, steps = self.objective, self.tuning.steps
        newton = steps.newton._replace(slope_gap=NEAR * self.tuning.gap * self.tol)
        tuning, theta = steps._replace(newton=newton), self.iterate
        start = None if objective.loss.nonsmooth else self._pop_start
        for step in dual_vectors(objective, theta, tuning, self._may_end, start):
            least, bound = min(step.value, self.record.curve[-1]), step.bound
            if objective.term.has_conjugate and step.v is not None:
                bound = bound_of_step(objective, step, least)
            self._record(step, bound)
            del step  # and its vector, before the next is made
            if not self.running:
                return
        if self.certificate is not None and self.certificate.gap <= self.gap_goal:
            self.stop(Outcome.CONVERGED)  # and rounding keeps the residual from its goal

    def _may_end(self, point):
        """Whether a lower bound may end the steps at a point."""
        return self._residual(point.as_step(), math.inf)[0] <= self.tol

    def _goes_on(self, point):
        """Record a point of the quasi-Newton method, and return whether another is worth it.

        The gap that the slopes leave falls by the same share in every step. The curvature over
        all rows takes as long as some steps, and then a few steps go to the minimum.
        """
        objective, gain = self.objective, self.record.curve[-1] - point.value
        goal, gap = NEAR * self.gap_goal, slope_gap(objective, point.w, point.u)
        penalised = np.count_nonzero(objective.resolved_strengths[1]) == objective.p
        if gap <= goal and penalised and self._may_end(point):
            end, bound = certified_point(objective, point)
            self._start = end
            self._record(end.as_step(), bound)
            return False
        self._record(point.as_step(), -math.inf)
        if not self.running:
            return False
        if gap <= goal:
            return self.record.residual > self.tol
        self._slope_gaps.append(gap)
        fall, left = math.log(self._slope_gaps[0] / gap), math.inf
        if 0.0 < fall < math.inf and penalised:
            left = math.log(gap / goal) / fall * (len(self._slope_gaps) - 1)
        most = self.tuning.more + objective.d / self.tuning.columns_per_step
        return left <= most or gain > self.tuning.gain * objective.null_objective

    def _record(self, step, bound):
        """Record a step, and stop where its gap meets the goal."""
        objective, theta = self.objective, as_vector(self.objective, step.w, step.level)
        known = -math.inf if self.certificate is None else self.certificate.lower_bound
        bound = max(bound, known)
        theta, value = self._without_traces(theta, step, bound)
        certificate = Certificate(theta, value, bound)
        residual, norm = self._residual(step, certificate.gap)
        if math.isfinite(certificate.gap):
            self.certificate = certificate
        certified = certificate.gap <= self.gap_goal or not objective.term.has_conjugate
        if not math.isfinite(value):
            self.outcome = Outcome.NONFINITE
        elif residual <= self.tol and certified:
            self.stop(Outcome.CONVERGED)
        move = theta - self.iterate
        penalty = objective.penalty_term(theta)
        self.append(theta, value, residual, penalty, norm, math.sqrt(move @ move))
        self.slopes = self.slopes if step.slopes is None else step.slopes

    def _without_traces(self, theta, step, bound):
        """Return where interior points have led and the objective there, with exact zeros.

        These end beside the zeros of an l1 part: there the slope of a dual vector leaves much of
        its bound, and the weight is small. The gap still meets its goal.
        """
        objective, goal, value = self.objective, self.gap_goal, step.value
        strengths, weights = objective.elastic_strengths[0], np.abs(theta[: objective.p])
        penalised = (strengths > 0.0) & (weights != 0.0)
        if not (objective.loss.nonsmooth and value - bound <= goal and penalised.any()):
            return theta, value
        steepest = LinePieces(objective.loss, objective.y).steepest()
        worth = steepest * np.sqrt(objective.column_squares) * weights
        traces = worth <= self.tuning.trace * goal
        if step.v is not None:
            left = strengths - np.abs(objective.rmatvec(step.v))
            worth = strengths**2 * weights / objective.null_objective
            traces |= worth <= self.tuning.trace * left
        clean = theta.copy()
        clean[: objective.p][traces & penalised] = 0.0
        lower = objective.value(clean)
        return (clean, lower) if lower - bound <= goal else (theta, value)

    def _residual(self, step, gap):
        """Return the scaled residual, or the gap where slopes jump; and the gradient's norm."""
        objective, (a, b) = self.objective, self.objective.elastic_strengths
        if step.slopes is None or self._scale is None:
            return gap / objective.null_objective, math.nan
        if step.slopes is self._judged[0]:
            return self._judged[1]
        theta = as_vector(objective, step.w, step.level)
        gradient = np.append(b * step.w - step.slopes, [step.mean_slope] * (theta.size - a.size))
        tau, unit, rounding = self._scale
        sizes = np.abs(gradient)
        if np.count_nonzero(a) or objective.positive:
            z, most = theta - tau * gradient, np.zeros(theta.size)
            most[: a.size] = tau[: a.size] * a
            z -= np.clip(z, -most, most)
            if objective.positive:
                z[: a.size] = np.maximum(z[: a.size], 0.0)
            sizes = np.abs(theta - z) / tau
        violations = unit * (sizes - rounding)
        found = max(0.0, float(violations.max(initial=0.0))), math.sqrt(gradient @ gradient)
        self._judged = step.slopes, found
        return found
