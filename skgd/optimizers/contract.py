"""The contract of an optimizer.

In each update `prepare` computes the values that all coordinates share. Then, for each coordinate,
`step` reads and updates the memory of the coordinate, and returns a direction ``d`` and a positive
scale ``s``. The descent sets ``theta_j <- prox(theta_j - rate * s * d, rate * s)``.
"""

from typing import Any, ClassVar, Self

import numpy as np

from skgd.part import Part

SMALLEST, LARGEST = 1e-300, 1e300  # range of eps and its unit


class Optimizer(Part):
    """A rule that turns a gradient into a step. Subclass it to add your own.

    The law of rest: if the gradient stays constant, ``d`` converges to the gradient itself, and
    every factor of the step is in ``s``. This makes the proximal step exact for every optimizer.
    Methods are compiled: they use numbers, `math` and their arguments, and allocate nothing.
    `skgd.testing.check_optimizer` checks one of your own.

    Attributes
    ----------
    n_memory : int
        The number of memory arrays, each as long as the parameters, zero at the start.
    n_scalars : int
        The number of scalars that are kept between updates, zero at the start.
    needs_norm : bool
        Whether `prepare` gets the squared norm of the gradient (otherwise zero).
    decoupled : bool
        Whether the smooth part of the penalty is not part of the gradient, but shrinks the weights
        by ``rate * gradient``. Then the fixed point is not the minimum of the objective.
    extrapolates : bool
        Whether the next gradient is taken at the point that `extrapolate` defines.
    lazy : bool
        Whether always ``d = g`` and ``s = 1``, so that coordinates with a zero gradient can be
        updated later.
    variance_reduced, snapshots : bool
        Whether smaller batches correct a stored mean gradient by the changes of their rows'
        gradients; and whether the mean is computed before every epoch, or updated with every row.
    settles : bool
        Whether the steps at a constant rate become small near the minimum, so that the optimizer
        arrives on the full batch.
    newton_fraction : float or None
        The automatic rate in units of the first Newton step, for optimizers that normalise the
        gradient; None if the unit of the rate is the reciprocal of the curvature.
    eps_power : int
        The power of the gradient's unit in ``eps``; 0 for optimizers without ``eps``.
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
    settles: ClassVar[bool] = False
    newton_fraction: ClassVar[float | None] = None
    eps_power: ClassVar[int] = 0

    def prepare(self, t: int, norm: float, scalars: np.ndarray) -> Any:
        """Return the values that all coordinates share in update ``t``, counted from 1."""
        return 0.0

    def step(self, g: float, memory: np.ndarray, j: int, shared: Any) -> tuple[float, float]:
        """Return direction and scale of coordinate ``j``, whose gradient is ``g``."""
        raise NotImplementedError

    def extrapolate(self, scalars: np.ndarray, restart_criterion: float) -> float:
        """Return the factor of ``z_new - z_old`` that is added to ``z_new`` (the momentum).

        ``restart_criterion`` is ``<y - z_new, z_new - z_old>``, where ``y`` is the point of the
        gradient. It is positive if the last move goes uphill.
        """
        return 0.0

    def in_unit(self, unit: float) -> Self:
        """Return this optimizer for gradients in another unit: with ``eps`` multiplied by it.

        With ``learning_rate="auto"`` the unit is the root of the largest curvature times the
        spread of y, so that rescaling X or y rescales the steps and changes nothing else.
        """
        if self.eps_power == 0:
            return self
        eps = self.eps * min(unit**self.eps_power, LARGEST)
        return self.replace(eps=max(eps, SMALLEST) if self.eps > 0.0 else 0.0)

    def resolved(self, full_batch: bool) -> "Optimizer":
        """Return the optimizer that the loop runs, if a default depends on the batch."""
        return self

    def stability_limit(self) -> float | None:
        """Return the largest stable rate on a quadratic, in units of ``2 / L``.

        None for optimizers whose rate has another unit.
        """
        return None

    def automatic_rate(self, stable: float, newton: float, full_batch: bool) -> float:
        """Return the rate of ``learning_rate="auto"``.

        Parameters
        ----------
        stable : float
            The safe rate of plain descent: the reciprocal of the largest curvature, or on
            smaller batches of twice the expected smoothness.
        newton : float
            The length of the exact Newton step from the start along the signs of the gradient.
        full_batch : bool
            Whether each update uses all rows.

        Returns
        -------
        float
        """
        return stable if self.newton_fraction is None else self.newton_fraction * newton
