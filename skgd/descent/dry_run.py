"""A part is tried out as ordinary Python, where an index out of range is an error, not a crash.

Compiled code does not ask where an array ends.
"""

from contextlib import contextmanager

import numpy as np


def rehearse(optimizer, model):
    """Call what a rule and a model do once an update, on arrays of the sizes that they declare.

    Whatever else may happen there is left to compiled code, whose arithmetic is another.

    Raises
    ------
    ValueError
        For an array shorter than the part reaches.
    """
    for rule in (optimizer.resolved(True), optimizer.resolved(False)):
        memory, scalars = np.zeros((rule.n_memory, 1)), np.zeros(rule.n_scalars)
        with _named(rule, "n_memory and n_scalars"):
            shared = rule.prepare(1, 0.0, scalars)
            rule.step(0.0, memory, 0, shared)
            rule.extrapolate(scalars, 0.0)
    theta = np.ones(1 + model.n_extra_parameters())
    with _named(model, "n_extra_parameters"):
        model.value(0.0, theta, 1)
        model.slope(0.0, theta, 1)
        model.add_parameter_gradient(0.0, theta, 1, 0.0, theta.copy())


@contextmanager
def _named(part, sizes):
    try:
        with np.errstate(all="ignore"):
            yield
    except IndexError as error:
        raise ValueError(
            f"{type(part).__name__} reaches past the arrays that it asks for by {sizes}: {error}."
        ) from error
    except Exception:  # which tells nothing of an index
        return
