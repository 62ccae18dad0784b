"""What every estimator trained by descent does: parts by name, the descent, its record."""

from numbers import Integral, Real

import numpy as np
from numpy.random import RandomState
from sklearn.base import RegressorMixin
from sklearn.utils import check_random_state

from skgd.descent.descent import Descent
from skgd.descent.dry_run import rehearse
from skgd.descent.new_state import fixed_settings, identity
from skgd.descent.options import Options, Setup
from skgd.estimators._sklearn import (
    CallbackSupport,
    Interval,
    StrOptions,
    fit_context,
    open_context,
)
from skgd.estimators.data import (
    hold_out,
    prediction_rows,
    validated_rows,
    validation_rows,
)
from skgd.estimators.minimizers import asked_of_a_descent, direct
from skgd.estimators.monitoring import Monitoring
from skgd.estimators.nested_parameters import NamedParts, part_of, plain
from skgd.estimators.running_means import RunningMeans, link_name, means_of
from skgd.estimators.serialization import Storing
from skgd.estimators.validation import joined, numbers
from skgd.losses import LOSSES, Loss
from skgd.objective.best_constant import fit_constant
from skgd.objective.objective import Objective
from skgd.optimizers import OPTIMIZERS, Nesterov, Optimizer
from skgd.penalties import PENALTIES, Penalty
from skgd.schedules import SCHEDULES, Schedule
from skgd.solvers.auto import reason_against

SOLUTION = {"coef_", "theta_", "_descents", "_means"}  # without which an estimator is not fitted


class DescentEstimator(Storing, CallbackSupport, RegressorMixin, NamedParts):
    """An abstract regressor whose parameters a `Descent` finds."""

    has_many_minima = False  # as a list of which a fit sets ``minima_``
    _doc_link_module = "skgd"
    _doc_link_template = "https://skgd.readthedocs.io/en/latest/api/skgd.{estimator_name}.html"

    _parameter_constraints = {
        "loss": [StrOptions(LOSSES), Loss],
        "penalty": [StrOptions([name for name in PENALTIES if name]), Penalty, None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "optimizer": [StrOptions(["auto", *OPTIMIZERS]), Optimizer],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions(["auto"])],
        "schedule": [StrOptions(SCHEDULES), Schedule],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "sampling": [StrOptions(["shuffle", "replacement", "cyclic"])],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "init": ["array-like", dict, None],
        "penalty_weights": ["array-like", None],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
        "clip_value": [Interval(Real, 0, None, closed="neither"), None],
        "average": ["boolean", Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "scoring": [str, callable, None],
        "record_path": ["boolean", Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both"), RandomState, None],
        "verbose": ["boolean", Interval(Integral, 0, None, closed="left")],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        loss = LOSSES.get(self.loss, Loss) if isinstance(self.loss, str) else self.loss
        tags.target_tags.positive_only = getattr(loss, "min_target", -np.inf) >= 0.0
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Descend by one epoch on these rows, from where the last call ended.

        The optimizer's memory, the count of updates, the schedule and the order of the rows go
        on: two calls on the same data equal one fit of two epochs with ``tol=None``. Other rows
        than those of the last call are taken for one draw of a stream: a centred descent sees
        them from the mean of all that have come by, weighted as they were; an automatic rate falls
        to what such draws bear; accelerated momentum begins anew. Whether the descent diverges is
        judged by how much the calls have changed the objective of their own rows. `t_` counts all
        updates, and the record is that of the call. `GDGaborRegressor` follows the descent that
        led to its best solution.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`; as many columns and targets as in the first call.

        Returns
        -------
        self
        """
        return self._train(X, y, sample_weight, resumes=True, epochs=1)

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

    def parameter_names(self):
        """Return what the parameters are called, with their units, in the order of `objective`.

        Returns
        -------
        list of str
        """
        raise NotImplementedError

    def parameter_order(self):
        """Return which parameter of `objective` each number of ``init`` and ``path_`` is.

        Returns
        -------
        ndarray of shape (n_parameters,), int
        """
        raise NotImplementedError

    def _descend(self, objective, start, seed, epochs, monitor_factory, rate_share=1.0):
        """Run one minimizer on one objective, at a share of the automatic rate."""
        if self.optimizer == "auto":
            validates = monitor_factory is not None and monitor_factory.validates
            schedule, streams = part_of(self, "schedule"), epochs is not None
            asked = asked_of_a_descent(vars(self), schedule, streams, validates)
            if reason_against(objective, asked) is None:
                solver = direct(objective, plain(self.tol), start)
                return self._run(solver, epochs, monitor_factory)
        optimizer, schedule = self._rule(), part_of(self, "schedule").for_horizon(self.max_iter)
        rehearse(optimizer, objective.model)
        size, average = plain(self.batch_size), int(self.average)
        setup = Setup(size, self.sampling, seed, average, rate_share)
        descent = Descent(objective, optimizer, schedule, start, setup, self._options(epochs))
        return self._run(descent, epochs, monitor_factory)

    def _rule(self):
        """Return the optimizer of a descent: for "auto", Nesterov's."""
        return Nesterov() if self.optimizer == "auto" else part_of(self, "optimizer")

    def _options(self, epochs):
        """Return what a descent takes over at the beginning, and whenever it is resumed."""
        return Options(
            learning_rate=plain(self.learning_rate),
            tol=self._tol(epochs),
            n_iter_no_change=self.n_iter_no_change,
            record_path=int(self.record_path),
            clip_norm=self.clip_norm or np.inf,
            clip_value=self.clip_value or np.inf,
        )

    def _resume_run(self, descent, objective, epochs, monitor_factory):
        """Take up a descent where it was left, on new data or the same."""
        schedule, stream = part_of(self, "schedule").for_horizon(self.max_iter), epochs is not None
        descent.resume(objective, self._rule(), schedule, self._options(epochs), stream=stream)
        return self._run(descent, epochs, monitor_factory)

    def _tol(self, epochs):
        """Return when the training objective ends a descent; None where it does not."""
        return None if self.early_stopping or epochs is not None else plain(self.tol)

    def _run(self, minimizer, epochs, monitor_factory):
        """Minimize for so many epochs, or as far as ``max_iter``, ``tol`` and monitors say.

        ``monitor_factory`` returns for a minimizer its monitor; None where there is none.
        """
        monitor = monitor_factory and monitor_factory(minimizer)
        minimizer.minimize(self.max_iter if epochs is None else epochs, monitor)
        return minimizer

    def _resumable_runs(self, objective, resumes):
        """Return the descents of the last call, if they can be gone on with; else None."""
        runs = vars(self).get("_descents") if resumes else None
        sizes = plain(self.batch_size), self.sampling, self.average
        settings = fixed_settings(objective, self._rule(), *sizes)
        return runs if runs and runs[0].settings == settings else None

    def _store_state(self, descents, training_set):
        """Keep what it takes to go on, without the data; nothing of what solvers have done."""
        self._descents = [d for d in descents if d.resumable]
        self._means, self._link = (
            training_set if self._descents else None,
            link_name(part_of(self, "loss")),
        )
        for descent in self._descents:
            descent.drop_data()

    def _running_means(self, y, weight, total, columns, resumes, epochs):
        """Return what is known of the rows of this call, and of those that they go on.

        Parameters
        ----------
        y : ndarray of shape (n_targets, n)
        weight, total : ndarray of shape (n,), float
            Of mean one, and their sum before they were made so.
        columns : Columns
        going : bool
            Whether this call goes on where the last one ended.
        epochs : int or None
            None for all rows that there are to be, else these belong to a stream.

        Returns
        -------
        seen : Seen
        constants : list of ConstantFit
        units : list of float
            What a fit of each target can gain.
        """
        resumes, level, loss = (
            resumes and epochs is not None,
            self._has_level(),
            part_of(self, "loss"),
        )
        before, constants = (
            vars(self).get("_means") if resumes else None,
            self._constants(y, weight),
        )
        units = [constant.unit for constant in constants]
        means, squares = means_of(y, weight, level)
        null_objectives = squares if loss.quadratic else np.array(units)
        kind = identity(loss), loss.quadratic, level, not resumes
        training_set = RunningMeans(
            total, columns.mean, columns.variance, means, null_objectives, *kind
        )
        if before is None:
            return training_set, constants, units
        training_set = before.then(training_set)
        return training_set, constants, training_set.units(units)

    def _constants(self, y, weight):
        """Return the best constant prediction of each target."""
        loss = part_of(self, "loss")
        return [fit_constant(loss, t, weight, self._has_level()) for t in y]

    def _draws(self, n):
        """Whether the order of n rows is drawn at random."""
        smaller = self.batch_size is not None and self.batch_size < n
        drawn = self.batch_size is not None and self.sampling == "replacement"
        return drawn or (smaller and self.sampling == "shuffle")

    def _seed(self, needed=True):
        """Draw the seed of this fit from ``random_state``.

        Where it is not needed, for now at least, numpy's global generator is left alone.
        """
        if self.random_state is None and not needed:
            return int(np.random.SeedSequence().generate_state(1)[0])
        return check_random_state(self.random_state).randint(np.iinfo(np.int32).max)

    def _prepare(self, X, y, sample_weight, validation_set, resumes, epochs=None):
        """Return the rows to fit to, and the monitors of their fit."""
        training_set = validated_rows(self, X, y, sample_weight, reset=not resumes)
        validation_set = validation_rows(self, *validation_set)
        if self.early_stopping and epochs is not None:
            raise ValueError("early_stopping should be False with partial_fit.")
        if self.early_stopping and validation_set is None:
            training_set, validation_set = hold_out(
                training_set, self.validation_fraction, self._seed()
            )
        context = open_context(self) if epochs is None else None
        monitoring = Monitoring(training_set, validation_set, context)
        monitoring.begin(self)
        return training_set, monitoring

    def _rows(self, X):
        """Return the rows to predict for, if there is something to predict by."""
        if vars(self).get("_failure"):
            raise ValueError(self._failure)
        return prediction_rows(self, X)

    def _null_objective(self, y, weight, fitted):
        """Return the unit of what a fit can gain."""
        return fit_constant(part_of(self, "loss"), y, weight, fitted).unit

    def _problem(self, X, y, weight, model, null_objective, **known):
        """Return F for one target, with what else `Objective` is told."""
        return Objective.of_rows(
            X,
            np.ascontiguousarray(y),
            weight,
            model=model,
            loss=part_of(self, "loss"),
            penalty=part_of(self, "penalty"),
            alpha=self.alpha,
            penalty_factor=self._penalty_factor(X.shape[1]),
            null_objective=null_objective,
            **known,
        )

    def _penalty_factor(self, p):
        """Return what each weight's penalty is multiplied by; None for one."""
        if self.penalty_weights is None:
            return None
        names = {(p,): "one for each column"}
        penalty_factor = numbers(self.penalty_weights, "penalty_weights", names)
        if penalty_factor.min() < 0.0:
            raise ValueError(
                "penalty_weights must have no negative entry. Its smallest is "
                f"{penalty_factor.min():.3g}."
            )
        return penalty_factor

    def _init(self, shape, names, sizes):
        """Return ``init``, of this shape or for each of its rows; None where there is none.

        ``sizes`` are those of its pieces, by the names that a dict gives them.
        """
        if self.init is None:
            return None
        if isinstance(self.init, dict):
            return joined(self.init, "init", {k: int(n) for k, n in sizes.items() if n}, shape[0])
        init = numbers(self.init, "init", {shape[1:]: names, shape: "for each target"})
        return np.broadcast_to(init, shape)

    def _updates_before(self, n_runs, resumes):
        """Return the updates of each run before this call."""
        return np.ravel(self.t_) if resumes else np.zeros(n_runs, dtype=int)

    def _record(self, descents, tracks, each, resumes):
        """Set what is known of each descent, whatever its outcome, and nothing else."""
        before = self._updates_before(len(descents), resumes)
        for name in SOLUTION & vars(self).keys():
            delattr(self, name)
        self._failure = None
        self.loss_curve_ = each([np.array(d.record.curve) for d in descents])
        self.history_ = each([d.record.history() for d in descents])
        self.stop_reason_ = each([d.outcome.name.lower() for d in descents])
        self.converged_ = each(np.array([d.outcome.settled for d in descents]))
        self.n_iter_ = each(np.array([d.record.n_epochs for d in descents]))
        self.t_ = each(before + np.array([d.n_updates for d in descents]))
        self.learning_rate_ = each(np.array([d.learning_rate for d in descents]))
        if self.record_path:
            self.path_ = each(tracks)
