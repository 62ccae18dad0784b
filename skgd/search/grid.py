"""An exhaustive search over grids of parameters, whose candidates are trained together."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import GridSearchCV, ParameterGrid

from skgd.search.docstrings import documented
from skgd.search.joint_search import CONSTRAINTS, JointSearch


@documented
class JointGridSearchCV(JointSearch, GridSearchCV):
    """Search a grid of parameters, with candidates trained together.

    Takes the place of scikit-learn's `GridSearchCV`, with the same parameters and results.

    Parameters
    ----------
    estimator : estimator
        A `GDRegressor`, or a pipeline that ends in one. Others are searched as in scikit-learn.
    param_grid : dict or list of dict
        Lists of values by the names of parameters; the union of several grids.
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    JointRandomizedSearchCV : Draws its candidates.
    sklearn.model_selection.GridSearchCV : Fits every candidate alone.

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skgd import GDRegressor, JointGridSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> lasso = make_pipeline(StandardScaler(), GDRegressor(penalty="l1"))
    >>> search = JointGridSearchCV(lasso, {"gdregressor__alpha": [1.0, 3.0, 10.0]}).fit(X, y)
    >>> search.best_params_
    {'gdregressor__alpha': 1.0}
    >>> search.cv_results_["mean_test_score"].round(3)
    array([0.482, 0.476, 0.439])
    """

    _parameter_constraints = {**GridSearchCV._parameter_constraints, **CONSTRAINTS}

    def __init__(
        self,
        estimator: Any,
        param_grid: dict[str, Any] | list[dict[str, Any]],
        *,
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
        self.estimator, self.param_grid, self.scoring = estimator, param_grid, scoring
        self.n_jobs, self.refit, self.cv, self.verbose = n_jobs, refit, cv, verbose
        self.pre_dispatch, self.error_score = pre_dispatch, error_score
        self.return_train_score, self.progress = return_train_score, progress
        self.halving = halving

    def _candidates(self):
        return [*ParameterGrid(self.param_grid)]
