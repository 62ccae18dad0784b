"""The objective, or the validation score, over epochs or seconds."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skgd.displays.arguments import checked
from skgd.displays.inspection import FAILED, descent_in, named, optimum, records, transformed_rows
from skgd.displays.legends import legend_below, tell_apart
from skgd.displays.style import canvas, line_look, merged, one_of
from skgd.estimators.validation import MatrixLike

TIMES = {"epoch": "epoch", "seconds": "time (s)"}
QUANTITIES = {"objective": "objective", "validation_score": "validation score"}


class LossCurveDisplay:
    """The loss curves of some estimators, over epochs or seconds.

    Create it with `from_estimator` or `from_estimators`. All parameters are attributes.

    Parameters
    ----------
    names : list of str
        One for each curve.
    times : list of ndarray
        Epochs or seconds, from 0 at the start.
    curves : list of ndarray
        The values at those times, of the same shapes.
    diverged : list of bool, default=None
        Whether the descent of each curve diverged; None for none.
    by : {"epoch", "seconds"}, default="epoch"
    show : {"objective", "validation_score"}, default="objective"
    above_minimum : bool, default=False
        Whether the minimum of each objective is subtracted.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        One for each curve.
    ends_ : list of matplotlib Line2D
        The crosses at the ends of diverged descents.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    LossSurfaceDisplay : The paths of the descents.
    skgd.reference : The source of the minimum.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from skgd import GDRegressor
    >>> from skgd.displays import LossCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X = scale(X)
    >>> fits = [
    ...     GDRegressor(optimizer=rule, center=False, max_iter=50, tol=None).fit(X, y)
    ...     for rule in ("gd", "nesterov")
    ... ]
    >>> display = LossCurveDisplay.from_estimators(fits, X, y, above_minimum=True)
    >>> display.names
    ['optimizer=gd', 'optimizer=nesterov']
    >>> [float(curve[-1].round(1)) for curve in display.curves]
    [9.0, 2.8]
    """

    def __init__(
        self,
        *,
        names,
        times,
        curves,
        diverged=None,
        by="epoch",
        show="objective",
        above_minimum=False,
    ):
        self.names, self.times, self.curves, self.diverged = names, times, curves, diverged
        self.by, self.show, self.above_minimum = by, show, above_minimum

    @classmethod
    @checked
    def from_estimator(
        cls,
        estimator: Any,
        X: MatrixLike | None = None,
        y: ArrayLike | None = None,
        *,
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw the curve of one estimator, or of each of its targets.

        Parameters
        ----------
        estimator : fitted estimator, or a pipeline or search that ends with one
            It may have diverged.
        X, y : array-like, default=None
            The data of the fit, for ``above_minimum``.
        name : str, default=None
            None for the name of its class.
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        **options : dict
            As in `from_estimators`.

        Returns
        -------
        LossCurveDisplay
        """
        name = type(descent_in(estimator)).__name__ if name is None else name
        return cls.from_estimators({name: estimator}, X, y, ax=ax, **options)

    @classmethod
    @checked
    def from_estimators(
        cls,
        estimators: Any,
        X: MatrixLike | None = None,
        y: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        by: str = "epoch",
        show: str = "objective",
        above_minimum: bool = False,
        ax: Any = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves of several estimators.

        Parameters
        ----------
        estimators : dict, or list of fitted estimators or of (name, estimator)
            Without names they are named by the parameters in which they differ.
        X, y, sample_weight : array-like, default=None
            The data of the fits, for ``above_minimum``.
        by : {"epoch", "seconds"}, default="epoch"
            The horizontal axis: passes over the data, or seconds of the descent without
            compilation. Seconds need the ``history_`` of the estimators.
        show : {"objective", "validation_score"}, default="objective"
            The validation score is in ``history_`` of fits with a validation set.
        above_minimum : bool, default=False
            Whether to subtract the minimum of each objective. It comes from the closed form if
            there is one, otherwise from L-BFGS with the end of the fit as its start, or from the
            curve if that is lower.
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        line_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot` for all lines.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        ValueError
            If an estimator lacks the record, or if X and y are needed and missing.
        """
        one_of("by", by, TIMES)
        one_of("show", show, QUANTITIES)
        if above_minimum and (X is None or y is None or show != "objective"):
            raise ValueError("above_minimum=True is for show='objective', and needs X and y.")
        shown = {"names": [], "times": [], "curves": [], "diverged": []}
        for name, estimator in named(estimators).items():
            kept = records(estimator)
            lowest = above_minimum and _lowest(estimator, kept, X, y, sample_weight)
            for k, (curve, reason, history) in enumerate(kept):
                time, value = _recorded(name, curve, history, by, show)
                shown["names"].append(name if len(kept) == 1 else f"{name}, target {k}")
                shown["times"].append(time)
                shown["curves"].append(value - lowest[k] if above_minimum else value)
                shown["diverged"].append(reason in FAILED)
        made = cls(**shown, by=by, show=show, above_minimum=above_minimum)
        return made.plot(ax, line_kwargs=line_kwargs)

    @checked
    def plot(self, ax: Any = None, *, line_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw the curves, on a logarithmic axis if the objectives are positive.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        line_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot` for all lines.

        Returns
        -------
        LossCurveDisplay
            This display.
        """
        ax = canvas(ax)
        self.lines_, self.ends_ = [], []
        cross = {"marker": "X", "markersize": 9, "linestyle": "none", "clip_on": False}
        for k, (name, time, curve) in enumerate(zip(self.names, self.times, self.curves)):
            look = merged({"linewidth": 2.0, "label": name, **line_look(k)}, line_kwargs)
            self.lines_ += ax.plot(time, curve, **look)
            if self.diverged and self.diverged[k]:
                last = np.flatnonzero(np.isfinite(curve))[-1:]
                color = self.lines_[-1].get_color()
                self.ends_ += ax.plot(time[last], curve[last], color=color, **cross)
        if self.ends_:
            self.ends_[0].set_label("diverged")
        ax.set(xlabel=TIMES[self.by], ylabel=self._label())
        known = np.concatenate([curve[np.isfinite(curve)] for curve in self.curves])
        if self.show == "objective" and (known >= 0.0).all() and (known > 0.0).any():
            ax.set_yscale("log", nonpositive="mask")
        tell_apart(ax, self.lines_, line_kwargs)
        if len(self.names) > 1 or self.ends_:
            legend_below(ax, [*self.lines_, *self.ends_[:1]])
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _label(self):
        return f"{QUANTITIES[self.show]}{' above its minimum' * self.above_minimum}"


def _recorded(name, curve, history, by, show):
    """Return the times and the values of one descent."""
    for key in {by, show} - {"epoch", "objective"}:
        if history is None or key not in history or np.isnan(history[key]).all():
            hint = {"validation_score": " Fit it with early_stopping=True, or with X_val."}
            raise ValueError(f"{name} has no {key!r} in its history_.{hint.get(key, '')}")
    time = np.arange(len(curve)) if by == "epoch" else np.asarray(history["seconds"])
    return time, np.asarray(curve if show == "objective" else history["validation_score"])


def _lowest(estimator, kept, X, y, sample_weight):
    """Return the lowest known objective of each target."""
    descent = descent_in(estimator)
    objectives = descent.objective(transformed_rows(estimator, X), y, sample_weight)
    if not isinstance(objectives, list):
        objectives = [objectives]
    ends = [None] * len(objectives)
    if not any(reason in FAILED for _, reason, _ in kept):
        ends = descent.parameters().reshape(len(objectives), -1)
    best = [optimum(*pair).objective for pair in zip(objectives, ends)]
    return [min(low, np.nanmin(curve)) for low, (curve, _, _) in zip(best, kept)]
