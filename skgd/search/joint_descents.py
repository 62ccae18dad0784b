"""The descents of many candidates on one fold, epoch by epoch."""

from itertools import chain

import numpy as np

from skgd.estimators.messages import FAILED_CANDIDATE
from skgd.estimators.validation import stored_as
from skgd.kernels.compiling import compiled_code
from skgd.kernels.stacked_step import TILE
from skgd.objective.residual import thresholded_average
from skgd.search.candidate_stack import CandidateStack, merged
from skgd.search.joint_problem import JointProblem
from skgd.search.joint_stopping import JointStopping
from skgd.search.ordered_rows import OrderedRows
from skgd.search.trained import Trained

SLOWEST = 0.5  # rate times l2 strength, above which lazy weights lose their digits


class JointDescents:
    """Candidates that descend together on one fold.

    Parameters
    ----------
    estimators : list of GDRegressor
        With the same key (`skgd.search.descents.key_of`).
    fold : Fold
    """

    def __init__(self, estimators, fold):
        self.problem = problem = JointProblem(estimators, fold)
        self.max_iter, self.n_epochs = problem.first.max_iter, 0
        n = problem.target.size
        self.found = [None] * n
        self.n_iter, self.failed = np.zeros(n, dtype=int), np.zeros(n, dtype=bool)
        self.shared, self.safe = problem.shared(), problem.safe_squares()
        stops = problem.first.tol is not None or problem.schedule.patience() is not None
        self.stopping = JointStopping(problem) if stops else None
        self.controls = self.stopping is not None and self.stopping.controls[0] is not None
        self.shared_of = {problem.batch: self.shared}
        self.rows = None
        if not problem.full:
            self.rows = OrderedRows(problem.term, problem.first.sampling, problem.seed)
        self.stacks = self._new_stacks()

    def advance(self, n_epochs):
        """Go on for so many epochs, as far as ``max_iter`` allows."""
        last = min(self.n_epochs + n_epochs, self.max_iter)
        while self.stacks and self.n_epochs < last:
            self._run_epochs(last - self.n_epochs)
        if self.n_epochs == self.max_iter:
            self._end()

    def keep(self, mask):
        """Go on with some of the candidates.

        Parameters
        ----------
        mask : ndarray of bool, of shape (n_candidates,)
        """
        kept = mask[self.problem.candidate]
        self._leave_out([~kept[stack.members] for stack in self.stacks])

    def results(self):
        """Return what the candidates have come to, as `Trained`."""
        problem = self.problem
        for stack in self.stacks:
            self._store(stack, np.arange(stack.members.size))
        C, (K, p, dtype) = len(problem.estimators), problem.form
        theta = np.zeros((C, K, p + 1))
        with np.errstate(all="ignore"):
            for k in range(K):
                ends = problem.problem.in_order_of_init(k, np.array(self.found[k::K]))
                theta[:, k, : ends.shape[1]] = ends
        failed = self.failed.reshape(C, K).any(axis=1)
        name = type(problem.first).__name__
        failures = [FAILED_CANDIDATE.format(name) if bad else None for bad in failed]
        for c in np.flatnonzero(~failed):
            try:
                theta[c] = stored_as(dtype, theta[c], p) + 0
            except ValueError as error:
                failures[c] = str(error)
        told = [None if failures[c] else self._warning(c) for c in range(C)]
        found = theta[:, :, :p], theta[:, :, p]
        return Trained(*found, failures, told, self.n_iter.reshape(C, K))

    def _warning(self, candidate):
        """Return what a separate fit would warn of."""
        if self.stopping is None:
            return None
        columns = np.flatnonzero(self.problem.candidate == candidate)
        told = [self.stopping.message(column, self.found[column]) for column in columns]
        return "\n".join(filter(None, told)) or None

    def _new_stacks(self):
        """Return the candidates in stacks, those together that move by the same sweep."""
        problem, shared = self.problem, self.shared
        slow = problem.rates * problem.l2 < SLOWEST
        slow &= problem.objectives[0].centre is None
        slow &= problem.objectives[0].penalty_factor is None
        sweeps = np.array([shared.sweep(may_wait) for may_wait in (False, True)])[slow.astype(int)]
        stacks = []
        for sweep in dict.fromkeys(sweeps):
            columns = np.flatnonzero(sweeps == sweep)
            columns = columns[np.argsort(problem.l1[columns] > 0.0, kind="stable")]
            few = sweep not in ("full", "products")
            tile = TILE if few else columns.size  # whole tiles are the fastest
            for part in np.split(columns, range(tile, columns.size, tile)):
                settings = problem.settings(part)
                stacks.append(CandidateStack.new(shared, sweep, part, settings))
        for stack in stacks if self.controls else ():
            stack.last = stack.iterate.copy()
        return stacks

    def _multipliers(self, updates):
        """Return the multipliers of the rates in an epoch of so many updates."""
        schedule, k = self.problem.schedule, self.n_epochs
        if schedule.per == "epoch":
            return np.repeat(schedule.multiplier(np.array([k])), updates)
        return schedule.multiplier(k * updates + np.arange(updates))

    def _run_epochs(self, most):
        """Run an epoch, or several up to one after which a candidate may have diverged."""
        problem, done = self.problem, 1
        with compiled_code():
            if problem.on_products and self.stopping is None:
                (stack,) = self.stacks
                multipliers = problem.schedule.multiplier(self.n_epochs + np.arange(most))
                done = stack.full_steps(problem.term, multipliers, self.safe[stack.members])
            elif problem.full:
                multiplier = self._multipliers(1)[0]
                for stack in self.stacks:
                    stack.full_step(problem.term, multiplier)
            else:
                self.rows.draw()
                for batch in dict.fromkeys(stack.shared.batch for stack in self.stacks):
                    self._sweep([stack for stack in self.stacks if stack.shared.batch == batch])
        self.n_epochs += done
        if self.stopping is None:
            self._drop_diverged()
        else:
            self._judge()

    def _sweep(self, stacks):
        """Take the steps of an epoch, of candidates with the same batch size."""
        batch = stacks[0].shared.batch
        for chunk in self.rows.chunks(batch, self._multipliers(-(-self.problem.n // batch))):
            for stack in stacks:
                stack.run(self.problem.term, chunk)
        for stack in stacks:
            stack.measure()

    def _judge(self):
        """Evaluate the objectives, and leave out the candidates that have arrived or failed."""
        problem, stopping, extrapolates = (
            self.problem,
            self.stopping,
            self.shared.rule.extrapolates,
        )
        stopping.previous[:] = stopping.totals
        for stack in self.stacks:
            theta, columns = stack.arrays.theta, stack.members
            if problem.full:
                totals = problem.totals(theta, columns, stack.gradients)
                stack.knows_gradients = True
            if extrapolates or not problem.full:
                totals = problem.totals(stack.iterate, columns)
            stopping.totals[columns] = totals
        self._leave_out([stopping.ended(stack, self.n_epochs) for stack in self.stacks])
        if self.controls and not problem.full:
            self._part_by_batch()

    def _part_by_batch(self):
        """Put candidates whose batches have grown into stacks of their own."""
        runs, parted = self.stopping.runs, []
        for stack in self.stacks:
            sizes = np.array([runs[column].batch for column in stack.members])
            if (sizes == stack.shared.batch).all():
                parted.append(stack)
                continue
            for batch in dict.fromkeys(sizes.tolist()):
                if batch not in self.shared_of:
                    self.shared_of[batch] = self.problem.shared(batch)
                part = stack.take(np.flatnonzero(sizes == batch))
                parted.append(part.with_batch(self.shared_of[batch]))
        if parted != self.stacks:
            self.stacks = self._without_gaps(parted)

    @staticmethod
    def _without_gaps(stacks):
        """Return stacks, of which those of one kind are put together."""
        kinds = {}
        for stack in stacks:
            kinds.setdefault((stack.sweep, stack.shared.batch), []).append(stack)
        return [*chain(*map(_closed, kinds.values()))]

    def _drop_diverged(self):
        """Leave out the candidates whose objective has grown beyond its ceiling, or is no number.

        It is computed only where the length of the parameters does not rule that out.
        """
        lost = []
        for stack in self.stacks:
            bad = ~(stack.arrays.square <= self.safe[stack.members])
            if bad.any():
                columns = stack.members[bad]
                values = self.problem.totals(stack.iterate[:, bad], columns)
                bad[bad] = ~(values <= self.problem.ceilings[columns])
                self.failed[stack.members[bad]] = True
            lost.append(bad)
        self._leave_out(lost)

    def _leave_out(self, lost):
        """Leave out candidates, given by a mask for each stack, and close the gaps they leave."""
        if not any(mask.any() for mask in lost):
            return
        stacks = []
        for stack, mask in zip(self.stacks, lost):
            self._store(stack, np.flatnonzero(mask))
            kept = np.flatnonzero(~mask)
            if kept.size:
                stacks.append(stack.take(kept) if mask.any() else stack)
        self.stacks = self._without_gaps(stacks)

    def _store(self, stack, places):
        """Store what some candidates of a stack have come to."""
        columns = stack.members[places]
        self.n_iter[columns] = self.n_epochs
        if self.stopping is not None:
            failed = [self.stopping.runs[column].outcome.failed for column in columns]
            self.failed[columns] = failed
        whole = places.size == stack.members.size
        ends = stack.iterate if whole else stack.iterate[:, places]
        for column, end in zip(columns, ends.T):
            self.found[column] = end
        averaged = self.shared.problem.averaged
        if not averaged:
            return
        for place, column in zip(places, columns):
            if stack.arrays.t[place] >= averaged and not self.failed[column]:
                mean = np.ascontiguousarray(stack.arrays.mean[:, place])
                end = thresholded_average(self.problem.objective(column), mean)
                self.found[column] = end

    def _end(self):
        """End the descents that are left: those whose objective has grown have diverged."""
        stacks, self.stacks = self.stacks, []
        for stack in stacks:
            if self.stopping is None:
                values = self.problem.totals(stack.iterate, stack.members)
                self.failed[stack.members] |= ~(values <= self.problem.most[stack.members])
            else:
                self.stopping.end(stack, self.n_epochs)
            self._store(stack, np.arange(stack.members.size))


def _closed(stacks):
    """Return stacks of one kind without gaps, where fewer of them are enough."""
    n = sum(stack.members.size for stack in stacks)
    whole = stacks[0].sweep == "products"
    if len(stacks) < 2 or (n > (len(stacks) - 1) * TILE and not whole):
        return stacks
    if whole:
        return [merged(stacks)]
    whole = merged(stacks)
    return [whole.take(places) for places in np.array_split(np.arange(n), -(-n // TILE))]
