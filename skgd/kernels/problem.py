"""What a compiled loop is given, and what it rewrites."""

from typing import NamedTuple

import numpy as np

# What a column of the record holds, one each.
OBJECTIVE, RESIDUAL, PENALTY, GRADIENT_NORM, STEP_NORM, N_ZEROS = range(6)
RUNNING, CONVERGED, PLATEAU, MAX_ITER, DIVERGED, NONFINITE, STOPPED, OVERFITTING = range(8)
CYCLIC, SHUFFLE, REPLACEMENT = range(3)
SAMPLINGS = {"shuffle": SHUFFLE, "replacement": REPLACEMENT, "cyclic": CYCLIC}


class Parts(NamedTuple):
    """The parts that a loop is compiled for."""

    model: tuple
    loss: tuple
    optimizer: tuple
    penalty: tuple


class Data(NamedTuple):
    """What is fitted: n rows of p columns, for d parameters."""

    rows: tuple
    y: np.ndarray  # (n,)
    weight: np.ndarray  # (n,), of mean one
    centre: np.ndarray  # (p,), subtracted from every row; (0,) for none
    penalty_strength: np.ndarray  # (d,), of the penalty on each parameter, 0 for none
    floor: np.ndarray  # (d,), the lowest value that each parameter may have
    held: np.ndarray  # the constant columns, whose weights are zero
    width: int  # p


class LoopVariant(NamedTuple):
    """The form of the loop, beside the classes of its parts."""

    batch: str  # "full", "batch", "single" or "lazy"
    averages: bool = False
    bounded: bool = False
    clips: bool = False
    variance_reduced: bool = False


class LazyState(NamedTuple):
    """The lazy form's account of who is up to date."""

    scale_and_threshold: np.ndarray  # (2,), how far all weights have shrunk, and have been cut
    applied: np.ndarray  # (p,), the cut when a weight was last brought up to date
    slopes: np.ndarray  # (batch,), the derivatives in z of the present rows


class GradientTable(NamedTuple):
    """What variance reduction remembers of every row: how it pulled when last looked at."""

    gradient_table: (
        np.ndarray
    )  # (n,), the derivatives in f, times the weights; NaN for rows not seen yet
    mean_gradient: (
        np.ndarray
    )  # (d,), the gradient that they make, as a share of the mean over all rows
    seen: np.ndarray  # (1,), the rows that the table knows


class State(NamedTuple):
    """Everything that an update reads and rewrites."""

    theta: np.ndarray  # (d,), where the gradient is taken
    iterate: np.ndarray  # (d,), after the last prox: theta itself unless a rule looks ahead
    last: np.ndarray  # (d,), the answer an epoch before
    mean: np.ndarray  # (d,), of the iterates
    g: np.ndarray  # (d,)
    memory: np.ndarray  # (n_memory, d)
    scalars: np.ndarray  # (n_scalars,)
    order: np.ndarray  # (n,), the rows in their present order; absent on the full batch
    lazy_state: tuple  # Idle where the lazy form runs
    gradients: tuple  # Reduced where variance is reduced


class StoppingRule(NamedTuple):
    """What decides whether a descent goes on."""

    tol: float  # of the scaled residual, on the full batch
    gain: float  # that counts as an improvement of the objective
    patience: float  # epochs without one
    null_objective: float  # the objective of the constant prediction
    scale: np.ndarray  # (3, d): the residual's prox step, its unit, and its rounding
    norm: float  # that a gradient is shortened to
    entry: float  # that the entries of a gradient are cut to


class Cursor(NamedTuple):
    """How a call of the loop goes on from where the last one ended."""

    batch: int
    sampling: int
    t: int  # the number of the first update, counted from 1
    best: float  # the lowest objective so far
    stale: float  # epochs without improvement so far
    ceiling: float  # the objective at which a descent counts as diverged
    averaged: int  # the first update whose iterate is averaged
    kept: int  # every which update goes into the path
