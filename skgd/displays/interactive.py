"""The interactive page on a surface and a path of one's own."""

from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from skgd.displays.arguments import checked
from skgd.displays.inspection import (
    descent_in,
    minima,
    path_of,
    single_objective,
    transformed_rows,
)
from skgd.displays.page.assemble import page
from skgd.displays.page.core import N_SEEDS, rules
from skgd.displays.plane import plane_bounds
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.validation import MatrixLike
from skgd.losses import LOSSES
from skgd.models import Gabor, Linear
from skgd.penalties import PENALTIES
from skgd.schedules import SCHEDULES

MOST_ROWS = 2000  # that a browser adds up at each place of the surface
MOST_STEPS = 2000


class InteractivePage:
    """A self-contained page; Jupyter shows it, and `save` writes it to a file.

    Attributes
    ----------
    html : str
        The page.
    """

    def __init__(self, html):
        self.html = html

    def _repr_html_(self):
        return (
            f'<iframe srcdoc="{escape(self.html)}" title="Descent by hand" '
            'style="width: 100%; height: 900px; border: 0" allow="clipboard-write"></iframe>'
        )

    @checked
    def save(self, path: str | PathLike[str]) -> None:
        """Write the page to a file, which any browser opens.

        Parameters
        ----------
        path : str or path-like
        """
        Path(path).write_text(self.html, encoding="utf-8")


@checked
def interactive(estimator: Any, X: MatrixLike, y: ArrayLike) -> InteractivePage:
    """Return a page to play on: the surface of a model with two parameters, and its path.

    The path of the fit is drawn as it was. Beside it the page descends on the same objective from
    the same start, with the same rule, rate and penalty, and you can change all of them. A rule,
    or a schedule, that the page does not have is replaced by gradient descent, or by a constant
    rate.

    Parameters
    ----------
    estimator : fitted estimator, or a pipeline or search that ends with one
        With ``record_path=True`` and two parameters: one feature and an intercept, two features
        without one, or a `GDGaborRegressor` of one feature.
    X, y : array-like
        The data of the fit; y has one dimension.

    Returns
    -------
    InteractivePage

    Raises
    ------
    ValueError
        For another number of parameters, a loss or penalty of one's own, more than 2000 rows, or
        an estimator without a path.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd import GDRegressor
    >>> from skgd.displays import interactive
    >>> X, y = np.array([[0.0], [1.0], [3.0]]), np.array([-1.0, 1.0, 5.0])
    >>> descent = GDRegressor(optimizer="momentum", init=[1.0, 0.0], record_path=True)
    >>> shown = interactive(descent.fit(X, y), X, y)
    >>> shown.html[:15]
    '<!doctype html>'
    """
    objective, path = single_objective(estimator, X, y), path_of(estimator)[0]
    if objective.d != 2:
        raise ValueError(f"The page shows two parameters; the model has {objective.d}.")
    rows = transformed_rows(estimator, X)
    rows = np.asarray(rows.toarray() if issparse(rows) else rows, dtype=float)
    if len(rows) > MOST_ROWS:
        raise ValueError(f"The page takes at most {MOST_ROWS} rows. Got {len(rows)}.")
    descent = descent_in(estimator)
    low = minima(descent, objective)
    surface = _surface(descent, objective)
    axes = surface["axes"]
    seen = path[np.isfinite(path).all(axis=1)][:1] if len(low) else path[:1]
    box = plane_bounds(np.concatenate([seen, low, _sound(path)])[:, axes])
    start = path[0, axes].tolist()
    surface |= {"box": box.ravel().tolist(), "start": start, "rate": float(descent.learning_rate_)}
    state = _state(descent, objective, path) | {"start": start}
    data = {"X": rows.tolist(), "y": np.asarray(y, dtype=float).tolist()}
    surface["given"] = _sound(path).tolist()
    given = {"surface": surface, "data": data, "state": state}
    return InteractivePage(page(given))


def _sound(path):
    """Return the path up to its first point that is no number."""
    broken = np.flatnonzero(~np.isfinite(path).all(axis=1))
    return path[: broken[0]] if broken.size else path


def _named(table, part, kind):
    """Return the name of a part in a table, for what the page has."""
    found = [name for name, cls in table.items() if cls is type(part)]
    if not found:
        raise ValueError(f"The page has no {kind} {type(part).__name__}.")
    return found[0]


def _surface(descent, objective):
    """Return what is minimised, as the page describes it."""
    model, loss = objective.model, objective.loss
    if model not in (Linear(), Linear(intercept=False), Gabor()):
        raise ValueError(f"The page has no model {model!r}.")
    name = "gabor" if model == Gabor() else "linear" if model == Linear() else "weights"
    return {
        "data": "given",
        "model": name,
        "loss": _named(LOSSES, loss, "loss"),
        "lossFields": loss.get_params(),
        "axes": descent.parameter_order().tolist(),
        "names": [descent.parameter_names()[j] for j in descent.parameter_order()],
        "convex": name != "gabor",
        "quadratic": name != "gabor" and type(loss) is LOSSES["squared_error"],
        "penalized": name != "gabor",
    }


def _state(descent, objective, path):
    """Return the rule, the rate, the schedule, the batches and the penalty of a fit."""
    full = descent.batch_size is None
    optimizer, schedule = part_of(descent, "optimizer"), part_of(descent, "schedule")
    rule = optimizer if isinstance(optimizer, str) else optimizer.resolved(full)
    known = [name for name, part in rules().items() if type(part) is type(rule)]
    kept = [n for n, c in SCHEDULES.items() if c is type(schedule)]
    steps = min(MOST_STEPS, max(len(path) - 1, 10))
    seed = descent.random_state if isinstance(descent.random_state, int) else 0
    rate = float(descent.learning_rate_)
    return {
        "rule": known[0] if known else "gd",
        "fields": rule.get_params() if known else {},
        "rate": rate if np.isfinite(rate) else 0.1,
        "schedule": kept[0] if kept else "constant",
        "scheduleFields": schedule.get_params(deep=False) if kept and kept[0] != "warmup" else {},
        "batch": 0 if full else int(descent.batch_size),
        "sampling": descent.sampling,
        "seed": seed if 0 <= seed < N_SEEDS else 0,
        "penalty": _named(PENALTIES, objective.penalty, "penalty") or "none",
        "alpha": objective.alpha,
        "l1_ratio": objective.penalty.get_params().get("l1_ratio", 0.5),
        "horizon": steps,
        "n": steps,
    }
