"""The data term: the one thing that a kind of model provides, and all that the loop knows."""

import abc
from typing import NamedTuple

import numpy as np


class DataTerm(abc.ABC):
    """``1/W sum_i s_i loss(f(theta; x_i), y_i)``, as a function of theta and of a set of rows.

    Subclasses set the attributes and write `accumulate`. What is known of the curvature is
    optional: whoever needs it and finds None says so in words.

    Attributes
    ----------
    n_samples, n_parameters : int
    penalized : ndarray of shape (n_parameters,), bool
        The parameters that a penalty acts on.
    nonsmooth : bool
        Whether the slope jumps, so that the gradient does not vanish at the minimum and a
        descent ends when the objective stops improving.
    linear : bool
        Whether the gradient of a row is one number times the row, which can be remembered.
    affine : bool
        Whether the prediction is ``w . x``, plus an intercept if there is another parameter.
    quadratic : bool
        Whether besides the loss is the squared error, with closed forms and a dual.
    has_conjugate : bool
        Whether besides the loss has a conjugate, so that there is a dual.
    sparse : bool
        Whether rows are sparse, so that a step may move the weights of some rows only.
    by_columns : bool
        Whether the entries of a row lie apart in memory, so that batches gather their rows.
    at_hand : bool
        Whether rows can be taken one by one; else only sums over all of them are known.
    dtype : type
        Of theta and the gradient in a descent.
    fewest : int
        Rows of a batch; fewer at the end of an epoch join the batch before.
    units : ndarray of shape (n_parameters,) or None
        Of the parameters, in which a descent takes its steps.
    centre : ndarray of shape (n_features,) or None
        What rows are seen from; None for zero.
    model : Model or None
        What predicts from a projection of a row, where that is how rows are seen.
    constant : ndarray of bool or ()
        The weights of constant columns, which stay zero.
    data : tuple or None
        The arrays that the kernel is given.
    parts : tuple
        Two values that the kernel is given: a model and a loss, where there are.
    kernel : RowKernel or None
        What is compiled into the loop; None where the loop runs `accumulate` in plain Python.
    """

    n_samples: int
    n_parameters: int
    penalized: np.ndarray
    nonsmooth = linear = affine = quadratic = has_conjugate = sparse = by_columns = False
    constant, dtype, fewest, at_hand = (), np.float64, 1, True
    kernel = data = model = units = centre = None
    parts = (), ()

    @abc.abstractmethod
    def accumulate(self, theta, rows, g, buffers):
        """Add the gradient of the mean loss over some rows to ``g``, and return that loss.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
        rows : ndarray of int
            Indices, which may repeat.
        g : ndarray of shape (n_parameters,)
        buffers : dict
            Arrays that the term keeps for the length of a descent. Empty at the start.

        Returns
        -------
        float
        """

    def sums(self, theta, iterate, g):
        """Return what adds up all rows.

        Parameters
        ----------
        theta, iterate : ndarray of shape (n_parameters,)
            Where the gradient is taken, and where the mean loss is.
        g : ndarray of shape (n_parameters,)
            What the gradient is added to.

        Returns
        -------
        task : callable
            Of no arguments; with a kernel, a `Call`.
        found : ndarray of shape (1,)
            Where the task writes the loss.
        """
        found, rows, buffers = np.zeros(1), np.arange(self.n_samples), {}

        def add():
            found[0] = self.accumulate(theta, rows, g, buffers)
            if iterate is not theta:
                found[0] = self.accumulate(iterate, rows, np.zeros(g.size), buffers)

        return add, found

    def prediction_loss(self, theta):
        """Return the mean loss of what theta predicts."""
        return value_and_gradient(self, theta)[0]

    def settings(self):
        """Return what a descent cannot change on its way, as plain values."""
        return (f"{type(self).__module__}.{type(self).__qualname__}",)

    @property
    def groups(self):
        """The number of the unit that each weight leads to; -1 for parameters that are none."""
        return np.where(self.penalized, 0, -1)

    @property
    def name(self):
        """What messages call the term."""
        return type(self).__name__

    @property
    def is_bounded(self):
        """Whether the curvature has a bound, or an estimate to reckon with."""
        return self.curvature() is not None

    def curvature(self):
        """Return an upper bound of the largest second derivative, or None."""
        return None

    def curvature_along(self, v):
        """Return an upper bound of ``v . H v``, with H the second derivative."""
        return self.curvature() * (v @ v)

    def row_curvature(self):
        """Return the same for the term of a single row, or None."""
        return None

    def diagonal_curvature(self):
        """Return bounds of the second derivative in each parameter alone, or None."""
        return None

    def gram(self):
        """Return the second derivative where it is constant, as a dense array, or None."""
        return None

    def residual_unit(self, null_objective):
        """Return the unit of slopes over the root of their curvature: the scale of y."""
        return np.sqrt(2.0 * null_objective)

    def variance_share(self):
        """Return the share of each diagonal curvature that an intercept would not explain."""
        return 1.0

    def rounding_squares(self):
        """Return the mean squares of what is summed to each slope, and that of the targets."""
        return self.diagonal_curvature(), 0.0


def unbounded(term):
    """Return the error of an automatic rate where nothing is known of the curvature."""
    return ValueError(
        f"The curvature of {term.name} has no bound, so there is no automatic rate: give "
        "learning_rate a number."
    )


def value_and_gradient(term, theta):
    """Return the mean loss over all rows, and its gradient, by `DataTerm.accumulate`."""
    g = np.zeros(term.n_parameters)
    return float(term.accumulate(theta, np.arange(term.n_samples), g, {})), g


class PythonData(NamedTuple):
    """What the loop is given of a term that it calls in plain Python."""

    term: DataTerm
    buffers: dict


class PythonKernel(NamedTuple):
    """How a term without a kernel of its own takes part in the loop: as ordinary Python."""

    classes: None = None  # that compiled code would be kept for

    @staticmethod
    def fuse(function):
        """Return the function as it is."""
        return function

    def slots(self, variant, correct):
        """Return what the loop calls on smaller batches."""
        return {"accumulate": accumulate_in_python}


def accumulate_in_python(parts, data, state, start, stop):
    """Add the gradient of some rows; return their loss at the iterate, as a share of the mean."""
    term, rows = data.term, state.order[start:stop]
    loss = term.accumulate(state.theta, rows, state.g, data.buffers)
    if state.iterate is not state.theta:
        loss = term.accumulate(state.iterate, rows, np.zeros(state.g.size), data.buffers)
    return loss * len(rows) / term.n_samples, 0.0
