"""The record of every minimizer: the direct solvers, every optimizer and every model.

The tests read the record as users do: by name, as a frame, and through the displays.
"""

import warnings

import matplotlib
import matplotlib.pyplot as plt
import numba
import numpy as np
import pytest
from conftest import make_regression
from numba.core import event
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor
from skgd.descent.outcome import Outcome
from skgd.displays import LearningRateDisplay, LossCurveDisplay, StepDisplay
from skgd.estimators.minimizers import accelerated, direct
from skgd.kernels import compiling as compiled
from skgd.optimizers import OPTIMIZERS, Optimizer
from skgd.solvers.auto import Tuning
from skgd.solvers.conjugate_gradient import Tuning as ConjugateGradient
from skgd.solvers.smooth import Tuning as Smooth
from skgd.solvers.working_set import Tuning as WorkingSet

matplotlib.use("Agg")

X, Y = make_regression(noise=1.0)
WEIGHT = np.random.default_rng(3).uniform(0.5, 2.0, len(Y))
EXACT = {"tol": None, "max_iter": 4, "random_state": 0}
STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": sparse.csr_array,
    "float32": np.float32,
}


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def mean_of(values, weight):
    return np.average(values, weights=weight)


def omega(w, penalty, l1_ratio=0.5):
    """Return the penalty of some weights at alpha = 1."""
    share = {"l1": 1.0, "l2": 0.0, "elasticnet": l1_ratio, None: None}[penalty]
    return 0.0 if share is None else share * abs(w).sum() + (1 - share) * (w**2).sum() / 2


def objective_at(model, rows, y, weight=None):
    """Return data loss and penalty at the answer of a linear model, by their definition."""
    rows = rows.toarray() if sparse.issparse(rows) else np.asarray(rows, dtype=float)
    coef, intercept = np.float64(model.coef_), np.float64(model.intercept_)
    loss = mean_of((rows @ coef + intercept - y) ** 2, weight) / 2
    return loss, model.alpha * omega(coef, model.penalty, model.l1_ratio)


def assert_whole(history, curve, direct=False, full=True, called=1):
    """Check that the entries of one record agree with each other."""
    n = len(curve)
    assert n >= 2
    assert {name: np.shape(values) for name, values in history.items()} == dict.fromkeys(
        history, (n,)
    )
    np.testing.assert_array_equal(history["objective"], curve)
    total = history["data_loss"] + history["penalty"]
    np.testing.assert_allclose(history["objective"], total, rtol=1e-12, atol=1e-300)
    for name in ("objective", "data_loss", "penalty", "step_norm", "seconds", "compile_seconds"):
        assert np.isfinite(history[name]).all(), name
        assert (history[name] >= 0.0).all(), name
    assert history["n_zeros"].dtype.kind == "i"
    assert history["seconds"][0] == 0.0
    assert (np.diff(history["seconds"]) >= 0.0).all()
    assert (np.diff(history["compile_seconds"]) >= 0.0).all()
    rates = history["learning_rate"]
    assert np.isnan(rates[0])
    assert (rates[1:] > 0.0).all() or (direct and np.isnan(rates).all())
    assert np.isfinite(history["gradient_norm"]).all() == full
    frame = pytest.importorskip("pandas").DataFrame(dict(history))
    assert history.to_frame().reset_index(drop=True).equals(frame)


def assert_drawn(model, rows, y):
    """Read the record in all public ways."""
    by = {by: LossCurveDisplay.from_estimator(model, by=by) for by in ("epoch", "seconds")}
    n = len(model.loss_curve_)
    np.testing.assert_array_equal(by["epoch"].times[0], np.arange(n))
    np.testing.assert_array_equal(by["seconds"].times[0], model.history_["seconds"])
    for shown in by.values():
        np.testing.assert_array_equal(shown.lines_[0].get_ydata(), model.loss_curve_)
    if np.isnan(model.history_["learning_rate"]).all():
        assert np.isnan(model.learning_rate_)
        with pytest.raises(ValueError, match=r"straight to the minimum.* Name the optimizer"):
            StepDisplay.from_estimator(model)
    else:
        rates, ends = StepDisplay.from_estimator(model).rates[0], model.history_["updates"]
        assert rates.shape == (ends[-1] - ends[0],)
        assert model.t_ == ends[-1]
        last = np.cumsum(np.diff(ends)) - 1
        np.testing.assert_allclose(rates[last], model.history_["learning_rate"][1:])
        assert model.learning_rate_ > 0.0


# The direct solvers

NEVER = {"cheap_seconds": -1.0, "cheap_passes": -1.0, "max_unknowns": 0}  # a factor
NO_CG = ConjugateGradient(restarts=0)
TUNINGS = {
    "chosen": Tuning(),
    "conjugate gradients": Tuning(smooth=Smooth(**NEVER)),
    "Cholesky": Tuning(smooth=Smooth(cheap_seconds=np.inf)),
}
ONLY_A_DESCENT = Tuning(
    smooth=Smooth(**NEVER, conjugate_gradient=NO_CG), working_set=WorkingSet(max_columns=0)
)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet", None])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_the_record_of_the_default_optimizer_is_complete(storage, penalty, weight):
    rows = STORAGES[storage](X)
    model = GDRegressor(penalty=penalty, alpha=0.1).fit(rows, Y, weight)
    assert_whole(model.history_, model.loss_curve_, direct=True)
    rounding = 1e-5 if storage == "float32" else 1e-10
    loss, cost = objective_at(model, rows, Y, weight)
    assert model.loss_curve_[-1] == pytest.approx(loss + cost, rel=rounding)
    assert model.history_["penalty"][-1] == pytest.approx(cost, rel=rounding, abs=1e-300)
    assert model.history_["n_zeros"][-1] == (model.coef_ == 0.0).sum()
    assert (len(model.loss_curve_), model.t_) == (model.n_iter_ + 1, model.n_iter_)
    assert model.loss_curve_[0] == pytest.approx(
        mean_of((Y - mean_of(Y, weight)) ** 2, weight) / 2, rel=1e-6
    )
    assert_drawn(model, rows, Y)


@pytest.mark.parametrize("tuning", TUNINGS)
@pytest.mark.parametrize("shape", [(60, 20), (20, 60)], ids=["tall", "wide"])
def test_every_direct_solver_records_its_iterates(tuning, shape):
    rows, y = make_regression(*shape, noise=1.0)
    objective = GDRegressor(alpha=0.01, fit_intercept=False).objective(rows, y)
    solver = direct(objective, 1e-9, tuning=TUNINGS[tuning])
    assert solver.minimize(1000).settled
    record = solver.record
    assert_whole(record.history(), record.curve, direct=True)
    assert record.curve[-1] == pytest.approx(objective.value(solver.theta), rel=1e-10)


@pytest.mark.parametrize("monitor", [None, lambda minimizer: None], ids=["alone", "monitored"])
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_a_descent_that_takes_over_from_a_direct_solver_continues_its_record(penalty, monitor):
    rows, y = make_regression(30, 40, noise=1.0)
    model = GDRegressor(penalty=penalty, alpha=0.1, fit_intercept=False)
    objective = model.objective(rows, y)
    solver = direct(objective, 1e-4, tuning=ONLY_A_DESCENT)
    descent = accelerated(1e-4, objective, np.zeros(40))
    assert solver.minimize(1000, monitor) is descent.minimize(1000) is Outcome.CONVERGED
    assert solver.learning_rate == descent.learning_rate
    one, other = solver.record.history(), descent.record.history()
    assert_whole(one, solver.record.curve)
    for name in sorted(set(one) - {"seconds", "compile_seconds"}):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-9)


MINIMIZERS = {
    "direct": lambda objective: direct(objective, 1e-12, tuning=TUNINGS["conjugate gradients"]),
    "descent": lambda objective: accelerated(1e-12, objective, np.zeros(40)),
}


@pytest.mark.parametrize("name", MINIMIZERS)
def test_a_monitor_sees_every_epoch_chooses_what_is_reported_and_ends_the_run(name):
    rows, y = make_regression(60, 40, noise=1.0)
    objective = GDRegressor(alpha=0.01, fit_intercept=False).objective(rows, y)
    values = []

    def monitor(minimizer):
        values.append(objective.value(minimizer.iterate))
        minimizer.record.add_score(-float(len(values)))
        if len(values) == 1:
            minimizer.select(minimizer.iterate)
        if len(values) == 3:
            minimizer.stop(Outcome.STOPPED)
        assert minimizer.running == (len(values) < 3)

    minimizer = MINIMIZERS[name](objective)
    assert minimizer.minimize(1000, monitor) is minimizer.outcome is Outcome.STOPPED
    np.testing.assert_allclose(minimizer.record.curve[1:4], values[:3], rtol=1e-10)
    np.testing.assert_allclose(objective.value(minimizer.theta), values[0], rtol=1e-10)
    scores = minimizer.record.history()["validation_score"]
    np.testing.assert_array_equal(scores, [np.nan, *-np.arange(1.0, len(values) + 1.0)])


def test_the_default_optimizer_at_max_iter_has_a_record_too():
    rows, y = make_regression(60, 20, noise=1.0)
    model = GDRegressor(penalty="l1", alpha=1e-3, max_iter=1, tol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows, y)
    assert_whole(model.history_, model.loss_curve_, direct=True)


# Descents


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [None, 7, 1])
@pytest.mark.parametrize("optimizer", sorted({"auto", *OPTIMIZERS} - {"sgd"}))
def test_the_record_of_every_rule_is_complete(optimizer, batch_size):
    model = GDRegressor(optimizer=optimizer, alpha=0.1, batch_size=batch_size, **EXACT).fit(X, Y)
    assert_whole(model.history_, model.loss_curve_, full=batch_size is None)
    assert len(model.loss_curve_) == 5
    assert model.loss_curve_[-1] == pytest.approx(sum(objective_at(model, X, Y)), rel=1e-10)
    assert_drawn(model, X, Y)


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "exponential"},
        {"schedule": "adaptive", "batch_size": 7},
        {"schedule": "warmup", "batch_size": 7},
        {"clip_norm": 1.0},
        {"penalty": None},
        {"record_path": 2, "batch_size": 7},
        {"verbose": 1, "batch_size": 7},
        {"early_stopping": True, "tol": 0.0, "n_iter_no_change": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["C", "csr"])
def test_the_record_is_complete_under_all_options_of_the_descent(options, form, capsys):
    rows = STORAGES[form](X)
    model = GDRegressor(**{"optimizer": "gd", **EXACT, **options}).fit(rows, Y)
    scored = model.history_.pop("validation_score", None)
    assert_whole(model.history_, model.loss_curve_, full=model.batch_size is None)
    assert (scored is not None) == model.early_stopping
    assert scored is None or scored.shape == model.loss_curve_.shape
    assert_drawn(model, rows, Y)


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("again", ["partial_fit", "fit"])
def test_the_record_of_a_continued_descent_is_complete(again, batch_size):
    model = GDRegressor(optimizer="gd", batch_size=batch_size, warm_start=True, **EXACT)
    for _ in range(3):
        getattr(model, again)(X, Y)
        assert_whole(model.history_, model.loss_curve_, full=batch_size is None)
        assert model.loss_curve_[-1] == pytest.approx(sum(objective_at(model, X, Y)), rel=1e-10)
        assert_drawn(model, X, Y)


@pytest.mark.parametrize("options", [{}, {"penalty": "l1", "alpha": 0.1}, {"optimizer": "gd"}])
def test_each_target_has_a_record_of_its_own(options):
    both = np.column_stack([Y, Y**2])
    model = GDRegressor(**options).fit(X, both)
    for k in range(2):
        alone = clone(model).fit(X, both[:, k])
        assert_whole(model.history_[k], model.loss_curve_[k], direct="optimizer" not in options)
        np.testing.assert_allclose(model.loss_curve_[k], alone.loss_curve_, rtol=1e-10)
        np.testing.assert_allclose(model.learning_rate_[k], alone.learning_rate_, rtol=1e-12)
    assert len(LossCurveDisplay.from_estimator(model, by="seconds").curves) == 2


@pytest.mark.parametrize("options", [{}, {"init": [1.5, 8.5], "batch_size": 7}])
def test_the_record_of_a_wave_is_complete(options):
    rows, y = load_gabor(return_X_y=True)
    model = GDGaborRegressor(**options, **EXACT).fit(rows, y)
    assert_whole(model.history_, model.loss_curve_, full="batch_size" not in options)
    if options:  # without init the answer is polished, past the end of the record
        u = model.offset_ + 0.06 * (rows @ model.frequency_)
        f = np.sin(u) * np.exp(-(u**2) / 32.0)
        assert model.loss_curve_[-1] == pytest.approx(np.mean((f - y) ** 2) / 2, rel=1e-10)
    assert_drawn(model, rows, y)


def test_the_record_of_a_descent_that_overflows_is_kept_and_drawn():
    model = GDRegressor(optimizer="gd", learning_rate=1e200)
    with pytest.raises(ValueError, match="diverged"):
        model.fit(X, Y)
    assert {len(values) for values in model.history_.values()} == {len(model.loss_curve_)}
    assert len(LossCurveDisplay.from_estimator(model, by="seconds").ends_) == 1


# Readers of the learning rate


@pytest.mark.parametrize(
    "model",
    [
        GDRegressor(),
        GDRegressor(penalty="l1", alpha=0.1),
        GDRegressor(optimizer="gd"),
        GDRegressor(batch_size=7, random_state=0),
    ],
    ids=str,
)
def test_a_sweep_over_the_rate_starts_from_the_rate_of_such_a_descent(model):
    model.set_params(max_iter=20)
    shown = LearningRateDisplay.from_estimator(model, X, Y)
    descent = clone(model).set_params(center=False, tol=None, max_iter=1).fit(X, Y)
    np.testing.assert_allclose(
        shown.learning_rates, descent.learning_rate_ * np.geomspace(1e-3, 10.0, 13)
    )
    assert np.isfinite(shown.values[~shown.diverged]).all()
    assert not shown.diverged[:9].any()


# Seconds


class Fresh(Optimizer):
    """Plain descent that no process has compiled before."""

    def step(self, g, memory, j, shared):
        return g, 1.0


@pytest.mark.slow
@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize("options", [{}, {"batch_size": 7}, {"verbose": 1}], ids=str)
def test_the_seconds_of_a_descent_exclude_compilation(options, monkeypatch, capsys):
    class Fresher(Fresh):
        """Made anew for every test."""

    now = [0]  # a clock that stands still, but while something is compiled
    hour = 3600 * 10**9

    class Slow(event.Listener):
        def on_start(self, event):
            pass

        def on_end(self, event):
            now[0] += hour

    monkeypatch.setattr(compiled, "perf_counter_ns", lambda: now[0])
    with event.install_listener("numba:compile", Slow()):
        model = GDRegressor(optimizer=Fresher(), **EXACT, **options).fit(X, Y)
    assert now[0] >= hour
    np.testing.assert_array_equal(model.history_["seconds"], np.zeros(5))
    np.testing.assert_array_equal(model.history_["compile_seconds"], np.full(5, 1e-9 * now[0]))
    again = GDRegressor(optimizer=Fresher(), **EXACT, **options).fit(X, Y)
    np.testing.assert_array_equal(again.history_["compile_seconds"], np.zeros(5))


def test_seconds_do_not_count_the_time_between_two_calls(monkeypatch):
    now = [0]

    def tick():
        now[0] += 10**6
        return now[0]

    monkeypatch.setattr(compiled, "perf_counter_ns", tick)
    model = GDRegressor(optimizer="gd", batch_size=7, random_state=0)
    for _ in range(3):
        model.partial_fit(X, Y)
        now[0] += 10**15
    assert 0.0 < model.history_["seconds"][-1] < 1.0
