"""Problems that several tests share, and the tests of scikit-learn that ours pass."""

import importlib
import importlib.util

import numpy as np
import pytest

from skgd.pieces import Pieces

MARKS = {"parametrize", "filterwarnings", "skipif", "usefixtures"}  # that scikit-learn's keep
collect_ignore = ["data/freeze_torch.py", "data/freeze_torch_networks.py", "data/user_script.py"]


def make_regression(n=40, p=5, seed=0, noise=0.3, sparse_truth=False):
    """Return columns of uneven scale, and a target that is linear in them but for noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p) + rng.uniform(-0.5, 0.5, p)
    w = rng.standard_normal(p)
    if sparse_truth:
        w[p // 3 :] = 0.0
    return X, X @ w + 1.0 + noise * rng.standard_normal(n)


@pytest.fixture
def problem():
    """Return a small regression problem: X of shape (40, 5), and y."""
    return make_regression()


def scikit_learn_tests(module, ours, left_out):
    """Return tests of scikit-learn by name, of a module that has taken our classes for its own.

    Parameters
    ----------
    module : str
        Of the tests. Some distributions leave them out; there are then none.
    ours : dict
        Our classes, by the places of scikit-learn's that they take.
    left_out : set of str
        Names of tests.
    """
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        return {}
    with pytest.MonkeyPatch.context() as patch:
        for place, cls in ours.items():
            patch.setattr(place, cls)
        tests = vars(importlib.import_module(module))
    kept = {name: test for name, test in tests.items() if name.startswith("test_")}
    for test in kept.values():
        marks = vars(test).get("pytestmark", [])
        test.pytestmark = [mark for mark in marks if mark.name in MARKS]
    return {name: test for name, test in kept.items() if name not in left_out}


class Counted:
    """An engine that counts what it is asked."""

    def __init__(self, engine):
        self.engine, self.n_pieces, self.asked, self.released = engine, engine.n_pieces, 0, 0

    def ask(self, verb, *arguments):
        self.asked += 1
        return self.engine.ask(verb, *arguments)

    def pieces(self, numbers):
        return self.engine.pieces(numbers)

    def release(self):
        self.released += 1
        self.engine.release()


def counted(pieces):
    """Return pieces whose engine counts what it is asked."""
    return Pieces(Counted(pieces.engine), pieces.n_features, pieces.dtype, pieces.n_targets)
