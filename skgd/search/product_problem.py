"""The problem of descents on all rows, where products of the columns tell it all."""

import numpy as np

from skgd.estimators.linear_problem import linear_starts
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.problem import Starts, penalty_factor
from skgd.kernels.loss_kernels import mean_loss_terms
from skgd.objective.best_constant import fit_constant
from skgd.objective.objective import Objective


class ColumnTerm:
    """What descents with rates of their own know of the squared error of a linear model.

    Parameters
    ----------
    products : Products
    y, weight : ndarray of shape (n,)
    loss : Loss
    intercept : bool
    """

    quadratic, sparse, nonsmooth, centre, units = True, False, False, None, None

    def __init__(self, products, y, weight, loss, intercept):
        self.y, self.weight, self.loss, p = y, weight, loss, products.means.size
        self.n_samples, self.n_parameters = len(y), p + intercept
        self.penalized = np.arange(self.n_parameters) < p
        self.constant = np.zeros(p, dtype=bool)
        self._squares = products.G.diagonal() + products.means**2

    def loss_terms_at_zero(self):
        """Return what `mean_loss_terms` returns, where all is predicted as zero."""
        return mean_loss_terms(self.loss, 0.0, self.y, self.weight)

    def diagonal_curvature(self):
        """Return the second derivatives on the diagonal."""
        return np.append(self._squares, np.ones(self.n_parameters - len(self._squares)))


class ProductProblem:
    """What a `LinearProblem` is to `JointProblem`, of which it has the attributes.

    Parameters
    ----------
    estimator : GDRegressor
    fold : Fold
    """

    in_units = False

    def __init__(self, estimator, fold):
        (n_targets, p, _), loss, rows = fold.form, part_of(estimator, "loss"), fold.targets
        intercept = bool(estimator.fit_intercept)
        self.offsets = np.zeros(n_targets)
        self._starts = [*enumerate(linear_starts(estimator, n_targets, p, self.offsets))]
        self.objectives = [
            Objective(
                ColumnTerm(fold.products, y, rows.weight, loss, intercept),
                part_of(estimator, "penalty"),
                estimator.alpha,
                penalty_factor=penalty_factor(estimator.penalty_weights, p),
                positive=estimator.positive,
                null_objective=fit_constant(loss, y, rows.weight, intercept).unit,
            )
            for y in rows.targets
        ]

    def starts(self, seed):
        """Return where descents begin, as `LinearProblem.starts` does."""
        return Starts([(k, point[: self.objectives[k].d]) for k, point in self._starts], {})

    def in_order_of_init(self, target, theta):
        """Return parameters as they are."""
        return theta


def products_tell(estimator, schedule):
    """Whether a descent on all rows asks for no more than products of the columns tell.

    Parameters
    ----------
    estimator : GDRegressor
    schedule : Schedule
    """
    asks = estimator.tol is not None or schedule.patience() is not None or estimator.average
    asks = asks or estimator.learning_rate == "auto"
    asks = asks or (estimator.center != "auto" and estimator.center)
    return not asks and part_of(estimator, "loss").quadratic


def product_problem(estimator, schedule, fold):
    """Return the `ProductProblem` of descents; None where these ask for more than products tell.

    Parameters
    ----------
    estimator : GDRegressor
    schedule : Schedule
    fold : Fold
    """
    if not products_tell(estimator, schedule):
        return None
    products = fold.products
    if products is None or products.constant.any():
        return None
    return ProductProblem(estimator, fold)
