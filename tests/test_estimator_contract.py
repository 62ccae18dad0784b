"""An estimator of a third kind states its problem; the one fit runs it, and displays draw it."""

import pickle

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import make_regression
from sklearn.base import RegressorMixin, clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor
from skgd.displays import (
    DescentAnimation,
    FitDisplay,
    LearningRateDisplay,
    LossCurveDisplay,
    LossSurfaceDisplay,
    StepDisplay,
)
from skgd.estimators.data import feature_names, prediction_rows, validated_rows
from skgd.estimators.estimator import DescentEstimator
from skgd.estimators.problem import Answer, Problem, Starts, objective_on
from skgd.estimators.running_means import statistics_of
from skgd.kernels.moments import Columns
from skgd.models import Linear
from skgd.reference import compare

matplotlib.use("Agg")

X, Y = make_regression(30, 3)
NO_COLUMNS = Columns(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool))
PLAIN = {"optimizer": "gd", "learning_rate": 0.1, "tol": None, "max_iter": 8, "record_path": True}


class LineProblem(Problem):
    """One objective, whose parameters are the weights and the level."""

    is_single, is_random, n_jobs = True, False, 1

    def __init__(self, estimator, rows, last, stream):
        self.estimator, self.last, self.p = estimator, last, rows.X.shape[1]
        found = statistics_of(rows, NO_COLUMNS, SQUARED, True, last if stream else None)
        self.means = found.means
        terms = rows.terms(Linear(), SQUARED, None, None, np.zeros(1))
        self.objectives = [objective_on(estimator, terms[0], found.units[0])]

    def starts(self, seed):
        start = np.zeros(self.p + 1) if self.last is None else self.estimator.parameters()
        return Starts([(0, start)], {})

    def in_order_of_init(self, target, theta):
        return theta[..., self.estimator.parameter_order()]

    def attributes(self, target, theta):
        theta = self.in_order_of_init(target, theta)
        return {"theta_": theta, "weights_": theta[1:]}

    def accepts(self, run):
        return True

    def answer(self, runs):
        return Answer(runs, [])

    def solution(self, answer):
        return self.attributes(0, answer.runs[0].theta)

    def remarks(self, solution):
        return []


class LevelFirst(RegressorMixin, DescentEstimator):
    """A linear model that has its level before its weights."""

    __init__ = GDRegressor.__init__
    _parameter_constraints = GDRegressor._parameter_constraints
    fitted_attributes = "theta_", "n_features_in_", "t_"
    feature_attribute = "weights_"

    def _problem(self, rows, last, stream):
        return LineProblem(self, rows, last, stream)

    def predict(self, X):
        return prediction_rows(self, X) @ self.theta_[1:] + self.theta_[0]

    def objective(self, X, y, sample_weight=None):
        rows = validated_rows(clone(self), X, y, sample_weight)
        return LineProblem(self, rows, None, False).objectives[0]

    def parameters(self):
        return np.append(self.theta_[1:], self.theta_[0])

    def starting_points(self):
        return np.zeros((1, self.n_features_in_ + 1))

    def parameter_names(self):
        return [*feature_names(self), "level"]

    def parameter_order(self):
        return np.append(self.n_features_in_, np.arange(self.n_features_in_))


SQUARED = GDRegressor().objective(X, Y).loss


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def level_last(points):
    return np.roll(points, -1, axis=-1)


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_size": 7, "random_state": 0}, {"optimizer": "adam"}, {"average": True}],
    ids=str,
)
def test_the_fit_of_a_third_kind_steps_as_the_linear_one_does(options):
    options = {**PLAIN, **options}
    third, linear = LevelFirst(**options).fit(X, Y), GDRegressor(center=False, **options).fit(X, Y)
    np.testing.assert_allclose(level_last(third.path_), linear.path_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(third.predict(X), linear.predict(X), rtol=1e-10)
    np.testing.assert_allclose(third.loss_curve_, linear.loss_curve_, rtol=1e-10)
    third, linear = (pickle.loads(pickle.dumps(model)) for model in (third, linear))
    for model in (third, linear):
        model.partial_fit(X, Y).set_params(warm_start=True).fit(X, Y)
    np.testing.assert_allclose(third.parameters(), linear.parameters(), rtol=1e-10)
    assert third.t_ == linear.t_


def test_a_third_kind_is_validated_and_compared_with_the_references():
    rows = {"X_val": X[20:], "y_val": Y[20:]}
    third = LevelFirst(**PLAIN).fit(X[:20], Y[:20], **rows)
    scores = third.history_["validation_score"]
    assert third.score(X[20:], Y[20:]) == pytest.approx(scores.max(), rel=1e-12)
    descent, closed, _ = compare(LevelFirst(optimizer="nesterov", tol=1e-9), X, Y)
    np.testing.assert_allclose(descent.theta, closed.theta, rtol=1e-6)


def test_displays_draw_a_third_kind():
    one, y = X[:, :1], Y
    fit = LevelFirst(**PLAIN).fit(one, y)
    surface = LossSurfaceDisplay.from_estimator(fit, one, y, grid_resolution=5)
    assert surface.axis_names == ("level", "x0")
    np.testing.assert_allclose(surface.paths["path"], fit.path_, rtol=1e-12)
    best = np.polyfit(one.ravel(), y, 1)[::-1]
    np.testing.assert_allclose(surface.minima, [best], rtol=1e-3)
    curves = FitDisplay.from_estimator(fit, one, y)
    np.testing.assert_allclose(curves.curves[-1], fit.predict(curves.grid[:, None]), rtol=1e-10)
    motion = DescentAnimation.from_estimator(fit, one, y, n_frames=3, grid_resolution=5)
    np.testing.assert_array_equal(motion.updates[[0, -1]], [0, 8])
    curve = LossCurveDisplay.from_estimator(fit, one, y, above_minimum=True).curves[0]
    low = fit.objective(one, y).value(np.roll(best, -1))
    np.testing.assert_allclose(curve, fit.loss_curve_ - low, rtol=1e-2, atol=1e-6)
    np.testing.assert_array_equal(StepDisplay.from_estimator(fit).rates[0], np.full(8, 0.1))
    rates = LearningRateDisplay.from_estimator(fit, one, y, learning_rates=[0.1, 0.2])
    assert rates.values[0] == pytest.approx(fit.loss_curve_[-1])
    chain = make_pipeline(StandardScaler(), LevelFirst(**PLAIN)).fit(X, y)
    many = LossSurfaceDisplay.from_estimator(chain, X, y, parameters=(3, 1), grid_resolution=5)
    assert many.axis_names == ("level", "x1")
