"""The loop of every descent, written once, and what composes it for parts, data and variant.

`run` is the loop. It is compiled once for all descents, as it calls by their addresses what
differs: the sum over all rows, compiled for a model, a loss and a storage, and the update,
compiled for an optimizer, a penalty and a `LoopVariant` (`skgd.descent.update`). A term without a
kernel descends in plain Python, through the same loop. Nothing here allocates.
"""

import math
from array import array
from functools import cache

import numpy as np

from skgd.descent.lazy import LAZY_FUNCTIONS
from skgd.descent.new_state import in_order
from skgd.descent.step import step_functions
from skgd.descent.update import update_batches, update_full, update_functions
from skgd.descent.variance_reduction import CORRECTIONS
from skgd.kernels.blocks import call, read
from skgd.kernels.compiling import Kernel, bind, compilation, compiled_code
from skgd.kernels.problem import (
    CONVERGED,
    DIVERGED,
    EPOCH,
    MEASURE,
    NONFINITE,
    OBJECTIVE,
    PENALTY,
    PLATEAU,
    REPLACEMENT,
    RESIDUAL,
    RUNNING,
    STEP,
    WHAT,
    Parts,
)
from skgd.kernels.quadratic import quadratic_sums
from skgd.objective.data_term import PythonData, PythonKernel

MAX_GROWTH = 1e10  # of the objective, over the larger of its start and the null objective
FAILED = -1  # a task has raised an exception

judge = None


def run(block):
    """Descend by one epoch for each column of the record, or until something is against it.

    On the full batch ``state.g`` holds the gradient at ``state.theta`` before and after, and
    the objective recorded is that of the epoch's end. On smaller batches it is that of the
    epoch's beginning, which costs no pass of its own: every row comes by anyway.

    The block holds a `Call` that adds up all rows and what it finds, a `Call` of the update, its
    clock, a `StoppingRule`, three flags, the record, and five numbers: why the loop has ended, how
    many columns of the record it has filled, and ``best, stale, ceiling`` as in `Cursor`.
    """
    add_up, found, update, clock, rule, flags, record, ends = read(block)
    full, moves, drawn = flags  # whether batches are full, taken, and drawn with replacement
    done, outcome, best, stale, ceiling = 0, RUNNING, ends[2], ends[3], ends[4]
    add_first = not full and (drawn or not moves)
    while done < record.shape[1] and outcome == RUNNING:
        failed = False
        clock[EPOCH] = done
        if add_first:
            failed = call(add_up)
        if moves and not failed:
            clock[WHAT] = STEP
            failed = call(update)
        if full and not failed:
            failed = call(add_up)
        clock[WHAT] = MEASURE
        if failed or call(update):
            outcome = FAILED
        else:
            total = found[0] if full or add_first else record[OBJECTIVE, done]
            total += record[PENALTY, done]
            record[OBJECTIVE, done] = total
            if best == math.inf:
                null = rule.null_objective
                ceiling = MAX_GROWTH * (null if total < null else total)
            stale = 0.0 if total < best - rule.gain else stale + 1.0
            best = total if total < best else best
            outcome = judge(total, record[RESIDUAL, done], stale, ceiling, rule)
            done += 1
    ends[0], ends[1], ends[2], ends[3], ends[4] = outcome, done, best, stale, ceiling


def judge_epoch(total, residual, stale, ceiling, rule):
    """Return whether and why a descent ends after an epoch."""
    if not abs(total) < math.inf:  # isfinite subtracts, and sums that may be reordered cancel
        return NONFINITE
    if total > ceiling:
        return DIVERGED
    if total <= rule.target and residual <= rule.tol:
        return CONVERGED
    return PLATEAU if stale >= rule.patience else RUNNING


@cache
def build_run(fuse, classes):
    """Return `run`, compiled unless there are no classes."""
    return Kernel(bind(run, {"judge": fuse(judge_epoch)}), classes and (), "run")


@cache
def build(kernel, optimizer, penalty, variant):
    """Return the update, composed for a data term, and compiled where the term can be.

    Parameters
    ----------
    kernel : RowKernel or PythonKernel
        Of the data term.
    optimizer, penalty : type
    variant : LoopVariant
    """
    with compilation:
        full, (begin, correct, add) = variant.batch == "full", CORRECTIONS[variant.correction]
        lazy = LAZY_FUNCTIONS if variant.batch == "lazy" else dict.fromkeys(LAZY_FUNCTIONS)
        functions = {
            **step_functions(variant, optimizer),
            **lazy,
            "begin_correction": begin,
            "add_mean_gradient": add,
            **update_functions(variant),
        }
        slots = {} if full else kernel.slots(variant, correct)
        slots |= {
            "prepare": kernel.fuse(optimizer.prepare),
            "step": kernel.fuse(optimizer.step),
            "extrapolate": kernel.fuse(optimizer.extrapolate),
            "omega_of": kernel.fuse(penalty.value),
            "smooth": kernel.fuse(penalty.gradient),
            "prox": kernel.fuse(penalty.prox),
            "elastic": kernel.fuse(penalty.elastic),
        }
        for name, function in functions.items():
            slots[name] = None if function is None else kernel.fuse(bind(function, slots))
        function = bind(update_full if full else update_batches, slots)
        classes = None
        if kernel.classes is not None:
            classes = (*(() if full else kernel.classes), optimizer, penalty)
        return Kernel(function, classes, "-".join(map(str, variant)))


def descend(objective, optimizer, variant, state, rule, cursor, epochs, reference=()):
    """Run the loop.

    Parameters
    ----------
    objective : Objective
    optimizer : Optimizer
    variant : LoopVariant
    state, rule, cursor, epochs : State, StoppingRule, Cursor, Epochs
        The arrays are filled: the record with the objective; the scaled residual (on the full
        batch); the penalty; the norm of the smooth part's gradient (on the full batch); the
        distance from the iterate of the column before; and the number of weights that are zero.
        The path is filled with the iterate after every update that is kept.
    reference : Reference or ()
        By which steps on the full batch know a squared error; () where rows tell it.

    Returns
    -------
    outcome, epochs : int
        Why the loop ended, and how many columns of the record it has filled.
    best, stale, ceiling : float
        As in `Cursor`, for the next call.
    """
    term, penalty, full = objective.term, objective.penalty, variant.batch == "full"
    state = state if full else in_order(state, objective, epochs.rates.size > 0)
    kernel, data = term.kernel or PythonKernel(), term.data or PythonData(term, {})
    clock, ends = array("q", [0, 0]), array("d", [RUNNING, 0, *cursor[3:6]])
    theta, g = (state.theta, state.g) if full else (state.iterate, np.zeros_like(state.g))
    with compiled_code():
        update = build(kernel, type(optimizer), type(penalty), variant)
        parts = ((), ()) if full else term.parts
        arguments = Parts(*parts, optimizer, penalty), objective.problem, state, rule
        task = update(*arguments, cursor, epochs, clock, *(() if full else (data,)))
        if reference:
            by_rows = term.sums(theta, theta, reference.slope)
            known = term.bounds.second_derivative, reference, theta, state.iterate, g
            add_up, found = quadratic_sums(*known, by_rows)
        else:
            add_up, found = term.sums(theta, state.iterate, g)
        flags = full, epochs.rates.size > 0, cursor.sampling == REPLACEMENT
        main = build_run(kernel.fuse, kernel.classes and ())
        main(add_up, found, task, clock, rule, flags, epochs.record, ends)()
        if ends[0] == FAILED:
            add_up.check()
            task.check()
        if reference:
            by_rows[0].check()
    return int(ends[0]), int(ends[1]), *ends[2:]
