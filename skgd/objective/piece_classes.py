"""The classes of rows in pieces: which there are, how many rows have each, and their numbers."""

import numpy as np

from skgd.engines.tree import Verb
from skgd.kernels.rows import are_even
from skgd.objective.piece import Piece


def classes_of(piece, number):
    """Return the classes of a piece, sorted, and the counts of their rows.

    Raises
    ------
    ValueError
        For what is no class, or cannot be sorted.
    """
    labels = piece.labels[:, 0]
    missing = np.flatnonzero(_are_missing(labels))
    if missing.size:
        raise ValueError(
            f"Input y contains NaN or infinity, in row {missing[0]} of piece {number} (both "
            "counted from 0)."
        )
    return _sorted(labels, np.ones(len(labels), int))


def merged_classes(one, other):
    """Return the classes of two parts, sorted, and the counts of their rows."""
    if not (len(one[0]) and len(other[0])):  # whose type may be that of no label
        return one if len(one[0]) else other
    return _sorted(*map(np.concatenate, zip(one, other)))


def _sorted(labels, counts):
    try:
        classes, places = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise ValueError(f"The classes in y cannot be sorted: {error}") from error
    return classes, np.bincount(places.ravel(), counts, classes.size).astype(int)


def _are_missing(labels):
    """Return which labels are none, or no numbers."""
    if labels.dtype.kind == "O":
        return [not _is_known(label) for label in labels]
    return ~np.isfinite(labels) if labels.dtype.kind in "fc" else np.zeros(len(labels), bool)


def _is_known(label):
    """Whether a label equals itself, as NaN and what stands for nothing do not."""
    same = label is not None and label == label
    return isinstance(same, bool | np.bool_) and bool(same)


def coded(piece, number, classes, factors):
    """Return the piece with the numbers of its classes as targets.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted.
    factors : ndarray of shape (n_classes,) or None
        What the weights of the rows of each class are multiplied by; None for one.
    """
    labels = piece.labels[:, 0]
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    unknown = labels[classes[places] != labels]
    if unknown.size:
        raise ValueError(
            f"y of piece {number} has the class {unknown.tolist()[0]!r}, which is none of "
            f"{classes.tolist()}."
        )
    weight = None if are_even(piece.weight) else piece.weight
    if factors is not None:
        weight = factors[places] if weight is None else factors[places] * weight
    return Piece(piece.X, places[:, None].astype(float), weight)


CLASSES = Verb(classes_of, merged_classes)
