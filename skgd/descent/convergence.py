"""What follows a call of the loop: whether the descent has converged, and its next rate."""

from skgd.descent.new_state import carried_over
from skgd.descent.outcome import Outcome
from skgd.descent.stopping import has_zeros_of_minimum, target_of

LATE = 1.5  # times the epochs that the gap has taken, by which the residual is not waited for
GRACE = 500  # epochs that a rule is given for the residual, or for zeros, in any case


def after_a_call(descent):
    """Return the outcome of a call of the loop; change the rate and the size of batches.

    Parameters
    ----------
    descent : Descent
        With the outcome that the loop has found.
    """
    outcome = descent.outcome
    if outcome is Outcome.RUNNING and _certify(descent):
        outcome = _judged(descent)
    if outcome is Outcome.CONVERGED:
        outcome = _confirmed(descent)
        if outcome is Outcome.RUNNING and descent.stale >= descent.limits.patience:
            outcome = Outcome.PLATEAU
    if outcome is Outcome.PLATEAU:
        outcome = _reduce_rate(descent)
    if outcome is Outcome.DIVERGED and descent.control:
        outcome = _retreat(descent)
    if outcome is Outcome.RUNNING:
        _review(descent)
    return outcome


def restart(descent):
    """Begin the momentum of a rule that extrapolates anew, and evaluate its iterate."""
    descent.state.theta[:] = descent.state.iterate
    descent.state.scalars[:] = 0.0
    return descent.evaluate_in_place()


def _confirmed(descent):
    """Return whether what would be returned has converged, as a point before it has.

    That is the end of an epoch of batches, the iterate from which a rule extrapolates, or the mean
    of iterates.
    """
    found, options, objective = Outcome.CONVERGED, descent.options, descent.objective
    waits = descent.full and options.certifies
    if waits and not (_has_zeros(descent) and _is_exact(descent)):
        return Outcome.RUNNING
    if descent.full and descent.optimizer.extrapolates:
        found = restart(descent)
    elif not descent.full:
        found = descent.evaluate_in_place()
    theta, target = descent.iterate, descent.limits.target
    if theta is not descent.state.iterate and objective.value(theta) > target:
        return Outcome.RUNNING
    return found


def _has_zeros(descent):
    """Return whether the weights that are zero are those of the minimum, or soon would have been.

    Which these are is known less well where second derivatives change, or slopes jump.
    """
    known = descent.iterate, descent.certificate, descent.record.residual
    found = has_zeros_of_minimum(descent.objective, *known, descent.options)
    return found or (not descent.objective.quadratic and _is_late(descent))


def _is_exact(descent):
    """Return whether the scaled residual meets tol, or long enough has been waited for it.

    A rule that bounces about the minimum may take much longer for the residual than for the gap.
    """
    if descent.optimizer.newton_fraction is None or not descent.objective.quadratic:
        return True
    return descent.record.residual <= descent.tol or _is_late(descent)


def _is_late(descent):
    """Return whether half as many epochs as for the gap have passed once more, and a few."""
    n_epochs = descent.earlier + descent.record.n_epochs
    descent.met = n_epochs if descent.met is None else descent.met
    return n_epochs > LATE * descent.met + GRACE


def _reduce_rate(descent):
    """Cut the rate, if the schedule reacts to a plateau."""
    if descent.schedule.patience() is None:
        return Outcome.PLATEAU
    factor = descent.schedule.next_factor(descent.factor)
    if factor == 0.0:
        return Outcome.PLATEAU
    descent.factor, descent.stale = factor, 0.0
    return Outcome.RUNNING


def _retreat(descent):
    """Cut a rate that is too large for the stage, unless the whole descent diverges."""
    value = descent.record.curve[-1]
    if value > descent.ceiling:
        return Outcome.DIVERGED
    bound = descent.certificate.lower_bound
    descent.factor *= descent.control.retreat(descent.state.iterate, value - bound, bound)
    return Outcome.RUNNING


def _certify(descent):
    """Return whether a lower bound of the minimum, or a better one, has been sought and found."""
    objective, options = descent.objective, descent.options
    if not options.seeks_bound(objective, descent.certificate, descent.record.curve[-1]):
        return False
    known = objective, descent.state.iterate, descent.certificate
    descent.certificate = options.certify(*known)
    target = target_of(objective, descent.tol, descent.certificate)
    descent.limits = descent.limits._replace(target=target)
    return True


def _judged(descent):
    """Return the outcome of the last epoch, by a bound that is known only now."""
    limits, record = descent.limits, descent.record
    meets_tol = not descent.full or record.residual <= limits.tol
    meets_tol &= record.curve[-1] <= limits.target
    return Outcome.CONVERGED if meets_tol else Outcome.RUNNING


def _review(descent):
    """Change the rate, and the size of batches, at the end of a stage."""
    control = descent.control
    if control is None or control.left > 0:
        return
    bound, iterate = descent.certificate.lower_bound, descent.state.iterate
    factor, growth = control.review(iterate, bound, descent.batch == descent.n)
    descent.factor *= factor
    if growth > 1:
        descent.grown *= growth
        descent.bind_data(descent.objective)
        batching = descent.optimizer, descent.batch
        descent.state = carried_over(descent.state, descent.objective, *batching)
