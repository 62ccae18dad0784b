"""A descent: a resumable run of an optimizer."""

import math

import numpy as np

from skgd.descent.growth import Growth
from skgd.descent.loop import descend
from skgd.descent.loop_variant import loop_variant
from skgd.descent.minimizer import Minimizer, UpdateRule
from skgd.descent.new_state import are_same, carried_over, fixed_settings, identity, new_state
from skgd.descent.options import OPTIONS, SETUP
from skgd.descent.outcome import Outcome
from skgd.descent.rates import extended, is_told
from skgd.descent.record import Record
from skgd.descent.stopping import stopping_rule
from skgd.kernels.draws import new_generator
from skgd.kernels.problem import SAMPLINGS, STEP_NORM, Cursor, Epochs
from skgd.objective.residual import gradient_unit, thresholded_average

UPDATES_AT_ONCE = 2**16  # in one call of the loop
ENTRIES_AT_ONCE = 2**28  # of X, so that an interrupt is heard


class Descent(Minimizer):
    """A resumable run of an optimizer.

    It owns theta, the optimizer's state, the random generator, the counters and the record. To
    continue equals never having stopped. `resume` takes up new rows, or the same; the record then
    begins anew, so that no objective stands beside that of other rows.

    Parameters
    ----------
    objective : Objective
    optimizer, schedule : Optimizer, Schedule
    start : ndarray of shape (d,)
    setup : Setup
    options : Options

    Attributes
    ----------
    t : int
        Updates done, since the first call.
    earlier : int
        Epochs done before the record began.
    """

    resumable = True

    def __init__(self, objective, optimizer, schedule, start, setup=SETUP, options=OPTIONS):
        self.schedule, self.setup, self.options = schedule, setup, options
        batching = setup.batch_size, setup.sampling, setup.average
        self.settings = fixed_settings(objective, optimizer, *batching)
        self.full = True
        self._bind_data(objective)
        self.unit = gradient_unit(objective) if options.learning_rate == "auto" else 1.0
        self.optimizer = optimizer.in_unit(self.unit).resolved(self.full)
        self.names = identity(schedule), identity(self.optimizer)
        self.generator = new_generator(setup.seed)
        self.earlier, self.t = 0, 0
        self.factor, self.growth = 1.0, Growth()
        self.best, self.stale, self.ceiling = math.inf, 0.0, math.inf
        start = objective.admissible(objective.as_parameters(start, "start"))
        self.state = new_state(objective, self.optimizer, start, self._size, setup.average)
        self._begin_record()
        if self.full:
            self._evaluate()
        self.basis = None
        self._set_rate(stream=False)

    @property
    def iterate(self):
        """The latest parameters, or their mean where one is kept."""
        if not self.setup.average or self.t < self.setup.average:
            return self.state.iterate
        return thresholded_average(self.objective, self.state.mean)

    @property
    def tol(self):
        """What decides that the run has converged; None for no test."""
        return self.options.tol

    @property
    def n_updates(self):
        """Updates since the record began."""
        return self.t - self.t_before

    @property
    def update_rule(self):
        """The rule of an update, and the rows that it sees."""
        return UpdateRule(self.optimizer, self._size, self._is_drawn)

    @property
    def updates_per_epoch(self):
        """How many batches the rows make."""
        return -(-self.objective.n // self.batch)

    @property
    def _size(self):
        return None if self.full else self.batch

    @property
    def _is_drawn(self):
        return self.setup.sampling == "replacement"

    def minimize(self, n_epochs, monitor=None):
        """Go on for so many epochs, or until there is a reason to stop."""
        record, first = self.record, self.record.n_epochs
        self.last, self.outcome = first + n_epochs, Outcome.RUNNING
        while self.running:
            left = self.last - record.n_epochs
            self.outcome = self._advance(min(left, self._stride(monitor is not None)))
            if self.outcome is Outcome.CONVERGED and self.optimizer.extrapolates:
                self.outcome = self._confirm()
            if self.outcome is Outcome.PLATEAU:
                self.outcome = self._reduce_rate()
            if not self.full and (monitor is not None or not self.running):
                found = self._evaluate_in_place()  # what the last epoch has reached
                self.outcome = found if found.failed else self.outcome
            if monitor is not None:
                monitor(self)
        if self.outcome is Outcome.RUNNING:
            self.outcome = Outcome.MAX_ITER
        if self.outcome is not Outcome.NONFINITE:
            curve = record.curve
            sums = self.growth.with_call(curve[first], curve[-1], self.objective.null_objective)
            self.growth = sums
            if sums.diverged(self.full and not self.objective.term.nonsmooth):
                self.outcome = Outcome.DIVERGED
        return self.outcome

    def drop_data(self):
        """Drop the data, so that what remains is small and can be stored."""
        self.objective = None

    def resume(self, objective, optimizer, schedule, options, *, stream=False):
        """Continue the run on new data, or the same.

        Parameters
        ----------
        objective : Objective
        optimizer, schedule : Optimizer, Schedule
            The same rule as at the beginning; any schedule.
        options : Options
            An automatic rate is kept, unless the new data need a lower one.
        stream : bool
            Whether these are rows of a stream. If they differ from those of the last call, they
            are one draw of many: the automatic rate falls to a stable one for such batches, the
            acceleration begins anew, and only these rows decide on a plateau.
        """
        before, kept, n = self.record.last, (self.best, self.stale), self.n
        self.factor = self.factor if identity(schedule) == self.names[0] else 1.0
        self.schedule, self.options, self.selected = schedule, options, None
        self._bind_data(objective)
        is_automatic = options.learning_rate == "auto"
        if is_automatic and self.basis is None:
            self.unit = gradient_unit(objective)
        self._carry_over(optimizer)
        self.earlier += self.record.n_epochs
        self._begin_record()
        self.best = math.inf
        self._evaluate()
        same = n == self.n and are_same(before, self.record.last)
        new = stream and not same
        if stream and same:
            self.best, self.stale = kept
        elif not self.full:
            self.best = math.inf  # until the epoch's beginning is recorded
        if new and self.optimizer.extrapolates:
            self._confirm()
        self.growth = self.growth if stream else Growth()
        if not is_automatic or self.basis is None or not stream or new:
            self._set_rate(new)

    def _carry_over(self, optimizer):
        """Adapt the state to the data, or begin it anew where these resolve to another rule."""
        rule, average = optimizer.in_unit(self.unit).resolved(self.full), self.setup.average
        if identity(rule) != self.names[1]:
            begun = new_state(self.objective, rule, self.state.iterate, self._size, average)
            self.state = begun._replace(mean=self.state.mean, last=self.state.last)
        self.optimizer, self.names = rule, (identity(self.schedule), identity(rule))
        self.state = carried_over(self.state, self.objective, rule, self._size)

    def _set_rate(self, stream):
        """Set the learning rate: the given one, or one that is stable on the data so far."""
        if self.options.learning_rate != "auto":
            self.learning_rate, self.basis = self.options.learning_rate, None
            return
        batch = None if self.full and not stream else self.batch
        objective, rule, g = self.objective, self.optimizer, self.state.g if self.full else None
        sampling = batch, stream or self._is_drawn
        basis = extended(self.basis, objective, rule, sampling, self.state.iterate, g)
        self.learning_rate = self.setup.rate_share * basis.rate(objective, rule)
        self.basis = basis if self.basis or is_told(objective, rule, basis) else None

    def _bind_data(self, objective):
        """Set the batch size for these rows. A descent on small batches remains one."""
        size = self.setup.batch_size
        self.objective, self.n = objective, objective.n
        self.batch = min(size or self.n, self.n)
        self.full = self.full and self.batch == self.n and not (size and self._is_drawn)

    def _begin_record(self):
        """Begin a record, and take over what stops the run."""
        self.record, self.t_before = Record(self.state.iterate, self.options.record_path), self.t
        patience = self.options.n_iter_no_change, self.schedule.patience()
        clips = self.options.clip_norm, self.options.clip_value
        self.limits = stopping_rule(self.objective, self.full, self.tol, patience, clips)

    def _advance(self, epochs):
        """Do some epochs in one call of the loop."""
        updates = self.updates_per_epoch
        done = self.earlier + self.record.n_epochs
        if self.schedule.per == "epoch":
            factors = np.repeat(self.schedule.multiplier(done + np.arange(epochs)), updates)
        else:
            factors = self.schedule.multiplier(self.t + np.arange(epochs * updates))
        rates = self.learning_rate * self.factor * factors
        del factors  # of as many numbers
        step_norm = None if self.full else self.record.withdraw()
        done, outcome = self._call(rates, epochs, step_norm)
        self.t += done * updates
        return outcome

    def _evaluate_in_place(self):
        """Evaluate the iterate, without counting it as an epoch."""
        kept = self.best, self.stale
        outcome = self._evaluate(self.record.withdraw())
        self.best, self.stale = kept
        return outcome

    def _evaluate(self, step_norm=None):
        """Record the iterate, without a step."""
        self.state.g[:] = 0.0
        return self._call(np.empty(0), 1, step_norm)[1]

    def _confirm(self):
        """The extrapolated point meets tol; test the iterate that will be returned."""
        self.state.theta[:] = self.state.iterate
        self.state.scalars[:] = 0.0
        return self._evaluate_in_place()

    def _reduce_rate(self):
        """Cut the rate, if the schedule reacts to a plateau."""
        if self.schedule.patience() is None:
            return Outcome.PLATEAU
        factor = self.schedule.next_factor(self.factor)
        if factor == 0.0:
            return Outcome.PLATEAU
        self.factor, self.stale = factor, 0.0
        return Outcome.RUNNING

    def _call(self, rates, epochs, step_norm):
        """Call the loop, and record what it reports; the first step's length may be known."""
        objective, updates, record = self.objective, self.updates_per_epoch, self.record
        sampling, average = SAMPLINGS[self.setup.sampling], self.setup.average
        bests, every = (self.best, self.stale, self.ceiling), max(1, record.every)
        cursor = Cursor(self.batch, sampling, self.t + 1, *bests, average, every)
        path = np.empty((record.n_kept(self.t, rates.size), objective.d))
        generator = () if self.full else self.generator
        call, began = Epochs(generator, rates, np.empty((6, epochs)), path), record.read()
        variant = self._loop_variant(rates)
        ends = descend(objective, self.optimizer, variant, self.state, self.limits, cursor, call)
        code, done, self.best, self.stale, self.ceiling = ends
        if step_norm is not None:
            call.record[STEP_NORM, 0] = step_norm
        last = rates[updates - 1 :: updates][:done]
        record.extend(call.record[:, :done].T, last, began, self.full and rates.size > 0)
        record.extend_path(path[: record.n_kept(self.t, rates.size and done * updates)])
        return done, Outcome(code)

    def _loop_variant(self, rates):
        """Return the variant of the loop."""
        clips = min(self.options.clip_norm, self.options.clip_value) < math.inf
        wanted = {"averages": self.setup.average > 0, "clips": clips}
        recorded = self.record.every > 0
        return loop_variant(self.objective, self.optimizer, self._size, wanted, rates, recorded)

    def _stride(self, monitored):
        """How many epochs to do in one call."""
        if monitored or self.schedule.patience():
            return 1
        most = ENTRIES_AT_ONCE // max(1, self.objective.n * self.objective.d)
        return max(1, min(UPDATES_AT_ONCE // self.updates_per_epoch, most))
