"""Streams: divergence is measured on the rows of a call, and rates fit all rows so far."""

from contextlib import suppress

import numpy as np
import pytest
from conftest import make_regression
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor
from skgd.optimizers import OPTIMIZERS

RULES = sorted({"auto", *OPTIMIZERS} - {"sgd"})
W = np.array([1.0, -2.0, 0.5])


def line(rng, n, spread=1.0, noise=0.0):
    """Return rows on a plane, but for noise."""
    X = 1.0 + spread * rng.standard_normal((n, 3))
    return X, X @ W + 2.0 + noise * rng.standard_normal(n)


def error(model):
    """Return the mean square error of predictions, in units of the spread of the targets."""
    X, y = line(np.random.default_rng(99), 200)
    return np.mean((model.predict(X) - y) ** 2) / y.var()


def first_divergence(model, chunks):
    """Return the number of the call after which a model says that it diverged; None for none."""
    for k, chunk in enumerate(chunks):
        with suppress(ValueError):
            model.partial_fit(*chunk)
        if model.stop_reason_ in ("diverged", "nonfinite"):
            return k
    return None


@pytest.mark.parametrize("center", ["auto", False])
@pytest.mark.parametrize("optimizer", RULES)
def test_one_row_at_a_time_of_a_line_every_rule_learns_it(optimizer, center):
    rng = np.random.default_rng(0)
    model = GDRegressor(optimizer=optimizer, center=center, alpha=0.0)
    assert first_divergence(model, [line(rng, 1) for _ in range(400)]) is None
    assert error(model) < 0.5
    if optimizer in ("auto", "gd", "nesterov", "momentum", "adagrad"):
        assert error(model) < 1e-2


@pytest.mark.parametrize(
    ("optimizer", "batch_size"), [*((rule, None) for rule in RULES), ("gd", 8), ("adam", 8)]
)
def test_a_nearly_constant_first_chunk_does_not_fix_the_rate(optimizer, batch_size):
    rng = np.random.default_rng(1)
    chunks = [line(rng, 40, 1e-3), *[line(rng, 40) for _ in range(150)]]
    model = GDRegressor(optimizer=optimizer, batch_size=batch_size, alpha=1e-6)
    assert first_divergence(model, chunks) is None
    assert error(model) < 0.5


def test_a_first_call_without_information_leaves_the_rate_to_the_next():
    X, y = make_regression(n=40, p=3)
    for optimizer in ("gd", "lion"):
        for unit in (1e-6, 1e6):
            model = GDRegressor(optimizer=optimizer, penalty=None)
            model.partial_fit(unit * X[:1], unit * y[:1]).partial_fit(unit * X, unit * y)
            plain = GDRegressor(optimizer=optimizer, penalty=None).partial_fit(X[:1], y[:1])
            np.testing.assert_allclose(
                model.coef_, plain.partial_fit(X, y).coef_, rtol=1e-6, atol=1e-9
            )
            assert model.coef_.any()


STREAMS = {
    "n": st.sampled_from([1, 2, 7, 40, None]),
    "noise": st.sampled_from([0.0, 0.3, 3.0]),
    "unit": st.sampled_from([1e-6, 1.0, 1e4]),
    "batch_size": st.sampled_from([None, 1, 8]),
    "weighing": st.sampled_from(["none", "scales", "zeros"]),
    "form": st.sampled_from([np.asarray, np.asfortranarray, sparse.csr_array]),
    "optimizer": st.sampled_from(["gd", "momentum", "nesterov", "adam", "saga"]),
    "seed": st.integers(0, 2**16),
}


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=15)
@given(**STREAMS)
def test_a_stream_at_the_automatic_rate_is_never_reported_as_diverged(
    n, noise, unit, batch_size, weighing, form, optimizer, seed
):
    rng = np.random.default_rng(seed)
    model = GDRegressor(optimizer=optimizer, batch_size=batch_size, random_state=seed)
    for k in range(60):
        size = n or int(rng.integers(1, 50))
        X, y = line(rng, size, 1e-3 if k == 0 and size > 1 else 1.0, noise)
        weight = None
        if weighing != "none":
            weight = 10.0 ** rng.integers(-6, 6) * rng.exponential(size=size)
            weight[1:][rng.random(size - 1) < (weighing == "zeros") * 0.5] = 0.0
        model.partial_fit(form(unit * X), unit * y, weight)
        assert model.stop_reason_ == "max_iter"
    assert np.isfinite(model.predict(X)).all()


def test_each_of_several_targets_is_tested_for_divergence_separately():
    rng = np.random.default_rng(2)
    model = GDRegressor(optimizer="gd")
    for _ in range(200):
        X, y = line(rng, 1)
        model.partial_fit(X, np.column_stack([y, 1e3 * y]))
    assert model.stop_reason_ == ["max_iter"] * 2
    np.testing.assert_allclose(model.coef_[1], 1e3 * model.coef_[0], rtol=1e-6)
    np.testing.assert_allclose(model.coef_[0], W, atol=0.01)


@pytest.mark.slow
def test_a_stream_of_the_gabor_model_continues_when_chunks_differ():
    X, y = load_gabor(return_X_y=True)
    rng, model = np.random.default_rng(0), GDGaborRegressor(random_state=0, polish=False)
    start = model.partial_fit(X, y).score(X, y)
    for _ in range(50):
        rows = rng.permutation(len(y))[: int(rng.integers(3, 20))]
        model.partial_fit(X[rows], y[rows])
        assert model.stop_reason_ == "max_iter"
    assert model.score(X, y) > start - 0.05


@pytest.mark.parametrize("n", [1, 40])
@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_stream_at_ten_over_l_is_reported_as_diverged_and_refuses_to_predict(n, batch_size):
    rng = np.random.default_rng(3)
    X, _ = line(rng, 2000)
    rows = np.column_stack([X, np.ones(len(X))])
    rate = 10.0 / np.linalg.eigvalsh(rows.T @ rows / len(X))[-1]
    options = {"optimizer": "gd", "learning_rate": rate, "batch_size": batch_size}
    model = GDRegressor(**options)
    assert first_divergence(model, [line(rng, n) for _ in range(60)]) is not None
    with pytest.raises((ValueError, NotFittedError), match=r"diverged|not fitted"):
        model.predict(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_small_growth_over_many_calls_is_detected():
    X, y = make_regression()
    rows = np.column_stack([X, np.ones(40)])
    limit = 2.0 / np.linalg.eigvalsh(rows.T @ rows / 40)[-1]
    for share, leaves in ((0.98, False), (1.02, True)):
        model = GDRegressor(optimizer="gd", learning_rate=share * limit, alpha=0.0)
        assert (first_divergence(model, [(X, y)] * 150) is not None) == leaves


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_diverged_model_predicts_again_after_its_objective_has_fallen():
    rng, model = np.random.default_rng(4), GDRegressor(optimizer="gd", learning_rate=10.0)
    assert first_divergence(model, [line(rng, 40) for _ in range(9)]) is not None
    model.set_params(learning_rate="auto", center=False)
    reasons = []
    for _ in range(300):
        reasons.append(model.partial_fit(*line(rng, 40)).stop_reason_)
    assert reasons[-1] == "max_iter"
    assert error(model) < 0.1
    assert GDRegressor(optimizer="gd").fit(*line(rng, 40)).stop_reason_ == "converged"


def test_growth_is_reported_on_the_rows_of_the_call():
    X, y = make_regression()
    model = GDRegressor(optimizer="gd", center=False, learning_rate=0.01)
    model.partial_fit(X, 1e-3 * y).partial_fit(X, y)
    residual = y - X @ np.zeros(5)
    assert model.loss_curve_[0] == pytest.approx(0.5 * np.mean(residual**2), rel=1e-2)
    rate = 10.0
    with pytest.warns(ConvergenceWarning, match=r"went from .* by epoch 1, with learning_rate=10"):
        model.set_params(learning_rate=rate).partial_fit(X, y)


# Running means


def test_the_means_of_a_stream_are_those_of_all_rows_whatever_the_calls_hold():
    rng = np.random.default_rng(5)
    X, y = line(rng, 100, noise=0.3)
    weight = rng.exponential(size=100) * np.repeat([1e-3, 1.0, 50.0, 1.0], [3, 40, 50, 7])
    model = GDRegressor(optimizer="gd", learning_rate="auto")
    for rows in np.split(np.arange(100), [3, 43, 93]):
        model.partial_fit(X[rows], y[rows], weight[rows])
    level = np.average(y, weights=weight) - np.average(X, axis=0, weights=weight) @ model.coef_
    np.testing.assert_allclose(model.intercept_, level, rtol=1e-12)


# Batches of streams


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("optimizer", ["gd", "nesterov", "saga", "adam"])
@pytest.mark.parametrize("sizes", [(40, 5, 40), (8, 9, 8)])
def test_calls_may_hold_fewer_rows_than_a_batch_or_more(sizes, optimizer, form):
    rng, model = np.random.default_rng(6), GDRegressor(optimizer=optimizer, batch_size=8)
    for n in sizes * 30:
        X, y = line(rng, n)
        model.partial_fit(form(X), y)
        assert len(model.loss_curve_) == 2
        assert model.loss_curve_[-1] == pytest.approx(
            model.objective(form(X), y).value(model.parameters()), rel=1e-9, abs=1e-15
        )
    assert model.t_ == 30 * sum(-(-n // 8) for n in sizes)
    assert error(model) < (1.0 if optimizer == "adam" else 0.1)


def test_the_storage_may_change_from_call_to_call():
    rng, model = np.random.default_rng(7), GDRegressor(optimizer="gd", batch_size=1)
    for k in range(90):
        X, y = line(rng, 5)
        form = (np.asarray, sparse.csr_array, np.asfortranarray)[k % 3]
        model.partial_fit(form(X.astype(np.float32) if k % 2 else X), y)
    assert error(model) < 0.1


def test_a_schedule_counts_epochs_whatever_the_calls_hold():
    model = GDRegressor(optimizer="gd", learning_rate=0.01, schedule="exponential", batch_size=4)
    rng, rates = np.random.default_rng(8), []
    for n in (40, 5, 100, 3):
        rates.append(model.partial_fit(*line(rng, n)).history_["learning_rate"][1])
    np.testing.assert_allclose(rates, 0.01 * 0.99 ** np.arange(4))


# What goes on must be the same data in kind


def test_a_refused_call_leaves_the_model_as_it_was():
    X, y = make_regression()
    model, twin = GDRegressor(), GDRegressor()
    for one in (model, twin):
        one.partial_fit(X, y)
    with pytest.raises(ValueError, match="2 targets"):
        model.partial_fit(X, np.column_stack([y, y]), np.full(40, 7.0))
    with pytest.raises(ValueError, match="non-zero"):
        model.partial_fit(X, y, np.zeros(40))
    np.testing.assert_array_equal(
        model.partial_fit(2.0 * X, y).coef_, twin.partial_fit(2.0 * X, y).coef_
    )
