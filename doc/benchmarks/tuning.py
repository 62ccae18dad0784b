"""What each tuning constant of the direct solvers for l1 is worth.

Each constant is halved and doubled, one at a time. A row tells the time of the default on three
problems, dense and tall, dense and wide, and sparse, and the same after the change, over the
default's. Values near one say that the constant matters little on that problem.

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
from skgd.penalties import L1
from skgd.solvers.auto import Tuning

ROUNDS = 5
PROBLEMS = {"4000 x 400": (4000, 400, None), "300 x 2000": (300, 2000, None)}
PROBLEMS |= {"4000 x 2000, 40 a row": (4000, 2000, 40)}
SHARE = 0.02  # of the alpha that leaves no weight


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


def main():
    """Measure and print the table; words on the command line restrict it to fields with them."""
    stay_in_one_thread()
    warnings.simplefilter("ignore")
    print(heading("Tuning constants of the solvers for l1, halved and doubled, in one thread"))
    objectives = {name: objective_of(*rows(*size), L1, SHARE) for name, size in PROBLEMS.items()}
    paths = [(path, value) for path, value in fields(Tuning()) if path[0] == "working_set"]
    wanted, lines = sys.argv[1:], []
    with threadpool_limits(1):
        for path, value in paths:
            if wanted and not any(word in ".".join(path) for word in wanted):
                continue
            cells = []
            for objective in objectives.values():
                tunings = {"default": Tuning()}
                tunings |= {f: changed(Tuning(), path, f) for f in (0.5, 2.0)}
                runs = {name: partial(solve, objective, t) for name, t in tunings.items()}
                times = {name: min(spent) for name, spent in take_turns(runs, ROUNDS).items()}
                cells += [f"{times[f] / times['default']:.2f}" for f in (0.5, 2.0)]
            lines.append((".".join(path[1:]), f"{value}", *cells))
            print(*lines[-1], sep=" | ", file=sys.stderr)
    heads = [f"{name}, {word}" for name in PROBLEMS for word in ("halved", "doubled")]
    print(table(("constant", "value", *heads), lines))


if __name__ == "__main__":
    main()
