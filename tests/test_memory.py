"""What a fit allocates beside the data: a few vectors of the length of a column, and no copy.

The fits of a storage run in a process of their own, each after one on few rows, which compiles.
`tracemalloc` counts all arrays of numpy.
"""

import json
import subprocess
import sys
from functools import cache

import pytest

pytestmark = pytest.mark.slow

N, P = 250_000, 24
FITS = """
import gc, json, sys, tracemalloc, warnings
import numpy as np
import pandas as pd
from scipy import sparse
from skgd import GDRegressor

def stored(X, storage):
    if storage == "DataFrame":
        return pd.DataFrame(np.asfortranarray(X), copy=False)
    forms = {"CSC": sparse.csc_array, "CSR": sparse.csr_array}
    return forms[storage](X) if storage in forms else np.asarray(X, order=storage)

warnings.simplefilter("ignore")
n, p, storage, dtype, fits = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
X = rng.standard_normal((n, p)).astype(dtype)
X *= rng.random((n, p)) < (0.1 if storage.startswith("CS") else 1.0)
y = X.sum(axis=1, dtype=float) + rng.standard_normal(n)
few, X, found = stored(X[:3000], storage), stored(X, storage), {}
counts = rng.poisson(np.exp(y / np.abs(y).max())).astype(float)
for name, options in fits.items():
    targets = counts if options.get("loss") == "poisson" else y
    model = GDRegressor(random_state=0, **options)
    model.fit(few, targets[:3000])
    gc.collect()
    tracemalloc.start()
    model.fit(X, targets)
    found[name] = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
print(json.dumps(found))
"""
LOOSE = 1.0e6  # bytes that do not grow with the rows: blocks, buffers, learning rates
FOUR = {"max_iter": 4, "tol": None}
FULL = {
    "auto, l2": {},
    "auto, l1": {"penalty": "l1", "alpha": 0.1},
    "least squares": {"penalty": None},
    "nesterov": {"optimizer": "nesterov", **FOUR},
    "gd": {"optimizer": "gd", "fit_intercept": False, **FOUR},
    "uncentred": {"optimizer": "momentum", "center": False, **FOUR},
}
FULL |= {
    f"{loss}, {penalty}": {"loss": loss, "penalty": penalty, "alpha": 0.01}
    for loss in ("huber", "squared_epsilon_insensitive", "poisson")
    for penalty in ("l1", "l2", None)
}
KINKS = {loss: {"loss": loss} for loss in ("absolute_error", "quantile", "epsilon_insensitive")}
ONE = {"max_iter": 1, "tol": None}
BATCHES = {
    "adam": {"optimizer": "adam", "batch_size": 32, **ONE},
    "replacement": {"optimizer": "gd", "batch_size": 64, "sampling": "replacement", **ONE},
    "single": {"optimizer": "gd", "batch_size": 1, **ONE},
}
SAGA = {"saga": {"optimizer": "saga", "batch_size": 32, **ONE}}


@cache
def all_vectors(storage, dtype="float64"):
    """Return the extra memory of each fit in vectors of float64 numbers, one for each row."""
    task = json.dumps([N, P, storage, dtype, FULL | KINKS | BATCHES | SAGA])
    done = subprocess.run([sys.executable, "-c", FITS, task], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name: (size - LOOSE) / (8 * N) for name, size in json.loads(done.stdout).items()}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("storage", ["C", "F", "DataFrame"])
@pytest.mark.parametrize("name", FULL)
def test_a_fit_on_all_rows_holds_at_most_three_vectors(name, storage, dtype):
    assert all_vectors(storage, dtype)[name] <= 3.0


@pytest.mark.parametrize("storage", ["C", "F"])
@pytest.mark.parametrize("name", KINKS)
def test_interior_points_hold_two_vectors_and_the_rows_near_a_kink(name, storage):
    assert all_vectors(storage)[name] <= 9.5


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("storage", ["C", "F", "DataFrame"])
@pytest.mark.parametrize("name", BATCHES)
def test_a_fit_on_batches_holds_at_most_two_vectors(name, storage, dtype):
    assert all_vectors(storage, dtype)[name] <= 2.0


@pytest.mark.parametrize("storage", ["C", "F"])
def test_the_table_of_slopes_is_one_vector_more(storage):
    assert all_vectors(storage)["saga"] <= 3.0


@pytest.mark.parametrize("storage", ["CSC", "CSR"])
@pytest.mark.parametrize("name", ["auto, l2", "least squares"])
def test_direct_solvers_read_sparse_data_in_place(name, storage):
    assert all_vectors(storage)[name] <= 4.0
