"""What every estimator trained by descent does: parts by name, the descent, its verdict."""

import warnings
from numbers import Integral, Real

import numpy as np
from scipy import optimize, sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, validate_data

from skgd._sklearn import Interval, StrOptions, check_sample_weight, fit_context
from skgd.descent import Descent, Outcome, stable_rate
from skgd.losses import LOSSES, Loss
from skgd.models import Linear
from skgd.objective import Objective
from skgd.optimizers import OPTIMIZERS, Optimizer
from skgd.part import Part
from skgd.penalties import PENALTIES, NoPenalty, Penalty
from skgd.schedules import SCHEDULES, Schedule

TABLES = {"loss": LOSSES, "penalty": PENALTIES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}


ROUNDING = 1e-30  # of the mean square of y, below which y is constant
SOLUTION = {"coef_", "theta_", "_descents"}  # without which an estimator is not fitted


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
            try:
                part = self._part(name, params[name], params)
            except (TypeError, ValueError):  # `fit` says what is wrong
                part = TABLES[name][params[name]]()
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
        for key in sorted(params.keys() - own.keys(), key=lambda key: key.count("__")):
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Descend by one epoch on these rows, from where the last call ended.

        The optimizer's memory, the count of updates, the schedule and the order of the rows go
        on: two calls on the same data equal one fit of two epochs with ``tol=None``. A centred
        descent sees rows from the mean of all that have come by; an automatic rate falls where
        new rows need a lower one. `GDGaborRegressor` follows the descent that led to its best
        solution.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`; as many columns and targets as in the first call.

        Returns
        -------
        self
        """
        return self._train(X, y, sample_weight, again=True, epochs=1)

    def parameters(self):
        """Return the fitted parameters in the order of `objective`.

        Returns
        -------
        ndarray of shape (n_parameters,), float64
        """
        raise NotImplementedError

    def starting_points(self):
        """Return where the descents began, in the order of `objective`.

        Returns
        -------
        ndarray of shape (n_starts, n_parameters)
        """
        raise NotImplementedError

    def _descend(self, objective, start, seed, epochs, learning_rate=None):
        """Run one descent on one objective, at another rate if there is one."""
        parts = self._parts()
        descent = Descent(
            objective,
            parts["optimizer"],
            parts["schedule"].lasting(self.max_iter),
            start,
            learning_rate=learning_rate or self.learning_rate,
            batch_size=self.batch_size,
            sampling=self.sampling,
            seed=seed,
            tol=self.tol if epochs is None else None,
            n_iter_no_change=self.n_iter_no_change,
            record_path=self.record_path,
        )
        return self._run(descent, epochs)

    def _go_on(self, descent, objective, epochs):
        """Take up a descent where it was left, on new data or the same."""
        descent.schedule = self._parts()["schedule"].lasting(self.max_iter)
        descent.tol, descent.n_iter_no_change = (
            self.tol if epochs is None else None,
            self.n_iter_no_change,
        )
        if epochs is None:
            descent.best, descent.stale = np.inf, 0.0
        descent.resume(objective, self.learning_rate)
        return self._run(descent, epochs)

    def _run(self, descent, epochs):
        """Descend by so many epochs, or as far as ``max_iter`` and ``tol`` say."""
        watch = _narrator() if self.verbose else None
        descent.descend(self.max_iter if epochs is None else epochs, watch)
        return descent

    def _left(self, d, again):
        """Return the descents of the last call, if they can be gone on with; else None."""
        left = vars(self).get("_descents") if again else None
        same = self._parts()["optimizer"], self.batch_size, self.sampling, d
        return left if left and left[0].settings == same else None

    def _keep(self, descents):
        """Keep what it takes to go on, without the data."""
        for descent in descents:
            descent.release()
        self._descents = descents

    def _seed(self):
        """Draw the seed of this fit from ``random_state``."""
        return check_random_state(self.random_state).randint(np.iinfo(np.int32).max)

    def _checked(self, X, y, sample_weight, reset=True):
        """Return X in a form that is read in place, y and weights, and the sum of weights."""
        X, y = validate_data(
            self,
            X,
            y,
            reset=reset,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            multi_output=self.__sklearn_tags__().target_tags.multi_output,
            y_numeric=True,
        )
        if sparse.issparse(X) and not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        weight = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        largest = weight.max()
        weight = weight / largest
        total, y = float(largest) * float(weight.sum()), _in_range(np.asarray(y, dtype=float), "y")
        return X, y, weight / weight.mean(), total

    def _rows(self, X):
        """Return the rows to predict for."""
        return validate_data(
            self, X, accept_sparse=("csr", "csc"), dtype=[np.float64, np.float32], reset=False
        )

    def _null(self, y, weight, level):
        """Return the objective of the best constant, which ``level`` says can be fitted, or of 0.

        The unit of what a fit can gain; positive even where a constant is all there is.
        """
        loss, n = self._parts()["loss"], len(y)
        if loss.quadratic:
            mean = weight @ y / n if level else 0.0
            square, spread = weight @ y**2 / n, weight @ (y - mean) ** 2 / n
            return 0.5 * ((spread if spread > ROUNDING * square else square) or 1.0)
        blank = Objective(
            np.zeros((n, 1)), y, weight, model=Linear(), loss=loss, penalty=NoPenalty(), alpha=0.0
        )
        if not level:
            return blank.value([0.0, 0.0]) or 1.0
        return optimize.minimize_scalar(lambda c: blank.value([0.0, c])).fun or 1.0

    def _problem(self, X, y, weight, model, null, centre=None):
        """Return F for one target."""
        parts = self._parts()
        return Objective(
            X,
            np.ascontiguousarray(y),
            weight,
            model=model,
            loss=parts["loss"],
            penalty=parts["penalty"],
            alpha=self.alpha,
            centre=centre,
            null=null,
        )

    def _init(self, shape, names):
        """Return ``init``, of this shape or for each of its rows; None where there is none."""
        if self.init is None:
            return None
        init = check_array(self.init, dtype=float, ensure_2d=False, input_name="init")
        if init.shape not in (shape, shape[1:]):
            raise ValueError(f"init has shape {init.shape}; expected {shape[1:]}: {names}.")
        return np.broadcast_to(init, shape)

    def _record(self, descents, tracks, each):
        """Set what is known of each descent, whatever its outcome, and nothing else."""
        for name in SOLUTION & vars(self).keys():
            delattr(self, name)
        self.loss_curve_ = each([np.array(d.curve) for d in descents])
        self.stop_reason_ = each([d.outcome.name.lower() for d in descents])
        self.converged_ = each(np.array([d.outcome.settled for d in descents]))
        self.n_iter_ = each(np.array([d.epoch for d in descents]))
        self.t_ = each(np.array([d.t for d in descents]))
        self.learning_rate_ = each(np.array([d.rate for d in descents]))
        if self.record_path:
            self.path_ = each(tracks)

    def _judge(self, descent):
        """Say it when a descent has failed, or has not finished."""
        outcome, name = descent.outcome, type(self).__name__
        if outcome is Outcome.NONFINITE:
            raise ValueError(f"{name} diverged. {_growth(descent)}")
        if outcome is Outcome.DIVERGED:
            warnings.warn(f"{name} diverged. {_growth(descent)}", ConvergenceWarning, stacklevel=5)
        elif outcome is Outcome.MAX_ITER and descent.tol is not None:
            warnings.warn(
                f"{name} has not converged in max_iter={self.max_iter} epochs: "
                f"{_remainder(descent)}, and tol is {self.tol:.1e}. Allow more epochs, scale the "
                "features, or let the learning rate fall by a schedule.",
                ConvergenceWarning,
                stacklevel=5,
            )


def _in_range(values, name):
    """Return the values, if their squares are within the range of numbers."""
    largest = np.abs(values).max(initial=0.0)
    if largest == 0.0 or 1e-140 < largest < 1e140:
        return values
    raise ValueError(
        f"The entries of {name} are too {'large' if largest > 1.0 else 'small'} for their squares "
        f"to be numbers: the largest is {largest:.1e}. Scale {name}."
    )


def _growth(descent):
    """Return the sentence on an objective that has grown."""
    objective = descent.objective
    with np.errstate(all="ignore"):
        largest = 2.0 * stable_rate(objective)
    rule, share = type(descent.optimizer).__name__, descent.optimizer.endurance()
    own = "" if share in (None, 1.0) else f", and {share * largest:.3g} for {rule}"
    return (
        f"The objective went from {descent.curve[0]:.3g} to {descent.curve[-1]:.3g} by epoch "
        f"{descent.epoch}, with learning_rate={descent.rate:.3g}. The largest stable rate of "
        f"gradient descent on this data is {largest:.3g} (2/L){own}. Lower the learning rate, "
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
