"""The arrays of a descent: made for the data at hand, and carried over to other data."""

import math

import numpy as np

from skgd.descent.variance_reduction import new_gradient_table
from skgd.kernels.problem import GRADIENT_NORM, OBJECTIVE, LazyState, State
from skgd.kernels.rows import gathering_room

SAME = 1e-9  # relative difference of objectives, and of slopes, that are one


def new_state(objective, rule, start, batch, average, units=None):
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
    units : ndarray of shape (d,) or None
        Of the parameters, where steps are taken in them.
    """
    d, dtype = objective.d, objective.term.dtype
    theta = start.astype(dtype)
    state = State(
        theta=theta,
        iterate=theta,
        last=theta.copy(),
        mean=np.zeros(d if average else 0),
        g=np.zeros(d, dtype),
        memory=np.zeros((rule.n_memory, d), dtype) if rule.n_memory else (),
        scalars=np.zeros(rule.n_scalars) if rule.n_scalars else (),
        order=(),
        gathered=(),
        lazy_state=(),
        gradients=(),
        units=() if units is None else units,
    )
    return carried_over(state, objective, rule, batch)


def carried_over(state, objective, rule, batch):
    """Return the arrays for other data, with all that a rule remembers."""
    objective.project_onto_bounds(state.theta, state.iterate)
    full = batch is None
    return state._replace(
        iterate=iterate_of(state, rule, full),
        lazy_state=_new_lazy_state(objective, rule, batch),
        gradients=new_gradient_table(rule, objective, full, state.gradients),
    )


def in_order(state, objective, moves):
    """Return the state of a call of the loop over batches: with the rows in order, if it moves.

    They are dropped after the call, as they take four bytes a row.
    """
    n, kind = objective.n if moves else 0, np.int32 if objective.n < 2**31 else np.int64
    gathered = gathering_room(objective.X[:n]) if objective.term.by_columns else ()
    return state._replace(order=np.arange(n, dtype=kind), gathered=gathered)


def iterate_of(state, rule, full):
    """Return the array of the iterate: that of theta, unless the rule extrapolates."""
    if full and not rule.extrapolates:
        return state.theta
    return state.theta.copy() if state.iterate is state.theta else state.iterate


def _new_lazy_state(objective, rule, batch):
    """Return the account of the lazy step, or () where it cannot be taken."""
    if batch is None or not rule.lazy or not objective.term.sparse:
        return ()
    return LazyState(np.array([1.0, 0.0]), np.zeros(objective.p), np.zeros(batch))


def fixed_settings(objective, optimizer, batch_size, sampling, average):
    """Return what a descent cannot change on its way: with other settings another begins.

    Plain values, which can be stored.
    """
    own = objective.d, identity(optimizer), batch_size, sampling, int(average)
    return *own, *objective.term.settings()


def identity(part):
    """Return what distinguishes a part from all others, as text."""
    return f"{type(part).__module__}.{part!r}"


def are_same(before, now):
    """Whether two columns of a record tell of the same parameters on the same rows."""
    pairs = [(before[k], now[k]) for k in (OBJECTIVE, GRADIENT_NORM)]
    return all(a == b or math.isclose(a, b, rel_tol=SAME) or a != a for a, b in pairs)
