"""GDRegressor with scikit-learn's tools: clone, searches, storage and pipelines."""

import pickle

import joblib
import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDGaborRegressor, GDMLPClassifier, GDRegressor
from skgd.optimizers import Adam, Momentum, Nesterov
from skgd.penalties import L1, ElasticNet
from skgd.schedules import Cosine, Exponential, WarmUp

WEIGHT = np.random.default_rng(5).uniform(0.5, 2.0, 40)

# Parameters


def test_a_clone_has_the_parameters_and_none_of_the_fit(problem):
    model = GDRegressor(optimizer=Adam(0.5), schedule=WarmUp(3, Cosine(9)), alpha=0.1, tol=None)
    copy = clone(model.fit(*problem))
    assert copy.get_params() == model.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]
    with pytest.raises(NotFittedError):
        copy.predict(problem[0])


def test_parts_by_name_show_their_fields():
    params = GDRegressor(penalty="elasticnet", optimizer="adam", l1_ratio=0.2).get_params()
    assert params["optimizer"] == "adam"
    assert params["optimizer__beta2"] == 0.999
    assert params["penalty__l1_ratio"] == 0.2
    shallow = GDRegressor(optimizer="adam").get_params(deep=False)
    assert not [name for name in shallow if "__" in name]


@pytest.mark.parametrize(
    ("change", "name", "part"),
    [
        ({"optimizer": "nesterov", "optimizer__beta": 0.3}, "optimizer", Nesterov(0.3)),
        ({"optimizer": "adam", "optimizer__beta1": 0.7}, "optimizer", Adam(0.7)),
        ({"optimizer__beta": 0.3, "optimizer": Momentum()}, "optimizer", Momentum(0.3)),
        ({"schedule": "exponential", "schedule__decay": 0.5}, "schedule", Exponential(0.5)),
        ({"penalty": "elasticnet", "penalty__l1_ratio": 0.1}, "penalty", ElasticNet(0.1)),
        ({"schedule": "warmup", "schedule__length": 2}, "schedule", WarmUp(2)),
        (
            {"schedule": WarmUp(3, Cosine()), "schedule__then__floor": 0.5},
            "schedule",
            WarmUp(3, Cosine(floor=0.5)),
        ),
        (
            {"schedule": "warmup", "schedule__then": Exponential(), "schedule__then__decay": 0.5},
            "schedule",
            WarmUp(then=Exponential(0.5)),
        ),
    ],
)
def test_nested_names_change_one_field_of_a_part(change, name, part):
    model = GDRegressor()
    assert model.set_params(**change) is model
    assert getattr(model, name) == part


def test_parameters_survive_a_round_trip():
    model = GDRegressor(optimizer=Adam(0.5), penalty="elasticnet", l1_ratio=0.3)
    again = GDRegressor().set_params(**model.get_params())
    assert again.get_params().keys() == model.get_params().keys()
    assert again.get_params()["optimizer__beta1"] == 0.5
    assert again.get_params()["penalty__l1_ratio"] == 0.3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("optimizer__gamma", r"Invalid parameter 'gamma' .* GDRegressor\(.*'optimizer__beta'\]"),
        ("penalty__ratio", "Invalid parameter 'ratio' .*'penalty'"),
        ("alpha__beta", "Invalid parameter 'beta'"),
        ("shedule__decay", "Invalid parameter .*'shedule'.* Valid parameters are: .*'schedule'"),
        ("apha", r"Invalid parameter 'apha' for estimator GDRegressor\(.*'alpha'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(name, message):
    with pytest.raises(ValueError, match=message):
        GDRegressor(optimizer="nesterov").set_params(**{name: 0.5})


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ({"penalty": "elasticnet", "l1_ratio": 7.0}, {"l1_ratio": 0.7}),
        ({"alpha": -1}, {"alpha": 1}),
    ],
)
def test_a_parameter_is_validated_in_fit_and_can_be_corrected(problem, bad, good):
    model = GDRegressor().set_params(**bad)
    with pytest.raises(ValueError, match=f"The '{next(iter(good))}' parameter of GDRegressor"):
        model.fit(*problem)
    model.set_params(**good).fit(*problem)


def test_the_repr_of_a_model_shows_what_is_not_the_default():
    assert repr(GDRegressor()) == "GDRegressor()"
    assert repr(GDRegressor(alpha=0.1, optimizer="adam")) == (
        "GDRegressor(alpha=0.1, optimizer='adam')"
    )
    assert (
        repr(GDRegressor(optimizer=Nesterov(0.5))) == "GDRegressor(optimizer=Nesterov(beta=0.5))"
    )
    assert "optimizer" in GDRegressor(optimizer=Nesterov(0.5))._repr_html_()


# Searches


def best_by_hand(X, y, settings):
    """Return the mean score of each setting over the folds that a search with cv=3 makes."""
    return [cross_val_score(GDRegressor(**setting), X, y, cv=3).mean() for setting in settings]


@pytest.mark.parametrize(
    "grid",
    [
        {"alpha": [1e-3, 1.0, 10.0]},
        {"learning_rate": [1e-3, 1e-2, "auto"], "tol": [None], "max_iter": [20]},
        {"penalty": ["l1", ElasticNet(0.9), "l2", None], "alpha": [0.5]},
        {"optimizer": ["nesterov", "gd", Nesterov(0.2)], "tol": [None], "max_iter": [5]},
    ],
    ids=lambda grid: next(iter(grid)),
)
def test_a_grid_scores_what_cross_validation_scores(problem, grid):
    search = GridSearchCV(GDRegressor(), grid, cv=3).fit(*problem)
    scores = best_by_hand(*problem, search.cv_results_["params"])
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], scores, rtol=1e-12)
    assert len(np.unique(np.round(scores, 12))) == len(scores)
    assert search.best_params_ == search.cv_results_["params"][int(np.argmax(scores))]


def test_a_grid_reaches_into_parts(problem):
    grid = {"optimizer__beta": [0.1, 0.5], "schedule__decay": [0.9, 1.0]}
    few = {"max_iter": 5, "tol": None, "schedule": "exponential"}
    search = GridSearchCV(GDRegressor(optimizer="nesterov", **few), grid, cv=3).fit(*problem)
    settings = [
        {**few, "optimizer": Nesterov(p["optimizer__beta"]), "schedule": Exponential(decay)}
        for p in search.cv_results_["params"]
        for decay in [p["schedule__decay"]]
    ]
    scores = best_by_hand(*problem, settings)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], scores, rtol=1e-12)
    assert len(set(scores)) == 4


def test_a_random_search_reaches_through_a_pipeline(problem):
    space = {"gdregressor__penalty__l1_ratio": [0.1, 0.9], "gdregressor__alpha": [0.01, 0.1]}
    chain = make_pipeline(StandardScaler(), GDRegressor(penalty="elasticnet"))
    search = RandomizedSearchCV(chain, space, n_iter=3, cv=3, random_state=0).fit(*problem)
    chosen = search.best_estimator_[-1]
    assert chosen.penalty == ElasticNet(search.best_params_["gdregressor__penalty__l1_ratio"])


@pytest.mark.slow
def test_two_processes_search_as_one_over_read_only_data():
    X, y = make_regression(n=30_000, p=10)  # large enough for joblib to map it, read-only
    grid = {"alpha": [0.1, 1.0], "optimizer": ["nesterov", Adam(0.5)]}
    model = GDRegressor(max_iter=5, tol=None)
    one, two = (GridSearchCV(model, grid, cv=2, n_jobs=jobs).fit(X, y) for jobs in (1, 2))
    np.testing.assert_allclose(
        two.cv_results_["mean_test_score"], one.cv_results_["mean_test_score"], rtol=1e-12
    )


# On disk


@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_stored_model_predicts_as_before(problem, batch_size, tmp_path):
    model = GDRegressor(optimizer=Nesterov(0.5), batch_size=batch_size, random_state=0)
    expected = model.fit(*problem).predict(problem[0])
    joblib.dump(model, tmp_path / "model")
    for again in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model")):
        np.testing.assert_array_equal(again.predict(problem[0]), expected)
        np.testing.assert_array_equal(again.fit(*problem).predict(problem[0]), expected)


# In a chain


def test_a_pipeline_scales_before_the_fit(problem):
    X, y = problem
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    chain = make_pipeline(StandardScaler(), GDRegressor(alpha=0.2, tol=1e-10))
    found = chain.fit(X, y, gdregressor__sample_weight=None).predict(X)
    np.testing.assert_allclose(found, Ridge(40 * 0.2).fit(Z, y).predict(Z), atol=1e-8)


def test_names_that_a_scaler_passes_on_are_kept(problem):
    X, y = problem
    chain = make_pipeline(StandardScaler(), GDRegressor()).set_output(transform="pandas")
    assert list(chain.fit(X, y)[-1].feature_names_in_) == ["x0", "x1", "x2", "x3", "x4"]
    assert isinstance(chain.predict(X), np.ndarray)


def test_a_transformed_target_is_fitted_in_its_own_unit(problem):
    X, y = problem
    model = TransformedTargetRegressor(GDRegressor(), func=np.arcsinh, inverse_func=np.sinh)
    expected = np.sinh(GDRegressor().fit(X, np.arcsinh(y)).predict(X))
    np.testing.assert_allclose(model.fit(X, y).predict(X), expected, rtol=1e-12)


def test_many_targets_need_no_wrapper(problem):
    X, y = problem
    targets = np.column_stack([y, np.abs(y)])
    wrapped = MultiOutputRegressor(GDRegressor()).fit(X, targets)
    expected = GDRegressor().fit(X, targets).predict(X)
    np.testing.assert_allclose(wrapped.predict(X), expected, rtol=1e-12)


def test_weights_are_routed_to_the_fit(problem):
    X, y = problem
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        model = GDRegressor().set_fit_request(sample_weight=True)
        chain = make_pipeline(scaler, model).fit(X, y, sample_weight=WEIGHT)
    Z = StandardScaler().fit_transform(X)
    expected = GDRegressor().fit(Z, y, WEIGHT)
    np.testing.assert_allclose(chain[-1].coef_, expected.coef_, rtol=1e-12)
    assert not np.allclose(expected.coef_, GDRegressor().fit(Z, y).coef_)


# Coefficients that are mostly zero


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("targets", [1, 3])
def test_sparse_coefficients_predict_as_dense_ones(problem, intercept, targets):
    X, y = problem
    Y = y if targets == 1 else np.column_stack([y, -y, X[:, 0]])
    model = GDRegressor(penalty="l1", alpha=0.5, fit_intercept=intercept).fit(X, Y)
    coef, gap, before = model.coef_.copy(), model.dual_gap_, model.predict(X)
    theta = model.parameters()
    assert sparse.issparse(model.sparsify().coef_)
    assert model.coef_.nnz == np.count_nonzero(coef)
    for rows in (X, sparse.csr_array(X)):
        for one in (model, pickle.loads(pickle.dumps(model))):
            np.testing.assert_allclose(one.predict(rows), before, rtol=1e-12, atol=1e-12)
            assert isinstance(one.predict(rows), np.ndarray)
    np.testing.assert_array_equal(model.parameters(), theta)
    np.testing.assert_array_equal(model.densify().coef_, coef)
    np.testing.assert_array_equal(model.fit(X, Y).dual_gap_, gap)


@pytest.mark.parametrize(
    "options",
    [{"penalty": "l1"}, {"penalty": L1()}, {"penalty": "elasticnet", "l1_ratio": 1.0}],
    ids=str,
)
def test_a_selection_with_the_threshold_of_the_guide_keeps_what_is_not_zero(problem, options):
    model = GDRegressor(alpha=0.5, **options)
    given = {} if options["penalty"] == "l1" else {"threshold": 1e-5}
    kept = SelectFromModel(model, **given).fit(*problem).get_support()
    coef = Lasso(alpha=0.5, tol=1e-10).fit(*problem).coef_
    assert 0 < kept.sum() < len(coef)
    np.testing.assert_array_equal(kept, coef != 0.0)


def test_a_search_over_a_parameter_that_a_part_overrides_has_no_scores(problem):
    model = GDRegressor(penalty=ElasticNet(0.3), alpha=0.1)
    search = GridSearchCV(model, {"l1_ratio": [0.5, 0.7]}, cv=2)
    with pytest.warns() as caught:
        search.fit(*problem)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
    said = "".join(str(warning.message) for warning in caught)
    assert "has no effect beside penalty=ElasticNet(l1_ratio=0.3)" in said


# Where to read on


@pytest.mark.parametrize("estimator", [GDRegressor, GDGaborRegressor, GDMLPClassifier])
def test_the_picture_of_a_model_links_to_its_page(estimator):
    page = f"https://skgd.readthedocs.io/en/latest/api/skgd.{estimator.__name__}.html"
    assert page in estimator()._repr_html_()


# Candidates that diverge


@pytest.mark.parametrize("rate", [5.0, 1e200], ids=["grown", "nonfinite"])
@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_a_candidate_that_diverges_scores_nan_and_alone_names_a_stable_rate(rate, scoring):
    X, y = make_regression()
    grid = {"learning_rate": [0.01, rate]}
    search = GridSearchCV(GDRegressor(optimizer="gd", max_iter=50, tol=None), grid, cv=2)
    with pytest.warns() as caught:
        search.set_params(scoring=scoring).fit(X, y)
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), [False, True])
    assert search.best_params_ == {"learning_rate": 0.01}
    said = "".join(str(warning.message) for warning in caught)
    assert "GDRegressor diverged and has no score" in said
    alone = clone(search.estimator).set_params(learning_rate=rate)
    if rate > 1e100:
        with pytest.raises(ValueError, match="The largest stable rate of"):
            alone.fit(X, y)
    else:
        with pytest.warns(ConvergenceWarning, match="The largest stable rate of"):
            alone.fit(X, y)


def test_predict_of_a_diverged_model_raises_an_error_that_says_so(problem):
    X, y = problem
    model = GDRegressor(optimizer="gd", learning_rate=5.0, max_iter=500, record_path=True)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(X, y)
    with pytest.raises(ValueError, match=r"diverged.*largest stable rate"):
        model.predict(X)
    assert len(model.path_) == model.t_ + 1
    assert np.isfinite(model.set_params(learning_rate="auto").fit(X, y).predict(X)).all()


def test_one_grid_holds_optimizers_their_fields_schedules_and_penalties(problem):
    grid = [
        {"optimizer": ["momentum"], "optimizer__beta": [0.5, 0.9], "schedule": ["cosine"]},
        {"optimizer": ["adam"], "optimizer__beta1": [0.8], "penalty": ["l1", "elasticnet"]},
    ]
    model = GDRegressor(max_iter=20, tol=None, alpha=0.1, batch_size=8, random_state=0)
    search = GridSearchCV(model, grid, cv=2).fit(*problem)
    assert len(search.cv_results_["params"]) == 4
    for params, mean in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"]):
        alone = cross_val_score(clone(model).set_params(**params), *problem, cv=2)
        assert mean == pytest.approx(alone.mean(), rel=1e-12)
