"""The losses of all rows as pieces of lines."""

import numpy as np

from skgd.kernels.row_kernels import loss_terms


class Pieces:
    """The losses of all rows as pieces of lines.

    Parameters
    ----------
    loss : Loss
        With kinks.
    y : ndarray of shape (n,)

    Attributes
    ----------
    kinks : ndarray of shape (K, n)
    slopes : ndarray of shape (K + 1, n)
        Of the pieces.
    """

    def __init__(self, loss, y):
        self.kinks = kinks = loss.kinks(y)
        size = np.ptp(kinks) + np.abs(kinks).max(axis=0) + 1.0
        within = 0.5 * (kinks[1:] + kinks[:-1])
        places = np.vstack([kinks[:1] - size, within, kinks[-1:] + size])
        self.slopes = loss_terms(loss, places, y)[1]

    def piece(self, f):
        """Return the number of the piece that each prediction lies on."""
        return (f > self.kinks).sum(axis=0)

    def distance(self, f):
        """Return how far each prediction is from the nearest kink."""
        return np.abs(f - self.kinks).min(axis=0)
