"""Pictures of penalties and of learning rates, against scikit-learn and by hand."""

import warnings
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import make_regression
from sklearn.base import clone
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor
from skgd.displays import CoefficientPathDisplay, LearningRateDisplay, PenaltyGeometryDisplay
from skgd.optimizers import Momentum
from skgd.penalties import Penalty

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


# Coefficients over alpha


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_coefficients_are_those_of_ridge_and_lasso(problem, fit_intercept, weighted):
    X, y = problem
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y)) if weighted else None
    total, alphas = len(y) if weight is None else weight.sum(), [0.05, 0.5, 1.5]
    model = GDRegressor(fit_intercept=fit_intercept, tol=1e-8, max_iter=10_000)
    shown = CoefficientPathDisplay.from_data(
        X, y, sample_weight=weight, alphas=alphas, penalties=("l2", "l1", "elasticnet"),
        estimator=model,
    )  # fmt: skip
    rivals = {
        "l2": lambda a: Ridge(total * a, fit_intercept=fit_intercept),
        "l1": lambda a: Lasso(a, fit_intercept=fit_intercept, tol=1e-12),
        "elasticnet": lambda a: ElasticNet(a, fit_intercept=fit_intercept, tol=1e-12),
    }
    for penalty, rival in rivals.items():
        coefs = np.array([rival(a).fit(X, y, weight).coef_ for a in alphas])
        np.testing.assert_allclose(shown.coefs[penalty], coefs, atol=1e-6)
        np.testing.assert_allclose(shown.checks[penalty], coefs, atol=1e-6)
        np.testing.assert_array_equal(shown.n_zeros[penalty], (coefs == 0.0).sum(axis=1))


def test_what_is_drawn_are_the_coefficients_and_the_counts_of_zeros(problem):
    shown = CoefficientPathDisplay.from_data(*problem, alphas=[0.01, 0.5, 20.0], penalties=["l1"])
    for k, (line, dots) in enumerate(zip(shown.lines_["l1"], shown.dots_["l1"])):
        np.testing.assert_array_equal(line.get_ydata(), shown.coefs["l1"][:, k])
        np.testing.assert_array_equal(dots.get_ydata(), shown.checks["l1"][:, k])
        np.testing.assert_array_equal(line.get_xdata(), [0.01, 0.5, 20.0])
    above = [int(text.get_text()) for text in shown.zeros_["l1"].get_xticklabels()]
    assert above == shown.n_zeros["l1"].tolist()
    assert above[-1] == 5


@pytest.mark.slow
def test_the_default_alphas_end_where_all_lasso_weights_are_zero(problem):
    X, y = problem
    shown = CoefficientPathDisplay.from_data(X, y, penalties=["l1"])
    highest = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(y)
    assert highest <= shown.alphas[-1] < 1.01 * highest
    assert (shown.n_zeros["l1"][-1], shown.n_zeros["l1"][-2]) == (5, 4)
    assert len(shown.alphas) == 40
    assert (np.isfinite(shown.checks["l1"]).all(axis=1)).sum() == 10


def test_features_have_the_names_that_are_given(problem):
    names = ["age", "sex", "bmi", "bp", "s1"]
    shown = CoefficientPathDisplay.from_data(*problem, alphas=[0.1, 1.0], names=names)
    legend = [text.get_text() for text in shown.axes_[-1].get_legend().get_texts()]
    assert legend == [*names, "scikit-learn"]


def test_panels_and_axes_are_as_many(problem):
    _, axes = plt.subplots(1, 2)
    options = {"alphas": [0.1, 1.0], "check": False}
    shown = CoefficientPathDisplay.from_data(*problem, ax=axes, **options)
    assert list(shown.axes_) == list(axes)
    assert [ax.get_title() for ax in axes] == ["ridge (l2)", "lasso (l1)"]
    assert shown.checks == {}
    with pytest.raises(ValueError, match="2 panels; got 1 axes"):
        shown.plot(axes[0])


def test_nonnegative_weights_are_checked_against_nonnegative_peers(problem):
    X, y = problem
    model = GDRegressor(positive=True, tol=1e-8, max_iter=10_000)
    shown = CoefficientPathDisplay.from_data(X, y, alphas=[0.05, 0.5], estimator=model)
    exact = {"positive": True, "tol": 1e-10}
    for penalty, rival in (("l2", Ridge(20.0, **exact)), ("l1", Lasso(0.5, **exact))):
        coef = rival.fit(X, y).coef_
        np.testing.assert_allclose(shown.coefs[penalty][1], coef, atol=1e-6)
        np.testing.assert_allclose(shown.checks[penalty][1], coef, atol=1e-6)
    with pytest.raises(ValueError, match="one alpha for all weights"):
        CoefficientPathDisplay.from_data(
            X, y, estimator=GDRegressor(penalty_weights=[0.0, 1.0, 1.0, 1.0, 1.0])
        )


def test_a_check_needs_the_squared_error(problem):
    with pytest.raises(ValueError, match="squared error"):
        CoefficientPathDisplay.from_data(*problem, estimator=GDRegressor(loss="huber"))


# The geometry of a penalty


def least_squares(X, y, fixed, w):
    """Return the least mean of half the squared errors, over the intercept alone."""
    rest = y - fixed - X @ w
    return np.mean((rest - rest.mean()) ** 2) / 2


@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet"])
def test_the_contour_touches_the_set_of_equal_penalty_at_the_solution(penalty):
    X, y = make_regression(30, 3)
    fit = GDRegressor(penalty=penalty, alpha=0.8, tol=1e-10, max_iter=10_000).fit(X, y)
    shown = PenaltyGeometryDisplay.from_estimator(fit, X, y, features=(2, 0), grid_resolution=7)
    two, fixed = X[:, [2, 0]], X[:, 1] * fit.coef_[1]
    expected = [[least_squares(two, y, fixed, np.array([u, v])) for u in shown.x] for v in shown.y]
    np.testing.assert_allclose(shown.values, expected, rtol=1e-10)
    np.testing.assert_array_equal(shown.solution, fit.coef_[[2, 0]])
    best = LinearRegression().fit(two, y - fixed)
    np.testing.assert_allclose(shown.least, best.coef_, rtol=1e-8)

    def omega(w):
        share = {"l2": 0.0, "l1": 1.0, "elasticnet": 0.5}[penalty]
        return share * np.abs(w).sum(axis=-1) + (1.0 - share) * (w**2).sum(axis=-1) / 2

    np.testing.assert_allclose(omega(shown.boundary), omega(shown.solution), rtol=1e-10)
    around = [least_squares(two, y, fixed, point) for point in shown.boundary]
    assert shown.level == pytest.approx(least_squares(two, y, fixed, shown.solution), rel=1e-12)
    assert min(around) >= shown.level * (1.0 - 1e-9)
    assert min(around) <= shown.level * (1.0 + 1e-3)


def test_what_is_drawn_is_the_set_the_solution_and_the_least_point():
    X, y = make_regression(30, 2)
    fit = GDRegressor(penalty="l1", alpha=0.1, tol=1e-8).fit(X, y)
    assert fit.coef_.any()
    shown = PenaltyGeometryDisplay.from_estimator(fit, X, y, grid_resolution=9)
    np.testing.assert_array_equal(shown.boundary_.get_xy()[:-1], shown.boundary)
    np.testing.assert_array_equal(shown.solution_.get_xydata(), [shown.solution])
    np.testing.assert_array_equal(shown.least_.get_xydata(), [shown.least])
    np.testing.assert_array_equal(shown.touching_.levels, [shown.level])
    assert not np.isclose(shown.contour_.levels, shown.level).any()
    (left, right), (bottom, top) = shown.ax_.get_xlim(), shown.ax_.get_ylim()
    for point in (*shown.boundary, shown.solution, shown.least, (0.0, 0.0)):
        assert left < point[0] < right
        assert bottom < point[1] < top


class Root(Penalty):
    """Neither l1 nor l2."""

    def value(self, w):
        return abs(w) ** 1.5

    def gradient(self, w):
        return 1.5 * abs(w) ** 0.5 * (1.0 if w > 0 else -1.0)

    def curvature(self):
        return 10.0


@pytest.mark.parametrize(
    "model", [GDRegressor(loss="huber"), GDRegressor(penalty=Root(), alpha=0.1)], ids=str
)
def test_only_what_has_such_a_geometry_is_drawn(model):
    X, y = make_regression(20, 2)
    model.set_params(tol=None, max_iter=5).fit(X, y)
    with pytest.raises(ValueError, match="for the squared error of two features"):
        PenaltyGeometryDisplay.from_estimator(model, X, y)


# Learning rates


def plain(epochs=30, **options):
    common = {"optimizer": "gd", "tol": None, "center": False, "penalty": None}
    return GDRegressor(max_iter=epochs, **{**common, **options})


def largest_stable(X):
    """Return 2/L for least squares with an intercept."""
    rows = np.column_stack([X, np.ones(len(X))])
    return 2.0 / np.linalg.eigvalsh(rows.T @ rows / len(X))[-1]


def test_the_sweep_ends_where_single_fits_end_and_marks_what_diverges(problem):
    X, y = problem
    edge = largest_stable(X)
    rates = edge * np.array([3.0, 0.01, 0.1, 0.9, 1.5])
    shown = LearningRateDisplay.from_estimator(plain(100), X, y, learning_rates=rates)
    np.testing.assert_array_equal(shown.learning_rates, np.sort(rates))
    np.testing.assert_array_equal(shown.diverged, np.sort(rates) > edge)
    for rate, value in zip(np.sort(rates)[:3], shown.values):
        fit = plain(100, learning_rate=rate).fit(X, y)
        assert value == pytest.approx(np.mean((fit.predict(X) - y) ** 2) / 2, rel=1e-10)
    np.testing.assert_array_equal(shown.line_.get_ydata()[:3], shown.values[:3])
    assert np.isnan(shown.line_.get_ydata()[3:]).all()
    assert shown.best == (int(np.argmin(shown.values[:3])),)
    star = [[shown.learning_rates[shown.best], shown.values[shown.best]]]
    np.testing.assert_array_equal(shown.best_.get_xydata(), star)
    hatched = [patch for patch in shown.ax_.patches if patch.get_hatch()]
    paths = (patch.get_path().transformed(patch.get_patch_transform()) for patch in hatched)
    spans = [path.get_extents().intervalx for path in paths]
    assert [[low < r < high for low, high in spans].count(True) for r in np.sort(rates)] == [
        *(0, 0, 0, 1, 1),
    ]


def test_a_sweep_that_overflows_has_no_value_there(problem):
    shown = LearningRateDisplay.from_estimator(plain(), *problem, learning_rates=[0.01, 1e200])
    np.testing.assert_array_equal(np.isnan(shown.values), [False, True])
    np.testing.assert_array_equal(shown.diverged, [False, True])


def test_a_sweep_of_which_all_has_grown_has_no_best(problem):
    X, y = problem
    rates = largest_stable(X) * np.array([2.0, 3.0])
    shown = LearningRateDisplay.from_estimator(plain(100), X, y, learning_rates=rates)
    assert np.isfinite(shown.values).any()
    assert shown.diverged.all()
    assert shown.best_ is None
    with pytest.raises(ValueError, match="Every descent has diverged"):
        shown.best


def test_an_error_that_is_no_divergence_is_raised(problem):
    X, y = problem
    with pytest.raises(ValueError, match="init has shape"):
        LearningRateDisplay.from_estimator(plain(init=[1.0]), X, y, learning_rates=[0.1])


def test_a_map_has_a_row_for_each_candidate(problem):
    X, y = problem
    rules = ["gd", Momentum(0.5)]
    rates = largest_stable(X) * np.array([0.05, 0.5, 4.0])
    shown = LearningRateDisplay.from_estimator(
        plain(100), X, y, learning_rates=rates, parameter="optimizer", candidates=rules,
        above_minimum=True,
    )  # fmt: skip
    lowest = np.mean((LinearRegression().fit(X, y).predict(X) - y) ** 2) / 2
    for row, rule in zip(shown.values, rules):
        for value, rate in zip(row[:2], rates):
            fit = plain(100, optimizer=rule, learning_rate=rate).fit(X, y)
            expected = np.mean((fit.predict(X) - y) ** 2) / 2 - lowest
            assert value == pytest.approx(expected, rel=1e-6, abs=1e-12)
    np.testing.assert_array_equal(shown.diverged, [[False, False, True]] * 2)
    drawn = np.ma.filled(shown.mesh_.get_array(), np.nan).reshape(2, 3)
    np.testing.assert_array_equal(drawn[:, :2], shown.values[:, :2])
    assert np.isnan(drawn[:, 2]).all()
    (cells,) = (c for c in shown.ax_.collections if c.get_hatch())
    corners = np.array([path.get_extents().min for path in cells.get_paths()])
    border = np.sqrt(rates[1] * rates[2])  # half-way on the logarithmic axis
    np.testing.assert_allclose(corners, [[border, -0.5], [border, 0.5]])
    names = [text.get_text() for text in shown.ax_.get_yticklabels()]
    assert names == ["gd", "Momentum(beta=0.5)"]


def test_rates_that_are_not_given_surround_the_automatic_one(problem):
    X, y = problem
    shown = LearningRateDisplay.from_estimator(plain(2), X, y)
    automatic = plain(2).fit(X, y).learning_rate_
    np.testing.assert_allclose(
        shown.learning_rates[[0, 9, 12]], automatic * np.array([1e-3, 1, 10])
    )


def test_a_search_is_drawn_as_it_scored(problem):
    X, y = problem
    pipe = make_pipeline(StandardScaler(), plain())
    rates, alphas = [0.01, 0.1, 0.5], [0.01, 1.0]
    grid = {"gdregressor__learning_rate": rates, "gdregressor__alpha": alphas}
    pipe.set_params(gdregressor__penalty="l2")
    search = GridSearchCV(pipe, grid, cv=3).fit(X, y)
    shown = LearningRateDisplay.from_search(search)
    assert (shown.parameter, shown.candidates, shown.show) == ("alpha", alphas, "score")
    for i, alpha in enumerate(alphas):
        for j, rate in enumerate(rates):
            one = {"gdregressor__learning_rate": rate, "gdregressor__alpha": alpha}
            place = search.cv_results_["params"].index(one)
            assert shown.values[i, j] == search.cv_results_["mean_test_score"][place]
    assert alphas[shown.best[0]] == search.best_params_["gdregressor__alpha"]
    assert rates[shown.best[1]] == search.best_params_["gdregressor__learning_rate"]


def test_candidates_that_diverge_have_no_score_and_are_marked(problem):
    X, y = problem
    search = GridSearchCV(plain(100), {"learning_rate": [0.05, 50.0]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, y)
    shown = LearningRateDisplay.from_search(search)
    np.testing.assert_array_equal(shown.diverged, [False, True])
    assert (shown.values[0], shown.parameter) == (search.best_score_, None)
    assert np.isnan(shown.values[1])


def searched(params, scores):
    return SimpleNamespace(cv_results_={"params": params, "mean_test_score": scores})


def test_of_what_is_not_shown_the_best_is_taken():
    params = [
        {"learning_rate": rate, "alpha": alpha, "optimizer": rule}
        for rate in (0.1, 1.0)
        for alpha in (0.0, 2.0)
        for rule in ("gd", "adam")
    ]
    search = searched(params, [0.1, 0.2, np.nan, np.nan, 0.5, np.nan, 0.6, 0.7])
    shown = LearningRateDisplay.from_search(search)
    assert [panel.parameter for panel in shown.panels_] == ["alpha", "optimizer"]
    assert shown.panels_[0] is shown
    assert [panel.ax_ for panel in shown.panels_] == shown.figure_.axes[:2]
    by_alpha = LearningRateDisplay.from_search(search, parameter="alpha")
    np.testing.assert_array_equal(by_alpha.values, [[0.2, 0.5], [np.nan, 0.7]])
    np.testing.assert_array_equal(by_alpha.diverged, [[False, False], [True, False]])
    by_rule = LearningRateDisplay.from_search(search, parameter="optimizer")
    np.testing.assert_array_equal(by_rule.values, [[0.1, 0.6], [0.2, 0.7]])
    for panel, alone in zip(shown.panels_, (by_alpha, by_rule)):
        np.testing.assert_array_equal(panel.values, alone.values)


def test_axes_are_asked_for_one_for_each_panel():
    params = [{"learning_rate": 0.1, "alpha": a, "l1_ratio": a} for a in (0.1, 0.9)]
    with pytest.raises(ValueError, match="2 panels; got 1 axes"):
        LearningRateDisplay.from_search(searched(params, [0.3, 0.4]), ax=plt.figure().gca())


def test_a_map_says_over_what_it_takes_the_best():
    params = [{"learning_rate": r, "alpha": a, "l1_ratio": s} for r in (0.1, 1.0)
              for a in (0.0, 2.0) for s in (0.1, 0.9)]  # fmt: skip
    search = searched(params, np.arange(8.0))
    shown = LearningRateDisplay.from_search(search, parameter="alpha")
    assert shown.best_over == ["l1_ratio"]
    assert shown.colorbar_.ax.get_ylabel() == "mean test score (best l1_ratio)"
    one = searched(params[::2], np.arange(4.0))
    shown = LearningRateDisplay.from_search(one)
    assert shown.colorbar_.ax.get_ylabel() == "mean test score"


def test_the_star_stands_at_what_the_search_has_chosen():
    params = [{"learning_rate": r, "alpha": a} for r in (0.1, 1.0) for a in (0.0, 2.0)]
    search = searched(params, [0.3, 0.5, 0.5, 0.1])
    assert LearningRateDisplay.from_search(search).best == (0, 1)
    search.best_index_ = 1
    shown = LearningRateDisplay.from_search(search)
    np.testing.assert_allclose(shown.best_.get_xydata(), [[0.1, 1.0]])
    assert shown.best_.get_label() == "chosen by the search"
    params[1]["learning_rate"] = "auto"  # which is not on the map
    assert LearningRateDisplay.from_search(search).best == (0, 1)


@pytest.mark.parametrize("rates", [np.geomspace(3.17e-4, 4.1, 13), np.geomspace(0.11, 3.3, 5),
                                   [0.31, 0.47, 0.52]], ids=str)  # fmt: skip
def test_ticks_of_rates_are_round(rates):
    params = [{"learning_rate": r} for r in rates]
    shown = LearningRateDisplay.from_search(searched(params, np.arange(len(rates))))
    shown.figure_.canvas.draw()
    left, right = shown.ax_.get_xlim()
    texts = [
        t.get_text() for t in shown.ax_.get_xticklabels() if left < t.get_position()[0] < right
    ]
    assert len(texts) >= 3
    assert all(len(text.strip("0.").replace("e-", "")) <= 2 for text in texts)
    assert not any(t.get_text() for t in shown.ax_.get_xticklabels(minor=True))


def test_what_was_not_tried_is_not_marked():
    params = [{"learning_rate": 0.1, "alpha": 1.0}, {"learning_rate": 1.0, "alpha": 2.0}]
    shown = LearningRateDisplay.from_search(searched(params, [0.3, 0.4]))
    np.testing.assert_array_equal(shown.values, [[0.3, np.nan], [np.nan, 0.4]])
    assert not shown.diverged.any()


def test_a_search_without_rates_is_refused():
    with pytest.raises(ValueError, match="0 parameters 'learning_rate'"):
        LearningRateDisplay.from_search(searched([{"alpha": 1.0}], [0.5]))


def test_when_everything_has_diverged_there_is_no_best():
    shown = LearningRateDisplay.from_search(searched([{"learning_rate": 0.1}], [np.nan]))
    assert shown.best_ is None
    with pytest.raises(ValueError, match="Every descent has diverged"):
        shown.best


def test_the_model_that_is_swept_stays_as_it_was(problem):
    model = plain(2)
    before = clone(model)
    LearningRateDisplay.from_estimator(model, *problem, learning_rates=[0.1])
    assert model.get_params() == before.get_params()
    assert not hasattr(model, "coef_")
