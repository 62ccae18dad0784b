"""L-BFGS in coordinates in which the curvature over a sample of the rows is the identity.

Where rows are many, each step costs two passes over them, and few steps are needed.

References
----------
Liu and Nocedal, "On the limited memory BFGS method for large scale optimization" (1989).
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg, optimize

from skgd.objective.affine import as_vector, curvature, split
from skgd.objective.newton_steps import Tuning as NewtonTuning
from skgd.objective.newton_steps import newton_steps, point_at
from skgd.objective.row_losses import SecondDerivatives


class Tuning(NamedTuple):
    """The size of the sample, and when its curvature serves. Worked out, not measured."""

    rows: int = 20  # for each parameter
    few_rows: int = 8  # the same, at least
    least_rows: int = 250
    share: float = 0.4  # of all rows, at most
    flops: float = 3e6  # multiply-adds of the curvature over all rows, which take less than a step
    gain: float = 0.1  # of the best constant's objective: a gain that ends steps on the sample
    regular: float = 1e-10  # of the diagonal of the curvature, added to it
    newton: NewtonTuning = NewtonTuning(refinements=0, reuse=0.3)


TUNING = Tuning()


def sample_of(objective, tuning=TUNING):
    """Return rows whose curvature stands for that of all; None where they would not be fewer."""
    live = np.flatnonzero(objective.weight > 0.0)
    most = int(tuning.share * live.size)
    size = min(max(tuning.least_rows, tuning.rows * objective.d), most)
    if size < tuning.few_rows * objective.d or objective.n * objective.d**2 <= tuning.flops:
        return None
    return np.sort(np.random.default_rng(0).choice(live, size, replace=False))


def minimum_of_sample(sample, theta, tuning=TUNING):
    """Return the minimum of the objective on a sample, which need not be exact."""
    last = np.inf
    for step in newton_steps(sample, theta, tuning.newton):
        theta = as_vector(sample, step.w, step.level)
        if not last - step.value > tuning.gain * sample.null_objective:
            break
        last = step.value
    return theta


def quasi_newton(objective, sample, theta, record, tuning=TUNING):
    """Run scipy's L-BFGS on all rows.

    Parameters
    ----------
    objective, sample : Objective
        On all rows and on some; without an l1 part and bounds.
    theta : ndarray of shape (d,)
        Near the minimum over the sample.
    record : callable
        Called with every `Step`; returns whether to go on.
    tuning : Tuning
    """
    p, J = objective.p, np.flatnonzero(~objective.constant)
    M = curvature(sample, J, SecondDerivatives(sample, sample.predict(theta)).of)
    b = objective.resolved_strengths[1]
    M[range(J.size), range(J.size)] += b[J]
    diagonal = M.diagonal()
    M[range(len(M)), range(len(M))] += tuning.regular * np.where(diagonal > 0.0, diagonal, 1.0)
    L = linalg.cholesky(M, lower=True)
    moved, latest = np.append(J, np.arange(p, objective.d)), None

    def theta_at(z):
        there = theta.copy()
        there[moved] += linalg.solve_triangular(L, z, lower=True, trans="T", check_finite=False)
        return there

    def function(z):
        nonlocal latest
        step = point_at(objective, *split(objective, theta_at(z))).as_step()
        latest = z.copy(), step
        g = np.append((b * step.w - step.slopes)[J], [step.mean_slope] * (objective.d - p))
        return step.value, linalg.solve_triangular(L, g, lower=True, check_finite=False)

    def callback(z):
        if not np.array_equal(latest[0], z):
            function(z)
        if not record(latest[1]):
            raise StopIteration

    options = {"maxcor": 10, "ftol": 0.0, "gtol": 0.0, "maxiter": 100, "maxls": 10}
    start = np.zeros(len(L))
    optimize.minimize(
        function, start, jac=True, method="L-BFGS-B", callback=callback, options=options
    )
