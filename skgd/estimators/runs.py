"""The runs of a call: resumed where the last call left them, or minimizers chosen and begun."""

from typing import NamedTuple

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from skgd.descent.descent import Descent
from skgd.descent.dry_run import rehearse
from skgd.descent.new_state import fixed_settings
from skgd.descent.options import Options, Setup
from skgd.estimators.certificates import certifier_of
from skgd.estimators.minimizers import asked_of_a_descent, direct, second_order_method
from skgd.estimators.nested_parameters import part_of, plain
from skgd.estimators.running_means import RunningMeans, check_link
from skgd.optimizers import Nesterov
from skgd.schedules import Auto
from skgd.solvers.auto import reason_against

QUARTERS = 60  # times that an automatic rate is cut, at most
DEFAULT_TOL = 1e-4  # that polishing goes by where there is none
FINER = 1e-2  # of tol, to which polishing goes
MAX_POLISHING = 10_000  # epochs
NESTEROV = Nesterov()  # of ``optimizer="auto"``


class LastCall(NamedTuple):
    """What a resumed fit knows of the last call."""

    runs: list | None
    means: RunningMeans | None
    n_updates: np.ndarray  # (n_targets,), of all calls

    @property
    def n_epochs(self):
        """The epochs that the descents have done in all calls."""
        return self.runs[0].earlier + self.runs[0].record.n_epochs if self.runs else 0


def last_call_of(estimator):
    """Return what a resumed fit of an estimator knows of the last call.

    Parameters
    ----------
    estimator : DescentEstimator
    """
    known = vars(estimator)
    runs, means, link = (known.get(name) for name in ("_descents", "_means", "_link"))
    check_link(link, part_of(estimator, "loss"))
    return LastCall(runs, means, np.ravel(estimator.t_))


class Runs:
    """Makes, resumes and runs the minimizers of a call, as the estimator's parameters say.

    Parameters
    ----------
    estimator : DescentEstimator
    problem : Problem
    monitoring : Monitoring
    stream : bool
        Whether the call is one of `partial_fit`, which does one epoch.
    """

    def __init__(self, estimator, problem, monitoring, stream):
        self.estimator, self.problem, self.monitoring = estimator, problem, monitoring
        self.stream, self.n_epochs = stream, 1 if stream else estimator.max_iter
        self.is_auto = isinstance(estimator.optimizer, str) and estimator.optimizer == "auto"
        self.method = second_order_method(estimator.optimizer)
        self.optimizer = NESTEROV if self.is_auto else part_of(estimator, "optimizer")
        self.schedule = part_of(estimator, "schedule").for_horizon(estimator.max_iter)
        self.polishes = self.problem.polishes and not stream
        self.batching = plain(estimator.batch_size), estimator.sampling, int(estimator.average)
        runs_to_tol = not (estimator.early_stopping or stream)
        self.options = Options(
            learning_rate=plain(estimator.learning_rate),
            tol=plain(estimator.tol) if runs_to_tol else None,
            n_iter_no_change=estimator.n_iter_no_change,
            record_path=int(estimator.record_path),
            clip_norm=estimator.clip_norm or np.inf,
            clip_value=estimator.clip_value or np.inf,
        )

    def can_resume(self, runs):
        """Return whether the runs of the last call go on under the present settings."""
        settings = fixed_settings(self.problem.objectives[0], self.optimizer, *self.batching)
        return bool(runs) and runs[0].settings == settings

    def resume(self, runs):
        """Return the runs of the last call, one for each target, after this one."""
        task_name = "" if self.problem.is_single else "target"
        for target, run in enumerate(runs):
            self.resume_one(run, target, task_name)
        return runs

    def resume_one(self, run, target, task_name=""):
        """Let the run of a target go on."""
        objective = self.problem.objectives[target]
        rate = self.problem.learning_rate(self.optimizer, run=run)
        options = self._options(objective)._replace(learning_rate=rate)
        run.resume(objective, self.optimizer, self.schedule, options, stream=self.stream)
        self._minimize(run, target, task_name)

    def begin(self, points, seed):
        """Return new runs, one from each point, which is given with its target."""
        several = "start" if self.problem.is_single else "target"
        task_name = several if len(points) > 1 or not self.problem.is_single else ""
        tasks = [(target, start, seed, task_name) for target, start in points]
        n_jobs = self.problem.n_jobs and min(self.problem.n_jobs, len(tasks))
        if n_jobs == 1 or len(tasks) == 1:
            return [self._run_from(*task) for task in tasks]
        run_from = delayed(self._run_from)
        return Parallel(n_jobs=n_jobs, prefer="threads")(run_from(*task) for task in tasks)

    def _run_from(self, target, start, seed, task_name):
        """Return a run from a start, at a quarter of the rate until the problem accepts it."""
        for k in range(1 if self.method else QUARTERS + 1):
            run = self._new(self.problem.objectives[target], start, seed, 0.25**k)
            self._minimize(run, target, task_name)
            if self.problem.accepts(run):
                break
        return run

    def _options(self, objective):
        """Return the options of a descent on an objective; another fixed point has no gap."""
        if self.optimizer.decoupled:
            return self.options
        return self.options._replace(certify=certifier_of(objective, self.options.tol))

    def _new(self, objective, start, seed, rate_share):
        """Return the method that is named, a direct solver where one may serve, or a descent."""
        if self.method:
            return self.method(objective, start, self.options.tol, self.options.record_path)
        if self.is_auto and reason_against(objective, self._asked()) is None:
            return direct(objective, plain(self.estimator.tol), start)
        rehearse(self.optimizer, objective.model)
        size, sampling, average = self.batching
        setup = Setup(size, sampling, seed, average, rate_share, self.problem.in_units)
        rate = self.problem.learning_rate(self.optimizer, start)
        options = self._options(objective)._replace(learning_rate=rate)
        return Descent(objective, self.optimizer, self.schedule, start, setup, options)

    def _asked(self):
        """Return what is asked for that only a descent can do."""
        params, is_validated = vars(self.estimator), self.monitoring.held_out is not None
        schedule = part_of(self.estimator, "schedule")
        return asked_of_a_descent(params, schedule, self.stream, is_validated)

    def _minimize(self, run, target, task_name):
        run.minimize(self.n_epochs, self.monitoring.monitor(run, target, task_name))
        if self.polishes and run.update_rule is not None and not run.outcome.failed:
            self._polish(run)

    def _polish(self, run):
        """Go on to the minimum by accelerated steps on the full batch."""
        tol, objective = self.estimator.tol or DEFAULT_TOL, run.objective
        options = Options(tol=FINER * tol, certify=certifier_of(objective, FINER * tol))
        setup = Setup(in_units=self.problem.in_units)
        other = Descent(objective, NESTEROV, Auto(), run.theta, setup, options)
        other.minimize(MAX_POLISHING)
        run.take_over(other)
