"""Whether a descent diverges, by the objective before and after the steps of each call.

Each call of a stream has its own rows, whose objective cannot be compared with that of other rows.
The changes of the objective on the rows of each call can be added. If the rows stay the same, the
sum is the change since the start. On a stream, the sum rises if plain descent moves away from the
minimum of every call.
"""

from typing import NamedTuple

DECAY = 0.98  # of the sums, a call: about fifty calls count
RISE = 1.0 + 1e-9  # of the objective over its start, or the constant prediction's: diverged
NOISE = 10.0  # the same, where steps are noisy


class Growth(NamedTuple):
    """Objectives summed over the calls of a stream, with weights that decay."""

    calls: int = 0
    before: float = 0.0  # the objective of a call's rows before its steps
    after: float = 0.0  # and after them
    null_objective: float = 0.0  # that of the constant prediction

    def with_call(self, before, after, null_objective):
        """Return the sums with one more call."""
        sums = zip((before, after, null_objective), self[1:])
        return Growth(self.calls + 1, *(new + DECAY * old for new, old in sums))

    def diverged(self, exact):
        """Whether the objective has grown; where steps are noisy, by more than their noise."""
        if self.calls > 1:  # each of which is a batch of the stream
            return self.after > RISE * self.before and self.after > NOISE * self.null_objective
        return self.after > (RISE if exact else NOISE) * max(self.before, self.null_objective)
