"""A search over parameters that are drawn at random, whose candidates are trained together."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV

from skgd.search.docstrings import documented
from skgd.search.joint_search import CONSTRAINTS, JointSearch


@documented
class JointRandomizedSearchCV(JointSearch, RandomizedSearchCV):
    """Search parameters that are drawn at random, with candidates trained together.

    Takes the place of scikit-learn's `RandomizedSearchCV`, with the same parameters and results.

    Parameters
    ----------
    estimator : estimator
        A `GDRegressor`, or a pipeline that ends in one. Others are searched as in scikit-learn.
    param_distributions : dict or list of dict
        Distributions, or lists of values, by the names of parameters.
    n_iter : int, default=10
        Candidates that are drawn.
    random_state : int, RandomState or None, default=None
        What they are drawn by.
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    JointGridSearchCV : Tries all values of a grid.
    sklearn.model_selection.RandomizedSearchCV : Fits every candidate alone.

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor, JointRandomizedSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = JointRandomizedSearchCV(
    ...     GDRegressor(penalty="l1"), {"alpha": loguniform(1e-3, 10.0)}, random_state=0
    ... ).fit(X, y)
    >>> len(search.cv_results_["params"])
    10
    """

    _parameter_constraints = {**RandomizedSearchCV._parameter_constraints, **CONSTRAINTS}

    def __init__(
        self,
        estimator: Any,
        param_distributions: dict[str, Any] | list[dict[str, Any]],
        *,
        n_iter: int = 10,
        random_state: int | np.random.RandomState | None = None,
        scoring: str | Callable[..., Any] | Iterable[str] | dict[str, Any] | None = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[..., int] = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        halving: int | ArrayLike | None = None,
        progress: bool = False,
    ) -> None:
        self.estimator, self.param_distributions = estimator, param_distributions
        self.n_iter, self.random_state, self.scoring = n_iter, random_state, scoring
        self.n_jobs, self.refit, self.cv, self.verbose = n_jobs, refit, cv, verbose
        self.pre_dispatch, self.error_score = pre_dispatch, error_score
        self.return_train_score, self.progress = return_train_score, progress
        self.halving = halving

    def _candidates(self):
        return [
            *ParameterSampler(
                self.param_distributions, self.n_iter, random_state=self.random_state
            )
        ]
