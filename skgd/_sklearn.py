"""The only module that uses names scikit-learn does not promise, each with a substitute."""

import numpy as np
from sklearn.utils import check_array

try:
    from sklearn.base import _fit_context as fit_context
except ImportError:

    def fit_context(**options):
        """Return a decorator that leaves a method as it is."""
        return lambda fit: fit


try:
    from sklearn.utils._param_validation import Interval, StrOptions
    from sklearn.utils._param_validation import validate_parameter_constraints as check_parameters
except ImportError:

    def Interval(*args, **kwargs):
        """Return a constraint that everything satisfies."""
        return object

    StrOptions = Interval

    def check_parameters(constraints, params, caller_name):
        """Leave the parameters as they are."""


try:
    from sklearn.utils.validation import _check_sample_weight as check_sample_weight
except ImportError:

    def check_sample_weight(sample_weight, X, *, dtype, ensure_non_negative):
        """Return one weight for each row of X."""
        if sample_weight is None:
            return np.ones(X.shape[0], dtype=dtype)
        weight = np.broadcast_to(sample_weight, X.shape[0])
        return check_array(
            weight, ensure_2d=False, dtype=dtype, ensure_non_negative=ensure_non_negative
        )


try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
except ImportError:

    class CallbackSupport:
        """What scikit-learn has from 1.9 on."""


def open_context(estimator):
    """Return the context that callbacks are called in, or None where none are set."""
    if not vars(estimator).get("_skl_callbacks"):
        return None
    return estimator._init_callback_context(max_subtasks=None)


__all__ = [
    "CallbackSupport",
    "Interval",
    "StrOptions",
    "check_parameters",
    "check_sample_weight",
    "fit_context",
    "open_context",
]
