"""Many starts: screening, a descent from each, the polish, and the table of where they end."""

from functools import partial

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from skgd.descent.outcome import Outcome
from skgd.estimators.estimator import DescentEstimator
from skgd.estimators.messages import check_outcome
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.running_means import check_link
from skgd.estimators.user_warnings import warn
from skgd.estimators.validation import check_bounds, numbers, stored_as
from skgd.kernels.sums import Columns
from skgd.models import Gabor
from skgd.multistart.minima import End, Minima, covariance, describe, distinct, polish
from skgd.multistart.screening import default_n_screen, screen

NO_COLUMNS = Columns(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool))
QUARTERS = 60  # times that an automatic rate is cut, at most


class MultistartDescent(DescentEstimator):
    """An abstract estimator of the Gabor model, descending from one start or from many."""

    def _train(self, X, y, sample_weight, resumes, validation_set=(None, None, None), epochs=None):
        """Go on with the descent of the last call, or begin new ones, and report."""
        resumes = resumes and self.__sklearn_is_fitted__()
        rows, monitoring = self._prepare(X, y, sample_weight, validation_set, resumes, epochs)
        X, y, weight, total = rows[:4]
        check_link(vars(self).get("_link") if resumes else None, part_of(self, "loss"))
        seen, _, units = self._running_means(y[None], weight, total, NO_COLUMNS, resumes, epochs)
        objective = self._problem(X, y, weight, self._model(), units[0])
        runs, before = self._resumable_runs(objective, resumes), self._updates_before(1, resumes)
        fitted_attributes = partial(self._fitted_attributes, X.dtype, before[0])
        if runs is None:
            searches = self.init is None and not resumes
            seed = self._seed(searches or self._draws(objective.n))
            starts = self._last()[None] if resumes else self._starts(objective, seed)
            self.starts_ = self._outward(starts)
            task_name = "start" if len(starts) > 1 else ""
            monitor_factory = monitoring._replace(task_name=task_name).make_monitor(
                self, fitted_attributes
            )
            n_jobs = self.n_jobs and min(self.n_jobs, len(starts))
            descents = Parallel(n_jobs=n_jobs, prefer="threads")(
                delayed(self._descend)(objective, start, seed, epochs, monitor_factory)
                for start in starts
            )
        else:
            monitor_factory = monitoring.make_monitor(self, fitted_attributes)
            descents = [self._resume_run(runs[0], objective, epochs, monitor_factory)]
        sound = [d for d in descents if not d.outcome.failed] or descents[:1]
        finite = sound[0].outcome is not Outcome.NONFINITE
        ends = self._ends(objective, sound) if finite else [End(sound[0].theta, 1, sound[0])]
        best = ends[0].descent
        track = self._outward(best.record.path) if self.record_path else None
        self._record([best], [track], _only, resumes)
        if finite:
            self._report(objective, ends, X.dtype)
        if not (finite and self.converged_):
            self._failure = check_outcome(best, self)
        self._warn_of_kind()
        self._store_state([best], seen)
        monitoring.end(self)
        return self

    def _model(self):
        return Gabor(bool(self.fit_amplitude), bool(self.fit_width), bool(self.fit_baseline))

    def _has_level(self):
        return bool(self.fit_baseline)

    def _outward(self, theta):
        """Return parameters in the order of ``theta_``: the offset first."""
        p = self.n_features_in_
        return np.concatenate([theta[..., [p]], theta[..., :p], theta[..., p + 1 :]], axis=-1)

    def _last(self):
        """Return where the last call has ended, as parameters of the present model."""
        shape = zip(
            (self.fit_amplitude, self.fit_width, self.fit_baseline),
            (self.amplitude_, self.width_, self.baseline_),
        )
        fitted = [value for is_fitted, value in shape if is_fitted]
        shapes = {(self.n_features_in_,): "one for each column"}
        frequency = numbers(self.frequency_, "frequency_", shapes)
        return np.array([*frequency, self.offset_, *fitted], dtype=float)

    def _inward(self, theta):
        """Return parameters in the order of the objective: the frequency first."""
        p = self.n_features_in_
        return np.concatenate([theta[..., 1 : p + 1], theta[..., [0]], theta[..., p + 1 :]], -1)

    def _objective(self, X, y, weight):
        null_objective = self._null_objective(y, weight, self.fit_baseline)
        return self._problem(X, y, weight, self._model(), null_objective)

    def _starts(self, objective, seed):
        """Return where the descents begin, one row each."""
        fitted = ("amplitude", self.fit_amplitude), ("width", self.fit_width)
        sizes = {"offset": 1, "frequency": objective.p, **dict(fitted)}
        sizes["baseline"] = self.fit_baseline
        names = "offset, frequencies, and what else is fitted"
        start = self._init((1, objective.d), names, sizes)
        if start is not None:
            if self.fit_width and start[0, 1 + objective.p + self.fit_amplitude] == 0.0:
                raise ValueError("init has a width of zero; it must not be.")
            return self._resolved(objective, self._inward(start), "init")
        box = check_bounds(self.bounds, objective.d)
        if box is not None:
            box = self._inward(box.T).T
            self._resolved(objective, _farthest(objective, box), "bounds")
        rng = np.random.default_rng(seed)
        n_screen = default_n_screen(objective.p) if self.n_screen == "auto" else self.n_screen
        return screen(objective, n_screen, self.n_init, rng, box)

    def _resolved(self, objective, points, name):
        """Return points, given in a parameter of this name, if their curves can be computed."""
        if not all(_resolves(objective, point) for point in points):
            raise ValueError(
                f"{name} reaches parameters whose curve double precision does not resolve: phases "
                "beyond 1e9 radians, a width near zero, or an amplitude whose square is no "
                "number. Give smaller values, or scale the features."
            )
        return points

    def _descend(self, objective, start, seed, epochs, monitor_factory, rate_share=1.0):
        """Run one descent, and again at a lower rate where an automatic one was too high."""
        descent = self._attempt(objective, start, seed, epochs, monitor_factory, rate_share)
        for _ in range(QUARTERS if self.learning_rate == "auto" else 0):
            curve, null_objective = descent.record.curve, objective.null_objective
            if not descent.outcome.failed and curve[-1] <= max(curve[0], null_objective):
                break
            rate_share *= 0.25
            descent = self._attempt(objective, start, seed, epochs, monitor_factory, rate_share)
        return descent

    def _attempt(self, *args):
        """Run one descent; where it ends beyond what can be resolved, it counts as not finite."""
        descent = super()._descend(*args)
        if not _resolves(descent.objective, descent.theta):
            descent.stop(Outcome.NONFINITE)
        return descent

    def _is_polished(self, validated):
        auto = self.init is None and not validated
        return not part_of(self, "loss").nonsmooth and (
            auto if self.polish == "auto" else self.polish
        )

    def _ends(self, objective, descents):
        """Return where descents have ended, the best first, those with the same curve as one."""
        ends = distinct(objective, [End(d.theta, 1, d) for d in descents])
        validated = ends[0].descent.selected is not None
        if validated:
            ends.sort(key=lambda end: -max(end.descent.record.scores))
        if not self._is_polished(validated):
            return ends
        canonical, p = objective.model.canonical, objective.p
        ends = [end._replace(theta=canonical(polish(objective, end.theta), p)) for end in ends]
        return distinct(objective, ends)

    def _report(self, objective, ends, dtype):
        """Set the solution and what is known of it, and say so if it is not one."""
        polished = self._is_polished(ends[0].descent.selected is not None)
        points = [
            describe(
                objective, end.theta, end.n_starts, end.descent.outcome.settled and not polished
            )
            for end in ends
        ]
        best = points[0]
        errors = covariance(objective, best.theta)
        order = self._outward(np.arange(objective.d))
        self.theta_ = stored_as(dtype, best.theta[order])
        self.offset_, self.frequency_ = self.theta_[0], self.theta_[1 : 1 + objective.p]
        extras = iter(self.theta_[1 + objective.p :])
        self.amplitude_ = next(extras) if self.fit_amplitude else 1.0
        self.width_ = next(extras) if self.fit_width else 4.0
        self.baseline_ = next(extras) if self.fit_baseline else 0.0
        self.minima_ = Minima(point._replace(theta=point.theta[order]) for point in points)
        self.kind_, self.hessian_eigenvalues_ = best.kind, best.eigenvalues
        self.covariance_ = errors[np.ix_(order, order)]
        self.standard_errors_ = np.sqrt(np.diag(self.covariance_))
        if polished:
            self.converged_ = best.kind != "not stationary"

    def _fitted_attributes(self, dtype, before, descent):
        """Return the attributes that let this estimator predict by a descent's parameters."""
        theta = stored_as(dtype, self._outward(descent.iterate))
        return {"theta_": theta, "t_": before + descent.n_updates, "_failure": None}

    def _warn_of_kind(self):
        """Say it when the descent has come to rest where there is no minimum."""
        if self.kind_ in ("saddle", "maximum"):
            warn(
                f"{type(self).__name__} has ended at a {self.kind_}: the smallest eigenvalue of "
                f"the Hessian is {np.nanmin(self.hessian_eigenvalues_):.1e}. Start elsewhere, or "
                "leave init at None.",
            )


def _farthest(objective, box):
    """Return the points of a box where the phases of a row are largest, or nearly."""
    corner = np.abs(box).max(axis=1)
    corner[objective.p + 1 :] = box[objective.p + 1 :, 1]
    low = corner.copy()
    low[: objective.p] *= -1.0
    return np.array([corner, low])


def _resolves(objective, theta):
    with np.errstate(all="ignore"):
        z = objective.matvec(theta[: objective.p])
        return objective.model.resolves(z, theta, objective.p)


def _only(values):
    return values[0]
