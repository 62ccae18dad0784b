"""What the descent asks of an optimizer.

Once an update, `prepare` computes what all coordinates share; then, for each
coordinate, `step` reads and rewrites that coordinate's memory and returns a
direction ``d`` and a positive scale ``s``. The descent moves
``theta_j <- prox(theta_j - rate * s * d, rate * s)``.
"""

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
    looks_ahead : bool
        Whether the next gradient is taken past the new point, as far as `extrapolate`
        says.
    lazy : bool
        Whether ``d = g`` and ``s = 1`` always, so that a coordinate with a zero gradient
        may be left for later.
    reduces, anchors : bool
        Whether smaller batches only correct a mean gradient that is known from before, by how
        much their rows have changed; and whether that is computed anew before every epoch,
        rather than kept up to date from row to row.
    fraction : float or None
        The automatic rate in units of the first Newton step, for rules that normalise
        the gradient; None for rules whose unit is the reciprocal of the curvature.

    eps_power : int
        Which power of a gradient's unit ``eps`` is in; 0 for rules without.
    """

    __slots__ = ()
    n_memory = 0
    n_scalars = 0
    needs_norm = False
    decoupled = False
    extrapolates = False
    lazy = False
    variance_reduced = snapshots = False
    newton_fraction = None
    eps_power = 0

    def prepare(self, t, norm, scalars):
        """Return what all coordinates share in update ``t``, counted from 1."""
        return 0.0

    def step(self, g, memory, j, shared):
        """Return direction and scale for coordinate ``j``, whose gradient is ``g``."""
        raise NotImplementedError

    def extrapolate(self, scalars, restart_criterion):
        """Return how far past the new point to look, in units of the last move.

        ``disagreement`` is ``<y - z_new, z_new - z_old>``, with ``y`` the point where the
        gradient was taken: positive when the step goes against the move.
        """
        return 0.0

    def in_unit(self, unit):
        """Return this rule for gradients in another unit: with its eps multiplied by it.

        With ``learning_rate="auto"`` that is the root of the largest curvature times the spread of
        y, so that to rescale X or y rescales the steps and nothing else.
        """
        if self.eps_power == 0:
            return self
        eps = self.eps * min(unit**self.eps_power, LARGEST)
        return self.replace(eps=max(eps, SMALLEST) if self.eps > 0.0 else 0.0)

    def resolved(self, full_batch):
        """Return the rule that the loop runs, where a default depends on the batch."""
        return self

    def stability_limit(self):
        """Return the largest stable rate on a quadratic, in units of ``2 / L``.

        That is, of gradient descent's own. None for rules whose rate has another unit.
        """
        return None

    def automatic_rate(self, stable, newton, full_batch):
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
