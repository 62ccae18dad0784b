"""Pictures of descents, drawn with matplotlib by scikit-learn's contract for displays.

Each display is made by a class method, keeps its data as attributes, draws them with `plot`,
which returns the display, and keeps the artists (``lines_``, ``ax_``, ``figure_``) for changes.
"""

from skgd.displays.animation import DescentAnimation
from skgd.displays.coefficients import CoefficientPathDisplay
from skgd.displays.curve import LossCurveDisplay
from skgd.displays.fit import FitDisplay
from skgd.displays.geometry import PenaltyGeometryDisplay
from skgd.displays.rates import LearningRateDisplay
from skgd.displays.steps import StepDisplay
from skgd.displays.surface import LossSurfaceDisplay

__all__ = [
    "CoefficientPathDisplay",
    "DescentAnimation",
    "FitDisplay",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "LossSurfaceDisplay",
    "PenaltyGeometryDisplay",
    "StepDisplay",
]
