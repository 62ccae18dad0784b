"""Direct solvers on rows that are seen from their means, where these are far from zero.

The intercept is not penalised, so ``w . x + b`` and ``w . (x - m) + (b + w . m)`` have the same
minimum; but beside means that are many times the spread, steps would lose their digits.
"""

import numpy as np

from skgd.descent.minimizer import Minimizer
from skgd.descent.outcome import Outcome
from skgd.objective.duality import Certificate

AWAY = 100.0  # square of a mean over the variance, above which rows are seen from the means


def gains_by_centre(objective):
    """Whether there is an intercept, and a column whose mean is many times its spread.

    Parameters
    ----------
    objective : Objective
        Of a linear model.
    """
    term = objective.term
    if objective.d == objective.p or term.centre is not None:
        return False
    if objective.loss.nonsmooth and term.at_hand:  # interior points see them so anyway
        return False
    if term.columns is None:
        return False
    means, variances, _ = term.columns
    return bool(((means**2 > AWAY * variances) & ~term.constant).any())


class CentredSolver(Minimizer):
    """A direct solver of the same objective as a function of rows less their means.

    Its parameters, record and certificate are those of the objective that is given.

    Parameters
    ----------
    objective : Objective
        That `gains_by_centre`.
    tol : float
    start : ndarray of shape (d,) or None
        None for zero.
    new_solver : callable
        Returns the direct solver of an objective, a tolerance and a start.
    """

    learning_rate, update_rule = np.nan, None

    def __init__(self, objective, tol, start, new_solver):
        self.objective, self.tol, self._monitor = objective, tol, None
        start = objective.admissible(np.zeros(objective.d) if start is None else start)
        centred = objective.on(objective.term.seen_from_means())
        self._solver = new_solver(centred, tol, self._moved(start, 1.0))
        self._take_over()

    def _moved(self, theta, sign):
        """Return parameters with ``sign * (w . m)`` added to the intercept."""
        theta, p = theta.copy(), self.objective.p
        theta[p] += sign * (theta[:p] @ self.objective.term.columns.mean)
        return theta

    def _take_over(self):
        """Have what the solver has found."""
        solver = self._solver
        self.iterate, self.record = self._moved(solver.iterate, -1.0), solver.record
        self.outcome, self.last = solver.outcome, solver.last
        self.learning_rate, self.update_rule = solver.learning_rate, solver.update_rule

    @property
    def n_updates(self):
        """How often the gradient of the data has been computed."""
        return self._solver.n_updates

    def drop_data(self):
        """Drop the data, so that what remains is small and can be stored."""
        self._solver.drop_data()
        self.objective = self.certificate = self._monitor = None

    def minimize(self, n_epochs, monitor=None):
        """Let the solver go on for so many epochs, or until there is a reason to stop."""
        self._monitor = monitor
        self._solver.minimize(n_epochs, monitor and self._relay)
        self._take_over()
        self.certificate = self._certificate()
        return self.outcome

    def _certificate(self):
        """Return the lower bound of the solver, with the objective as it is given."""
        found = self._solver.certificate
        if found is None or self.outcome is Outcome.NONFINITE:
            return None
        value = self.objective.value(self.iterate)
        return Certificate(self.iterate, value, found.lower_bound)

    def _relay(self, solver):
        """Call the monitor after an epoch."""
        self._take_over()
        self._monitor(self)
        solver.stop(self.outcome)
