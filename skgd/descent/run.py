"""A descent: the parameters, the optimizer's memory, and the record of how they moved."""

import math

import numpy as np

from skgd.descent.loop import build
from skgd.descent.outcome import Outcome
from skgd.descent.rates import automatic_rate
from skgd.descent.rows import CsrRows
from skgd.descent.state import CYCLIC, REPLACEMENT, SHUFFLE, Idle, Limits, Parts, Plan, State

SAMPLINGS = {"shuffle": SHUFFLE, "replacement": REPLACEMENT, "cyclic": CYCLIC}
UPDATES_AT_ONCE = 2**16  # in one call of the loop
ENTRIES_AT_ONCE = 2**28  # of X, so that an interrupt is heard
ROUNDING = 8.0 * np.finfo(float).eps


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
    record_path : bool
        Whether to keep the parameters after every update.

    Attributes
    ----------
    outcome : Outcome
    epoch, t : int
        Epochs and updates done.
    rate : float
        The learning rate that the schedule multiplies.
    curve : list of float
        The objective at the start and after each epoch.
    residual : float
        The scaled residual at the end, on the full batch.
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
        record_path=False,
    ):
        self.objective, self.schedule = objective, schedule
        self.batch = min(batch_size or objective.n, objective.n)
        self.full = self.batch == objective.n and not (batch_size and sampling == "replacement")
        self.optimizer = optimizer.resolved(self.full)
        self.sampling, self.rng = sampling, np.random.default_rng(seed)
        self.tol, self.n_iter_no_change = tol, n_iter_no_change
        self.epoch, self.t, self.factor = 0, 0, 1.0
        self.best, self.stale, self.ceiling = math.inf, 0.0, math.inf
        self.outcome, self.curve, self.residual = Outcome.RUNNING, [], math.inf
        self._path = [start[None].copy()] if record_path else None
        self.state, self.limits = self._state(start), self._limits()
        if self.full:
            self._look()
        self.rate = learning_rate
        if learning_rate == "auto":
            batch, g = (None, self.state.g) if self.full else (self.batch, None)
            drawn = sampling == "replacement"
            self.rate = automatic_rate(objective, self.optimizer, start, batch, drawn, g)

    @property
    def answer(self):
        """The parameters, as they are reported."""
        return self.state.answer

    @property
    def recorded(self):
        """Whether the parameters are kept after every update."""
        return self._path is not None

    @property
    def path(self):
        """The parameters at the start and after every update, of shape (t + 1, d)."""
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
            Called with the descent after every epoch; a true answer stops it.

        Returns
        -------
        Outcome
        """
        last = self.epoch + epochs
        self.outcome = Outcome.RUNNING
        while self.outcome is Outcome.RUNNING and self.epoch < last:
            self.outcome = self._advance(min(last - self.epoch, self._stride(watch)))
            if self.outcome is Outcome.CONVERGED and self.optimizer.looks_ahead:
                self.outcome = self._confirm()
            if self.outcome is Outcome.PLATEAU:
                self.outcome = self._reduce()
            if watch is not None or self.epoch == last or self.outcome is not Outcome.RUNNING:
                self._finish_record()
            if watch is not None and watch(self) and self.outcome is Outcome.RUNNING:
                self.outcome = Outcome.STOPPED
        if self.outcome is Outcome.RUNNING:
            risen = self.curve[-1] > max(self.curve[0], self.objective.null)
            self.outcome = Outcome.DIVERGED if risen else Outcome.MAX_ITER
        return self.outcome

    def _finish_record(self):
        """On smaller batches, find out what the last epoch has reached."""
        if self.full or self.outcome is Outcome.NONFINITE:
            return
        kept = self.best, self.stale
        looked = self._look()
        self.best, self.stale = kept
        if looked in (Outcome.NONFINITE, Outcome.DIVERGED):
            self.outcome = looked

    def _advance(self, epochs):
        """Do some epochs in one call of the loop."""
        updates, n = self.updates_per_epoch, self.objective.n
        times = np.arange(self.t, self.t + epochs * updates)
        if self.schedule.per == "epoch":
            times = times // updates
        rates = self.rate * self.factor * self.schedule.multiplier(times)
        before, draws = self.rng.bit_generator.state, ()
        if not self.full:
            draws = self.rng.random((epochs, n))
            del self.curve[self.epoch :]
        done, outcome = self._call(rates, draws, np.empty((2, epochs)))
        if done < epochs and not self.full:
            self.rng.bit_generator.state = before
            self.rng.random((done, n))
        self.epoch += done
        self.t += done * updates
        return outcome

    def _look(self):
        """Find out where the descent stands, without a step."""
        self.state.g[:] = 0.0
        return self._call(np.empty(0), () if self.full else np.empty((1, 0)), np.empty((2, 1)))[1]

    def _confirm(self):
        """What has converged is the point looked past to; ask the same of the answer."""
        self.state.theta[:] = self.state.answer
        self.state.scalars[:] = 0.0
        self.curve.pop()
        return self._look()

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
        objective, sampling = self.objective, SAMPLINGS[self.sampling]
        parts = Parts(objective.model, objective.loss, self.optimizer, objective.penalty)
        plan = Plan(self.batch, sampling, self.t + 1, self.best, self.stale, self.ceiling)
        path = np.empty((rates.size if self._path else 0, objective.d))
        classes = (*map(type, parts), type(objective.data.rows))
        with np.errstate(all="ignore"):
            code, done, self.best, self.stale, self.ceiling = build(*classes, self._mode(rates))(
                parts, objective.data, self.state, self.limits, plan, draws, rates, record, path
            )
        self.curve += record[0, :done].tolist()
        self.residual = float(record[1, done - 1])
        if self._path:
            self._path.append(path[: done * self.updates_per_epoch])
        return done, Outcome(code)

    def _mode(self, rates):
        """Choose the form of the loop."""
        objective, sparse = self.objective, isinstance(self.objective.data.rows, CsrRows)
        if self.full:
            return "full"
        if sparse and self._may_wait(rates):
            return "lazy"
        plain = sparse or self.batch > 1 or objective.centre is not None
        return "batch" if plain or self.optimizer.needs_norm else "single"

    def _may_wait(self, rates):
        """Whether weights that a batch does not touch may be left for later."""
        objective, elastic = self.objective, self.objective.penalty.elastic()
        if not self.optimizer.lazy or self._path or objective.centre is not None or not elastic:
            return False
        return rates.max(initial=0.0) * objective.alpha * elastic[1] < 0.5

    def _stride(self, watched):
        """How many epochs to do in one call."""
        if watched or self.schedule.patience():
            return 1
        entries = max(1, self.objective.X.size)
        return max(1, min(UPDATES_AT_ONCE // self.updates_per_epoch, ENTRIES_AT_ONCE // entries))

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
            g=np.zeros(d),
            memory=np.zeros((rule.n_memory, d)) if rule.n_memory else (),
            scalars=np.zeros(rule.n_scalars) if rule.n_scalars else (),
            order=() if self.full else np.arange(self.objective.n),
            idle=idle if lazy else (),
        )

    def _limits(self):
        """Work out what the loop compares with."""
        objective, tested = self.objective, self.tol is not None
        scale = residual_scale(objective) if self.full else np.ones((3, objective.d))
        patience = self.schedule.patience() or (self.n_iter_no_change if tested else math.inf)
        return Limits(
            tol=self.tol if tested and self.full else -1.0,
            gain=(self.tol ** (2 if self.full else 1) if tested else 0.0) * objective.null,
            patience=math.inf if self.full and not self.schedule.patience() else float(patience),
            null=objective.null,
            scale=scale,
        )


def residual_scale(objective):
    """Return the prox step, the unit and the rounding of each entry of the residual.

    A parameter's proximal gradient is measured in units of the root of its curvature times
    the spread of y, which makes it, for a weight, the correlation of its column with what is
    left to explain. Rounding is what the sum over rows cannot resolve.
    """
    p, curvature = objective.p, objective.column_curvature.copy()
    size = curvature.copy()
    size[:p] += 0.0 if objective.centre is None else objective.centre**2
    curvature[:p] += objective.alpha * objective.penalty.curvature()
    flat = curvature <= ROUNDING**2 * size
    curvature[flat] = 1.0
    unit = 1.0 / np.sqrt(2.0 * curvature * objective.null)
    rounding = ROUNDING * np.sqrt(size * (objective.y @ objective.y) / objective.n)
    return np.stack([1.0 / curvature, unit, rounding])
