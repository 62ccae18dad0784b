"""Adam and its relatives: a momentum, divided by a measure of the gradient's size."""

import math

from skgd.optimizers.contract import Optimizer


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
