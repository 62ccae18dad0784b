"""Every rule arrives at the minimum, by its own steps, and says so when it has and only then."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, QuantileRegressor
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor
from skgd.descent.arrival import TUNING, RateControl
from skgd.descent.outcome import Outcome
from skgd.estimators.certificates import certifier_of
from skgd.kernels.problem import OBJECTIVE, STEP_NORM
from skgd.losses import LOSSES, Quantile
from skgd.optimizers import OPTIMIZERS

RAW, Y = load_diabetes(return_X_y=True, scaled=False)
STANDARDISED = StandardScaler().fit_transform(RAW)
RULES = [rule for rule in OPTIMIZERS if rule not in ("sgd", "adamw")]
PENALTIES = (None, "l2", "l1", "elasticnet")
BATCHES = (None, 256, 32, 1)


def relative_gap(fit, X, y):
    """Return how far the objective is above that of a direct solver, in the unit of tol."""
    objective = fit.objective(X, y)
    exact = GDRegressor(
        fit.loss, penalty=fit.penalty, alpha=fit.alpha, l1_ratio=fit.l1_ratio, tol=1e-9
    ).fit(X, y)
    least = objective.value(exact.parameters()) - exact.dual_gap_
    return (objective.value(fit.parameters()) - least) / objective.null_objective


@pytest.mark.slow
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("size", BATCHES)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_arrives_on_raw_columns_with_the_defaults(rule, size, penalty):
    fit = GDRegressor(penalty=penalty, optimizer=rule, batch_size=size, random_state=0)
    fit.fit(RAW, Y)
    assert (fit.converged_, fit.stop_reason_) == (True, "converged")
    assert relative_gap(fit, RAW, Y) <= fit.tol


@pytest.mark.slow
@pytest.mark.parametrize("size", BATCHES)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_arrives_on_standardised_columns_with_the_defaults(rule, size):
    fit = GDRegressor(optimizer=rule, batch_size=size, random_state=1).fit(STANDARDISED, Y)
    assert fit.converged_
    assert relative_gap(fit, STANDARDISED, Y) <= fit.tol


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_the_zeros_of_a_full_batch_are_those_of_lasso(rule):
    fit = GDRegressor(penalty="l1", alpha=3.0, optimizer=rule).fit(STANDARDISED, Y)
    lasso = Lasso(alpha=3.0, tol=1e-12, max_iter=100_000).fit(STANDARDISED, Y)
    assert 0 < np.count_nonzero(lasso.coef_) < lasso.coef_.size
    assert fit.converged_
    assert_array_equal(fit.coef_ == 0.0, lasso.coef_ == 0.0)


@pytest.mark.parametrize("quantile", [0.5, 0.8])
@pytest.mark.parametrize("rule", ["momentum", "nesterov", "adam"])
def test_the_zeros_of_a_loss_whose_slope_jumps_are_those_of_a_linear_programme(rule, quantile):
    fit = GDRegressor(Quantile(quantile), penalty="l1", alpha=0.03, optimizer=rule)
    fit.fit(STANDARDISED, Y)
    exact = QuantileRegressor(quantile=quantile, alpha=0.03).fit(STANDARDISED, Y)
    assert 0 < np.count_nonzero(exact.coef_) < exact.coef_.size
    assert fit.converged_
    assert_array_equal(fit.coef_ == 0.0, exact.coef_ == 0.0)
    assert relative_gap(fit, STANDARDISED, Y) <= fit.tol


@pytest.mark.parametrize("rule", ["momentum", "nesterov", "adam", "rmsprop"])
def test_a_descent_on_a_loss_that_is_flat_at_its_minimum_ends_when_the_gap_is_met(rule):
    huber = GDRegressor("huber", penalty=None, optimizer=rule, max_iter=5000, random_state=0)
    fit = huber.fit(STANDARDISED, Y)
    assert fit.converged_
    assert relative_gap(fit, STANDARDISED, Y) <= fit.tol


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    loss=st.sampled_from([*LOSSES]),
    rule=st.sampled_from(["gd", "nesterov", "adam", "rmsprop", "saga"]),
    size=st.sampled_from([None, 16]),
    penalty=st.sampled_from(["l2", "l1"]),
    schedule=st.sampled_from(["auto", "constant", "adaptive"]),
    max_iter=st.sampled_from([3, 60, 400]),
    seed=st.integers(0, 99),
)
def test_no_fit_says_converged_with_a_gap_above_tol(
    loss, rule, size, penalty, schedule, max_iter, seed
):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 3)) * [1.0, 5.0, 0.3]
    y = np.floor(np.exp(0.3 * X[:, 0]) * 3.0 + rng.random(60))
    fit = GDRegressor(
        loss, penalty=penalty, optimizer=rule, batch_size=size, alpha=0.01, random_state=seed
    )
    fit.set_params(schedule=schedule, max_iter=max_iter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(X, y)
    if fit.converged_:
        assert fit.dual_gap_ <= fit.tol * fit.objective(X, y).null_objective


def test_a_plateau_above_the_minimum_is_no_convergence():
    fit = GDRegressor(optimizer="rmsprop", schedule="constant", batch_size=32, random_state=0)
    with pytest.warns(ConvergenceWarning, match="stopped improving: the duality gap is"):
        fit.fit(STANDARDISED, Y)
    assert (fit.stop_reason_, fit.converged_) == ("plateau", False)
    assert relative_gap(fit, STANDARDISED, Y) > fit.tol


def test_the_steps_of_a_descent_that_arrives_are_those_of_its_rule():
    options = {"center": False, "record_path": True, "penalty": None}
    fit = GDRegressor(optimizer="rmsprop", **options).fit(STANDARDISED, Y)
    rates, A = fit.history_["learning_rate"][1:], np.column_stack([STANDARDISED, np.ones(len(Y))])
    theta, square = np.zeros(11), np.zeros(11)
    assert len({*rates}) > 3
    for rate, reached in zip(rates[:300], fit.path_[1:]):
        g = A.T @ (A @ theta - Y) / len(Y)
        square = 0.9 * square + 0.1 * g * g
        theta = theta - rate * g / np.sqrt(square)
        assert_allclose(reached, theta, rtol=1e-5, atol=1e-5)
        theta = reached


@pytest.mark.parametrize(("rule", "size"), [("gd", None), ("adam", 32), ("momentum", 1)])
def test_columns_in_other_units_change_the_coefficients_and_nothing_else(rule, size):
    units = np.array([1e-3, 1.0, 50.0, 1e3, 7.0, 0.2, 1.0, 3.0, 1e-2, 10.0])
    fit = GDRegressor(penalty=None, optimizer=rule, batch_size=size, random_state=0)
    coef = fit.fit(RAW, Y).coef_
    scaled = fit.fit(RAW * units, Y).coef_
    assert_allclose(scaled * units, coef, rtol=1e-5, atol=1e-8)


OTHER_LOSSES = ["huber", "squared_epsilon_insensitive", "poisson", "absolute_error"]


@pytest.mark.parametrize(("rule", "size"), [("nesterov", None), ("adam", None), ("adam", 32)])
@pytest.mark.parametrize("loss", OTHER_LOSSES)
def test_descents_on_other_losses_arrive_on_raw_columns_too(loss, rule, size):
    fit = GDRegressor(loss, optimizer=rule, batch_size=size, random_state=0).fit(RAW, Y)
    assert (fit.converged_, fit.stop_reason_) == (True, "converged")
    assert relative_gap(fit, RAW, Y) <= fit.tol


@pytest.mark.parametrize("rule", ["saga", "svrg"])
def test_where_slopes_jump_the_rate_of_variance_reduced_rules_falls_too(rule):
    fit = GDRegressor("absolute_error", penalty=None, optimizer=rule, batch_size=32)
    fit.set_params(random_state=0).fit(STANDARDISED, Y)
    assert fit.converged_
    assert relative_gap(fit, STANDARDISED, Y) <= fit.tol
    assert fit.history_["learning_rate"][-1] < fit.history_["learning_rate"][1]


@pytest.mark.parametrize(("rule", "size"), [("gd", None), ("adam", 32), ("saga", 1)])
@pytest.mark.parametrize("loss", OTHER_LOSSES)
def test_columns_that_are_moved_change_the_intercept_and_nothing_else(loss, rule, size):
    away = np.arange(10.0) * 16.0
    fit = GDRegressor(loss, penalty="l1", alpha=1e-3, optimizer=rule, batch_size=size)
    fit.set_params(max_iter=12, random_state=0, record_path=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path, curve = fit.fit(RAW, Y).path_, fit.loss_curve_
        moved = fit.fit(RAW + away, Y).path_
    assert_allclose(fit.loss_curve_, curve, rtol=1e-9)
    assert_allclose(moved[:, :10], path[:, :10], rtol=1e-5, atol=1e-8)
    assert_allclose(moved[:, 10], path[:, 10] - path[:, :10] @ away, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("loss", ["huber", "absolute_error"])
def test_a_fit_that_goes_on_with_rows_from_elsewhere_arrives_at_their_minimum(loss):
    fit = GDRegressor(loss, optimizer="adam", warm_start=True, random_state=0, max_iter=3000)
    away = np.full(10, 300.0)
    fit = pickle.loads(pickle.dumps(fit.fit(RAW, Y)))
    fit.fit(RAW[::2] + away, Y[::2])
    assert fit.converged_
    assert relative_gap(fit, RAW[::2] + away, Y[::2]) <= fit.tol


def test_without_center_steps_are_taken_in_the_parameters_themselves():
    options = {"optimizer": "gd", "center": False, "penalty": None, "max_iter": 20}
    with pytest.warns(ConvergenceWarning, match="max_iter=20 epochs: the scaled residual"):
        fit = GDRegressor(**options).fit(RAW, Y)
    A = np.column_stack([RAW, np.ones(len(Y))])
    largest = np.linalg.eigvalsh(A.T @ A / len(Y))[-1]
    assert 0.98 / largest <= fit.learning_rate_ <= (1.0 + 1e-9) / largest


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("size", [None, 32])
def test_a_fit_that_goes_on_equals_one_that_never_stopped(size, loss):
    fit = GDRegressor(loss, optimizer="adam", batch_size=size, random_state=0, warm_start=True)
    whole = GDRegressor(loss, optimizer="adam", batch_size=size, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole.set_params(max_iter=75).fit(RAW, Y)
        fit.set_params(max_iter=25).fit(RAW, Y)
        fit.set_params(max_iter=50)
        stored = pickle.loads(pickle.dumps(fit))
        fit.fit(RAW, Y)
        stored.fit(RAW, Y)
    assert_allclose(fit.coef_, whole.coef_, rtol=1e-12)
    assert_allclose(stored.coef_, whole.coef_, rtol=1e-12)
    assert fit.t_ == whole.t_


def test_a_polished_fit_has_the_zeros_and_the_gap_of_a_direct_solver():
    fit = GDRegressor(penalty="l1", alpha=3.0, optimizer="adam", batch_size=32, max_iter=5)
    fit.set_params(polish=True, random_state=0).fit(STANDARDISED, Y)
    lasso = Lasso(alpha=3.0, tol=1e-12, max_iter=100_000).fit(STANDARDISED, Y)
    assert (fit.stop_reason_, fit.converged_) == ("polished", True)
    assert_array_equal(fit.coef_ == 0.0, lasso.coef_ == 0.0)
    assert relative_gap(fit, STANDARDISED, Y) <= 1e-2 * fit.tol
    assert fit.n_iter_ == len(fit.loss_curve_) - 1 == len(fit.history_["updates"]) - 1
    assert fit.n_iter_ > 5


def test_batches_grow_where_no_rate_gets_rid_of_their_noise():
    fit = GDRegressor(optimizer="normalized", batch_size=1, random_state=0).fit(STANDARDISED, Y)
    updates = np.diff(fit.history_["updates"])
    assert updates[0] == len(Y)
    assert updates[-1] < len(Y)
    assert set(updates) <= {-(-len(Y) // min(4**k, len(Y))) for k in range(6)}


def test_a_rate_that_is_given_is_kept():
    fit = GDRegressor(optimizer="adam", learning_rate=0.01, batch_size=32, max_iter=60)
    with pytest.warns(ConvergenceWarning):
        fit.set_params(random_state=0, n_iter_no_change=99).fit(STANDARDISED, Y)
    assert_array_equal(fit.history_["learning_rate"][1:], 0.01)


def columns(objectives, step_norms):
    """Return columns of a record."""
    found = np.zeros((len(objectives), 6))
    found[:, OBJECTIVE], found[:, STEP_NORM] = objectives, step_norms
    return found.tolist()


def reviewed(objectives, way, distance, rises=True, full=True):
    """Return the factors after a stage whose iterate has come so far on a way of such steps."""
    control = RateControl(rises, np.zeros(1))
    control.note(columns(objectives, np.full(len(objectives), way / len(objectives))))
    assert control.left == 0
    return control.review(np.array([distance]), 0.0, full)


STAGE = TUNING.window


def test_a_plateau_halves_the_rate():
    assert reviewed(np.ones(STAGE), 1.0, 0.5) == (TUNING.cut, 1)


def test_a_straight_way_doubles_the_rate_of_a_rule_that_could_take_it():
    falling = np.linspace(2.0, 1.0, STAGE)
    assert reviewed(falling, 1.0, 0.9) == (TUNING.rise, 1)
    assert reviewed(falling, 1.0, 0.9, rises=False) == (1.0, 1)


def test_a_way_that_leads_nowhere_halves_the_rate_on_the_full_batch():
    falling = np.linspace(1.01, 1.0, STAGE)
    assert reviewed(falling, 1.0, 0.1) == (TUNING.cut, 1)
    assert reviewed(falling, 1.0, 0.4) == (1.0, 1)


def test_a_cut_that_was_of_no_use_is_undone_and_batches_grow():
    control = RateControl(True, np.zeros(1))
    factors = []
    for _ in range(2):
        left = control.left
        control.note(columns(np.ones(left), np.ones(left)))
        factors.append(control.review(np.zeros(1), 0.0, False))
    assert factors == [(TUNING.cut, 1), (1.0 / TUNING.cut, TUNING.batch)]


def test_a_rule_that_settles_is_reviewed_only_after_a_long_time_and_begins_at_its_own_rate():
    control = RateControl(True, np.zeros(1), settles=True)
    assert (control.left, control.first_factor) == (TUNING.long, 1.0)
    control.note(columns(np.linspace(2.0, 1.0, TUNING.long), np.full(TUNING.long, 1e-3)))
    assert control.review(np.array([1.9]), 0.0, True) == (TUNING.rise, 1)
    assert control.left == TUNING.window


def test_adagrad_meets_the_zeros_of_lasso_on_correlated_columns():
    rng = np.random.default_rng(2)
    X = np.sqrt(0.1) * rng.normal(size=(2_000, 50)) + np.sqrt(0.9) * rng.normal(size=(2_000, 1))
    y = X @ (rng.normal(size=50) * (rng.random(50) < 0.3)) + rng.normal(size=2_000)
    fit = GDRegressor(optimizer="adagrad", penalty="l1", alpha=1e-3).fit(X, y)
    lasso = Lasso(1e-3, tol=1e-12, max_iter=100_000).fit(X, y)
    assert fit.converged_
    assert fit.n_iter_ < 6_000
    assert np.array_equal(fit.coef_ == 0.0, lasso.coef_ == 0.0)


def test_polished_counts_as_settled():
    assert Outcome.POLISHED.settled
    assert not Outcome.POLISHED.failed


def test_a_start_whose_objective_is_no_number_has_a_bound_all_the_same():
    objective = GDRegressor("poisson", alpha=0.1).objective(STANDARDISED, Y)
    least = GDRegressor("poisson", alpha=0.1).fit(STANDARDISED, Y).loss_curve_[-1]
    with np.errstate(over="ignore"):
        found = certifier_of(objective, 1e-4)(objective, np.full(11, 1e4), None)
    assert found.lower_bound <= least + 1e-9 * abs(least)
