"""What is said of a descent that has failed, or has not finished."""

import numpy as np

from skgd.descent import Outcome, stable_rate
from skgd.speaking import in_a_search, warn

FAILED = (Outcome.DIVERGED, Outcome.NONFINITE)
# The same for all candidates and splits, so that a search tells of all of them at once.
FAILED_CANDIDATE = (
    "{} diverged and has no score. Lower the learning rate, leave it at 'auto', or scale the "
    "features. Fitted alone, the same candidate says which rate is the largest stable one."
)


def judge(descent, estimator):
    """Say it when a descent has failed, or has not finished.

    Parameters
    ----------
    descent : Descent
    estimator : DescentEstimator

    Returns
    -------
    str or None
        The sentence on a descent that has failed, unless it has been validated on the way.

    Raises
    ------
    ValueError
        Where the objective is no longer a number; within a search, which counts fits that have
        failed and goes on, also where it has grown.
    """
    outcome, name, most = descent.outcome, type(estimator).__name__, estimator.max_iter
    if outcome in FAILED:
        unusable = outcome is Outcome.NONFINITE or descent.chosen is None
        if unusable and in_a_search():
            raise ValueError(FAILED_CANDIDATE.format(name))
        sentence = f"{name} diverged. {growth(descent)}"
        if outcome is Outcome.NONFINITE:
            raise ValueError(sentence)
        warn(sentence)
        return sentence if unusable else None
    if outcome is Outcome.MAX_ITER and descent.tol is not None:
        warn(
            f"{name} has not converged in max_iter={most} epochs: "
            f"{remainder(descent)}, and tol is {descent.tol:.1e}. Allow more epochs, scale the "
            "features, or let the learning rate fall by a schedule.",
        )
    elif outcome is Outcome.MAX_ITER and estimator.early_stopping and estimator.tol is not None:
        warn(
            f"{name} has done max_iter={most} epochs and the validation score was still rising. "
            "Allow more epochs.",
        )
    return None


def growth(descent):
    """Return the sentence on an objective that has grown."""
    objective = descent.objective
    with np.errstate(all="ignore"):
        largest = 2.0 * stable_rate(objective)
    rule, share = type(descent.optimizer).__name__, descent.optimizer.endurance()
    own = "" if share in (None, 1.0) else f", and {share * largest:.3g} for {rule}"
    return (
        f"The objective went from {descent.curve[0]:.3g} to {descent.curve[-1]:.3g} by epoch "
        f"{descent.epoch}, with learning_rate={descent.rate:.3g}. The largest stable rate of "
        f"gradient descent on this data is {largest:.3g} (2/L){own}. Lower the learning rate, "
        "leave it at 'auto', or scale the features, for instance with StandardScaler."
    )


def remainder(descent):
    """Return what was reached, in the unit of tol."""
    if descent.full:
        return f"the scaled residual is {descent.residual:.1e}"
    gain = (descent.curve[-2] - descent.curve[-1]) / descent.objective.null
    return f"the last epoch lowered the objective by {gain:.1e} of the constant prediction's"
