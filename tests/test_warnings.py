"""The line that a warning points to, and the number of warnings in a search."""

import linecache
import warnings

import numpy as np
import pytest
from conftest import make_regression
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skgd
from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor

X, Y = make_regression()
PLAIN = {"optimizer": "gd", "max_iter": 30}
SHORT = {**PLAIN, "max_iter": 2, "tol": 1e-12}
LEAPING = {**PLAIN, "learning_rate": 5.0}
WAVE, HEIGHT = load_gabor(return_X_y=True)
FLAT = {"init": [0.0, 0.0], "max_iter": 2, "tol": 1e-12, "optimizer": "gd"}
WILD = {"init": [1.5, 8.5], "learning_rate": 1e4, "optimizer": "gd", "penalty": "l2", "alpha": 1.0}


def linear(**options):
    return GDRegressor(**options), X, Y


def wave(**options):
    return GDGaborRegressor(**options), WAVE, HEIGHT


def fit(model, X, y):
    model.fit(X, y)  # here


def partial_fit(model, X, y):
    for _ in range(30):
        model.partial_fit(X, y)  # here


def fit_in_a_pipeline(model, X, y):
    make_pipeline(StandardScaler(), model).fit(X, y)  # here


def fit_in_a_search(model, X, y):
    GridSearchCV(model, {"alpha": [0.1]}, cv=2).fit(X, y)  # here


def fit_in_a_search_of_pipelines(model, X, y):
    name = type(model).__name__.lower()
    search = GridSearchCV(make_pipeline(StandardScaler(), model), {f"{name}__alpha": [0.1]}, cv=2)
    search.fit(X, y)  # here


def fit_in_cross_validation(model, X, y):
    cross_val_score(model, X, y, cv=2)  # here


def fit_in_a_bag(model, X, y):
    BaggingRegressor(model, 2, random_state=0).fit(X, y)  # here


def fit_with_a_transformed_target(model, X, y):
    TransformedTargetRegressor(model).fit(X, y)  # here


def fit_in_threads_of_joblib(model, X, y):
    Parallel(n_jobs=2, prefer="threads")(delayed(fit)(clone(model), X, y) for _ in range(2))


def fit_each_target(model, X, y):
    MultiOutputRegressor(model).fit(X, np.column_stack([y, -y]))  # here


EVERYWHERE = [
    fit,
    fit_in_a_pipeline,
    fit_in_a_search,
    fit_in_a_search_of_pipelines,
    fit_in_cross_validation,
    fit_in_a_bag,
    fit_with_a_transformed_target,
    fit_in_threads_of_joblib,
    fit_each_target,
]
UNFINISHED = [(linear, SHORT), (linear, {**SHORT, "batch_size": 7}), (wave, FLAT)]


def assert_points_here(caught, count=1):
    """Check that warnings point to a line of this file that is marked."""
    ours = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
    assert len(ours) >= count
    for warning in ours:
        assert warning.filename == __file__
        assert linecache.getline(warning.filename, warning.lineno).endswith("# here\n")


@pytest.mark.parametrize("call", EVERYWHERE)
@pytest.mark.parametrize(("case", "options"), UNFINISHED)
def test_a_convergence_warning_points_to_the_users_line(call, case, options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*case(**options))
    assert_points_here(caught)


@pytest.mark.parametrize("call", [fit, partial_fit, fit_in_a_pipeline])
@pytest.mark.parametrize(("case", "options"), [(linear, LEAPING), (wave, WILD)])
def test_a_warning_of_a_divergence_points_to_the_users_line(call, case, options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*case(**options))
    assert "diverged" in str(caught[0].message)
    assert_points_here(caught)


def test_a_warning_of_a_path_points_to_the_users_line():
    with pytest.warns(ConvergenceWarning, match="path has not converged") as caught:
        skgd.path(*make_regression(30, 300), alphas=[0.01], max_iter=1)  # here
    assert_points_here(caught)


def test_a_warning_in_a_users_subclass_points_to_its_fit():
    class Mine(GDRegressor):
        def fit(self, X, y):
            return super().fit(X, y)  # here

    with pytest.warns(ConvergenceWarning) as caught:
        Mine(**SHORT).fit(X, Y)
    assert_points_here(caught)


# Searches over rates

GRID = {
    "learning_rate": [0.01, 0.1, 3.0, 5.0, 1e200],
    "penalty": ["l1", "l2"],
    "alpha": [0.1, 1.0],
}
SCORES = [None, "neg_mean_absolute_error", ["r2", "neg_mean_absolute_error"]]


@pytest.mark.parametrize("scoring", SCORES, ids=str)
def test_a_search_gives_one_warning_for_all_diverged_candidates(scoring):
    model = GDRegressor(optimizer="gd", max_iter=60, tol=None)
    several = isinstance(scoring, list)
    search = GridSearchCV(model, GRID, scoring=scoring, cv=3, refit="r2" if several else True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, Y)
    failed, *rest = caught
    assert failed.category is FitFailedWarning
    said = str(failed.message)
    assert said.startswith("\n36 fits failed out of a total of 60")
    assert said.count("Traceback") == said.count("GDRegressor diverged and has no score") == 1
    assert all("non-finite" in str(w.message) for w in rest)
    mean = search.cv_results_["mean_test_r2" if several else "mean_test_score"]
    rates = np.array([params["learning_rate"] for params in search.cv_results_["params"]])
    np.testing.assert_array_equal(np.isnan(mean), rates > 1.0)


def test_a_search_with_error_score_raise_stops_at_a_diverged_candidate():
    model = GDRegressor(**LEAPING)
    with pytest.raises(ValueError, match="GDRegressor diverged and has no score"):
        cross_validate(model, X, Y, error_score="raise")


def test_a_users_subclass_in_a_search_may_fit_again():
    class Patient(GDRegressor):
        def fit(self, X, y):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                GDRegressor.fit(self, X, y)
            if self.stop_reason_ == "diverged":
                self.learning_rate = 0.01
                GDRegressor.fit(self, X, y)
            return self

    scores = cross_val_score(Patient(**LEAPING).set_params(tol=None), X, Y, cv=2)
    expected = cross_val_score(GDRegressor(**PLAIN, learning_rate=0.01, tol=None), X, Y, cv=2)
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.slow
def test_a_search_in_two_processes_gives_one_warning_too():
    model = GDRegressor(optimizer="gd", max_iter=60, tol=None)
    search = GridSearchCV(model, {"learning_rate": [0.01, 5.0, 1e200]}, cv=2, n_jobs=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, Y)
    said = "".join(str(w.message) for w in caught)
    assert "4 fits failed" in said
    assert said.count("Traceback") == 1


# Warnings that are raised


@pytest.mark.parametrize(("case", "options"), UNFINISHED)
def test_a_fit_whose_warning_is_raised_has_its_solution_and_goes_on(case, options):
    model, X, y = case(**options)
    raised, told = (clone(model).set_params(random_state=0) for _ in range(2))
    with pytest.raises(ConvergenceWarning):
        raised.fit(X, y)
    with pytest.warns(ConvergenceWarning):
        told.fit(X, y)
    np.testing.assert_array_equal(raised.predict(X), told.predict(X))
    raised.partial_fit(X, y)
    assert raised.t_ > told.t_


def test_a_divergence_whose_warning_is_raised_leaves_nothing_to_predict_by():
    model = GDRegressor(**LEAPING)
    with pytest.raises(ConvergenceWarning, match="diverged"):
        model.fit(X, Y)
    with pytest.raises(ValueError, match="diverged"):
        model.predict(X)
