"""Sweeps over learning rates, and the results of searches."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skgd.displays.inspection import FAILED, optimum, single_objective

FAR = 690.0  # largest logarithm of a number that can be drawn


def fitted(model, X, y, sample_weight):
    """Fit the model, which may diverge, and return it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            return model.fit(X, y, sample_weight)
        except ValueError:
            if vars(model).get("stop_reason_") in FAILED:
                return model
            raise


def sweep(model, rates, data, above_minimum):
    """Return the final objective at each rate (or NaN), and whether the fit diverged."""
    fits = [fitted(clone(model).set_params(learning_rate=rate), *data) for rate in rates]
    ends = np.array([fit.loss_curve_[-1] for fit in fits])
    diverged = np.array([fit.stop_reason_ in FAILED for fit in fits])
    if above_minimum:
        sound = [fit for fit, lost in zip(fits, diverged) if not lost]
        best = min(sound, key=lambda fit: fit.loss_curve_[-1], default=None)
        start = None if best is None else best.parameters()
        lowest = optimum(single_objective(model, *data), start).objective
        ends = ends - min([lowest, *(fit.loss_curve_[-1] for fit in sound)])
    return np.where(np.isfinite(ends), ends, np.nan), diverged


def results_of(search):
    """Return the results of a search, if it is fitted."""
    results = getattr(search, "cv_results_", None)
    if results is None:
        raise TypeError(f"The 'search' parameter must be a fitted search. Got {search!r} instead.")
    return results


def further_parameters(search):
    """Return the names of the parameters that a search varies beside the learning rate."""
    tried = results_of(search)["params"]
    key = _only_key(tried, "learning_rate")
    return [name for name in _varied(tried) if name != key]


def searched(search, parameter, metric):
    """Return the data of a `LearningRateDisplay`, from the parameters of `from_search`."""
    results = results_of(search)
    column = f"mean_test_{metric or 'score'}"
    if column not in results:
        raise ValueError(f"The 'metric' parameter is {metric!r}; the search has no {column!r}.")
    scores = np.asarray(results[column], dtype=float)
    tried = results["params"]
    key = _only_key(tried, "learning_rate")
    extra = [name for name in _varied(tried) if name != key]
    second = None if parameter is None else _only_key(tried, parameter)
    places = [_cell(params, key, second) for params in tried]
    rates = sorted({place[1] for place in places if place})
    candidates = _distinct([place[0] for place in places if place])
    values = np.full((len(candidates), len(rates)), np.nan)
    diverged = np.zeros(values.shape, dtype=bool)
    cells = [place and (_place(candidates, place[0]), rates.index(place[1])) for place in places]
    for cell in set(filter(None, cells)):
        found = scores[[k for k, other in enumerate(cells) if other == cell]]
        diverged[cell] = not np.isfinite(found).any()
        values[cell] = np.nan if diverged[cell] else found[np.isfinite(found)].max()
    best = vars(search).get("best_index_")
    chosen = None if best is None else cells[best]
    prefix, lone = key.removesuffix("learning_rate"), second is None
    flat = 0 if lone else slice(None)
    return {
        "learning_rates": np.array(rates),
        "values": values[flat],
        "diverged": diverged[flat],
        "parameter": None if lone else second.removeprefix(prefix),
        "candidates": None if lone else candidates,
        "show": "score",
        "best_over": [name.removeprefix(prefix) for name in extra if name != second],
        "chosen": chosen[1:] if lone and chosen is not None else chosen,
    }


def _cell(params, key, second):
    """Return the row and the rate of a candidate; None if its rate is not a number."""
    rate = params.get(key, "auto")
    return None if isinstance(rate, str) else (params.get(second), float(rate))


def _distinct(values):
    """Return the values without repetitions, compared as text."""
    return list({repr(value): value for value in values}.values())


def _varied(tried):
    """Return the names of all parameters that take more than one value."""
    keys = sorted(set().union(*tried))
    return [k for k in keys if len({repr(params.get(k)) for params in tried}) > 1]


def _only_key(tried, name):
    """Return the only parameter with this name, possibly in a pipeline."""
    keys = sorted(set().union(*tried))
    found = [k for k in keys if k == name] or [k for k in keys if k.endswith("__" + name)]
    if len(found) != 1:
        raise ValueError(f"The search has {len(found)} parameters {name!r}, among {keys}.")
    return found[0]


def _place(values, value):
    """Return the index of a value in a list, compared as text; None if it is missing."""
    written = [repr(v) for v in values]
    return written.index(repr(value)) if repr(value) in written else None


def automatic_rate(model, data):
    """Return the automatic rate of a descent under the conditions of the sweep.

    Such a descent takes steps with every optimizer, and is centred only if ``center=True``.
    """
    changes = {"learning_rate": "auto", "max_iter": 1, "tol": None}
    if model.get_params(deep=False).get("center") == "auto":
        changes["center"] = False
    return fitted(clone(model).set_params(**changes), *data).learning_rate_


def cell_edges(rates):
    """Return the borders of cells around ascending rates, midway on a logarithmic axis."""
    centres = np.log(rates)
    middle = 0.5 * (centres[1:] + centres[:-1])
    first, last = np.diff(centres)[[0, -1]] if len(centres) > 1 else (1.0, 1.0)
    ends = centres[0] - 0.5 * first, centres[-1] + 0.5 * last
    return np.exp(np.clip(np.concatenate([ends[:1], middle, ends[1:]]), -FAR, FAR))
