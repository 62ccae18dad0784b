"""The laws of the table of schedules, and their effect on a descent."""

import math

import numpy as np
import pytest
from conftest import make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDRegressor

from skgd import GDRegressor
from skgd.optimizers import Momentum
from skgd.schedules import (
    SCHEDULES,
    Adaptive,
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    InverseTime,
    Schedule,
    Step,
    WarmUp,
)
from skgd.testing import check_schedule

EPOCHS = 60
TIMES = np.arange(200)
FORMULAS = {
    "constant": lambda k: 1.0,
    "step": lambda k: 0.5 ** (k // 100),
    "exponential": lambda k: math.exp(k * math.log(0.99)),
    "inverse_time": lambda k: 100.0 / (100.0 + k),
    "inverse_scaling": lambda k: 1.0 / math.sqrt(math.sqrt(1 + k)),
    "cosine": lambda k: 1e-3 + 0.999 * math.cos(math.pi * min(k, EPOCHS) / EPOCHS / 2.0) ** 2,
    "warmup": lambda k: min((k + 1) / 10.0, 1.0),
    "adaptive": lambda k: 1.0,
    "auto": lambda k: 1.0,
}
OTHER_FORMULAS = {
    Step(7.0, 0.1): lambda k: 10.0 ** -(k // 7),
    Exponential(0.5): lambda k: 2.0**-k,
    InverseTime(0.25): lambda k: 4.0 / (4.0 + k),
    InverseTime(0.0): lambda k: 1.0,
    InverseScaling(1.0): lambda k: 1.0 / (k + 1),
    Cosine(20.0, 0.5): lambda k: 0.75 + 0.25 * math.cos(math.pi * min(k, 20) / 20),
}
every_name = pytest.mark.parametrize("name", SCHEDULES)


def made(name):
    """Return the schedule that a descent of 60 epochs runs for a name."""
    return SCHEDULES[name]().for_horizon(EPOCHS)


@every_name
def test_a_schedule_follows_its_formula(name):
    expected = [FORMULAS[name](k) for k in TIMES.tolist()]
    np.testing.assert_allclose(made(name).multiplier(TIMES), expected, rtol=1e-12)


@pytest.mark.parametrize("schedule", OTHER_FORMULAS, ids=repr)
def test_a_schedule_follows_its_formula_at_other_parameters(schedule):
    expected = [OTHER_FORMULAS[schedule](k) for k in TIMES.tolist()]
    np.testing.assert_allclose(schedule.multiplier(TIMES), expected, rtol=1e-12)


@every_name
def test_a_schedule_keeps_its_laws(name):
    check_schedule(SCHEDULES[name]())


@pytest.mark.parametrize("schedule", OTHER_FORMULAS, ids=repr)
def test_a_schedule_keeps_its_laws_at_other_parameters(schedule):
    check_schedule(schedule)


@every_name
def test_the_multiplier_is_one_at_the_start(name):
    first = made(name).multiplier(np.arange(1))
    assert (first == 1.0) == (name != "warmup")


@every_name
def test_multipliers_are_positive_finite_and_at_most_one(name):
    far = made(name).multiplier(np.array([*TIMES, 10_000]))
    assert np.isfinite(far).all()
    assert ((far > 0.0) & (far <= 1.0)).all()


def test_cosine_reaches_its_floor_at_its_horizon_and_stays():
    schedule = Cosine(30.0, 0.1)
    np.testing.assert_allclose(schedule.multiplier(np.array([30, 31, 999])), 0.1, rtol=1e-15)
    assert schedule.multiplier(np.array([29])) > 0.1
    assert Cosine().for_horizon(30) == Cosine(30.0)
    assert schedule.for_horizon(10) == schedule


def test_cosine_per_update_asks_for_a_horizon():
    with pytest.raises(ValueError, match="horizon"):
        GDRegressor(schedule=Cosine(per="update")).fit([[0.0], [1.0]], [0.0, 1.0])


@every_name
def test_a_warm_up_precedes_any_other_schedule(name):
    then = SCHEDULES[name]()
    schedule = WarmUp(8, then).for_horizon(EPOCHS)
    rise = [k / 8.0 for k in range(1, 9)]
    np.testing.assert_allclose(schedule.multiplier(np.arange(8)), rise, rtol=1e-15)
    after = then.for_horizon(EPOCHS - 8).multiplier(TIMES)
    np.testing.assert_array_equal(schedule.multiplier(TIMES + 8), after)
    assert schedule.per == then.per
    assert schedule.patience() == then.patience()
    assert schedule.next_factor(1.0) == then.next_factor(1.0)


@pytest.mark.parametrize("length", [1.0, 2.5, 7.9])
def test_a_warm_up_rises_to_one_and_not_above(length):
    multipliers = WarmUp(length).multiplier(np.arange(12))
    assert (np.diff(multipliers) >= 0.0).all()
    assert multipliers.max() == 1.0


def test_a_descent_may_be_shorter_than_its_warm_up(problem):
    model = GDRegressor(
        optimizer="gd", schedule=WarmUp(10, Cosine()), penalty=None, max_iter=4, tol=None
    )
    same = GDRegressor(
        optimizer="gd", schedule=WarmUp(10, Constant()), penalty=None, max_iter=4, tol=None
    )
    np.testing.assert_array_equal(model.fit(*problem).coef_, same.fit(*problem).coef_)


def gradient(X, y, theta):
    """Return the gradient of the mean of half the squared errors."""
    residual = X @ theta[:-1] + theta[-1] - y
    return np.append(X.T @ residual, residual.sum()) / len(y)


def fitted(schedule, X, y, rate, **options):
    """Return a model without penalty or test of convergence, its path recorded."""
    options = {"penalty": None, "optimizer": "gd", "tol": None, "record_path": True} | options
    return GDRegressor(schedule=schedule, learning_rate=rate, **options).fit(X, y)


class Zigzag(Schedule):
    """A schedule of a user's own: every other time at half the rate."""

    __slots__ = ()

    def multiplier(self, k):
        return np.where(np.asarray(k) % 2 == 0, 1.0, 0.5)


@pytest.mark.parametrize("schedule", [Exponential(0.8), WarmUp(3, Step(2, 0.5)), Zigzag()])
def test_the_multiplier_multiplies_the_rate(schedule, problem):
    X, y = problem
    theta = np.zeros(6)
    path = [theta]
    for k in range(12):
        theta = theta - 0.1 * float(schedule.multiplier(np.array(k))) * gradient(X, y, theta)
        path.append(theta)
    found = fitted(schedule, X, y, 0.1, max_iter=12).path_
    np.testing.assert_allclose(found, path, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("per", ["epoch", "update"])
def test_time_is_counted_in_epochs_or_in_updates(per):
    X, y = make_regression(n=11, p=3)
    theta = np.zeros(4)
    path = [theta]
    for epoch in range(5):
        for batch, rows in enumerate([slice(0, 4), slice(4, 8), slice(8, 11)]):
            k = epoch if per == "epoch" else 3 * epoch + batch
            theta = theta - 0.05 * 0.7**k * gradient(X[rows], y[rows], theta)
            path.append(theta)
    schedule = Exponential(0.7, per)
    options = {"batch_size": 4, "sampling": "cyclic", "max_iter": 5}
    found = fitted(schedule, X, y, 0.05, **options).path_
    np.testing.assert_allclose(found, path, rtol=1e-12, atol=1e-13)


def test_the_rate_is_not_part_of_the_memory_of_momentum(problem):
    X, y = problem
    theta, v = np.zeros(6), np.zeros(6)
    path = [theta]
    for t in range(40):
        v = 0.9 * v + gradient(X, y, theta)
        theta = theta - 0.02 * 0.8**t * v
        path.append(theta)
    found = fitted(Exponential(0.8), X, y, 0.02, optimizer=Momentum(0.9), max_iter=40).path_
    np.testing.assert_allclose(found, path, rtol=1e-11, atol=1e-12)


def test_inverse_scaling_per_update_is_that_of_scikit_learn(problem):
    X, y = problem
    peer = SGDRegressor(
        penalty=None,
        learning_rate="invscaling",
        eta0=0.02,
        power_t=0.25,
        shuffle=False,
        max_iter=3,
        tol=None,
    ).fit(X, y)
    schedule = InverseScaling(0.25, per="update")
    options = {"batch_size": 1, "sampling": "cyclic", "max_iter": 3}
    model = fitted(schedule, X, y, 0.02, **options)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, peer.intercept_[0], rtol=1e-10)


def adaptive_descent(X, y, rate, gain, schedule, batch=None):
    """Return a path, and its epochs between cuts, as the docstring of `Adaptive` has them.

    On the full batch steps are normalised, so that they have something to be cut for. On
    smaller ones what an epoch has reached is seen in the course of the next.
    """
    theta, factor, best, failures, since = np.zeros(X.shape[1] + 1), 1.0, math.inf, 0, 0
    path, epochs = [theta], []
    while factor >= schedule.floor:
        before = theta
        for start in range(0, len(y), batch or len(y)):
            rows = slice(start, start + (batch or len(y)))
            g = gradient(X[rows], y[rows], theta)
            g = g if batch else g / (np.abs(g) + 1e-8)
            theta = theta - rate * factor * g
            path.append(theta)
        seen = before if batch else theta
        reached = np.mean((X @ seen[:-1] + seen[-1] - y) ** 2) / 2.0
        failures = 0 if reached < best - gain * y.var() / 2.0 else failures + 1
        best, since = min(best, reached), since + 1
        if failures >= schedule.wait:
            factor, failures = factor * schedule.factor, 0
            epochs, since = [*epochs, since], 0
    return np.array(path), epochs


def test_adaptive_cuts_the_rate_when_the_objective_stops_improving(problem):
    schedule = Adaptive(factor=0.3, wait=3, floor=0.01)
    path, epochs = adaptive_descent(*problem, 0.02, 1e-3, schedule, batch=8)
    options = {"batch_size": 8, "sampling": "cyclic", "tol": 1e-3, "max_iter": 500}
    with pytest.warns(ConvergenceWarning, match="stopped improving"):
        model = fitted(schedule, *problem, 0.02, **options)
    assert len(epochs) == 4
    assert model.n_iter_ == sum(epochs)
    np.testing.assert_allclose(model.path_, path, rtol=1e-10, atol=1e-11)
    assert model.stop_reason_ == "plateau"
    assert model.learning_rate_ == 0.02


def test_on_the_full_batch_adaptive_counts_by_the_square_of_tol(problem):
    schedule = Adaptive(wait=4)
    path, epochs = adaptive_descent(*problem, 0.05, 1e-4**2, schedule)
    model = fitted(schedule, *problem, 0.05, optimizer="normalized", tol=1e-4)
    assert sum(epochs[:4]) < model.n_iter_ < len(path)
    np.testing.assert_allclose(model.path_, path[: model.n_iter_ + 1], rtol=1e-10, atol=1e-11)
    rows, y = np.column_stack([problem[0], np.ones(40)]), problem[1]
    H, best = rows.T @ rows / 40, np.linalg.lstsq(rows, y, rcond=None)[0]
    largest = 1e-4 * np.sqrt(np.diag(H) * y.var())  # entries of the gradient, by tol
    assert model.converged_
    assert (np.abs(H @ (model.path_[-1] - best)) <= largest * (1.0 + 1e-9)).all()


def test_nested_names_reach_the_fields_of_a_schedule():
    model = GDRegressor(schedule="exponential")
    assert model.get_params()["schedule__decay"] == 0.99
    model.set_params(schedule__decay=0.5, schedule__per="update")
    assert model.schedule == Exponential(0.5, "update")
    model.set_params(schedule=WarmUp(5, InverseTime()))
    model.set_params(schedule__then__decay=0.3, schedule__length=2)
    assert model.schedule == WarmUp(2, InverseTime(0.3))
    with pytest.raises(ValueError, match="Invalid parameter 'horizon'"):
        model.set_params(schedule__horizon=3.0)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Step(every=0), "every"),
        (lambda: Exponential(1.1), "decay"),
        (lambda: InverseTime(-0.1), "decay"),
        (lambda: Cosine(floor=0.0), "floor"),
        (lambda: Adaptive(factor=1.0), "factor"),
        (lambda: WarmUp(0.5), "length"),
        (lambda: Exponential(per="row"), "per"),
    ],
)
def test_what_could_raise_or_stop_the_rate_is_refused(make, field):
    with pytest.raises(ValueError, match=f"'{field}' parameter"):
        make()
