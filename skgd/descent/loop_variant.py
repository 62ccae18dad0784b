"""Which form of the loop serves an objective, a rule and a batch size."""

from skgd.kernels.problem import LoopVariant
from skgd.kernels.rows import CsrRows


def loop_variant(objective, rule, batch, form, rates, recorded):
    """Return the form of the loop.

    Parameters
    ----------
    objective : Objective
    rule : Optimizer
    batch : int or None
        Rows in an update; None for all.
    form : dict
        The other fields of `LoopVariant`.
    rates : ndarray of shape (updates,)
        Learning rates.
    recorded : bool
        Whether the parameters are kept after updates.
    """
    mode, sparse = LoopVariant("batch", **form), isinstance(objective.data.rows, CsrRows)
    if batch is None:
        return mode._replace(batch="full")
    if sparse and not any(form.values()) and not recorded and _may_wait(objective, rule, rates):
        return mode._replace(batch="lazy")
    plain = (
        sparse
        or batch > 1
        or objective.centre is not None
        or form["clips"]
        or form["variance_reduced"]
    )
    return mode if plain or rule.needs_norm else mode._replace(batch="single")


def _may_wait(objective, rule, rates):
    """Whether weights that a batch does not touch may be left for later."""
    elastic = objective.penalty.elastic()
    if not rule.lazy or objective.centre is not None or not elastic:
        return False
    slow = rates.max(initial=0.0) * objective.alpha * elastic[1] < 0.5
    return slow and objective.penalty_factor is None
