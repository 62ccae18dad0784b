"""Which learning rates work: the end of a descent over its rate."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skgd.displays.given import (
    FAILED,
    descent_in,
    optimum,
    seen_by_descent,
    single_objective,
    written,
)
from skgd.displays.look import COLOUR_MAP, LINES, canvas, ink, merged

WIDEST = 2.0  # scores are coloured down to so many times the distance from best to median


class LearningRateDisplay:
    """The final objective, or the score, over the learning rate and perhaps something else.

    Make it with `from_estimator`, which runs a sweep, or with `from_search`. All parameters are
    kept as attributes.

    Parameters
    ----------
    learning_rates : ndarray of shape (n_rates,)
        Ascending.
    values : ndarray of shape (n_rates,) or (n_candidates, n_rates)
        NaN where there is no number, or where nothing was tried.
    diverged : ndarray of bool, of the same shape
    parameter : str or None, default=None
        What the rows of a map differ in.
    candidates : list or None, default=None
        Its values, one for each row.
    show : {"objective", "score"}, default="objective"
        Objectives are best when low, scores when high.
    above_minimum : bool, default=False
        Whether each objective counts from its minimum.

    Attributes
    ----------
    best : tuple of int
        Place of the best value in ``values``, among those that have not diverged.
    line_ : matplotlib Line2D or None
        Of a single row.
    mesh_ : matplotlib QuadMesh or None
        Of a map.
    hatches_ : matplotlib Artist or None
        Where descents have diverged.
    best_ : matplotlib Line2D
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgd import GDRegressor
    >>> from skgd.displays import LearningRateDisplay
    >>> X, y = [[0.0], [1.0], [3.0]], [-1.0, 1.0, 5.0]
    >>> plain = GDRegressor(penalty=None, optimizer="gd", max_iter=100, tol=None)
    >>> display = LearningRateDisplay.from_estimator(
    ...     plain, X, y, learning_rates=[0.01, 0.1, 0.3, 1.0]
    ... )
    >>> display.diverged
    array([False, False, False,  True])
    >>> display.best
    (2,)
    """

    def __init__(
        self,
        *,
        learning_rates,
        values,
        diverged,
        parameter=None,
        candidates=None,
        show="objective",
        above_minimum=False,
    ):
        self.learning_rates, self.values, self.diverged = learning_rates, values, diverged
        self.parameter, self.candidates = parameter, candidates
        self.show, self.above_minimum = show, above_minimum

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        sample_weight=None,
        learning_rates=None,
        parameter=None,
        candidates=None,
        above_minimum=False,
        ax=None,
        **plot_options,
    ):
        """Fit an estimator at every rate, and draw where each descent ends.

        Parameters
        ----------
        estimator : GDRegressor or GDGaborRegressor, or a fitted pipeline that ends with one
            Clones of it are fitted, without warnings.
        X, y, sample_weight : array-like
            The data; y has one dimension.
        learning_rates : array-like of shape (n_rates,), default=None
            None for 13 in even proportion, from a thousandth to ten times the automatic rate.
        parameter : str, default=None
            What else to vary, such as ``"alpha"``, ``"optimizer"`` or ``"optimizer__beta"``.
        candidates : list, default=None
            Its values.
        above_minimum : bool, default=False
            Whether to subtract the minimum that `skgd.reference` finds from where the best of
            the fits has ended, so that objectives that differ can be compared.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        LearningRateDisplay
        """
        if (parameter is None) != (candidates is None):
            raise ValueError("parameter and candidates go together.")
        model, data = descent_in(estimator), (seen_by_descent(estimator, X), y, sample_weight)
        if learning_rates is None:
            automatic = _fitted(clone(model).set_params(learning_rate="auto", max_iter=1), *data)
            learning_rates = automatic.learning_rate_ * np.geomspace(1e-3, 10.0, 13)
        rates = np.sort(np.asarray(learning_rates, dtype=float))
        changes = [{}] if parameter is None else [{parameter: value} for value in candidates]
        ends = [_sweep(clone(model).set_params(**c), rates, data, above_minimum) for c in changes]
        values, diverged = np.moveaxis(np.array(ends), 1, 0)
        flat = 0 if parameter is None else slice(None)
        display = cls(
            learning_rates=rates,
            values=values[flat],
            diverged=diverged[flat] > 0.0,
            parameter=parameter,
            candidates=candidates,
            above_minimum=above_minimum,
        )
        return display.plot(ax, **plot_options)

    @classmethod
    def from_search(cls, search, *, parameter=None, metric=None, ax=None, **plot_options):
        """Draw the scores that a search over learning rates has found.

        Parameters
        ----------
        search : fitted GridSearchCV, or alike
            Over ``learning_rate``, of an estimator or of one in a pipeline, with its default
            ``error_score=np.nan``: where fits raised an error, which is what those do that diverge
            without bound, there is no score, and the cell counts as diverged.
        parameter : str, default=None
            What else to show, such as ``"alpha"``, or its name in the pipeline; None for the other
            parameter, if there is just one. Of all that is not shown the best is taken.
        metric : str, default=None
            Which score, where there are several.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        LearningRateDisplay
        """
        results = search.cv_results_
        scores = np.asarray(results[f"mean_test_{metric or 'score'}"], dtype=float)
        tried = results["params"]
        key = _only_key(tried, "learning_rate")
        others = [k for k in _varied(tried) if k != key]
        if parameter is None and len(others) > 1:
            raise ValueError(f"The search varies {others}: choose one with parameter=.")
        second = others[0] if others else None
        second = _only_key(tried, parameter) if parameter is not None else second
        cells, rates, candidates = {}, set(), []
        for params, score in zip(tried, scores):
            if key not in params or isinstance(params[key], str):
                continue
            row = params.get(second)
            candidates += [] if _place(candidates, row) is not None else [row]
            rates.add(float(params[key]))
            cells.setdefault((_place(candidates, row), float(params[key])), []).append(score)
        rates = sorted(rates)
        shape = len(candidates), len(rates)
        values, diverged = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
        for (row, rate), found in cells.items():
            found = np.array(found)[np.isfinite(found)]
            place = row, rates.index(rate)
            values[place], diverged[place] = found.max(initial=-np.inf), not found.size
        values[diverged] = np.nan
        flat = 0 if second is None else slice(None)
        display = cls(
            learning_rates=np.array(rates),
            values=values[flat],
            diverged=diverged[flat],
            parameter=None
            if second is None
            else second.removeprefix(key[: -len("learning_rate")]),
            candidates=None if second is None else candidates,
            show="score",
        )
        return display.plot(ax, **plot_options)

    @property
    def best(self):
        """Place of the best value, among those that have not diverged."""
        sound = np.where(self.diverged, np.nan, self.values)
        if np.isnan(sound).all():
            raise ValueError("Every descent has diverged.")
        place = np.nanargmax(sound) if self.show == "score" else np.nanargmin(sound)
        return tuple(map(int, np.unravel_index(place, sound.shape)))

    def plot(self, ax=None, *, line_kwargs=None, mesh_kwargs=None):
        """Draw a line over the rate, or a map over the rate and the other parameter.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        line_kwargs, mesh_kwargs : dict, default=None
            For `matplotlib.axes.Axes.plot`, or for ``pcolormesh``.

        Returns
        -------
        LearningRateDisplay
            This one.
        """
        ax = canvas(ax)
        self.line_ = self.mesh_ = self.hatches_ = self.best_ = self.colorbar_ = None
        if self.values.ndim == 1:
            self._line(ax, line_kwargs)
        else:
            self._map(ax, mesh_kwargs or {})
        ax.set_xlabel("learning rate (per update)")
        handles = [a for a in (self.best_, self.hatches_) if a is not None]
        ax.legend(
            handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _line(self, ax, options):
        sound = np.where(self.diverged, np.nan, self.values)
        look = {"linewidth": 2.0, "marker": "o", "markersize": 5, "color": LINES[0]}
        (self.line_,) = ax.plot(self.learning_rates, sound, **merged(look, options))
        ax.set_xscale("log")
        norm = self._norm(sound)
        if norm.__class__.__name__ == "LogNorm":
            ax.set_yscale("log")
        elif self.show == "score" and (sound < norm.vmin).any():
            ax.set_ylim(norm.vmin, norm.vmax + 0.05 * (norm.vmax - norm.vmin))
        edges = _edges(np.log(self.learning_rates))
        spans = [np.exp(edges[[k, k + 1]]) for k in np.flatnonzero(self.diverged)]
        for low, high in spans:
            self.hatches_ = ax.axvspan(low, high, **_hatched(), label="diverged")
        if not np.isnan(sound).all():
            self._star(ax, self.learning_rates[self.best[0]], sound[self.best])
        ax.set_ylabel(self._label())

    def _map(self, ax, options):
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Patch, Rectangle

        sound = np.where(self.diverged, np.nan, self.values)
        m, k = sound.shape
        norm = self._norm(sound)
        look = {"cmap": COLOUR_MAP, "norm": norm, **options}
        self.mesh_ = ax.pcolormesh(np.arange(k + 1) - 0.5, np.arange(m + 1) - 0.5, sound, **look)
        extend = "min" if self.show == "score" and (sound < norm.vmin).any() else "neither"
        self.colorbar_ = ax.figure.colorbar(self.mesh_, ax=ax, label=self._label(), extend=extend)
        cells = [Rectangle((j - 0.5, i - 0.5), 1, 1) for i, j in np.argwhere(self.diverged)]
        if cells:
            ax.add_collection(PatchCollection(cells, **_hatched()))
            self.hatches_ = Patch(**_hatched(), label="diverged")
        if not np.isnan(sound).all():
            self._star(ax, *self.best[::-1])
        shown = np.arange(0, k, -(-k // 7))
        ax.set_xticks(shown, labels=[_rounded(self.learning_rates[j]) for j in shown])
        ax.set_yticks(range(m), labels=[written(value) for value in self.candidates])
        ax.set_ylabel(self.parameter.replace("__", " "))

    def _star(self, ax, x, y):
        look = {"marker": "*", "markersize": 15, "linestyle": "none", "zorder": 5}
        look |= {"color": LINES[4], "markeredgecolor": "black"}
        name = "highest" if self.show == "score" else "lowest"
        (self.best_,) = ax.plot(x, y, label=name, **look)

    def _label(self):
        start = "mean test score" if self.show == "score" else "final objective"
        return f"{start}{' above its minimum' * self.above_minimum}"

    def _norm(self, sound):
        """Return how values become colours: objectives by their logarithm where they can."""
        from matplotlib.colors import LogNorm, Normalize

        known = sound[np.isfinite(sound)]
        if not known.size:
            return Normalize(0.0, 1.0)
        if self.show == "score":
            lowest = known.max() - WIDEST * (known.max() - np.median(known))
            return Normalize(max(known.min(), lowest), known.max())
        if (known > 0.0).all():
            return LogNorm(known.min(), known.max())
        return Normalize(known.min(), known.max())


def _hatched():
    """Return how a place looks where descents have diverged."""
    return {"hatch": "////", "facecolor": "none", "edgecolor": ink(), "linewidth": 0.0}


def _fitted(model, X, y, sample_weight):
    """Return the model after its fit, which may diverge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            return model.fit(X, y, sample_weight)
        except ValueError:
            if vars(model).get("stop_reason_") in FAILED:
                return model
            raise


def _sweep(model, rates, data, above_minimum):
    """Return where the model ends at each rate, NaN for nowhere, and whether it has diverged."""
    fits = [_fitted(clone(model).set_params(learning_rate=rate), *data) for rate in rates]
    ends = np.array([fit.loss_curve_[-1] for fit in fits])
    diverged = np.array([fit.stop_reason_ in FAILED for fit in fits])
    if above_minimum:
        sound = [fit for fit, lost in zip(fits, diverged) if not lost]
        best = min(sound, key=lambda fit: fit.loss_curve_[-1], default=None)
        start = None if best is None else best.parameters()
        lowest = optimum(single_objective(model, *data), start).objective
        ends = ends - min([lowest, *(fit.loss_curve_[-1] for fit in sound)])
    return np.where(np.isfinite(ends), ends, np.nan), diverged


def _varied(tried):
    """Return the names of all parameters that take more than one value."""
    keys = sorted(set().union(*tried))
    return [k for k in keys if len({repr(params.get(k)) for params in tried}) > 1]


def _only_key(tried, name):
    """Return the one parameter that has a name, perhaps within a pipeline."""
    keys = sorted(set().union(*tried))
    found = [k for k in keys if k == name] or [k for k in keys if k.endswith("__" + name)]
    if len(found) != 1:
        raise ValueError(f"The search has {len(found)} parameters {name!r}, among {keys}.")
    return found[0]


def _place(values, value):
    """Return where a value stands in a list, by what it is written as; None if nowhere."""
    written = [repr(v) for v in values]
    return written.index(repr(value)) if repr(value) in written else None


def _rounded(rate):
    return f"{float(f'{rate:.2g}'):g}"


def _edges(centres):
    """Return the borders of cells around ascending centres."""
    middle = 0.5 * (centres[1:] + centres[:-1])
    first, last = np.diff(centres)[[0, -1]] if len(centres) > 1 else (1.0, 1.0)
    return np.concatenate([[centres[0] - 0.5 * first], middle, [centres[-1] + 0.5 * last]])
