"""A candidate as scorers see it: an estimator that predicts by what joint training has found.

What else a fit sets is found by a fit of its own, if a scorer asks for it.
"""

import copy
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from skgd.estimators.regressor import GDRegressor
from skgd.estimators.validation import stored_as
from skgd.search.plan import copied

OF_A_FIT = {  # what a fit sets beside the solution
    *("t_", "loss_curve_", "history_", "learning_rate_", "dual_gap_", "converged_"),
    *("stop_reason_", "path_"),
}


class TrainedRegressor(GDRegressor):
    """A regressor that was trained together with others."""

    def __getattr__(self, name):
        if name not in OF_A_FIT or "fit_alone" not in vars(self):
            return super().__getattr__(name)
        self._complete()
        return getattr(self, name)

    def __reduce__(self):
        self._complete()
        return copy.copy, (copied(self, GDRegressor),)

    def _complete(self):
        """Set what a fit of its own sets."""
        if "fit_alone" in vars(self):
            vars(self).update(vars(vars(self).pop("fit_alone")()))


TrainedRegressor.__name__ = TrainedRegressor.__qualname__ = GDRegressor.__name__


class Solutions(NamedTuple):
    """The parameters of candidates as their estimators store them.

    Attributes
    ----------
    coef : ndarray of shape (C, n_targets, p)
    intercept : ndarray of shape (C, n_targets)
    n_iter : ndarray of shape (C, n_targets)
    failures : list of (str or None)
    """

    coef: np.ndarray
    intercept: np.ndarray
    n_iter: np.ndarray
    failures: list

    def take(self, index):
        """Return some of them."""
        arrays = (array[index] for array in self[:3])
        return Solutions(*arrays, [self.failures[k] for k in index])

    def estimator(self, k, model, seen):
        """Return one of the candidates, fitted.

        Parameters
        ----------
        k : int
        model : GDRegressor
            With its parameters, and what is known of the columns.
        seen : Seen
            The rows that it was fitted to.
        """

        def fit_alone():
            return clone(model).fit(seen.X, seen.y, seen.sample_weight)

        fitted, each = copied(model, TrainedRegressor), 0 if np.ndim(seen.y) == 1 else slice(None)
        fitted.coef_, fitted.n_iter_ = self.coef[k, each], self.n_iter[k, each]
        fitted.intercept_ = self.intercept[k, each] if model.fit_intercept else 0.0
        vars(fitted)["fit_alone"] = fit_alone
        return fitted


def solutions_of(trained, dtype):
    """Return what was trained in the type of X, of which some may be beyond the range."""
    theta = np.concatenate([trained.coef, trained.intercept[..., None]], axis=2)
    p, failures = trained.coef.shape[2], [*trained.failures]
    if dtype == theta.dtype:
        theta = theta + 0  # no negative zeros
    else:
        stored = np.zeros(theta.shape, dtype)
        for k in [k for k, failure in enumerate(failures) if failure is None]:
            try:
                stored[k] = stored_as(dtype, theta[k], p) + 0
            except ValueError as error:
                failures[k] = str(error)
        theta = stored
    return Solutions(theta[..., :p], theta[..., p], trained.n_iter, failures)
