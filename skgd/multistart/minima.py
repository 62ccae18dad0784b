"""Stationary points of an objective with many minima: merge and classify them."""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from skgd.multistart.newton import FLAT, curvature_unit, free_parameters
from skgd.table import table

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


def describe(objective, theta, n_starts=1, settled=False):
    """Classify a point by the eigenvalues of the Hessian.

    The point is stationary if a descent has converged to its tolerance there (``settled``), or if
    a Levenberg-Marquardt step would lower the objective by less than a millionth. A direction is
    flat if its curvature is below a millionth of the largest possible one.
    """
    free, slope = free_parameters(objective, theta)
    value, g = objective.value_and_gradient(theta)
    eigenvalues = np.full(objective.d, np.nan)
    if objective.loss.nonsmooth:
        return StationaryPoint(theta, value, "kink", eigenvalues, n_starts)
    H = objective.hessian(theta)[np.ix_(free, free)]
    eigenvalues[: free.size] = linalg.eigvalsh(H) if free.size else []
    unit = curvature_unit(objective.column_curvature[free])
    curvatures = linalg.eigvalsh(unit[:, None] * unit * H) if free.size else np.ones(1)
    kind = _kind(curvatures)
    if not settled:
        gain = _gain(objective, theta, g + slope, free)
        kind = (
            kind if gain <= 1e-6 * value + 1e-14 * objective.null_objective else "not stationary"
        )
    return StationaryPoint(theta, value, kind, eigenvalues, n_starts)


def _kind(curvatures):
    if curvatures.min() > FLAT:
        return "minimum"
    if curvatures.max() < -FLAT:
        return "maximum"
    return "saddle" if curvatures.min() < -FLAT else "flat"


def _gain(objective, theta, g, free):
    """Return by how much a damped Gauss-Newton step would lower the objective."""
    if free.size == 0:
        return 0.0
    J = objective.term.jacobian_factor(theta)[0][:, free]
    smooth = np.zeros(objective.d)
    smooth[: objective.p] = objective.penalty_curvature(theta)
    unit = curvature_unit(
        objective.column_curvature[free] + np.square(J).sum(axis=0) + smooth[free]
    )
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
    least, kept = PERFECT * objective.null_objective, {}
    ends = sorted(ends, key=lambda end: max(least, objective.value(end.theta)))
    differences = objective.term.curve_differences(np.stack([end.theta for end in ends]))
    is_near = differences < (SAME * objective.prediction_scale) ** 2
    for k, end in enumerate(ends):
        first = next((i for i in kept if is_near[k, i]), k)
        before = kept[first].n_starts if first in kept else 0
        kept[first] = kept.get(first, end)._replace(n_starts=before + end.n_starts)
    return [*kept.values()]


def covariance(objective, theta, n=None):
    """Return the covariance of the parameters, for the squared error the one of `curve_fit`.

    ``phi (J^T S J)^-1``. S are the sample weights, with mean one, times the second derivatives of
    the loss. The dispersion phi is the weighted sum of the squared first derivatives, divided by
    that of the second derivatives, times ``n / (n - d)`` for n rows of nonzero weight. This is the
    residual variance for the squared error, the dispersion of a Poisson regression, and Huber's
    estimate. The covariance is infinite if J is rank deficient, if there are no more rows than
    parameters, or if the loss has no second derivative. It ignores the penalty.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (d,)
    n : int or None
        Rows of nonzero weight, for some of which a row of the objective may stand; None for its
        own.

    References
    ----------
    McCullagh and Nelder, "Generalized linear models" (1989), section 9.2; Huber, "Robust
    regression" (1973).
    """
    n, d = objective.term.n_weighted if n is None else n, objective.d
    J, square, precision = objective.term.jacobian_factor(theta, by_curvature=True)
    _, s, V = linalg.svd(J, full_matrices=False)
    if n <= d or s[-1] <= np.finfo(float).eps * objective.n * s[0]:
        return np.full((d, d), np.inf)
    return (V.T / s**2) @ V * (square / precision / (n - d))
