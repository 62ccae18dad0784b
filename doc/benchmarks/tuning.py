"""What each tuning constant of the direct solvers is worth.

Each constant is halved and doubled, one at a time. A row tells, on three problems, the time after
the change over that of the default. Values near one say that the constant matters little there.
The first table is of the constants for l1, the second of those for l2. Words on the command line
restrict the run to constants with them.

    OMP_NUM_THREADS=1 python doc/benchmarks/tuning.py
"""

import sys
import warnings
from functools import partial

from choice import objective_of, rows
from clock import take_turns
from machine import heading, stay_in_one_thread, table
from threadpoolctl import threadpool_limits

from skgd.estimators.minimizers import direct
from skgd.penalties import L1, L2
from skgd.solvers.auto import Tuning

ROUNDS = 5
SIZES = [(4000, 400, None), (300, 2000, None), (4000, 2000, 40)]  # rows, columns, entries a row
TABLES = {"working_set": (L1, 0.02), "smooth": (L2, 1e-4)}  # the penalty, and the share of alpha


def fields(tuning, path=()):
    """Return the numbers in a tuple of tuples, each with the names that lead to it."""
    found = []
    for name, value in tuning._asdict().items():
        if hasattr(value, "_asdict"):
            found += fields(value, (*path, name))
        else:
            found.append(((*path, name), value))
    return found


def changed(tuning, path, factor):
    """Return the tuning with one number, or the pair there, multiplied."""
    name, *rest = path
    value = getattr(tuning, name)
    if rest:
        return tuning._replace(**{name: changed(value, rest, factor)})
    if isinstance(value, tuple):
        return tuning._replace(**{name: tuple(type(v)(factor * v) for v in value)})
    return tuning._replace(**{name: type(value)(factor * value)})


def solve(objective, tuning):
    """Take a new solver to the minimum."""
    direct(objective, 1e-4, tuning=tuning).minimize(1000)


def ratios(objective, path):
    """Return the times with a constant halved and doubled, over that of the default."""
    tunings = {1.0: Tuning()} | {f: changed(Tuning(), path, f) for f in (0.5, 2.0)}
    runs = {factor: partial(solve, objective, tuning) for factor, tuning in tunings.items()}
    times = {factor: min(spent) for factor, spent in take_turns(runs, ROUNDS).items()}
    return [f"{times[factor] / times[1.0]:.2f}" for factor in (0.5, 2.0)]


def main():
    """Measure and print both tables."""
    stay_in_one_thread()
    warnings.simplefilter("ignore")
    print(heading("Tuning constants of the direct solvers, halved and doubled, in one thread"))
    names = [f"{n} x {p}" + (f", {k} a row" if k else "") for n, p, k in SIZES]
    heads = [f"{name}, {word}" for name in names for word in ("halved", "doubled")]
    for solver, (penalty, share) in TABLES.items():
        objectives, lines = [objective_of(*rows(*size), penalty, share) for size in SIZES], []
        for path, value in fields(getattr(Tuning(), solver)):
            name = ".".join(path)
            if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
                continue
            with threadpool_limits(1):
                cells = [ratio for o in objectives for ratio in ratios(o, (solver, *path))]
            lines.append((name, f"{value}", *cells))
            print(*lines[-1], sep=" | ", file=sys.stderr)
        if lines:
            print(table((solver, "value", *heads), lines), end="\n\n")


if __name__ == "__main__":
    main()
