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


class Adam(Optimizer):
    """Adam: momentum divided by RMSProp's root, with bias correction of both averages.

    ``m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
    theta -= rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)``: eps is outside of the
    root and added after the correction. Equals
    ``torch.optim.Adam(lr=rate, betas=(beta1, beta2), eps=eps)``. ``bias_correction=False`` is the
    plain form of many lectures, ``m / (sqrt(v) + eps)``; its first step is about three times too
    long, by a factor of ``(1 - beta1) / sqrt(1 - beta2)``.

    Parameters
    ----------
    beta1, beta2 : float, default=0.9, 0.999
        Decay of the averages of gradients and of squares, in [0, 1).
    eps : float, default=1e-8
        Added outside the root, at least 0.
    bias_correction : bool, default=True
        Whether each average is divided by the sum of its weights.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1.
    """

    __slots__ = ()
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    bias_correction: bool = True
    ranges = {"beta1": "[0, 1)", "beta2": "[0, 1)", "eps": "[0, inf)"}
    n_memory = 2
    newton_fraction = 0.03
    eps_power = 1

    def prepare(self, t, norm, scalars):
        if not self.bias_correction:
            return 1.0, 1.0
        return 1.0 / (1.0 - self.beta1**t), 1.0 / (1.0 - self.beta2**t)

    def step(self, g, memory, j, shared):
        m = self.beta1 * memory[0, j] + (1.0 - self.beta1) * g
        v = self.beta2 * memory[1, j] + (1.0 - self.beta2) * g * g
        memory[0, j] = m
        memory[1, j] = v
        root = math.sqrt(v * shared[1]) + self.eps
        return m * shared[0], 1.0 / root if root > 0.0 else 1.0


class AdamW(Adam):
    """Adam with decoupled weight decay: the l2 penalty shrinks the weights directly.

    Adam's step on the gradient without the l2 term, and in addition ``theta -= rate * alpha *
    theta``. Equals ``torch.optim.AdamW(lr=rate, weight_decay=alpha)`` for ``penalty="l2"``. The
    decay is not divided by the root of ``v``, so the fit does not converge to the ridge solution,
    nor to the minimum of any penalised objective. With a penalty that has no smooth part it
    equals Adam.

    Parameters
    ----------
    beta1, beta2, eps, bias_correction
        As in `Adam`.

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), algorithm 2.
    """

    __slots__ = ()
    decoupled = True


class NAdam(Optimizer):
    """NAdam: Adam with Nesterov's momentum.

    ``mu_t = beta1 (1 - 0.96^(t decay) / 2); m = beta1 m + (1 - beta1) g;
    v = beta2 v + (1 - beta2) g^2; theta -= rate * (mu_{t+1} m / (1 - mu_1 ... mu_{t+1}) +
    (1 - mu_t) g / (1 - mu_1 ... mu_t)) / (sqrt(v / (1 - beta2^t)) + eps)``. Equals
    ``torch.optim.NAdam(lr=rate, betas=(beta1, beta2), eps=eps, momentum_decay=decay)``.

    Parameters
    ----------
    beta1, beta2, eps : float, default=0.9, 0.999, 1e-8
        As in `Adam`.
    decay : float, default=0.004
        Speed at which the momentum grows, at least 0.

    References
    ----------
    Dozat, "Incorporating Nesterov momentum into Adam" (2016), algorithm 2.
    """

    __slots__ = ()
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    decay: float = 0.004
    ranges = {"beta1": "[0, 1)", "beta2": "[0, 1)", "eps": "[0, inf)", "decay": "[0, inf)"}
    n_memory = 2
    n_scalars = 1  # 1 - mu_1 ... mu_t
    newton_fraction = 0.03
    eps_power = 1

    def prepare(self, t, norm, scalars):
        mu = self.beta1 * (1.0 - 0.5 * 0.96 ** (t * self.decay))
        following = self.beta1 * (1.0 - 0.5 * 0.96 ** ((t + 1) * self.decay))
        product = (1.0 - scalars[0]) * mu
        scalars[0] = 1.0 - product
        now, before = (1.0 - mu) / (1.0 - product), following / (1.0 - product * following)
        share = now / (now + before)  # makes the direction an average, as the law of rest requires
        return share, now + before, 1.0 / (1.0 - self.beta2**t)

    def step(self, g, memory, j, shared):
        m = self.beta1 * memory[0, j] + (1.0 - self.beta1) * g
        v = self.beta2 * memory[1, j] + (1.0 - self.beta2) * g * g
        memory[0, j] = m
        memory[1, j] = v
        share, size, correction = shared
        root = math.sqrt(v * correction) + self.eps
        return share * g + (1.0 - share) * m, size / root if root > 0.0 else size


class AMSGrad(Optimizer):
    """AMSGrad: Adam with the running maximum of its average of squares.

    Adam with ``u = max(u, v)`` in place of ``v``; the maximum is taken before the correction.
    Equals ``torch.optim.Adam(amsgrad=True)``.

    Parameters
    ----------
    beta1, beta2, eps : float, default=0.9, 0.999, 1e-8
        As in `Adam`.

    References
    ----------
    Reddi, Kale and Kumar, "On the convergence of Adam and beyond" (2018), algorithm 2,
    with the bias corrections that torch adds.
    """

    __slots__ = ()
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    ranges = {"beta1": "[0, 1)", "beta2": "[0, 1)", "eps": "[0, inf)"}
    n_memory = 3
    newton_fraction = 0.03
    eps_power = 1

    def prepare(self, t, norm, scalars):
        return 1.0 / (1.0 - self.beta1**t), 1.0 / (1.0 - self.beta2**t)

    def step(self, g, memory, j, shared):
        m = self.beta1 * memory[0, j] + (1.0 - self.beta1) * g
        v = self.beta2 * memory[1, j] + (1.0 - self.beta2) * g * g
        u = v if v > memory[2, j] else memory[2, j]
        memory[0, j] = m
        memory[1, j] = v
        memory[2, j] = u
        root = math.sqrt(u * shared[1]) + self.eps
        return m * shared[0], 1.0 / root if root > 0.0 else 1.0


class Lion(Optimizer):
    """Lion: the sign of an interpolation between momentum and gradient.

    ``c = beta1 m + (1 - beta1) g; theta -= rate * sign(c); m = beta2 m + (1 - beta2) g``.
    The l2 penalty is part of ``g``, as in all optimizers except AdamW; the paper decouples it.

    Parameters
    ----------
    beta1, beta2 : float, default=0.9, 0.99
        Decay of the average in the direction and in the memory, in [0, 1).

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms" (2023), algorithm 2.
    """

    __slots__ = ()
    beta1: float = 0.9
    beta2: float = 0.99
    ranges = {"beta1": "[0, 1)", "beta2": "[0, 1)"}
    n_memory = 1
    newton_fraction = 0.01

    def step(self, g, memory, j, shared):
        c = self.beta1 * memory[0, j] + (1.0 - self.beta1) * g
        memory[0, j] = self.beta2 * memory[0, j] + (1.0 - self.beta2) * g
        return c, 1.0 / abs(c) if abs(c) > 1e-300 else 1.0
