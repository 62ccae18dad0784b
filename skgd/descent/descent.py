"""A descent: a resumable run of an optimizer."""

import math

import numpy as np

from skgd.descent.arrival import control_of
from skgd.descent.convergence import after_a_call, restart
from skgd.descent.growth import Growth
from skgd.descent.loop import descend
from skgd.descent.loop_variant import epochs_by_rows, loop_variant
from skgd.descent.minimizer import Minimizer, UpdateRule
from skgd.descent.new_state import are_same, carried_over, fixed_settings, identity, new_state
from skgd.descent.options import OPTIONS, SETUP
from skgd.descent.outcome import Outcome
from skgd.descent.rates import extended, is_told
from skgd.descent.record import Record
from skgd.descent.stopping import stopping_rule
from skgd.descent.units import centre_of, see_from, units_of
from skgd.kernels.draws import new_generator
from skgd.kernels.problem import SAMPLINGS, STEP_NORM, Cursor, Epochs
from skgd.kernels.quadratic import FRESH, LEFT, new_reference
from skgd.objective.residual import gradient_unit, thresholded_average
from skgd.objective.second_order import gradient_from

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

    resumable, streams, reference, centre = True, False, (), ()

    def __init__(self, objective, optimizer, schedule, start, setup=SETUP, options=OPTIONS):
        self.schedule, self.setup, self.options = schedule, setup, options
        batching = setup.batch_size, setup.sampling, setup.average
        self.settings = fixed_settings(objective, optimizer, *batching)
        self.full, self.grown, self.met = True, 1, None
        self.bind_data(objective)
        self.units = units_of(objective, optimizer.resolved(self.full), setup, options)
        is_automatic = options.learning_rate == "auto"
        self.unit = gradient_unit(objective, self.units) if is_automatic else 1.0
        self.optimizer = optimizer.in_unit(self.unit).resolved(self.full)
        self.names = identity(schedule), identity(self.optimizer)
        self.generator, self.earlier, self.t = new_generator(setup.seed), 0, 0
        self.factor, self.growth, self.basis = 1.0, Growth(), None
        self.best, self.stale, self.ceiling = math.inf, 0.0, math.inf
        start = objective.admissible(objective.as_parameters(start, "start"))
        batching = self._size, setup.average
        self.state = new_state(objective, self.optimizer, start, *batching, self.units)
        self.control = self._new_control()
        self._begin_record()
        if self.full:
            self._evaluate()
        self._set_rate(stream=False)

    @property
    def iterate(self):
        """The latest parameters, or their mean where one is kept."""
        if not self.setup.average or self.t < self.setup.average:
            return self.state.iterate
        return thresholded_average(self.objective, self.state.mean)

    @property
    def is_centred(self):
        """Whether rows are seen from a centre."""
        return self.settings[-1] is True

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
        return UpdateRule(self.optimizer, self._size, self.setup.is_drawn)

    @property
    def updates_per_epoch(self):
        """How many batches the rows make."""
        return (self.n - self.objective.term.fewest) // self.batch + 1

    @property
    def _size(self):
        return None if self.full else self.batch

    def minimize(self, n_epochs, monitor=None):
        """Go on for so many epochs, or until there is a reason to stop."""
        record, first = self.record, self.record.n_epochs
        self.last, self.outcome = first + n_epochs, Outcome.RUNNING
        while self.running:
            self.outcome = self._advance(self._stride(monitor is not None))
            self.outcome = after_a_call(self)
            if not self.full and (monitor is not None or not self.running):
                found = self.evaluate_in_place()  # what the last epoch has reached
                self.outcome = found if found.failed else self.outcome
            if monitor is not None:
                monitor(self)
        if self.outcome is Outcome.RUNNING:
            self.outcome = Outcome.MAX_ITER
        if self.outcome is not Outcome.NONFINITE:
            found = record.curve[first], record.curve[-1], self.objective.null_objective
            self.growth = sums = self.growth.with_call(*found)
            if sums.diverged(self.full and not self.objective.term.nonsmooth):
                self.outcome = Outcome.DIVERGED
        return self.outcome

    def drop_data(self):
        """Drop the data, so that what remains is small and can be stored."""
        if self.reference and self.reference.numbers[LEFT] < FRESH - 1:
            self.evaluate_in_place()  # by rows, as a later call will
        if self.objective is not None:
            self.objective, self.centre = None, centre_of(self.objective)

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
        self.schedule, self.options, self.streams = schedule, options, stream
        self.certificate = self.selected = None
        see_from(self.state, objective, self.centre)
        self.bind_data(objective)
        is_automatic = options.learning_rate == "auto"
        if is_automatic and self.basis is None:
            self.unit = gradient_unit(objective, self.units)
        self._carry_over(optimizer)
        self.earlier += self.record.n_epochs
        self._begin_record()
        self.best = math.inf
        self._evaluate()
        same = n == self.n and are_same(before, self.record.last)
        new = stream and not same
        if not same or self.control is None:
            self.control = self._new_control()
        if stream and same:
            self.best, self.stale = kept
        elif not self.full:
            self.best = math.inf  # until the epoch's beginning is recorded
        if new and self.optimizer.extrapolates:
            restart(self)
        self.reference = self.reference if same and not stream else ()
        if self.reference:
            self.state.g[:] = gradient_from(self.reference, objective.term, self.state.theta)
        self.growth = self.growth if stream else Growth()
        if not is_automatic or self.basis is None or not stream or new:
            self._set_rate(new)

    def _carry_over(self, optimizer):
        """Adapt the state to the data, or begin it anew where these resolve to another rule."""
        rule, average = optimizer.in_unit(self.unit).resolved(self.full), self.setup.average
        if identity(rule) != self.names[1]:
            known = self._size, average, self.units
            begun = new_state(self.objective, rule, self.state.iterate, *known)
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
        sampling = batch, stream or self.setup.is_drawn
        basis = extended(self.basis, objective, rule, sampling, self.state.iterate, g, self.units)
        self.learning_rate = self.setup.rate_share * basis.rate(objective, rule)
        if self.control is not None:
            self.learning_rate *= self.control.first_factor
        self.basis = basis if self.basis or is_told(objective, rule, basis) else None

    def bind_data(self, objective):
        """Set the batch size for these rows. A descent on small batches remains one."""
        size = self.setup.batch_size
        self.objective, self.n = objective, objective.n
        self.batch = min(self.grown * size if size else self.n, self.n)
        self.full = self.full and self.batch == self.n and not (size and self.setup.is_drawn)

    def _begin_record(self):
        """Begin a record, and take over what stops the run."""
        self.record, self.t_before = Record(self.state.iterate, self.options.record_path), self.t
        waits = self.schedule.controls and self.options.learning_rate == "auto"
        waits = waits and self.options.certifies
        patience = math.inf if waits else self.schedule.patience()
        known = self.objective, self.full, self.options, patience, self.certificate
        self.limits = stopping_rule(*known, self.optimizer.newton_fraction is not None)

    def _advance(self, epochs):
        """Do some epochs in one call of the loop."""
        updates, done = self.updates_per_epoch, self.earlier + self.record.n_epochs
        if self.schedule.per == "epoch":
            factors = np.repeat(self.schedule.multiplier(done + np.arange(epochs)), updates)
        else:
            factors = self.schedule.multiplier(self.t + np.arange(epochs * updates))
        rates = self.learning_rate * self.factor * factors
        del factors  # of as many numbers
        step_norm = None if self.full else self.record.withdraw()
        done, outcome = self._call(rates, epochs, step_norm)
        self.t += done * updates
        if self.control:
            self.control.note(self.record.latest(done))
        return outcome

    def evaluate_in_place(self):
        """Evaluate the iterate, without counting it as an epoch."""
        kept = self.best, self.stale
        outcome = self._evaluate(self.record.withdraw())
        self.best, self.stale = kept
        return outcome

    def _evaluate(self, step_norm=None):
        """Record the iterate, without a step."""
        self.state.g[:] = 0.0
        return self._call(np.empty(0), 1, step_norm)[1]

    def _new_control(self):
        """Return the control of the rate, where the schedule has one and the rule needs it."""
        known = self.objective, self.optimizer, self.full, self.options, self.iterate
        return control_of(*known) if self.schedule.controls else None

    def _call(self, rates, epochs, step_norm):
        """Call the loop, and record what it reports; the first step's length may be known."""
        objective, updates, record = self.objective, self.updates_per_epoch, self.record
        sampling, average = SAMPLINGS[self.setup.sampling], self.setup.average
        ceiling = min(self.ceiling, self.control.ceiling) if self.control else self.ceiling
        bests, every = (self.best, self.stale, ceiling), max(1, record.every)
        cursor = Cursor(self.batch, sampling, self.t + 1, *bests, average, every)
        path = np.empty((record.n_kept(self.t, rates.size), objective.d))
        generator = () if self.full else self.generator
        call, began = Epochs(generator, rates, np.empty((6, epochs)), path), record.read()
        wanted = {"averages": average > 0, "clips": self.options.clips}
        wanted["in_units"] = self.units is not None
        known = objective, self.optimizer, self._size, wanted
        variant = loop_variant(*known, rates, record.every > 0)
        known = self.state, self.limits, cursor, call, self.reference if rates.size else ()
        ends = descend(objective, self.optimizer, variant, *known)
        self.ceiling = self.ceiling if self.best < math.inf else ends[-1]
        code, done, self.best, self.stale, _ = ends
        if step_norm is not None:
            call.record[STEP_NORM, 0] = step_norm
        last = rates[updates - 1 :: updates][:done]
        record.extend(call.record[:, :done].T, last, updates, began, self.full and rates.size > 0)
        record.extend_path(path[: record.n_kept(self.t, rates.size and done * updates)])
        return done, Outcome(code)

    def _stride(self, monitored):
        """How many epochs to do in one call."""
        objective, done = self.objective, self.earlier + self.record.n_epochs
        early = epochs_by_rows(self)
        if not self.reference and done >= early and objective.term.bounds.has_second_derivative:
            self.reference = new_reference(objective.d)
        if monitored or self.schedule.patience():
            return 1
        most = self.last - self.record.n_epochs
        most = min(most, self.options.stride(objective, self.certificate))
        most = min(most, self.control.left) if self.control else most
        most = min(most, early - done) if done < early else most
        if not self.reference:
            most = min(most, ENTRIES_AT_ONCE // max(1, objective.n * objective.d))
        return max(1, min(UPDATES_AT_ONCE // self.updates_per_epoch, most))
