"""Epochs over pieces of rows in turn: on each, a descent does what `partial_fit` would do.

The pieces come in an order that is drawn anew for every epoch, or as they are numbered.
"""

import numpy as np
from sklearn.base import is_classifier

from skgd.descent.outcome import Outcome
from skgd.estimators.data import check_validation, rows_in_use, validation_rows
from skgd.estimators.minimizers import takes_streams
from skgd.estimators.monitoring import Monitoring
from skgd.estimators.nested_parameters import plain
from skgd.estimators.piece_rows import check_columns, rows_in_pieces
from skgd.estimators.rows import weighed_rows
from skgd.estimators.run_in_turn import RunInTurn
from skgd.estimators.runs import LastCall, Runs
from skgd.estimators.seeds import new_seed
from skgd.estimators.targets import coded_validation, learn_classes
from skgd.objective.piece_classes import CLASSES, coded
from skgd.objective.row_sets import ChangedRows
from skgd.pieces import Pieces


class Unwatched:
    """Stands for the monitors of calls, of which there are none: epochs are monitored."""

    held_out = None

    def monitor(self, run, target, task_name=""):
        return None


def visits_in_turn(estimator, X):
    """Whether a fit takes steps on one piece after the other, not on sums over all."""
    is_batched = estimator.batch_size is not None or estimator.steps_on_pieces
    return isinstance(X, Pieces) and is_batched


def coded_pieces(classifier, pieces, begins):
    """Return pieces with numbers for classes, which a classifier learns where it ``begins``."""
    if pieces.n_targets not in (None, 1):
        raise ValueError(f"y should be a 1d array, got one with {pieces.n_targets} columns.")
    factors = learn_classes(classifier, *pieces.engine.ask(CLASSES), begins)
    engine = ChangedRows(pieces.engine, coded, classifier.classes_, factors)
    known = pieces.n_features, pieces.dtype, None, pieces.names, pieces.is_sparse
    return Pieces(engine, *known)


class EpochsInTurn:
    """A fit of batches to pieces.

    Parameters
    ----------
    estimator : DescentEstimator
    make_problem : callable
        Returns the `Problem` of rows, the last call, and whether they are of a stream.
    pieces : Pieces
    validation : tuple
        X, y and weights to validate on, as they were given.
    last : LastCall or None
    stream : bool
        Whether the call is one of `partial_fit`, which does one epoch.

    Attributes
    ----------
    runs : list of RunInTurn
        One for each target.
    problem : Problem
        Of the last piece.
    last : LastCall
        What a further call needs to go on.
    """

    def __init__(self, estimator, make_problem, pieces, validation, last, stream):
        _check(estimator, stream)
        self.estimator, self.make_problem = estimator, make_problem
        self.last, self.stream, self.runs, self.moments = last, stream, [], {}
        check_columns(estimator, pieces, last is None)
        try:
            if is_classifier(estimator):
                pieces = coded_pieces(estimator, pieces, last is None)
            self.pieces, self.rows = pieces, rows_in_pieces(estimator, pieces, False, in_turn=True)
            held_out = validation_rows(estimator, *coded_validation(estimator, validation))
            check_validation(estimator, held_out)
        except BaseException:
            pieces.engine.release()
            raise
        draws = estimator.sampling != "cyclic"
        self.seed = new_seed(estimator.random_state, draws or last is None)
        self.begun = 0 if last is None else last.n_epochs
        self.monitoring = Monitoring(estimator, None, self.rows, held_out, last, stream)
        self.monitors = []

    def run(self):
        """Do the epochs, until every target has a reason to stop."""
        self.monitoring.begin()
        for epoch in range(1 if self.stream else self.estimator.max_iter):
            for rows in self._in_turn(epoch):
                self._call(rows, epoch)
                if any(run.outcome.failed for run in self.runs):
                    break
            self._end_epoch()
            if not any(run.running for run in self.runs):
                break
        for run in self.runs:
            run.stop(Outcome.MAX_ITER)

    def whole_problem(self):
        """Return the problem of all rows, if it can be stated, else of the last piece."""
        if self.estimator.steps_on_pieces:
            return self.problem
        return self.make_problem(self.rows, self.last, True)

    def _in_turn(self, epoch):
        """Generate the rows of the pieces of an epoch that have a weight."""
        numbers = range(len(self.pieces))
        if self.estimator.sampling != "cyclic":
            numbers = np.random.default_rng([self.seed, self.begun + epoch]).permutation(numbers)
        for number, piece in self.pieces.engine.pieces([*map(int, numbers)]):
            if piece.weight.any():
                yield self._rows_of(number, piece)

    def _rows_of(self, number, piece):
        """Return a piece as rows in memory."""
        y = np.ascontiguousarray(piece.y[:, 0]) if self.rows.is_single else piece.y
        weight = None if piece.weight.strides == (0,) else piece.weight
        rows = weighed_rows(piece.X, y, weight, moments=self.moments.get(number, ()))
        rows = rows.with_moments()
        self.moments[number] = rows.moments
        return rows

    def _call(self, rows, epoch):
        """Let the descents of all targets go on, or begin, on the rows of a piece."""
        estimator, last = self.estimator, self.last
        problem = self.make_problem(rows_in_use(estimator, rows, True), last, True)
        self.problem = self.monitoring.problem = problem
        calls = Runs(estimator, problem, Unwatched(), stream=True)
        resumes = last is not None and calls.can_resume(last.runs)
        if resumes:
            descents = last.runs
            if not self.runs:
                for descent, objective in zip(descents, problem.objectives):
                    descent.bind_data(objective)
                self._watch([descent.iterate for descent in descents])
            for k, descent in enumerate(descents):
                if self.runs[k].outcome is Outcome.RUNNING:
                    descent.earlier = self.begun + epoch - descent.record.n_epochs
                    calls.resume_one(descent, k)
        else:
            starts = problem.starts(self.seed)
            vars(estimator).update(starts.attributes)
            if not self.runs:
                firsts = {target: point for target, point in reversed(starts.points)}
                self._watch([firsts[target] for target in sorted(firsts)])
            descents = problem.answer(calls.begin(starts.points, self.seed)).runs
        for run, descent, objective in zip(self.runs, descents, problem.objectives):
            if run.outcome is Outcome.RUNNING:
                run.add_call(descent, rows.total, objective.null_objective)
                descent.drop_data()
        n_updates = last.n_updates if last is not None else np.zeros(len(self.runs), dtype=int)
        self.last = LastCall(descents, problem.means, n_updates)
        self.schedule = calls.schedule

    def _watch(self, iterates):
        """Make the runs and their monitors, at the beginning."""
        estimator = self.estimator
        tests = not (estimator.early_stopping or self.stream)
        known = plain(estimator.tol) if tests else None, estimator.n_iter_no_change
        every, task_name = int(estimator.record_path), "" if self.problem.is_single else "target"
        n_epochs = 1 if self.stream else estimator.max_iter
        for target, iterate in enumerate(iterates):
            run = RunInTurn(iterate.copy(), every, *known)
            run.last = n_epochs
            self.runs.append(run)
            self.monitors.append(self.monitoring.monitor(run, target, task_name))

    def _end_epoch(self):
        for run, monitor in zip(self.runs, self.monitors):
            if run.has_calls:
                run.end_epoch(self.schedule)
                if monitor is not None:
                    monitor(run)


def _check(estimator, stream):
    """Refuse what pieces in turn cannot honour."""
    name, asked = type(estimator).__name__, vars(estimator)
    if estimator.early_stopping and stream:
        raise ValueError("early_stopping should be False with partial_fit.")
    if not takes_streams(estimator):
        raise ValueError(
            f"{name} cannot use optimizer={estimator.optimizer!r} on pieces of rows, as it needs "
            "all rows in each step, and pieces are visited in turn. Choose a rule."
        )
    for option, why in (
        ("polish", "steps on all rows follow the descent"),
        ("recalibrate", "the statistics of all layers are those of all rows"),
    ):
        if asked.get(option) is True:
            raise ValueError(f"{name} cannot use {option}=True on pieces in turn: {why}.")
