"""Displays of descents, drawn with matplotlib and with scikit-learn's display API.

A class method creates a display. Its data are attributes. `plot` draws them and returns the
display, which keeps the artists (``lines_``, ``ax_``, ``figure_``) for changes.
"""

from skgd.displays.activations import ActivationDisplay
from skgd.displays.animation import DescentAnimation
from skgd.displays.coefficients import CoefficientPathDisplay
from skgd.displays.curve import LossCurveDisplay
from skgd.displays.fit import FitDisplay
from skgd.displays.geometry import PenaltyGeometryDisplay
from skgd.displays.interactive import InteractivePage, interactive
from skgd.displays.rates import LearningRateDisplay
from skgd.displays.scores import ScoreCurveDisplay
from skgd.displays.steps import StepDisplay
from skgd.displays.surface import LossSurfaceDisplay

__all__ = [
    "ActivationDisplay",
    "CoefficientPathDisplay",
    "DescentAnimation",
    "FitDisplay",
    "InteractivePage",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "LossSurfaceDisplay",
    "PenaltyGeometryDisplay",
    "ScoreCurveDisplay",
    "StepDisplay",
    "interactive",
]
