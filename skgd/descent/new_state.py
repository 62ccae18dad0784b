"""The arrays of a descent: made for the data at hand, and carried over to other data."""

import math

import numpy as np

from skgd.descent.variance_reduction import remembered
from skgd.kernels.problem import SLOPE, TOTAL, Idle, State
from skgd.kernels.rows import CsrRows

SAME = 1e-9  # relative difference of objectives, and of slopes, that are one


def new_state(objective, rule, start, batch, average):
    """Return the arrays that the loop rewrites, from a start.

    Parameters
    ----------
    objective : Objective
    rule : Optimizer
    start : ndarray of shape (d,)
    batch : int or None
        Rows in an update; None for all.
    average : int
        Whether a mean of the iterates is kept.
    """
    d = objective.d
    theta = start.astype(float)
    state = State(
        theta=theta,
        answer=theta,
        last=theta.copy(),
        mean=np.zeros(d if average else 0),
        g=np.zeros(d),
        memory=np.zeros((rule.n_memory, d)) if rule.n_memory else (),
        scalars=np.zeros(rule.n_scalars) if rule.n_scalars else (),
        order=(),
        idle=(),
        reduced=(),
    )
    return carried_over(state, objective, rule, batch)


def carried_over(state, objective, rule, batch):
    """Return the arrays for other data, with all that a rule remembers."""
    objective.drop_constant(state.theta, state.answer)
    for theta in (state.theta, state.answer):
        np.maximum(theta, objective.data.floor, out=theta)
    full = batch is None
    return state._replace(
        answer=answer_of(state, rule, full),
        order=() if full else np.arange(objective.n),
        idle=_idle(objective, rule, batch),
        reduced=remembered(rule, objective, full, state.reduced),
    )


def answer_of(state, rule, full):
    """Return the array of the answer: that of the parameters, unless they run ahead of it."""
    if full and not rule.looks_ahead:
        return state.theta
    return state.theta.copy() if state.answer is state.theta else state.answer


def _idle(objective, rule, batch):
    """Return the account of the lazy form, or () where it cannot run."""
    if batch is None or not rule.lazy or not isinstance(objective.data.rows, CsrRows):
        return ()
    return Idle(np.array([1.0, 0.0]), np.zeros(objective.p), np.zeros(batch))


def settings_of(objective, optimizer, batch_size, sampling, average):
    """Return what a descent cannot change on its way: with other settings another begins.

    Plain values, which can be stored.
    """
    parts = (spelled(part) for part in (optimizer, objective.model, objective.loss))
    return *parts, batch_size, sampling, int(average), objective.d, objective.centre is not None


def spelled(part):
    """Return what distinguishes a part from all others, as text."""
    return f"{type(part).__module__}.{part!r}"


def are_same(before, now):
    """Whether two columns of a record tell of the same parameters on the same rows."""
    pairs = [(before[k], now[k]) for k in (TOTAL, SLOPE)]
    return all(a == b or math.isclose(a, b, rel_tol=SAME) or a != a for a, b in pairs)
