"""The engines that ask pieces which dask loads: on the workers of a client, or by a scheduler.

Both take delayed pieces, in the order of their numbers. dask is imported by who calls.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from threading import Lock

from skgd.engines.in_turn import InTurn
from skgd.engines.tree import Tree


class Scheduled:
    """Pieces that the scheduler of the moment loads anew for each pass, and holds in none.

    Parameters
    ----------
    pieces : list of Delayed
    """

    def __init__(self, pieces):
        from dask import optimize

        self.n_pieces, self._pieces = len(pieces), [*optimize(*pieces)]

    def ask(self, verb, *arguments):
        """Return the answer of all pieces to a `Verb`."""
        from dask import compute, delayed

        ask = delayed(partial(_ask, verb, arguments), pure=False)
        merge = delayed(verb.merge, pure=False)
        nodes = [ask(number, piece) for number, piece in enumerate(self._pieces)]
        while len(nodes) > 1:
            pairs = [nodes[k : k + 2] for k in range(0, len(nodes), 2)]
            nodes = [merge(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
        return compute(*nodes, optimize_graph=False)[0]

    def pieces(self, numbers):
        """Generate the pieces of some numbers in this order, with their numbers."""
        from dask import compute

        in_turn = InTurn(lambda number: compute(self._pieces[number])[0], self.n_pieces)
        return in_turn.pieces(numbers)

    def release(self):
        """Forget what is held for the fit: nothing."""


class Workers:
    """Pieces that workers hold for the time of a fit.

    Those of a worker are one object, its shard. A pass is one task for each shard, which merges
    the answers of the pieces as far as it can; the rest of the tree is merged here. Where a worker
    is lost, the scheduler builds its shard anew on another.

    Parameters
    ----------
    pieces : list of Delayed
    client : distributed.Client
    """

    def __init__(self, pieces, client):
        self.n_pieces, self._pieces = len(pieces), pieces
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
            return self._client.compute(self._pieces)
        futures, first, total = [], 0, sum(threads.values())
        for address in sorted(threads):
            share = -(-self.n_pieces * threads[address] // total)
            some = self._pieces[first : first + share]
            if some:
                where = {"workers": [address], "allow_other_workers": True}
                futures += self._client.compute(some, **where)
            first += share
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


def _add(tree, shard, answers):
    for number, answer in zip(shard, answers):
        tree.add(answer, number)


def _ask(verb, arguments, number, piece):
    return verb.ask(piece, number, *arguments)


def _shard(numbers, *pieces):
    return dict(zip(numbers, pieces))


def _piece(number, shard):
    return shard[number]
