"""An engine on Spark: an RDD of numbered pieces, summed by a tree of its own."""

from skgd.engines.tree import Tree, ask_all
from skgd.pieces import loaded_piece


class SparkEngine:
    """Pieces that Spark's executors load and keep.

    Parameters
    ----------
    context : pyspark.SparkContext
    loaders : list of callable
        Each returns ``(X, y)`` or ``(X, y, sample_weight)``.
    n_features, dtype
        Of the columns.
    partitions : int
        As many as there are cores.
    """

    def __init__(self, context, loaders, n_features, dtype, partitions):
        self.n_pieces, known = len(loaders), (n_features, dtype)

        def load(numbered):
            number, loader = numbered
            return number, loaded_piece(number, loader(), *known)

        self._pieces = context.parallelize([*enumerate(loaders)], partitions).map(load).cache()

    def ask(self, verb, *arguments):
        """Return the answer of all pieces to a verb."""
        n_pieces = self.n_pieces

        def parts(partition, pieces):
            yield ask_all(verb, pieces, n_pieces, arguments)

        def join(one, other):
            tree = Tree(n_pieces, verb.merge)
            tree.join(one)
            tree.join(other)
            return tree.nodes

        (answer,) = self._pieces.mapPartitionsWithIndex(parts).treeReduce(join).values()
        return answer

    def pieces(self, numbers):
        """Generate the pieces of some numbers in this order, with their numbers."""
        for number in numbers:
            yield number, self._pieces.filter(lambda kept, k=number: kept[0] == k).first()[1]

    def release(self):
        """Keep the pieces for the next fit; `unpersist` of the engine's owner drops them."""
