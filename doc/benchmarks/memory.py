"""How much memory a fit takes beside the data, for every storage of X.

Extra memory is the most that numpy has allocated at one time during `fit`, beyond X and y, as
`tracemalloc` counts it; and the same of the process, which the operating system counts, with what
scipy and the libraries of linear algebra take. Every fit runs in a process of its own, after one
on few rows, which compiles. The columns of sparse X have a tenth of their entries.
"""

import argparse
import subprocess
import sys

from machine import heading, table

STORAGES = ("C", "F", "DataFrame", "CSC", "CSR")
FITS = {
    "auto, l1": "penalty='l1', alpha=0.1",
    "auto, l2": "",
    "auto, huber": "loss='huber'",
    "auto, absolute error": "loss='absolute_error'",
    "nesterov": "optimizer='nesterov', max_iter=4, tol=None",
    "adam, 32": "optimizer='adam', batch_size=32, max_iter=1, tol=None",
    "saga, 32": "optimizer='saga', batch_size=32, max_iter=1, tol=None",
}
ONE = """
import gc, sys, tracemalloc, warnings
import numpy as np
import pandas as pd
from scipy import sparse
from skgd import GDRegressor

def resident(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024

def matrix(n, p, storage):
    rng = np.random.default_rng(0)
    if storage in ("CSC", "CSR"):
        entries = n * p // 10
        places = np.arange(entries), rng.integers(0, n * p, entries)
        X = sparse.coo_array((rng.standard_normal(entries), np.divmod(places[1], p)), (n, p))
        return X.tocsc() if storage == "CSC" else X.tocsr()
    X = np.empty((n, p) if storage == "C" else (p, n))
    rng.standard_normal(out=X)
    X = X if storage == "C" else X.T
    return pd.DataFrame(X, copy=False) if storage == "DataFrame" else X

def size(X):
    if sparse.issparse(X):
        return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    return np.asarray(X).nbytes

warnings.simplefilter("ignore")
n, p, storage = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
model = GDRegressor(random_state=0, {options})
small = matrix(3000, p, storage)
model.fit(small, np.random.default_rng(1).standard_normal(3000))
X = matrix(n, p, storage)
y = np.random.default_rng(1).standard_normal(n)
y += X @ np.ones(p)
gc.collect()
try:
    with open("/proc/self/clear_refs", "w") as control:
        control.write("5")
    before = resident("VmRSS")
    model.fit(X, y)
    rss = resident("VmHWM") - before
except OSError:
    rss = float("nan")
tracemalloc.start()
tracemalloc.reset_peak()
before = tracemalloc.get_traced_memory()[0]
model.fit(X, y)
extra = tracemalloc.get_traced_memory()[1] - before
print(extra / size(X), rss / size(X), extra / (8 * n))
"""


def extra_memory(storage, options, n, p):
    """Return the extra memory as shares of X by both counts, and in vectors of n numbers."""
    code = ONE.replace("{options}", options)
    process = [sys.executable, "-c", code, str(n), str(p), storage]
    done = subprocess.run(process, check=True, capture_output=True, text=True)
    return tuple(map(float, done.stdout.split()))


def main():
    """Print one row for each fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    arguments = parser.parse_args()
    n, p = arguments.rows, arguments.columns
    print(heading("Memory of a fit"))
    print(f"\nExtra memory of a fit of {n:,} x {p} in percent of X: numpy's (the process's)\n")
    rows = []
    for name, options in FITS.items():
        found = [extra_memory(storage, options, n, p) for storage in STORAGES]
        rows.append([name, *[f"{100 * a:.1f} ({100 * b:.1f})" for a, b, _ in found]])
    print(table(["fit", *STORAGES], rows))


if __name__ == "__main__":
    main()
