"""A descent: the parameters, the optimizer's memory, and the record of how they moved."""

import math

import numpy as np

from skgd.descent.compiled import Stopwatch, undisturbed
from skgd.descent.history import history_of
from skgd.descent.loop import build
from skgd.descent.outcome import Outcome
from skgd.descent.rates import automatic_rate
from skgd.descent.reduced import remembered
from skgd.descent.residual import mean_with_zeros, residual_scale
from skgd.descent.rows import CsrRows
from skgd.descent.state import (
    LEFT,
    SAMPLINGS,
    STEP,
    TOTAL,
    Idle,
    Limits,
    Mode,
    Parts,
    Plan,
    State,
)

UPDATES_AT_ONCE = 2**16  # in one call of the loop
# How far above its start, or the constant prediction's, an objective counts as diverged.
RISEN, NOISE = 1.0 + 1e-9, 10.0
ENTRIES_AT_ONCE = 2**28  # of X, so that an interrupt is heard


class Descent:
    """The only thing that changes: everything else is a value.

    Continuing a descent equals never having stopped.

    Parameters
    ----------
    objective : Objective
    optimizer, schedule : Optimizer, Schedule
    start : ndarray of shape (d,)
        Where the parameters begin.
    learning_rate : float or "auto"
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
    epoch, t : int
        Epochs and updates done.
    rate : float
        The learning rate that the schedule multiplies.
    columns : list of list
        What is known of the start and of the end of each epoch, in the order of `TOTAL`, `LEFT`,
        `OMEGA`, `SLOPE`, `STEP` and `ZEROS`.
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
        self.settings = optimizer, batch_size, sampling, objective.d
        self._meet(objective)
        self.optimizer = optimizer.in_unit(unit).resolved(self.full)
        self.rng = np.random.default_rng(seed)
        self.tol, self.n_iter_no_change = tol, n_iter_no_change
        self.average, self.clips = average, (clip_norm, clip_value)
        self.epoch, self.t, self.factor = 0, 0, 1.0
        self.best, self.stale, self.ceiling = math.inf, 0.0, math.inf
        self.outcome, self.columns, self.scores = Outcome.RUNNING, [], []
        self.last, self.chosen = 0, None
        self._rates, self._times, self._stopwatch = [], [], Stopwatch()
        start = objective.admissible(objective.as_parameters(start, "start"))
        self._kept, self._path = int(record_path), [start[None].copy()] if record_path else None
        self.state, self.limits = self._state(start), self._limits()
        if self.full:
            self._look()
        self.rate = self._automatic_rate(start) if learning_rate == "auto" else learning_rate

    @property
    def answer(self):
        """The parameters, as they are reported."""
        if not self.average or self.t < self.average:
            return self.state.answer
        return mean_with_zeros(self.objective, self.state.mean)

    @property
    def result(self):
        """What is reported: the parameters chosen by who watches, else the answer."""
        return self.answer if self.chosen is None else self.chosen

    @property
    def curve(self):
        """The objective at the start and after each epoch."""
        return [column[TOTAL] for column in self.columns]

    @property
    def residual(self):
        """The scaled residual at the end, on the full batch."""
        return self.columns[-1][LEFT]

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

    def descend(self, epochs, watch=None):
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
        self.last, self.outcome = self.epoch + epochs, Outcome.RUNNING
        while self.outcome is Outcome.RUNNING and self.epoch < self.last:
            self.outcome = self._advance(min(self.last - self.epoch, self._stride(watch)))
            if self.outcome is Outcome.CONVERGED and self.optimizer.looks_ahead:
                self.outcome = self._confirm()
            if self.outcome is Outcome.PLATEAU:
                self.outcome = self._reduce()
            if watch is not None or self.epoch == self.last or self.outcome is not Outcome.RUNNING:
                self._finish_record()
            if watch is not None:
                watch(self)
        if self.outcome is Outcome.RUNNING:
            self.outcome = Outcome.MAX_ITER
        risen = RISEN if self.full and not self.objective.loss.rough else NOISE
        start = max(self.columns[0][TOTAL], self.objective.null)
        if self.outcome is not Outcome.NONFINITE and self.columns[-1][TOTAL] > risen * start:
            self.outcome = Outcome.DIVERGED
        return self.outcome

    def stop(self, outcome):
        """End a descent that would go on, for this reason."""
        if self.outcome is Outcome.RUNNING:
            self.outcome = outcome

    def release(self):
        """Let go of the data, so that what remains is small and can be stored."""
        self.objective = None

    def resume(self, objective, learning_rate="auto"):
        """Take up new data, or the same, where the descent was left.

        An automatic rate is kept, unless the new data need a lower one.
        """
        self._stopwatch.start()
        self._meet(objective)
        state, n = self.state, objective.n
        objective.drop_constant(state.theta, state.answer)
        order = () if self.full else np.arange(n)
        idle = state.idle._replace(pulls=np.zeros(self.batch)) if state.idle else ()
        reduced = remembered(self.optimizer, objective, self.full, state.reduced)
        self.state = state._replace(order=order, idle=idle, reduced=reduced)
        self.limits = self._limits()
        if self.full:
            self._look_again()
        if learning_rate != "auto":
            self.rate = learning_rate
        elif self.optimizer.fraction is None:
            self.rate = min(self.rate, self._automatic_rate(self.state.answer))

    def _automatic_rate(self, start):
        batch, g = (None, self.state.g) if self.full else (self.batch, None)
        drawn = self.sampling == "replacement"
        return automatic_rate(self.objective, self.optimizer, start, batch, drawn, g)

    def _meet(self, objective):
        """Find out what the batches are."""
        size, drawn = self.batch_size, self.sampling == "replacement"
        self.objective, self.batch = objective, min(size or objective.n, objective.n)
        self.full = self.batch == objective.n and not (size and drawn)

    def _finish_record(self):
        """On smaller batches, find out what the last epoch has reached."""
        if self.full:
            return
        looked = self._look_again()
        if looked in (Outcome.NONFINITE, Outcome.DIVERGED):
            self.outcome = looked

    def _advance(self, epochs):
        """Do some epochs in one call of the loop."""
        updates, n = self.updates_per_epoch, self.objective.n
        times = np.arange(self.t, self.t + epochs * updates)
        if self.schedule.per == "epoch":
            times = times // updates
        rates = self.rate * self.factor * self.schedule.multiplier(times)
        before, draws, seen = self.rng.bit_generator.state, (), None
        if not self.full:
            draws = self.rng.random((epochs, n))
            seen = self._unwritten()
        done, outcome = self._call(rates, draws, np.empty((6, epochs)))
        if seen:
            self.columns[self.epoch][STEP] = seen[STEP]
        if done < epochs and not self.full:
            self.rng.bit_generator.state = before
            self.rng.random((done, n))
        self._rates += rates[updates - 1 :: updates][:done].tolist()
        self.epoch += done
        self.t += done * updates
        return outcome

    def _unwritten(self):
        """Take back the column of the present epoch, if there is one, and return it."""
        taken = self.columns[self.epoch :]
        del self.columns[self.epoch :], self._times[self.epoch :]
        return taken[0] if taken else None

    def _look_again(self):
        """Find out where the descent stands, without counting it as an epoch."""
        kept, seen = (self.best, self.stale), self._unwritten()
        outcome = self._look()
        self.best, self.stale = kept
        if seen:
            self.columns[-1][STEP] = seen[STEP]
        return outcome

    def _look(self):
        """Find out where the descent stands, without a step."""
        self.state.g[:] = 0.0
        return self._call(np.empty(0), () if self.full else np.empty((1, 0)), np.empty((6, 1)))[1]

    def _confirm(self):
        """What has converged is the point looked past to; ask the same of the answer."""
        self.state.theta[:] = self.state.answer
        self.state.scalars[:] = 0.0
        return self._look_again()

    def _reduce(self):
        """Cut the rate, if the schedule reacts to a plateau."""
        if self.schedule.patience() is None:
            return Outcome.PLATEAU
        reduced = self.schedule.reduced(self.factor)
        if reduced == 0.0:
            return Outcome.PLATEAU
        self.factor, self.stale = reduced, 0.0
        return Outcome.RUNNING

    def _call(self, rates, draws, record):
        """Call the loop, and keep what it reports."""
        objective, updates = self.objective, self.updates_per_epoch
        parts = Parts(objective.model, objective.loss, self.optimizer, objective.penalty)
        plan = Plan(
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
        with undisturbed():
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
        """Choose the form of the loop."""
        objective, sparse = self.objective, isinstance(self.objective.data.rows, CsrRows)
        mode = Mode(
            "batch",
            averages=self.average > 0,
            bounded=bool(np.isfinite(objective.data.floor).any()),
            clips=min(self.clips) < math.inf,
            reduces=self.optimizer.reduces and not self.full,
        )
        if self.full:
            return mode._replace(batch="full")
        if sparse and not any(mode[1:]) and self._may_wait(rates):
            return mode._replace(batch="lazy")
        plain = sparse or self.batch > 1 or objective.centre is not None or any(mode[3:])
        return mode if plain or self.optimizer.needs_norm else mode._replace(batch="single")

    def _may_wait(self, rates):
        """Whether weights that a batch does not touch may be left for later."""
        objective, elastic = self.objective, self.objective.penalty.elastic()
        if not self.optimizer.lazy or self._path or objective.centre is not None or not elastic:
            return False
        slow = rates.max(initial=0.0) * objective.alpha * elastic[1] < 0.5
        return slow and objective.shares is None

    def _stride(self, watched):
        """How many epochs to do in one call."""
        if watched or self.schedule.patience():
            return 1
        most = ENTRIES_AT_ONCE // max(1, self.objective.X.size)
        return max(1, min(UPDATES_AT_ONCE // self.updates_per_epoch, most))

    def _state(self, start):
        """Make the arrays that the loop rewrites."""
        rule, d, p = self.optimizer, self.objective.d, self.objective.p
        theta = start.astype(float)
        apart = rule.looks_ahead or not self.full
        lazy = not self.full and rule.lazy and isinstance(self.objective.data.rows, CsrRows)
        idle = Idle(np.array([1.0, 0.0]), np.zeros(p), np.zeros(self.batch))
        return State(
            theta=theta,
            answer=theta.copy() if apart else theta,
            last=theta.copy(),
            mean=np.zeros(d if self.average else 0),
            g=np.zeros(d),
            memory=np.zeros((rule.n_memory, d)) if rule.n_memory else (),
            scalars=np.zeros(rule.n_scalars) if rule.n_scalars else (),
            order=() if self.full else np.arange(self.objective.n),
            idle=idle if lazy else (),
            reduced=remembered(rule, self.objective, self.full),
        )

    def _limits(self):
        """Work out what the loop compares with."""
        objective, tested = self.objective, self.tol is not None
        scale = residual_scale(objective) if self.full else np.ones((3, objective.d))
        patience = self.schedule.patience() or (self.n_iter_no_change if tested else math.inf)
        smooth = self.full and not objective.loss.rough
        return Limits(
            tol=self.tol if tested and self.full else -1.0,
            gain=(self.tol * (self.tol if smooth else 1.0) if tested else 0.0) * objective.null,
            patience=math.inf if smooth and not self.schedule.patience() else float(patience),
            null=objective.null,
            scale=scale,
            norm=float(self.clips[0]),
            entry=float(self.clips[1]),
        )
