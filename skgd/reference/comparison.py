"""The solution of an estimator beside those of the independent methods."""

import time
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from skgd.estimators._sklearn import HasMethods, Interval, validate_params
from skgd.estimators.validation import MatrixLike
from skgd.reference.methods import Solution, closed_form, lbfgs, levenberg_marquardt
from skgd.table import table


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
    rule, batch = fitted.optimizer, fitted.batch_size
    rule = rule if isinstance(rule, str) else type(rule).__name__
    if np.isnan(fitted.learning_rate_):
        return "direct solver" if rule == "auto" else f"second-order method ({rule})"
    return f"descent ({rule})" if batch is None else f"descent ({rule}, batches of {batch})"


def _best_of(method, objective, starts):
    """Return the best solution from any of the starts, at the cost of all of them."""
    found = [method(objective, start) for start in starts]
    best = min(found, key=lambda solution: solution.objective)
    return best._replace(
        n_iter=None if best.n_iter is None else sum(solution.n_iter for solution in found),
        seconds=sum(solution.seconds for solution in found),
    )
