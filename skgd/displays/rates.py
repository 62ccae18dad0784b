"""The final objective or score over the learning rate."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from skgd.displays.arguments import checked, positive
from skgd.displays.inspection import descent_in, text_of, transformed_rows
from skgd.displays.legends import legend_below
from skgd.displays.style import (
    COLOUR_MAP,
    LINES,
    canvas,
    canvases,
    hatch_cells,
    hatched,
    merged,
    round_ticks,
    value_norm,
)
from skgd.displays.sweeps import automatic_rate, cell_edges, further_parameters, searched, sweep
from skgd.estimators.validation import MatrixLike


class LearningRateDisplay:
    """The final objective, or the score, over the learning rate and a second parameter.

    Create it with `from_estimator`, which runs a sweep, or with `from_search`. All parameters are
    attributes.

    Parameters
    ----------
    learning_rates : ndarray of shape (n_rates,)
        Ascending.
    values : ndarray of shape (n_rates,) or (n_candidates, n_rates)
        NaN if there is no finite value, or if the cell was not tried.
    diverged : ndarray of bool, of the same shape
    parameter : str or None, default=None
        The second parameter, which varies over the rows of a map.
    candidates : list or None, default=None
        Its values, one for each row.
    show : {"objective", "score"}, default="objective"
        Low objectives and high scores are best.
    above_minimum : bool, default=False
        Whether the minimum of each objective is subtracted.
    best_over : sequence of str, default=()
        The parameters that are not shown; each cell has their best value.
    chosen : tuple of int or None, default=None
        Index of the candidate that a search has chosen, if it is shown.

    Attributes
    ----------
    best : tuple of int
        Index in ``values`` of the candidate that a search has chosen; without a search, of the
        best value that has not diverged.
    line_ : matplotlib Line2D or None
        Of a single row.
    mesh_ : matplotlib QuadMesh or None
        Of a map.
    hatches_ : matplotlib Artist or None
        Marks diverged descents.
    best_ : matplotlib Line2D
    panels_ : list of LearningRateDisplay
        All that were drawn together, this one first.
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
        best_over=(),
        chosen=None,
    ):
        self.learning_rates, self.values, self.diverged = learning_rates, values, diverged
        self.parameter, self.candidates = parameter, candidates
        self.show, self.above_minimum = show, above_minimum
        self.best_over, self.chosen = best_over, chosen

    @classmethod
    @checked
    def from_estimator(
        cls,
        estimator: Any,
        X: MatrixLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        learning_rates: ArrayLike | None = None,
        parameter: str | None = None,
        candidates: Sequence[Any] | None = None,
        above_minimum: bool = False,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Fit an estimator at every rate, and draw the final objectives.

        Parameters
        ----------
        estimator : GDRegressor or GDGaborRegressor, or a fitted pipeline that ends with one
            Clones of it are fitted, without warnings.
        X, y, sample_weight : array-like
            The data; y has one dimension.
        learning_rates : array-like of shape (n_rates,), default=None
            None for 13 on a logarithmic scale, from 0.001 to 10 times the automatic rate.
        parameter : str, default=None
            A second parameter to vary, such as ``"alpha"``, ``"optimizer"`` or
            ``"optimizer__beta"``.
        candidates : list, default=None
            Its values.
        above_minimum : bool, default=False
            Whether to subtract the minimum of each objective, so that different objectives can be
            compared. `skgd.reference` finds it from the end of the best fit.
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        LearningRateDisplay
        """
        if (parameter is None) != (candidates is None):
            raise ValueError("parameter and candidates go together.")
        model, data = descent_in(estimator), (transformed_rows(estimator, X), y, sample_weight)
        if learning_rates is None:
            learning_rates = automatic_rate(model, data) * np.geomspace(1e-3, 10.0, 13)
        rates = np.unique(positive(learning_rates, "learning_rates"))
        changes = [{}] if parameter is None else [{parameter: value} for value in candidates]
        ends = [sweep(clone(model).set_params(**c), rates, data, above_minimum) for c in changes]
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
    @checked
    def from_search(
        cls,
        search: Any,
        *,
        parameter: str | None = None,
        metric: str | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the scores of a search over learning rates.

        Parameters
        ----------
        search : fitted GridSearchCV, or alike
            Over ``learning_rate`` of an estimator or of a pipeline, with the default
            ``error_score=np.nan``. A diverged fit raises an error and has no score; its cell
            counts as diverged.
        parameter : str, default=None
            The second parameter, such as ``"alpha"``, or its name in the pipeline; None for a
            panel for each further parameter of the search. Each cell shows the best over all
            that are not shown.
        metric : str, default=None
            The name of the score, if there are several.
        ax : matplotlib Axes or list of them, default=None
            The axes, one for each panel; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        LearningRateDisplay
            The first panel.
        """
        extra = further_parameters(search) if parameter is None else []
        shown = [cls(**searched(search, name, metric)) for name in extra or [parameter]]
        for panel, one in zip(shown, canvases(ax, len(shown))):
            panel.plot(one, **plot_options)
        shown[0].panels_ = shown
        return shown[0]

    @property
    def best(self) -> Any:
        """Index of the chosen candidate, or of the best value that has not diverged."""
        if self.chosen is not None:
            return self.chosen
        sound = np.where(self.diverged, np.nan, self.values)
        if np.isnan(sound).all():
            raise ValueError("Every descent has diverged.")
        place = np.nanargmax(sound) if self.show == "score" else np.nanargmin(sound)
        return tuple(map(int, np.unravel_index(place, sound.shape)))

    @checked
    def plot(
        self,
        ax: Any = None,
        *,
        line_kwargs: dict[str, Any] | None = None,
        mesh_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw a line over the rate, or a map over the rate and the second parameter.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        line_kwargs, mesh_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`, or of ``pcolormesh``.

        Returns
        -------
        LearningRateDisplay
            This display.
        """
        ax = canvas(ax)
        ends = cell_edges(self.learning_rates)[[0, -1]]
        ax.set(xscale="log", xlim=ends, xlabel="learning rate (per update)")
        round_ticks(ax.xaxis, *ends)
        self.line_ = self.mesh_ = self.hatches_ = self.best_ = self.colorbar_ = None
        if self.values.ndim == 1:
            self._line(ax, line_kwargs)
        else:
            self._map(ax, mesh_kwargs or {})
        handles = [a for a in (self.best_, self.hatches_) if a is not None]
        legend_below(ax, handles)
        self.panels_, self.ax_, self.figure_ = [self], ax, ax.figure
        return self

    def _line(self, ax, options):
        sound = np.where(self.diverged, np.nan, self.values)
        look = {"linewidth": 2.0, "marker": "o", "markersize": 5, "color": LINES[0]}
        (self.line_,) = ax.plot(self.learning_rates, sound, **merged(look, options))
        norm = value_norm(sound, self.show == "score")
        if norm.__class__.__name__ == "LogNorm":
            ax.set_yscale("log")
        elif self.show == "score" and (sound < norm.vmin).any():
            ax.set_ylim(norm.vmin, norm.vmax + 0.05 * (norm.vmax - norm.vmin))
        edges = cell_edges(self.learning_rates)
        spans = [edges[[k, k + 1]] for k in np.flatnonzero(self.diverged)]
        for low, high in spans:
            self.hatches_ = ax.axvspan(low, high, **hatched(), label="diverged")
        if not np.isnan(sound).all():
            self._star(ax, self.learning_rates[self.best[0]], sound[self.best])
        ax.set_ylabel(self._label())

    def _map(self, ax, options):
        sound = np.where(self.diverged, np.nan, self.values)
        edges, m = cell_edges(self.learning_rates), len(sound)
        norm = value_norm(sound, self.show == "score")
        look = {"cmap": COLOUR_MAP, "norm": norm, **options}
        self.mesh_ = ax.pcolormesh(edges, np.arange(m + 1) - 0.5, sound, **look)
        extend = "min" if self.show == "score" and (sound < norm.vmin).any() else "neither"
        self.colorbar_ = ax.figure.colorbar(self.mesh_, ax=ax, label=self._label(), extend=extend)
        self.hatches_ = hatch_cells(ax, edges, self.diverged, "diverged")
        if not np.isnan(sound).all():
            row, column = self.best
            self._star(ax, self.learning_rates[column], row)
        ax.set_yticks(range(m), labels=[text_of(value) for value in self.candidates])
        ax.set_ylabel(self.parameter.replace("__", " "))

    def _star(self, ax, x, y):
        look = {"marker": "*", "markersize": 15, "linestyle": "none", "zorder": 5}
        look |= {"color": LINES[4], "markeredgecolor": "black"}
        name = "highest" if self.show == "score" else "lowest"
        name = name if self.chosen is None else "chosen by the search"
        (self.best_,) = ax.plot(x, y, label=name, **look)

    def _label(self):
        start = "mean test score" if self.show == "score" else "final objective"
        over = f" (best {', '.join(self.best_over)})" if self.best_over else ""
        return f"{start}{' above its minimum' * self.above_minimum}{over}"
