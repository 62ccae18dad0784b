"""Penalties: Omega in ``F = data term + alpha * Omega(w)``, a sum over the weights.

The smooth part enters the gradient, and the nonsmooth part a proximal step that is scaled like the
optimizer's step. This makes zeros exact.
"""

from skgd.part import Part


class Penalty(Part):
    """A penalty that is a sum over the weights. Subclass it to add your own.

    Methods are compiled. They take one weight ``w`` and have unit strength; the descent multiplies
    by alpha. `skgd.testing.check_penalty` checks one of your own.
    """

    __slots__ = ()

    def value(self, w: float) -> float:
        """Return Omega(w)."""
        raise NotImplementedError

    def gradient(self, w: float) -> float:
        """Return the derivative of the smooth part at ``w``."""
        return 0.0

    def prox(self, w: float, step: float) -> float:
        """Return the z that minimises ``step * nonsmooth(z) + (z - w)^2 / 2``.

        ``nonsmooth`` is the part of the penalty that is not in `gradient`.
        """
        return w

    def curvature(self) -> float:
        """Return a bound on the second derivative of the smooth part."""
        return 0.0

    def elastic(self) -> tuple[float, float] | None:
        """Return ``(a, b)`` if ``Omega(w) = a |w| + b w^2 / 2``, else None.

        Duality gaps, direct solvers, references and lazy updates on sparse data need it.
        """
        return None


class NoPenalty(Penalty):
    """``Omega = 0``."""

    __slots__ = ()

    def value(self, w):
        return 0.0

    def elastic(self):
        return 0.0, 0.0


class L1(Penalty):
    """``Omega = |w|``: the lasso. Its prox is the soft threshold, ``w - clip(w, -step, step)``."""

    __slots__ = ()

    def value(self, w):
        return abs(w)

    def prox(self, w, step):
        clipped = w if w < step else step
        return w - (clipped if clipped > -step else -step)

    def elastic(self):
        return 1.0, 0.0


class L2(Penalty):
    """``Omega = w^2 / 2``: ridge. It is smooth, so it is part of the gradient."""

    __slots__ = ()

    def value(self, w):
        return 0.5 * w * w

    def gradient(self, w):
        return w

    def curvature(self):
        return 1.0

    def elastic(self):
        return 0.0, 1.0


class ElasticNet(Penalty):
    """``Omega = l1_ratio |w| + (1 - l1_ratio) w^2 / 2``.

    Parameters
    ----------
    l1_ratio : float, default=0.5
        Weight of the l1 term, in [0, 1].

    References
    ----------
    Zou and Hastie, "Regularization and variable selection via the elastic net" (2005), in
    the parametrisation of scikit-learn.
    """

    __slots__ = ()
    l1_ratio: float = 0.5
    ranges = {"l1_ratio": "[0, 1]"}

    def value(self, w):
        return self.l1_ratio * abs(w) + 0.5 * (1.0 - self.l1_ratio) * w * w

    def gradient(self, w):
        return (1.0 - self.l1_ratio) * w

    def prox(self, w, step):
        threshold = step * self.l1_ratio
        clipped = w if w < threshold else threshold
        return w - (clipped if clipped > -threshold else -threshold)

    def curvature(self):
        return 1.0 - self.l1_ratio

    def elastic(self):
        return self.l1_ratio, 1.0 - self.l1_ratio


PENALTIES = Penalty.named = {None: NoPenalty, "l1": L1, "l2": L2, "elasticnet": ElasticNet}

__all__ = ["L1", "L2", "PENALTIES", "ElasticNet", "NoPenalty", "Penalty"]
