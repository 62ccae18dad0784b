"""L-BFGS, by scipy: the curvature is estimated from the latest changes of the gradient."""

import math

import numpy as np
from scipy import optimize

from skgd.objective.residual import gradient_unit
from skgd.solvers.second_order import SecondOrderMethod

MEMORY = 10  # pairs of steps and changes of the gradient
STEEP = 10.0  # rise, in objectives of the best constant, that stands for one that is no number


class LBFGS(SecondOrderMethod):
    """Limited-memory BFGS with scipy's line search.

    scipy sees the objective in the unit of the best constant's, and all parameters in one unit, so
    that rescaling X or y rescales the iterates. Where its line search fails, it begins anew. The
    objective's rounding leaves scaled residuals below about 1e-8 out of its reach.

    References
    ----------
    Liu and Nocedal, "On the limited memory BFGS method for large scale optimization" (1989).
    """

    def advance(self):
        """Run scipy's minimizer from the iterate, again as long as it moves."""
        done = -1
        while self.running and done < self.record.n_epochs:
            done = self.record.n_epochs
            self._run()

    def _run(self):
        """Run scipy's minimizer, and record every iterate."""
        height, left = self.objective.null_objective, self.last - self.record.n_epochs
        known = self.objective.column_curvature is not None
        unit = height / gradient_unit(self.objective) if known else 1.0
        latest = self.point

        def function(z):
            nonlocal latest
            latest = self.evaluate(unit * z)
            if math.isfinite(latest.value) and np.isfinite(latest.gradient).all():
                return latest.value / height, unit / height * latest.gradient
            return self.point.value / height + STEEP, np.zeros(z.size)

        def record(xk):
            theta = unit * xk
            is_latest = np.array_equal(latest.theta, theta)
            self.record_point(latest if is_latest else self.evaluate(theta))
            if not self.running:
                raise StopIteration

        limits = {"maxcor": MEMORY, "ftol": 0.0, "gtol": 0.0, "maxiter": left}
        limits["maxfun"] = 100 * left
        start = self.iterate / unit
        optimize.minimize(
            function, start, method="L-BFGS-B", jac=True, callback=record, options=limits
        )
