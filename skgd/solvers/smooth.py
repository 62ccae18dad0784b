"""Ridge problems and least squares: the choice between factors and conjugate gradients."""

import math
from typing import NamedTuple

import numpy as np

from skgd.kernels.moments import entries_of_rows
from skgd.solvers.cholesky import Tuning as CholeskyTuning
from skgd.solvers.cholesky import cholesky_with_refinement, svd_with_refinement
from skgd.solvers.conjugate_gradient import Tuning as ConjugateGradientTuning
from skgd.solvers.conjugate_gradient import cg_with_restarts


class Tuning(NamedTuple):
    """Speeds of the machine, and the bounds of the choice.

    Speeds are of one thread of a server of 2021 (AMD EPYC, 2.6 GHz, OpenBLAS), by
    ``doc/benchmarks/choice.py``. What counts is their ratios.
    """

    dense_speed: float = 40e9  # multiply-adds of float64 a second, to a Gram matrix or a factor
    svd_speed: float = 4e9  # the same, to singular values
    sparse_speed: float = 4e8  # multiply-adds a second of entries of sparse rows with each other
    dense_pass_speed: float = 8e9  # entries a second that a product with a vector reads
    cached_entries: float = 2.5e6  # of the processor's cache, beyond which they come from memory
    memory_speed: float = 8e9  # entries a second, from there to the cache
    sparse_pass_speed: float = 1.5e9  # the same for sparse rows
    float32_speedup: float = 2.0  # how many times faster float32 is, dense
    vector_speed: float = 1e9  # entries of vectors a second, in all that a pass does beside
    pass_overhead: float = 4e-5  # seconds of a pass over hardly any data
    cheap_seconds: float = 2e-3  # of a Cholesky factor that is computed at once
    cheap_passes: float = 10.0  # passes that such a factor may cost instead, at usual_gain
    usual_gain: float = 6.9  # logarithm of the gain in accuracy that a default fit asks for
    max_unknowns: int = 10_000  # beyond which there is no factor, for its memory
    max_svd_seconds: float = 10.0  # beyond which there are no singular values
    conjugate_gradient: ConjugateGradientTuning = ConjugateGradientTuning()
    cholesky: CholeskyTuning = CholeskyTuning()


class CostModel:
    """Estimates, in seconds, of two products with X, a Cholesky factor, and singular values."""

    def __init__(self, problem, tuning):
        X, b, (n, p) = problem.objective.X, problem.l2_strength, problem.objective.X.shape
        self.by_rows = n < p and b.size > 0 and b.min() == b.max() > 0.0
        unknowns = n if self.by_rows else p
        speedup = tuning.float32_speedup if X.dtype == np.float32 else 1.0
        if problem.sparse:
            reading = X.nnz / tuning.sparse_pass_speed
            lines = entries_of_rows(X.T if self.by_rows else X)
            gram = float(np.square(lines, dtype=float).sum()) / tuning.sparse_speed
        else:
            entries = float(n) * p
            far = max(0.0, entries - tuning.cached_entries * speedup)
            reading = entries / tuning.dense_pass_speed + far / (tuning.memory_speed * speedup)
            gram = entries * unknowns / (tuning.dense_speed * speedup) + reading
        vectors = 4.0 * (n + p) / tuning.vector_speed
        self.pass_seconds = 2.0 * reading + vectors + tuning.pass_overhead
        self.factor_seconds = np.inf
        if unknowns <= tuning.max_unknowns:
            flops = unknowns**3 / 3.0
            scaling = unknowns**2 / tuning.vector_speed
            self.factor_seconds = gram + flops / tuning.dense_speed + scaling
        few = min(n, p)
        triangle = 2.0 * n * p * few / tuning.dense_speed
        self.svd_seconds = triangle + p * few**2 / tuning.svd_speed
        if few > tuning.max_unknowns or self.svd_seconds > tuning.max_svd_seconds:
            self.svd_seconds = np.inf


def asked_gain(solver, tuning):
    """Return the logarithm of how much shorter the gradient has to become, or the distance."""
    rounding = tuning.conjugate_gradient.unpenalised_residual
    if not solver.problem.l2_strength.all():
        return -math.log(rounding)
    gap = solver.gap_goal / solver.objective.null_objective
    return -0.5 * math.log(max(gap, rounding))


def solve_smooth(solver, tuning):
    """Go to the minimum from the iterate of the solver.

    A Cholesky factor that is cheap comes first. Else conjugate gradients give way to the faster of
    the factors where a forecast says that it is cheaper.

    Parameters
    ----------
    solver : AutoSolver
    tuning : Tuning
    """
    costs, cholesky_first = CostModel(solver.problem, tuning), False
    cheap = tuning.cheap_passes * costs.pass_seconds * asked_gain(solver, tuning)
    if costs.factor_seconds <= max(tuning.cheap_seconds, cheap / tuning.usual_gain):
        cholesky_first = True
        cholesky_with_refinement(solver, costs.by_rows, tuning.cholesky)
    if solver.running:
        factor_seconds = np.inf if cholesky_first else costs.factor_seconds
        other = min(factor_seconds, costs.svd_seconds)
        cg_tuning = tuning.conjugate_gradient
        cg_with_restarts(solver, costs.by_rows, costs.pass_seconds, other, cg_tuning)
    if solver.running and not cholesky_first and np.isfinite(costs.factor_seconds):
        cholesky_with_refinement(solver, costs.by_rows, tuning.cholesky)
    if solver.running and np.isfinite(costs.svd_seconds):
        svd_with_refinement(solver)
