"""How a run can end: named values that carry their sentence."""

from enum import Enum

from skgd.kernels import problem as state


class Outcome(Enum):
    """The reason why a run has ended, with the code of the compiled loop and a sentence.

    Attributes
    ----------
    sentence : str
    """

    RUNNING = (state.RUNNING, "The run has not ended.")
    CONVERGED = (state.CONVERGED, "The gap, or where it is not known the residual, meets tol.")
    PLATEAU = (state.PLATEAU, "The objective has stopped improving.")
    MAX_ITER = (state.MAX_ITER, "The descent has done max_iter epochs.")
    DIVERGED = (state.DIVERGED, "The objective has grown.")
    NONFINITE = (state.NONFINITE, "The objective is no longer a finite number.")
    OVERFITTING = (state.OVERFITTING, "The validation score has stopped improving.")
    POLISHED = (state.POLISHED, "Steps on the full batch have ended the run at the minimum.")
    STOPPED = (state.STOPPED, "A callback has stopped the descent.")

    def __new__(cls, code, sentence):
        member = object.__new__(cls)
        member._value_, member.sentence = code, sentence
        return member

    @property
    def settled(self):
        """Whether the run has reached what it was asked for."""
        return self in SETTLED

    @property
    def failed(self):
        """Whether the objective has grown, or is not a finite number."""
        return self in (Outcome.DIVERGED, Outcome.NONFINITE)


SETTLED = Outcome.CONVERGED, Outcome.POLISHED, Outcome.PLATEAU, Outcome.OVERFITTING
