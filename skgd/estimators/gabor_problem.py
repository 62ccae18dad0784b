"""The problem of the Gabor model: one objective with many minima, and the best of their table."""

import numpy as np

from skgd.descent.outcome import Outcome
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.problem import Answer, Problem, Starts, given_start, objective_on
from skgd.estimators.running_means import statistics_of
from skgd.estimators.validation import check_bounds, numbers, stored_as
from skgd.kernels.moments import Columns
from skgd.models import Gabor
from skgd.multistart.minima import End, Minima, covariance, describe, distinct
from skgd.multistart.newton import polish
from skgd.multistart.screening import default_n_screen, screen

NO_COLUMNS = Columns(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool))


class GaborProblem(Problem):
    """One objective, and the starts from which its minima are sought.

    Parameters
    ----------
    estimator : GDGaborRegressor
    rows : Rows
    last : LastCall or None
        What a resumed fit knows of the last call.
    stream : bool
        Whether the rows follow those of the last call.
    """

    is_single = True

    def __init__(self, estimator, rows, last, stream):
        self.estimator, self.last, self.dtype = estimator, last, rows.dtype
        self.loss, level = part_of(estimator, "loss"), bool(estimator.fit_baseline)
        found = statistics_of(rows, NO_COLUMNS, self.loss, level, last if stream else None)
        self.means, self.n_weighted = found.means, rows.n_weighted
        self.objective = gabor_objective(estimator, rows, found.units[0])
        self.objectives = [self.objective]
        self.n_jobs = estimator.n_jobs if self.objective.term.at_hand else 1
        self.is_random = estimator.init is None and last is None
        self.order = estimator.parameter_order()

    def starts(self, seed):
        if self.last is None:
            points = self._first_points(seed)
        else:
            points = _fitted_parameters(self.estimator)[None]
        kept = {"starts_": self.in_order_of_init(0, points)}
        return Starts([(0, point) for point in points], kept)

    def _first_points(self, seed):
        """Return where runs begin: at ``init``, or at the best of many random points."""
        estimator, objective = self.estimator, self.objective
        shape = estimator.fit_amplitude, estimator.fit_width, estimator.fit_baseline
        sizes = dict(zip(("amplitude", "width", "baseline"), shape))
        sizes = {"offset": 1, "frequency": objective.p, **sizes}
        description = "offset, frequencies, and what else is fitted"
        start = given_start(estimator.init, (1, objective.d), description, sizes)
        if start is not None:
            if estimator.fit_width and start[0, 1 + objective.p + estimator.fit_amplitude] == 0.0:
                raise ValueError("init has a width of zero; it must not be.")
            return self._resolved(self._inward(start), "init")
        box = check_bounds(estimator.bounds, objective.d)
        if box is not None:
            box = self._inward(box.T).T
            self._resolved(_farthest(objective, box), "bounds")
        rng, n_screen = np.random.default_rng(seed), estimator.n_screen
        n_screen = default_n_screen(objective.p) if n_screen == "auto" else n_screen
        return screen(objective, n_screen, estimator.n_init, rng, box)

    def _resolved(self, points, name):
        """Return points, given in a parameter of this name, if their curves can be computed."""
        if not all(_resolves(self.objective, point) for point in points):
            raise ValueError(
                f"{name} reaches parameters whose curve double precision does not resolve: phases "
                "beyond 1e9 radians, a width near zero, or an amplitude whose square is no "
                "number. Give smaller values, or scale the features."
            )
        return points

    def in_order_of_init(self, target, theta):
        return theta[..., self.order]

    def _inward(self, points):
        return points[..., np.argsort(self.order)]

    def attributes(self, target, theta):
        return {"theta_": stored_as(self.dtype, self.in_order_of_init(target, theta))}

    def accepts(self, run):
        """Whether a run ends at parameters that resolve, no higher than it or a constant began."""
        if not _resolves(self.objective, run.theta):
            run.stop(Outcome.NONFINITE)
        if self.estimator.learning_rate != "auto":
            return True
        curve, null_objective = run.record.curve, self.objective.null_objective
        return not run.outcome.failed and curve[-1] <= max(curve[0], null_objective)

    def answer(self, runs):
        sound = [run for run in runs if not run.outcome.failed] or runs[:1]
        if sound[0].outcome is Outcome.NONFINITE:
            return Answer(sound[:1], [])
        ends = self._ends(sound)
        return Answer([ends[0].descent], ends)

    def _ends(self, runs):
        """Return where runs have ended, the best first, those with the same curve as one."""
        objective = self.objective
        ends = distinct(objective, [End(run.theta, 1, run) for run in runs])
        is_validated = ends[0].descent.selected is not None
        if is_validated:
            ends.sort(key=lambda end: -max(end.descent.record.scores))
        if not self._is_polished(is_validated):
            return ends
        canonical, p = objective.model.canonical, objective.p
        ends = [end._replace(theta=canonical(polish(objective, end.theta), p)) for end in ends]
        return distinct(objective, ends)

    def _is_polished(self, is_validated):
        """Whether ends are polished by Newton steps."""
        if self.loss.nonsmooth:
            return False
        asked = self.estimator.polish
        return self.estimator.init is None and not is_validated if asked == "auto" else asked

    def solution(self, answer):
        objective, order = self.objective, self.order
        polished = self._is_polished(answer.runs[0].selected is not None)
        points = [
            describe(objective, theta, n_starts, run.outcome.settled and not polished)
            for theta, n_starts, run in answer.ends
        ]
        best = points[0]
        errors = covariance(objective, best.theta, self.n_weighted)[np.ix_(order, order)]
        attributes = {
            **named_parameters(self.estimator, stored_as(self.dtype, best.theta[order])),
            "minima_": Minima(point._replace(theta=point.theta[order]) for point in points),
            "kind_": best.kind,
            "hessian_eigenvalues_": best.eigenvalues,
            "covariance_": errors,
            "standard_errors_": np.sqrt(np.diag(errors)),
        }
        return attributes | ({"converged_": best.kind != "not stationary"} if polished else {})

    def remarks(self, solution):
        if solution.get("kind_") not in ("saddle", "maximum"):
            return []
        return [
            f"{type(self.estimator).__name__} has ended at a {solution['kind_']}: the smallest "
            f"eigenvalue of the Hessian is {np.nanmin(solution['hessian_eigenvalues_']):.1e}. "
            "Start elsewhere, or leave init at None."
        ]


def gabor_model(estimator):
    """Return the model with the parameters that an estimator fits."""
    shape = estimator.fit_amplitude, estimator.fit_width, estimator.fit_baseline
    return Gabor(*map(bool, shape))


def gabor_objective(estimator, rows, null_objective=None):
    """Return what an estimator of the Gabor model minimises.

    Parameters
    ----------
    estimator : GDGaborRegressor
    rows : Rows
    null_objective : float or None
        None where that of the best constant is to be found.
    """
    loss = part_of(estimator, "loss")
    if null_objective is None:
        null_objective = rows.constants(loss, bool(estimator.fit_baseline))[0].unit
    (term,) = rows.terms(gabor_model(estimator), loss, None, None, np.zeros(1))
    return objective_on(estimator, term, null_objective)


def named_parameters(estimator, theta):
    """Return the attributes that hold parameters, which are given in the order of ``init``."""
    p, model = estimator.n_features_in_, gabor_model(estimator)
    extra = iter(theta[1 + p :])
    return {
        "theta_": theta,
        "offset_": theta[0],
        "frequency_": theta[1 : 1 + p],
        "amplitude_": next(extra) if model.amplitude else 1.0,
        "width_": next(extra) if model.width else 4.0,
        "baseline_": next(extra) if model.baseline else 0.0,
    }


def _fitted_parameters(estimator):
    """Return where the fit so far has ended, as parameters of the present model's objective."""
    fitted = estimator.amplitude_, estimator.width_, estimator.baseline_
    shape = estimator.fit_amplitude, estimator.fit_width, estimator.fit_baseline
    shapes = {(estimator.n_features_in_,): "one for each column"}
    frequency = numbers(estimator.frequency_, "frequency_", shapes)
    extra = [value for value, is_fitted in zip(fitted, shape) if is_fitted]
    return np.array([*frequency, estimator.offset_, *extra], dtype=float)


def _farthest(objective, box):
    """Return the points of a box where the phases of a row are largest, or nearly."""
    corner = np.abs(box).max(axis=1)
    corner[objective.p + 1 :] = box[objective.p + 1 :, 1]
    low = corner.copy()
    low[: objective.p] *= -1.0
    return np.array([corner, low])


def _resolves(objective, theta):
    """Whether double precision resolves the curve of some parameters."""
    with np.errstate(all="ignore"):
        ends = objective.term.projection_range(theta[: objective.p])
        return objective.model.resolves(ends, theta, objective.p)
