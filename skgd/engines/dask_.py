"""The engines that ask pieces which dask loads: on the workers of a client, or by a scheduler.

Both take a one-dimensional dask array each of whose blocks is a piece, in their order.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from threading import Lock

from skgd.engines.in_turn import InTurn
from skgd.engines.tree import Tree


class Scheduled:
    """Pieces that the scheduler of the moment loads anew for each pass; none is held.

    Parameters
    ----------
    pieces : dask Array
    """

    def __init__(self, pieces):
        from dask import optimize

        (self._pieces,) = optimize(pieces)
        self._graph, self._keys = dict(self._pieces.__dask_graph__()), self._pieces.__dask_keys__()
        self.n_pieces = len(self._keys)

    def ask(self, verb, *arguments):
        """Return the answer of all pieces to a `Verb`."""
        from dask.base import get_scheduler

        ask = partial(_ask, verb, arguments)
        tasks = {("ask", k): (ask, k, key) for k, key in enumerate(self._keys)}
        nodes, level = [*tasks], 0
        while len(nodes) > 1:
            level += 1
            pairs = [nodes[k : k + 2] for k in range(0, len(nodes), 2)]
            merged = {
                (level, k): (verb.merge, *two) for k, two in enumerate(pairs) if len(two) == 2
            }
            nodes = [*merged, *(pairs[-1] if len(pairs[-1]) == 1 else ())]
            tasks |= merged
        return get_scheduler(collections=[self._pieces])(self._graph | tasks, nodes[0])

    def pieces(self, numbers):
        """Generate the pieces of some numbers in this order, with their numbers."""
        loads = self._pieces.to_delayed(optimize_graph=False)
        return InTurn(lambda number: loads[number].compute(), self.n_pieces).pieces(numbers)

    def release(self):
        """Forget what is held for the fit: nothing."""


class Workers:
    """Pieces that workers hold for the time of a fit.

    Those of a worker are one object, its shard. A pass is one task for each shard, which merges
    the answers of the pieces as far as it can; the rest of the tree is merged here. Where a worker
    is lost, the scheduler builds its shard anew on another.

    Parameters
    ----------
    pieces : dask Array
    client : distributed.Client
    """

    def __init__(self, pieces, client):
        from dask import optimize

        self.n_pieces, (self._pieces,) = pieces.numblocks[0], optimize(pieces)
        self._client, self._shards, self._lock = client, {}, Lock()

    def ask(self, verb, *arguments):
        """Return the answer of all pieces to a `Verb`."""
        ask = partial(ask_shard, verb, arguments, self.n_pieces)
        tree = Tree(self.n_pieces, verb.merge)
        with self._lock:  # a piece answers one question at a time
            answers = self._gather({shard: ask for shard in self._held().values()})
        for nodes in answers:
            tree.join(nodes)
        return tree.answer

    def pieces(self, numbers):
        """Generate the pieces of some numbers in this order, with their numbers."""
        shards = {number: shard for group, shard in self._held().items() for number in group}

        def load(number):
            (piece,) = self._gather({shards[number]: partial(_piece, number)})
            return piece

        return InTurn(load, self.n_pieces, 1).pieces(numbers)

    def release(self):
        """Let the workers forget the shards."""
        for shard in self._shards.values():
            shard.release()
        self._shards = {}

    def _gather(self, tasks):
        """Return what functions return for shards."""
        futures = [self._client.submit(task, shard, pure=False) for shard, task in tasks.items()]
        try:
            return self._client.gather(futures)
        finally:
            for future in futures:
                future.release()

    def _held(self):
        """Return the shards, by the numbers of their pieces."""
        if not self._shards:
            check_versions(self._client)
            pieces = self._placed()
            for address, group in self._groups(pieces).items():
                where = {"workers": [address], "allow_other_workers": True} if address else {}
                known = partial(_shard, group), *(pieces[number] for number in group)
                self._shards[group] = self._client.submit(*known, pure=False, **where)
        return self._shards

    def _placed(self):
        """Return futures of the pieces.

        Neighbours go to one worker, which can then merge their answers; but where rows are on the
        workers already, pieces go where these are.
        """
        from distributed.client import futures_of

        threads = self._client.nthreads()
        if futures_of(self._pieces) or not threads:
            return _futures(self._client.persist(self._pieces, optimize_graph=False))
        futures, total = [], sum(threads.values())
        for address in sorted(threads):
            share = -(-self.n_pieces * threads[address] // total)
            some = self._pieces.blocks[len(futures) : len(futures) + share]
            where = {"workers": [address], "allow_other_workers": True, "optimize_graph": False}
            futures += _futures(self._client.persist(some, **where))
            if len(futures) == self.n_pieces:
                break
        return futures

    def _groups(self, pieces):
        """Return the numbers of the pieces that each worker has."""
        from distributed import wait

        wait(pieces)
        holders, groups = self._client.who_has(pieces), {}
        for number, piece in enumerate(pieces):
            able = sorted(holders.get(piece.key, ())) or [None]
            address = min(able, key=lambda one: len(groups.get(one, ())))
            groups[address] = *groups.get(address, ()), number
        return groups


def check_versions(client):
    """Refuse workers that have no skgd, or another version of it."""

    def version():  # which workers get by its code, as they may have no skgd
        try:
            return import_module("skgd").__version__
        except ImportError:
            return None

    own, found = version(), client.run(version)
    others = {address: other for address, other in found.items() if other != own}
    if others:
        known = ", ".join(f"{address} has {other}" for address, other in others.items())
        raise ImportError(f"All workers need skgd {own}, as this process has it; {known}.")


def ask_shard(verb, arguments, n_pieces, shard):
    """Return the parts of the tree that the pieces of a shard complete.

    The threads of the worker share the pieces.
    """
    from distributed import get_worker

    tree, ask = Tree(n_pieces, verb.merge), partial(_ask, verb, arguments)
    threads = min(get_worker().state.nthreads, len(shard))
    if threads == 1:
        answers = map(ask, shard.keys(), shard.values())
        _add(tree, shard, answers)
    else:
        with ThreadPoolExecutor(threads) as pool:
            _add(tree, shard, pool.map(ask, shard.keys(), shard.values()))
    return tree.nodes


def _futures(array):
    """Return the futures of the blocks of an array that workers hold, in their order."""
    from distributed.client import futures_of

    futures = {future.key: future for future in futures_of(array)}
    return [futures[key] for key in array.__dask_keys__()]


def _add(tree, shard, answers):
    for number, answer in zip(shard, answers):
        tree.add(answer, number)


def _ask(verb, arguments, number, piece):
    return verb.ask(piece, number, *arguments)


def _shard(numbers, *pieces):
    return dict(zip(numbers, pieces))


def _piece(number, shard):
    return shard[number]
