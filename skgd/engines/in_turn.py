"""The engine that asks pieces in this process, one after the other, and loads ahead."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

from skgd.engines.tree import ask_all


class InTurn:
    """Pieces that this process loads, and asks one after the other.

    While a piece is asked, the next is loaded in a thread, where loading takes time.

    Parameters
    ----------
    load : callable
        Returns the piece of a number.
    n_pieces : int
    ahead : int, default=0
        Pieces that are loaded ahead.
    keeps : bool, default=False
        Whether pieces that have been loaded are kept for the length of a fit.
    """

    def __init__(self, load, n_pieces, ahead=0, keeps=False):
        self.n_pieces, self._load, self._ahead, self._keeps = n_pieces, load, ahead, keeps
        self._kept = {}

    def load(self, number):
        """Return a piece."""
        if not self._keeps:
            return self._load(number)
        if number not in self._kept:
            self._kept[number] = self._load(number)
        return self._kept[number]

    def ask(self, verb, *arguments):
        """Return the answer of all pieces to a `Verb`."""
        nodes = ask_all(verb, self.pieces(range(self.n_pieces)), self.n_pieces, arguments)
        (answer,) = nodes.values()
        return answer

    def pieces(self, numbers):
        """Generate the pieces of some numbers in this order, with their numbers."""
        if not self._ahead:
            for number in numbers:
                yield number, self.load(number)
            return
        waiting = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="skgd-pieces") as thread:
            try:
                for number in numbers:
                    waiting.append((number, thread.submit(self.load, number)))
                    if len(waiting) > self._ahead:
                        first, piece = waiting.popleft()
                        yield first, piece.result()
                while waiting:
                    first, piece = waiting.popleft()
                    yield first, piece.result()
            finally:
                for _, piece in waiting:
                    piece.cancel()

    def release(self):
        """Forget the pieces that are kept."""
        self._kept.clear()
