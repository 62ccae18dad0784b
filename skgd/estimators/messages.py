"""What is said of a descent that has failed, or has not finished."""

import numpy as np

from skgd.descent.outcome import Outcome
from skgd.descent.rates import automatic_rate, stability_limit
from skgd.estimators.user_warnings import in_a_search, warn

NAMES = {"GD": "gradient descent", "Accelerated": "the accelerated sequence"}  # in sentences
# The same for all candidates and splits, so that a search tells of all of them at once.
FAILED_CANDIDATE = (
    "{} diverged and has no score. Lower the learning rate, leave it at 'auto', or scale the "
    "features. Fitted alone, the same candidate says which rate is the largest stable one."
)


def check_outcome(descent, estimator):
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
    if outcome.failed:
        unusable = outcome is Outcome.NONFINITE or descent.selected is None
        if unusable and in_a_search():
            raise ValueError(FAILED_CANDIDATE.format(name))
        sentence = f"{name} diverged. {divergence_message(descent)}"
        if outcome is Outcome.NONFINITE:
            raise ValueError(sentence)
        warn(sentence)
        return sentence if unusable else None
    if outcome is Outcome.MAX_ITER and descent.tol is not None:
        warn(
            f"{name} has not converged in max_iter={most} epochs: "
            f"{progress_message(descent)}, and tol is {descent.tol:.1e}. Allow more epochs, scale "
            "the features, or let the learning rate fall by a schedule.",
        )
    elif outcome is Outcome.MAX_ITER and estimator.early_stopping and estimator.tol is not None:
        warn(
            f"{name} has done max_iter={most} epochs and the validation score was still rising. "
            "Allow more epochs.",
        )
    return None


def divergence_message(descent):
    """Return the sentences on an objective that has grown."""
    record, rule, bound = descent.record, descent.update_rule, ""
    if rule is not None:
        with np.errstate(all="ignore"):
            bound = stability(descent.objective, rule)
    return (
        f"The objective went from {record.curve[0]:.3g} to {record.curve[-1]:.3g} by epoch "
        f"{record.n_epochs}, with learning_rate={descent.learning_rate:.3g}. {bound} Lower the "
        "learning rate, leave it at 'auto', or scale the features, for instance with "
        "StandardScaler."
    )


def stability(objective, update_rule):
    """Return the sentence on the largest stable rate of a rule, on batches of its size."""
    rule, batch, _ = update_rule
    known = objective, *update_rule
    limit, name = stability_limit(*known), NAMES.get(type(rule).__name__, type(rule).__name__)
    if limit is not None and batch is None:
        share = rule.stability_limit()
        unit = "2/L" if share == 1.0 else f"{share:.3g} times 2/L"
        return f"The largest stable rate of {name} on this data is {limit:.3g} ({unit})."
    if limit is not None:
        rows = "one row" if batch == 1 else f"{batch} rows"
        return f"The largest stable rate of {name} on batches of {rows} is at least {limit:.3g}."
    if rule.newton_fraction is None:
        return f"Nothing is known of the stability of {name} on this data."
    automatic = automatic_rate(*known[:2], np.zeros(objective.d), *known[2:])
    return (
        f"The steps of {name} have a length of their own, which the rate multiplies; from zero, "
        f"the automatic rate is {automatic:.3g}."
    )


def progress_message(descent):
    """Return what was reached, in the unit of tol."""
    record, rule = descent.record, descent.update_rule
    if rule is None or rule.batch_size is None:
        return f"the scaled residual is {record.residual:.1e}"
    gain = (record.curve[-2] - record.curve[-1]) / descent.objective.null_objective
    return f"the last epoch lowered the objective by {gain:.1e} of the constant prediction's"
