"""Variance-reduced stochastic gradients: they converge at a constant rate on small batches."""

from skgd.optimizers.classical import GD
from skgd.optimizers.contract import Optimizer


class VarianceReduced(Optimizer):
    """An abstract rule that corrects a known mean gradient; on the full batch, `GD`."""

    __slots__ = ()
    variance_reduced = True

    def resolved(self, full_batch):
        return GD() if full_batch else self

    def step(self, g, memory, j, shared):
        return g, 1.0

    def automatic_rate(self, stable, newton, full_batch):
        return 2.0 / 3.0 * stable

    def stability_limit(self):
        return 1.0


class SAGA(VarianceReduced):
    """SAGA: the mean of the gradients that the rows had when they were last seen, corrected.

    ``g = mean over the batch of (g_i(theta) - m_i) + mean of all m``, ``m_i = g_i(theta)`` for the
    rows of the batch, ``theta <- prox(theta - rate g)``. At a constant rate it converges, where
    plain stochastic descent fluctuates about the minimum. For linear models, in which one number
    for each row stores ``m_i``; the mean is over the rows seen so far. The automatic rate is a third of the reciprocal
    of the expected smoothness, which for batches of one is ``1 / (3 L_max)``.

    References
    ----------
    Defazio, Bach and Lacoste-Julien, "SAGA: a fast incremental gradient method with support for
    non-strongly convex composite objectives" (2014).
    """

    __slots__ = ()


class SVRG(VarianceReduced):
    """SVRG: the full gradient at the start of the epoch, corrected.

    ``g = mean over the batch of (g_i(theta) - g_i(snapshot)) + full gradient(snapshot)``,
    ``theta <- prox(theta - rate g)``; the snapshot is theta at the start of the epoch. An epoch
    costs two passes over the data. At a constant rate it converges. For linear models. The
    automatic rate is that of `SAGA`.

    References
    ----------
    Johnson and Zhang, "Accelerating stochastic gradient descent using predictive variance
    reduction" (2013); with prox, Xiao and Zhang (2014).
    """

    __slots__ = ()
    snapshots = True
