"""Linear descents: one for each target, on rows that may be seen from their means."""

from functools import partial

import numpy as np
from sklearn.base import MultiOutputMixin

from skgd.constant import fit_constant
from skgd.descent import are_constant, survey
from skgd.estimator import DescentEstimator
from skgd.models import Linear
from skgd.verdict import judge


class TargetByTarget(MultiOutputMixin, DescentEstimator):
    """An abstract linear estimator, with a descent of its own for every target."""

    def _train(self, X, y, sample_weight, again, held=(None, None, None), epochs=None):
        """Go on with the descents of the last call, or begin new ones, and report."""
        going = again and "_descents" in vars(self)
        X, y, weight, total, watching = self._prepare(X, y, sample_weight, held, going, epochs)
        targets = np.ascontiguousarray(y.reshape(len(y), -1).T)
        pooled = going and epochs is not None
        columns, centre, offsets = self._surveyed(X, targets, weight, total, pooled)
        loss = self._named("loss")
        constants = [fit_constant(loss, t, weight, self.fit_intercept) for t in targets]
        objectives = [
            self._objective(X, t - offset, weight, constant.unit, centre, columns)
            for t, offset, constant in zip(targets, offsets, constants)
        ]
        if not going:
            solved = self.center == "auto" and self._is_left_alone()
            self._levels = np.array([c.level for c in constants]) if solved else offsets
        begins = [
            watching.target(k).beginning(self, partial(self._shown, X.dtype, offset))
            for k, offset in enumerate(offsets)
        ]
        descents = self._descents_for(objectives, begins, again, going, epochs)
        each = _only if y.ndim == 1 else _all
        kept = [d.path for d in descents] if self.record_path else []
        self._record(descents, [*map(_whole, descents, kept, offsets)], each)
        failures = [judge(d, self) for d in descents]
        ends = [_whole(d, d.result, offset) for d, offset in zip(descents, offsets)]
        self._report(descents, np.array(ends).astype(X.dtype) + 0, each)  # no negative zeros
        self._failure = next(filter(None, failures), None)
        self._keep(descents)
        watching.end(self)
        return self

    def _descents_for(self, objectives, begins, again, going, epochs):
        """Descend for each target, from where the last call ended or anew."""
        left, fitted = self._left(objectives[0].d, again), np.size(self.t_) if going else None
        if going and fitted != len(objectives):
            raise ValueError(f"y has {len(objectives)} targets; the fit so far has {fitted}.")
        if left is None:
            starts = self._starts(len(objectives), objectives[0].p, going)
            seed = self._seed(self._draws(objectives[0].n))
            return [
                self._descend(objective, start[: objective.d], seed, epochs, begin)
                for objective, start, begin in zip(objectives, starts, begins)
            ]
        return [self._go_on(d, o, epochs, begin) for d, o, begin in zip(left, objectives, begins)]

    def _surveyed(self, X, targets, weight, total, going):
        """Return what is known of the columns, and where rows and targets are seen from.

        That is from their means, or from those of all rows so far; and what is constant is what
        has been so in all of them.
        """
        if not self.fit_intercept:
            return survey(X, weight, intercept=False), None, np.zeros(len(targets))
        columns, offsets = survey(X, weight), np.array([weight @ t / len(t) for t in targets])
        before = vars(self).get("_seen") if going else None
        self._seen = pooled = _pooled(before, (total, columns.mean, columns.variance, offsets))
        constant = are_constant(*pooled[1:3], X.dtype)
        if not self._is_centred():
            one = before is None and np.count_nonzero(weight) == 1  # which has no spread to judge
            columns = columns._replace(constant=constant & (not one))
            return columns, None, np.zeros(len(targets))
        return columns._replace(constant=constant), pooled[1], pooled[3]

    def _is_centred(self):
        """Whether the intercept is solved for, rather than descended to."""
        solvable = self.fit_intercept and self._named("loss").quadratic
        if self.center != "auto":
            if self.center and self.fit_intercept and not solvable:
                raise ValueError("center=True needs the squared error; leave it at 'auto'.")
            return bool(self.center) and solvable
        return solvable and self._is_left_alone()

    def _is_left_alone(self):
        """Whether nothing is asked about the descent, so that an intercept may be solved for."""
        return self.batch_size is None and self.learning_rate == "auto" and self.init is None

    def _starts(self, n_targets, p, going=False):
        """Return where each target's descent begins, the intercept last."""
        if going:
            found, shape = self.parameters(), (n_targets, p + self.fit_intercept)
            if found.size != shape[0] * shape[1]:
                raise ValueError(
                    f"coef_ and intercept_ hold {found.size} numbers; expected those of "
                    f"{n_targets} targets and {p} columns. Fit anew."
                )
            return found.reshape(shape)
        names = f"the coefficients{' and, last, the intercept' * bool(self.fit_intercept)}"
        sizes = {"coef": p, "intercept": int(self.fit_intercept)}
        start = self._init((n_targets, p + self.fit_intercept), names, sizes)
        if start is None:
            start = np.zeros((n_targets, p + self.fit_intercept))
            start[:, p:] = np.reshape(self._levels, (-1, 1))
        return start

    def _objective(self, X, y, weight, null, centre=None, columns=None):
        """Return F for one target, which is given as seen from its offset."""
        model = Linear(self.fit_intercept and centre is None)
        known = {"centre": centre, "columns": columns, "positive": self.positive}
        return self._problem(X, y, weight, model, null, **known)

    def _shown(self, dtype, offset, descent):
        """Return the attributes that let this estimator predict by a descent's parameters."""
        theta, p = _whole(descent, descent.answer, offset).astype(dtype) + 0, self.n_features_in_
        solution = {"coef_": theta[:p], "intercept_": theta[p] if self.fit_intercept else 0.0}
        return solution | {"t_": descent.t, "_failure": None}

    def _report(self, descents, finals, each):
        """Set the solution, one entry for each target unless there is just one."""
        p = self.n_features_in_
        self.coef_ = each(finals[:, :p])
        self.intercept_ = each(finals[:, p]) if self.fit_intercept else 0.0
        self.dual_gap_ = each(np.array([_gap(d, final) for d, final in zip(descents, finals)]))


def _pooled(before, now):
    """Return weight, means and variances of columns, and means of targets, of all rows."""
    if before is None:
        return now
    total, mean, variance, offsets = before
    whole = total + now[0]
    share, rest = now[0] / whole, total / whole
    apart = now[1] - mean
    variance = rest * variance + share * now[2] + share * rest * apart**2
    return whole, mean + share * apart, variance, offsets + share * (now[3] - offsets)


def _whole(descent, theta, offset):
    """Return coefficients and, where there is one, the intercept, of one point or of many."""
    centre = descent.objective.centre
    if centre is None:
        return theta
    level = offset - (theta * centre).sum(axis=-1)  # to the same bit for one point and for many
    return np.concatenate([theta, level[..., None]], axis=-1)


def _gap(descent, final):
    """Return the duality gap of the parameters as they are reported."""
    return descent.objective.dual_gap(final.astype(float)[: descent.objective.d])


def _only(values):
    return values[0]


def _all(values):
    return values
