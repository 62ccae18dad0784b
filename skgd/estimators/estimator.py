"""What every estimator trained by descent does: one fit, from data to warnings."""

import abc
from itertools import chain
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike

from skgd.descent.outcome import Outcome
from skgd.estimators._sklearn import CallbackSupport, Interval, StrOptions, fit_context, method_if
from skgd.estimators.data import (
    converted_rows,
    pieces_of,
    read_moments,
    rows_in_use,
    rows_of_fit,
)
from skgd.estimators.epochs_in_turn import EpochsInTurn, visits_in_turn
from skgd.estimators.messages import Message, messages_of
from skgd.estimators.minimizers import SECOND_ORDER, check_second_order, takes_streams
from skgd.estimators.monitoring import Monitoring
from skgd.estimators.nested_parameters import NamedParts, part_of
from skgd.estimators.run_record import set_record
from skgd.estimators.running_means import link_name
from skgd.estimators.runs import Runs, last_call_of
from skgd.estimators.seeds import draws_rows, new_seed
from skgd.estimators.serialization import PlainState
from skgd.estimators.small_fit import asks_for_the_minimum, solved_small
from skgd.estimators.targets import numeric_targets
from skgd.estimators.validation import MatrixLike
from skgd.losses import LOSSES, Loss
from skgd.optimizers import OPTIMIZERS, Optimizer
from skgd.penalties import PENALTIES, Penalty
from skgd.schedules import SCHEDULES, Schedule


class DescentEstimator(PlainState, CallbackSupport, NamedParts, abc.ABC):
    """An abstract estimator whose parameters minimizers find.

    A subclass states its `Problem`, and names its parameters and the attributes of a fit.
    """

    has_many_minima = False  # as a list of which a fit sets ``minima_``
    has_small_solver = False  # of small data, where nothing but the minimum is asked for
    steps_on_pieces = False  # one after the other, also where all rows make a step
    _doc_link_module = "skgd"
    _doc_link_template = "https://skgd.readthedocs.io/en/latest/api/skgd.{estimator_name}.html"

    _parameter_constraints = {
        "loss": [StrOptions(LOSSES), Loss],
        "penalty": [StrOptions([name for name in PENALTIES if name]), Penalty, None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "optimizer": [StrOptions(["auto", *OPTIMIZERS, *SECOND_ORDER]), Optimizer],
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
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Descend to a minimum.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            float64 and float32 arrays in C or F order, DataFrames of one such type and CSR
            matrices are read as they are, as are CSC matrices by direct solvers; all else is
            converted once. Sparse data is never made dense. The blocks of rows of a dask array or
            dataframe are read where dask holds them, with those of y and the weights; `Pieces`
            (`skgd.pieces`) from where they lie, and bring y and weights with them.
        y : array-like of shape (n_samples,) or, for a linear model, (n_samples, n_targets)
            Each target has a descent of its own, in the same order of rows.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Not negative; a weight of two equals a row given twice (:ref:`as-a-set`).
        X_val, y_val, sample_weight_val : as X, y and sample_weight, default=None
            Rows that the descent does not see, on which every epoch is scored. The parameters of
            the epoch with the best score come back, with ``early_stopping`` or without; they are
            not polished unless that is asked for.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For input that is not finite or does not fit together, and when the objective
            ceases to be finite; the record of the descent is kept even then.

        Warns
        -----
        ConvergenceWarning
            When ``max_iter`` epochs were not enough, the objective has grown, or the solution is
            not a minimum.
        """
        validation = X_val, y_val, sample_weight_val
        return self._fit(X, y, sample_weight, validation, resumes=self.warm_start)

    @method_if(takes_streams)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: MatrixLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Descend by one epoch on these rows, from where the last call ended.

        The optimizer's memory, the count of updates, the schedule and the order of the rows go
        on: two calls on the same data equal one fit of two epochs with ``tol=None``. Other rows
        than those of the last call are taken for one draw of a stream: a centred descent sees
        them from the mean of all that have come by, weighted as they were; an automatic rate falls
        to what such draws bear; accelerated momentum begins anew. Whether the descent diverges is
        judged by how much the calls have changed the objective of their own rows. `t_` counts all
        updates, and the record is that of the call. `GDGaborRegressor` follows the descent that
        led to its best solution. Second-order methods have no `partial_fit`.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`; as many columns and targets as in the first call.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, resumes=True, stream=True)

    def _fit(self, X, y, sample_weight, validation=(None,) * 3, *, resumes, stream=False):
        """Validate the data, state the problem, run minimizers, record, set the solution, warn."""
        check_second_order(self)
        last = last_call_of(self) if resumes and self.__sklearn_is_fitted__() else None
        X = pieces_of(X, y, sample_weight)
        if last is None and not stream and asks_for_the_minimum(self, X, validation):
            return self._fit_small(X, y, sample_weight)
        if visits_in_turn(self, X):
            epochs = EpochsInTurn(self, self._problem, X, validation, last, stream)
            with epochs.rows.held():
                epochs.run()
                kept = epochs.last.runs, epochs.last.means
                self._conclude(epochs.whole_problem(), epochs.runs, last, kept)
                epochs.monitoring.end()
            return self
        given = y, sample_weight, validation
        y, sample_weight, validation = numeric_targets(self, *given, last is None)
        rows, held_out = rows_of_fit(self, X, y, sample_weight, validation, last, stream)
        with rows.held():
            self._fit_to(rows, held_out, last, stream)
        return self

    def _fit_small(self, X, y, sample_weight):
        """Fit to data whose minimum may be found without the moments of the columns."""
        name = type(self).__name__
        rows = converted_rows(self, X, y, sample_weight, True, name)
        problem = solved_small(self, rows)
        if problem is None:
            self._fit_to(read_moments(rows, name), None, None, False)
            return self
        monitoring = Monitoring(self, problem, rows, None, None, False)
        monitoring.begin()
        problem.run.show(monitoring.monitor(problem.run, 0))
        self._conclude(problem, [problem.run], None)
        monitoring.end()
        return self

    def _fit_to(self, rows, held_out, last, stream):
        """Fit to validated rows."""
        problem = self._problem(rows_in_use(self, rows, stream), last, stream)
        monitoring = Monitoring(self, problem, rows, held_out, last, stream)
        monitoring.begin()
        runs = Runs(self, problem, monitoring, stream)
        if last is not None and runs.can_resume(last.runs):
            ended = runs.resume(last.runs)
        else:
            seed = new_seed(self.random_state, problem.is_random or draws_rows(self, rows))
            starts = problem.starts(seed)
            vars(self).update(starts.attributes)
            ended = runs.begin(starts.points, seed)
        self._conclude(problem, ended, last)
        monitoring.end()

    def _conclude(self, problem, ended, last, kept=None):
        """Record runs that have ended, set the solution, store what goes on, and tell messages.

        ``kept`` are the runs and the means to go on from; None for those that have ended.
        """
        answer = problem.answer(ended)
        set_record(self, problem, answer.runs, last)
        is_finite = all(run.outcome is not Outcome.NONFINITE for run in answer.runs)
        solution = problem.solution(answer) if is_finite else {}
        vars(self).update(solution)
        messages = self._messages(answer.runs, problem.remarks(solution))
        self._failure = next((m.sentence for m in messages if m.is_refusal), None)
        if is_finite:
            self._store(*(kept or (answer.runs, problem.means)))
        for message in messages:
            message.tell()

    def _messages(self, runs, remarks):
        """Return what is to be said of runs that have not converged, and of the solution."""
        unfinished = [run for run, done in zip(runs, np.ravel(self.converged_)) if not done]
        found = [messages_of(self, run) for run in unfinished]
        return [*chain(*found), *map(Message, remarks)]

    def _store(self, runs, means):
        """Keep what it takes to resume, without the data; nothing of what direct solvers did."""
        self._descents = [run for run in runs if run.resumable]
        self._means = means if self._descents else None
        self._link = link_name(part_of(self, "loss"))
        for run in self._descents:
            run.drop_data()

    @abc.abstractmethod
    def _problem(self, rows, last, stream):
        """Return the `Problem` of this estimator on some rows."""

    @abc.abstractmethod
    def objective(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Return what a fit minimises, as a function of the parameters.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        Objective, or a list with one for each target where y has two dimensions
        """

    @abc.abstractmethod
    def parameters(self) -> np.ndarray:
        """Return the fitted parameters in the order of `objective`.

        Returns
        -------
        ndarray of shape (n_parameters,) or (n_targets, n_parameters), float64
        """

    @abc.abstractmethod
    def starting_points(self) -> np.ndarray:
        """Return where the descents began, in the order of `objective`.

        Returns
        -------
        ndarray of shape (n_starts, n_parameters) or (n_targets, n_parameters)
        """

    @abc.abstractmethod
    def parameter_names(self) -> list[str]:
        """Return what the parameters are called, with their units, in the order of `objective`.

        Returns
        -------
        list of str
        """

    @abc.abstractmethod
    def parameter_order(self) -> np.ndarray:
        """Return which parameter of `objective` each number of ``init`` and ``path_`` is.

        Returns
        -------
        ndarray of shape (n_parameters,), int
        """
