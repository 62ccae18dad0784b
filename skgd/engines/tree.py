"""Sums over a binary tree of the numbers of pieces.

Which two values are added, and in which order, depends on the numbers of the pieces alone. So the
bits of a sum are the same whoever adds its parts, wherever they lie and whenever they come.
"""

from collections.abc import Callable
from typing import NamedTuple


class Verb(NamedTuple):
    """What is asked of a piece, and how two answers become that of both.

    Attributes
    ----------
    ask : callable
        Takes a piece, its number and arguments; returns the answer.
    merge : callable
        Takes the answers of two parts of the tree, the lower numbers first, and returns that of
        both. It must not change them.
    """

    ask: Callable
    merge: Callable


class Tree:
    """Answers of some pieces, merged as far as the pieces are known.

    Parameters
    ----------
    n_pieces : int
    merge : callable

    Attributes
    ----------
    nodes : dict
        Answers by the level and the place of a part of the tree; those of pieces have level 0.
    """

    def __init__(self, n_pieces, merge):
        self.n_pieces, self.merge, self.nodes = n_pieces, merge, {}

    def add(self, answer, place, level=0):
        """Add the answer of a part, and merge what is complete.

        A part whose neighbour would have no pieces moves up as it is.
        """
        while 1 << level < self.n_pieces:
            neighbour = place ^ 1
            if neighbour << level < self.n_pieces:
                other = self.nodes.pop((level, neighbour), None)
                if other is None:
                    break
                answer = self.merge(other, answer) if place & 1 else self.merge(answer, other)
            level, place = level + 1, place >> 1
        self.nodes[level, place] = answer

    def join(self, nodes):
        """Add the parts of another tree over the same pieces."""
        for (level, place), answer in sorted(nodes.items(), key=lambda item: item[0]):
            self.add(answer, place, level)

    @property
    def answer(self):
        """The answer of all pieces."""
        (answer,) = self.nodes.values()
        return answer


def add(one, other):
    """Return the sums of the entries of two tuples."""
    return tuple([a + b for a, b in zip(one, other)])


def ask_all(verb, pieces, n_pieces, arguments):
    """Return the parts of the tree that some pieces, given by their numbers, complete.

    Parameters
    ----------
    verb : Verb
    pieces : iterable of (int, piece)
    n_pieces : int
        Of the whole tree.
    arguments : tuple
    """
    tree = Tree(n_pieces, verb.merge)
    for number, piece in pieces:
        tree.add(verb.ask(piece, number, *arguments), number)
    return tree.nodes
