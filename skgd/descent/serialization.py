"""The state of a descent as plain data: numbers, strings, tuples, dictionaries and arrays.

What the rows tell again when a descent is resumed is not part of it.
"""

import numpy as np

from skgd.descent.arrival import RateControl
from skgd.descent.descent import Descent
from skgd.descent.growth import Growth
from skgd.descent.options import Setup
from skgd.descent.outcome import Outcome
from skgd.descent.rates import RateBasis
from skgd.descent.record import Record
from skgd.kernels.problem import GradientTable, State
from skgd.kernels.quadratic import Reference

FORM = 7  # of the data, to be raised when it changes
VALUES = (
    *("names", "settings", "unit", "learning_rate", "n", "batch", "full", "t"),
    *("factor", "best", "stale", "ceiling", "grown", "met"),
)
ARRAYS = ("theta", "iterate", "mean", "memory", "scalars", "units")
OTHERS = (
    *("form", "setup", "earlier", "column", "growth", "basis", "outcome"),
    *("generator", "gradients", "control", "reference", "centre"),
)
FIELDS = {*OTHERS, *VALUES, *ARRAYS}


def stored(descent):
    """Return a descent whose data were dropped as plain data, which holds its own arrays."""
    state = descent.state
    arrays = {name: getattr(state, name) for name in ARRAYS}
    if np.array_equal(state.iterate, state.theta):
        arrays["iterate"] = ()
    return {
        "form": FORM,
        **{name: getattr(descent, name) for name in VALUES},
        **arrays,
        "setup": [*descent.setup],
        "earlier": descent.earlier + descent.record.n_epochs,
        "column": [*descent.record.last],
        "growth": [*descent.growth],
        "basis": None if descent.basis is None else [*descent.basis],
        "outcome": descent.outcome.name,
        "generator": descent.generator.tolist(),
        "gradients": [*state.gradients],
        "reference": [*descent.reference],
        "control": descent.control and descent.control.stored(),
        "centre": descent.centre,
    }


def restored(data):
    """Return the descent that was stored as ``data``, to be continued by `resume`.

    Raises
    ------
    ValueError
        For data that are not whole, or of another form.
    """
    _check(data)
    descent = Descent.__new__(Descent)
    values = {name: data[name] for name in VALUES}
    vars(descent).update(values, earlier=data["earlier"], setup=Setup(*data["setup"]))
    descent.settings, descent.names = tuple(data["settings"]), tuple(data["names"])
    descent.outcome, descent.record = Outcome[data["outcome"]], Record()
    descent.record.append([*data["column"]])
    descent.growth = Growth(*data["growth"])
    descent.basis = data["basis"] and RateBasis(*data["basis"])
    descent.generator = np.array(data["generator"], dtype=np.int64).reshape(2)
    theta, *flush = (_array(data[name]) for name in ARRAYS)
    arrays = dict(zip(ARRAYS, (theta, *flush)))
    arrays["iterate"] = theta.copy() if isinstance(arrays["iterate"], tuple) else arrays["iterate"]
    gradients = tuple(_array(a) for a in data["gradients"])
    descent.state = State(
        **arrays,
        last=arrays["iterate"].copy(),
        g=np.zeros_like(theta),
        order=(),
        gathered=(),
        lazy_state=(),
        gradients=gradients and GradientTable(*gradients),
    )
    reference = tuple(_array(values) for values in data["reference"])
    descent.reference = reference and Reference(*reference)
    descent.centre = _array(data["centre"])
    descent.control = data["control"] and RateControl.restored(data["control"])
    descent.units = descent.state.units if len(descent.state.units) else None
    descent.certificate = descent.objective = None
    return descent


def _array(values):
    """Return an array of its own, which can be written to; () for nothing."""
    if isinstance(values, tuple):
        return ()
    return np.array(values, dtype=np.float32 if np.asarray(values).dtype == np.float32 else float)


def _check(data):
    """Refuse data that are not whole."""
    if not isinstance(data, dict) or data.get("form") != FORM:
        raise ValueError("it is of another form, as of another version of skgd")
    if data.keys() != FIELDS:
        raise ValueError(f"it lacks or exceeds {sorted(data.keys() ^ FIELDS)}")
    theta = np.asarray(data["theta"])
    d = theta.shape[0] if theta.ndim == 1 else -1
    shapes = {name: np.shape(data[name])[-1:] for name in ("iterate", "memory", "mean", "units")}
    lengths = {shape[0] for shape in shapes.values() if shape} - {0}
    sizes = [np.size(values) for values in data["reference"]]
    if sizes not in ([], [d, d, 2]):
        raise ValueError("what rows have told does not fit together")
    if np.size(data["centre"]) not in (0, d - 1):
        raise ValueError("its centre does not fit its parameters")
    if lengths - {d} or data["outcome"] not in Outcome.__members__ or d != data["settings"][0]:
        raise ValueError("its arrays do not fit together")
