"""Who looks on while a descent runs, once an epoch: validation, callbacks, a narrator.

A watcher is called with the descent after every epoch, and may stop it.
"""

import copy
from typing import NamedTuple

import numpy as np
from sklearn.metrics import check_scoring

from skgd.descent.outcome import Outcome
from skgd.estimators._sklearn import takes_weights
from skgd.estimators.data import Rows


class Monitoring(NamedTuple):
    """Who is to look on at the descents of a fit.

    ``seen`` are the rows that it is fitted to; ``held`` those that it is validated on, if
    any; ``context`` is that of scikit-learn's callbacks, if there are any; and ``among``
    what each of several descents is called.
    """

    training_set: Rows
    validation_set: Rows | None = None
    context: object = None
    task_name: str = ""

    def target(self, k):
        """Return the same for one target alone."""
        several = "target" if self.training_set.y.ndim > 1 else self.task_name
        validation_set = self.validation_set and self.validation_set.target(k)
        return self._replace(
            training_set=self.training_set.target(k),
            validation_set=validation_set,
            task_name=several,
        )

    def make_monitor(self, estimator, fitted_attributes):
        """Return a function of a descent, that is about to go on, for who looks on at it.

        Parameters
        ----------
        estimator : DescentEstimator
        show : callable
            Returns, for the descent, the attributes with which the estimator can predict.

        Returns
        -------
        Beginning or None
            None where nobody looks on.
        """
        idle = self.validation_set is None and self.context is None and not estimator.verbose
        return None if idle else MonitorFactory(self, estimator, fitted_attributes)

    def begin(self, estimator):
        """Tell the callbacks that the fit begins."""
        if self.context is not None:
            rows = metadata(self.training_set)
            self.context.call_on_fit_task_begin(estimator=estimator, **rows)

    def end(self, estimator):
        """Tell the callbacks that the fit is over."""
        if self.context is not None:
            rows = metadata(self.training_set)
            end = self.context.call_on_fit_task_end
            end(estimator=estimator, reconstruction_attributes={}, **rows)


class MonitorFactory(NamedTuple):
    """Who is to look on at one descent: called with it, returns one watcher for all."""

    monitoring: Monitoring
    estimator: object
    fitted_attributes: object

    @property
    def validates(self):
        """Whether the way matters, as every epoch is scored on other rows."""
        return self.monitoring.validation_set is not None

    def __call__(self, descent):
        """Return one watcher for all that look on."""
        monitoring, estimator, watchers = self.monitoring, self.estimator, []
        if self.validates:
            watchers.append(
                Validation(estimator, self.fitted_attributes, monitoring.validation_set, descent)
            )
        if estimator.verbose:
            watchers.append(print_progress)
        if monitoring.context is not None:
            context, task_name, most = monitoring.context, monitoring.task_name, estimator.max_iter
            context = context.subcontext(task_name, max_subtasks=most) if task_name else context
            watchers.append(
                Callbacks(
                    estimator, self.fitted_attributes, context, monitoring.training_set, descent
                )
            )

        def monitor_all(descent):
            if descent.outcome is not Outcome.NONFINITE:  # of which there is nothing to show
                for monitor in watchers:
                    monitor(descent)

        return monitor_all


class Validation:
    """Scores every epoch on rows that the descent does not see, and keeps the best."""

    def __init__(self, estimator, fitted_attributes, validation_set, descent):
        self.estimator, self.fitted_attributes, self.validation_set = (
            estimator,
            fitted_attributes,
            validation_set,
        )
        loss = estimator.scoring == "loss"
        self.scorer = _by_loss if loss else check_scoring(estimator, scoring=estimator.scoring)
        self.weight = validation_set.weight_options if takes_weights(self.scorer) else {}
        self.patience = estimator.n_iter_no_change if estimator.early_stopping else np.inf
        self.tol = estimator.tol or 0.0
        self.best = self.bar = -np.inf
        self.stale = 0
        try:
            self(descent)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"scoring={estimator.scoring!r} cannot score {type(estimator).__name__}, which "
                f"predicts numbers: {error}"
            ) from error
        if not np.isfinite(self.bar):
            raise ValueError(
                f"The validation score of the start is {descent.record.scores[0]} on "
                f"{len(validation_set.y)} rows. Hold out more of them (R^2 needs two), or choose "
                "another scoring."
            )

    def __call__(self, descent):
        """Score the present parameters; stop a descent that no longer improves the score."""
        view = copy.copy(self.estimator)
        vars(view).update(self.fitted_attributes(descent))
        if self.validation_set.frame is None:
            vars(view).pop("feature_names_in_", None)
        score = float(
            self.scorer(view, self.validation_set.given, self.validation_set.y, **self.weight)
        )
        descent.record.add_score(score)
        if score > self.best:
            self.best = score
            descent.select(descent.iterate)
        improved = score > self.bar + self.tol
        self.bar = score if improved else self.bar
        self.stale = 0 if improved else self.stale + 1
        if self.stale >= self.patience:
            descent.stop(Outcome.OVERFITTING)


class Callbacks:
    """Tells scikit-learn's callbacks about every epoch."""

    def __init__(self, estimator, fitted_attributes, context, training_set, descent):
        self.estimator, self.fitted_attributes, self.context = (
            estimator,
            fitted_attributes,
            context,
        )
        self.training_set = metadata(training_set)
        self.task = self._begin(descent)

    def __call__(self, descent):
        """End the task of the last epoch and begin that of the next, if there is one."""
        if self.task is not None and self._tell(self.task.call_on_fit_task_end, descent):
            descent.stop(Outcome.STOPPED)
        self.task = self._begin(descent) if descent.running else None

    def _begin(self, descent):
        task = self.context.subcontext(task_name="epoch")
        self._tell(task.call_on_fit_task_begin, descent)
        return task

    def _tell(self, hook, descent):
        return hook(
            estimator=self.estimator,
            reconstruction_attributes=lambda: self.fitted_attributes(descent),
            **self.training_set,
        )


def metadata(rows):
    """Return rows as scikit-learn's callbacks take them."""
    return {"X": rows.given, "y": rows.y, "metadata": rows.weight_options or None}


def print_progress(descent):
    """Print a line after epochs 1, 2, 3, 5, 10, 20, 30, 50, 100, ..."""
    record = descent.record
    digit, rest = str(record.n_epochs)[0], str(record.n_epochs)[1:]
    if digit in "1235" and not rest.strip("0"):
        score = f"  validation score {record.scores[-1]:.6f}" if record.scores else ""
        print(f"epoch {record.n_epochs:7d}  objective {record.curve[-1]:.6e}{score}")


def _by_loss(estimator, X, y, sample_weight=None):
    """Score by the estimator's own loss, the lower the better."""
    objective = estimator.objective(X, y, sample_weight)
    return -objective.data_term(estimator.parameters())[0]
