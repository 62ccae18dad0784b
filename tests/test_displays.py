"""The API of the displays, and loss curves."""

import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import make_regression
from matplotlib.colors import to_rgb
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skgd
from skgd import GDRegressor, GDRegressorCV, displays
from skgd.displays import LossCurveDisplay, StepDisplay
from skgd.optimizers import Momentum
from skgd.schedules import Adaptive, Cosine, InverseTime, WarmUp

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def plain(epochs=6, **options):
    """Return a model that descends by so many epochs, and keeps its path."""
    common = {"optimizer": "gd", "tol": None, "center": False, "record_path": True}
    return GDRegressor(max_iter=epochs, **{**common, **options})


def diverging(X, y):
    model = plain(100, learning_rate=5.0)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        return model.fit(X, y)


def line_problem():
    X, y = make_regression(20, 1)
    return X, y, plain().fit(X, y)


def curve(ax=None, **options):
    fit = line_problem()[-1]
    return displays.LossCurveDisplay.from_estimator(fit, ax=ax, **options)


def surface(ax=None, **options):
    X, y, fit = line_problem()
    small = {"grid_resolution": 7, **options}
    return displays.LossSurfaceDisplay.from_estimator(fit, X, y, ax=ax, **small)


def fit_of_line(ax=None):
    X, y, fit = line_problem()
    return displays.FitDisplay.from_estimator(fit, X, y, ax=ax)


def coefficients(ax=None):
    X, y = make_regression(20, 3)
    make = displays.CoefficientPathDisplay.from_data
    return make(X, y, alphas=[0.1, 1.0], penalties=["l1"], estimator=GDRegressor(), ax=ax)


def chosen_path(ax=None):
    fit = GDRegressorCV(penalty="l1", alphas=9).fit(*make_regression(20, 3))
    return displays.CoefficientPathDisplay.from_estimator(fit, ax=ax)


def scores(ax=None):
    fit = GDRegressorCV(penalty="l1", alphas=9).fit(*make_regression(20, 3))
    return displays.ScoreCurveDisplay.from_estimator(fit, ax=ax)


def geometry(ax=None):
    X, y = make_regression(20, 2)
    fit = GDRegressor(alpha=0.5, tol=1e-6).fit(X, y)
    make = displays.PenaltyGeometryDisplay.from_estimator
    return make(fit, X, y, grid_resolution=9, ax=ax)


def rates(ax=None):
    X, y, _ = line_problem()
    make = displays.LearningRateDisplay.from_estimator
    return make(plain(30), X, y, learning_rates=[0.1, 0.3, 5.0], ax=ax)


def rate_map(ax=None):
    X, y, _ = line_problem()
    make = displays.LearningRateDisplay.from_estimator
    options = {"parameter": "alpha", "candidates": [0.1, 1.0]}
    return make(plain(30), X, y, learning_rates=[0.1, 5.0], ax=ax, **options)


def steps(ax=None):
    return StepDisplay.from_schedules(["cosine", "step"], n_epochs=5, ax=ax)


RATE = "learning rate (per update)"
LABELS = {
    curve: ("epoch", "objective"),
    surface: ("slope (y per x)", "intercept (y)"),
    fit_of_line: ("x", "y"),
    coefficients: ("alpha", "coefficient (y per unit of the feature)"),
    chosen_path: ("alpha", "coefficient (y per unit of the feature)"),
    scores: ("alpha", "mean squared error (y squared)"),
    geometry: ("weight of x0 (y per unit)", "weight of x1 (y per unit)"),
    rates: (RATE, "final objective"),
    rate_map: (RATE, "alpha"),
    steps: ("update", RATE),
}
MAKERS = list(LABELS)


@pytest.mark.parametrize("make", MAKERS)
def test_a_display_draws_on_the_axes_it_is_given_and_returns_itself(make):
    figure, axes = plt.subplots(1, 2)
    display = make(ax=axes[1])
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert not axes[0].has_data()
    assert axes[1].has_data()
    assert display.plot(axes[0]) is display
    assert display.ax_ is axes[0]


@pytest.mark.parametrize("make", MAKERS)
def test_a_display_without_axes_has_a_figure_of_its_own_and_axes_with_names_and_units(make):
    before = set(plt.get_fignums())
    display = make()
    assert display.figure_.number not in before
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == LABELS[make]
    assert display.plot().figure_ is not make().figure_


@pytest.mark.parametrize("make", MAKERS)
def test_drawing_again_draws_the_same(make):
    display = make()
    first = [line.get_xydata() for line in display.ax_.get_lines()]
    again = [line.get_xydata() for line in display.plot().ax_.get_lines()]
    assert len(first) == len(again)
    for one, other in zip(first, again):
        np.testing.assert_array_equal(one, other)


def luminance(colour):
    """Return the relative luminance of a colour, by the W3C's formula."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return np.dot(linear, (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("make", [curve, fit_of_line, coefficients, rates, steps])
def test_lines_have_contrast_on_light_and_dark_backgrounds(make, style):
    with plt.style.context(style):
        ax = make().ax_
        paper = luminance(ax.get_facecolor())
    for line in ax.get_lines():
        darker, lighter = sorted([paper, luminance(line.get_color())])
        assert (lighter + 0.05) / (darker + 0.05) >= 2.0


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_labels_do_not_overlap_at_600_pixels(style):
    with plt.style.context(style):
        for make in MAKERS:
            display = make()
            figure = display.figure_
            figure.set_dpi(600.0 / figure.get_size_inches()[0])
            figure.canvas.draw()
            for axis in (display.ax_.xaxis, display.ax_.yaxis):
                boxes = [t.get_window_extent() for t in axis.get_ticklabels() if t.get_text()]
                inside = [box for box in boxes if box.x0 >= 0.0 and box.y0 >= 0.0]
                label = axis.label.get_window_extent()
                assert not any(label.overlaps(box) for box in inside)
                assert not any(a.overlaps(b) for a, b in pairwise(inside))
                assert label.x0 >= 0.0
                assert label.y0 >= 0.0


def test_importing_the_displays_does_not_import_matplotlib():
    program = (
        "import sys, skgd; early = 'skgd.displays' in sys.modules; import skgd.displays; "
        "print(early, 'matplotlib' in sys.modules, 'PIL' in sys.modules)"
    )
    root = Path(skgd.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False False False"), done.stderr


def test_without_matplotlib_the_extra_that_installs_it_is_named(monkeypatch):
    display = steps()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skgd\[plot\]"):
        display.plot()


# Loss curves


def ridge_objective(w, b, X, y, alpha):
    return np.mean((X @ w + b - y) ** 2) / 2 + alpha * (w @ w) / 2


def test_the_curve_is_the_objective_of_every_point_of_the_path(problem):
    X, y = problem
    fit = plain(alpha=0.3).fit(X, y)
    display = LossCurveDisplay.from_estimator(fit, line_kwargs={"lw": 3})
    expected = [ridge_objective(row[:-1], row[-1], X, y, 0.3) for row in fit.path_]
    np.testing.assert_allclose(display.curves[0], expected, rtol=1e-12)
    np.testing.assert_array_equal(
        display.lines_[0].get_xydata(), np.column_stack([range(7), fit.loss_curve_])
    )
    assert display.ax_.get_yscale() == "log"
    assert display.lines_[0].get_linewidth() == 3


@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_above_the_minimum_means_above_scikit_learns_solution(problem, penalty):
    X, y = problem
    fits = [plain(penalty=penalty, alpha=alpha).fit(X, y) for alpha in (0.1, 0.4)]
    display = LossCurveDisplay.from_estimators(fits, X, y, above_minimum=True)
    assert display.names == ["alpha=0.1", "alpha=0.4"]
    for fit, above in zip(fits, display.curves):
        rival = Ridge(len(y) * fit.alpha) if penalty == "l2" else Lasso(fit.alpha, tol=1e-12)
        rival.fit(X, y)
        lowest = np.mean((rival.predict(X) - y) ** 2) / 2
        power = rival.coef_**2 / 2 if penalty == "l2" else np.abs(rival.coef_)
        lowest += fit.alpha * power.sum()
        np.testing.assert_allclose(above, fit.loss_curve_ - lowest, rtol=1e-6, atol=1e-8)


def test_a_curve_that_diverges_ends_with_a_cross(problem):
    X, y = problem
    fits = {"slow": plain().fit(X, y), "wild": diverging(X, y)}
    display = LossCurveDisplay.from_estimators(fits)
    assert display.diverged == [False, True]
    (cross,) = display.ends_
    wild = fits["wild"].loss_curve_
    np.testing.assert_array_equal(cross.get_xydata(), [[len(wild) - 1, wild[-1]]])


def test_a_descent_that_ceased_to_be_finite_is_shown_as_far_as_it_went(problem):
    X, y = problem
    fit = plain(5, learning_rate=1e200)
    with pytest.raises(ValueError, match="diverged"):
        fit.fit(X, y)
    display = LossCurveDisplay.from_estimator(fit)
    assert display.diverged == [True]
    np.testing.assert_array_equal(display.curves[0], fit.loss_curve_)


def test_seconds_and_scores_are_those_of_the_history(problem):
    fit = plain(3).fit(*problem)
    fit.history_ = {
        "seconds": np.array([0.0, 0.5, 1.0, 2.0]),
        "validation_score": np.array([np.nan, 0.1, 0.2, 0.3]),
    }
    over_time = LossCurveDisplay.from_estimator(fit, by="seconds")
    np.testing.assert_array_equal(over_time.lines_[0].get_xdata(), [0.0, 0.5, 1.0, 2.0])
    np.testing.assert_array_equal(over_time.lines_[0].get_ydata(), fit.loss_curve_)
    assert over_time.ax_.get_xlabel() == "time (s)"
    scores = LossCurveDisplay.from_estimator(fit, show="validation_score")
    np.testing.assert_array_equal(scores.curves[0], fit.history_["validation_score"])
    assert (scores.ax_.get_yscale(), scores.ax_.get_ylabel()) == ("linear", "validation score")


def test_a_fit_that_holds_rows_back_has_a_score_to_show(problem):
    fit = plain(4, early_stopping=True, random_state=0, n_iter_no_change=9, tol=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(*problem)
    scores = LossCurveDisplay.from_estimator(fit, by="seconds", show="validation_score")
    np.testing.assert_array_equal(scores.curves[0], fit.history_["validation_score"])
    np.testing.assert_array_equal(scores.times[0], fit.history_["seconds"])


@pytest.mark.parametrize("history", [None, {}, {"validation_score": np.full(7, np.nan)}])
@pytest.mark.parametrize(
    "options", [{"by": "seconds"}, {"show": "validation_score"}], ids=["by", "show"]
)
def test_what_was_not_recorded_cannot_be_shown(problem, history, options):
    fit = plain().fit(*problem)
    vars(fit).pop("history_", None)
    if history is not None:
        fit.history_ = history
    with pytest.raises(ValueError, match=r"has no .* in its history_"):
        LossCurveDisplay.from_estimator(fit, **options)


def test_each_target_has_a_curve(problem):
    X, y = problem
    two = np.column_stack([y, X[:, 0] - 2.0 * y])
    fit = plain().fit(X, two)
    display = LossCurveDisplay.from_estimator(fit, X, two, name="fit", above_minimum=True)
    assert display.names == ["fit, target 0", "fit, target 1"]
    alone = LossCurveDisplay.from_estimator(plain().fit(X, y), X, y, above_minimum=True)
    np.testing.assert_allclose(display.curves[0], alone.curves[0], rtol=1e-10)


def test_an_objective_below_zero_has_a_linear_axis():
    t, curve = np.arange(3), np.array([2.0, 0.5, -1.0])
    display = LossCurveDisplay(names=["own loss"], times=[t], curves=[curve])
    assert display.plot().ax_.get_yscale() == "linear"
    display.curves = [curve + 1.0]
    assert display.plot().ax_.get_yscale() == "log"


def test_pipelines_and_searches_are_replaced_by_the_descent_in_them(problem):
    X, y = problem
    pipe = make_pipeline(StandardScaler(), plain()).fit(X, y)
    search = GridSearchCV(plain(), {"alpha": [0.1, 1.0]}, cv=2).fit(X, y)
    display = LossCurveDisplay.from_estimators({"pipe": pipe, "search": search})
    np.testing.assert_array_equal(display.curves[0], pipe[-1].loss_curve_)
    np.testing.assert_array_equal(display.curves[1], search.best_estimator_.loss_curve_)
    scaled = StandardScaler().fit_transform(X)
    one = LossCurveDisplay.from_estimator(pipe, X, y, above_minimum=True)
    other = LossCurveDisplay.from_estimator(pipe[-1], scaled, y, above_minimum=True)
    np.testing.assert_allclose(one.curves, other.curves, rtol=1e-9, atol=1e-12)


def test_estimators_are_named_by_the_parameters_in_which_they_differ(problem):
    one, other = plain(optimizer=Momentum(0.5)).fit(*problem), plain().fit(*problem)
    shown = LossCurveDisplay.from_estimators([one, ("mine", other), other])
    assert shown.names == ["optimizer=Momentum(beta=0.5)", "mine", "optimizer=gd"]
    assert LossCurveDisplay.from_estimators([one, one]).names == ["fit 1", "fit 2"]


def test_invalid_arguments_are_refused(problem):
    fit = plain().fit(*problem)
    with pytest.raises(ValueError, match="'by' parameter must be one of"):
        LossCurveDisplay.from_estimator(fit, by="hour")
    with pytest.raises(ValueError, match="needs X and y"):
        LossCurveDisplay.from_estimator(fit, above_minimum=True)
    with pytest.raises(ValueError, match="no estimators"):
        LossCurveDisplay.from_estimators([])
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(GDRegressor())


# Schedules


def test_the_drawn_steps_are_those_of_the_schedules():
    t = np.arange(12)
    shown = StepDisplay.from_schedules(
        {
            "inverse": InverseTime(0.5, per="update"),
            "cosine": Cosine(floor=0.1),
            "warm": WarmUp(2, then=InverseTime(1.0)),
        },
        n_epochs=4,
        updates_per_epoch=3,
        learning_rate=0.2,
    )
    k = t // 3
    expected = [
        0.2 / (1 + 0.5 * t),
        0.2 * (0.1 + 0.45 * (1 + np.cos(np.pi * k / 4))),
        0.2 * np.where(k < 2, (k + 1) / 2, 1 / (1 + np.maximum(k - 2, 0))),
    ]
    np.testing.assert_allclose(shown.rates, expected, rtol=1e-12)
    for line, rate in zip(shown.lines_, shown.rates):
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([t + 1, rate]))


@pytest.mark.parametrize("schedule", ["exponential", InverseTime(0.5, per="update")])
def test_the_rates_of_a_fit_are_its_steps_over_its_gradients(schedule):
    X, y = make_regression(12, 2)
    options = {"batch_size": 4, "sampling": "cyclic", "penalty": None, "learning_rate": 0.05}
    fit = plain(3, schedule=schedule, **options).fit(X, y)
    shown = StepDisplay.from_estimator(fit)
    rows = np.column_stack([X, np.ones(12)])
    for t in range(9):
        batch = slice(4 * (t % 3), 4 * (t % 3) + 4)
        g = rows[batch].T @ (rows[batch] @ fit.path_[t] - y[batch]) / 4
        step = fit.path_[t] - fit.path_[t + 1]
        np.testing.assert_allclose(step, shown.rates[0][t] * g, rtol=1e-9)


def test_a_schedule_that_reacts_is_known_from_the_history_only(problem):
    with pytest.raises(ValueError, match="Adaptive reacts to the objective"):
        StepDisplay.from_schedules(["adaptive"])
    fit = plain(4, schedule=Adaptive(wait=1), batch_size=20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(*problem)
    fit.history_ = {
        "learning_rate": np.array([np.nan, 0.4, 0.4, 0.2, 0.2]),
        "updates": np.array([0, 2, 4, 6, 8]),
    }
    np.testing.assert_array_equal(
        StepDisplay.from_estimator(fit).rates[0], [0.4, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.2]
    )


CALLS = {
    "warm start": lambda fit, X, y: fit.set_params(warm_start=True).fit(X, y).fit(X, y),
    "partial_fit": lambda fit, X, y: fit.fit(X, y).partial_fit(X, y).partial_fit(X, y),
    "other rows": lambda fit, X, y: fit.fit(X, y).partial_fit(X[:5], y[:5]),
    "begun anew": lambda fit, X, y: (
        fit.fit(X, y).set_params(warm_start=True, batch_size=3).fit(X, y)
    ),
}


@pytest.mark.parametrize("schedule", ["exponential", InverseTime(0.5, per="update")])
@pytest.mark.parametrize("calls", CALLS)
def test_a_resumed_fit_shows_the_rates_of_its_last_call(schedule, calls):
    X, y = make_regression(12, 2)
    options = {"batch_size": 4, "sampling": "cyclic", "penalty": None, "learning_rate": 0.05}
    fit = CALLS[calls](plain(2, schedule=schedule, **options), X, y)
    X, y = (X[:5], y[:5]) if calls == "other rows" else (X, y)
    shown, size = StepDisplay.from_estimator(fit), fit.batch_size
    rates, numbers, n_batches = shown.rates[0], shown.updates[0], -(-len(y) // size)
    assert len(rates) == len(fit.path_) - 1 == n_batches * fit.n_iter_
    assert numbers[0] == (1 if calls == "begun anew" else fit.t_ - len(rates) + 1)
    np.testing.assert_array_equal(np.diff(numbers), 1)
    np.testing.assert_array_equal(shown.lines_[0].get_xdata(), numbers)
    rows = np.column_stack([X, np.ones(len(y))])
    for k, rate in enumerate(rates):
        batch = slice(size * (k % n_batches), size * (k % n_batches) + size)
        residual = rows[batch] @ fit.path_[k] - y[batch]
        g = rows[batch].T @ residual / len(residual)
        np.testing.assert_allclose(fit.path_[k] - fit.path_[k + 1], rate * g, rtol=1e-8)


@pytest.mark.parametrize("every", [1, 3])
def test_the_path_of_a_resumed_fit_has_the_numbers_of_its_updates(every):
    X, y = make_regression(10, 1)
    options = {"batch_size": 4, "random_state": 0, "center": False, "optimizer": "gd"}
    fit = GDRegressor(record_path=every, **options)
    for call in range(3):
        shown = displays.FitDisplay.from_estimator(fit.partial_fit(X, y), X, y, n_curves=9)
        numbers = [t for t in range(3 * call + 1, 3 * call + 4) if t % every == 0]
        np.testing.assert_array_equal(shown.updates, [3 * call, *numbers])
