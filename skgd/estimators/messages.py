"""What is said of a run that has failed, or has not finished."""

import math
from typing import NamedTuple

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


class Message(NamedTuple):
    """A sentence on a run.

    Attributes
    ----------
    sentence : str
    is_error : bool
        Whether it is raised, or else warned of.
    is_refusal : bool
        Whether the estimator is not to predict.
    """

    sentence: str
    is_error: bool = False
    is_refusal: bool = False

    def tell(self):
        """Raise a ValueError, or warn at the user's line."""
        if self.is_error:
            raise ValueError(self.sentence)
        warn(self.sentence)


def messages_of(estimator, run):
    """Return what is to be said of a run, a list that may be empty.

    Raised is where the objective is no longer a number; within a search, which counts fits that
    have failed and goes on, also where it has grown, unless epochs were validated.

    Parameters
    ----------
    estimator : DescentEstimator
    run : Minimizer

    Returns
    -------
    list of Message
    """
    outcome, name, n_epochs = run.outcome, type(estimator).__name__, estimator.max_iter
    if outcome.failed:
        is_nonfinite = outcome is Outcome.NONFINITE
        is_refusal = is_nonfinite or run.selected is None
        if is_refusal and in_a_search():
            return [Message(FAILED_CANDIDATE.format(name), True, True)]
        sentence = f"{name} diverged. {divergence_message(run)}"
        return [Message(sentence, is_nonfinite, is_refusal)]
    if outcome is Outcome.PLATEAU and run.tol is not None:
        cure = "Leave the schedule at 'auto', or lower the learning rate."
        cure = "Lower the learning rate, or let it fall by a schedule." if run.in_turn else cure
        return [
            Message(
                f"{name} has stopped improving: {progress_message(run)}, and tol is "
                f"{run.tol:.1e}. {cure}"
            )
        ]
    if outcome is Outcome.MAX_ITER and run.tol is not None:
        others = ", scale the features, or let the learning rate fall by a schedule."
        others = " or scale the features." if run.update_rule is None else others
        return [
            Message(
                f"{name} has not converged in max_iter={n_epochs} epochs: "
                f"{progress_message(run)}, and tol is {run.tol:.1e}. Allow more epochs{others}"
            )
        ]
    if outcome is Outcome.MAX_ITER and estimator.early_stopping and estimator.tol is not None:
        return [
            Message(
                f"{name} has done max_iter={n_epochs} epochs and the validation score was still "
                "rising. Allow more epochs."
            )
        ]
    return []


def divergence_message(run):
    """Return the sentences on an objective that has grown."""
    record, rule, bound = run.record, run.update_rule, ""
    if rule is not None:
        with np.errstate(all="ignore"):
            bound = f"{stability_message(run.objective, *rule)} "
    return (
        f"The objective went from {record.curve[0]:.3g} to {record.curve[-1]:.3g} by epoch "
        f"{record.n_epochs}, with learning_rate={run.learning_rate:.3g}. {bound}Lower the "
        "learning rate, leave it at 'auto', or scale the features, for instance with "
        "StandardScaler."
    )


def stability_message(objective, rule, batch_size, replacement):
    """Return the sentence on the largest stable rate of a rule, on batches of this size."""
    known = objective, rule, batch_size, replacement
    limit, name = stability_limit(*known), NAMES.get(type(rule).__name__, type(rule).__name__)
    if limit is not None and batch_size is None:
        share = rule.stability_limit()
        unit = "2/L" if share == 1.0 else f"{share:.3g} times 2/L"
        return f"The largest stable rate of {name} on this data is {limit:.3g} ({unit})."
    if limit is not None:
        rows = "one row" if batch_size == 1 else f"{batch_size} rows"
        return f"The largest stable rate of {name} on batches of {rows} is at least {limit:.3g}."
    if rule.newton_fraction is None:
        return f"Nothing is known of the stability of {name} on this data."
    said = f"The steps of {name} have a length of their own, which the rate multiplies"
    if objective.column_curvature is None:
        return f"{said}."
    automatic = automatic_rate(objective, rule, np.zeros(objective.d), batch_size, replacement)
    return f"{said}; from zero, the automatic rate is {automatic:.3g}."


def progress_message(run):
    """Return what was reached, in the unit of tol."""
    record, rule, certificate = run.record, run.update_rule, run.certificate
    is_told = not record.residual < math.inf or run.objective.term.nonsmooth
    is_told = is_told or record.residual <= run.tol
    if certificate is not None and run.objective.has_dual and is_told:
        gap = (record.curve[-1] - certificate.lower_bound) / run.objective.null_objective
        return f"the duality gap is {gap:.1e} of the objective of the best constant"
    is_known = run.objective.column_curvature is not None
    if rule is None or (rule.batch_size is None and is_known):
        return f"the scaled residual is {record.residual:.1e}"
    gain = (record.curve[-2] - record.curve[-1]) / run.objective.null_objective
    return f"the last epoch lowered the objective by {gain:.1e} of the constant prediction's"
