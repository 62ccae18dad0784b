"""Independent methods for the same minimum: closed forms, and scipy's optimizers.

They minimise the very objective that an estimator minimises, so that the result of a descent can
be compared with results that no descent has found.
"""

from skgd.reference.comparison import Comparison, compare
from skgd.reference.methods import Solution, closed_form, lbfgs, levenberg_marquardt

__all__ = ["Comparison", "Solution", "closed_form", "compare", "lbfgs", "levenberg_marquardt"]
