"""Candidates that descend together: their arrays, and the compiled sweeps that move them."""

import numpy as np

from skgd.kernels.stacked import WITHOUT_LOSS, StackVariant, build
from skgd.kernels.stacked_lazy import Lazy
from skgd.kernels.stacked_step import Stack, StackedProblem

OF_EACH = "fields", "rates", "l1", "l2", "target"  # arrays whose last axis is of candidates
NO_ROOM = np.zeros((0, 0))


class Shared:
    """What the candidates of a search have in common.

    Parameters
    ----------
    objective : Objective
        Of one of them.
    rule : Optimizer
        Of one of them, as the loop runs it.
    batch : int or None
        Rows in an update; None for all.
    averaged : int
    clips : tuple of two float
        The largest norm of a gradient, and its largest entry.
    units : ndarray of shape (d,) or None
    """

    def __init__(self, objective, rule, batch, averaged=0, clips=(np.inf, np.inf), units=None):
        factor = np.zeros(objective.d)
        given = objective.penalty_factor
        factor[objective.term.penalized] = 1.0 if given is None else given
        units = np.ones(objective.d) if units is None else units
        self.problem = StackedProblem(factor, units, objective.p, averaged, *clips)
        self.rule, self.loss, self.d = rule, objective.loss, objective.d
        self.averages, self.positive = averaged > 0, objective.positive
        self.clips, self.sparse = min(clips) < np.inf, objective.term.sparse
        self.batch = batch
        shared = rule.prepare(1, 1.0, np.zeros(rule.n_scalars))
        self.n_shared = len(shared) if isinstance(shared, tuple) else 1

    def kernel(self, sweep):
        """Return a compiled sweep."""
        kind, loss = type(self.rule), None if sweep in WITHOUT_LOSS else type(self.loss)
        sparse = self.sparse and loss is not None
        variant = StackVariant(sweep, sparse, self.averages, self.positive, self.clips)
        return build(kind, type(self.rule.as_tuple), loss, self.n_shared, variant)

    def sweep(self, may_wait):
        """Return the name of the sweep that serves them."""
        if self.batch is None:
            return "full"
        if self.sparse:
            lazy = may_wait and not (self.averages or self.positive or self.clips)
            return "lazy" if lazy and self.rule.lazy else "batches"
        if self.batch > 1:
            return "products"
        return "batches" if self.clips or self.rule.needs_norm else "single"


class CandidateStack:
    """Some candidates, one column each.

    Parameters
    ----------
    shared : Shared
    sweep : str
    members : ndarray of int
        The numbers of the candidates.
    arrays : Stack
    """

    def __init__(self, shared, sweep, members, arrays):
        self.shared, self.sweep, self.members, self.arrays = shared, sweep, members, arrays
        self.tasks, self.knows_gradients, self.last = {}, False, None

    @classmethod
    def new(cls, shared, sweep, members, settings):
        """Return candidates at their starts.

        Parameters
        ----------
        settings : dict of ndarray
            ``theta`` of shape (d, C), ``fields``, ``rates``, ``l1``, ``l2``, ``target``.
        """
        rule, n, d = shared.rule, members.size, shared.d
        arrays = Stack(
            iterate=settings["theta"].copy() if rule.extrapolates else NO_ROOM,
            memory=np.zeros((rule.n_memory, d * n)),
            scalars=np.zeros((n, rule.n_scalars)),
            mean=np.zeros((d, n)) if shared.averages else NO_ROOM,
            t=np.zeros(n, dtype=np.int64),
            square=np.zeros(n),
            same=np.zeros(1, dtype=np.int64),
            **settings,
        )
        stack = cls(shared, sweep, members, arrays)
        stack.compare_rules()
        return stack

    @property
    def iterate(self):
        """The parameters of the candidates after the last prox, of shape (d, C)."""
        return self.arrays.iterate if self.shared.rule.extrapolates else self.arrays.theta

    def compare_rules(self):
        """Note whether one preparation of an update serves all candidates."""
        arrays, rule = self.arrays, self.shared.rule
        same = not (rule.needs_norm or rule.extrapolates)
        for values in (*arrays.fields, arrays.t):
            same = same and bool((values == values[0]).all())
        arrays.same[0] = same

    def take(self, kept):
        """Return some of the candidates, given by their places."""
        arrays, d = self.arrays, self.shared.d
        memory = arrays.memory.reshape(len(arrays.memory), d, self.members.size)[:, :, kept]
        last = {
            name: getattr(arrays, name)[..., kept]
            for name in ("fields", "rates", "l1", "l2", "target")
        }
        wide = {
            name: np.ascontiguousarray(array[:, kept]) if array.size else array
            for name, array in arrays._asdict().items()
            if name in ("theta", "iterate", "mean")
        }
        taken = arrays._replace(
            memory=np.ascontiguousarray(memory).reshape(len(memory), d * len(kept)),
            scalars=np.ascontiguousarray(arrays.scalars[kept]),
            t=arrays.t[kept],
            square=arrays.square[kept],
            same=arrays.same.copy(),
            **{name: np.ascontiguousarray(array) for name, array in last.items()},
            **wide,
        )
        stack = CandidateStack(self.shared, self.sweep, self.members[kept], taken)
        if self.knows_gradients:
            stack.gradients[:], stack.knows_gradients = self.gradients[:, kept], True
        if self.last is not None:
            stack.last = self.last[:, kept]
        return stack

    def step(self, G, number, multiplier, measures=False):
        """Take a step with the gradients G; measure the iterates if that is asked."""
        if "step" not in self.tasks:
            update = np.zeros(3)
            kernel = self.shared.kernel("step")
            self.tasks["step"] = kernel(self.shared.problem, self.arrays, G, update), update
        task, update = self.tasks["step"]
        update[:] = number, multiplier, measures
        task()

    def with_batch(self, shared):
        """Return the same candidates with another batch size."""
        sweep = self.sweep if self.sweep in ("lazy", "batches") else shared.sweep(False)
        stack = CandidateStack(shared, sweep, self.members, self.arrays)
        stack.last = self.last
        return stack

    def room(self, *shape):
        """Return an array that lasts as long as these candidates are together."""
        if shape not in self.tasks:
            self.tasks[shape] = np.empty(shape)
        return self.tasks[shape]

    @property
    def gradients(self):
        """The gradients of the data terms on the full batch, of shape (d, C), where known."""
        return self.room(self.shared.d, self.members.size)

    def full_step(self, term, multiplier):
        """Take a step on all rows."""
        G = self.gradients
        if not self.knows_gradients:
            term.gradients(self.arrays.theta, self.arrays.target, G)
        self.step(G, 1, multiplier, True)
        self.arrays.t[:] += 1
        self.knows_gradients = False

    def full_steps(self, term, multipliers, safe):
        """Take steps on all rows, up to one after which some length is not safe; count them.

        Parameters
        ----------
        term : ProductTerm
        multipliers : ndarray of shape (updates,)
            Of the rates.
        safe : ndarray of shape (C,)
            Squared lengths of parameters.
        """
        common, done = (self.shared.problem, self.arrays), np.zeros(1)
        given = term.hessian, term.slopes, self.gradients, multipliers, safe, done
        self.shared.kernel("full")(*common, *given)()
        self.arrays.t[:] += int(done[0])
        self.knows_gradients = False
        return int(done[0])

    def run(self, term, chunk):
        """Take the steps of a chunk of rows."""
        if self.sweep == "products":
            self._multiply(term, chunk)
        else:
            self._task(chunk)()
        self.arrays.t[:] += chunk.multipliers.size

    def measure(self):
        """Measure the squared length of each iterate."""
        iterate = self.iterate
        np.einsum("ij,ij->j", iterate, iterate, out=self.arrays.square)

    def _task(self, chunk):
        """Return the compiled sweep over a chunk, whose arrays last."""
        key = self.sweep, id(chunk)
        if key in self.tasks:
            return self.tasks[key][0]
        shared, n, batch = self.shared, self.members.size, self.shared.batch
        rest = ()
        if self.sweep == "batches":
            rest = self.room(shared.d + 2, n), batch
        elif self.sweep == "lazy":
            p = shared.problem.weights
            rest = Lazy(np.ones(n), np.zeros(n), np.zeros((p, n)), np.zeros((batch, n))), batch
        common = shared.loss, shared.problem, self.arrays, chunk
        task = shared.kernel(self.sweep)(*common, *rest)
        self.tasks[key] = task, chunk
        return task

    def _multiply(self, term, chunk):
        """Take the steps of dense rows by matrix products."""
        batch, G = self.shared.batch, self.room(self.shared.d, self.members.size)
        X, y, weight, p = chunk.rows.X, chunk.y, chunk.weight, term.p
        y = y if y.shape[1] == 1 else y[:, self.arrays.target]
        W, level = self.arrays.theta[:p], self.arrays.theta[p:]
        for k, start in enumerate(range(0, X.shape[0], batch)):
            some = slice(start, start + batch)
            A = X[some]
            r = A @ W
            if level.size:
                r += level
            term.slopes(r, y[some], weight[some])
            r *= 1.0 / A.shape[0]
            np.matmul(A.T, r, out=G[:p])
            if level.size:
                np.sum(r, axis=0, keepdims=True, out=G[p:])
            self.step(G, k + 1, chunk.multipliers[k])


def merged(stacks):
    """Return the candidates of several stacks as one."""
    first, d = stacks[0], stacks[0].shared.d
    arrays = [stack.arrays for stack in stacks]

    def joined(name, axis):
        found = [getattr(some, name) for some in arrays]
        return np.ascontiguousarray(np.concatenate(found, axis=axis))

    memory = [some.memory.reshape(len(some.memory), d, some.rates.size) for some in arrays]
    memory = np.concatenate(memory, axis=2)
    whole = first.arrays._replace(
        **{name: joined(name, -1) for name in ("theta", *OF_EACH)},
        iterate=joined("iterate", 1),
        mean=joined("mean", 1),
        memory=memory.reshape(len(memory), d * memory.shape[2]),
        scalars=joined("scalars", 0),
        t=joined("t", 0),
        square=joined("square", 0),
        same=np.zeros(1, dtype=np.int64),
    )
    members = np.concatenate([stack.members for stack in stacks])
    stack = CandidateStack(first.shared, first.sweep, members, whole)
    stack.compare_rules()
    if first.last is not None:
        stack.last = np.concatenate([some.last for some in stacks], axis=1)
    return stack
