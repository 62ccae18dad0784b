"""Lower bounds of the minimum, by which a descent knows that it has arrived."""

import math
from functools import partial

import numpy as np

from skgd.descent.stopping import has_zeros
from skgd.estimators.minimizers import direct
from skgd.models import Linear
from skgd.objective.duality import Certificate
from skgd.objective.objective import Objective
from skgd.solvers.auto import reason_against

MAX_PASSES = 1000  # of the direct solver over the data
ZEROS = 1e-3  # of tol, to which it goes where weights may be zero


def certifier_of(objective, tol):
    """Return what finds lower bounds of the minimum of an objective; None where none is known.

    A direct solver finds the bound at once, where there is one. Otherwise a better bound follows
    from a better point.

    Parameters
    ----------
    objective : Objective
    tol : float or None
        Of the gap.

    Returns
    -------
    callable or None
        Takes the objective, parameters, and the last certificate or None; returns a
        `Certificate`.
    """
    if tol is None or not objective.has_dual:
        return None
    return partial(_certificate, tol)


def _certificate(tol, objective, theta, known):
    """Return the certificate of a direct solver, near enough to the minimum to tell its zeros."""
    with np.errstate(all="ignore"):
        found = _best_certificate(tol, objective, theta, known)
    if math.isfinite(found.lower_bound):
        return found
    return Certificate(theta, math.inf, -math.inf)


def _best_certificate(tol, objective, theta, known):
    solvable = _centred(objective)
    if known is not None or reason_against(solvable, set()) is not None:
        return objective.certificate(theta, known)
    start = theta if solvable is objective else None
    solver = direct(solvable, (ZEROS if has_zeros(objective) else 1.0) * tol, start)
    solver.minimize(MAX_PASSES)
    if solver.certificate is None:  # it has met what is no number
        return objective.certificate(theta)
    if solver.certificate.gap <= tol * objective.null_objective:
        return solver.certificate
    return solvable.certificate(solver.iterate, solver.certificate)


def _centred(objective):
    """Return the objective whose intercept is solved for where it can be, of the same minimum."""
    if not objective.quadratic or objective.d == objective.p:
        return objective
    return Objective(
        objective.term.centred(Linear(False)),
        objective.penalty,
        objective.alpha,
        penalty_factor=objective.penalty_factor,
        positive=objective.positive,
        null_objective=objective.null_objective,
    )
