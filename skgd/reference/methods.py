"""Methods that minimise an objective without a descent, each returning a `Solution`."""

import time
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg, optimize, sparse

from skgd.estimators._sklearn import Interval, validate_params
from skgd.objective.objective import Objective

TOL = [Interval(Real, 0, None, closed="left")]
MAX_ITER = [Interval(Integral, 1, 2**31 - 1, closed="both")]  # as scipy counts


class Solution(NamedTuple):
    """A point, and how it was found.

    Attributes
    ----------
    method : str
    theta : ndarray of shape (d,)
        The weights, then the model's other parameters.
    objective : float
    n_iter : int or None
        Iterations of the method; None for a closed form.
    seconds : float
    """

    method: str
    theta: np.ndarray
    objective: float
    n_iter: int | None
    seconds: float


@validate_params({"objective": [Objective]}, prefer_skip_nested_validation=True)
def closed_form(objective: Objective, start: ArrayLike | None = None) -> Solution:
    """Minimise the squared error with an l2 penalty, or none, by a singular value decomposition.

    Of any shape and rank: without a penalty, where many weights are as good, those of the
    least length. Sparse data is made dense.

    Parameters
    ----------
    objective : Objective
        With the squared error and a penalty without l1 part.
    start : ndarray or None, default=None
        Not needed; all references are called alike.

    Returns
    -------
    Solution

    Raises
    ------
    ValueError
        For any other loss or penalty.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd import GDRegressor
    >>> from skgd.reference import closed_form
    >>> objective = GDRegressor(penalty=None).objective([[0.0], [1.0], [3.0]], [-1.0, 1.0, 5.0])
    >>> closed_form(objective).theta.round(12)
    array([ 2., -1.])
    """
    begin = time.perf_counter()
    if not objective.quadratic or not _is_ridge(objective):
        raise ValueError("Only the squared error with l2 or no penalty has a closed form.")
    mean = objective.weight / objective.n
    X = objective.X.toarray() if sparse.issparse(objective.X) else objective.X
    X, y, centre, level = X.astype(float), objective.y, np.zeros(objective.p), 0.0
    if objective.d > objective.p:
        centre, level = mean @ X, mean @ y
    root = np.sqrt(mean)
    Z, target = root[:, None] * (X - centre), root * (y - level)
    cost = objective.elastic_strengths[1]
    if np.ptp(cost) > 0.0:
        Z = np.vstack([Z, np.diag(np.sqrt(cost))])
        target, cost = np.append(target, np.zeros(objective.p)), np.zeros(1)
    U, s, V = linalg.svd(Z, full_matrices=False)
    kept = s > max(X.shape) * np.finfo(objective.X.dtype).eps * s.max(initial=0.0)
    shrunk = s[kept] / (s[kept] ** 2 + cost[0])
    w = V[kept].T @ (shrunk * (U[:, kept].T @ target))
    theta = np.append(w, level - centre @ w)[: objective.d]
    seconds = time.perf_counter() - begin
    return Solution("closed form", theta, objective.value(theta), None, seconds)


@validate_params(
    {"objective": [Objective], "start": ["array-like", None], "tol": TOL, "max_iter": MAX_ITER},
    prefer_skip_nested_validation=True,
)
def lbfgs(
    objective: Objective,
    start: ArrayLike | None = None,
    tol: float = 1e-10,
    max_iter: int = 100_000,
) -> Solution:
    """Minimise by scipy's L-BFGS-B.

    An l1 part is made smooth by writing each weight as the difference of two that are not
    negative, ``w = u - v`` and ``|w| = u + v`` at the minimum.

    Parameters
    ----------
    objective : Objective
        Whose penalty is a mixture of l1 and l2.
    start : ndarray of shape (d,) or None, default=None
        Where to begin; None for zeros.
    tol : float, default=1e-10
        Of the largest entry of the projected gradient.
    max_iter : int, default=100_000

    Returns
    -------
    Solution
    """
    begin = time.perf_counter()
    if objective.elastic_strengths is None:
        raise ValueError("L-BFGS needs a penalty that is a mixture of l1 and l2.")
    cost, p, d = objective.elastic_strengths[0], objective.p, objective.d
    theta = np.zeros(d) if start is None else objective.as_parameters(start, "start")
    split = bool(cost.any())

    def join(z):
        return np.concatenate([z[:p] - z[d:], z[p:d]]) if split else z

    def function(z):
        theta = join(z)
        value, g = objective.value_and_gradient(theta)
        if not split:
            return value, g
        value += cost @ (z[:p] + z[d:] - np.abs(theta[:p]))
        return value, np.concatenate([g[:p] + cost, g[p:], cost - g[:p]])

    low = 0.0 if split or objective.positive else None
    bounds = [(low, None)] * p + [(None, None)] * (d - p)
    bounds += [(0.0, 0.0 if objective.positive else None)] * p if split else []
    negative = np.maximum(-theta[:p], 0.0) if split else []
    z = np.concatenate([np.maximum(theta[:p], 0.0) if split else theta[:p], theta[p:], negative])
    options = {
        "maxiter": max_iter,
        "maxfun": 10 * max_iter,
        "maxcor": 30,
        "ftol": 0.0,
        "gtol": tol,
    }
    found = optimize.minimize(
        function, z, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    theta = join(found.x)
    seconds = time.perf_counter() - begin
    return Solution("L-BFGS", theta, objective.value(theta), found.nit, seconds)


def _is_ridge(objective):
    """Whether the penalty is l2 or none, and no weight has a bound."""
    elastic_strengths = objective.elastic_strengths
    return (
        elastic_strengths is not None and not elastic_strengths[0].any() and not objective.positive
    )


@validate_params(
    {"objective": [Objective], "start": ["array-like"], "tol": TOL, "max_iter": MAX_ITER},
    prefer_skip_nested_validation=True,
)
def levenberg_marquardt(
    objective: Objective, start: ArrayLike, tol: float = 1e-14, max_iter: int = 1000
) -> Solution:
    """Minimise a sum of squares by MINPACK's method of Levenberg and Marquardt.

    The l2 part of a penalty is a sum of squares too: of the weights.

    Parameters
    ----------
    objective : Objective
        With the squared error and a penalty without l1 part.
    start : ndarray of shape (d,)
    tol : float, default=1e-14
        Of the relative change of the sum of squares and of the parameters.
    max_iter : int, default=1000

    Returns
    -------
    Solution

    Raises
    ------
    ValueError
        For any other loss or penalty, and for fewer rows than parameters.
    """
    begin = time.perf_counter()
    if not objective.loss.quadratic or not _is_ridge(objective):
        raise ValueError("Only the squared error with l2 or no penalty is a sum of squares.")
    start = objective.as_parameters(start, "start")
    tol = max(float(tol), np.finfo(float).eps)  # beyond which MINPACK tests nothing
    root, p = np.sqrt(objective.weight / objective.n), objective.p
    shrink = np.zeros((p, objective.d))
    shrink[range(p), range(p)] = np.sqrt(objective.elastic_strengths[1])

    def residuals(theta):
        return np.concatenate(
            [root * (objective.predict(theta) - objective.y), shrink.diagonal() * theta[:p]]
        )

    def jacobian(theta):
        return np.vstack([root[:, None] * objective.jacobian(theta), shrink])

    found = optimize.least_squares(
        residuals, start, jacobian, method="lm", xtol=tol, ftol=tol, gtol=tol, max_nfev=max_iter
    )
    seconds = time.perf_counter() - begin
    return Solution("Levenberg-Marquardt", found.x, objective.value(found.x), found.nfev, seconds)
