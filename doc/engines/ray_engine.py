"""An engine on Ray: shards of pieces as objects, and one task for each shard and pass."""

import ray

from skgd.engines.tree import Tree, ask_all
from skgd.pieces import loaded_piece


@ray.remote
def hold(numbers, loaders, known):
    """Load the pieces of some numbers."""
    return {k: loaded_piece(k, load(), *known) for k, load in zip(numbers, loaders)}


@ray.remote
def ask_shard(shard, n_pieces, verb, arguments):
    """Return the parts of the tree that the pieces of a shard complete."""
    return ask_all(verb, shard.items(), n_pieces, arguments)


@ray.remote
def take(shard, number):
    """Return one piece."""
    return shard[number]


class RayEngine:
    """Pieces that the workers of Ray load and hold; a lost shard is loaded anew.

    Parameters
    ----------
    loaders : list of callable
        Each returns ``(X, y)`` or ``(X, y, sample_weight)``.
    n_features, dtype
        Of the columns.
    shards : int
        As many as there are workers.
    """

    def __init__(self, loaders, n_features, dtype, shards):
        self.n_pieces, known = len(loaders), (n_features, dtype)
        size = -(-self.n_pieces // shards)
        self._groups = [
            range(k, min(k + size, self.n_pieces)) for k in range(0, self.n_pieces, size)
        ]
        self._shards = [
            hold.remote(group, [loaders[k] for k in group], known) for group in self._groups
        ]

    def ask(self, verb, *arguments):
        """Return the answer of all pieces to a verb."""
        tree = Tree(self.n_pieces, verb.merge)
        tasks = [ask_shard.remote(s, self.n_pieces, verb, arguments) for s in self._shards]
        for nodes in ray.get(tasks):
            tree.join(nodes)
        return tree.answer

    def pieces(self, numbers):
        """Generate the pieces of some numbers in this order, with their numbers."""
        of = {k: s for group, s in zip(self._groups, self._shards) for k in group}
        for number in numbers:
            yield number, ray.get(take.remote(of[number], number))

    def release(self):
        """Keep the shards for the next fit: Ray drops them with the engine."""
