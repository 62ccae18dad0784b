"""The direct solver of losses other than the squared error, against scipy and scikit-learn.

The problems and their minima are those of the tests of duality gaps.
"""

import functools
import math

import numpy as np
import pytest
from scipy import optimize, sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import PoissonRegressor, QuantileRegressor
from test_gaps_of_losses import FORMS, PENALTIES, ROUGH, SMOOTH, Minimum, solved

from skgd import GDRegressor
from skgd.descent.outcome import Outcome
from skgd.estimators.minimizers import direct
from skgd.kernels.moments import column_moments
from skgd.losses import LOSSES, Huber, Loss, Poisson, SquaredEpsilonInsensitive
from skgd.models import Linear
from skgd.objective.loss_points import certified_point, point_at
from skgd.objective.newton_steps import Tuning, newton_steps
from skgd.objective.objective import Objective
from skgd.penalties import L2
from skgd.pieces import from_callables

pytestmark = pytest.mark.slow  # many Newton steps

STORAGE = {
    "dense": np.asarray,
    "columns": np.asfortranarray,
    "sparse": sparse.csr_array,
    "float32": functools.partial(np.asarray, dtype=np.float32),
}


def fit(problem, storage=np.asarray, **options):
    model = clone(problem.model).set_params(tol=1e-6, **options)
    return model.fit(storage(problem.X), problem.y, problem.weight)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
def test_a_smooth_loss_is_fitted_to_the_minimum_of_scipy(loss, penalty, form):
    for weighted in (False, True):
        problem, minimum = solved(loss, penalty, form, weighted)
        model = fit(problem)
        unit = problem.objective().null_objective
        assert model.converged_
        assert np.isnan(model.learning_rate_)
        assert model.n_iter_ <= 30
        assert problem.value(model.parameters()) <= problem.value(minimum) + 1e-8 * unit
        assert model.dual_gap_ <= 1e-8 * unit
        if penalty == "l1" and form == "plain":
            zero = np.abs(minimum[:5]) < 1e-7
            np.testing.assert_array_equal(model.coef_ == 0.0, zero)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("penalty", ["none", "l1"])
@pytest.mark.parametrize("loss", ROUGH, ids=repr)
def test_a_piecewise_linear_loss_is_fitted_to_the_minimum_of_linprog(loss, penalty, form):
    for weighted in (False, True):
        problem, minimum = solved(loss, penalty, form, weighted)
        model = fit(problem)
        unit = problem.objective().null_objective
        assert model.converged_
        assert np.isnan(model.learning_rate_)
        assert problem.value(model.parameters()) <= problem.value(minimum) + 1e-8 * unit
        assert model.dual_gap_ <= 1e-8 * unit


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("penalty", ["l2", "elastic net"])
@pytest.mark.parametrize("loss", ROUGH, ids=repr)
def test_a_piecewise_linear_loss_with_an_l2_part_ends_with_a_small_gap(loss, penalty, form):
    for weighted in (False, True):
        problem = Minimum(loss, penalty, form, weighted)
        model = fit(problem)
        assert model.converged_
        assert model.dual_gap_ <= 1e-8 * problem.objective().null_objective


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", SMOOTH + ROUGH, ids=repr)
def test_the_storage_of_the_rows_makes_no_difference(loss, penalty, storage):
    problem = Minimum(loss, penalty, "plain", True)
    problem.X = problem.X.astype(np.float32).astype(float)
    value, found = (
        problem.value(fit(problem, s).parameters()) for s in (np.asarray, STORAGE[storage])
    )
    rounding = 1e-5 if storage == "float32" else 1e-8
    np.testing.assert_allclose(found, value, rtol=rounding)


def test_quantile_regression_has_the_objective_of_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 8))
    y = X @ rng.standard_normal(8) + rng.standard_t(2, 3000)
    for quantile, alpha in ((0.5, 0.0), (0.9, 0.01), (0.1, 0.05)):
        peer = QuantileRegressor(quantile=quantile, alpha=alpha, solver="highs").fit(X, y)
        loss = {"loss": "quantile", "loss__quantile": quantile}
        model = GDRegressor("quantile", penalty="l1", alpha=alpha)
        model.set_params(**loss).fit(X, y)
        objective = model.objective(X, y)
        theirs = objective.value(np.append(peer.coef_, peer.intercept_))
        ours = objective.value(model.parameters())
        assert model.converged_
        assert abs(ours - theirs) <= 1e-6 * objective.null_objective
        np.testing.assert_array_equal(model.coef_.round(4) == 0.0, peer.coef_.round(4) == 0.0)


@pytest.mark.parametrize("loss", ["quantile", "absolute_error", "epsilon_insensitive"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.05, 0.3, 1e3])
def test_zeros_are_exact_also_where_slopes_jump(loss, fit_intercept, alpha):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = X[:, 0] + rng.normal(size=60)
    fit = GDRegressor(loss=loss, penalty="l1", alpha=alpha, fit_intercept=fit_intercept).fit(X, y)
    assert fit.converged_
    assert not ((fit.coef_ != 0.0) & (np.abs(fit.coef_) < 1e-6)).any()
    if loss == "absolute_error":
        other = QuantileRegressor(alpha=0.5 * alpha, fit_intercept=fit_intercept).fit(X, y)
        expected = np.abs(other.coef_) < 1e-9
        np.testing.assert_array_equal(fit.coef_ == 0.0, expected)


def test_poisson_regression_has_the_weights_of_scikit_learn():
    rng = np.random.default_rng(0)
    X, weight = rng.standard_normal((500, 6)), rng.integers(1, 4, 500).astype(float)
    y = rng.poisson(np.exp(0.5 * X @ rng.standard_normal(6))).astype(float)
    peer = PoissonRegressor(alpha=0.1, solver="newton-cholesky", tol=1e-10)
    peer.fit(X, y, sample_weight=weight)
    model = GDRegressor("poisson", penalty="l2", alpha=0.1, tol=1e-8).fit(X, y, weight)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, rtol=1e-6)


def test_many_rows_begin_at_a_sample_and_end_at_the_minimum_over_all():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((20_000, 4))
    y = X @ [1.0, 0.0, -1.0, 2.0] + rng.standard_t(3, 20_000)
    for loss in ("huber", "squared_epsilon_insensitive", "quantile", "epsilon_insensitive"):
        for order in (np.arange(20_000), np.argsort(y)):
            model = GDRegressor(loss, penalty="l1", alpha=0.05).fit(X[order], y[order])
            assert model.converged_
            assert model.coef_[1] == 0.0 or loss in ("quantile", "epsilon_insensitive")
            assert model.dual_gap_ <= 1e-6 * model.objective(X, y).null_objective


def test_a_smooth_loss_without_a_conjugate_is_fitted_by_newton_steps():
    class LogCosh(Loss):
        """``log(cosh(f - y))``."""

        __slots__ = ()
        curvature = 1.0

        def value(self, f, y):
            r = abs(f - y)
            return r + math.log1p(math.exp(-2.0 * r)) - math.log(2.0)

        def slope(self, f, y):
            return math.tanh(f - y)

    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 3))
    y = X @ [2.0, 0.0, -1.0] + rng.standard_t(2, 60)
    model = GDRegressor(LogCosh(), penalty="l2", alpha=0.1, tol=1e-8).fit(X, y)

    def value(theta):
        r = X @ theta[:3] + theta[3] - y
        return np.logaddexp(r, -r).mean() - math.log(2.0) + 0.05 * theta[:3] @ theta[:3]

    best = optimize.minimize(value, np.zeros(4), method="BFGS", options={"gtol": 1e-8})
    assert model.converged_
    assert model.n_iter_ <= 20
    assert np.isnan(model.learning_rate_)
    assert value(model.parameters()) <= best.fun + 1e-12


@pytest.mark.parametrize("penalty", [None, "l2", "l1"])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_few_losses_that_are_curved_at_first_do_not_keep_a_fit_from_its_minimum(scale, penalty):
    X, y = load_diabetes(return_X_y=True, scaled=False)
    y = scale * y
    fit = GDRegressor("huber", penalty=penalty).fit(X, y)
    pieces = from_callables([lambda a=a: (X[a : a + 150], y[a : a + 150]) for a in (0, 150, 300)])
    split = GDRegressor("huber", penalty=penalty).fit(pieces)
    objective = fit.objective(X, y)
    least = fit.loss_curve_[-1] - fit.dual_gap_
    assert fit.converged_
    assert split.converged_
    assert fit.dual_gap_ <= 1e-6 * objective.null_objective
    np.testing.assert_allclose(objective.value(split.parameters()), least, rtol=1e-6)
    if penalty is None:  # the same minimum as a function of columns of one scale
        A = np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(len(y))])

        def value(theta):
            r = A @ theta - y
            inside = np.abs(r) <= 1.35
            losses = np.where(inside, 0.5 * r**2, 1.35 * np.abs(r) - 0.5 * 1.35**2)
            return losses.mean(), A.T @ np.clip(r, -1.35, 1.35) / len(y)

        start = np.linalg.lstsq(A, y, rcond=None)[0]
        options = {"maxiter": 100_000, "maxfun": 200_000, "gtol": 1e-10, "ftol": 1e-15}
        best = optimize.minimize(value, start, jac=True, method="L-BFGS-B", options=options)
        np.testing.assert_allclose(fit.loss_curve_[-1], best.fun, rtol=1e-6)


@pytest.mark.parametrize("loss", ["absolute_error", "quantile", "huber", "poisson"])
def test_more_columns_than_rows_are_fitted_with_a_small_gap(loss):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 400))
    y = np.abs(X[:, :3] @ [3.0, -2.0, 1.0] + rng.standard_normal(60)).round()
    for penalty in ("l1", "l2"):
        model = GDRegressor(loss, penalty=penalty, alpha=0.1).fit(X, y)
        assert model.converged_
        assert model.dual_gap_ <= 1e-4 * model.objective(X, y).null_objective


SHAPES = {
    "large columns": lambda X, y: (X * 1e6, y),
    "columns of six scales": lambda X, y: (X * 10.0 ** np.arange(-6, 6, 2), y),
    "columns far from zero": lambda X, y: (X + 1e4, y),
    "repeated columns": lambda X, y: (np.hstack([X, X]), y),
    "a constant column": lambda X, y: (np.column_stack([X, np.ones(300)]), y),
    "an outlier": lambda X, y: (X, np.append(y[1:], 1e6)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", [*LOSSES][1:])
def test_columns_and_targets_of_any_scale_are_fitted_without_a_descent(loss, shape):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 6))
    y = np.abs(X @ [1.0, 0.0, -2.0, 0.0, 0.5, 0.0] + rng.standard_t(2, 300)).round()
    X, y = SHAPES[shape](X, y)
    for penalty in ("l1", "l2", None):
        model = GDRegressor(loss, penalty=penalty, alpha=0.01).fit(X, y)
        assert model.converged_
        assert np.isnan(model.learning_rate_)
        assert model.dual_gap_ <= 1e-6 * model.objective(X, y).null_objective


def test_too_few_epochs_are_warned_of_and_the_record_has_every_step():
    problem = Minimum(SMOOTH[0], "l2", "plain", False)
    with pytest.warns(UserWarning, match="has not converged in max_iter=1 epochs"):
        model = fit(problem, max_iter=1)
    assert (model.n_iter_, model.stop_reason_) == (1, "max_iter")
    model = fit(problem, max_iter=100)
    assert (np.diff(model.loss_curve_) <= 0.0).all()
    objective, history = problem.objective(), model.history_
    assert len(model.loss_curve_) == model.n_iter_ + 1
    np.testing.assert_allclose(
        model.loss_curve_[-1], problem.value(model.parameters()), rtol=1e-12
    )
    last = objective.value_and_gradient(model.parameters())[1]
    np.testing.assert_allclose(history["gradient_norm"][-1], np.sqrt(last @ last), atol=1e-12)


@pytest.mark.parametrize("loss", ["huber", "poisson"])
@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_newton_steps_are_the_same_without_lower_bounds(loss, penalty):
    X, y = make_counts(300, 4)
    objective = GDRegressor(loss, penalty=penalty, alpha=0.01).objective(X, y)
    start = np.zeros(objective.d)
    bounded, bare = (
        [*newton_steps(objective, start, Tuning(), wants)] for wants in (None, lambda point: False)
    )
    assert bare[0].v is None
    assert all(step.v is not None or step.bound > -np.inf for step in bounded)
    assert abs(len(bounded) - len(bare)) <= 1
    before = [step for step in bounded if step.bound == -np.inf]  # and no intercept has moved
    for step, other in zip(before, bare):
        np.testing.assert_allclose(other.w, step.w, rtol=1e-10)


@pytest.mark.parametrize("loss", [Huber(0.5), SquaredEpsilonInsensitive(0.2), Poisson()])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("penalty", ["l2", "elasticnet"])
def test_the_slopes_at_a_point_prove_what_the_conjugates_of_these_slopes_prove(
    loss, fit_intercept, penalty
):
    X, y = make_counts(200, 3)
    model = GDRegressor(loss, penalty=penalty, alpha=0.1, fit_intercept=fit_intercept)
    objective = model.objective(X, y)
    level = 0.2 if fit_intercept else 0.0
    point, bound = certified_point(objective, point_at(objective, np.full(3, 0.1), level))
    v = objective.loss_terms(np.append(point.w, [point.level] * fit_intercept))[1]
    assert abs(v.mean()) <= (1e-12 if fit_intercept else 1.0)
    a, b = objective.elastic_strengths
    excess = np.maximum(np.abs(X.T @ v / 200) - a, 0.0)
    conjugates = [loss.conjugate(*pair) for pair in zip(v, y)]
    exact = -np.mean(conjugates) - (excess**2 / (2.0 * b)).sum()
    assert exact - 1e-11 <= bound <= exact + 1e-13 * np.abs(conjugates).mean()
    assert bound <= model.fit(X, y).loss_curve_[-1]


def make_counts(n, p):
    """Return rows, and counts whose mean is an exponential of one column."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    return X, rng.poisson(np.exp(0.5 * X[:, 0])).astype(float)


@pytest.mark.parametrize("storage", ["dense", "columns", "sparse"])
@pytest.mark.parametrize("penalty", [None, "l2", "l1"])
@pytest.mark.parametrize("loss", ["huber", "poisson", "squared_epsilon_insensitive"])
def test_columns_far_from_zero_are_fitted_as_well_as_their_distances_from_the_means(
    loss, penalty, storage
):
    rng = np.random.default_rng(0)
    n, p, mean = 600, 6, 2.0**20  # which is added to these distances without an error
    distances = np.round(rng.standard_normal((n, p)) * 2.0 ** np.arange(9, 3, -1)) * 2.0**-10
    f = 0.3 * (distances / distances.std(axis=0)).sum(axis=1)
    y = rng.poisson(np.exp(f)).astype(float) if loss == "poisson" else f + rng.standard_t(3, n)
    distances -= distances[0]
    model = GDRegressor(loss=loss, penalty=penalty, alpha=1e-3 if penalty else 0.0)
    near = clone(model).fit(distances, y)
    far = clone(model).fit(STORAGE[storage](distances + mean), y)
    unit = near.objective(distances, y).null_objective
    assert near.converged_
    assert far.converged_
    assert far.n_iter_ <= 30
    assert far.dual_gap_ <= 1e-4 * unit
    objective = near.objective(distances, y)
    moved = np.append(far.coef_, far.intercept_ + mean * far.coef_.sum())
    assert objective.value(moved) - objective.value(near.parameters()) <= 1e-4 * unit


def test_a_monitor_sees_the_parameters_of_columns_as_they_are_given():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, 3)) + 1e4
    y = rng.poisson(np.exp(0.3 * (X - 1e4).sum(axis=1))).astype(float)
    weight, start = np.ones(200), np.array([0.0, 0.0, 0.0, math.log(y.mean())])
    parts = {"model": Linear(), "loss": Poisson(), "penalty": L2(), "alpha": 1e-3}
    columns = column_moments(X, weight)
    objective = Objective.of_rows(X, y, weight, **parts, columns=columns, null_objective=0.2)
    seen, solver = [], direct(objective, 1e-4, start)
    solver.minimize(100, lambda run: seen.append((run.iterate, run.record.curve[-1])))
    assert solver.outcome is Outcome.CONVERGED
    assert len(seen) == solver.record.n_epochs
    assert objective.value(solver.iterate) < objective.value(start) - 0.01
    for theta, value in seen:
        np.testing.assert_allclose(objective.value(theta), value, rtol=1e-9)
    certificate = solver.certificate
    np.testing.assert_array_equal(certificate.theta, solver.theta)
    assert certificate.value == objective.value(solver.theta)
