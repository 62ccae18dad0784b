"""The monitors of a fit: validation scoring, scikit-learn's callbacks, printing.

A monitor is called with the minimizer after every epoch, and may stop it.
"""

import copy

import numpy as np
from sklearn.metrics import check_scoring

from skgd.descent.outcome import Outcome
from skgd.estimators._sklearn import open_context, takes_weights


class Monitoring:
    """Makes the monitors of the runs of a call.

    Parameters
    ----------
    estimator : DescentEstimator
    problem : Problem
    rows : Rows
        That it is fitted to.
    held_out : Rows or None
        That it is validated on.
    last : LastCall or None
    stream : bool
        Whether the call is one of `partial_fit`, of which callbacks are not told.
    """

    def __init__(self, estimator, problem, rows, held_out, last, stream):
        self.estimator, self.problem, self.rows = estimator, problem, rows
        self.held_out, self.last = held_out, last
        self.context = None if stream else open_context(estimator)

    def begin(self):
        """Tell the callbacks that the fit begins."""
        if self.context is not None:
            rows = metadata(self.rows)
            self.context.call_on_fit_task_begin(estimator=self.estimator, **rows)

    def end(self):
        """Tell the callbacks that the fit is over."""
        if self.context is not None:
            rows, attributes = metadata(self.rows), {"reconstruction_attributes": {}}
            end = self.context.call_on_fit_task_end
            end(estimator=self.estimator, **attributes, **rows)

    def monitor(self, run, target, task_name=""):
        """Return the monitor of one run that is about to begin or to go on.

        Parameters
        ----------
        run : Minimizer
        target : int
        task_name : str
            What callbacks call each of several runs.

        Returns
        -------
        callable or None
            None where nothing is to be monitored.
        """
        before = 0 if self.last is None else self.last.n_updates[target]

        def attributes_of(run):
            attributes = self.problem.attributes(target, run.iterate)
            return {**attributes, "t_": before + run.n_updates, "_failure": None}

        estimator, monitors = self.estimator, []
        if self.held_out is not None:
            held_out = self.held_out.target(target)
            held_out = held_out._replace(y=self.problem.given_targets(held_out.y))
            monitors.append(Validation(estimator, attributes_of, held_out, run))
        if estimator.verbose:
            monitors.append(print_progress)
        if self.context is not None:
            context, rows = self.context, metadata(self.rows.target(target))
            if task_name:
                context = context.subcontext(task_name, max_subtasks=estimator.max_iter)
            monitors.append(Callbacks(estimator, attributes_of, context, rows, run))

        def monitor_all(run):
            if run.outcome is not Outcome.NONFINITE:  # of which there is nothing to show
                for monitor in monitors:
                    monitor(run)

        return monitor_all if monitors else None


class Validation:
    """Scores every epoch on rows that are not fitted to, and selects the best.

    Parameters
    ----------
    estimator : DescentEstimator
    attributes_of : callable
        Returns, for a run, the attributes with which the estimator can predict.
    held_out : Rows
    run : Minimizer
    """

    def __init__(self, estimator, attributes_of, held_out, run):
        self.estimator, self.attributes_of = estimator, attributes_of
        self.held_out, scoring = held_out, estimator.scoring
        is_loss = isinstance(scoring, str) and scoring == "loss"
        self.scorer = _negative_loss if is_loss else check_scoring(estimator, scoring=scoring)
        self.weight = held_out.weight_options if takes_weights(self.scorer) else {}
        self.patience = estimator.n_iter_no_change if estimator.early_stopping else np.inf
        self.tol = estimator.tol or 0.0
        self.best = self.bar = -np.inf
        self.stale = 0
        try:
            self(run)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"scoring={scoring!r} cannot score {type(estimator).__name__}, which "
                f"predicts numbers: {error}"
            ) from error
        if not np.isfinite(self.bar):
            raise ValueError(
                f"The validation score of the start is {run.record.scores[0]} on "
                f"{len(held_out.y)} rows. Hold out more of them (R^2 needs two), or choose "
                "another scoring."
            )

    def __call__(self, run):
        """Score the present parameters; stop a run that no longer improves the score."""
        view = copy.copy(self.estimator)
        vars(view).update(self.attributes_of(run))
        if self.held_out.frame is None:
            vars(view).pop("feature_names_in_", None)
        score = float(self.scorer(view, self.held_out.given, self.held_out.y, **self.weight))
        run.record.add_score(score)
        if score > self.best:
            self.best = score
            run.select(run.iterate)
        improved = score > self.bar + self.tol
        self.bar = score if improved else self.bar
        self.stale = 0 if improved else self.stale + 1
        if self.stale >= self.patience:
            run.stop(Outcome.OVERFITTING)


class Callbacks:
    """Tells scikit-learn's callbacks about every epoch.

    Parameters
    ----------
    estimator, attributes_of, run
        As in `Validation`.
    context : CallbackContext of scikit-learn
    rows : dict
        As `metadata` returns it.
    """

    def __init__(self, estimator, attributes_of, context, rows, run):
        self.estimator, self.attributes_of = estimator, attributes_of
        self.context, self.rows = context, rows
        self.task = self._begin(run)

    def __call__(self, run):
        """End the task of the last epoch and begin that of the next, if there is one."""
        if self.task is not None and self._tell(self.task.call_on_fit_task_end, run):
            run.stop(Outcome.STOPPED)
        self.task = self._begin(run) if run.running else None

    def _begin(self, run):
        task = self.context.subcontext(task_name="epoch")
        self._tell(task.call_on_fit_task_begin, run)
        return task

    def _tell(self, hook, run):
        attributes = {"reconstruction_attributes": lambda: self.attributes_of(run)}
        return hook(estimator=self.estimator, **attributes, **self.rows)


def metadata(rows):
    """Return rows as scikit-learn's callbacks take them."""
    return {"X": rows.given, "y": rows.y, "metadata": rows.weight_options or None}


def print_progress(run):
    """Print a line after epochs 1, 2, 3, 5, 10, 20, 30, 50, 100, ..."""
    record = run.record
    digit, rest = str(record.n_epochs)[0], str(record.n_epochs)[1:]
    if digit in "1235" and not rest.strip("0"):
        score = f"  validation score {record.scores[-1]:.6f}" if record.scores else ""
        print(f"epoch {record.n_epochs:7d}  objective {record.curve[-1]:.6e}{score}")


def _negative_loss(estimator, X, y, sample_weight=None):
    """Score by the estimator's own loss, the lower the better."""
    objective = estimator.objective(X, y, sample_weight)
    return -objective.term.prediction_loss(estimator.parameters())
