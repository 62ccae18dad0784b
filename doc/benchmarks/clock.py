"""Times that a busy machine disturbs little.

Contestants take turns, the least time counts, and it is the processor's, which in one thread
is the wall's wherever nobody else wants the core. What remains is the quarrel about memory.
"""

import time
from statistics import quantiles


def seconds(function):
    """Return how long one call keeps the processor."""
    begin = time.process_time()
    function()
    return time.process_time() - begin


def take_turns(contestants, rounds):
    """Return the times of each contestant, one for each round.

    Parameters
    ----------
    contestants : dict of callables
    rounds : int

    Returns
    -------
    dict of lists of float, in seconds
    """
    times = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, function in contestants.items():
            times[name].append(seconds(function))
    return times


def per_epoch(fits, rounds):
    """Return the seconds of one epoch: of a long fit without those of a short one, divided.

    What a fit does beside its epochs, such as checking its input, cancels.

    Parameters
    ----------
    fits : dict of (callable, int)
        What runs a number of epochs, and how many more than one the long fit has.
    rounds : int

    Returns
    -------
    dict of (float, float)
        The seconds between the fastest of each, and the spread: the distance of the quartiles
        of single rounds, as a share of their median.
    """
    turns = {}
    for name, (fit, more) in fits.items():
        turns[name, "short"] = lambda fit=fit: fit(1)
        turns[name, "long"] = lambda fit=fit, more=more: fit(1 + more)
    take_turns(turns, 1)  # compiles, and warms the caches
    times = take_turns(turns, rounds)
    found = {}
    for name, (_, more) in fits.items():
        long, short = times[name, "long"], times[name, "short"]
        found[name] = (min(long) - min(short)) / more, spread([a - b for a, b in zip(long, short)])
    return found


def spread(values):
    """Return the distance of the quartiles, as a share of the median."""
    low, middle, high = quantiles(values, n=4)
    return (high - low) / middle
