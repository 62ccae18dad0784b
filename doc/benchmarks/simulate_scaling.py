"""A model of passes over pieces on many workers, held against passes on this machine.

The scheduler of dask is simulated event by event: it takes time for each task and each of its
dependencies, one task after the other; tasks wait for a free core of their worker; answers go
through one line into the client. The constants are measured here first (with ``--measure``), with
pieces of a single row; then passes over pieces with rows are run, and simulated.
"""

import argparse
import heapq
import time
from typing import NamedTuple

import numpy as np
from machine import table

PIECES = (20, 200, 1000)
WORKERS = (10, 100, 1000)


class Constants(NamedTuple):
    """What a pass costs, in seconds.

    Attributes
    ----------
    task, dependency : float
        Of the scheduler.
    trip : float
        From the client to the scheduler, to a worker, and back.
    byte : float
        Of an answer on its way into the client.
    entry : float
        Of the gradient, on one core.
    """

    task: float = 1.1e-3
    dependency: float = 0.15e-3
    trip: float = 12e-3
    byte: float = 1e-9
    entry: float = 0.25e-9


class Pass(NamedTuple):
    """What a pass is made of.

    Attributes
    ----------
    tasks : int
    pieces : int
        Of a task.
    seconds : float
        Of a piece, on one core.
    answer : float
        Bytes that a task returns.
    """

    tasks: int
    pieces: int
    seconds: float
    answer: float


def simulate(work, workers, cores, known, dependencies=1):
    """Return the seconds of a pass.

    Parameters
    ----------
    work : Pass
    workers, cores : int
        Workers, and the cores of each.
    known : Constants
    dependencies : int
        Of a task: one shard, or so many pieces.
    """
    free = [[0.0] * cores for _ in range(workers)]
    for line in free:
        heapq.heapify(line)
    scheduler, done = 0.5 * known.trip, []
    for k in range(work.tasks):
        scheduler += known.task + dependencies * known.dependency
        line, last = free[k % workers], 0.0
        for _ in range(work.pieces):
            start = max(scheduler, heapq.heappop(line))
            last = max(last, start + work.seconds)
            heapq.heappush(line, start + work.seconds)
        done.append(last)
    line = 0.0
    for end in sorted(done):
        line = max(line, end) + known.byte * work.answer
    return line + 0.5 * known.trip


def of_shards(n, p, pieces, workers, entry):
    """Return the pass with one task for each worker, which adds up its own pieces."""
    own = -(-pieces // workers)
    return Pass(workers, own, n / pieces * p * entry, 8.0 * p * np.log2(own + 1.0))


def of_pieces(n, p, pieces, entry):
    """Return the pass with one task for each piece."""
    return Pass(pieces, 1, n / pieces * p * entry, 8.0 * p)


def on_paper(known, n=10**10, p=1000, cores=16):
    """Return the table of the guide: seconds of a pass."""
    rows = []
    for workers in WORKERS:
        pieces = max(10_000, 16 * cores * workers)
        shards = of_shards(n, p, pieces, workers, known.entry)
        alone = of_pieces(n, p, pieces, known.entry)
        gram = shards._replace(seconds=n / pieces * p * 0.5 * p * 0.025e-9, answer=8.0 * p * p)
        found = [simulate(work, workers, cores, known) for work in (shards, alone, gram)]
        rows.append([f"{workers:,}", f"{pieces:,}", *(f"{s:,.1f}" for s in found)])
    return ["workers", "pieces", "gradient", "one task a piece", "products"], rows


def restructured(head, rows):
    """Return a table as reStructuredText."""
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in [head, *rows]]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def passes(client, n, p):
    """Return the least seconds of a pass on a client, for each number of pieces of n rows.

    Without rows, each piece has a single one.
    """
    from dask.array import map_blocks

    from skgd.engines.dask_ import Workers
    from skgd.kernels.moments import Columns
    from skgd.losses import SquaredError
    from skgd.models import Linear
    from skgd.objective.piece import LOSS_AND_GRADIENT, Seen

    columns = Columns(np.zeros(p), np.ones(p), np.zeros(p, dtype=bool))
    seen, found = Seen("simulated", Linear(False), SquaredError(), None, columns, 0, 0.0), {}
    for m in PIECES:
        known = {"chunks": ((1,) * m,), "dtype": object, "meta": np.empty(0, object)}
        pieces = map_blocks(piece_of, n=n // m or 1, p=p, **known)
        engine, times = Workers(pieces, client), []
        for _ in range(20):
            begin = time.perf_counter()
            engine.ask(LOSS_AND_GRADIENT, seen, np.zeros(p), None)
            times.append(time.perf_counter() - begin)
        engine.release()
        found[m] = min(times)
    return found


def piece_of(n, p, block_id):
    """Return a piece of n rows of random numbers."""
    from skgd.objective.piece import Piece

    X = np.random.default_rng(block_id).standard_normal((n, p))
    return Piece(X, np.zeros((n, 1)))


def held_against(n=400_000, p=50):
    """Print passes on this machine beside simulated ones."""
    from distributed import Client, LocalCluster

    lines = []
    for workers in (1, 2):
        known = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(host="127.0.0.1", **known) as cluster, Client(cluster) as client:
            empty, full = passes(client, 0, p), passes(client, n, p)
        # what a piece costs, and a round trip, from single rows; an entry, from few pieces
        piece = (empty[1000] - empty[20]) / (980 / workers)
        trip = empty[20] - 20 / workers * piece
        entry = (full[20] - empty[20]) / (n * p / workers)
        constants = Constants(task=0.0, dependency=0.0, trip=trip, entry=entry)
        for m in PIECES:
            for rows, seen in ((0, empty), (n, full)):
                work = of_shards(rows, p, m, workers, entry)
                work = work._replace(seconds=work.seconds + piece)
                told = simulate(work, workers, 1, constants)
                line = f"{workers}", f"{m:,}", f"{rows:,}", f"{1e3 * seen[m]:.1f}"
                lines.append([*line, f"{1e3 * told:.1f}", f"{told / seen[m]:.2f}"])
    head = ["workers", "pieces", "rows", "ms of a pass", "simulated", "ratio"]
    print(table(head, lines))


def main():
    """Print the table of the guide, and with ``--measure`` passes on this machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--write", help="a file for the table, as reStructuredText")
    arguments = parser.parse_args()
    head, rows = on_paper(Constants())
    print(table(head, rows), "\n")
    if arguments.write:
        with open(arguments.write, "w", encoding="utf-8") as file:
            file.write(restructured(head, rows) + "\n")
    if arguments.measure:
        held_against()


if __name__ == "__main__":
    main()
