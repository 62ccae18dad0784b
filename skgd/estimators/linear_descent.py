"""Linear descents: one for each target, on rows that may be seen from their means."""

from functools import partial

import numpy as np
from sklearn.base import MultiOutputMixin

from skgd.estimators.estimator import DescentEstimator
from skgd.estimators.messages import check_outcome
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.running_means import check_link
from skgd.estimators.validation import stored_as
from skgd.kernels.sums import are_constant, column_moments
from skgd.models import Linear


class LinearDescent(MultiOutputMixin, DescentEstimator):
    """An abstract linear estimator, with a descent of its own for every target."""

    def _train(self, X, y, sample_weight, resumes, validation_set=(None, None, None), epochs=None):
        """Go on with the descents of the last call, or begin new ones, and report."""
        resumes = resumes and self.__sklearn_is_fitted__()
        rows, monitoring = self._prepare(X, y, sample_weight, validation_set, resumes, epochs)
        X, y, weight, total = rows[:4]
        targets = rows.targets
        self._check_targets(len(targets), resumes)
        check_link(vars(self).get("_link") if resumes else None, part_of(self, "loss"))
        columns = column_moments(X, weight, intercept=bool(self.fit_intercept))
        seen, constants, units = self._running_means(
            targets, weight, total, columns, resumes, epochs
        )
        columns, centre = self._judge_columns(columns, seen, weight, X.dtype)
        offsets = np.zeros(len(targets)) if centre is None else seen.targets
        objectives = [
            self._objective(X, t - offset, weight, unit, centre, columns)
            for t, offset, unit in zip(targets, offsets, units)
        ]
        if not resumes:
            solved = self.center == "auto" and self._is_left_alone()
            self._levels = np.array([c.level for c in constants]) if solved else offsets
        before = self._updates_before(len(targets), resumes)
        monitors = [
            monitoring.target(k).make_monitor(
                self, partial(self._fitted_attributes, X.dtype, *known)
            )
            for k, known in enumerate(zip(offsets, before))
        ]
        descents = self._descents_for(objectives, monitors, resumes, epochs)
        each = _only if y.ndim == 1 else _all
        kept = [d.record.path for d in descents] if self.record_path else []
        self._record(descents, [*map(_whole, descents, kept, offsets)], each, resumes)
        failures = [check_outcome(d, self) for d in descents]
        ends = [_whole(d, d.theta, offset) for d, offset in zip(descents, offsets)]
        finals = stored_as(X.dtype, np.array(ends), X.shape[1]) + 0  # no negative zeros
        self._report(descents, finals, each)
        self._failure = next(filter(None, failures), None)
        self._store_state(descents, seen)
        monitoring.end(self)
        return self

    def _check_targets(self, n_targets, resumes):
        """Refuse another number of targets than the fit so far has."""
        if resumes and np.size(self.t_) != n_targets:
            raise ValueError(f"y has {n_targets} targets; the fit so far has {np.size(self.t_)}.")

    def _descents_for(self, objectives, monitors, resumes, epochs):
        """Descend for each target, from where the last call ended or anew."""
        runs = self._resumable_runs(objectives[0], resumes)
        if runs is not None:
            each = zip(runs, objectives, monitors)
            return [
                self._resume_run(d, o, epochs, monitor_factory) for d, o, monitor_factory in each
            ]
        starts = self._starts(len(objectives), objectives[0].p, resumes)
        seed = self._seed(self._draws(objectives[0].n))
        return [
            self._descend(objective, start[: objective.d], seed, epochs, monitor_factory)
            for objective, start, monitor_factory in zip(objectives, starts, monitors)
        ]

    def _has_level(self):
        return bool(self.fit_intercept)

    def _judge_columns(self, columns, seen, weight, dtype):
        """Return the columns, constant where they were so in all rows, and where they are centred.

        Where not all rows are known that the parameters were fitted to, there is no centre, and
        nothing is called constant; nor has a single row a spread to judge by, unless all is seen
        from it.
        """
        centre = seen.columns if self._is_centred() and seen.complete else None
        if not self.fit_intercept:
            return columns, centre
        constant = are_constant(seen.columns, seen.variances, dtype)
        single = centre is None and np.count_nonzero(weight) == 1 and not seen.variances.any()
        if single or not seen.complete:
            constant = np.zeros_like(constant)
        return columns._replace(constant=constant), centre

    def _is_centred(self):
        """Whether the intercept is solved for, rather than descended to."""
        solvable = self.fit_intercept and part_of(self, "loss").quadratic
        if self.center != "auto":
            if self.center and self.fit_intercept and not solvable:
                raise ValueError("center=True needs the squared error; leave it at 'auto'.")
            return bool(self.center) and solvable
        return solvable and self._is_left_alone()

    def _is_left_alone(self):
        """Whether nothing is asked about the descent, so that an intercept may be solved for."""
        return self.batch_size is None and self.learning_rate == "auto" and self.init is None

    def _starts(self, n_targets, p, resumes=False):
        """Return where each target's descent begins, the intercept last."""
        if resumes:
            coef, intercept = np.asarray(self._dense()), np.ravel(self.intercept_)
            if coef.size != n_targets * p or intercept.size not in (1, n_targets):
                raise ValueError(
                    f"coef_ and intercept_ hold {coef.size + intercept.size} numbers; expected "
                    f"those of {n_targets} targets and {p} columns. Fit anew."
                )
            intercept = np.broadcast_to(intercept, n_targets)
            found = np.column_stack([coef.reshape(n_targets, p), intercept]).astype(float)
            return found[:, : p + bool(self.fit_intercept)]
        names = f"the coefficients{' and, last, the intercept' * bool(self.fit_intercept)}"
        sizes = {"coef": p, "intercept": int(self.fit_intercept)}
        start = self._init((n_targets, p + self.fit_intercept), names, sizes)
        if start is None:
            start = np.zeros((n_targets, p + self.fit_intercept))
            start[:, p:] = np.reshape(self._levels, (-1, 1))
        return start

    def _objective(self, X, y, weight, null_objective, centre=None, columns=None):
        """Return F for one target, which is given as seen from its offset."""
        model = Linear(self.fit_intercept and centre is None)
        known = {"centre": centre, "columns": columns, "positive": self.positive}
        return self._problem(X, y, weight, model, null_objective, **known)

    def _fitted_attributes(self, dtype, offset, before, descent):
        """Return the attributes that let this estimator predict by a descent's parameters."""
        p = self.n_features_in_
        theta = stored_as(dtype, _whole(descent, descent.iterate, offset), p) + 0
        solution = {"coef_": theta[:p], "intercept_": theta[p] if self.fit_intercept else 0.0}
        return solution | {"t_": before + descent.n_updates, "_failure": None}

    def _report(self, descents, finals, each):
        """Set the solution, one entry for each target unless there is just one."""
        p = self.n_features_in_
        self.coef_ = each(finals[:, :p])
        self.intercept_ = each(finals[:, p]) if self.fit_intercept else 0.0
        self.dual_gap_ = each(np.array([_gap(d, final) for d, final in zip(descents, finals)]))


def _whole(descent, theta, offset):
    """Return coefficients and, where there is one, the intercept, of one point or of many."""
    centre = descent.objective.centre
    if centre is None:
        return theta
    level = offset - (theta * centre).sum(axis=-1)  # to the same bit for one point and for many
    return np.concatenate([theta, level[..., None]], axis=-1)


def _gap(descent, final):
    """Return the duality gap of the parameters as they are reported."""
    theta = final.astype(float)[: descent.objective.d]
    return descent.objective.dual_gap(theta, descent.certificate)


def _only(values):
    return values[0]


def _all(values):
    return values
