"""The descents of many candidates on one fold, epoch by epoch."""

import numpy as np

from skgd.estimators.messages import FAILED_CANDIDATE
from skgd.estimators.validation import stored_as
from skgd.kernels.compiling import compiled_code
from skgd.kernels.stacked_step import TILE
from skgd.objective.residual import thresholded_average
from skgd.search.candidate_stack import CandidateStack, merged
from skgd.search.joint_problem import JointProblem
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
        self.found = problem.starts.copy()
        self.n_iter, self.failed = np.zeros(n, dtype=int), np.zeros(n, dtype=bool)
        self.shared, self.safe = problem.shared(), problem.safe_squares()
        self.rows = OrderedRows(problem.rows_term, problem.first.sampling, problem.seed)
        self.stacks = self._new_stacks()

    def advance(self, n_epochs):
        """Go on for so many epochs, as far as ``max_iter`` allows."""
        for _ in range(min(n_epochs, self.max_iter - self.n_epochs)):
            if not self.stacks:
                break
            self._run_epoch()
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
        C, K, X = len(problem.estimators), problem.n_targets, problem.rows.X
        theta, p = np.zeros((C, K, X.shape[1] + 1)), X.shape[1]
        with np.errstate(all="ignore"):
            for k in range(K):
                ends = problem.problem.in_order_of_init(k, self._ends()[:, k::K].T)
                theta[:, k, : ends.shape[1]] = ends
        failed = self.failed.reshape(C, K).any(axis=1)
        name = type(problem.first).__name__
        failures = [FAILED_CANDIDATE.format(name) if bad else None for bad in failed]
        for c in np.flatnonzero(~failed):
            try:
                theta[c] = stored_as(X.dtype, theta[c], p) + 0
            except ValueError as error:
                failures[c] = str(error)
        found = theta[:, :, :p], theta[:, :, p]
        return Trained(*found, failures, [None] * C, self.n_iter.reshape(C, K))

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
            few = sweep not in ("full", "products")
            for part in np.array_split(columns, -(-columns.size // TILE) if few else 1):
                settings = problem.settings(part)
                stacks.append(CandidateStack.new(shared, sweep, part, settings))
        return stacks

    def _run_epoch(self):
        problem, batch = self.problem, self.problem.batch
        updates = -(-problem.n // batch)
        schedule, k = problem.schedule, self.n_epochs
        if schedule.per == "epoch":
            multipliers = np.repeat(schedule.multiplier(np.array([k])), updates)
        else:
            multipliers = schedule.multiplier(k * updates + np.arange(updates))
        with compiled_code():
            if problem.full:
                for stack in self.stacks:
                    stack.full_step(problem.term, multipliers[0])
            else:
                self.rows.draw()
                for chunk in self.rows.chunks(batch, multipliers):
                    for stack in self.stacks:
                        stack.run(problem.rows_term, chunk)
                for stack in self.stacks:
                    stack.measure()
        self.n_epochs += 1
        self._drop_diverged()

    def _drop_diverged(self):
        """Leave out the candidates whose objective has grown beyond its ceiling, or is no number.

        It is computed only where the length of the parameters does not rule that out.
        """
        lost = []
        for stack in self.stacks:
            bad = ~(stack.arrays.square <= self.safe[stack.members])
            if bad.any():
                columns = stack.members[bad]
                values = self.problem.values(stack.iterate[:, bad], columns)
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
        self.stacks = []
        for sweep in dict.fromkeys(stack.sweep for stack in stacks):
            self.stacks += _closed([stack for stack in stacks if stack.sweep == sweep])

    def _store(self, stack, places):
        """Store what some candidates of a stack have come to."""
        columns = stack.members[places]
        self.n_iter[columns] = self.n_epochs
        self.found[:, columns] = stack.iterate[:, places]
        averaged = self.shared.problem.averaged
        if not averaged:
            return
        for place, column in zip(places, columns):
            if stack.arrays.t[place] >= averaged and not self.failed[column]:
                mean = np.ascontiguousarray(stack.arrays.mean[:, place])
                end = thresholded_average(self.problem.objective(column), mean)
                self.found[:, column] = end

    def _ends(self):
        return self.found

    def _end(self):
        """End the descents that are left: those whose objective has grown have diverged."""
        stacks, self.stacks = self.stacks, []
        for stack in stacks:
            values = self.problem.values(stack.iterate, stack.members)
            self.failed[stack.members] |= ~(values <= self.problem.most[stack.members])
            self._store(stack, np.arange(stack.members.size))


def _closed(stacks):
    """Return stacks of one kind without gaps, where fewer of them are enough."""
    n = sum(stack.members.size for stack in stacks)
    if len(stacks) < 2 or n > (len(stacks) - 1) * TILE:
        return stacks
    whole = merged(stacks)
    return [whole.take(places) for places in np.array_split(np.arange(n), -(-n // TILE))]
