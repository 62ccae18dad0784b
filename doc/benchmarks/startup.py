"""How long one waits before the first fit: for the import, and for the compiler.

Every time is that of a new Python process. A cold fit begins with an empty cache of compiled
code; a warm one finds what an earlier process has left there. On a busy machine look at the
processor's time.
"""

import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory

from machine import heading, table

ROUNDS = 5
CLOCKS = """
from time import perf_counter, process_time
wall, processor = perf_counter(), process_time()
{code}
print(perf_counter() - wall, process_time() - processor)
"""
IMPORT = CLOCKS.format(code="import {module}")
MODELS = {  # and the goals of their first fits
    "the defaults": ("GDRegressor()", "0.8"),
    "l1": ("GDRegressor(penalty='l1', alpha=1.0)", "0.8"),
    "nesterov": ("GDRegressor(optimizer='nesterov')", "0.8"),
    "batches of one": ("GDRegressor(optimizer='gd', batch_size=1, random_state=0)", "1.5"),
    "batches of 32": ("GDRegressor(optimizer='adam', batch_size=32, random_state=0)", "1.5"),
}
SECOND = "GDRegressor(optimizer='adam')"  # after nesterov
DATA = """
from sklearn.datasets import load_diabetes
from skgd import GDRegressor
X, y = load_diabetes(return_X_y=True)
"""


def run(code, cache=None):
    """Return the lines of two numbers that some code prints in a process of its own."""
    environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    process = [sys.executable, "-W", "ignore", "-c", code]
    printed = subprocess.run(process, env=environment, check=True, capture_output=True, text=True)
    return [tuple(map(float, line.split())) for line in printed.stdout.splitlines()]


def import_times():
    """Return the times of an import of scikit-learn's linear models, and of ours."""
    modules = ("sklearn.linear_model", "skgd")
    rounds = [[run(IMPORT.format(module=m))[0] for m in modules] for _ in range(ROUNDS + 1)]
    return map(list, zip(*rounds[1:]))  # the first reads the disk


def fit_times(model):
    """Return the times of a cold fit, a warm one, and the second in a process."""
    cold, warm, second = [], [], []
    fits = DATA + 2 * CLOCKS.format(code=f"{model}.fit(X, y)")
    for _ in range(ROUNDS):
        with TemporaryDirectory() as cache:
            cold.append(run(fits, cache)[0])
            times = run(fits, cache)
            warm.append(times[0])
            second.append(times[1])
    return cold, warm, second


def second_times():
    """Return the times of the cold fit of a second optimizer."""
    code = f"{DATA}{MODELS['nesterov'][0]}.fit(X, y)\n{CLOCKS.format(code=SECOND + '.fit(X, y)')}"
    times = []
    for _ in range(ROUNDS):
        with TemporaryDirectory() as cache:
            times += run(code, cache)
    return times


def line(name, times, goal=""):
    """Return a line of the table."""
    wall, processor = zip(*times)
    numbers = min(wall), median(wall), max(wall), median(processor)
    return name, *(f"{number:.3f}" for number in numbers), goal


def main():
    """Measure and print the table."""
    print(heading("Start-up, on load_diabetes"))
    peer, own = import_times()
    added = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(peer, own)]
    lines = [
        line("import sklearn.linear_model", peer),
        line("import skgd", own),
        line("what skgd adds", added, "+0.3"),
    ]
    for name, (model, goal) in MODELS.items():
        cold, warm, second = fit_times(model)
        lines += [
            line(f"{name}: first fit, cold", cold, goal),
            line(f"{name}: first fit, warm", warm, "0.3"),
            line(f"{name}: second fit in a process", second),
        ]
    lines.append(line("adam after nesterov: first fit, cold", second_times(), "< 0.8"))
    print(table(("seconds", "least", "median", "most", "processor", "goal"), lines))


if __name__ == "__main__":
    main()
