"""The descent: one loop, compiled for the parts it is given."""

from skgd.descent.outcome import Outcome
from skgd.descent.rates import stable_rate
from skgd.descent.run import Descent

__all__ = ["Descent", "Outcome", "stable_rate"]
