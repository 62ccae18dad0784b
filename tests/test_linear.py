"""The solutions of GDRegressor, and their invariances."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from skgd import GDRegressor
from skgd.optimizers import Adam

TIGHT = {"tol": 1e-10, "max_iter": 10_000}
WEIGHT = np.random.default_rng(1).uniform(0.1, 3.0, 40)


def solve(X, y, alpha=0.0, weight=None, intercept=True):
    """Return the minimum under the l2 penalty, from the normal equations, intercept last."""
    weight = np.ones(len(y)) if weight is None else weight
    A = np.column_stack([X, np.ones(len(y))]) if intercept else X
    D = np.diag([alpha] * X.shape[1] + [0.0] * intercept)
    A_w = A * (weight / weight.sum())[:, None]
    return np.linalg.solve(A_w.T @ A + D, A_w.T @ y)


def theta(model):
    """Return coefficients and intercept, one row a target."""
    return np.column_stack([np.atleast_2d(model.coef_), np.ravel(model.intercept_)])


# The answer


@pytest.mark.parametrize("center", [True, False, "auto"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_the_full_batch_finds_the_closed_form(problem, alpha, weight, center):
    model = GDRegressor(alpha=alpha, center=center, **TIGHT).fit(*problem, weight)
    expected = solve(*problem, alpha, weight)
    np.testing.assert_allclose(theta(model)[0], expected, atol=1e-8)


def test_without_a_penalty_alpha_means_nothing(problem):
    model = GDRegressor(penalty=None, alpha=7.0, **TIGHT).fit(*problem)
    np.testing.assert_allclose(theta(model)[0], solve(*problem), atol=1e-8)


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_without_an_intercept_the_plane_goes_through_the_origin(problem, alpha):
    model = GDRegressor(alpha=alpha, fit_intercept=False, **TIGHT).fit(*problem)
    np.testing.assert_allclose(model.coef_, solve(*problem, alpha, intercept=False), atol=1e-8)
    assert model.intercept_ == 0.0
    assert model.predict(np.zeros((1, 5))) == 0.0


@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("center", [True, False])
def test_sparse_data_gives_what_the_same_data_gives_when_dense(problem, center, weight, penalty):
    X, y = problem
    X = np.where(np.abs(X) < 0.8, 0.0, X)
    model = GDRegressor(penalty=penalty, alpha=0.05, center=center, **TIGHT)
    dense = theta(model.fit(X, y, weight))
    np.testing.assert_allclose(
        theta(model.fit(sparse.csr_array(X), y, weight)), dense, rtol=0.0, atol=1e-10
    )


# What must not make a difference


@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.parametrize("center", [True, False])
def test_weights_equal_repetition_of_rows(problem, center, penalty):
    X, y = problem
    count = np.random.default_rng(2).integers(0, 4, len(y))
    model = GDRegressor(penalty=penalty, alpha=0.05, center=center, **TIGHT)
    weighted = theta(model.fit(X, y, count))
    repeated = theta(model.fit(np.repeat(X, count, axis=0), np.repeat(y, count)))
    np.testing.assert_allclose(weighted, repeated, rtol=0.0, atol=1e-9)


def test_a_row_without_weight_is_as_if_absent(problem):
    X, y = problem
    weight = np.where(np.arange(40) % 3 == 0, 0.0, WEIGHT)
    wild = np.where(weight > 0.0, y, 1e3)
    model = GDRegressor(**TIGHT)
    kept = theta(model.fit(X[weight > 0.0], y[weight > 0.0], weight[weight > 0.0]))
    np.testing.assert_allclose(theta(model.fit(X, wild, weight)), kept, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("batch_size", [None, 8])
def test_only_the_ratios_of_weights_count(problem, batch_size):
    model = GDRegressor(batch_size=batch_size, random_state=0)
    plain = theta(model.fit(*problem))
    np.testing.assert_array_equal(theta(model.fit(*problem, 4.0)), plain)
    np.testing.assert_array_equal(theta(model.fit(*problem, np.full(40, 0.5))), plain)


def test_the_order_of_rows_and_columns_does_not_matter(problem):
    X, y = problem
    model = GDRegressor(alpha=0.1, **TIGHT)
    expected = theta(model.fit(X, y))[0]
    rows = np.random.default_rng(3).permutation(40)
    columns = np.array([3, 0, 4, 2, 1])
    moved = theta(model.fit(X[rows][:, columns], y[rows]))[0]
    np.testing.assert_allclose(moved, expected[[*columns, 5]], rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("optimizer", ["nesterov", Adam(eps=0.0)], ids=str)
def test_another_unit_of_columns_or_target_rescales_the_fit_and_nothing_else(problem, optimizer):
    X, y = problem
    model = GDRegressor(penalty=None, optimizer=optimizer, max_iter=30, tol=None)
    plain = theta(model.fit(X, y))[0]
    curve = model.loss_curve_
    rescaled = theta(model.fit(8.0 * X, 4.0 * y))[0]  # powers of two, which rounding spares
    np.testing.assert_allclose(rescaled, plain * np.append([0.5] * 5, 4.0), rtol=1e-12)
    np.testing.assert_allclose(model.loss_curve_, 16.0 * curve, rtol=1e-12)


def test_a_shifted_target_shifts_the_intercept(problem):
    X, y = problem
    model = GDRegressor(alpha=0.2, **TIGHT)
    plain = theta(model.fit(X, y))[0]
    shifted = theta(model.fit(X, y + 100.0))[0]
    np.testing.assert_allclose(shifted - plain, np.append([0.0] * 5, 100.0), atol=1e-8)


def test_shifted_columns_shift_the_intercept_only(problem):
    X, y = problem
    model = GDRegressor(alpha=0.2, center=True, **TIGHT)
    plain, shift = theta(model.fit(X, y))[0], np.array([3.0, -2.0, 50.0, 0.0, 1.0])
    shifted = theta(model.fit(X + shift, y))[0]
    np.testing.assert_allclose(shifted[:5], plain[:5], rtol=0.0, atol=1e-8)
    np.testing.assert_allclose(shifted[5], plain[5] - shift @ plain[:5], rtol=0.0, atol=1e-7)


# Several targets


@pytest.mark.parametrize("batch_size", [None, 8])
def test_each_target_is_fitted_as_if_alone(problem, batch_size):
    X, y = problem
    Y = np.column_stack([y, X[:, 0] - 5.0, np.abs(y)])
    model = GDRegressor(batch_size=batch_size, record_path=True, random_state=3)
    alone = [vars(GDRegressor(**model.get_params(deep=False)).fit(X, t)) for t in Y.T]
    model.fit(X, Y)
    for name in (name for name in alone[0] if name.endswith("_") and name != "n_features_in_"):
        together = getattr(model, name)
        assert len(together) == 3
        for k in range(3):
            pair = together[k], alone[k][name]
            if name == "history_":
                pair = [np.array([h[key] for key in h if "seconds" not in key]) for h in pair]
            if name == "stop_reason_":
                assert pair[0] == pair[1]
            else:
                np.testing.assert_allclose(*pair, rtol=1e-10, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("intercept", [True, False])
def test_one_target_is_reported_as_numbers_and_many_as_arrays(problem, intercept):
    X, y = problem
    model = GDRegressor(fit_intercept=intercept, record_path=True).fit(X, y)
    assert model.coef_.shape == (5,)
    assert model.path_.shape == (model.t_ + 1, 5 + intercept)
    assert model.loss_curve_.shape == (model.n_iter_ + 1,)
    numbers = "intercept_", "n_iter_", "t_", "learning_rate_", "dual_gap_", "converged_"
    assert all(np.ndim(getattr(model, name)) == 0 for name in numbers)
    assert model.predict(X).shape == (40,)
    model.fit(X, y[:, None])
    assert model.coef_.shape == (1, 5)
    assert all(np.shape(getattr(model, name)) == (1,) for name in numbers if intercept)
    assert model.predict(X).shape == (40, 1)


# Where a descent starts


def test_the_path_starts_at_init_and_ends_at_the_solution(problem):
    start = [3, 0, -1, 2, 0, 4]
    model = GDRegressor(init=start, record_path=True).fit(*problem)
    np.testing.assert_array_equal(model.path_[0], start)
    np.testing.assert_array_equal(model.path_[-1], theta(model)[0])


def test_a_fit_that_starts_at_the_minimum_stays_there(problem):
    minimum = solve(*problem, alpha=0.1)
    model = GDRegressor(alpha=0.1, init=minimum, tol=1e-12, record_path=True).fit(*problem)
    assert model.n_iter_ == 1
    np.testing.assert_allclose(theta(model)[0], minimum, atol=1e-13)


def test_each_target_may_have_its_own_start(problem):
    X, y = problem
    starts = np.arange(12.0).reshape(2, 6)
    model = GDRegressor(record_path=True, init=starts).fit(X, np.column_stack([y, -y]))
    np.testing.assert_array_equal([path[0] for path in model.path_], starts)
    np.testing.assert_array_equal(starts, np.arange(12.0).reshape(2, 6))


def test_a_centred_descent_has_the_best_intercept_at_every_step(problem):
    X, y = problem
    model = GDRegressor(center=True, init=[1.0] * 6, record_path=True).fit(X, y, WEIGHT)
    mean = WEIGHT / WEIGHT.sum()
    best = mean @ (y[:, None] - X @ model.path_[:, :5].T)
    np.testing.assert_allclose(model.path_[:, 5], best, atol=1e-12)
    np.testing.assert_array_equal(model.path_[0, :5], 1.0)


@pytest.mark.parametrize("init", [[0.0] * 5, [0.0] * 7, [[0.0] * 6] * 2, [[0.0] * 5], 1.0])
def test_a_start_of_the_wrong_shape_is_refused(problem, init):
    with pytest.raises(ValueError, match=r"init.* array-like|init has shape .*; expected \(6,\)"):
        GDRegressor(init=init).fit(*problem)


def test_without_an_intercept_a_start_has_none(problem):
    with pytest.raises(ValueError, match=r"expected \(5,\): the coefficients; or"):
        GDRegressor(init=[0.0] * 6, fit_intercept=False).fit(*problem)


@pytest.mark.parametrize(
    ("entry", "message"),
    [("a", "could not convert string to float"), (np.nan, "Input init contains NaN")],
)
def test_a_start_that_is_no_number_is_refused(problem, entry, message):
    with pytest.raises(ValueError, match=message):
        GDRegressor(init=[entry] * 6).fit(*problem)


# What comes with an answer


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_coefficients_have_the_precision_of_the_data(problem, dtype, kind):
    X, y = problem
    model = GDRegressor().fit(kind(X.astype(dtype)), y)
    assert model.coef_.dtype == model.intercept_.dtype == dtype
    assert model.predict(kind(X.astype(dtype))).dtype == dtype
    assert model.predict(kind(X)).dtype == np.float64
    assert model.loss_curve_.dtype == np.float64
    np.testing.assert_allclose(theta(model), theta(GDRegressor().fit(X, y)), atol=1e-5)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_predictions_are_linear(problem, n_targets):
    X, y = problem
    model = GDRegressor().fit(X, np.column_stack([y, y**2])[:, :n_targets])
    expected = np.array([[w @ x + b for w, b in zip(model.coef_, model.intercept_)] for x in X])
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-12)
    np.testing.assert_allclose(model.predict(sparse.csr_array(X)), expected, atol=1e-12)


def test_the_score_is_the_share_of_variance_explained(problem):
    X, y = problem
    model = GDRegressor(alpha=0.5).fit(X, y, WEIGHT)
    left = WEIGHT @ (y - model.predict(X)) ** 2
    spread = WEIGHT @ (y - np.average(y, weights=WEIGHT)) ** 2
    np.testing.assert_allclose(model.score(X, y, WEIGHT), 1.0 - left / spread, rtol=1e-12)


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet", None])
def test_the_objective_is_the_formula(problem, penalty):
    X, y = problem
    w, b = np.array([1.0, -2.0, 0.0, 0.5, 3.0]), 0.7
    loss = np.average(0.5 * (X @ w + b - y) ** 2, weights=WEIGHT)
    l1, l2 = np.abs(w).sum(), 0.5 * w @ w
    omega = {"l1": l1, "l2": l2, "elasticnet": 0.3 * l1 + 0.7 * l2, None: 0.0}[penalty]
    objective = GDRegressor(penalty=penalty, alpha=0.2, l1_ratio=0.3).objective(X, y, WEIGHT)
    np.testing.assert_allclose(objective.value(np.append(w, b)), loss + 0.2 * omega, rtol=1e-13)


@pytest.mark.parametrize("center", [True, False])
def test_the_curve_ends_at_the_objective_of_the_solution(problem, center):
    X, y = problem
    Y = np.column_stack([y, y[::-1]])
    model = GDRegressor(alpha=0.2, center=center).fit(X, Y, WEIGHT)
    for k, objective in enumerate(model.objective(X, Y, WEIGHT)):
        value = objective.value(theta(model)[k])
        np.testing.assert_allclose(model.loss_curve_[k][-1], value, rtol=1e-12)


def test_asking_for_the_objective_leaves_a_fit_as_it_was(problem):
    X, y = problem
    model = GDRegressor().fit(pd.DataFrame(X, columns=list("abcde")), y)
    before = vars(model).copy()
    model.objective(X[:, :2], y)
    assert all(vars(model).get(name) is value for name, value in before.items())


def test_verbose_prints_the_objective_after_some_epochs(problem, capsys):
    model = GDRegressor(verbose=1, max_iter=35, tol=None).fit(*problem)
    lines = re.findall(r"epoch +(\d+) +objective (\S+)\n", capsys.readouterr().out)
    epochs = [int(epoch) for epoch, _ in lines]
    assert epochs == [1, 2, 3, 5, 10, 20, 30]
    values = [float(value) for _, value in lines]
    np.testing.assert_allclose(values, model.loss_curve_[epochs], rtol=1e-6)


@pytest.mark.parametrize("batch_size", [None, 8])
def test_monitoring_a_descent_does_not_change_it(problem, batch_size, capsys):
    silent = GDRegressor(batch_size=batch_size, random_state=0).fit(*problem)
    assert capsys.readouterr().out == ""
    watched = GDRegressor(batch_size=batch_size, random_state=0, verbose=True).fit(*problem)
    np.testing.assert_array_equal(theta(watched), theta(silent))
    np.testing.assert_array_equal(watched.loss_curve_, silent.loss_curve_)
