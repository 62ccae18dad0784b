"""The choice between a Cholesky factor and conjugate gradients, beside either of them forced.

For l2 the default solver estimates the time of both from the number of rows, columns and
entries. Each row of the first table is a fit by its choice, by the factor alone and by conjugate
gradients alone; ``ratio`` is the time of the choice over that of the better way. The second
table does the same for l1 on sparse rows: by the Gram matrix of columns, and by the residuals of
rows. ``memory`` is the peak beyond X, as a share of X. Words on the command line restrict the run
to rows with them.

    OMP_NUM_THREADS=1 python doc/benchmarks/choice.py
"""

import sys
import tracemalloc
import warnings
from functools import partial

import numpy as np
from clock import take_turns
from machine import heading, stay_in_one_thread, table
from scipy import sparse
from threadpoolctl import threadpool_limits

from skgd.estimators.minimizers import direct
from skgd.kernels.moments import column_means
from skgd.losses import SquaredError
from skgd.models import Linear
from skgd.objective.objective import Objective
from skgd.penalties import L1, L2
from skgd.solvers.auto import Tuning
from skgd.solvers.columns import Tuning as Columns
from skgd.solvers.smooth import Tuning as Smooth
from skgd.solvers.working_set import Tuning as WorkingSet

ROUNDS = 3
SMOOTH = {
    "choice": Tuning(),
    "factor": Tuning(smooth=Smooth(cheap_seconds=np.inf, max_unknowns=20_000)),
    "conjugate gradients": Tuning(
        smooth=Smooth(cheap_seconds=-1.0, cheap_passes=-1.0, max_unknowns=0)
    ),
}
SPARSE = {
    "choice": Tuning(),
    "Gram matrix": Tuning(working_set=WorkingSet(columns=Columns(gram_sweeps=np.inf))),
    "residuals": Tuning(
        working_set=WorkingSet(columns=Columns(max_gram_columns=-1, gram_sweeps=-1.0))
    ),
}
# Rows, columns, entries a row; None for dense.
CASES = [
    (100, 10, None),
    (1_000, 50, None),
    (1_000, 300, None),
    (20_000, 100, None),
    (100_000, 100, None),
    (2_000, 2_000, None),
    (300, 3_000, None),
    (1_000, 100, 10),
    (20_000, 100, 30),
    (20_000, 1_000, 5),
    (20_000, 1_000, 50),
    (2_000, 20_000, 30),
    (100_000, 2_000, 66),
    (250_000, 2_000, 66),
]
LARGEST = 3e8  # products, beyond which a way that nobody takes is not measured


def rows(n, p, entries, seed=0):
    """Return rows whose columns have unequal spread, and a target of a tenth of them."""
    rng = np.random.default_rng(seed)
    scale = np.geomspace(1.0, 0.1, p)
    if entries is None:
        X = rng.standard_normal((n, p)) * scale
    else:
        X = sparse.random(n, p, entries / p, "csr", random_state=rng, data_rvs=rng.standard_normal)
        X.data *= scale[X.indices]
    w = np.where(rng.random(p) < 0.1, rng.standard_normal(p), 0.0)
    signal = X @ w
    return X, signal + 0.3 * (signal.std() + 0.1) * rng.standard_normal(n)


def objective_of(X, y, penalty, share):
    """Return the objective of a fit with an intercept, and a penalty of some share."""
    weight = np.ones(len(y))
    centre, level = column_means(X, weight), y.mean()
    steepest = np.abs(X.T @ (y - level) / len(y) - centre * (y - level).mean()).max()
    scale = steepest if penalty is L1 else 1.0
    return Objective.of_rows(
        X,
        y - level,
        weight,
        model=Linear(False),
        loss=SquaredError(),
        penalty=penalty(),
        alpha=share * scale,
        centre=centre,
        null_objective=0.5 * y.var(),
    )


def solve(problem, tuning):
    """Return the solver at the minimum of a problem that has not been looked at."""
    solver = direct(objective_of(*problem), 1e-4, tuning=tuning)
    solver.minimize(1000)
    return solver


def peak(problem, tuning):
    """Return the most memory that a solution takes beside its X, as a share of it."""
    X = problem[0]
    held = X.data.nbytes + X.indices.nbytes if sparse.issparse(X) else X.nbytes
    tracemalloc.start()
    solve(problem, tuning)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / held


def measure(cases, ways, penalty, share):
    """Return the lines of a table."""
    lines, direct = [], [*ways][1]
    for n, p, entries in cases:
        problem = *rows(n, p, entries), penalty, share
        dear = n * entries**2 > LARGEST if entries else 0
        kept = {name: tuning for name, tuning in ways.items() if not (dear and name == direct)}
        runs = {name: partial(solve, problem, tuning) for name, tuning in kept.items()}
        take_turns(runs, 1)
        times = {name: min(spent) for name, spent in take_turns(runs, ROUNDS).items()}
        better = min(spent for name, spent in times.items() if name != "choice")
        name = f"{n:,} x {p:,}" + (f", {entries} a row" if entries else "")
        cells = [f"{1e3 * times[way]:.3g}" if way in times else "" for way in ways]
        ratio, memory = times["choice"] / better, peak(problem, ways["choice"])
        lines.append((name, *cells, f"{ratio:.2f}", f"{memory:.2f}"))
        print(*lines[-1], sep=" | ", file=sys.stderr)
    return lines


def main():
    """Measure and print both tables."""
    stay_in_one_thread()
    warnings.simplefilter("ignore")
    print(heading("The choice between two ways, in one thread"))
    wanted = sys.argv[1:]
    cases = [case for case in CASES if not wanted or any(word in f"{case}" for word in wanted)]
    some = [case for case in cases if case[2]]
    with threadpool_limits(1):
        for title, given, ways, penalty, share in (
            ("l2", cases, SMOOTH, L2, 1e-4),
            ("l1, sparse", some, SPARSE, L1, 0.05),
        ):
            found = measure(given, ways, penalty, share)
            print(f"{title}, ms\n\n{table((title, *ways, 'ratio', 'memory'), found)}\n")


if __name__ == "__main__":
    main()
