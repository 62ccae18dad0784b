"""Whether a descent leaves: objectives before and after steps, always on the same rows.

Each call of a stream has rows of its own, whose objective says nothing beside that of other rows.
What can be added up is by how much the calls have changed the objective of their own rows. On
rows that stay the same the sum of these changes is the change since the start; on a stream, plain
descent whose distance from the minimum of every call has grown has raised that sum.
"""

from typing import NamedTuple

FADE = 0.98  # the share of a sum that a further call keeps: about fifty calls are remembered
# How far above its start, or the constant prediction's, an objective counts as diverged.
RISEN, NOISE = 1.0 + 1e-9, 10.0


class Growth(NamedTuple):
    """Objectives summed over the calls of a stream, those long ago with less weight."""

    calls: int = 0
    before: float = 0.0  # the objective of a call's rows before its steps
    after: float = 0.0  # and after them
    null_objective: float = 0.0  # that of the constant prediction

    def with_call(self, before, after, null_objective):
        """Return the sums with those of a further call."""
        sums = zip((before, after, null_objective), self[1:])
        return Growth(self.calls + 1, *(new + FADE * old for new, old in sums))

    def diverged(self, exact):
        """Whether the objective has grown; where steps are noisy, by more than their noise."""
        if self.calls > 1:  # each of which is a batch of the stream
            return self.after > RISEN * self.before and self.after > NOISE * self.null_objective
        return self.after > (RISEN if exact else NOISE) * max(self.before, self.null_objective)
