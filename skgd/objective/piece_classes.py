"""The classes of rows in pieces, and how many rows have each."""

import numpy as np

from skgd.engines.tree import Verb


def classes_of(piece, number):
    """Return the classes of a piece, sorted, and the counts of their rows."""
    return np.unique(piece.y[:, 0], return_counts=True)


def merged_classes(one, other):
    """Return the classes of two parts, sorted, and the counts of their rows."""
    classes, places = np.unique(np.concatenate([one[0], other[0]]), return_inverse=True)
    return classes, np.bincount(places.ravel(), np.concatenate([one[1], other[1]])).astype(int)


CLASSES = Verb(classes_of, merged_classes)
