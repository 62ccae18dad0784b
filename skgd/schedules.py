"""Schedules: the learning rate over time, as a multiplier that starts at one.

The rate of an update is ``learning_rate * multiplier``. It is not part of the optimizer's state,
so a change acts at once. Time is counted in epochs or, with ``per="update"``, in updates; on the
full batch the two are the same.
"""

import numpy as np

from skgd.part import Part

UNITS = ("epoch", "update")


class Schedule(Part):
    """The multiplier of the rate as a function of time. Subclass it to add your own.

    `skgd.testing.check_schedule` checks one of your own.

    Attributes
    ----------
    per : {"epoch", "update"}
        The unit of time; a field of the schedules that depend on it.
    controls : bool
        Whether the rate also follows what the descent has reached, as in `Auto`.
    """

    __slots__ = ()
    per = "epoch"
    controls = False

    def multiplier(self, k: np.ndarray) -> np.ndarray:
        """Return the multipliers at times ``k``.

        Parameters
        ----------
        k : ndarray of int
            Epochs or updates since the start; the first is 0.

        Returns
        -------
        ndarray of float64, of the same shape
            Positive and finite.
        """
        raise NotImplementedError

    def for_horizon(self, max_iter: int) -> "Schedule":
        """Return this schedule for a descent of ``max_iter`` epochs."""
        return self

    def patience(self) -> float | None:
        """Return the number of epochs without improvement before a cut; None for no cuts."""
        return None

    def next_factor(self, factor: float) -> float:
        """Return the next extra factor of the rate, after `patience` epochs without improvement.

        ``factor`` is the current one, 1 at the start. A factor of 0 ends the descent.
        """
        return factor


class Auto(Schedule):
    """The rate that lets every rule arrive at the minimum.

    With a tolerance, an automatic rate and a known bound of the minimum, it falls when the
    objective stops improving, and rises where the way is straight; batches whose noise no rate
    gets rid of grow. Otherwise, and for rules that arrive so, it is constant. See the guide.

    References
    ----------
    Lang, Xiao and Zhang, "Using statistics to automate stochastic optimization" (2019); Pesme,
    Dieuleveut and Flammarion, "On convergence-diagnostic based step sizes for stochastic gradient
    descent" (2020); Smith et al., "Don't decay the learning rate, increase the batch size" (2018).
    """

    __slots__ = ()
    controls = True

    def multiplier(self, k: np.ndarray) -> np.ndarray:
        return np.ones(np.shape(k))


class Constant(Schedule):
    """A constant rate."""

    __slots__ = ()

    def multiplier(self, k: np.ndarray) -> np.ndarray:
        return np.ones(np.shape(k))


class Step(Schedule):
    """``factor^floor(k / every)``: a cut at equal intervals.

    Parameters
    ----------
    every : float, default=100
        Time between two cuts.
    factor : float, default=0.5
        The factor of each cut, in (0, 1].
    per : {"epoch", "update"}, default="epoch"
    """

    __slots__ = ()
    every: float = 100.0
    factor: float = 0.5
    per: str = "epoch"
    ranges = {"every": "(0, inf)", "factor": "(0, 1]", "per": UNITS}

    def multiplier(self, k: np.ndarray) -> np.ndarray:
        return self.factor ** np.floor(np.asarray(k) / self.every)


class Exponential(Schedule):
    """``decay^k``.

    Parameters
    ----------
    decay : float, default=0.99
        The factor per unit of time, in (0, 1].
    per : {"epoch", "update"}, default="epoch"
    """

    __slots__ = ()
    decay: float = 0.99
    per: str = "epoch"
    ranges = {"decay": "(0, 1]", "per": UNITS}

    def multiplier(self, k: np.ndarray) -> np.ndarray:
        return self.decay ** np.asarray(k, dtype=float)


class InverseTime(Schedule):
    """``1 / (1 + decay k)``.

    Parameters
    ----------
    decay : float, default=0.01
        Reciprocal of the time after which the rate is half, at least 0.
    per : {"epoch", "update"}, default="epoch"
    """

    __slots__ = ()
    decay: float = 0.01
    per: str = "epoch"
    ranges = {"decay": "[0, inf)", "per": UNITS}

    def multiplier(self, k: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + self.decay * np.asarray(k))


class InverseScaling(Schedule):
    """``(k + 1)^-power``: scikit-learn's "invscaling", which always counts updates.

    Parameters
    ----------
    power : float, default=0.25
        At least 0.
    per : {"epoch", "update"}, default="epoch"
    """

    __slots__ = ()
    power: float = 0.25
    per: str = "epoch"
    ranges = {"power": "[0, inf)", "per": UNITS}

    def multiplier(self, k: np.ndarray) -> np.ndarray:
        return (np.asarray(k) + 1.0) ** -self.power


class Cosine(Schedule):
    """``floor + (1 - floor) (1 + cos(pi k / horizon)) / 2``, and ``floor`` after the horizon.

    Parameters
    ----------
    horizon : float or None, default=None
        Time at which the floor is reached; None means ``max_iter`` epochs.
    floor : float, default=1e-3
        The last multiplier, in (0, 1].
    per : {"epoch", "update"}, default="epoch"
        With "update" the horizon must be given.

    References
    ----------
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017),
    one period.
    """

    __slots__ = ()
    horizon: float | None = None
    floor: float = 1e-3
    per: str = "epoch"
    ranges = {"horizon": "(0, inf)", "floor": "(0, 1]", "per": UNITS}

    def for_horizon(self, max_iter: int) -> "Schedule":
        if self.horizon is not None:
            return self
        if self.per == "update":
            raise ValueError("Cosine(per='update') needs a horizon, in updates.")
        return self.replace(horizon=max_iter)

    def multiplier(self, k: np.ndarray) -> np.ndarray:
        done = np.minimum(np.asarray(k) / self.horizon, 1.0)
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + np.cos(np.pi * done))


class Adaptive(Schedule):
    """A constant rate that is cut when the objective stops improving.

    The rate is multiplied by ``factor`` when ``wait`` epochs in a row have not lowered the best
    objective by ``tol`` times the objective of the constant prediction (on the full batch, where
    ``tol`` refers to a gradient, by ``tol^2`` times). The descent ends when the multiplier would
    fall below ``floor``.

    Parameters
    ----------
    factor : float, default=0.5
        The factor of each cut, in (0, 1).
    wait : float, default=10
        Epochs without improvement before a cut, at least 1.
    floor : float, default=1e-6
        The smallest multiplier, in (0, 1].
    """

    __slots__ = ()
    factor: float = 0.5
    wait: float = 10.0
    floor: float = 1e-6
    ranges = {"factor": "(0, 1)", "wait": "[1, inf)", "floor": "(0, 1]"}

    def multiplier(self, k: np.ndarray) -> np.ndarray:
        return np.ones(np.shape(k))

    def patience(self) -> float | None:
        return self.wait

    def next_factor(self, factor: float) -> float:
        return factor * self.factor if factor * self.factor >= self.floor else 0.0


class WarmUp(Schedule):
    """A linear rise over ``length`` units of time, followed by another schedule.

    ``(k + 1) / length`` while ``k < length``, then the other schedule from its start. This is the
    only schedule that does not start at one.

    Parameters
    ----------
    length : float, default=10
        Duration of the rise, in the unit of time of the other schedule, at least 1.
    then : str or Schedule, default=Constant()
        The schedule that follows, from its start: a name, such as ``"cosine"``, or an instance.

    References
    ----------
    Goyal et al., "Accurate, large minibatch SGD" (2017), gradual warm-up.
    """

    __slots__ = ()
    length: float = 10.0
    then: Schedule | str = Constant()
    ranges = {"length": "[1, inf)"}

    @property
    def per(self) -> str:
        return self.then.per

    @property
    def controls(self) -> bool:
        return self.then.controls

    def for_horizon(self, max_iter: int) -> "Schedule":
        return self.replace(then=self.then.for_horizon(max(max_iter - self.length, 1.0)))

    def multiplier(self, k: np.ndarray) -> np.ndarray:
        k = np.asarray(k)
        later = self.then.multiplier(np.maximum(k - self.length, 0.0))
        return np.where(k < self.length, np.minimum((k + 1.0) / self.length, 1.0), later)

    def patience(self) -> float | None:
        return self.then.patience()

    def next_factor(self, factor: float) -> float:
        return self.then.next_factor(factor)


SCHEDULES = Schedule.named = {
    "auto": Auto,
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "inverse_time": InverseTime,
    "inverse_scaling": InverseScaling,
    "cosine": Cosine,
    "warmup": WarmUp,
    "adaptive": Adaptive,
}

__all__ = ["SCHEDULES", "Schedule", *sorted(cls.__name__ for cls in SCHEDULES.values())]
