"""What the descent asks of an optimizer.

Once an update, `prepare` computes what all coordinates share; then, for each
coordinate, `step` reads and rewrites that coordinate's memory and returns a
direction ``d`` and a positive scale ``s``. The descent moves
``theta_j <- prox(theta_j - rate * s * d, rate * s)``.
"""

from typing import Any, ClassVar, Self

import numpy as np

from skgd.part import Part

SMALLEST, LARGEST = 1e-300, 1e300  # eps and units beyond which there are hardly numbers


class Optimizer(Part):
    """A rule that turns a gradient into a step. Subclass it to add your own.

    The law of rest: were the gradient the same for ever, ``d`` would tend to the
    gradient itself, and all magnification would stand in ``s``. That is what makes the
    proximal step exact under every rule. Methods are compiled: they use numbers,
    `math` and their arguments, and allocate nothing.

    Attributes
    ----------
    n_memory : int
        Memory arrays, each as long as the parameters, zero at the start.
    n_scalars : int
        Numbers that are remembered from update to update, zero at the start.
    needs_norm : bool
        Whether `prepare` is given the squared norm of the gradient (else zero).
    decoupled : bool
        Whether the smooth part of the penalty stays out of the gradient and shrinks the
        weights by ``rate * gradient`` instead; the rule then has a fixed point of its
        own, which is not the minimum of the objective.
    extrapolates : bool
        Whether the next gradient is taken past the new point, as far as `extrapolate`
        says.
    lazy : bool
        Whether ``d = g`` and ``s = 1`` always, so that a coordinate with a zero gradient
        may be updated later.
    variance_reduced, snapshots : bool
        Whether smaller batches only correct a known mean gradient, by how much the gradients of
        their rows have changed; and whether that mean is computed anew before every epoch,
        rather than updated from row to row.
    newton_fraction : float or None
        The automatic rate in units of the first Newton step, for rules that normalise
        the gradient; None for rules whose rate is a multiple of the reciprocal of the curvature.
    eps_power : int
        Which power of the gradient's unit ``eps`` is measured in; 0 for rules without.
    """

    __slots__ = ()
    n_memory: ClassVar[int] = 0
    n_scalars: ClassVar[int] = 0
    needs_norm: ClassVar[bool] = False
    decoupled: ClassVar[bool] = False
    extrapolates: ClassVar[bool] = False
    lazy: ClassVar[bool] = False
    variance_reduced: ClassVar[bool] = False
    snapshots: ClassVar[bool] = False
    newton_fraction: ClassVar[float | None] = None
    eps_power: ClassVar[int] = 0

    def prepare(self, t: int, norm: float, scalars: np.ndarray) -> Any:
        """Return what all coordinates share in update ``t``, counted from 1."""
        return 0.0

    def step(self, g: float, memory: np.ndarray, j: int, shared: Any) -> tuple[float, float]:
        """Return direction and scale for coordinate ``j``, whose gradient is ``g``."""
        raise NotImplementedError

    def extrapolate(self, scalars: np.ndarray, restart_criterion: float) -> float:
        """Return how far to extrapolate past the new point, in units of the last move.

        ``restart_criterion`` is ``<y - z_new, z_new - z_old>``, with ``y`` the point where the
        gradient was taken: positive when the step goes against the move.
        """
        return 0.0

    def in_unit(self, unit: float) -> Self:
        """Return this rule for gradients in another unit: with its eps multiplied by it.

        With ``learning_rate="auto"`` that is the root of the largest curvature times the spread of
        y, so that to rescale X or y rescales the steps and nothing else.
        """
        if self.eps_power == 0:
            return self
        eps = self.eps * min(unit**self.eps_power, LARGEST)
        return self.replace(eps=max(eps, SMALLEST) if self.eps > 0.0 else 0.0)

    def resolved(self, full_batch: bool) -> "Optimizer":
        """Return the rule that the loop runs, where a default depends on the batch."""
        return self

    def stability_limit(self) -> float | None:
        """Return the largest stable rate on a quadratic, in units of ``2 / L``.

        That is, of gradient descent's own. None for rules whose rate has another unit.
        """
        return None

    def automatic_rate(self, stable: float, newton: float, full_batch: bool) -> float:
        """Return the rate behind ``learning_rate="auto"``.

        Parameters
        ----------
        stable : float
            The reciprocal of the largest curvature (on smaller batches, of twice the
            expected smoothness): the safe rate of plain descent.
        newton : float
            How far the exact step from the start along the signs of the gradient moves
            each parameter.
        full_batch : bool
            Whether each update sees all rows.

        Returns
        -------
        float
        """
        return stable if self.newton_fraction is None else self.newton_fraction * newton
