"""The only module that uses names scikit-learn does not promise, each with a substitute."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from numbers import Integral
from typing import Any, TypeVar

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if

from skgd.part import LARGEST_INT, is_number

Function = TypeVar("Function", bound=Callable[..., Any])

try:
    from sklearn.base import _fit_context
except ImportError:

    def _fit_context(**options):
        """Return a decorator that leaves a method as it is."""
        return lambda fit: fit


try:
    from sklearn.utils._param_validation import HasMethods
    from sklearn.utils._param_validation import Interval as _Interval
    from sklearn.utils._param_validation import StrOptions as _StrOptions
    from sklearn.utils._param_validation import validate_parameter_constraints as check_parameters
    from sklearn.utils._param_validation import validate_params as _validate_params

    class StrOptions(_StrOptions):
        """Names, which are told in the order that they are given in."""

        def __init__(self, options):
            super().__init__(dict.fromkeys(options).keys())

    class Interval(_Interval):
        """An interval of numbers that compiled code can hold; True and False are none."""

        def is_satisfied_by(self, val):
            """Whether a value is a number that lies in the interval."""
            if not is_number(val, self.type):
                return False
            if isinstance(val, Integral):
                return abs(val) <= LARGEST_INT and val in self
            try:
                return float(val) in self
            except OverflowError:
                return False

        def __str__(self):
            text = super().__str__()
            return text.replace("inf", "2**63") if self.type is Integral else text

except ImportError:

    def Interval(*args, **kwargs):
        """Return a constraint that everything satisfies."""
        return object

    StrOptions = HasMethods = Interval

    def check_parameters(constraints, params, caller_name):
        """Leave the parameters as they are."""

    def _validate_params(constraints, *, prefer_skip_nested_validation):
        """Return a decorator that leaves a function as it is."""
        return lambda function: function


def fit_context(**options: Any) -> Callable[[Function], Function]:
    """Return a decorator of ``fit`` that checks the hyper-parameters first."""
    return _fit_context(**options)


def method_if(check: Callable[[Any], bool]) -> Callable[[Function], Function]:
    """Return a decorator of a method that estimators have if they pass a check."""
    return available_if(check)


def validate_params(constraints: Any, **options: Any) -> Callable[[Function], Function]:
    """Return a decorator that checks the arguments of a function."""
    return _validate_params(constraints, **options)


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


try:
    from sklearn.model_selection._validation import _fit_and_score

    SCORES_A_FIT = _fit_and_score.__code__
except ImportError:
    SCORES_A_FIT = None  # no frame runs it


try:  # what a search needs that evaluates its candidates itself
    from sklearn.metrics._scorer import _BaseScorer, _MultimetricScorer, _PassthroughScorer
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.model_selection._validation import (
        _insert_error_scores as insert_error_scores,
    )
    from sklearn.model_selection._validation import (
        _score as score_candidate,
    )
    from sklearn.model_selection._validation import (
        _warn_or_raise_about_fit_failures as tell_failures,
    )
    from sklearn.utils.metaestimators import _safe_split as split_rows
    from sklearn.utils.validation import _check_method_params as split_metadata

    STEPS = {
        *("_get_scorers", "_get_routed_params_for_fit", "_format_results"),
        *("_select_best_index", "_check_refit_for_multimetric"),
    }
    CAN_SEARCH = SCORES_A_FIT is not None and set(dir(BaseSearchCV)) >= STEPS
    fit_and_score = _fit_and_score
except ImportError:
    CAN_SEARCH = False  # scikit-learn's own search takes its place
    insert_error_scores = score_candidate = tell_failures = split_rows = None
    split_metadata = fit_and_score = None


class SearchSteps:
    """The steps of scikit-learn's fit of a search that stand on either side of its fits.

    Parameters
    ----------
    search : BaseSearchCV
    """

    def __init__(self, search):
        self.scorers, self.refit_metric = search._get_scorers()
        self.route = search._get_routed_params_for_fit
        self.format = search._format_results
        self.select = search._select_best_index
        self.check_refit = search._check_refit_for_multimetric


def named_scorers(scorer):
    """Return the scorers that one of several metrics holds, by name, or None for a single one."""
    return scorer._scorers if isinstance(scorer, _MultimetricScorer) else None


def is_passthrough(scorer):
    """Whether a scorer is the estimator's own ``score``."""
    return isinstance(scorer, _PassthroughScorer)


def metric_of(scorer):
    """Return function, sign and options of a scorer that only predicts; None for others."""
    if is_passthrough(scorer):
        return r2_score, 1, {}
    if not isinstance(scorer, _BaseScorer) or scorer._response_method != "predict":
        return None
    return scorer._score_func, scorer._sign, scorer._kwargs


def has_callbacks(estimator):
    """Whether scikit-learn's callbacks are set on an estimator."""
    return bool(getattr(estimator, "_skl_callbacks", None))


def open_search(search):
    """Return the context that callbacks of a search are called in, or None where none are set."""
    if not has_callbacks(search):
        return None
    return search._init_callback_context(max_subtasks=1 + (search.refit is not False))


def are_valid(estimator):
    """Whether scikit-learn's checks find nothing wrong with the parameters of an estimator."""
    try:
        estimator._validate_params()
    except (TypeError, ValueError):
        return False
    return True


try:
    from sklearn.utils import _safe_indexing as take_rows
except ImportError:

    def take_rows(X, indices):
        """Return some rows of a frame."""
        return X.iloc[indices] if hasattr(X, "iloc") else X[indices]


def takes_weights(scorer):
    """Return whether a scorer can be given sample_weight: as a function, or for its metric."""
    parameters = signature(getattr(scorer, "_score_func", scorer)).parameters.values()
    return any(p.name == "sample_weight" or p.kind == p.VAR_KEYWORD for p in parameters)


try:
    from sklearn._loss.link import IdentityLink, LogLink
except ImportError:

    class IdentityLink:
        """The mean is the prediction itself."""

        def link(self, y_pred, out=None):
            """Return the prediction for a mean."""
            return y_pred

        inverse = link

    class LogLink:
        """The logarithm of the mean is predicted."""

        def link(self, y_pred, out=None):
            """Return the prediction for a mean."""
            return np.log(y_pred, out=out)

        def inverse(self, raw_prediction, out=None):
            """Return the mean for a prediction."""
            return np.exp(raw_prediction, out=out)


class CustomLink:
    """What a loss of a user's own makes of its predictions."""

    def __init__(self, inverse):
        self.inverse = inverse


def link_of(loss, inverse_link):
    """Return the link of a loss as an object of the kind that scikit-learn's models have."""
    known = {"identity": IdentityLink, "log": LogLink}
    return known[loss.link]() if loss.link in known else CustomLink(partial(inverse_link, loss))


def open_context(estimator):
    """Return the context that callbacks are called in, or None where none are set."""
    if not has_callbacks(estimator):
        return None
    return estimator._init_callback_context(max_subtasks=None)


__all__ = [
    "CAN_SEARCH",
    "SCORES_A_FIT",
    "CallbackSupport",
    "HasMethods",
    "Interval",
    "SearchSteps",
    "StrOptions",
    "are_valid",
    "check_parameters",
    "check_sample_weight",
    "fit_and_score",
    "fit_context",
    "has_callbacks",
    "insert_error_scores",
    "is_passthrough",
    "link_of",
    "method_if",
    "metric_of",
    "named_scorers",
    "open_context",
    "open_search",
    "score_candidate",
    "split_metadata",
    "split_rows",
    "take_rows",
    "takes_weights",
    "tell_failures",
    "validate_params",
]
