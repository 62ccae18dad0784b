"""How much faster passes over the data are in two threads, and in all of the machine.

These are a gradient of the full batch, the moments of the columns, and their products.

The rounds of one and of more threads alternate, and the fastest of each counts. On a machine where
other work runs this shows the other work.
"""

from time import perf_counter

import numpy as np
from joblib import cpu_count
from machine import heading, table
from scipy import sparse
from threadpoolctl import threadpool_limits

from skgd import GDRegressor
from skgd.kernels.moments import means_and_variances
from skgd.kernels.rows import even_weights
from skgd.kernels.sums import gram

ROUNDS = 20
GOAL = 1.8
SHAPES = [(2_000_000, 20), (200_000, 200), (20_000, 100), (1_000, 20)]


def dense(n, p):
    """Return standard normal columns."""
    return np.random.default_rng(0).standard_normal((n, p))


def problems():
    """Yield names and rows."""
    for n, p in SHAPES:
        yield f"{n:,} x {p}", dense(n, p)
    yield "200,000 x 200, float32", dense(200_000, 200).astype(np.float32)
    rng = np.random.default_rng(0)
    X = sparse.random(500_000, 10_000, 0.001, "csr", random_state=rng)
    yield f"500,000 x 10,000, {X.nnz:,} entries", X


def passes(X):
    """Return names and functions that read all rows."""
    y, weight = np.random.default_rng(1).standard_normal(X.shape[0]), even_weights(X.shape[0])
    objective, theta = GDRegressor(optimizer="gd").objective(X, y), np.zeros(X.shape[1] + 1)
    found = {"gradient": lambda: objective.data_term(theta)}
    if not sparse.issparse(X):
        mean, variance = means_and_variances(X, weight)
        found["moments"] = lambda: means_and_variances(X, weight)
        found["products"] = lambda: gram(X, weight, mean, variance)
    return found


def least_times(function, counts):
    """Return the least seconds of a pass for each number of threads."""
    function()
    times = {count: [] for count in counts}
    for _ in range(ROUNDS):
        for count in counts:
            with threadpool_limits(count):
                begin = perf_counter()
                function()
                times[count].append(perf_counter() - begin)
    return [min(times[count]) for count in counts]


def main():
    """Measure and print the table."""
    counts = sorted({1, min(2, cpu_count()), cpu_count()})
    print(heading("Passes over the data"))
    lines = []
    for name, X in problems():
        goal = f">= {GOAL}" if X.shape[0] > 100_000 else ""
        for kind, function in passes(X).items():
            times = least_times(function, counts)
            ratios = [f"{times[0] / time:.2f}" for time in times[1:]]
            lines.append((name, kind, *(f"{1e3 * time:.2f}" for time in times), *ratios, goal))
    names = [f"ms in {count}" for count in counts], [f"{count} times" for count in counts[1:]]
    print(table(("rows", "pass", *names[0], *names[1], "goal"), lines))


if __name__ == "__main__":
    main()
