"""Variance-reduced stochastic gradients: they converge at a constant rate on small batches."""

from skgd.optimizers.classical import GD
from skgd.optimizers.contract import Optimizer


class VarianceReduced(Optimizer):
    """Base class of optimizers that correct a stored mean gradient; `GD` on the full batch."""

    __slots__ = ()
    variance_reduced = settles = True

    def resolved(self, full_batch):
        return GD() if full_batch else self

    def step(self, g, memory, j, shared):
        return g, 1.0

    def automatic_rate(self, stable, newton, full_batch):
        return 2.0 / 3.0 * stable

    def stability_limit(self):
        return 1.0


class SAGA(VarianceReduced):
    """SAGA: a corrected mean of stored gradients, one for each row.

    ``g = mean over the batch of (g_i(theta) - m_i) + mean of all m``, then ``m_i = g_i(theta)``
    for the rows of the batch, and ``theta <- prox(theta - rate g)``. It converges at a constant
    rate, at which plain stochastic descent does not. It is for linear models, where one number a
    row stores ``m_i``; the mean is over the rows used so far. The automatic rate is a third of the
    reciprocal of the expected smoothness, ``1 / (3 L_max)`` for batches of one row.

    References
    ----------
    Defazio, Bach and Lacoste-Julien, "SAGA: a fast incremental gradient method with support for
    non-strongly convex composite objectives" (2014).
    """

    __slots__ = ()


class SVRG(VarianceReduced):
    """SVRG: a corrected full gradient from the start of the epoch.

    ``g = mean over the batch of (g_i(theta) - g_i(snapshot)) + full gradient(snapshot)``, then
    ``theta <- prox(theta - rate g)``. The snapshot is theta at the start of the epoch. An epoch
    takes two passes over the data. It is for linear models, and converges at a constant rate. The
    automatic rate is that of `SAGA`.

    References
    ----------
    Johnson and Zhang, "Accelerating stochastic gradient descent using predictive variance
    reduction" (2013); with prox, Xiao and Zhang (2014).
    """

    __slots__ = ()
    snapshots = True
