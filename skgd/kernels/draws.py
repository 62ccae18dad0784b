"""Random numbers in compiled loops: the generator pcg32, whose state is an array of two integers.

Its arithmetic is that of int64, which wraps alike in compiled and in plain Python, so the numbers
are the same to the bit.

References
----------
O'Neill, "PCG: a family of simple fast space-efficient statistically good algorithms for random
number generation" (2014): PCG-XSH-RR with 64 bits of state.
"""

import numpy as np

MULTIPLIER = 6364136223846793005
WORD, LOW = 2**32 - 1, 2**46 - 1  # masks: of a word, and of what 18 shifts leave


def new_generator(seed):
    """Return the state of a generator: where it is, and the odd number that it steps by.

    Parameters
    ----------
    seed : int or None
        None for fresh entropy of the system.

    Returns
    -------
    ndarray of shape (2,), int64
    """
    words = np.random.SeedSequence(seed).generate_state(2, np.uint64)
    words[1] |= np.uint64(1)
    return words.view(np.int64)


def next_word(generator):
    """Return an integer drawn evenly from [0, 2^32), and advance the generator."""
    before = generator[0]
    generator[0] = before * MULTIPLIER + generator[1]
    mixed = (((before >> 18) & LOW) ^ before) >> 27 & WORD
    turn = (before >> 59) & 31
    return (mixed >> turn) | (mixed << (32 - turn)) & WORD


def draw_below(generator, n):
    """Return an integer drawn evenly from [0, n), for n up to 2^53."""
    high, low = next_word(generator) >> 5, next_word(generator) >> 6
    return int((high * 67108864.0 + low) * 2.0**-53 * n)
