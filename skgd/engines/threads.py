"""Sums over pieces of rows, in threads.

How rows are cut into pieces, and in which order what was found for these is added, depends on the
shape of the data only. So the bits of a sum do not depend on the number of threads. That number
is what OpenMP would use: the processors, unless ``OMP_NUM_THREADS``, threadpoolctl or a worker of
joblib limits it.
"""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache, partial
from itertools import pairwise
from threading import Lock

import numpy as np
from joblib import cpu_count
from threadpoolctl import ThreadpoolController

from skgd.kernels.blocks import PythonCall

PIECE = 2**18  # entries in a piece: its pass takes 0.1 ms, a hundred times what starting it takes
SHARE = 32  # times as many entries as sums in a piece, so that adding these takes little
MOST = 64  # pieces
PRODUCTS = 2**27  # multiply-adds of columns with each other in a piece: some milliseconds
LINES = 16  # numbers in two lines of the cache, which some processors fetch together


def n_pieces(n, entries, d):
    """Return into how many pieces n rows with some stored entries and d sums are cut."""
    return max(1, min(entries // PIECE, entries // (SHARE * d), n, MOST))


def n_threads():
    """Return how many threads may run."""
    limits = [library.num_threads for library in _openmp().lib_controllers]
    return max(1, min([_n_processors("OMP_NUM_THREADS" in os.environ), *limits]))


@cache
def _n_processors(all_of_them):
    """Return how many processors this process may use; as OpenMP, of one core only one."""
    return cpu_count(only_physical_cores=not all_of_them)


@cache
def _openmp():
    return ThreadpoolController().select(user_api="openmp")


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


class SharedLimit:
    """Limits libraries of linear algebra to one thread, until the last user leaves.

    One thread sets and restores their numbers, as threadpoolctl lets only that which has set one
    restore it. A limit that is set by someone else outside stays as it is.
    """

    def __init__(self):
        self._lock, self._users, self._limit = Lock(), 0, None

    def __enter__(self):
        with self._lock:
            many = any(library.num_threads > 1 for library in _blas().lib_controllers)
            if many and self._limit is None:
                self._limit = _setter(os.getpid()).submit(_limited).result()
            self._users += 1

    def __exit__(self, *error):
        with self._lock:
            self._users -= 1
            if not self._users and self._limit is not None:
                _setter(os.getpid()).submit(self._limit.__exit__, *error).result()
                self._limit = None


def _limited():
    return _blas().limit(limits=1).__enter__()


one_blas_thread = SharedLimit()


def row_pieces(n, entries, d):
    """Return the first row of each piece, and that after its last."""
    pieces = n_pieces(n, entries, d)
    ends = [k * n // pieces for k in range(pieces + 1)]
    return [*pairwise(ends)]


def product_pieces(n, p):
    """Return the same for the products of p columns with each other.

    The products of all pieces take no more room than a vector of n numbers.
    """
    pieces = max(1, min(n * p * p // PRODUCTS, n // max(1, p * p), MOST))
    ends = [k * n // pieces for k in range(pieces + 1)]
    return [*pairwise(ends)]


def sums_apart(pieces, d):
    """Return zeros for the sums of each piece; no two share a line of the cache."""
    apart = -(-d // LINES) * LINES + LINES
    return np.zeros((pieces, apart))[:, :d]


def in_pieces(make, n, entries, g):
    """Return what adds up all rows to ``g``, and where it writes their loss.

    Parameters
    ----------
    make : callable
        Returns a `Call` that adds some rows, for each of some triples: an array to add to, the
        first row and that after the last, and an array of shape (1,) to write to.
    n, entries : int
        Rows, and what they store.
    g : ndarray of shape (d,)

    Returns
    -------
    task : Call
    found : ndarray of shape (1,)
    """
    pieces = row_pieces(n, entries, g.size)
    if len(pieces) == 1:
        found = np.zeros(1)
        return make([(g, pieces[0], found)])[0], found
    sums, losses = sums_apart(len(pieces), g.size), np.zeros((len(pieces), 1))
    threads = n_threads()
    tasks = make([*zip(sums, pieces, losses)])

    def add():
        sums[:] = 0.0
        run_all(tasks, threads)
        add_up(sums)
        add_up(losses)
        np.add(g, sums[0], out=g)

    return PythonCall(add), losses[0]


def add_up(pieces):
    """Add all rows of an array to the first: the second half to the first, and so on."""
    m = len(pieces)
    while m > 1:
        half = (m + 1) // 2
        pieces[: m - half] += pieces[half:m]
        m = half


def products_in_pieces(products, n, p):
    """Return the sum of matrices of shape (p, p) that belong to pieces of the rows.

    Libraries of linear algebra are limited to one thread for each piece, so that the bits do not
    depend on how many they would use.

    Parameters
    ----------
    products : callable
        Returns the matrix of the rows from one to another.
    n, p : int
    """
    pieces = product_pieces(n, p)
    if len(pieces) == 1:
        return products(0, n)
    found = [np.empty(0)] * len(pieces)

    def fill(k):
        found[k] = products(*pieces[k])

    with one_blas_thread:
        run_all([partial(fill, k) for k in range(len(pieces))], n_threads())
    while len(found) > 1:
        half = (len(found) + 1) // 2
        for one, other in zip(found, found[half:]):
            one += other
        del found[half:]
    return found[0]


def run_all(tasks, threads):
    """Run tasks, which hold no lock of the interpreter, in some threads, this one among them."""
    left = deque(tasks)

    def work():
        while left:
            try:
                task = left.popleft()
            except IndexError:  # another thread was faster
                return
            task()

    if threads == 1:
        return work()
    futures = [_pool(os.getpid()).submit(work) for _ in range(min(threads, len(tasks)) - 1)]
    try:
        work()
    finally:  # also after an interrupt, as the tasks write to arrays
        left.clear()
        started = [future for future in futures if not future.cancel()]
        wait(started)
    for future in started:
        future.result()


@cache
def _setter(process):
    """Return the thread of a process that sets limits."""
    return ThreadPoolExecutor(1, thread_name_prefix="skgd-limits")


@cache
def _pool(process):
    """Return the pool of a process, as threads do not survive a fork."""
    return ThreadPoolExecutor(max(1, cpu_count() - 1), thread_name_prefix="skgd")
