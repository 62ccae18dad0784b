"""Duality gaps of losses other than the squared error, against minima and duals of other sources.

The conjugates, the objective and the dual are written here again, in numpy.
"""

import functools
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse, special
from sklearn.base import clone

from skgd import GDRegressor
from skgd.losses import (
    LOSSES,
    AbsoluteError,
    EpsilonInsensitive,
    Huber,
    Loss,
    Poisson,
    Quantile,
    SquaredEpsilonInsensitive,
    SquaredError,
)
from skgd.models import Linear
from skgd.objective import Objective
from skgd.objective.affine import as_vector
from skgd.objective.conjugates import dual_vectors
from skgd.penalties import L2
from skgd.testing import check_loss

pytestmark = pytest.mark.slow  # many Newton steps

EPSILON, QUANTILE = 0.4, 0.3


def within(v, low, high):
    return np.where((v >= low) & (v <= high), 0.0, np.inf)


CONJUGATES = {
    SquaredError(): lambda v, y: y * v + v**2 / 2,
    Huber(EPSILON): lambda v, y: y * v + v**2 / 2 + within(v, -EPSILON, EPSILON),
    EpsilonInsensitive(EPSILON): lambda v, y: y * v + EPSILON * np.abs(v) + within(v, -1, 1),
    SquaredEpsilonInsensitive(EPSILON): lambda v, y: y * v + EPSILON * np.abs(v) + v**2 / 2,
    AbsoluteError(): lambda v, y: y * v + within(v, -1, 1),
    Quantile(QUANTILE): lambda v, y: y * v + within(v, -QUANTILE, 1 - QUANTILE),
    Poisson(): lambda v, y: (
        special.xlogy(np.maximum(v + y, 0), np.maximum(v + y, 0))
        - (v + y)
        - special.xlogy(y, y)
        + y
        + within(v, -y, np.inf)
    ),
}
SMOOTH = [Huber(EPSILON), SquaredEpsilonInsensitive(EPSILON), Poisson()]
ROUGH = [EpsilonInsensitive(EPSILON), AbsoluteError(), Quantile(QUANTILE)]
every_conjugate = pytest.mark.parametrize("loss", CONJUGATES, ids=repr)
reproducibly = settings(derandomize=True, deadline=None)


@every_conjugate
@reproducibly
@given(f=st.floats(-4.0, 4.0), v=st.floats(-4.0, 4.0), y=st.floats(-4.0, 4.0))
def test_loss_and_conjugate_are_at_least_the_product_and_equal_it_at_the_slope(loss, f, v, y):
    y = max(y, loss.min_target)
    total = loss.value(f, y) + loss.conjugate(v, y)
    assert total >= f * v - 1e-13 * (1.0 + abs(f * v))
    slope = loss.slope(f, y)
    equal = loss.value(f, y) + loss.conjugate(slope, y)
    assert math.isclose(equal, f * slope, rel_tol=1e-13, abs_tol=1e-12)


@every_conjugate
def test_a_conjugate_is_the_largest_difference_of_product_and_loss(loss):
    f = np.linspace(-40.0, 40.0, 8001)
    f = f[f < 20.0] if isinstance(loss, Poisson) else f
    for y in (0.0, 0.5, 1.0, 2.5):
        values = np.array([loss.value(t, y) for t in f])
        for v in np.linspace(-3.0, 3.0, 61):
            largest = (v * f - values).max()
            found = loss.conjugate(v, y)
            np.testing.assert_allclose(found, CONJUGATES[loss](v, y), rtol=1e-13, atol=1e-13)
            if np.isfinite(found):
                # a grid of step .01, on which a curvature of at most 6 loses less than 1e-4
                assert largest - 1e-12 <= found <= largest + 1e-4
            else:
                ends = np.abs(f[np.argmax(v * f - values)])
                assert ends > 19.0


def test_every_loss_of_the_table_has_a_conjugate_and_keeps_its_law():
    assert {type(loss) for loss in CONJUGATES} == set(LOSSES.values())
    for loss in CONJUGATES:
        check_loss(loss, compiled=False)


def test_a_wrong_conjugate_breaks_the_law_of_the_conjugate():
    class Doubled(Huber):
        def conjugate(self, v, y):
            return 2.0 * v * (y + 0.5 * v) if abs(v) <= self.epsilon else math.inf

    with pytest.raises(AssertionError, match="the law of the conjugate"):
        check_loss(Doubled(), compiled=False)


def test_a_slope_that_changes_between_kinks_breaks_the_law_of_the_kinks():
    class OneKink(EpsilonInsensitive):
        def kinks(self, y):
            return y[None]

    with pytest.raises(AssertionError, match="the law of the kinks"):
        check_loss(OneKink(EPSILON), compiled=False)


def test_a_loss_does_not_inherit_the_conjugate_of_another_loss():
    class Twice(SquaredEpsilonInsensitive):
        def value(self, f, y):
            return max(0.0, abs(f - y) - self.epsilon) ** 2

        def slope(self, f, y):
            return 2.0 * math.copysign(max(0.0, abs(f - y) - self.epsilon), f - y)

    assert Twice().conjugate is None
    assert type("Own", (Quantile,), {"slope": lambda self, f, y: 0.0}).kinks is None
    X, y = np.arange(6.0)[:, None], np.arange(6.0) % 4
    assert GDRegressor(loss=Twice()).objective(X, y).dual_gap([0.0, 0.0]) == np.inf


class Hinged(Loss):
    """A custom loss, ``max(f - y, (y - f) / 2)``, with a conjugate."""

    __slots__ = ()
    nonsmooth = True

    def value(self, f, y):
        return max(f - y, 0.5 * (y - f))

    def slope(self, f, y):
        return 1.0 if f > y else -0.5

    def conjugate(self, v, y):
        return y * v if -0.5 <= v <= 1.0 else math.inf

    def kinks(self, y):
        return y[None]


def test_a_custom_loss_with_a_conjugate_has_a_gap():
    check_loss(Hinged(), compiled=False)
    X, y, weight = make_rows(Quantile(1 / 3))
    own = GDRegressor(loss=Hinged(), penalty="l2", alpha=0.2).objective(X, y, weight)
    peer = GDRegressor(loss=Quantile(1 / 3), penalty="l2", alpha=0.2).objective(X, y, weight)
    theta = np.linspace(-0.5, 0.5, own.d)
    np.testing.assert_allclose(own.dual_gap(theta), 1.5 * peer_gap(peer, theta), rtol=1e-6)


def peer_gap(peer, theta):
    """Return the gap of a loss a third smaller, whose penalty is to be a third smaller too."""
    return peer.with_alpha(0.2 / 1.5).dual_gap(theta)


PENALTIES = {
    "none": {"penalty": None},
    "l2": {"penalty": "l2", "alpha": 0.1},
    "l1": {"penalty": "l1", "alpha": 0.05},
    "elastic net": {"penalty": "elasticnet", "alpha": 0.05},
}
FORMS = {
    "plain": {},
    "no intercept": {"fit_intercept": False},
    "factors": {"penalty_weights": [0.0, 1.0, 2.0, 0.0, 0.5]},
    "positive": {"positive": True},
    "positive, factors": {"positive": True, "penalty_weights": [0.0, 1.0, 2.0, 0.0, 0.5]},
}


def make_rows(loss, n=40):
    """Return rows, targets of heavy tails or counts, and weights, some of them zero."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, 5)) * (rng.random((n, 5)) < 0.8) + 0.2
    f = X @ [1.0, -0.5, 0.0, 0.3, 0.0] + 0.5
    counts = rng.poisson(np.exp(0.5 * f)).astype(float)
    y = counts if isinstance(loss, Poisson) else f + 0.5 * rng.standard_t(3, n)
    return X, y, rng.integers(0, 4, n).astype(float)


class Minimum:
    """F and its dual from their definitions, in numpy, and the least value by scipy."""

    def __init__(self, loss, penalty, form, weighted):
        self.loss, (self.X, self.y, weight) = loss, make_rows(loss)
        self.model = GDRegressor(loss=loss, **PENALTIES[penalty], **FORMS[form])
        self.weight = weight if weighted else None
        self.s = weight if weighted else np.ones(len(self.y))
        self.s = self.s / self.s.sum()
        share = {"none": 0.0, "l2": 0.0, "l1": 1.0, "elastic net": 0.5}[penalty]
        factor = np.asarray(FORMS[form].get("penalty_weights", np.ones(5)))
        alpha = PENALTIES[penalty].get("alpha", 0.0)
        self.a, self.b = alpha * share * factor, alpha * (1.0 - share) * factor
        self.level, self.positive = int(self.model.fit_intercept), self.model.positive
        constant = np.ones((len(self.y), self.level))
        self.A = np.hstack([self.X, constant])

    def objective(self, storage=np.asarray):
        return self.model.objective(storage(self.X), self.y, self.weight)

    def terms(self, f):
        pairs = [*zip(f.tolist(), self.y.tolist())]
        values = np.array([self.loss.value(*pair) for pair in pairs])
        return values, np.array([self.loss.slope(*pair) for pair in pairs])

    def value(self, theta):
        w = theta[:5]
        losses = self.s @ self.terms(self.A @ theta)[0]
        return losses + self.a @ np.abs(w) + 0.5 * self.b @ w**2

    def dual(self, v):
        """Return the dual objective at v scaled into its domain from slightly outside."""
        u = -self.X.T @ (self.s * v)
        u = np.maximum(u, 0.0) if self.positive else np.abs(u)
        excess, soft = np.maximum(u - self.a, 0.0), self.b > 0.0
        if excess[~soft].max(initial=0.0) > 1e-12 or (self.level and abs(self.s @ v) > 1e-12):
            return -np.inf
        losses = np.where(self.s > 0.0, CONJUGATES[self.loss](v, self.y), 0.0)
        return -(self.s @ losses) - (excess[soft] ** 2 / (2.0 * self.b[soft])).sum()

    def polished(self):
        """Return the minimum of a smooth loss, by L-BFGS-B on positive and negative parts."""

        def function(z):
            w = z[:5] - z[5:10]
            values, slopes = self.terms(self.A @ np.append(w, z[10:]))
            g = self.A.T @ (self.s * slopes)
            smooth = g[:5] + self.b * w
            total = self.s @ values + self.a @ (z[:5] + z[5:10]) + 0.5 * self.b @ w**2
            return total, np.concatenate([smooth + self.a, self.a - smooth, g[5:]])

        bounds = [(0.0, None)] * 5 + [(0.0, 0.0 if self.positive else None)] * 5
        bounds += [(None, None)] * self.level
        options = {"ftol": 0.0, "gtol": 1e-10, "maxiter": 5000, "maxfun": 10_000, "maxcor": 30}
        z = np.zeros(len(bounds))
        for _ in range(3):
            z = optimize.minimize(
                function, z, jac=True, method="L-BFGS-B", bounds=bounds, options=options
            ).x
        return np.append(z[:5] - z[5:10], z[10:])

    def program(self):
        """Return the minimum of a piecewise linear loss with an l1 penalty, by linprog.

        The variables are the parts of w, the intercept, and what f is above and below the tube.
        """
        up, down, width = {
            EpsilonInsensitive: (1.0, 1.0, EPSILON),
            AbsoluteError: (1.0, 1.0, 0.0),
            Quantile: (1.0 - QUANTILE, QUANTILE, 0.0),
        }[type(self.loss)]
        n, identity = len(self.y), np.eye(len(self.y))
        A = np.hstack([self.X, -self.X, self.A[:, 5:]])
        rows = [[A, -identity, 0 * identity], [-A, 0 * identity, -identity]]
        costs = [self.a, self.a, np.zeros(self.level), up * self.s, down * self.s]
        bounds = [(0.0, None)] * 5 + [(0.0, 0.0 if self.positive else None)] * 5
        bounds += [(None, None)] * self.level + [(0.0, None)] * (2 * n)
        limits = np.concatenate([self.y + width, width - self.y])
        found = optimize.linprog(np.concatenate(costs), np.block(rows), limits, bounds=bounds)
        return np.append(found.x[:5] - found.x[5:10], found.x[10 : 10 + self.level])


def points(minimum):
    """Return parameters on the way from zero to the minimum and beyond."""
    return [share * minimum for share in (0.0, 0.7, 0.99, 1.0 - 1e-6, 1.1)]


@functools.cache
def solved(loss, penalty, form, weighted):
    problem = Minimum(loss, penalty, form, weighted)
    return problem, problem.polished() if loss in SMOOTH else problem.program()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
def test_the_gap_of_a_smooth_loss_bounds_the_suboptimality_and_is_tight(loss, penalty, form):
    for weighted in (False, True):
        problem, minimum = solved(loss, penalty, form, weighted)
        least = problem.value(minimum)
        for storage in (np.asarray, sparse.csr_array):
            objective = problem.objective(storage)
            unit = objective.null_objective
            for theta in points(minimum):
                assert objective.dual_gap(theta) >= problem.value(theta) - least - 1e-12 * unit
            goal = 1e-4 if penalty == "l1" else 1e-6
            assert objective.dual_gap(minimum) <= goal * unit


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("penalty", ["none", "l1"])
@pytest.mark.parametrize("loss", ROUGH, ids=repr)
def test_the_gap_of_a_piecewise_linear_loss_bounds_the_suboptimality(loss, penalty, form):
    for weighted in (False, True):
        problem, minimum = solved(loss, penalty, form, weighted)
        least = problem.value(minimum)
        for storage in (np.asarray, sparse.csr_array):
            objective = problem.objective(storage)
            for theta in points(minimum):
                left = problem.value(theta) - least
                gap = objective.dual_gap(theta)
                assert left - 1e-12 * objective.null_objective <= gap
                assert gap <= problem.value(theta) * (1.0 + 1e-12)
            assert objective.dual_gap(minimum) <= 1e-6 * objective.null_objective


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("penalty", ["l2", "elastic net"])
@pytest.mark.parametrize("loss", ROUGH, ids=repr)
def test_no_point_is_below_the_lower_bound_of_a_piecewise_linear_loss(loss, penalty, form):
    for weighted in (False, True):
        problem = Minimum(loss, penalty, form, weighted)
        objective = problem.objective()
        bound = problem.value(np.zeros(objective.d)) - objective.dual_gap(np.zeros(objective.d))
        bounds = [(0.0 if problem.positive else None, None)] * 5 + [(None, None)] * problem.level
        found = optimize.minimize(
            problem.value, np.zeros(objective.d), method="Powell", bounds=bounds
        )
        assert bound <= found.fun + 1e-12 * objective.null_objective


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loss", SMOOTH + ROUGH, ids=repr)
def test_the_gap_is_little_more_than_the_least_that_the_vectors_prove(loss, form):
    for penalty, weighted in itertools.product(PENALTIES, (False, True)):
        problem = Minimum(loss, penalty, form, weighted)
        objective, start = problem.objective(), np.zeros(5 + problem.level)
        vectors = [vector_of(objective, step) for step in dual_vectors(objective, start)]
        multiples = (1.0, 1.0 - 1e-14, 1.0 - 1e-12)
        again = max(problem.dual(c * v) for v in vectors for c in multiples)
        goal = 1.5 * (problem.value(start) - again) + 2e-7 * objective.null_objective
        assert objective.dual_gap(start) <= goal  # where the search ends


def vector_of(objective, step):
    """Return the dual vector of a step, or the slopes at its end, which are one there."""
    theta = as_vector(objective, step.w, step.level)
    return objective.loss_terms(theta)[1] if step.v is None else step.v


def test_a_linear_model_of_another_slope_has_no_dual_of_this_kind():
    class Doubled(Linear):
        """``2 w . x + b``."""

        __slots__ = ()
        projection_scale = 2.0

        def value(self, z, theta, p):
            return 2.0 * z + theta[p]

        def slope(self, z, theta, p):
            return 2.0

    X, y, _ = make_rows(Huber())
    for loss in (Huber(), SquaredError(), AbsoluteError()):
        options = {"loss": loss, "penalty": L2(), "alpha": 0.1}
        plain = Objective.of_rows(X, y, np.ones(40), model=Linear(True), **options)
        other = Objective.of_rows(X, y, np.ones(40), model=Doubled(True), **options)
        assert np.isfinite(plain.dual_gap(np.zeros(6)))
        assert not other.quadratic
        assert other.dual_gap(np.zeros(6)) == np.inf


@pytest.mark.parametrize("loss", SMOOTH + ROUGH, ids=repr)
def test_a_stream_knows_a_gap_that_bounds_the_suboptimality_on_its_rows(loss):
    problem, minimum = solved(loss, "l1", "plain", False)
    model = clone(problem.model).set_params(optimizer="gd", learning_rate=0.01)
    for _ in range(3):
        model.partial_fit(problem.X, problem.y)
        left = problem.value(model.parameters()) - problem.value(minimum)
        assert left <= model.dual_gap_ <= 1.6 * left


def test_a_target_far_from_zero_costs_no_more_than_its_rounding():
    problem = Minimum(Huber(EPSILON), "l2", "plain", False)
    near = problem.objective()
    far = problem.model.objective(problem.X, problem.y + 1e6)
    theta = np.zeros(6)
    shifted = np.append(np.zeros(5), 1e6)
    np.testing.assert_allclose(far.dual_gap(shifted), near.dual_gap(theta), rtol=1e-6)


@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
def test_a_converged_fit_of_a_smooth_loss_has_a_small_gap(loss):
    problem = Minimum(loss, "l1", "factors", True)
    model = problem.model.set_params(tol=1e-8, max_iter=20_000)
    model.fit(problem.X, problem.y, problem.weight)
    assert model.converged_
    assert model.dual_gap_ <= 1e-6 * problem.objective().null_objective


EXTREMES = {
    "constant targets": lambda X, y: (X, np.ones(len(y))),
    "one row": lambda X, y: (X[:1], y[:1]),
    "constant columns": lambda X, y: (np.ones_like(X), y),
    "repeated columns": lambda X, y: (np.repeat(X[:, :2], 3, axis=1), y),
    "more columns than rows": lambda X, y: (X[:4], y[:4]),
    "columns far from zero": lambda X, y: (X + 1e6, y),
    "large rows": lambda X, y: (X * 1e3, y),
}


@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("loss", SMOOTH + ROUGH, ids=repr)
def test_the_gap_is_a_number_and_no_point_is_below_the_bound_at_the_extremes(loss, extreme):
    X, y, _ = make_rows(loss)
    X, y = EXTREMES[extreme](X, y)
    rng = np.random.default_rng(0)
    for penalty, intercept in itertools.product(PENALTIES, (True, False)):
        model = GDRegressor(loss=loss, fit_intercept=intercept, **PENALTIES[penalty])
        objective = model.objective(X, y)
        unit, d = objective.null_objective, objective.d
        thetas = rng.standard_normal((4, d)) * [[0.0], [1e-3], [1.0], [1e3]] / np.abs(X).max()
        values = np.array([objective.value(theta) for theta in thetas])
        gaps = np.array([objective.dual_gap(theta) for theta in thetas])
        assert not np.isnan(gaps).any()
        assert (gaps >= 0.0).all()
        lowest = np.argmin(values)
        least = min(values.min(), _lowered(objective, thetas[lowest]))
        finite = np.isfinite(values)
        bounds, rounding = values[finite] - gaps[finite], 1e-15 * values[finite] + 1e-12 * unit
        assert (bounds <= least + rounding).all()


def _lowered(objective, theta):
    """Return the value where Nelder and Mead end."""
    found = optimize.minimize(
        lambda t: min(objective.value(t), 1e300),
        theta,
        method="Nelder-Mead",
        options={"maxiter": 100},
    )
    return objective.value(found.x)


@pytest.mark.parametrize("loss", ["huber", "squared_epsilon_insensitive"])
def test_a_penalty_that_leaves_no_weight_and_no_intercept_gives_zeros(problem, loss):
    model = GDRegressor(loss=loss, penalty="l1", alpha=1e3, fit_intercept=False).fit(*problem)
    assert not model.coef_.any()
