"""A descent: the parameters, the optimizer's memory, and the record of how they moved."""

import math

import numpy as np

from skgd.descent.growth import Growth
from skgd.descent.loop import build
from skgd.descent.loop_variant import loop_variant
from skgd.descent.new_state import are_same, carried_over, fixed_settings, identity, new_state
from skgd.descent.outcome import Outcome
from skgd.descent.rates import extended, gradient_unit, is_told
from skgd.descent.record import history_of
from skgd.descent.stopping import stopping_rule, thresholded_average
from skgd.kernels.compiling import Stopwatch, compiled_code
from skgd.kernels.problem import OBJECTIVE, RESIDUAL, SAMPLINGS, STEP_NORM, Cursor, Parts

UPDATES_AT_ONCE = 2**16  # in one call of the loop
ENTRIES_AT_ONCE = 2**28  # of X, so that an interrupt is heard


class Descent:
    """The only thing that changes: everything else is a value.

    Continuing a descent equals never having stopped. `resume` takes up new rows, or the same; the
    record then begins anew, so that no objective stands beside that of other rows.

    Parameters
    ----------
    objective : Objective
    optimizer, schedule : Optimizer, Schedule
    start : ndarray of shape (d,)
        Where the parameters begin.
    learning_rate : float or "auto"
    rate_share : float
        What an automatic rate is multiplied by.
    batch_size : int or None
        Rows in an update; None for all.
    sampling : {"shuffle", "replacement", "cyclic"}
    seed : int
        Of the order of the rows.
    tol : float or None
        On the full batch, of the scaled residual; on smaller ones, the improvement of the
        objective, in units of the constant prediction's, that keeps a descent going. None
        for no test.
    n_iter_no_change : int
        Epochs without such an improvement, on smaller batches.
    record_path : int
        Every which update's parameters to keep; 0 for none.
    average : int
        The first update whose parameters enter the mean that is reported; 0 for no mean.
    clip_norm, clip_value : float
        What the gradient of the smooth part is shortened to, and what its entries are then cut to.
    unit : float
        Of gradients, in which the rule's eps is given.

    Attributes
    ----------
    outcome : Outcome
    epoch, earlier : int
        Epochs done since the last `resume`, and before it.
    t, updates_before : int
        Updates done, and those of descents before this one, as who keeps count has set it.
    rate : float
        The learning rate that the schedule multiplies.
    columns : list of list
        What is known of the start and of the end of each epoch since the last `resume`, in the
        order of `TOTAL`, `LEFT`, `OMEGA`, `SLOPE`, `STEP` and `ZEROS`.
    scores : list of float
        Of the start and of each epoch on a validation set, filled by who watches.
    chosen : ndarray of shape (d,) or None
        The parameters that who watches has chosen as the answer.
    """

    def __init__(
        self,
        objective,
        optimizer,
        schedule,
        start,
        *,
        learning_rate="auto",
        rate_share=1.0,
        batch_size=None,
        sampling="shuffle",
        seed=0,
        tol=1e-4,
        n_iter_no_change=5,
        record_path=0,
        average=0,
        clip_norm=math.inf,
        clip_value=math.inf,
        unit=1.0,
    ):
        self.schedule, self.batch_size, self.sampling = schedule, batch_size, sampling
        self.settings = fixed_settings(objective, optimizer, batch_size, sampling, average)
        self.full = True
        self._meet(objective)
        self.unit, self.optimizer = unit, optimizer.in_unit(unit).resolved(self.full)
        self.names = identity(schedule), identity(self.optimizer)
        self.rng = np.random.default_rng(seed)
        self.tol, self.n_iter_no_change = tol, n_iter_no_change
        self.average, self.clips = average, (clip_norm, clip_value)
        self.epoch, self.earlier, self.t, self.updates_before = 0, 0, 0, 0
        self.factor, self.growth = 1.0, Growth()
        self.best, self.stale, self.ceiling = math.inf, 0.0, math.inf
        self.outcome, self.last, self.chosen = Outcome.RUNNING, 0, None
        start = objective.admissible(objective.as_parameters(start, "start"))
        size = None if self.full else self.batch
        self.state = new_state(objective, self.optimizer, start, size, average)
        self._begin_record(record_path)
        self.limits = self._limits()
        if self.full:
            self._evaluate()
        self.share, self.basis = rate_share, None
        self._set_rate(learning_rate, stream=False)

    @property
    def iterate(self):
        """The parameters, as they are reported."""
        if not self.average or self.t < self.average:
            return self.state.iterate
        return thresholded_average(self.objective, self.state.mean)

    @property
    def result(self):
        """What is reported: the parameters chosen by who watches, else the answer."""
        return self.iterate if self.chosen is None else self.chosen

    @property
    def curve(self):
        """The objective at the start and after each epoch."""
        return [column[OBJECTIVE] for column in self.columns]

    @property
    def residual(self):
        """The scaled residual at the end, on the full batch."""
        return self.columns[-1][RESIDUAL]

    @property
    def history(self):
        """What is known of the start and of the end of each epoch, as arrays by name."""
        return history_of(self.columns, self._rates, self._times, self.scores)

    @property
    def recorded(self):
        """Whether the parameters are kept after every update."""
        return self._path is not None

    @property
    def path(self):
        """The parameters at the start and after every kept update, of shape (updates + 1, d)."""
        return np.concatenate(self._path)

    @property
    def updates_per_epoch(self):
        """How many batches the rows make."""
        return -(-self.objective.n // self.batch)

    def descend(self, epochs, monitor=None):
        """Go on for so many epochs, or until there is a reason to stop.

        Parameters
        ----------
        epochs : int
        watch : callable or None
            Called with the descent after every epoch; may call `stop`.

        Returns
        -------
        Outcome
        """
        begin, self.last, self.outcome = self.epoch, self.epoch + epochs, Outcome.RUNNING
        while self.outcome is Outcome.RUNNING and self.epoch < self.last:
            self.outcome = self._advance(min(self.last - self.epoch, self._stride(monitor)))
            if self.outcome is Outcome.CONVERGED and self.optimizer.extrapolates:
                self.outcome = self._confirm()
            if self.outcome is Outcome.PLATEAU:
                self.outcome = self._reduce()
            if (
                monitor is not None
                or self.epoch == self.last
                or self.outcome is not Outcome.RUNNING
            ):
                self._finish_record()
            if monitor is not None:
                monitor(self)
        if self.outcome is Outcome.RUNNING:
            self.outcome = Outcome.MAX_ITER
        if self.outcome is not Outcome.NONFINITE:
            before, after = self.columns[begin][OBJECTIVE], self.columns[-1][OBJECTIVE]
            self.growth = self.growth.with_call(before, after, self.objective.null_objective)
            if self.growth.diverged(self.full and not self.objective.loss.nonsmooth):
                self.outcome = Outcome.DIVERGED
        return self.outcome

    def stop(self, outcome):
        """End a descent that would go on, for this reason."""
        if self.outcome is Outcome.RUNNING:
            self.outcome = outcome

    def drop_data(self):
        """Let go of the data, so that what remains is small and can be stored."""
        self.objective = None

    def resume(self, objective, optimizer, schedule, learning_rate, *, stream=False, **options):
        """Take up new data, or the same, where the descent was left.

        Parameters
        ----------
        objective : Objective
        optimizer, schedule : Optimizer, Schedule
            The same rule as at the beginning; any schedule.
        learning_rate : float or "auto"
            An automatic rate is kept, unless the new data need a lower one.
        stream : bool
            Whether these are rows of a stream. Where they are not those of the last call, they
            are one draw of many: a rate falls to what such batches bear, acceleration begins
            anew, and a plateau is looked for on these rows alone.
        **options
            ``tol``, ``n_iter_no_change``, ``record_path``, ``clip_norm`` and ``clip_value``.
        """
        before, kept, n = self.columns[-1], (self.best, self.stale), self.n
        self.factor = self.factor if identity(schedule) == self.names[0] else 1.0
        self.schedule = schedule
        self.tol, self.n_iter_no_change = options["tol"], options["n_iter_no_change"]
        self.clips = options["clip_norm"], options["clip_value"]
        self._meet(objective)
        told = learning_rate != "auto" or self.basis is not None
        self.unit = self.unit if told else gradient_unit(objective)
        self._carry_over(optimizer)
        self.earlier, self.epoch = self.earlier + self.epoch, 0
        self._begin_record(options["record_path"])
        self.limits, self.best = self._limits(), math.inf
        self._evaluate()
        same = n == self.n and are_same(before, self.columns[0])
        new = stream and not same
        if stream and same:
            self.best, self.stale = kept
        elif not self.full:
            self.best = math.inf  # until the epoch's beginning is recorded
        if new and self.optimizer.extrapolates:
            self._confirm()
        self.growth = self.growth if stream else Growth()
        if learning_rate != "auto" or self.basis is None or not stream or new:
            self._set_rate(learning_rate, new)

    def _carry_over(self, optimizer):
        """Fit the arrays to the data at hand; where these call for another rule, begin it."""
        rule = optimizer.in_unit(self.unit).resolved(self.full)
        size = None if self.full else self.batch
        if identity(rule) != self.names[1]:
            begun = new_state(self.objective, rule, self.state.iterate, size, self.average)
            self.state = begun._replace(mean=self.state.mean, last=self.state.last)
        self.optimizer, self.names = rule, (identity(self.schedule), identity(rule))
        self.state = carried_over(self.state, self.objective, rule, size)

    def _set_rate(self, rate, stream):
        """Take a rate that was given, or one that the data so far can bear."""
        if rate != "auto":
            self.rate, self.basis = rate, None
            return
        drawn = stream or self.sampling == "replacement"
        batch = None if self.full and not stream else self.batch
        objective, rule, g = self.objective, self.optimizer, self.state.g if self.full else None
        basis = extended(self.basis, objective, rule, (batch, drawn), self.state.iterate, g)
        self.rate = self.share * basis.rate(objective, rule)
        self.basis = basis if self.basis or is_told(objective, rule, basis) else None

    def _meet(self, objective):
        """Find out what the batches are. A descent on smaller ones remains one."""
        size, drawn = self.batch_size, self.sampling == "replacement"
        self.objective, self.n = objective, objective.n
        self.batch = min(size or self.n, self.n)
        self.full = self.full and self.batch == self.n and not (size and drawn)

    def _begin_record(self, record_path):
        """Forget the record so far."""
        self.columns, self.scores, self._rates, self._times = [], [], [], []
        self._stopwatch = Stopwatch()
        self._kept = int(record_path)
        self._path = [self.state.iterate[None].copy()] if record_path else None

    def _finish_record(self):
        """On smaller batches, find out what the last epoch has reached."""
        if self.full:
            return
        looked = self._evaluate_in_place()
        if looked in (Outcome.NONFINITE, Outcome.DIVERGED):
            self.outcome = looked

    def _advance(self, epochs):
        """Do some epochs in one call of the loop."""
        updates, n = self.updates_per_epoch, self.objective.n
        times = np.arange(epochs * updates)
        done = self.earlier + self.epoch
        times = done + times // updates if self.schedule.per == "epoch" else self.t + times
        rates = self.rate * self.factor * self.schedule.multiplier(times)
        before, draws, seen = self.rng.bit_generator.state, (), None
        if not self.full:
            draws = self.rng.random((epochs, n))
            seen = self._pop_record()
        done, outcome = self._call(rates, draws, np.empty((6, epochs)))
        if seen:
            self.columns[self.epoch][STEP_NORM] = seen[STEP_NORM]
        if done < epochs and not self.full:
            self.rng.bit_generator.state = before
            self.rng.random((done, n))
        self._rates += rates[updates - 1 :: updates][:done].tolist()
        self.epoch += done
        self.t += done * updates
        return outcome

    def _pop_record(self):
        """Take back the column of the present epoch, if there is one, and return it."""
        taken = self.columns[self.epoch :]
        del self.columns[self.epoch :], self._times[self.epoch :]
        return taken[0] if taken else None

    def _evaluate_in_place(self):
        """Find out where the descent stands, without counting it as an epoch."""
        kept, seen = (self.best, self.stale), self._pop_record()
        outcome = self._evaluate()
        self.best, self.stale = kept
        if seen:
            self.columns[-1][STEP_NORM] = seen[STEP_NORM]
        return outcome

    def _evaluate(self):
        """Find out where the descent stands, without a step."""
        self.state.g[:] = 0.0
        return self._call(np.empty(0), () if self.full else np.empty((1, 0)), np.empty((6, 1)))[1]

    def _confirm(self):
        """What has converged is the point looked past to; ask the same of the answer."""
        self.state.theta[:] = self.state.iterate
        self.state.scalars[:] = 0.0
        return self._evaluate_in_place()

    def _reduce(self):
        """Cut the rate, if the schedule reacts to a plateau."""
        if self.schedule.patience() is None:
            return Outcome.PLATEAU
        factor = self.schedule.next_factor(self.factor)
        if factor == 0.0:
            return Outcome.PLATEAU
        self.factor, self.stale = factor, 0.0
        return Outcome.RUNNING

    def _call(self, rates, draws, record):
        """Call the loop, and keep what it reports."""
        objective, updates = self.objective, self.updates_per_epoch
        parts = Parts(objective.model, objective.loss, self.optimizer, objective.penalty)
        plan = Cursor(
            self.batch,
            SAMPLINGS[self.sampling],
            self.t + 1,
            self.best,
            self.stale,
            self.ceiling,
            self.average,
            max(1, self._kept),
        )
        path = np.empty((self._marks(self.t, rates.size), objective.d))
        begin, _ = self._stopwatch.read()
        classes = (*map(type, parts), type(objective.data.rows))
        with compiled_code():
            code, done, self.best, self.stale, self.ceiling = build(*classes, self._mode(rates))(
                parts, objective.data, self.state, self.limits, plan, draws, rates, record, path
            )
        share = np.arange(done) + float(self.full and rates.size > 0)
        end, compiling = self._stopwatch.read()
        self._times += [(begin + k / done * (end - begin), compiling) for k in share.tolist()]
        self.columns += record[:, :done].T.tolist()
        if self._path:
            self._path.append(path[: self._marks(self.t, rates.size and done * updates)])
        return done, Outcome(code)

    def _marks(self, t, updates):
        """Return how many of the updates after the t-th go into the path."""
        return (t + updates) // self._kept - t // self._kept if self._kept else 0

    def _mode(self, rates):
        """Return the form of the loop."""
        form = {
            "averages": self.average > 0,
            "bounded": bool(np.isfinite(self.objective.data.floor).any()),
            "clips": min(self.clips) < math.inf,
            "variance_reduced": self.optimizer.variance_reduced and not self.full,
        }
        size = None if self.full else self.batch
        return loop_variant(self.objective, self.optimizer, size, form, rates, self.recorded)

    def _stride(self, monitored):
        """How many epochs to do in one call."""
        if monitored or self.schedule.patience():
            return 1
        most = ENTRIES_AT_ONCE // max(1, self.objective.X.size)
        return max(1, min(UPDATES_AT_ONCE // self.updates_per_epoch, most))

    def _limits(self):
        """Work out what the loop compares with."""
        patience = self.n_iter_no_change, self.schedule.patience()
        return stopping_rule(self.objective, self.full, self.tol, patience, self.clips)
