"""A squared error of which only products are known, as the solvers on Gram matrices see it."""

import math
from typing import NamedTuple

import numpy as np

from skgd.estimators.nested_parameters import part_of, plain
from skgd.estimators.problem import penalty_factor
from skgd.objective.objective import Objective
from skgd.objective.projection import ROUNDING
from skgd.solvers.auto import TUNING
from skgd.solvers.gram import DenseGram
from skgd.solvers.quadratic import Quadratic

EXACT = 1e-30  # of the mean square of y, up to which its spread is none


class GramTerm:
    """What certificates know of the data term of weights alone, seen from the means or from zero.

    Parameters
    ----------
    products : Products
    intercept : bool
        Whether the columns are seen from their means.
    """

    quadratic = True

    def __init__(self, products, intercept):
        self.n_samples, self.n_parameters = products.n, products.means.size
        self.penalized = np.ones(self.n_parameters, dtype=bool)
        variance = products.G.diagonal()
        if intercept:
            self.G, self.q, self.yy = products.G, products.q, products.yy
            self.constant, self.centre = products.constant, products.means
        else:
            self.G, self.q, self.yy = products.about(0.0, 0.0)
            self.constant, self.centre = np.zeros_like(products.constant), None
        self.column_squares = self.G.diagonal().copy()
        self.spread_share = np.ones(self.n_parameters)
        told = (variance > ROUNDING**2 * self.column_squares) & (not intercept)
        self.spread_share[told] = variance[told] / self.column_squares[told]


class GramProblem(NamedTuple):
    """The problem of one target, with the goals of `skgd.solvers.auto.AutoSolver`."""

    objective: Objective
    problem: Quadratic
    gram: DenseGram
    tol: float
    gap_goal: float
    tuning: tuple = TUNING

    def exact_gram(self):
        """Return the Gram matrix of all columns."""
        return self.gram


def gram_problems(estimator, products):
    """Return the `GramProblem` of each target at alpha = 1.

    Parameters
    ----------
    estimator : GDRegressor
    products : Products
    """
    intercept, tol = bool(estimator.fit_intercept), float(plain(estimator.tol))
    term = GramTerm(products, intercept)
    gram, p = DenseGram(term.G), term.n_parameters
    known = {
        "penalty_factor": penalty_factor(estimator.penalty_weights, p),
        "positive": estimator.positive,
    }
    problems = []
    squares = products.yy + products.levels**2
    for q, yy, square in zip(term.q, term.yy, squares):
        unit = _unit(yy, square, intercept)
        penalty = part_of(estimator, "penalty")
        objective = Objective(term, penalty, 1.0, null_objective=unit, **known)
        goal = TUNING.gap * max(tol, TUNING.finest_tol) * unit
        quadratic = Quadratic(objective, (float(yy), q))
        problems.append(GramProblem(objective, quadratic, gram, tol, goal))
    return problems


def _unit(left, square, intercept):
    """Return what a fit can gain, as `skgd.objective.best_constant.fit_constant` does."""
    gains = 0.0 if intercept and not left > EXACT * square else 0.5 * left, 0.5 * square, 1.0
    return float(next(unit for unit in gains if 0.0 < unit < math.inf))
