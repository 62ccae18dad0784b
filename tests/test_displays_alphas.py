"""Pictures of a search over alpha, against its attributes and by hand."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import make_regression
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor, GDRegressorCV
from skgd.displays import CoefficientPathDisplay, ScoreCurveDisplay

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def lasso():
    """Return a search whose two choices differ."""
    X, y = make_regression(n=60, p=12, noise=2.0, sparse_truth=True)
    found = GDRegressorCV(penalty="l1", alphas=15, cv=6).fit(X, y)
    assert found.alpha_1se_ > found.alpha_min_
    return found


def places(lines):
    return [line.get_xdata()[0] for line in lines]


def test_the_path_shows_the_coefficients_and_the_chosen_alphas(lasso):
    shown = CoefficientPathDisplay.from_estimator(lasso)
    for j, line in enumerate(shown.lines_["l1"]):
        np.testing.assert_array_equal(line.get_xdata(), lasso.alphas_[::-1])
        np.testing.assert_array_equal(line.get_ydata(), lasso.coef_path_[j, ::-1])
    assert places(shown.marks_) == [lasso.alpha_min_, lasso.alpha_1se_]
    assert shown.names == [f"x{j}" for j in range(12)]
    names = [text.get_text() for text in shown.ax_.get_legend().get_texts()]
    assert names == [*shown.names, "best", "within one standard error"]


def test_the_curve_is_the_mean_over_the_folds_in_a_band_of_one_standard_error(lasso):
    shown = ScoreCurveDisplay.from_estimator(lasso)
    errors = lasso.mse_path_[::-1]
    means, spread = errors.mean(axis=1), errors.std(axis=1, ddof=1) / np.sqrt(6)
    np.testing.assert_allclose(shown.lines_[0].get_ydata(), means, rtol=1e-12)
    (band,) = shown.bands_
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx((means + spread).max())
    assert heights.min() == pytest.approx((means - spread).min())
    assert places(shown.marks_) == [lasso.alpha_min_, lasso.alpha_1se_]
    best = np.argmin(means)
    assert shown.alphas[0][best] == lasso.alpha_min_
    within = means <= (means + spread)[best]
    assert shown.alphas[0][within].max() == lasso.alpha_1se_


def test_every_l1_ratio_has_a_curve_and_the_chosen_one_a_path():
    X, y = make_regression(n=40, sparse_truth=True)
    options = {"penalty": "elasticnet", "l1_ratio": [0.1, 0.9], "alphas": 7, "scoring": "r2"}
    fit = GDRegressorCV(**options).fit(X, y)
    shown = ScoreCurveDisplay.from_estimator(fit)
    assert shown.names == ["l1_ratio=0.1", "l1_ratio=0.9"]
    assert shown.label == "score (r2)"
    for k in range(2):
        means = fit.score_path_[k, ::-1].mean(axis=1)
        np.testing.assert_allclose(shown.lines_[k].get_ydata(), means, rtol=1e-12)
    path = CoefficientPathDisplay.from_estimator(fit)
    chosen = [0.1, 0.9].index(fit.l1_ratio_)
    np.testing.assert_array_equal(path.alphas, fit.alphas_[chosen, ::-1])
    np.testing.assert_array_equal(path.coefs["elasticnet"], fit.coef_path_.T[::-1])


def test_a_target_with_an_alpha_of_its_own_is_shown_alone():
    X, y = make_regression(n=40)
    Y = np.column_stack([y, np.random.default_rng(0).standard_normal(40)])
    fit = GDRegressorCV(alphas=7, alpha_per_target=True).fit(X, Y)
    for k in range(2):
        shown = ScoreCurveDisplay.from_estimator(fit, target=k)
        means = fit.mse_path_[::-1, :, k].mean(axis=1)
        np.testing.assert_allclose(shown.means[0], means, rtol=1e-12)
        path = CoefficientPathDisplay.from_estimator(fit, target=k)
        np.testing.assert_array_equal(path.coefs["l2"], fit.coef_path_[k].T[::-1])
        assert path.marks["best"] == shown.marks["best"] == fit.alpha_min_[k]
    with pytest.raises(ValueError, match="'target' parameter must be below 2"):
        ScoreCurveDisplay.from_estimator(fit, target=2)


def test_an_alpha_of_zero_has_no_place_on_a_logarithmic_axis():
    X, y = make_regression(n=40)
    fit = GDRegressorCV(alphas=[0.0, 0.01, 1.0]).fit(X, y)
    shown = ScoreCurveDisplay.from_estimator(fit)
    np.testing.assert_array_equal(shown.alphas[0], [0.01, 1.0])
    assert 0.0 not in places(shown.marks_)
    path = CoefficientPathDisplay.from_estimator(fit)
    np.testing.assert_array_equal(path.alphas, [0.01, 1.0])


def test_a_pipeline_is_replaced_by_the_search_at_its_end():
    X, y = make_regression(n=40)
    chain = make_pipeline(StandardScaler(), GDRegressorCV(alphas=5)).fit(X, y)
    shown = ScoreCurveDisplay.from_estimator(chain)
    np.testing.assert_array_equal(shown.alphas[0], chain[-1].alphas_[::-1])


@pytest.mark.parametrize("display", [CoefficientPathDisplay, ScoreCurveDisplay])
def test_what_has_not_searched_is_refused(display):
    with pytest.raises(TypeError, match="is for GDRegressorCV"):
        display.from_estimator(GDRegressor())
    with pytest.raises(NotFittedError):
        display.from_estimator(GDRegressorCV())
