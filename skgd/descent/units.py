"""Units of parameters, in which every column of X counts alike whatever it is measured in.

And their intercept, which depends on what rows are seen from.
"""

import numpy as np

APART = 2.0  # ratio of units, below which there is nothing to gain
SMALLEST = 1e-200  # curvature that counts as one, so that the square of a unit is a number


def units_of(objective, rule, setup, options):
    """Return the units in which a rule takes its steps; None for those of the parameters.

    In its unit a parameter has a curvature of one: that of a weight is the reciprocal of the root
    mean square of its column. Steps are taken in units where the rate is automatic and the gap
    decides that the descent has arrived. A rule with a norm of its own, one with a decay of its
    own, and clipped gradients have no units.

    Parameters
    ----------
    objective : Objective
    rule : Optimizer
    setup : Setup
    options : Options

    Returns
    -------
    ndarray of shape (d,) or None
    """
    if objective.term.units is not None:
        return objective.term.units
    if not setup.in_units or not options.certifies or options.learning_rate != "auto":
        return None
    if rule.needs_norm or rule.decoupled or options.clips:
        return None
    curvature = objective.column_curvature
    lengths = np.sqrt(np.where(curvature > SMALLEST, curvature, 1.0))
    return 1.0 / lengths if lengths.max() > APART * lengths.min() else None


def centre_of(objective):
    """Return what rows are seen from where an intercept moves beside the weights; () for zero."""
    if objective.centre is None or objective.d == objective.p:
        return ()
    return objective.centre


def see_from(state, objective, before):
    """Give parameters the intercept of rows that are seen from the centre of an objective.

    Parameters
    ----------
    state : State
        Whose arrays are changed.
    objective : Objective
    before : ndarray of shape (p,) or ()
        The `centre_of` the objective before.
    """
    p, centre = objective.p, centre_of(objective)
    if not len(before) or not len(centre) or np.array_equal(before, centre):
        return
    arrays = state.theta, state.iterate, state.last, state.mean
    for array in {id(a): a for a in arrays if len(a)}.values():
        array[p] += array[:p] @ (centre - before)
