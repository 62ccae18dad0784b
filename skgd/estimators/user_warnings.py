"""Where a warning points: to the line of the user's that led here, however deep the call.

Frames of this package, of scikit-learn and of joblib are passed over, so a warning of a fit in a
pipeline or in a search points to the line with the pipeline's or the search's ``fit``.
"""

import os
import sys
import warnings
from pathlib import Path

import joblib
import sklearn
from sklearn.exceptions import ConvergenceWarning

from skgd.estimators._sklearn import SCORES_A_FIT

PACKAGES = sklearn.__file__, joblib.__file__
INNER = f"{Path(__file__).parents[1]}{os.sep}", *(f"{Path(p).parent}{os.sep}" for p in PACKAGES)


def warn(message, category=ConvergenceWarning):
    """Warn at the innermost line that is neither ours, nor scikit-learn's, nor joblib's.

    Parameters
    ----------
    message : str
    category : type of Warning, default=ConvergenceWarning
    """
    frame = _frames()[-1]
    names = frame.f_globals
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=names.get("__name__"),
        registry=names.setdefault("__warningregistry__", {}),
    )


def in_a_search():
    """Whether scikit-learn is about to score this fit, and takes one that fails for an answer."""
    return any(frame.f_code is SCORES_A_FIT for frame in _frames())


def _frames():
    """Return the frames from here to the user's: the last one, or the outermost of all."""
    frames = [sys._getframe(1)]
    while frames[-1].f_code.co_filename.startswith(INNER) and frames[-1].f_back is not None:
        frames.append(frames[-1].f_back)
    return frames
