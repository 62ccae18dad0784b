"""Other roads to the same minimum: closed forms, and scipy's optimizers.

They minimise the very objective that an estimator minimises, so that an answer found by
descent can be held against answers that were not.
"""

import time
from contextlib import suppress
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg, optimize, sparse
from sklearn.base import clone

from skgd.estimators._sklearn import HasMethods, Interval, validate_params
from skgd.estimators.validation import MatrixLike
from skgd.objective.objective import Objective
from skgd.table import table

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


class Comparison(list):
    """Solutions of one problem, the first of which is compared with the rest.

    A list of `Solution`, which prints as a table.
    """

    def __str__(self):
        head = (
            "method",
            "objective",
            "difference",
            "largest |d coef|",
            "zeros",
            "n_iter",
            "seconds",
        )
        first = self[0]
        lines = [
            (
                solution.method,
                f"{solution.objective:.10g}",
                f"{first.objective - solution.objective:+.1e}",
                f"{np.abs(first.theta - solution.theta).max():.1e}",
                f"{np.count_nonzero(solution.theta == 0.0)}",
                "-" if solution.n_iter is None else f"{solution.n_iter}",
                f"{solution.seconds:.4f}",
            )
            for solution in self
        ]
        return table(head, lines)


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
    Z, target, cost = (
        root[:, None] * (X - centre),
        root * (y - level),
        objective.elastic_strengths[1],
    )
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


@validate_params(
    {
        "estimator": [HasMethods(["fit", "objective", "parameters"])],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "sample_weight": ["array-like", Interval(Real, 0, None, closed="neither"), None],
    },
    prefer_skip_nested_validation=False,
)
def compare(
    estimator: Any, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> Comparison:
    """Hold an estimator's answer against the references that its objective allows.

    The seconds are those that a clone takes to fit.

    Parameters
    ----------
    estimator : GDRegressor or GDGaborRegressor
        Fitted; if it is not, the clone's answer is taken.
    X, y, sample_weight
        The data; y has one dimension.

    Returns
    -------
    Comparison
        The descent, or the direct solver where ``optimizer="auto"`` has taken no step; then the
        closed form where there is one or Levenberg and Marquardt's for sums of squares; then
        L-BFGS. Where the descent had many starts, so have the others, and
        the iterations and seconds of all are counted.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.reference import compare
    >>> X, y = load_diabetes(return_X_y=True)
    >>> rows = compare(GDRegressor(alpha=0.01, tol=1e-10), X, y)
    >>> [row.method for row in rows]
    ['direct solver', 'closed form', 'L-BFGS']
    >>> bool(abs(rows[0].objective - rows[1].objective) < 1e-6)
    True
    """
    if np.ndim(y) != 1:
        raise ValueError(f"compare takes one target at a time; y has {np.ndim(y)} dimensions.")
    timed, begin = clone(estimator), time.perf_counter()
    timed.fit(X, y, sample_weight=sample_weight)
    seconds = time.perf_counter() - begin
    fitted = estimator if hasattr(estimator, "n_iter_") else timed
    objective, theta = fitted.objective(X, y, sample_weight), fitted.parameters()
    rows = [Solution(_name(fitted), theta, objective.value(theta), int(fitted.n_iter_), seconds)]
    starts = fitted.starting_points()
    second_order = closed_form if objective.quadratic else levenberg_marquardt
    for method in (second_order, lbfgs):
        with suppress(ValueError):
            rows.append(_best_of(method, objective, starts))
    return Comparison(rows)


def _name(fitted):
    """Return what an estimator has done: gone straight to the minimum, or descended by a rule."""
    if np.isnan(fitted.learning_rate_):
        return "direct solver"
    rule, batch = fitted.optimizer, fitted.batch_size
    rule = rule if isinstance(rule, str) else type(rule).__name__
    return f"descent ({rule})" if batch is None else f"descent ({rule}, batches of {batch})"


def _best_of(method, objective, starts):
    """Return the best solution from any of the starts, at the cost of all of them."""
    found = [method(objective, start) for start in starts]
    best = min(found, key=lambda solution: solution.objective)
    return best._replace(
        n_iter=None if best.n_iter is None else sum(solution.n_iter for solution in found),
        seconds=sum(solution.seconds for solution in found),
    )
