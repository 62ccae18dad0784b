"""Fits to small data whose minimum is found at once, without what a general fit prepares."""

from types import NoneType

import numpy as np

from skgd.estimators.nested_parameters import part_of
from skgd.estimators.problem import Answer
from skgd.pieces import Pieces
from skgd.solvers.small import FINEST_TOL, SmallSolver, is_small

USUAL = {  # parameters with which nothing but the minimum is asked for, by the squared error
    "loss": "squared_error",
    "optimizer": "auto",
    "learning_rate": "auto",
    "schedule": "auto",
    "center": "auto",
    **dict.fromkeys(("batch_size", "init", "penalty_weights", "clip_norm", "clip_value")),
    **dict.fromkeys(("average", "early_stopping", "record_path"), False),
}


class SolvedProblem:
    """What a fit makes of a run of `SmallSolver`, as a `Problem` does.

    Parameters
    ----------
    run : SmallSolver
    intercept : bool
    """

    means = None

    def __init__(self, run, intercept):
        self.run, self.intercept = run, intercept

    def each(self, values):
        """Return the only value."""
        return values[0]

    def answer(self, runs):
        """Return the `Answer` of the runs."""
        return Answer(runs, [])

    def remarks(self, solution):
        """Return no sentences."""
        return []

    def attributes(self, target, theta):
        """Return the attributes by which the estimator predicts by some parameters."""
        coef, level = theta + 0.0, 0.0  # no negative zeros
        if self.intercept:
            level = self.run.level - (coef * self.run.centre).sum()
        return {"coef_": coef, "intercept_": level}

    def solution(self, answer):
        """Return the attributes of the solution."""
        levels = np.array([self.run.level])
        known = {"dual_gap_": np.float64(self.run.gap), "_levels": levels}
        return self.attributes(0, self.run.theta) | known


def asks_for_the_minimum(estimator, X, validation):
    """Whether nothing but the minimum of a squared error is asked for, whose rows are at hand.

    Parameters
    ----------
    estimator : DescentEstimator
    X
        As it was given.
    validation : tuple
        X, y and weights to validate on, as they were given.
    """
    if not estimator.has_small_solver or isinstance(X, Pieces):
        return False
    params = vars(estimator)
    if not all(_is_usual(params[name], value) for name, value in USUAL.items()):
        return False
    if any(given is not None for given in validation):
        return False
    # a fit draws from a generator
    return isinstance(params["random_state"], int | NoneType) and params["tol"] is not None


def _is_usual(given, value):
    """Whether a parameter has a value; of words any copy, as those that come from a pickle."""
    return given is value or (isinstance(given, str) and given == value)


def solved_small(estimator, rows):
    """Return the `SolvedProblem` of small rows, if the `SmallSolver` reaches the minimum.

    Parameters
    ----------
    estimator : GDRegressor
        That `asks_for_the_minimum`.
    rows : Rows
        Which need not be finite.
    """
    elastic, alpha = part_of(estimator, "penalty").elastic(), float(estimator.alpha)
    positive, tol = bool(estimator.positive), float(estimator.tol)
    if elastic is None or tol < FINEST_TOL:
        return None
    a, b = alpha * elastic[0], alpha * elastic[1]
    if not (a or b) or rows.is_sparse or not rows.is_single or rows.dtype != np.float64:
        return None
    if not is_small(rows.shape, smooth=not (a or positive)):
        return None
    intercept = bool(estimator.fit_intercept)
    run = SmallSolver(rows.X, rows.y, rows.weight, (a, b), intercept, positive, tol)
    run.minimize(1)
    return SolvedProblem(run, intercept) if run.outcome.settled else None
