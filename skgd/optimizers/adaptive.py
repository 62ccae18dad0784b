"""Optimizers that divide the gradient by a measure of its size, in the order of publication.

The rate is then a length in the unit of the parameters, not a factor of the gradient. Near the
minimum such steps are too long unless the rate falls.
"""

import math

from skgd.optimizers.contract import Optimizer


class Normalized(Optimizer):
    """Normalised gradients: the direction of the gradient with a fixed step length.

    ``theta -= rate * g / (sqrt(g^2) + eps)`` in each coordinate: every coordinate moves by the
    rate, and oscillates around the minimum at a constant rate. With ``norm="l2"``,
    ``theta -= rate * g / (|g|_2 + eps)``: the length of the whole step is the rate.

    Parameters
    ----------
    norm : {"elementwise", "l2"}, default="elementwise"
        The divisor of the gradient: the size of each entry, or the norm of the vector.
    eps : float, default=1e-8
        Added outside the root, at least 0.
    """

    __slots__ = ()
    norm: str = "elementwise"
    eps: float = 1e-8
    ranges = {"norm": ("elementwise", "l2"), "eps": "[0, inf)"}
    eps_power = 1

    def resolved(self, full_batch):
        return Signed(self.eps) if self.norm == "elementwise" else Directed(self.eps)


class Signed(Optimizer):
    """The rule of ``Normalized(norm="elementwise")``."""

    __slots__ = ()
    eps: float = 1e-8
    newton_fraction = 0.03
    eps_power = 1

    def step(self, g, memory, j, shared):
        size = abs(g) + self.eps
        return g, 1.0 / size if size > 0.0 else 1.0


class Directed(Optimizer):
    """The rule of ``Normalized(norm="l2")``."""

    __slots__ = ()
    eps: float = 1e-8
    needs_norm = True
    newton_fraction = 0.03
    eps_power = 1

    def prepare(self, t, norm, scalars):
        size = math.sqrt(norm) + self.eps
        return 1.0 / size if size > 0.0 else 1.0

    def step(self, g, memory, j, shared):
        return g, shared


class AdaGrad(Optimizer):
    """AdaGrad: gradients divided by the root of the sum of all past squares.

    ``G = G + g^2; theta -= rate * g / (sqrt(G) + eps)``. Equals
    ``torch.optim.Adagrad(lr=rate, eps=eps)``, whose default eps is 1e-10.

    Parameters
    ----------
    eps : float, default=1e-7
        Added outside the root, at least 0.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization" (2011).
    """

    __slots__ = ()
    eps: float = 1e-7
    ranges = {"eps": "[0, inf)"}
    n_memory = 1
    newton_fraction = 1.0
    eps_power = 1
    settles = True

    def step(self, g, memory, j, shared):
        G = memory[0, j] + g * g
        memory[0, j] = G
        size = math.sqrt(G) + self.eps
        return g, 1.0 / size if size > 0.0 else 1.0


class RMSProp(Optimizer):
    """RMSProp: gradients divided by the root of a moving average of past squares.

    ``G = rho G + (1 - rho) g^2; theta -= rate * g / (sqrt(G) + eps)``. Equals
    ``torch.optim.RMSprop(lr=rate, alpha=rho, eps=eps)``, whose default alpha is 0.99.

    Parameters
    ----------
    rho : float, default=0.9
        Decay of the average of squares, in [0, 1).
    eps : float, default=1e-8
        Added outside the root, at least 0.

    References
    ----------
    Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5 (2012).
    """

    __slots__ = ()
    rho: float = 0.9
    eps: float = 1e-8
    ranges = {"rho": "[0, 1)", "eps": "[0, inf)"}
    n_memory = 1
    newton_fraction = 0.03
    eps_power = 1

    def step(self, g, memory, j, shared):
        G = self.rho * memory[0, j] + (1.0 - self.rho) * g * g
        memory[0, j] = G
        size = math.sqrt(G) + self.eps
        return g, 1.0 / size if size > 0.0 else 1.0


class AdaDelta(Optimizer):
    """AdaDelta: gradients scaled by the root mean squares of past steps and gradients.

    ``G = rho G + (1 - rho) g^2; s = sqrt(D + eps) / sqrt(G + eps); theta -= rate * s * g;
    D = rho D + (1 - rho) (s g)^2``. Equals
    ``torch.optim.Adadelta(lr=rate, rho=rho, eps=eps)``, whose default rate is 1.

    Parameters
    ----------
    rho : float, default=0.9
        Decay of both averages, in [0, 1).
    eps : float, default=1e-6
        Added inside both roots, above 0; the length of the first steps is about its root.

    References
    ----------
    Zeiler, "ADADELTA: an adaptive learning rate method" (2012), algorithm 1.
    """

    __slots__ = ()
    rho: float = 0.9
    eps: float = 1e-6
    ranges = {"rho": "[0, 1)", "eps": "(0, inf)"}
    n_memory = 2
    newton_fraction = 0.03
    eps_power = 2

    def step(self, g, memory, j, shared):
        G = self.rho * memory[0, j] + (1.0 - self.rho) * g * g
        D = memory[1, j]
        s = math.sqrt((D + self.eps) / (G + self.eps))
        memory[0, j] = G
        memory[1, j] = self.rho * D + (1.0 - self.rho) * (s * g) * (s * g)
        return g, s

    def automatic_rate(self, stable, newton, full_batch):
        first_step = math.sqrt(self.eps / (1.0 - self.rho))
        return self.newton_fraction * newton / first_step
