"""What rows in pieces cost beside rows in memory: in this process, in files, on workers of dask.

Times are those of the processor, of this process and of all workers, in turns, the least of each.
Workers are two processes on this machine. What needs dask, pyarrow or dask-ml is left out where
these are missing.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
from machine import heading, table
from threadpoolctl import threadpool_limits

from skgd import GDRegressor
from skgd.losses import Huber
from skgd.pieces import from_callables

EPOCHS = 40
ROUNDS = 5


class UncertifiedHuber(Huber):
    """Huber's loss without its conjugate: a fit reads the rows once an epoch, and that is all."""

    conjugate = None


DESCENT = {"loss": UncertifiedHuber(), "optimizer": "gd", "tol": None}
LASSO = {"penalty": "l1", "alpha": 0.1}
MEMORY = """
import sys
import numpy as np
from skgd import GDRegressor
from skgd.pieces import from_npy

def resident(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024

rows = np.random.default_rng(0).standard_normal((300, 50))
GDRegressor(optimizer="gd", tol=None, max_iter=2).fit(rows, rows[:, 0])
X, y = sys.argv[1:]
before = resident("RssAnon")
with open("/proc/self/clear_refs", "w") as control:
    control.write("5")
model = GDRegressor(loss="huber", optimizer="gd", tol=None, max_iter=2)
if PIECES:
    model.fit(from_npy(X, y))
else:
    model.fit(np.load(X, mmap_mode="r"), np.load(y))
print(resident("RssAnon") - before, resident("VmHWM"))
"""
LARGE = 10_000_000, 50  # float64: 4 GB
LIMITED = """
import resource
import sys
import time
import numpy as np
from skgd import GDRegressor
from skgd.pieces import from_npy

limit = 2**30
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.ones(limit // 8)
except MemoryError:
    pass
else:
    raise SystemExit("the limit does not hold")
X, y = sys.argv[1:]
contestants = {
    "from_npy, one reading": ({"penalty": "l1", "alpha": 0.1}, lambda: (from_npy(X, y),)),
    "from_npy, descent": ({"loss": "huber", "max_iter": 3, "tol": None, "optimizer": "gd"},
        lambda: (from_npy(X, y),)),
    "memmap, descent": ({"loss": "huber", "max_iter": 3, "tol": None, "optimizer": "gd"},
        lambda: (np.load(X, mmap_mode="r"), np.load(y, mmap_mode="r"))),
}
for name, (options, rows) in contestants.items():
    begin = time.process_time()
    model = GDRegressor(**options).fit(*rows())
    seconds = time.process_time() - begin
    with open("/proc/self/status") as lines:
        status = dict(line.split(":", 1) for line in lines)
    data, own = (int(status[key].split()[0]) // 1024 for key in ("VmData", "RssAnon"))
    print(f"{name}: {seconds:.1f} processor seconds, own memory {own} MiB, data {data} MiB")
"""


def has(*names):
    """Whether packages are installed."""
    return all(importlib.util.find_spec(name) for name in names)


def problem(n, p):
    """Return standard normal columns, and a target that five of them explain."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    return X, X[:, :5].sum(axis=1) + rng.standard_normal(n)


def pieces_of(X, y, m):
    """Return rows in memory as m pieces."""
    ends = np.linspace(0, len(y), m + 1).astype(int)
    loaders = [lambda a=a, b=b: (X[a:b], y[a:b]) for a, b in pairwise(ends)]
    return from_callables(loaders, ahead=0, keep=True)


def least(contestants, clock=time.process_time, rounds=ROUNDS):
    """Return the least seconds of each contestant, which take turns."""
    times = {name: [] for name in contestants}
    for k in range(rounds + 1):
        for name, function in contestants.items():
            begin = clock()
            function()
            if k:  # the first compiles
                times[name].append(clock() - begin)
    return {name: min(found) for name, found in times.items()}


def epoch_seconds(data, clock=time.process_time):
    """Return the seconds of an epoch on each of some data: of a long fit without a short one."""

    def fit(rows, epochs):
        return lambda: GDRegressor(**DESCENT, max_iter=epochs).fit(*rows)

    turns = {(name, k): fit(rows, k) for name, rows in data.items() for k in (1, 1 + EPOCHS)}
    found = least(turns, clock)
    return {name: (found[name, 1 + EPOCHS] - found[name, 1]) / EPOCHS for name in data}


def in_process(X, y):
    """Print what pieces in this process cost."""
    data = {"whole": (X, y), **{f"{m} pieces": (pieces_of(X, y, m),) for m in (1, 20, 200, 1000)}}
    with threadpool_limits(1):
        found = epoch_seconds(data)
    rows = [[name, f"{1e3 * s:.2f}", f"{s / found['whole']:.2f}"] for name, s in found.items()]
    print(table(["in this process", "ms an epoch", "over whole"], rows), "\n")


def in_files(X, y, folder):
    """Print what files cost: mapped, in pieces, and as parquet."""
    from skgd.pieces import from_npy

    paths = folder / "X.npy", folder / "y.npy"
    for path, values in zip(paths, (X, y)):
        np.save(path, values)
    mapped = np.load(paths[0], mmap_mode="r"), y
    data = {"in memory": (X, y), "memmap": mapped, "from_npy": (from_npy(*paths),)}
    with threadpool_limits(1):
        found = epoch_seconds(data)
    rows = [
        [name, f"{1e9 * s / len(y):.2f}", f"{s / found['in memory']:.2f}"]
        for name, s in found.items()
    ]
    print(table(["in files", "ns a row and epoch", "over memory"], rows), "\n")
    for name, flag in (("memmap", False), ("from_npy", True)):
        code = MEMORY.replace("PIECES", str(flag))
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, paths)],
            check=True,
            capture_output=True,
            text=True,
        )
        own = int(done.stdout.split()[0])
        print(f"own memory, {name}: {own / 2**20:.0f} MiB, {own / len(y):.1f} bytes a row")
    print()
    if has("pyarrow"):
        parquet(X, y, folder)


def limited(folder):
    """Print what fits to four gigabytes take, in a process that may have one of its own."""
    (n, p), block = LARGE, 100_000
    paths = folder / "X.npy", folder / "y.npy"
    X = np.lib.format.open_memmap(paths[0], "w+", shape=(n, p))
    y = np.lib.format.open_memmap(paths[1], "w+", shape=(n,))
    rng = np.random.default_rng(0)
    for begin in range(0, n, block):
        rows = rng.standard_normal((block, p))
        X[begin : begin + block] = rows
        y[begin : begin + block] = rows[:, :5].sum(axis=1) + rng.standard_normal(block)
    del X, y
    subprocess.run([sys.executable, "-c", LIMITED, *map(str, paths)], check=True)


def parquet(X, y, folder):
    """Print what a fit of one reading costs beside decoding alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from skgd.pieces import from_parquet

    columns = {f"x{j}": X[:, j] for j in range(X.shape[1])}
    pq.write_table(pa.table({**columns, "y": y}), folder / "rows.parquet", row_group_size=50_000)

    def decode():
        file = pq.ParquetFile(folder / "rows.parquet")
        for k in range(file.num_row_groups):
            file.read_row_group(k, use_threads=False)

    def fit():
        GDRegressor(**LASSO).fit(from_parquet(folder / "rows.parquet", target="y"))

    with threadpool_limits(1):
        found = least({"decoding alone": decode, "fit of one reading": fit})
    rows = [[name, f"{s:.3f}", f"{s / found['decoding alone']:.2f}"] for name, s in found.items()]
    print(table(["parquet", "seconds", "over decoding"], rows), "\n")


def on_workers(X, y, client):
    """Print what dask costs: processor seconds of this process and all workers."""
    import dask.array as da

    def clock():
        return time.process_time() + sum(client.run(time.process_time).values())

    def rows_in(m):
        size = -(-len(y) // m)
        given = da.from_array(X, chunks=(size, -1)), da.from_array(y, chunks=size)
        return client.persist(given)

    def fit(model, rows):
        return lambda: model.fit(*rows)

    rows = rows_in(20)
    turns = {
        "in memory": fit(GDRegressor(**LASSO, optimizer="nesterov"), (X, y)),
        "dask": fit(GDRegressor(**LASSO, optimizer="nesterov"), rows),
        "dask, one reading": fit(GDRegressor(**LASSO), rows),
    }
    with threadpool_limits(1):
        found = least(turns, clock, 3)
        if has("dask_ml"):
            found |= dask_ml(rows, clock)
    last = "dask, one reading"
    lines = [
        [name, f"{s:.3f}", *(f"{s / found[other]:.2f}" for other in ("in memory", "dask", last))]
        for name, s in found.items()
    ]
    print(
        table(
            ["on two workers", "processor seconds", "over memory", "over dask", f"over {last}"],
            lines,
        ),
        "\n",
    )
    print(f"memory of the client beside results: {client_memory(turns['dask']):.0f} MiB\n")
    wall = time.perf_counter
    data = {f"{m} pieces": rows_in(m) for m in (20, 200, 1000)}
    found = epoch_seconds(data, wall)
    first = found["20 pieces"]
    lines = [[name, f"{1e3 * s:.1f}", f"{s / first:.2f}"] for name, s in found.items()]
    print(table(["on two workers", "ms an epoch (wall)", "over 20"], lines), "\n")


def client_memory(fit):
    """Return by how many MiB a fit raises the memory of this process, at most."""

    def resident(key):
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition(key)[2].split()[0]) / 1024

    before = resident("VmRSS:")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    fit()
    return resident("VmHWM:") - before


def dask_ml(rows, clock):
    """Return the seconds of dask-ml's solvers for the same penalty."""
    from dask_ml.linear_model import LinearRegression

    X, y = rows
    known = {"fit_intercept": False, "C": 1.0 / (0.1 * len(y))}
    found = {}
    for solver in ("admm", "lbfgs"):
        model = LinearRegression(solver=solver, penalty="l1", **known)
        found[f"dask-ml, {solver}"] = least({"": lambda m=model: m.fit(X, y)}, clock, 1)[""]
    return found


def main():
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--large", action="store_true", help="4 GB under a limit of 1 GiB, alone")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(heading("Rows in pieces"))
    if arguments.large:
        with tempfile.TemporaryDirectory() as folder:
            limited(Path(folder))
        return
    X, y = problem(arguments.rows, arguments.columns)
    print(f"{len(y):,} x {X.shape[1]}\n")
    in_process(X, y)
    with tempfile.TemporaryDirectory() as folder:
        in_files(X, y, Path(folder))
    if has("dask", "distributed"):
        from distributed import Client, LocalCluster

        known = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(host="127.0.0.1", **known) as cluster, Client(cluster) as client:
            on_workers(X, y, client)


if __name__ == "__main__":
    main()
