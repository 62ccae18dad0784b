"""Stationary points of an objective with many minima: refine, merge and classify them."""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from skgd.table import table

FLAT = 1e-6  # scaled eigenvalue, below which a direction counts as flat
PERFECT = 1e-12  # of the null objective; below it all fits are equally good
SAME = 1e-3  # of the scale of y: the root mean square difference of equal curves


class StationaryPoint(NamedTuple):
    """The end of one or more descents.

    Attributes
    ----------
    theta : ndarray of shape (d,)
        The parameters.
    objective : float
    kind : {"minimum", "saddle", "maximum", "flat", "not stationary", "kink"}
        "kink" if the loss is nonsmooth, so that the Hessian gives no information.
    eigenvalues : ndarray of shape (d,)
        Of the Hessian, the smallest first. NaN for weights at a kink of the penalty, and for all
        parameters of a nonsmooth loss.
    n_starts : int
        The number of descents that ended here.
    """

    theta: np.ndarray
    objective: float
    kind: str
    eigenvalues: np.ndarray
    n_starts: int


class End(NamedTuple):
    """The end of a descent, and the number of descents that ended there."""

    theta: np.ndarray
    n_starts: int
    descent: object


class Minima(list):
    """A list of `StationaryPoint`, the best first, which prints as a table."""

    def __str__(self):
        head = ("kind", "objective", "starts", "parameters")
        lines = [
            (
                point.kind,
                f"{point.objective:.6g}",
                f"{point.n_starts}",
                " ".join(f"{value:.5g}" for value in point.theta),
            )
            for point in self
        ]
        return table(head, lines)


def polish(objective, theta, max_iter=100):
    """Refine a point to a stationary point by saddle-free Newton steps.

    Along each eigenvector of the Hessian the step is the slope divided by the absolute curvature,
    so that it leads away from saddle points. To first order a step changes predictions by no more
    than the scale of y; it is halved until the objective falls. Weights that are exactly zero stay
    zero. If a weight with a nonsmooth penalty changes its sign, or if the loss is nonsmooth,
    ``theta`` is returned unchanged.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (d,)
    max_iter : int

    Returns
    -------
    ndarray of shape (d,)

    References
    ----------
    Nocedal and Wright, "Numerical optimization" (2006), section 3.4; Dauphin et al., "Identifying
    and attacking the saddle point problem" (2014).
    """
    if objective.loss.nonsmooth:
        return theta
    free, slope = _smooth_part(objective, theta)
    unit = _unit(objective.column_curvature[free])
    end, least = theta, 1e-16 * objective.null_objective
    mean, farthest = objective.weight / objective.n, objective.prediction_scale
    for _ in range(max_iter if free.size else 0):
        g = objective.value_and_gradient(end)[1]
        H = unit[:, None] * unit * objective.hessian(end)[np.ix_(free, free)]
        eigenvalues_scaled, directions = linalg.eigh(H)
        slopes = directions.T @ (unit * (g + slope)[free])
        lengths = slopes / np.maximum(np.abs(eigenvalues_scaled), FLAT)
        step = unit * (directions @ lengths)
        moved = objective.jacobian(end)[:, free] @ step
        share = min(1.0, farthest / (np.sqrt(mean @ moved**2) or 1.0))
        step, gain = share * step, share * (slopes @ lengths)
        if not gain > least:
            break
        lower = _lower(objective, end, free, step, gain)
        if lower is end:
            break
        end = lower
    same_side = (slope == 0.0) | (np.sign(end) == np.sign(theta))
    return end if same_side.all() else theta


def _lower(objective, theta, free, step, gain, halvings=30):
    """Halve the step until the objective falls enough (Armijo); return that point, or theta."""
    begin = objective.value(theta)
    for k in range(halvings):
        point, share = theta.copy(), 0.5**k
        point[free] -= share * step
        if objective.value(point) <= begin - 1e-4 * share * gain:
            return point
    return theta


def describe(objective, theta, n_starts=1, settled=False):
    """Classify a point by the eigenvalues of the Hessian.

    The point is stationary if a descent has converged to its tolerance there (``settled``), or if
    a Levenberg-Marquardt step would lower the objective by less than a millionth. A direction is
    flat if its curvature is below a millionth of the largest possible one.
    """
    free, slope = _smooth_part(objective, theta)
    value, g = objective.value_and_gradient(theta)
    eigenvalues = np.full(objective.d, np.nan)
    if objective.loss.nonsmooth:
        return StationaryPoint(theta, value, "kink", eigenvalues, n_starts)
    H = objective.hessian(theta)[np.ix_(free, free)]
    eigenvalues[: free.size] = linalg.eigvalsh(H) if free.size else []
    unit = _unit(objective.column_curvature[free])
    eigenvalues_scaled = linalg.eigvalsh(unit[:, None] * unit * H) if free.size else np.ones(1)
    kind = _kind(eigenvalues_scaled)
    if not settled:
        gain = _gain(objective, theta, g + slope, free)
        kind = (
            kind if gain <= 1e-6 * value + 1e-14 * objective.null_objective else "not stationary"
        )
    return StationaryPoint(theta, value, kind, eigenvalues, n_starts)


def _kind(eigenvalues_scaled):
    if eigenvalues_scaled.min() > FLAT:
        return "minimum"
    if eigenvalues_scaled.max() < -FLAT:
        return "maximum"
    return "saddle" if eigenvalues_scaled.min() < -FLAT else "flat"


def _smooth_part(objective, theta):
    """Return the parameters at which the penalty is smooth, and the slope of its l1 part there."""
    cost = (
        np.zeros(objective.p)
        if objective.elastic_strengths is None
        else objective.elastic_strengths[0]
    )
    slope = np.zeros(objective.d)
    slope[: objective.p] = cost * np.sign(theta[: objective.p])
    free = np.ones(objective.d, dtype=bool)
    free[: objective.p] = (theta[: objective.p] != 0.0) | (cost == 0.0)
    return np.flatnonzero(free), slope


def _unit(curvature):
    """Return the unit of each parameter: one over the root of its curvature; one if it is flat."""
    return 1.0 / np.sqrt(np.where(curvature > 0.0, curvature, 1.0))


def _gain(objective, theta, g, free):
    """Return by how much a damped Gauss-Newton step would lower the objective."""
    if free.size == 0:
        return 0.0
    J = np.sqrt(objective.weight / objective.n)[:, None] * objective.jacobian(theta)[:, free]
    smooth = np.zeros(objective.d)
    smooth[: objective.p] = objective.penalty_curvature(theta)
    unit = _unit(objective.column_curvature[free] + np.square(J).sum(axis=0) + smooth[free])
    normal = (unit * J).T @ (unit * J) + np.diag(unit**2 * smooth[free] + 1e-10)
    return 0.5 * (unit * g[free]) @ linalg.solve(normal, unit * g[free], assume_a="pos")


def distinct(objective, ends):
    """Merge ends whose curves are equal, and sort them, the best first.

    Perfect fits count as equally good and keep their order.

    Parameters
    ----------
    objective : Objective
    ends : list of End

    Returns
    -------
    list of End
    """
    size, kept, curves = objective.prediction_scale, [], []
    least = PERFECT * objective.null_objective
    for end in sorted(ends, key=lambda end: max(least, objective.value(end.theta))):
        curve = objective.predict(end.theta)
        near = [k for k, other in enumerate(curves) if _distance(curve, other) < SAME * size]
        if near:
            first = kept[near[0]]
            kept[near[0]] = first._replace(n_starts=first.n_starts + end.n_starts)
        else:
            kept.append(end)
            curves.append(curve)
    return kept


def _distance(a, b):
    return np.sqrt(np.mean((a - b) ** 2))


def covariance(objective, theta):
    """Return the covariance of the parameters, for the squared error the one of `curve_fit`.

    ``phi (J^T S J)^-1``. S are the sample weights times the second derivatives of the loss. The
    dispersion phi is the weighted sum of the squared first derivatives, divided by that of the
    second derivatives, times ``n / (n - d)`` for n rows of nonzero weight. This is the residual
    variance for the squared error, the dispersion of a Poisson regression, and Huber's estimate.
    The covariance is infinite if J is rank deficient, if there are no more rows than parameters,
    or if the loss has no second derivative. It ignores the penalty.

    References
    ----------
    McCullagh and Nelder, "Generalized linear models" (1989), section 9.2; Huber, "Robust
    regression" (1973).
    """
    n, d = np.count_nonzero(objective.weight), objective.d
    _, slope, second = objective.loss_terms(theta)
    precision = objective.weight * second
    J = np.sqrt(precision)[:, None] * objective.jacobian(theta)
    _, s, V = linalg.svd(J, full_matrices=False)
    if n <= d or s[-1] <= np.finfo(float).eps * objective.n * s[0]:
        return np.full((d, d), np.inf)
    dispersion = objective.weight @ slope**2 / precision.sum() * n / (n - d)
    return (V.T / s**2) @ V * dispersion
