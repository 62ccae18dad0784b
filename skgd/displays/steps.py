"""The learning rate over the updates."""

from typing import Any, Self

import numpy as np

from skgd.displays.arguments import checked
from skgd.displays.inspection import descent_in, named, text_of
from skgd.displays.legends import legend_below, tell_apart
from skgd.displays.style import canvas, line_look, merged
from skgd.estimators.nested_parameters import part_of
from skgd.schedules import SCHEDULES, Schedule


class StepDisplay:
    """The learning rate at each update, of schedules or of fits.

    Create it with `from_schedules`, `from_estimator` or `from_estimators`. All parameters are
    attributes.

    Parameters
    ----------
    names : list of str
    rates : list of ndarray
        For each name, the rate of every update.
    updates : list of ndarray, default=None
        For each name, the numbers of these updates; None for 1, 2, 3, ... A fit that was resumed
        shows those of its last call.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgd.displays import StepDisplay
    >>> from skgd.schedules import Step
    >>> display = StepDisplay.from_schedules(["cosine", Step(every=2)], n_epochs=5)
    >>> display.names
    ['cosine', 'Step(every=2)']
    >>> display.rates[1]
    array([1.  , 1.  , 0.5 , 0.5 , 0.25])
    """

    def __init__(self, *, names, rates, updates=None):
        self.names, self.rates, self.updates = names, rates, updates

    @classmethod
    @checked
    def from_schedules(
        cls,
        schedules: Any,
        *,
        n_epochs: int = 100,
        updates_per_epoch: int = 1,
        learning_rate: float | str = 1.0,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the rates of schedules.

        Parameters
        ----------
        schedules : dict, or list, of str or Schedule
            Without names they are named by their fields that are not default.
        n_epochs : int, default=100
        updates_per_epoch : int, default=1
            The number of batches; one on the full batch.
        learning_rate : float, default=1.0
            The rate that the schedules multiply.
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        StepDisplay

        Raises
        ------
        ValueError
            For schedules that depend on the descent.
        """
        if not isinstance(schedules, dict):
            schedules = {text_of(s): s for s in schedules}
        if not schedules:
            raise ValueError("The 'schedules' parameter is empty.")
        n = n_epochs * updates_per_epoch
        rates = [
            learning_rate * _multipliers(schedule, n_epochs, n, updates_per_epoch)
            for schedule in schedules.values()
        ]
        return cls(names=list(schedules), rates=rates).plot(ax, **plot_options)

    @classmethod
    @checked
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None, **plot_options: Any
    ) -> Self:
        """Draw the rate of one fit.

        Parameters
        ----------
        estimator : fitted estimator, or a pipeline or search that ends with one
        name : str, default=None
            None for the name of its class.
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        StepDisplay
        """
        name = type(descent_in(estimator)).__name__ if name is None else name
        return cls.from_estimators({name: estimator}, ax=ax, **plot_options)

    @classmethod
    @checked
    def from_estimators(cls, estimators: Any, *, ax: Any = None, **plot_options: Any) -> Self:
        """Draw the rates of several fits.

        Parameters
        ----------
        estimators : dict, or list of fitted estimators or of (name, estimator)
            Without names they are named by the parameters in which they differ.
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        StepDisplay

        Raises
        ------
        ValueError
            For a fit of several targets, and for a fit by a direct solver.
        """
        found = {name: _of_fit(descent_in(e)) for name, e in named(estimators).items()}
        updates, rates = map(list, zip(*found.values()))
        return cls(names=list(found), rates=rates, updates=updates).plot(ax, **plot_options)

    @checked
    def plot(
        self, ax: Any = None, *, yscale: str = "linear", line_kwargs: dict[str, Any] | None = None
    ) -> Self:
        """Draw the rates over the updates.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        yscale : {"linear", "log"}, default="linear"
        line_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot` for all lines.

        Returns
        -------
        StepDisplay
            This display.
        """
        ax = canvas(ax)
        self.lines_ = []
        updates = self.updates or [np.arange(1, len(rates) + 1) for rates in self.rates]
        for k, (name, rates) in enumerate(zip(self.names, self.rates)):
            look = {"linewidth": 2.0, "label": name, "drawstyle": "steps-mid", **line_look(k)}
            self.lines_ += ax.plot(updates[k], rates, **merged(look, line_kwargs))
        ax.set(xlabel="update", ylabel="learning rate (per update)", yscale=yscale)
        if yscale == "linear":
            ax.set_ylim(bottom=0.0)
        tell_apart(ax, self.lines_, line_kwargs)
        if len(self.names) > 1:
            legend_below(ax, self.lines_)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _multipliers(schedule, max_iter, n_updates, updates_per_epoch):
    """Return the multiplier of the rate at each update."""
    if isinstance(schedule, str) and schedule in SCHEDULES:
        schedule = SCHEDULES[schedule]()
    if not isinstance(schedule, Schedule):
        raise ValueError(
            f"The 'schedules' parameter must hold instances of Schedule, or names from "
            f"{list(SCHEDULES)}. Got {schedule!r} instead."
        )
    if schedule.patience() is not None:
        raise ValueError(
            f"{type(schedule).__name__} reacts to the objective: only the history of a fit knows "
            "its rates."
        )
    times = np.arange(n_updates)
    if schedule.per == "epoch":
        times = times // updates_per_epoch
    return schedule.for_horizon(max_iter).multiplier(times)


def _of_fit(descent):
    """Return the numbers of the updates of a fit's last call, and the rate of each."""
    if np.ndim(descent.t_):
        raise ValueError(f"The display takes one target; the fit has {len(descent.t_)}.")
    ends, rates = descent.history_["updates"], descent.history_["learning_rate"][1:]
    updates, schedule = np.arange(ends[0], ends[-1]), part_of(descent, "schedule")
    if updates.size and np.isnan(rates).all():
        raise ValueError(
            f"{type(descent).__name__} has gone straight to the minimum, by no steps that have a "
            "rate. Name the optimizer, for instance optimizer='nesterov', to see steps."
        )
    if schedule.per == "update" and schedule.patience() is None:
        multipliers = schedule.for_horizon(descent.max_iter).multiplier(updates)
        return updates + 1, descent.learning_rate_ * multipliers
    return updates + 1, np.repeat(rates, np.diff(ends))
