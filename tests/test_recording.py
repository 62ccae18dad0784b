"""The record of a descent: history by epochs, every k-th update, and the average."""

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.linear_model import Lasso, SGDRegressor

from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor

X, Y = make_regression()
FORMS = [
    pytest.param({}, None, id="centred"),
    pytest.param({"center": False, "optimizer": "momentum"}, None, id="momentum"),
    pytest.param({"penalty": "l1", "alpha": 0.3, "center": False}, None, id="l1"),
    pytest.param({"penalty": "l1", "alpha": 0.3, "batch_size": 1}, None, id="single"),
    pytest.param(
        {"batch_size": 7, "optimizer": "adam", "schedule": "exponential"}, None, id="batch"
    ),
    pytest.param({"penalty": "l1", "alpha": 0.3, "batch_size": 1}, sparse.csr_array, id="lazy"),
]
EXACT = {"tol": None, "max_iter": 6, "random_state": 0}


def ends_of_epochs(model):
    """Return the parameters, intercept last, at the start and after each epoch."""
    return model.path_[:: model.t_ // model.n_iter_]


@pytest.mark.parametrize(("options", "form"), FORMS)
def test_the_history_is_that_of_the_path(options, form):
    rows = X if form is None else form(X)
    model = GDRegressor(**options, **EXACT).fit(rows, Y)
    whole = GDRegressor(**options, **EXACT, record_path=True).fit(rows, Y)
    objective, ends = whole.objective(rows, Y), ends_of_epochs(whole)
    history = model.history_
    values = [objective.value(theta) for theta in ends]
    np.testing.assert_allclose(history["objective"], values, rtol=1e-12)
    np.testing.assert_allclose(
        history["data_loss"], [objective.data_term(theta)[0] for theta in ends], rtol=1e-12
    )
    omega = [objective.penalty_term(theta) for theta in ends]
    np.testing.assert_allclose(history["penalty"], omega, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(history["n_zeros"], (ends[:, :-1] == 0.0).sum(axis=1))
    moved = ends if options.get("center") is False or "batch_size" in options else ends[:, :-1]
    steps = np.linalg.norm(np.diff(moved, axis=0), axis=1)
    np.testing.assert_allclose(history["step_norm"][1:], steps, rtol=1e-9)
    assert (np.diff(history["seconds"]) >= 0.0).all()
    assert {len(values) for values in history.values()} == {7}


def test_the_gradient_norm_is_that_of_the_smooth_part():
    for penalty in ("l1", "l2"):
        options = {"penalty": penalty, "alpha": 0.3, "center": False, "optimizer": "gd"}
        model = GDRegressor(**options, **EXACT, record_path=True).fit(X, Y)
        objective = model.objective(X, Y)
        norms = [np.linalg.norm(objective.value_and_gradient(w)[1]) for w in model.path_]
        np.testing.assert_allclose(model.history_["gradient_norm"], norms, rtol=1e-10)


@pytest.mark.parametrize(("per", "updates"), [("epoch", 1), ("update", 6)])
def test_the_rate_of_an_epoch_is_that_of_its_last_update(per, updates):
    model = GDRegressor(schedule="exponential", learning_rate=0.01, batch_size=7, **EXACT)
    model.set_params(schedule__decay=0.5, schedule__per=per).fit(X, Y)  # six batches of 40 rows
    rates, times = model.history_["learning_rate"], updates * np.arange(1, 7) - 1
    assert np.isnan(rates[0])
    np.testing.assert_allclose(rates[1:], 0.01 * 0.5**times, rtol=1e-14)


def test_a_history_becomes_a_frame():
    pd = pytest.importorskip("pandas")
    frame = GDRegressor(**EXACT).fit(X, Y).history_.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert (frame.index.name, len(frame)) == ("epoch", 7)
    assert frame["objective"].is_monotonic_decreasing


@pytest.mark.parametrize("k", [1, 3, 7, 1000])
@pytest.mark.parametrize("batch_size", [None, 1, 7])
def test_every_kth_update_is_kept(k, batch_size):
    model = GDRegressor(batch_size=batch_size, **EXACT)
    whole = model.set_params(record_path=True).fit(X, Y).path_
    some = model.set_params(record_path=k).fit(X, Y).path_
    np.testing.assert_array_equal(some, whole[::k])


def test_every_kth_update_is_counted_through_all_calls_of_partial_fit():
    whole = GDRegressor(batch_size=7, **EXACT, record_path=True).fit(X, Y).path_
    parts = GDRegressor(batch_size=7, random_state=0, record_path=4)
    kept = [parts.partial_fit(X, Y).path_[1:] for _ in range(6)]
    np.testing.assert_array_equal(np.concatenate(kept), whole[4::4])


# Averages


@pytest.mark.parametrize("first", [True, 1, 20])
@pytest.mark.parametrize(
    "options", [{}, {"batch_size": 1}, {"batch_size": 7, "optimizer": "adam"}]
)
def test_the_average_is_the_mean_of_the_iterates(first, options):
    model = GDRegressor(**options, center=False, tol=None, max_iter=30, random_state=0)
    iterates = model.set_params(record_path=True).fit(X, Y).path_[int(first) :]
    model.set_params(average=first).fit(X, Y)
    np.testing.assert_allclose(model.parameters(), iterates.mean(axis=0), rtol=1e-10)


def test_the_averaged_solution_under_l1_has_the_zeros_of_lasso():
    rows, y = make_regression(n=200, p=8, sparse_truth=True, noise=1.0)
    options = {"penalty": "l1", "alpha": 0.1, "batch_size": 1, "tol": None, "random_state": 0}
    model = GDRegressor(**options, max_iter=50, record_path=True).fit(rows, y)
    mean = model.path_[1000:].mean(axis=0)
    model.set_params(average=1000).fit(rows, y)
    lasso, zero = Lasso(alpha=0.1, tol=1e-10).fit(rows, y), model.coef_ == 0.0
    np.testing.assert_array_equal(zero, lasso.coef_ == 0.0)
    assert 0 < zero.sum() < 8
    assert not (mean[:-1] == 0.0).any()
    np.testing.assert_allclose(model.coef_[~zero], mean[:-1][~zero], rtol=1e-10)


def test_the_average_of_sgdregressor_is_not_the_mean_of_its_iterates_under_l1():
    options = {"eta0": 0.01, "learning_rate": "constant", "alpha": 0.1, "shuffle": False}
    off = {}
    for penalty in ("l2", "l1"):
        model = SGDRegressor(penalty=penalty, **options, max_iter=1, tol=None)
        iterates = [model.fit(X[:k], Y[:k]).coef_.copy() for k in range(1, 41)]
        averaged = model.set_params(average=True).fit(X, Y).coef_
        off[penalty] = np.abs(averaged - np.mean(iterates, axis=0)).max()
    assert off["l2"] < 1e-12
    assert off["l1"] > 1e-3
    ours = GDRegressor(
        penalty="l1", alpha=0.1, learning_rate=0.01, batch_size=1, sampling="cyclic",
        average=True, max_iter=1, tol=None, record_path=True,
    ).fit(X, Y)  # fmt: skip
    mean = ours.path_[1:].mean(axis=0)[:-1]
    np.testing.assert_allclose(ours.coef_, np.where(ours.coef_ == 0.0, 0.0, mean), rtol=1e-12)


def test_the_path_of_a_wave_is_averaged_too():
    rows, y = load_gabor(return_X_y=True)
    model = GDGaborRegressor(init=[1.5, 8.5], max_iter=20, tol=None, record_path=True)
    iterates = model.fit(rows, y).path_[1:]
    model.set_params(average=True).fit(rows, y)
    np.testing.assert_allclose(model.theta_, iterates.mean(axis=0), rtol=1e-12)
