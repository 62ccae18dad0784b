"""Seeds of a fit, drawn from ``random_state`` where something is drawn at random."""

import os

import numpy as np
from sklearn.utils import check_random_state


def new_seed(random_state, needed=True):
    """Draw a seed from ``random_state``.

    Where it is not needed, for now at least, numpy's global generator is left alone.
    """
    if random_state is None and not needed:
        return int.from_bytes(os.urandom(4))
    return check_random_state(random_state).randint(np.iinfo(np.int32).max)


def draws_rows(estimator, rows):
    """Whether the order of the rows is drawn at random."""
    size, sampling = estimator.batch_size, estimator.sampling
    if size is None:
        return False
    return sampling == "replacement" or (size < rows.shape[0] and sampling == "shuffle")
