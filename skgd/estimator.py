"""What every estimator trained by descent does: parts by name, the descent, its verdict."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from skgd._sklearn import Interval, StrOptions
from skgd.descent import Descent, Outcome, stable_rate
from skgd.losses import LOSSES, Loss
from skgd.optimizers import OPTIMIZERS, Optimizer
from skgd.part import Part
from skgd.penalties import PENALTIES, Penalty
from skgd.schedules import SCHEDULES, Schedule

TABLES = {"loss": LOSSES, "penalty": PENALTIES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}


class DescentEstimator(RegressorMixin, BaseEstimator):
    """An abstract regressor whose parameters a `Descent` finds."""

    _parameter_constraints = {
        "loss": [StrOptions(set(LOSSES)), Loss],
        "penalty": [StrOptions(set(PENALTIES) - {None}), Penalty, None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), Optimizer],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "schedule": [StrOptions(set(SCHEDULES)), Schedule],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "sampling": [StrOptions({"shuffle", "replacement", "cyclic"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "init": ["array-like", None],
        "record_path": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def get_params(self, deep=True):
        """Return the parameters; with ``deep``, those of the parts too.

        Parameters
        ----------
        deep : bool, default=True
            Whether to list ``optimizer__beta`` and the like, also for parts given by name.

        Returns
        -------
        dict
        """
        params = super().get_params(deep=False)
        for name in [name for name in TABLES if deep and name in params]:
            part = self._part(name, params[name], params)
            inner = part.get_params() if isinstance(part, Part) else {}
            params |= {f"{name}__{field}": value for field, value in inner.items()}
        return params

    def set_params(self, **params):
        """Set parameters; ``optimizer__beta`` and the like change one field of a part.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self
        """
        own = {key: value for key, value in params.items() if "__" not in key}
        super().set_params(**own)
        for key in params.keys() - own.keys():
            name, _, field = key.partition("__")
            if key not in self.get_params():
                valid = [k for k in self.get_params() if k.partition("__")[0] == name]
                raise ValueError(
                    f"Invalid parameter {field!r} for the {name!r} of {self!r}. "
                    f"Valid parameters are: {valid or sorted(self.get_params(deep=False))!r}."
                )
            part = self._part(name, getattr(self, name), self.get_params(deep=False))
            setattr(self, name, part.replace(**{field: params[key]}))
        return self

    def _part(self, kind, value, params):
        """Return the part that a name stands for, with the parameters that share its fields."""
        if not (value is None or isinstance(value, str)) or value not in TABLES[kind]:
            return value
        cls = TABLES[kind][value]
        return cls(**{field: params[field] for field in cls._fields if field in params})

    def _parts(self):
        """Return the four parts by name."""
        params = super().get_params(deep=False)
        return {kind: self._part(kind, params[kind], params) for kind in TABLES}

    def _descend(self, objective, start, seed, record_path):
        """Run one descent on one objective."""
        parts = self._parts()
        descent = Descent(
            objective,
            parts["optimizer"],
            parts["schedule"].lasting(self.max_iter),
            start,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            sampling=self.sampling,
            seed=seed,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            record_path=record_path,
        )
        descent.descend(self.max_iter, watch=_narrator() if self.verbose else None)
        return descent

    def _seed(self):
        """Draw the seed of this fit from ``random_state``."""
        return check_random_state(self.random_state).randint(np.iinfo(np.int32).max)

    def _judge(self, descent):
        """Say it when a descent has failed, or has not finished."""
        outcome, name = descent.outcome, type(self).__name__
        if outcome is Outcome.NONFINITE:
            raise ValueError(f"{name} diverged. {_growth(descent)}")
        if outcome is Outcome.DIVERGED:
            warnings.warn(f"{name} diverged. {_growth(descent)}", ConvergenceWarning, stacklevel=4)
        elif outcome is Outcome.MAX_ITER and self.tol is not None:
            warnings.warn(
                f"{name} has not converged in max_iter={self.max_iter} epochs: "
                f"{_remainder(descent)}, and tol is {self.tol:.1e}. Allow more epochs, scale the "
                "features, or let the learning rate fall by a schedule.",
                ConvergenceWarning,
                stacklevel=4,
            )


def _growth(descent):
    """Return the sentence on an objective that has grown."""
    objective = descent.objective
    with np.errstate(all="ignore"):
        largest = 2.0 * stable_rate(objective, objective.n)
    return (
        f"The objective went from {descent.curve[0]:.3g} to {descent.curve[-1]:.3g} by epoch "
        f"{descent.epoch}, with learning_rate={descent.rate:.3g}. The largest stable rate of "
        f"gradient descent on this data is {largest:.3g} (2/L). Lower the learning rate, "
        "leave it at 'auto', or scale the features, for instance with StandardScaler."
    )


def _remainder(descent):
    """Return what was reached, in the unit of tol."""
    if descent.full:
        return f"the scaled residual is {descent.residual:.1e}"
    gain = (descent.curve[-2] - descent.curve[-1]) / descent.objective.null
    return f"the last epoch lowered the objective by {gain:.1e} of the constant prediction's"


def _narrator():
    """Return a watcher that prints a line after epochs 1, 2, 3, 5, 10, 20, 30, 50, 100, ..."""

    def say(descent):
        digit, rest = str(descent.epoch)[0], str(descent.epoch)[1:]
        if digit in "1235" and not rest.strip("0"):
            print(f"epoch {descent.epoch:7d}  objective {descent.curve[-1]:.6e}")
        return False

    return say
