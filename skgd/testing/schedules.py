"""The laws of a schedule."""

import numpy as np

from skgd.schedules import Schedule
from skgd.testing.laws import check_value, is_positive, require

UNITS = ("epoch", "update")


def check_schedule(schedule: Schedule, *, max_iter: int = 100) -> None:
    """Check that a schedule keeps its laws.

    - **values**: the schedule is an immutable value; its copies are equal.
    - **the start**: the multiplier is one at time 0, or rises from there to one (a warm-up).
    - **the multiplier**: it is positive and finite at all times.
    - **times**: the multipliers are an array of the shape of the times, each entry that of its own
      time; the times are not written; ``per`` is "epoch" or "update".
    - **plateaus**: with a ``patience``, ``next_factor`` lowers the factor, at most to zero.

    Parameters
    ----------
    schedule : Schedule
    max_iter : int, default=100
        Epochs of the descent that the schedule is made for. Three times as many are tried.

    Raises
    ------
    AssertionError
        With the name of the law and the numbers that break it.

    Examples
    --------
    >>> from skgd.schedules import Cosine, Schedule
    >>> from skgd.testing import check_schedule
    >>> check_schedule(Cosine())
    >>> class Decreasing(Schedule):
    ...     def multiplier(self, k):
    ...         return 1.0 - k / 100.0
    >>> check_schedule(Decreasing())
    Traceback (most recent call last):
    ...
    AssertionError: Decreasing() breaks the law of the multiplier: at time 100 it is 0.0; ...
    """
    check_value(schedule, Schedule)
    bounded = schedule.for_horizon(max_iter)
    said = f"for_horizon returns a schedule; got {bounded!r}"
    require(isinstance(bounded, Schedule), schedule, "values", said)
    require(bounded.per in UNITS, schedule, "times", f"per is one of {UNITS}; got {bounded.per!r}")
    times = np.arange(3 * max_iter)
    found = _multipliers(schedule, bounded, times)
    sound = np.array([is_positive(m) for m in found.tolist()])
    where = int(np.argmin(sound))
    said = f"at time {where} it is {found[where]}; it must be positive and finite"
    require(bool(sound.all()), schedule, "the multiplier", said)
    _check_times(schedule, bounded, times, found)
    _check_start(schedule, found)
    _check_plateaus(schedule, bounded)
    check_value(schedule, Schedule)


def _multipliers(schedule, bounded, times):
    """Return the multipliers, if they have the shape of the times."""
    times = times.copy()
    times.flags.writeable = False
    try:
        found = bounded.multiplier(times)
    except ValueError as error:
        require(
            "read-only" not in str(error), schedule, "times", "the array of times is not written"
        )
        raise
    shape = np.shape(found)
    said = f"multipliers have the shape of the times, {times.shape}; got {shape}"
    require(shape == times.shape, schedule, "times", said)
    floats = isinstance(found, np.ndarray) and found.dtype == np.float64
    require(floats, schedule, "times", f"multiplier returns an array of floats; got {found!r}")
    return found


def _check_times(schedule, bounded, times, found):
    for k in times[::7]:
        alone = float(_multipliers(schedule, bounded, times[k : k + 1])[0])
        said = f"the multiplier of time {k} is {alone} alone, and {found[k]} among others"
        require(np.isclose(alone, found[k], rtol=1e-12, atol=0.0), schedule, "times", said)
    rows = _multipliers(schedule, bounded, times.reshape(3, -1)).ravel()
    same = np.allclose(rows, found, rtol=1e-12, atol=0.0)
    require(same, schedule, "times", "multipliers do not depend on the shape of the times")


def _check_start(schedule, found):
    """One at the start, or a rise to one."""
    risen = int(np.argmax(found >= 1.0 - 1e-12))
    rises = found[risen] >= 1.0 - 1e-12 and bool((np.diff(found[: risen + 1]) >= 0.0).all())
    said = f"the multiplier starts at {found[0]:.6g}, neither at one nor on a rise to one"
    require(rises and found[0] <= 1.0 + 1e-12, schedule, "the start", said)


def _check_plateaus(schedule, bounded):
    patience = bounded.patience()
    if patience is None:
        return
    require(is_positive(patience), schedule, "plateaus", f"patience is {patience}; not positive")
    factor = 1.0
    for _ in range(100):
        following = bounded.next_factor(factor)
        said = f"next_factor leads from {factor:.6g} to {following:.6g}, which is not lower"
        require(0.0 <= following < factor, schedule, "plateaus", said)
        if following == 0.0:
            return
        factor = following
