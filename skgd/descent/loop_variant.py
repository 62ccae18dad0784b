"""Which variant of the loop serves an objective, a rule and a batch size."""

import math

from skgd.descent.variance_reduction import correction_of
from skgd.kernels.problem import LoopVariant

EARLY = 8  # epochs, or as many as an eighth of the columns, before a second derivative pays
READ = 2**21  # entries of rows in these, before it pays for the time of its compilation


def loop_variant(objective, rule, batch, options, rates, recorded):
    """Return the variant of the loop.

    Parameters
    ----------
    objective : Objective
    rule : Optimizer
    batch : int or None
        Rows in an update; None for all.
    options : dict
        Whether it ``averages``, ``clips``, and takes steps ``in_units``.
    rates : ndarray of shape (updates,)
        Learning rates.
    recorded : bool
        Whether the parameters are kept after updates.
    """
    correction = correction_of(rule, batch is None)
    variant = LoopVariant("batch", correction, nonnegative=objective.positive, **options)
    if batch is None:
        return variant._replace(batch="full")
    if objective.term.kernel is None:
        return variant
    sparse, plain = objective.term.sparse, variant == LoopVariant("batch")
    if sparse and plain and not recorded and _may_wait(objective, rule, rates):
        return variant._replace(batch="lazy")
    by_row = objective.term.model is not None and not (sparse or objective.term.by_columns)
    plain = correction == "none" and not variant.clips and not rule.needs_norm
    single = plain and by_row and batch == 1
    return variant._replace(batch="single") if single else variant


def _may_wait(objective, rule, rates):
    """Whether weights that a batch does not touch may be updated when they are needed."""
    elastic = objective.penalty.elastic()
    if not rule.lazy or objective.centre is not None or not elastic:
        return False
    slow = rates.max(initial=0.0) * objective.alpha * elastic[1] < 0.5
    return slow and objective.penalty_factor is None


def epochs_by_rows(descent):
    """Return after how many epochs the second derivative of a descent tells what rows do.

    Infinite where it is not constant, for smaller batches, in a stream, and where rounding is
    amplified: by rules whose steps do not become small with the gradient, and by schedules that
    react to a plateau.
    """
    objective, changes = descent.objective, descent.streams or not descent.full
    amplifies = descent.optimizer.newton_fraction is not None or descent.schedule.patience()
    if changes or amplifies or not objective.quadratic:
        return math.inf
    return max(EARLY, objective.p // EARLY, READ // max(1, objective.n * objective.p))
