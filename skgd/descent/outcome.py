"""How a descent can end: named values that carry their sentence."""

from enum import Enum

from skgd.kernels import problem as state


class Outcome(Enum):
    """A code of the loop, and the sentence about it.

    Attributes
    ----------
    sentence : str
    """

    RUNNING = (state.RUNNING, "The descent goes on.")
    CONVERGED = (state.CONVERGED, "The scaled residual has fallen to tol.")
    PLATEAU = (state.PLATEAU, "The objective has stopped improving.")
    MAX_ITER = (state.MAX_ITER, "The descent has done max_iter epochs.")
    DIVERGED = (state.DIVERGED, "The objective has grown.")
    NONFINITE = (state.NONFINITE, "The objective is no longer a finite number.")
    OVERFITTING = (state.OVERFITTING, "The validation score has stopped improving.")
    STOPPED = (state.STOPPED, "A callback has stopped the descent.")

    def __new__(cls, code, sentence):
        member = object.__new__(cls)
        member._value_, member.sentence = code, sentence
        return member

    @property
    def settled(self):
        """Whether the descent ended because there was nothing left to do."""
        return self in (Outcome.CONVERGED, Outcome.PLATEAU, Outcome.OVERFITTING)

    @property
    def failed(self):
        """Whether the end is of no use: the objective has grown, or is no number."""
        return self in (Outcome.DIVERGED, Outcome.NONFINITE)
