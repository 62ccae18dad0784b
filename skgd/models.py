"""Models: the prediction for a row ``x``, and its derivatives.

A row enters only by its projection ``z = w . x``, which the descent computes, for dense
and sparse rows alike. The parameters are ``theta = (w_1 ... w_p, extra)``: the weights
first, which are penalised, then the extra parameters of the model, which are not.
"""

from typing import Any, ClassVar

import numpy as np

from skgd.part import Part

PHASE = 1e9  # radians; double precision resolves 1e-7 of one there
SIZES = 1e-30, 1e140  # smallest width; largest amplitude, width and baseline


class Model(Part):
    """A function of the projection and the extra parameters.

    `value`, `slope`, `add_parameter_gradient` and `second_derivative` take one row, as scalars,
    and are compiled. The other methods are not; they take the array of all targets, once a fit.
    `skgd.testing.check_model` checks one of your own.

    Attributes
    ----------
    linear : bool
        Whether the prediction is linear in all parameters.
    projection_scale : float
        The number c of ``c z + theta[p]``, if the projection enters only in this sum with the
        first of the extra parameters.
    """

    __slots__ = ()
    linear: ClassVar[bool] = False
    projection_scale: ClassVar[float] = 1.0

    def n_extra_parameters(self) -> int:
        """Return the number of extra parameters."""
        return 0

    def value(self, z: float, theta: np.ndarray, p: int) -> float:
        """Return the prediction; the extra parameters are ``theta[p:]``."""
        raise NotImplementedError

    def slope(self, z: float, theta: np.ndarray, p: int) -> float:
        """Return the derivative of `value` in ``z``."""
        raise NotImplementedError

    def add_parameter_gradient(
        self, z: float, theta: np.ndarray, p: int, r: float, g: np.ndarray
    ) -> None:
        """Add ``r`` times the derivatives in the extra parameters to ``g[p:]``."""

    # ``second_derivative(z, theta, p, r, H)`` adds r times the second derivatives, in z and the
    # extra parameters, to H of shape (1 + n_extra, 1 + n_extra). If it is None, differences of
    # `slope` and `add_parameter_gradient` replace it; a linear model needs none.
    second_derivative: ClassVar[Any] = None

    def curvature(self, loss: Any, y: np.ndarray) -> Any:
        """Return a bound on the second derivatives of each row's loss, or one for all.

        It holds in every direction of ``(projection_scale * z + theta[p], theta[p + 1], ...)``.
        """
        raise NotImplementedError

    def diagonal_curvature(self, loss: Any, y: np.ndarray) -> Any:
        """Return such bounds for each extra parameter alone."""
        return [self.curvature(loss, y)] * self.n_extra_parameters()


class Linear(Model):
    """``f = w.x + b``.

    Parameters
    ----------
    intercept : bool, default=True
        Whether there is a ``b``.
    """

    __slots__ = ()
    intercept: bool = True
    linear = True

    def n_extra_parameters(self):
        return int(self.intercept)

    def value(self, z, theta, p):
        return z + theta[p] if self.intercept else z

    def slope(self, z, theta, p):
        return 1.0

    def add_parameter_gradient(self, z, theta, p, r, g):
        if self.intercept:
            g[p] += r

    def curvature(self, loss, y):
        return loss.curvature_estimate(y) if loss.curvature is None else loss.curvature


class Gabor(Model):
    """``f = a sin(u) exp(-u^2 / (2 s^2)) + c`` with ``u = b + 0.06 w.x``: a wave packet.

    The extra parameters are the offset ``b``, and, if they are fitted, the amplitude ``a``
    (otherwise 1), the width ``s`` (otherwise 4, so that the envelope is ``exp(-u^2 / 32)``) and
    the baseline ``c`` (otherwise 0).

    Parameters
    ----------
    amplitude, width, baseline : bool, default=False
        Which of them are parameters.

    References
    ----------
    Gabor, "Theory of communication" (1946); with two parameters, Prince, "Understanding deep
    learning" (2023), section 6.1.2.
    """

    __slots__ = ()
    amplitude: bool = False
    width: bool = False
    baseline: bool = False
    projection_scale = 0.06

    def n_extra_parameters(self):
        return 1 + self.amplitude + self.width + self.baseline

    def value(self, z, theta, p):
        u = theta[p] + 0.06 * z
        a = theta[p + 1] if self.amplitude else 1.0
        s = theta[p + 1 + self.amplitude] if self.width else 4.0
        c = theta[p + 1 + self.amplitude + self.width] if self.baseline else 0.0
        return a * np.sin(u) * np.exp(-0.5 * (u / s) ** 2) + c

    def slope(self, z, theta, p):
        u = theta[p] + 0.06 * z
        a = theta[p + 1] if self.amplitude else 1.0
        s = theta[p + 1 + self.amplitude] if self.width else 4.0
        return 0.06 * a * (np.cos(u) - np.sin(u) * u / (s * s)) * np.exp(-0.5 * (u / s) ** 2)

    def add_parameter_gradient(self, z, theta, p, r, g):
        u = theta[p] + 0.06 * z
        a = theta[p + 1] if self.amplitude else 1.0
        s = theta[p + 1 + self.amplitude] if self.width else 4.0
        envelope = np.exp(-0.5 * (u / s) ** 2)
        g[p] += r * a * (np.cos(u) - np.sin(u) * u / (s * s)) * envelope
        if self.amplitude:
            g[p + 1] += r * np.sin(u) * envelope
        if self.width:
            g[p + 1 + self.amplitude] += r * a * np.sin(u) * envelope * u * u / s**3
        if self.baseline:
            g[p + 1 + self.amplitude + self.width] += r

    def second_derivative(self, z, theta, p, r, H):
        u = theta[p] + 0.06 * z
        a = theta[p + 1] if self.amplitude else 1.0
        s = theta[p + 1 + self.amplitude] if self.width else 4.0
        v = u / s
        envelope = r * np.exp(-0.5 * v * v)
        sine, cosine = np.sin(u) * envelope, np.cos(u) * envelope
        curvature = a * (((v * v - 1.0) / (s * s) - 1.0) * sine - 2.0 * v / s * cosine)
        H[0, 0] += 0.06 * 0.06 * curvature
        H[0, 1] += 0.06 * curvature
        H[1, 0] += 0.06 * curvature
        H[1, 1] += curvature
        if self.amplitude:
            with_u = cosine - v / s * sine
            H[0, 2] += 0.06 * with_u
            H[2, 0] += 0.06 * with_u
            H[1, 2] += with_u
            H[2, 1] += with_u
        if self.width:
            k = 2 + self.amplitude
            with_u = a * (v * v * cosine + (2.0 * v - v * v * v) / s * sine) / s
            H[0, k] += 0.06 * with_u
            H[k, 0] += 0.06 * with_u
            H[1, k] += with_u
            H[k, 1] += with_u
            H[k, k] += a * (v * v - 3.0) * v * v * sine / (s * s)
            if self.amplitude:
                H[2, k] += v * v * sine / s
                H[k, 2] += v * v * sine / s

    def resolves(self, z, theta, p):
        """Whether floating-point numbers resolve the curve at parameters of this size.

        Beyond `PHASE` radians rounding makes u inexact; beyond `SIZES` squares over- or underflow.
        """
        u, others = theta[p] + 0.06 * z, np.abs(theta[p + 1 :])
        smallest, largest = SIZES
        wide = not self.width or others[int(self.amplitude)] >= smallest
        return bool(np.abs(u).max() <= PHASE and wide and others.max(initial=0.0) <= largest)

    def canonical(self, theta, p):
        """Return parameters of the same curve with nonnegative amplitude and width."""
        theta = theta.copy()
        if self.amplitude and theta[p + 1] < 0.0:
            theta[: p + 2] *= -1.0
        if self.width:
            theta[p + 1 + self.amplitude] = abs(theta[p + 1 + self.amplitude])
        return theta

    def curvature(self, loss, y):
        """Return the bound, for ``|a| <= 2 max |y|``, ``s >= 1`` and ``|c| <= max |y|``.

        Let A be the largest amplitude and S the smallest width. The derivatives of the prediction
        in (u, a, s, c) are at most ``A, 1, 0.74 A / S, 1``. Its second derivatives are at most
        ``A (1 + 1 / S^2)`` in (u, u), ``1`` in (u, a), ``(0.74 + 1.4 / S) A / S`` in (u, s),
        ``0.74 / S`` in (a, s), and ``1.22 A / S^2`` in (s, s). The Frobenius norm bounds the norm.
        """
        A, S, curvature, steepest, slopes = self._steepest(loss, y)
        second_derivatives = [
            A * (1.0 + 1.0 / S**2),
            np.sqrt(2.0) * self.amplitude,
            np.sqrt(2.0) * (0.74 + 1.4 / S) * A / S * self.width,
            np.sqrt(2.0) * 0.74 / S * (self.amplitude and self.width),
            1.22 * A / S**2 * self.width,
        ]
        return curvature * np.square(slopes).sum() + steepest * np.linalg.norm(second_derivatives)

    def diagonal_curvature(self, loss, y):
        A, S, curvature, steepest, slopes = self._steepest(loss, y)
        second_derivatives = [A * (1.0 + 1.0 / S**2), 0.0, 1.22 * A / S**2, 0.0]
        fitted = np.flatnonzero([True, self.amplitude, self.width, self.baseline])
        return (curvature * np.square(slopes) + steepest * np.array(second_derivatives))[fitted]

    def _steepest(self, loss, y):
        """Return A and S, bounds of the loss's curvature and slope, and of those of f."""
        targets = loss.linked(y)
        largest = float(np.abs(targets).max())
        A, S = 2.0 * largest if self.amplitude else 1.0, 1.0 if self.width else 4.0
        slopes = [A, 1.0 * self.amplitude, 0.74 * A / S * self.width, 1.0 * self.baseline]
        reach = A + largest * self.baseline
        ends = -reach, reach
        if loss.link != "identity":  # an exponential has no useful bound beyond the targets
            ends = min(reach, float(targets.min())), min(reach, float(targets.max()))
        extremes = float(y.min()), float(y.max())
        steepest = max(abs(loss.slope(end, extreme)) for end in ends for extreme in extremes)
        curvature = loss.curvature_estimate(y) if loss.curvature is None else loss.curvature
        return A, S, curvature, steepest, slopes
