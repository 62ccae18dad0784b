"""Access to fitted estimators, by their public attributes and methods only.

A pipeline or a search is replaced by the estimator in it. Points are in the order of `objective`:
the weights, then the model's extra parameters.
"""

import warnings
from contextlib import suppress

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skgd.estimators.estimator import DescentEstimator
from skgd.part import Part
from skgd.reference import closed_form, lbfgs

FAILED = ("diverged", "nonfinite")  # values of `stop_reason_`


def named(estimators):
    """Return estimators by name.

    Parameters
    ----------
    estimators : dict, or list of estimators or of (name, estimator)
        Without names they are named by the parameters in which they differ.
    """
    if isinstance(estimators, dict):
        found = list(estimators.items())
    else:
        found = [e if isinstance(e, tuple) and len(e) == 2 else (None, e) for e in estimators]
    if not found:
        raise ValueError("There are no estimators to show.")
    extra = [e for _, e in found if not hasattr(e, "get_params")]
    if extra:
        raise TypeError(f"The 'estimators' parameter must hold estimators. Got {extra[0]!r}.")
    nameless = [final_estimator(e) for name, e in found if name is None]
    names = iter(_differences(nameless))
    return {next(names) if name is None else str(name): e for name, e in found}


def _differences(estimators):
    """Return a name for each estimator, from the parameters in which they differ."""
    params = [{k: text_of(v) for k, v in e.get_params(deep=False).items()} for e in estimators]
    keys = sorted(set().union(*params))
    differing = [k for k in keys if len({p.get(k) for p in params}) > 1]
    names = [", ".join(f"{k}={p[k]}" for k in differing if k in p) for p in params]
    if len(set(names)) < len(names) or "" in names:
        names = [f"fit {k}" for k in range(1, len(names) + 1)]
    return names


def text_of(value):
    """Return a short text of a value; of a part, its name and the fields that are not default."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if not isinstance(value, Part):
        return str(value)
    usual = dict.fromkeys(value.get_params(deep=False), None)
    with suppress(TypeError):  # a part without defaults
        usual = type(value)().get_params(deep=False)
    changed = {k: v for k, v in value.get_params(deep=False).items() if v != usual[k]}
    return f"{type(value).__name__}({', '.join(f'{k}={text_of(v)}' for k, v in changed.items())})"


def descent_in(estimator):
    """Return the skgd estimator in a pipeline, or in the best pipeline of a search."""
    found = final_estimator(estimator)
    if not isinstance(found, DescentEstimator):
        raise TypeError(f"The estimator {type(found).__name__} is not trained by skgd.")
    return found


def final_estimator(estimator):
    """Return the last estimator of a pipeline, or of the best pipeline of a search."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    return final_estimator(estimator[-1]) if isinstance(estimator, Pipeline) else estimator


def transformed_rows(estimator, X):
    """Return the rows after the other steps of a pipeline, as the descent gets them."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, Pipeline):
        return X
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        X = estimator[:-1].transform(X) if len(estimator) > 1 else X
    return transformed_rows(estimator[-1], X)


def single_objective(estimator, X, y, sample_weight=None):
    """Return the objective of the descent; y has one dimension."""
    if np.ndim(y) != 1:
        raise ValueError(f"The display takes one target; y has {np.ndim(y)} dimensions.")
    return descent_in(estimator).objective(transformed_rows(estimator, X), y, sample_weight)


def path_of(estimator):
    """Return the recorded parameters of a descent, one row each, and their updates.

    The descent may have diverged.
    """
    descent = descent_in(estimator)
    if "path_" not in vars(descent):
        if "loss_curve_" not in vars(descent):
            check_is_fitted(descent)
        raise ValueError(
            f"{type(descent).__name__} has kept no path: fit it with record_path=True."
        )
    path = descent.path_
    if isinstance(path, list):
        raise ValueError(f"The display takes one target; the fit has {len(path)}.")
    first, every = int(descent.history_["updates"][0]), int(descent.record_path)
    updates = every * (first // every + np.arange(len(path)))
    updates[0] = first
    return in_objective_order(descent, path), updates


def in_objective_order(estimator, points):
    """Return points, given in the order of ``init``, in the order of the objective."""
    return np.asarray(points)[:, np.argsort(descent_in(estimator).parameter_order())]


def optimum(objective, start):
    """Return the minimum of an objective that `skgd.reference` finds from a start."""
    with suppress(ValueError):
        return closed_form(objective)
    return lbfgs(objective, start)


def minima(estimator, objective):
    """Return the known minima, one row each, in the order of the objective."""
    if descent_in(estimator).has_many_minima:
        found = [p.theta for p in vars(estimator).get("minima_", ()) if p.kind == "minimum"]
        return in_objective_order(estimator, np.reshape(found, (-1, objective.d)))
    with suppress(ValueError):
        return optimum(objective, None).theta[None]
    return np.empty((0, objective.d))


def records(estimator):
    """Return the record of each target's descent: its loss curve, stop reason and history.

    The descents may have diverged.
    """
    descent = descent_in(estimator)
    if "loss_curve_" not in vars(descent):
        check_is_fitted(descent)
    curves, reasons = descent.loss_curve_, descent.stop_reason_
    histories = vars(descent).get("history_")
    if not isinstance(curves, list):
        curves, reasons, histories = [curves], [reasons], [histories]
    return list(zip(curves, reasons, histories or [None] * len(curves)))
