"""The rows of an epoch in their order, which is that of a descent with the same seed."""

from functools import cache

import numpy as np

from skgd.descent.update import shuffle
from skgd.kernels import draws
from skgd.kernels.blocks import read
from skgd.kernels.compiling import Kernel, bind, fuse
from skgd.kernels.problem import REPLACEMENT, SAMPLINGS, SHUFFLE
from skgd.kernels.rows import DenseRows
from skgd.kernels.stacked import Chunk

AT_ONCE = 2**16  # entries of dense rows that are gathered at a time
NO_ORDER = np.zeros(0, dtype=np.int32)
put_in_order = None


class OrderedRows:
    """Draws the order of the rows of each epoch, and gathers them.

    Parameters
    ----------
    term : StackedTerm
    sampling : str
    seed : int
    """

    def __init__(self, term, sampling, seed):
        self.term, self.sampling = term, SAMPLINGS[sampling]
        self.generator = draws.new_generator(seed)
        self.order = np.arange(term.n, dtype=np.int32 if term.n < 2**31 else np.int64)
        self.centre = np.zeros(0)
        if term.sparse and term.centre is not None:
            self.centre = term.centre
        self._rooms = {}
        if self.sampling in (SHUFFLE, REPLACEMENT):
            self._draw = _ordering()(self.order, self.generator, self.sampling)

    def draw(self):
        """Put the rows of the next epoch in order."""
        if self.sampling in (SHUFFLE, REPLACEMENT):
            self._draw()

    def chunks(self, batch, multipliers):
        """Yield the rows of an epoch in chunks of whole batches.

        Parameters
        ----------
        batch : int
        multipliers : ndarray of shape (updates,)
            Of the rates.
        """
        if self.term.sparse:
            yield self._sparse_chunk(multipliers)
            return
        at_once = max(1, AT_ONCE // max(1, self.term.p) // batch) * batch
        for start in range(0, self.term.n, at_once):
            rows = self.order[start : start + at_once]
            first = start // batch
            yield self._chunk(rows, multipliers[first : first - (-rows.size // batch)])

    def _sparse_chunk(self, multipliers):
        """Return all rows, which are read where they stand."""
        term, key = self.term, multipliers.size
        if key not in self._rooms:
            known = np.ascontiguousarray(term.weight), self.centre, np.empty(key)
            self._rooms[key] = Chunk(term.sparse_rows, self.order, term.targets, *known)
        self._rooms[key].multipliers[:] = multipliers
        return self._rooms[key]

    def _chunk(self, rows, multipliers):
        """Return some dense rows, gathered."""
        term, m = self.term, rows.size
        key = m, multipliers.size
        if key not in self._rooms:
            rooms = np.empty((m, term.p)), np.empty((m, term.targets.shape[1])), np.empty(m)
            known = self.centre, np.empty(multipliers.size)
            self._rooms[key] = Chunk(DenseRows(rooms[0]), NO_ORDER, *rooms[1:], *known)
        chunk = self._rooms[key]
        term.fill(chunk.rows.X, rows)
        chunk.y[:], chunk.weight[:] = term.targets[rows], term.weight[rows]
        chunk.multipliers[:] = multipliers
        return chunk


def draw_order(block):
    """Put rows in order."""
    order, generator, sampling = read(block)
    put_in_order(order, generator, sampling)


@cache
def _ordering():
    slots = {"next_word": fuse(draws.next_word)}
    slots["draw_below"] = fuse(bind(draws.draw_below, slots))
    slots["put_in_order"] = fuse(bind(shuffle, slots))
    return Kernel(bind(draw_order, slots), (), "order")
