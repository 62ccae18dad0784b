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
from skgd.objective.newton_steps import Tuning as NewtonTuning
from skgd.objective.newton_steps import point_at, slope_gap
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
    trace: float = 1e-3  # of that gap: weights that explain less are set to zero
    gain: float = 1e-3  # of the best constant's objective: of a quasi-Newton step worth another
    more: float = 4.0  # such steps to the goal, and
    columns_per_step: float = 15.0  # of the curvature over all rows, which take as long as it
    sample: SampleTuning = SampleTuning()
    steps: StepTuning = StepTuning(
        newton=NewtonTuning(flops=np.inf, rounds=1000), piecewise=PiecewiseTuning(flops=1e12)
    )


TUNING = Tuning()


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
        self.tuning, self.certificate, self._slope_gaps = tuning, None, []
        self.gap_goal = tuning.gap * max(tol, tuning.finest_tol) * objective.null_objective
        self._scale = None if objective.loss.nonsmooth else residual_scale(objective)

    def drop_data(self):
        """Drop the data, so that what remains is small and can be stored."""
        self.objective = self.slopes = self.certificate = self._monitor = self._scale = None

    def record_start(self):
        objective = self.objective
        start = point_at(objective, *split(objective, self.iterate))
        is_rough = objective.loss.nonsmooth and objective.term.has_conjugate
        bound = trivial_bound(objective) if is_rough else -math.inf
        self._record(start.as_step(), bound)

    def solve(self):
        objective, theta = self.objective, self.iterate
        rows = None if objective.loss.nonsmooth else sample_of(objective, self.tuning.sample)
        if rows is not None:
            sample = objective.take(rows)
            if not theta[: objective.p].any():
                theta = minimum_of_sample(sample, theta, self.tuning.sample)
            if not objective.elastic_strengths[0].any() and not objective.positive:
                quasi_newton(objective, sample, theta, self._goes_on, self.tuning.sample)
                theta = self.iterate
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if self.running:
                self._take_steps(theta)

    def _take_steps(self, theta):
        """Take steps from here until the gap is small enough."""
        objective, steps = self.objective, self.tuning.steps
        newton = steps.newton._replace(slope_gap=self.tuning.gap * self.tol)
        tuning = steps._replace(newton=newton)
        for step in dual_vectors(objective, theta, tuning, self._may_end):
            least, bound = min(step.value, self.record.curve[-1]), -math.inf
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

    def _goes_on(self, step):
        """Record a step of the quasi-Newton method, and return whether another is worth it.

        The gap that the slopes leave falls by the same share in every step. The curvature over
        all rows takes as long as some steps, and then a few steps go to the minimum.
        """
        objective, gain = self.objective, self.record.curve[-1] - step.value
        self._record(step, -math.inf)
        if not self.running:
            return False
        goal, gap = 0.5 * self.gap_goal, slope_gap(objective, step.w, step.slopes)
        if gap <= goal:
            return self.record.residual > self.tol
        self._slope_gaps.append(gap)
        fall, left = math.log(self._slope_gaps[0] / gap), math.inf
        if 0.0 < fall < math.inf and objective.elastic_strengths[1].all():
            left = math.log(gap / goal) / fall * (len(self._slope_gaps) - 1)
        most = self.tuning.more + objective.d / self.tuning.columns_per_step
        return left <= most or gain > self.tuning.gain * objective.null_objective

    def _record(self, step, bound):
        """Record a step, and stop where its gap meets the goal."""
        objective, theta = self.objective, as_vector(self.objective, step.w, step.level)
        known = -math.inf if self.certificate is None else self.certificate.lower_bound
        bound = max(bound, known)
        theta, value = self._without_traces(theta, step.value, bound)
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

    def _without_traces(self, theta, value, bound):
        """Return where interior points have led and the objective there, with exact zeros.

        These end beside the zeros of an l1 part. The gap still meets its goal.
        """
        objective, goal = self.objective, self.gap_goal
        if not (objective.loss.nonsmooth and value - bound <= goal):
            return theta, value
        strengths, weights = objective.elastic_strengths[0], theta[: objective.p]
        steepest = LinePieces(objective.loss, objective.y).steepest()
        worth = steepest * np.sqrt(objective.column_squares) * np.abs(weights)
        traces = (strengths > 0.0) & (weights != 0.0) & (worth <= self.tuning.trace * goal)
        if not traces.any():
            return theta, value
        clean = theta.copy()
        clean[: objective.p][traces] = 0.0
        lower = objective.value(clean)
        return (clean, lower) if lower - bound <= goal else (theta, value)

    def _residual(self, step, gap):
        """Return the scaled residual, or the gap where slopes jump; and the gradient's norm."""
        objective, theta = self.objective, as_vector(self.objective, step.w, step.level)
        if step.slopes is None or self._scale is None:
            return gap / objective.null_objective, math.nan
        a, b = (np.zeros(theta.size) for _ in range(2))
        a[: objective.p], b[: objective.p] = objective.elastic_strengths
        gradient = np.append(-step.slopes, [step.mean_slope] * (objective.d - objective.p))
        gradient += b * theta
        tau, unit, rounding = self._scale
        z = theta - tau * gradient
        z -= np.clip(z, -tau * a, tau * a)
        if objective.positive:
            z[: objective.p] = np.maximum(z[: objective.p], 0.0)
        violations = unit * (np.abs(theta - z) / tau - rounding)
        return max(0.0, float(violations.max(initial=0.0))), math.sqrt(gradient @ gradient)
