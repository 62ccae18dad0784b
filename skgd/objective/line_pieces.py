"""The losses of all rows as pieces of lines, seen some rows at a time."""

import numpy as np

from skgd.kernels.loss_kernels import blocks
from skgd.kernels.row_kernels import loss_terms


class LinePieces:
    """The losses of all rows as pieces of lines.

    Parameters
    ----------
    loss : Loss
        With kinks.
    y : ndarray of shape (n,)
    """

    def __init__(self, loss, y):
        self.loss, self.y = loss, y
        kinks = loss.kinks(y[:1])
        self.kind = np.min_scalar_type(len(kinks))  # of the number of a piece

    def kinks(self, rows):
        """Return the kinks of some rows, of shape (K, m)."""
        return self.loss.kinks(self.y[rows])

    def slopes(self, rows):
        """Return the slopes of the pieces of some rows, of shape (K + 1, m)."""
        kinks = self.kinks(rows)
        size = np.ptp(kinks) + np.abs(kinks).max(axis=0) + 1.0
        within = 0.5 * (kinks[1:] + kinks[:-1])
        places = np.vstack([kinks[:1] - size, within, kinks[-1:] + size])
        return loss_terms(self.loss, places, self.y[rows])[1].copy()

    def piece(self, f):
        """Return the number of the piece that each prediction lies on."""
        found = np.empty(f.size, dtype=self.kind)
        for rows in blocks(0, f.size):
            found[rows] = (f[rows] > self.kinks(rows)).sum(axis=0)
        return found

    def slopes_on(self, piece):
        """Return the slope of each row on a piece of its loss."""
        v = np.empty(piece.size)
        for rows in blocks(0, piece.size):
            number = piece[rows].astype(np.intp)[None]
            v[rows] = np.take_along_axis(self.slopes(rows), number, axis=0)[0]
        return v

    def smoothed(self, f, smoothing):
        """Return smoothed losses, their slopes and second derivatives, of shape (3, n).

        At each kink the distance ``|d|`` becomes ``sqrt(d^2 + smoothing^2)``: the slopes remain
        within those of the loss, and the second derivatives are positive.
        """
        rows = slice(0, f.size)
        kinks, steps = self.kinks(rows), self.slopes(rows)
        value, slope = loss_terms(self.loss, f, self.y)[0], 0.5 * (steps[0] + steps[-1])
        second = np.zeros(f.size)
        for kink, jump in zip(kinks, np.diff(steps, axis=0)):
            away = f - kink
            distance = np.hypot(away, smoothing)
            value += 0.5 * jump * smoothing * (smoothing / (distance + np.abs(away)))
            slope += 0.5 * jump * away / distance
            second += 0.5 * jump / distance * (smoothing / distance) ** 2
        return np.stack([value, slope, second])

    def steepest(self):
        """Return the largest slope of a loss, whatever its sign."""
        return max(np.abs(self.slopes(rows)).max() for rows in blocks(0, self.y.size))

    def distance(self, f):
        """Return how far each prediction is from the nearest kink, as float32."""
        found = np.empty(f.size, dtype=np.float32)
        for rows in blocks(0, f.size):
            found[rows] = np.abs(f[rows] - self.kinks(rows)).min(axis=0)
        return found
