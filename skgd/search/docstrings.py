"""What the parameters and attributes of the searches mean, in one text for all of them."""

import inspect
from textwrap import indent
from typing import TypeVar

Documented = TypeVar("Documented", bound=type)

PARAMETERS = """
scoring : str, callable, list, tuple or dict, default=None
    What scores the rows held out: any scorer of scikit-learn or several of them, or None for R2.
    Metrics of predictions are computed for all candidates at once; a callable that asks for more
    than predictions is given what a fit of the candidate's own has found.
n_jobs : int, default=None
    Threads that share the splits, and processes that share the candidates fitted alone. None
    is 1 unless in a `joblib.parallel_config` context.
refit : bool, str or callable, default=True
    Whether the best candidate is fitted to all rows: of several metrics by the name of one; a
    callable is given ``cv_results_`` and returns the row of the best.
cv : int, cross-validation generator or iterable, default=None
    The splits, as in scikit-learn; None for five folds.
verbose : int, default=0
    What is printed: 1 for the number of fits, 2 for a line each, 3 for the scores too.
pre_dispatch : int or str, default="2*n_jobs"
    How many jobs are given out at once.
error_score : "raise" or float, default=nan
    The score of a fit that has failed. "raise" raises the error.
return_train_score : bool, default=False
    Whether the rows trained on are scored too.
halving : int, array-like of int or None, default=None
    Epochs at which the half of the candidates is dropped whose mean score lags, of those that
    descend together; an int is the first of them, each has twice the epochs of the one before.
    What is left goes on from where it is. The cells of a candidate have the scores at which it
    was dropped; ``cv_results_["n_epochs"]`` says when, and the best is one of those left.
progress : bool, default=False
    Whether a bar shows how many candidates and splits are done. Needs rich.
"""

ATTRIBUTES = """
plan_ : SearchPlan
    Groups of candidates, each with ``candidates`` (rows of ``cv_results_``), ``trainer`` (what
    trains them together, or None) and ``reason`` (why they are fitted alone). Prints as a table.
cv_results_ : dict of ndarray
    As scikit-learn's search has it. The times are shares of those of the group.
best_estimator_ : estimator
    Fitted to all rows, with the best parameters.
best_score_ : float
    The mean score of the best candidate on the rows held out.
best_params_ : dict
    The parameters of the best candidate.
best_index_ : int
    Its row in ``cv_results_``.
scorer_ : callable or dict
    What scored the rows held out.
n_splits_ : int
    The number of splits.
refit_time_ : float
    Seconds that the fit to all rows took.
multimetric_ : bool
    Whether there are several metrics.
n_features_in_ : int
    Number of columns.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the columns of a DataFrame.
"""

NOTES = """
A regressor of this package, or a pipeline that ends in one, has its candidates trained together
on each split where they differ in numbers that the same rule reads; the steps before are fitted
once for each split and each of their settings. All else is fitted alone, as in scikit-learn.
Scores are those of scikit-learn's search up to rounding, or up to ``tol`` where a direct solver
is stopped by it. What fits would warn of is said once, in one table.
"""

TEXTS = {"{parameters}": PARAMETERS, "{attributes}": ATTRIBUTES, "{notes}": NOTES}


def documented(cls: Documented) -> Documented:
    """Fill the texts that searches share into the docstring of one."""
    if cls.__doc__ is not None:  # which python -OO drops
        text = inspect.cleandoc(cls.__doc__)
        for name, part in TEXTS.items():
            text = text.replace(name, part.strip())
        cls.__doc__ = indent(text, "    ").strip()
    return cls
