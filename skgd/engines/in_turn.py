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
    """

    def __init__(self, load, n_pieces, ahead=0):
        self.load, self.n_pieces, self._ahead = load, n_pieces, ahead

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
        """Forget what is held for the fit: nothing."""
