"""What a compiled loop reads, and what it rewrites: tuples of arrays and numbers."""

from typing import NamedTuple

import numpy as np

# The rows of the record, one column for each epoch.
OBJECTIVE, RESIDUAL, PENALTY, GRADIENT_NORM, STEP_NORM, N_ZEROS = range(6)
RUNNING, CONVERGED, PLATEAU, MAX_ITER, DIVERGED, NONFINITE, STOPPED, OVERFITTING = range(8)
POLISHED = 8
CYCLIC, SHUFFLE, REPLACEMENT = range(3)
SAMPLINGS = {"shuffle": SHUFFLE, "replacement": REPLACEMENT, "cyclic": CYCLIC}


class Parts(NamedTuple):
    """The parts that a loop is compiled for."""

    model: tuple
    loss: tuple
    optimizer: tuple
    penalty: tuple


class RowData(NamedTuple):
    """The data of a rowwise term: n rows of p columns."""

    rows: tuple
    y: np.ndarray  # (n,)
    weight: np.ndarray  # (n,), with mean one; (1,) where all rows have the same
    stride: int  # row i has the weight ``weight[i * stride]``: 1, or 0 for the same
    centre: np.ndarray  # (p,), subtracted from every row; (0,) for none
    width: int  # p


class Problem(NamedTuple):
    """The penalty on the d parameters of a data term."""

    n: int  # rows
    strengths: np.ndarray  # (d,), alpha times the penalty factor; 0 for no penalty
    penalized: np.ndarray  # (d,), bool: the parameters that are weights
    constant: np.ndarray  # indices of the weights of constant columns, which stay zero
    fewest: int = 1  # rows of a batch; fewer at the end join the batch before


class LoopVariant(NamedTuple):
    """What the loop is composed of, beside the classes of its parts."""

    batch: str  # "full", "batch", "single" or "lazy"
    correction: str = "none"  # "saga", "svrg"
    averages: bool = False
    nonnegative: bool = False
    clips: bool = False
    in_units: bool = False


class LazyState(NamedTuple):
    """The lazy step's account of which weights are up to date."""

    scale_and_threshold: np.ndarray  # (2,), the scale of all weights, and the sum of thresholds
    applied: np.ndarray  # (p,), the sum of thresholds when a weight was last brought up to date
    slopes: np.ndarray  # (batch,), the derivatives in z of the present rows


class GradientTable(NamedTuple):
    """What variance reduction remembers of every row."""

    slopes: np.ndarray  # (n,), the derivatives in f, times the weights; NaN for rows not seen yet
    mean_gradient: np.ndarray  # (d,), the gradient they make, as a share of the mean over all rows
    n_seen: np.ndarray  # (1,), the rows that the table knows


class State(NamedTuple):
    """Everything that an update reads and rewrites."""

    theta: np.ndarray  # (d,), where the gradient is taken
    iterate: np.ndarray  # (d,), after the last prox: theta itself unless a rule extrapolates
    last: np.ndarray  # (d,), the iterate an epoch before
    mean: np.ndarray  # (d,), of the iterates
    g: np.ndarray  # (d,)
    memory: np.ndarray  # (n_memory, d)
    scalars: np.ndarray  # (n_scalars,)
    order: np.ndarray  # (n,), int32, the rows in their present order; absent on the full batch
    gathered: tuple  # DenseRows, the next rows in their order, where X lies column by column
    lazy_state: tuple  # LazyState where the lazy step is taken
    gradients: tuple  # GradientTable where variance is reduced
    units: np.ndarray  # (d,), of the parameters, where steps are taken in them


NO_STATE = State(*((),) * len(State._fields))
WHAT, EPOCH = range(2)  # of the clock of a loop
STEP, MEASURE = range(2)  # what there is to do in an epoch


class StoppingRule(NamedTuple):
    """What decides whether a descent goes on, and what its gradients are clipped to."""

    target: float  # of the objective
    tol: float  # of the scaled residual, which smaller batches never know
    gain: float  # that counts as an improvement of the objective
    patience: float  # epochs without one
    null_objective: float  # that of the best constant prediction
    scale: np.ndarray  # (3, d): the residual's prox step, its unit, and its rounding
    norm: float  # the largest norm of a gradient
    entry: float  # the largest entry of a gradient


class Cursor(NamedTuple):
    """Where a call of the loop takes up the descent."""

    batch: int
    sampling: int
    t: int  # the number of the first update, counted from 1
    best: float  # the lowest objective so far
    stale: float  # epochs without improvement so far
    ceiling: float  # the objective at which a descent counts as diverged
    averaged: int  # the first update whose iterate is averaged
    kept: int  # every which update goes into the path


class Epochs(NamedTuple):
    """What a call of the loop goes through, and what it fills."""

    generator: np.ndarray  # (2,), of the order of the rows, as in `skgd.kernels.draws`
    rates: np.ndarray  # (updates,), learning rates; without any, the loop takes no step
    record: np.ndarray  # (6, epochs)
    path: np.ndarray  # (kept updates, d) or (0, d)
