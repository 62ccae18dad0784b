"""Dry run of parts as ordinary Python, where an index out of range is an error and not a crash.

Compiled code does not check array bounds.
"""

from contextlib import contextmanager

import numpy as np


def rehearse(optimizer, model=None):
    """Call the methods of an optimizer and a model once, on arrays of their declared sizes.

    Only index errors count; other errors may be due to the difference of Python's arithmetic.

    Raises
    ------
    ValueError
        If a part uses an index outside of its arrays.
    """
    for rule in (optimizer.resolved(True), optimizer.resolved(False)):
        memory, scalars = np.zeros((rule.n_memory, 1)), np.zeros(rule.n_scalars)
        with _named(rule, "n_memory and n_scalars"):
            shared = rule.prepare(1, 0.0, scalars)
            rule.step(0.0, memory, 0, shared)
            rule.extrapolate(scalars, 0.0)
    if model is None:
        return
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
    except Exception:  # not an index error
        return
