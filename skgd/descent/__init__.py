"""The descent: one loop, compiled for the parts it is given."""

from skgd.descent.history import History
from skgd.descent.memory import settings_of, spelled
from skgd.descent.outcome import Outcome
from skgd.descent.quadratic import Quadratic
from skgd.descent.rates import automatic_rate, gradient_unit, stability_limit, stable_rate
from skgd.descent.rehearsal import rehearse
from skgd.descent.rowwise import inverse_link, model_predictions
from skgd.descent.run import Descent
from skgd.descent.shortcut import Shortcut
from skgd.descent.storing import restored, stored
from skgd.descent.sums import Columns, are_constant, predictions, survey
from skgd.descent.working import WorkingSet

__all__ = [
    "Columns",
    "Descent",
    "History",
    "Outcome",
    "Quadratic",
    "Shortcut",
    "WorkingSet",
    "are_constant",
    "automatic_rate",
    "gradient_unit",
    "inverse_link",
    "model_predictions",
    "predictions",
    "rehearse",
    "restored",
    "settings_of",
    "spelled",
    "stability_limit",
    "stable_rate",
    "stored",
    "survey",
]
