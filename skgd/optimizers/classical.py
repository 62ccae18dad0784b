"""Optimizers that keep the length of the gradient: descent, momentum and acceleration."""

import math

from skgd.optimizers.contract import Optimizer


class GD(Optimizer):
    """Gradient descent; on batches smaller than the data, stochastic gradient descent.

    ``theta -= rate * g``. Equals ``torch.optim.SGD(lr=rate)``.

    References
    ----------
    Cauchy (1847); Robbins and Monro, "A stochastic approximation method" (1951).
    """

    __slots__ = ()
    lazy = True
    settles = True

    def step(self, g, memory, j, shared):
        return g, 1.0

    def stability_limit(self):
        return 1.0


class Momentum(Optimizer):
    """Heavy-ball momentum, with the learning rate outside of the velocity.

    The velocity form: ``v = beta v + g; theta -= rate * v``, so ``v = g`` in the first update.
    Equals ``torch.optim.SGD(lr=rate, momentum=beta)``. ``averaged=True`` is the form of many
    lectures: ``m = beta m + (1 - beta) g; theta -= rate * m``. It equals the velocity form at
    ``rate * (1 - beta)``.

    Parameters
    ----------
    beta : float, default=0.9
        Decay of past gradients, in [0, 1).
    averaged : bool, default=False
        Whether the velocity is the average of the gradients, or their discounted sum.

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods" (1964).
    """

    __slots__ = ()
    beta: float = 0.9
    averaged: bool = False
    ranges = {"beta": "[0, 1)"}
    n_memory = 1
    settles = True

    def prepare(self, t, norm, scalars):
        return 1.0 if self.averaged else 1.0 / (1.0 - self.beta)

    def step(self, g, memory, j, shared):
        m = self.beta * memory[0, j] + (1.0 - self.beta) * g
        memory[0, j] = m
        return m, shared

    def automatic_rate(self, stable, newton, full_batch):
        rate = stable if full_batch else stable * (1.0 - self.beta)
        return rate / (1.0 - self.beta) if self.averaged else rate

    def stability_limit(self):
        return (1.0 + self.beta) / (1.0 - self.beta if self.averaged else 1.0)


class Nesterov(Optimizer):
    """Nesterov's momentum, with the gradient at the look-ahead point.

    ``v = beta v + g; theta -= rate * (g + beta v)``, equal to
    ``torch.optim.SGD(lr=rate, momentum=beta, nesterov=True)``. ``beta=None`` is the accelerated
    sequence (`Accelerated`) on the full batch, and ``beta=0.9`` on smaller batches, where growing
    momentum would amplify the noise.

    Parameters
    ----------
    beta : float or None, default=None
        Decay of past gradients, in [0, 1).

    References
    ----------
    Nesterov (1983); in this form Sutskever et al., "On the importance of initialization
    and momentum in deep learning" (2013).
    """

    __slots__ = ()
    beta: float | None = None
    ranges = {"beta": "[0, 1)"}
    n_memory = 1
    settles = True

    def resolved(self, full_batch):
        if self.beta is not None:
            return self
        return Accelerated() if full_batch else Nesterov(0.9)

    def prepare(self, t, norm, scalars):
        return 1.0 / (1.0 - self.beta)

    def step(self, g, memory, j, shared):
        m = self.beta * memory[0, j] + (1.0 - self.beta) * g
        memory[0, j] = m
        return (1.0 - self.beta) * g + self.beta * m, shared

    def automatic_rate(self, stable, newton, full_batch):
        return stable if full_batch else stable * (1.0 - self.beta)

    def stability_limit(self):
        return (1.0 + self.beta) / (1.0 + 2.0 * self.beta)


class Accelerated(Optimizer):
    """Nesterov's accelerated sequence, with momentum that grows to one and adaptive restarts.

    ``z+ = prox(y - rate * g(y)); u+ = (1 + sqrt(1 + 4 u^2)) / 2;
    y+ = z+ + (u - 1) / u+ * (z+ - z)``, from ``u = 1``. If ``<y - z+, z+ - z> > 0``, the momentum
    points uphill, and ``u`` is reset to 1. The solution is ``z``, which has exact zeros. With a
    nonsmooth penalty this is FISTA.

    References
    ----------
    Nesterov (1983); Beck and Teboulle, "A fast iterative shrinkage-thresholding
    algorithm" (2009); O'Donoghue and Candes, "Adaptive restart for accelerated gradient
    schemes" (2015), the gradient scheme.
    """

    __slots__ = ()
    n_scalars = 1  # u - 1
    extrapolates = True
    settles = True

    def step(self, g, memory, j, shared):
        return g, 1.0

    def extrapolate(self, scalars, restart_criterion):
        u = 1.0 if restart_criterion > 0.0 else 1.0 + scalars[0]
        following = 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * u * u))
        scalars[0] = following - 1.0
        return (u - 1.0) / following

    def stability_limit(self):
        return 2.0 / 3.0
