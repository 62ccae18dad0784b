"""How an estimator is stored: as plain data, which are checked when they are read.

They are its parameters, what is known of its fit, and of each descent what it takes to go on.
Parts that were passed as instances are stored as they store themselves.
"""

from typing import Self

import numpy as np

from skgd.descent.record import History
from skgd.descent.serialization import restored, stored
from skgd.estimators.running_means import RunningMeans
from skgd.multistart.minima import Minima, StationaryPoint

TRAINING = {"_descents", "_means"}  # what only a further call needs


class PlainState:
    """An abstract estimator that is stored as plain data, and can forget how to go on.

    A subclass names in ``fitted_attributes`` what a fitted estimator has, first the solution
    without which it is not fitted, and in ``feature_attribute`` the one whose last axis has an
    entry for each column of X.
    """

    def __sklearn_is_fitted__(self):
        return self.fitted_attributes[0] in vars(self)

    def forget(self) -> Self:
        """Drop what only further calls need: the optimizer's memory, and running means.

        What remains predicts as before, in less room. A further call of `partial_fit`, or of
        `fit` with ``warm_start=True``, begins a new descent at the parameters; one on a stream
        then moves the intercept like the others, as the means of the rows so far are not known.

        Returns
        -------
        self
        """
        for name in TRAINING & vars(self).keys():
            delattr(self, name)
        return self

    def _check_parameters(self, state):
        """Refuse a state whose parameters are not of its columns."""
        found = state.get(self.feature_attribute)
        if found is not None and np.shape(found)[-1:] != (state["n_features_in_"],):
            raise ValueError(
                f"it has {state['n_features_in_']} columns, and parameters of shape "
                f"{np.shape(found)}."
            )

    def __getstate__(self):
        state = dict(super().__getstate__())
        for name, (write, _) in FORMS.items():
            if state.get(name) is not None:
                state[name] = write(state[name])
        return state

    def __setstate__(self, state):
        try:
            state = dict(state)
            _check(state, self._get_param_names(), self.fitted_attributes)
            self._check_parameters(state)
            for name, (_, read) in FORMS.items():
                if state.get(name) is not None:
                    state[name] = read(state[name])
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(
                f"The stored {type(self).__name__} is damaged, or of another version of skgd: "
                f"{error}"
            ) from error
        super().__setstate__(state)


def _check(state, parameters, fitted_attributes):
    """Refuse a state in which something is missing."""
    needed = fitted_attributes if fitted_attributes[0] in state else ()
    missing = [name for name in (*parameters, *needed) if name not in state]
    if missing:
        raise ValueError(f"it has no {missing}.")


def _write_history(history):
    return dict(history) if isinstance(history, dict) else [dict(one) for one in history]


def _read_history(data):
    return History(data) if isinstance(data, dict) else [History(one) for one in data]


FORMS = {  # how attributes that are not plain are written and read
    "_descents": (lambda descents: [*map(stored, descents)], lambda data: [*map(restored, data)]),
    "_means": (lambda seen: seen._asdict(), lambda data: RunningMeans(**data)),
    "history_": (_write_history, _read_history),
    "minima_": (
        lambda minima: [point._asdict() for point in minima],
        lambda data: Minima(StationaryPoint(**point) for point in data),
    ),
}
