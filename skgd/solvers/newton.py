"""Newton's method with a line search, damped where the Hessian is not positive definite."""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from skgd.solvers.second_order import SecondOrderMethod


class Tuning(NamedTuple):
    """The constants of Newton's method.

    Damping and pivots are in the unit of the largest diagonal entry of the scaled Hessian.
    """

    damping: float = 1e-10  # the least multiple of the identity that is added, if any is
    growth: float = 4.0  # of that multiple, until the sum is positive definite
    largest: float = 1e10  # beyond which there is no direction
    pivot: float = 1e-12  # squared diagonal of a Cholesky factor, below which H is singular
    decrease: float = 1e-4  # share of the promised decrease that is asked for (Armijo)
    halvings: int = 60  # of a step, at most
    noise: float = 1e-12  # share of the objective, below which its differences are rounding


TUNING = Tuning()


class Newton(SecondOrderMethod):
    """Newton's method: ``theta -= share * (H + damping D)^-1 g``.

    H is the Hessian and D the diagonal of its bounds, so that columns of any scale are damped
    alike. The damping is zero where H is positive definite; else it grows until the sum is, and
    the step leads downhill away from saddle points. Such a step, and every step for a model that
    is not linear, is no longer than it takes a quadratic function of the largest curvature to rise
    by the objective of the best constant. The share is halved until the objective falls by a part
    of what the slope promises.

    Parameters
    ----------
    objective, start, tol, every
        As in `SecondOrderMethod`.
    tuning : Tuning

    References
    ----------
    Nocedal and Wright, "Numerical optimization" (2006), sections 3.1 and 3.4; Levenberg, "A
    method for the solution of certain non-linear problems in least squares" (1944).
    """

    def __init__(self, objective, start, tol, every=0, tuning=TUNING):
        super().__init__(objective, start, tol, every)
        self.tuning, free = tuning, np.ones(objective.d, dtype=bool)
        free[objective.problem.constant] = False
        self.free, self.unit = np.flatnonzero(free), np.sqrt(self.scale[0][free])

    def advance(self):
        """Take Newton steps while there are lower points."""
        point = self._next() if self.free.size else None
        while point is not None:
            self.record_point(point)
            point = self._next() if self.running else None

    def _next(self):
        """Return the next iterate; None where no direction or no share of it leads lower."""
        begin, unit = self.point, self.unit
        with np.errstate(all="ignore"):
            H = self.objective.hessian(begin.theta)[np.ix_(self.free, self.free)]
            H *= unit[:, None] * unit
            slopes = unit * begin.gradient[self.free]
        direction, is_convex = self._direction(H, slopes)
        if direction is None:
            return None
        step = np.zeros(self.objective.d)
        step[self.free] = -unit * direction
        share = 1.0 if is_convex and self.objective.term.linear else self._longest(step)
        return self._lower(step, share, slopes @ direction, is_convex)

    def _direction(self, H, slopes):
        """Return the damped Newton direction, and whether next to no damping was needed."""
        tuning = self.tuning
        size = float(np.abs(H.diagonal()).max()) or 1.0
        damping, least = 0.0, tuning.pivot * size
        while damping <= tuning.largest * size:
            try:
                R = linalg.cholesky(H + damping * np.eye(len(H)), check_finite=False)
            except linalg.LinAlgError:
                R = np.zeros((1, 1))
            if R.diagonal().min() ** 2 > least:
                direction = linalg.cho_solve((R, False), slopes, check_finite=False)
                return direction, damping <= tuning.damping * size
            damping = max(tuning.growth * damping, tuning.damping * size)
        return None, False

    def _longest(self, step):
        """Return the share of a step that a quadratic bound lets rise by no more than y varies."""
        rise = 0.5 * self.objective.curvature_along(step)
        return min(1.0, np.sqrt(self.objective.null_objective / rise)) if rise > 0.0 else 1.0

    def _lower(self, step, share, decrement, is_convex):
        """Return the first point that is low enough, halving the step; None if none is.

        Where the promised decrease is lost in the rounding of the objective, the residual decides.
        """
        begin, tuning = self.point, self.tuning
        for _ in range(tuning.halvings):
            point, promised = self.evaluate(begin.theta + share * step), share * decrement
            if promised > tuning.noise * abs(begin.value) or not is_convex:
                lower = point.value <= begin.value - tuning.decrease * promised
            else:
                lower = point.residual < begin.residual
            if lower and not np.array_equal(point.theta, begin.theta):
                return point
            share *= 0.5
        return None
