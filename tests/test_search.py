"""Joint searches equal scikit-learn's cell by cell, whatever their candidates have in common."""

import pickle
import warnings
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import sklearn
from conftest import make_regression
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.ma import MaskedArray
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning, UnsetMetadataPassedError
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import Ridge
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    ParameterGrid,
    PredefinedSplit,
    RandomizedSearchCV,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skgd import GDRegressor, JointGridSearchCV, JointRandomizedSearchCV
from skgd.losses import Loss, SquaredError
from skgd.optimizers import Momentum
from skgd.penalties import L1
from skgd.search import plan
from skgd.search.trained import Trained

TIMES = {f"{part}_{kind}_time" for part in ("mean", "std") for kind in ("fit", "score")}


def fitted_alone(estimators, fold):
    """Train candidates as the contract says, each by a fit of its own."""
    rows, n_targets = fold.train, len(fold.train.targets)
    C, p = len(estimators), rows.X.shape[1]
    found = Trained(
        np.zeros((C, n_targets, p)),
        np.zeros((C, n_targets)),
        [None] * C,
        [None] * C,
        np.zeros((C, n_targets), dtype=int),
    )
    for k, estimator in enumerate(estimators):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                alone = clone(estimator).fit(rows.X, rows.y, **rows.weight_options)
                alone.predict(rows.X[:1])
            except ValueError as error:
                found.failures[k] = str(error)
                continue
        if told:
            found.warnings[k] = str(told[0].message)
        found.coef[k], found.intercept[k] = alone.coef_, alone.intercept_
        found.n_iter[k] = alone.n_iter_
    return found


@pytest.fixture
def apart(monkeypatch):
    """Let all candidates be joined, by a trainer that fits them apart."""
    for name in [*plan.TRAINERS]:
        monkeypatch.delitem(plan.TRAINERS, name)
    trainer = plan.Trainer(lambda estimator: "all", fitted_alone, 1)
    monkeypatch.setitem(plan.TRAINERS, "apart", trainer)


def assert_same_search(ours, theirs, rtol=1e-9, atol=1e-10):
    """Hold every cell of a search, and what was chosen, against scikit-learn's."""
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for key, expected in theirs.cv_results_.items():
        found = ours.cv_results_[key]
        if key == "params":
            assert found == expected
            continue
        assert (type(found), found.dtype, found.shape) == (
            type(expected),
            expected.dtype,
            expected.shape,
        )
        if key in TIMES:
            assert np.isfinite(found).all()
            assert (found >= 0.0).all()
        elif found.dtype.kind == "f" and not isinstance(found, MaskedArray):
            assert_allclose(found, expected, rtol=rtol, atol=atol, err_msg=key)
        else:
            assert_array_equal(found, expected, err_msg=key)
    for name in ("best_index_", "best_params_", "multimetric_", "n_splits_"):
        assert vars(ours).get(name) == vars(theirs).get(name)
    added = {"plan_", "progress", "halving", "_checked_cv_orig"}  # the last by scikit-learn 1.9
    assert vars(ours).keys() - added == vars(theirs).keys() - added
    if "best_score_" in vars(theirs):
        assert_allclose(ours.best_score_, theirs.best_score_, rtol=rtol, atol=atol)


def assert_both_alike(estimator, grid, X, y, metadata=None, cls=JointGridSearchCV, **options):
    """Return our search and scikit-learn's, fitted."""
    peer = {JointGridSearchCV: GridSearchCV, JointRandomizedSearchCV: RandomizedSearchCV}[cls]
    fitted = [
        search(clone(estimator), grid, **options).fit(X, y, **(metadata or {}))
        for search in (cls, peer)
    ]
    assert_same_search(*fitted)
    return fitted


ALPHAS = {"alpha": [1e-3, 0.1, 10.0], "penalty": ["l1", "l2", None]}
PIPELINE = Pipeline(
    [
        ("scale", StandardScaler()),
        ("select", SelectKBest(f_regression, k=3)),
        ("model", GDRegressor()),
    ]
)
PIPELINE_GRID = {
    "scale": [StandardScaler(), "passthrough"],
    "select__k": [2, "all"],
    "model__alpha": [0.01, 1.0],
}


def test_a_grid_of_alphas_equals_that_of_scikit_learn(apart, problem):
    ours, theirs = assert_both_alike(GDRegressor(), ALPHAS, *problem)
    assert_array_equal(ours.best_estimator_.coef_, theirs.best_estimator_.coef_)
    assert_array_equal(ours.predict(problem[0]), theirs.predict(problem[0]))
    assert ours.score(*problem) == theirs.score(*problem)
    assert ours.plan_.n_joined == 9


def test_grids_may_be_a_list_and_hold_instances_and_nested_names(apart, problem):
    grids = [
        {"penalty": [L1(), "l2"], "alpha": [0.1]},
        {"optimizer": [Momentum(0.5)], "optimizer__beta": [0.1, 0.9], "max_iter": [3]},
        {"loss": ["squared_error", "huber", SquaredError()], "tol": [None], "max_iter": [5]},
    ]
    with pytest.warns(ConvergenceWarning):
        assert_both_alike(GDRegressor(), grids, *problem)


SCORINGS = {
    "mse": "neg_mean_squared_error",
    "rmse": "neg_root_mean_squared_error",
    "mae": "neg_mean_absolute_error",
    "median": "neg_median_absolute_error",
    "mape": "neg_mean_absolute_percentage_error",
    "explained": "explained_variance",
    "largest": make_scorer(lambda y, f: np.abs(y - f).max(), greater_is_better=False),
    "d2": "d2_absolute_error_score",
    "callable": lambda model, X, y: -np.abs(model.predict(X) - y).max(),
    "of the fit": lambda model, X, y: float(np.abs(model.coef_).sum()) + model.n_iter_,
    "of the record": lambda model, X, y: -model.loss_curve_[-1] + model.t_,
    "of the gap": lambda model, X, y: -model.dual_gap_ if hasattr(model, "dual_gap_") else 1.0,
    "stored": lambda model, X, y: pickle.loads(pickle.dumps(model)).score(X, y),
    "several": lambda model, X, y: {"a": model.score(X, y), "b": model.intercept_},
    "list": ["r2", "neg_mean_absolute_error"],
    "dict": {"mse": "neg_mean_squared_error", "weight": lambda model, X, y: model.coef_[0]},
}


@pytest.mark.parametrize("name", SCORINGS)
def test_every_scorer_gives_the_scores_of_scikit_learn(apart, problem, name):
    refit = {"several": "a", "list": "r2", "dict": "mse"}.get(name, True)
    options = {"scoring": SCORINGS[name], "refit": refit, "return_train_score": True, "cv": 3}
    assert_both_alike(GDRegressor(), ALPHAS, *problem, **options)


def test_a_pipeline_is_scored_as_a_pipeline(apart, problem):
    scoring = {"steps": lambda model, X, y: len(model.steps) + model.score(X, y), "r2": "r2"}
    options = {"scoring": scoring, "refit": "r2", "return_train_score": True}
    assert_both_alike(PIPELINE, PIPELINE_GRID, *problem, **options)


CVS = {
    "KFold": KFold(3, shuffle=True, random_state=0),
    "LeaveOneOut": LeaveOneOut(),
    "ShuffleSplit": ShuffleSplit(4, random_state=1),
    "RepeatedKFold": RepeatedKFold(n_splits=2, n_repeats=2, random_state=2),
    "TimeSeriesSplit": TimeSeriesSplit(3),
    "PredefinedSplit": PredefinedSplit(np.arange(40) % 4 - 1),
    "pairs": [(np.arange(20), np.arange(20, 40)), (np.arange(10, 40), np.arange(5))],
    "masks": [(np.arange(40) < 25, np.arange(40) >= 30)],
    "drawn twice": [(np.repeat(np.arange(20), 2), np.arange(15, 40))],
}


@pytest.mark.parametrize("name", CVS)
@pytest.mark.parametrize("estimator", [GDRegressor(), make_pipeline(GDRegressor())])
def test_every_splitter_gives_the_cells_of_scikit_learn(apart, problem, name, estimator):
    prefix = "" if isinstance(estimator, GDRegressor) else "gdregressor__"
    scoring = "neg_mean_squared_error"
    assert_both_alike(
        estimator, {f"{prefix}alpha": [0.1, 2.0]}, *problem, cv=CVS[name], scoring=scoring
    )


def test_groups_are_kept_together(apart, problem):
    groups = np.arange(40) // 7
    assert_both_alike(GDRegressor(), ALPHAS, *problem, {"groups": groups}, cv=GroupKFold(3))


def storages(X):
    yield "lists", X.tolist()
    yield "float32", X.astype(np.float32)
    yield "Fortran", np.asfortranarray(X)
    yield "CSR", sparse.csr_array(np.where(np.abs(X) > 0.7, X, 0.0))
    yield "CSC", sparse.csc_array(np.where(np.abs(X) > 0.7, X, 0.0))
    yield "frame", pd.DataFrame(X, columns=list("abcde"))


@pytest.mark.parametrize("name", [name for name, _ in storages(np.zeros((1, 5)))])
@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_every_storage_gives_the_cells_of_scikit_learn(apart, problem, name, scoring):
    X, y = dict(storages(problem[0]))[name], problem[1]
    rtol = 1e-5 if name == "float32" else 1e-9
    options = {"scoring": scoring, "return_train_score": True}
    searches = [
        cls(GDRegressor(), ALPHAS, **options).fit(X, y)
        for cls in (JointGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*searches, rtol=rtol)
    if name == "frame":
        assert list(searches[0].feature_names_in_) == list("abcde")
    assert searches[0].n_features_in_ == 5


@pytest.mark.parametrize("kind", [np.array, pd.DataFrame, lambda y: y[:, :1]])
@pytest.mark.parametrize(
    "scoring", [None, "neg_root_mean_squared_error", "d2_absolute_error_score"]
)
def test_several_targets_are_scored_as_scikit_learn_does(apart, problem, kind, scoring):
    X, y = problem
    y = np.column_stack([y, y[::-1], np.sin(y)])
    assert_both_alike(GDRegressor(), ALPHAS, X, kind(y), scoring=scoring, return_train_score=True)
    assert_both_alike(
        make_pipeline(StandardScaler(), GDRegressor()),
        {"gdregressor__alpha": [0.1, 3.0]},
        *(X, kind(y)),
        scoring=scoring,
    )


@pytest.mark.parametrize("weights", ["random", "zeros", "integers", "scalar"])
def test_weights_are_split_like_the_rows(apart, problem, weights):
    X, y = problem
    w = {
        "random": np.random.default_rng(0).random(40),
        "zeros": np.arange(40) % 3 == 0,
        "integers": np.arange(40),
        "scalar": 2.0,
    }[weights]
    if weights != "scalar":  # which no metric takes
        assert_both_alike(GDRegressor(), ALPHAS, X, y, {"sample_weight": w})
    inner = {"gdregressor__sample_weight": w}
    assert_both_alike(
        make_pipeline(StandardScaler(), GDRegressor()), {"gdregressor__alpha": [1, 2]}, X, y, inner
    )


def test_steps_before_are_given_their_own_metadata(apart, problem):
    pipeline = make_pipeline(StandardScaler(), GDRegressor())
    w = np.random.default_rng(0).random(40)
    params = {"standardscaler__sample_weight": w, "gdregressor__sample_weight": w[::-1]}
    assert_both_alike(pipeline, {"gdregressor__alpha": [0.1, 3.0]}, *problem, params)


ROUTES = [(None, True), ("r2", True), ("r2", False), (["r2", "neg_mean_absolute_error"], True)]


@pytest.mark.parametrize(("scoring", "scored"), ROUTES)
def test_metadata_are_routed_as_in_scikit_learn(apart, problem, scoring, scored):
    w, groups = np.random.default_rng(0).random(40), np.arange(40) % 4
    with sklearn.config_context(enable_metadata_routing=True):
        model = GDRegressor().set_fit_request(sample_weight=True)
        model = model.set_score_request(sample_weight=scored)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        if isinstance(scoring, list):
            flags = dict(zip(scoring, (scored, False)))
            scoring = {
                k: get_scorer(k).set_score_request(sample_weight=v) for k, v in flags.items()
            }
        elif scoring is not None:
            scoring = get_scorer(scoring).set_score_request(sample_weight=scored)
        options = {"scoring": scoring, "cv": GroupKFold(4), "return_train_score": True}
        options["refit"] = "r2" if isinstance(scoring, dict) else True
        metadata = {"sample_weight": w, "groups": groups}
        assert_both_alike(model, ALPHAS, *problem, metadata, **options)
        grid = {"gdregressor__alpha": [0.1, 3.0]}
        with suppress(UnsetMetadataPassedError):  # of scores of pipelines in scikit-learn 1.6
            assert_both_alike(make_pipeline(scaler, model), grid, *problem, metadata, **options)


def test_earlier_steps_are_fitted_once_for_each_split_and_setting(apart, problem):
    fits = []

    class Counting(TransformerMixin, BaseEstimator):
        def __init__(self, factor=1.0):
            self.factor = factor

        def fit(self, X, y=None):
            fits.append(self.factor)
            return self

        def transform(self, X):
            return self.factor * X

    pipeline = Pipeline([("count", Counting()), ("model", GDRegressor())])
    grid = {"count__factor": [1.0, 2.0], "model__alpha": [0.1, 0.2, 0.3]}
    JointGridSearchCV(pipeline, grid, cv=4, refit=False).fit(*problem)
    assert fits == [1.0, 2.0] * 4


def quietly(search, *args, **kwargs):
    """Return a fitted search, and the categories of what it warns of."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        search.fit(*args, **kwargs)
    return search, {warning.category for warning in told}


def assert_same_cells(estimator, grid, X, y, metadata=None, **options):
    """Hold a search that warns, or fails in some cells, against scikit-learn's."""
    ours, theirs = (
        quietly(cls(clone(estimator), grid, refit=False, **options), X, y, **(metadata or {}))[0]
        for cls in (JointGridSearchCV, GridSearchCV)
    )
    assert_same_search(ours, theirs)
    return ours


@pytest.mark.parametrize("estimator", [GDRegressor(), make_pipeline(GDRegressor())])
@pytest.mark.parametrize("scoring", [None, ["r2", "neg_mean_squared_error"]])
def test_splits_without_a_weight_fail_as_in_scikit_learn(apart, problem, estimator, scoring):
    prefix = "" if isinstance(estimator, GDRegressor) else "gdregressor__"
    grid, weight = {f"{prefix}alpha": [0.1, 1.0]}, np.zeros(40)
    weight[:8] = 1.0 + np.arange(8)  # the rows that the first of five splits tests
    ours = assert_same_cells(
        estimator, grid, *problem, {f"{prefix}sample_weight": weight}, scoring=scoring
    )
    name = "r2" if scoring else "score"
    assert np.isnan(ours.cv_results_[f"split0_test_{name}"]).all()


@pytest.mark.parametrize("scoring", [None, "neg_root_mean_squared_error", "neg_max_error"])
def test_single_rows_are_scored_as_in_scikit_learn(apart, problem, scoring):
    assert_same_cells(GDRegressor(), ALPHAS, *problem, cv=LeaveOneOut(), scoring=scoring)


@pytest.mark.parametrize(
    "options",
    [{}, {"optimizer": "momentum", "learning_rate": 0.05, "tol": None, "max_iter": 20}],
    ids=["solved", "descended"],
)
def test_candidates_without_a_penalty_tie_whatever_their_alpha(problem, options):
    X, y = problem
    model, grid = GDRegressor(penalty=None, **options), {"alpha": [0.1, 1.0, 7.0]}
    for scoring in ("r2", "neg_max_error"):
        found = JointGridSearchCV(model, grid, scoring=scoring, cv=3).fit(X, y).cv_results_
        assert len(set(found["mean_test_score"])) == 1
        assert_array_equal(found["rank_test_score"], 1)


def test_counts_are_predicted_and_scored_as_in_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = rng.poisson(np.exp(0.5 * X[:, 0]))
    model = GDRegressor(loss="poisson", tol=None, max_iter=30, learning_rate=0.1)
    grid = {"alpha": [0.01, 0.1], "learning_rate": [0.05, 0.1]}
    for scoring in (None, "neg_mean_poisson_deviance", "neg_mean_absolute_error"):
        assert_same_cells(model, grid, X, y, scoring=scoring)
        assert_same_cells(model, grid, X.tolist(), y.tolist(), scoring=scoring)


def test_frames_and_their_names_come_through_the_steps(apart, problem):
    polars = pytest.importorskip("polars")
    X, y = problem
    seen = {"names": lambda model, X, y: len(model[-1].feature_names_in_), "r2": "r2"}
    scaler = StandardScaler().set_output(transform="pandas")
    grid = {"gdregressor__alpha": [0.1, 1.0]}
    frame = pd.DataFrame(X, columns=list("abcde")).convert_dtypes()
    options = {"scoring": seen}
    assert_same_cells(make_pipeline(scaler, GDRegressor()), grid, frame, pd.Series(y), **options)
    frame = polars.DataFrame(X, schema=list("abcde"))
    ours = assert_same_cells(
        GDRegressor(), {"alpha": [0.1, 1.0]}, frame, polars.Series(y).to_numpy()
    )
    assert ours.plan_.n_joined == 2


def test_sparse_rows_of_other_forms_and_integers_are_read(apart, problem):
    X, y = np.round(problem[0]), np.round(problem[1]).astype(int)
    for kind in (sparse.coo_array, sparse.csr_matrix, sparse.lil_array, np.int64):
        assert_same_cells(
            GDRegressor(), ALPHAS, kind(X) if kind is not np.int64 else X.astype(kind), y
        )


def test_steps_may_be_renamed_within_a_search(problem):
    steps = [("scale", StandardScaler()), ("other", GDRegressor())]
    assert_both_alike(PIPELINE, {"steps": [steps, PIPELINE.steps]}, *problem)
    for cls in (JointGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError, match="Invalid parameter 'model'"):
            cls(PIPELINE, {"steps": [steps], "model__alpha": [0.1]}).fit(*problem)


class Tabulated(Loss):
    """The squared error of a user's own, with a field that has no hash."""

    table: object = ()

    def value(self, f, y):
        return 0.5 * (f - y) ** 2

    def slope(self, f, y):
        return f - y


def test_a_plan_leaves_parts_without_a_hash_alone(problem):
    params = [{"loss": Tabulated(table=[1.0, 2.0]), "alpha": alpha} for alpha in (0.1, 1.0)]
    model = GDRegressor(optimizer="gd", learning_rate=0.1, tol=None)
    _, found = plan.plan_search(model, params)
    assert found.n_joined == 0


def test_a_search_without_targets_fails_as_in_scikit_learn(problem):
    for cls in (JointGridSearchCV, GridSearchCV):
        with pytest.raises((TypeError, ValueError), match="All the 10 fits failed"):
            cls(GDRegressor(), {"alpha": [0.1, 1.0]}).fit(problem[0])


def test_a_scorer_may_fit_the_candidate_again(problem):
    def again(model, X, y):
        return clone(model).fit(X, y).score(X, y) + 0.0 * model.partial_fit(X, y).score(X, y)

    assert_both_alike(GDRegressor(), {"alpha": [0.1, 1.0]}, *problem, scoring=again)


def test_candidates_that_are_fitted_alone_share_the_steps_before_them(problem):
    grid = {
        "select__k": [2, 4],
        "model__alpha": [0.01, 1.0],
        "model__record_path": [True],
        "model__optimizer": ["gd", "newton"],
    }
    scoring = {"r2": "r2", "epochs": lambda pipeline, X, y: len(pipeline[-1].path_)}
    ours, _ = assert_both_alike(PIPELINE, grid, *problem, scoring=scoring, refit="r2")
    assert [group.n_alone for group in ours.plan_] == [0]


class Noisy(TransformerMixin, BaseEstimator):
    """A step that returns other rows where it is fitted, as `TargetEncoder` does."""

    def fit(self, X, y=None):
        return self

    def fit_transform(self, X, y=None):
        return X + np.sin(np.arange(len(X)))[:, None]

    def transform(self, X):
        return X


def test_steps_that_transform_training_rows_otherwise_are_scored_by_transform(apart, problem):
    pipeline, grid = make_pipeline(Noisy(), GDRegressor()), {"gdregressor__alpha": [1e-3, 1.0]}
    assert_both_alike(pipeline, grid, *problem, return_train_score=True)


def test_steps_may_be_kept_on_disk(apart, problem, tmp_path):
    pipeline = Pipeline(PIPELINE.steps, memory=str(tmp_path))
    assert_both_alike(pipeline, PIPELINE_GRID, *problem)


def test_the_regressor_of_a_pipeline_may_itself_be_searched(apart, problem):
    grid = [
        {"model": [GDRegressor(penalty="l1"), Ridge()], "model__alpha": [0.1, 1.0]},
        {"model": [GDRegressor()], "scale": ["passthrough"], "select": [PolynomialFeatures()]},
    ]
    ours, _ = assert_both_alike(PIPELINE, grid, *problem)
    assert [len(group.candidates) for group in ours.plan_] == [2, 1, 2]


def test_what_ends_in_another_estimator_is_searched_by_scikit_learn(problem):
    for estimator, name in [
        (Ridge(), "alpha"),
        (make_pipeline(StandardScaler(), Ridge()), "ridge__alpha"),
        (TransformedTargetRegressor(GDRegressor()), "regressor__alpha"),
        (type("Mine", (GDRegressor,), {})(), "alpha"),
    ]:
        ours, _ = assert_both_alike(estimator, {name: [0.1, 1.0]}, *problem)
        assert ours.plan_.n_joined == 0
        assert ours.plan_[0].reason


class Failing(TransformerMixin, BaseEstimator):
    """A step that refuses some rows."""

    def __init__(self, fails=False):
        self.fails = fails

    def fit(self, X, y=None):
        if self.fails and X[0, 0] > 0.0:
            raise ValueError("These rows are refused.")
        return self

    def transform(self, X):
        return X


@pytest.mark.parametrize("error_score", [np.nan, -7.0, 0])
@pytest.mark.parametrize("scoring", [None, ["r2", "neg_mean_absolute_error"]])
@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (GDRegressor(), {"alpha": [-1.0, 0.1, 1.0]}),
        (GDRegressor(center=False, tol=None), {"learning_rate": [0.01, 1e3], "max_iter": [30]}),
        (GDRegressor(), {"penalty": ["l1", "l3"]}),
        (
            Pipeline([("failing", Failing()), ("model", GDRegressor())]),
            {"failing__fails": [True, False], "model__alpha": [0.1, 1.0]},
        ),
    ],
)
def test_a_fit_that_fails_has_the_cells_of_scikit_learn(
    apart, problem, error_score, scoring, estimator, grid
):
    options = {"error_score": error_score, "scoring": scoring, "return_train_score": True}
    options["refit"] = "r2" if scoring else True
    searches = [
        quietly(cls(clone(estimator), grid, **options), *problem)
        for cls in (JointGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*(search for search, _ in searches))
    ours, theirs = (told - {ConvergenceWarning} for _, told in searches)
    assert ours == theirs
    assert FitFailedWarning in ours


@pytest.mark.parametrize("grid", [{"alpha": [1.0, -1.0]}, {"learning_rate": [1e300]}])
def test_an_error_is_raised_where_that_is_asked(apart, problem, grid):
    model = GDRegressor(center=False, tol=None, max_iter=9)
    errors = []
    for cls in (JointGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError) as error:  # noqa: PT011
            cls(model, grid, error_score="raise").fit(*problem)
        errors.append(str(error.value))
    assert errors[0] == errors[1]


def test_a_search_all_of_whose_fits_fail_is_an_error(apart, problem):
    model = GDRegressor(center=False, tol=None, max_iter=9)
    with pytest.raises(ValueError, match="All the 10 fits failed"):
        JointGridSearchCV(model, {"learning_rate": [1e200, 1e300]}).fit(*problem)


def test_what_many_fits_would_warn_of_is_said_once_in_a_table(apart, problem):
    model = GDRegressor(optimizer="gd", learning_rate=1e-3, max_iter=3)
    grid = {"alpha": [0.1, 0.2], "learning_rate": [1e-3, 1e-4]}
    search = JointGridSearchCV(model, grid, refit=False)
    with pytest.warns(ConvergenceWarning, match="20 of 20 fits would warn") as told:
        search.fit(*problem)
    assert len(told) == 1
    lines = str(told[0].message).splitlines()
    assert lines[-1].split(maxsplit=2) == ["3", "5", "alpha=0.2, learning_rate=0.0001"]
    assert told[0].filename == __file__


def test_failed_fits_are_told_of_once_in_a_table(apart, problem):
    model = GDRegressor(center=False, tol=None, max_iter=9)
    grid = {"learning_rate": [0.01, *(1e100 * 2.0 ** np.arange(30))]}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        JointGridSearchCV(model, grid, refit=False).fit(*problem)
    assert [warning.category for warning in told] == [FitFailedWarning, UserWarning]
    assert "150 fits failed out of a total of 155" in str(told[0].message)
    assert "... and 10 more" in str(told[0].message)


def test_rows_that_no_fit_takes_fail_in_every_cell(apart, problem):
    X, y = problem[0].copy(), problem[1]
    X[0, 0] = np.nan  # in the training rows of all splits but the first
    options = {"cv": 4, "refit": False}
    searches = [
        quietly(cls(GDRegressor(), ALPHAS, **options), X, y)[0]
        for cls in (JointGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*searches)


def test_targets_to_which_a_metric_does_not_apply_have_no_score(apart, problem):
    options = {"scoring": "neg_mean_squared_log_error", "refit": False}
    searches = [
        quietly(cls(GDRegressor(), ALPHAS, **options), *problem)
        for cls in (JointGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*(search for search, _ in searches))
    assert searches[0][1] == searches[1][1]


def test_rows_to_validate_on_are_given_to_every_fit(apart, problem):
    X, y = problem
    assert_both_alike(
        GDRegressor(max_iter=20), {"alpha": [0.1]}, X, y, {"X_val": X[:9], "y_val": y[:9]}
    )


REFITS = {
    "the first": lambda results: 0,
    "the simplest": lambda results: int(np.argmax(results["mean_test_score"] > 0.1)),
    "none": False,
}


@pytest.mark.parametrize("name", REFITS)
def test_the_choice_may_be_a_function(apart, problem, name):
    assert_both_alike(GDRegressor(), ALPHAS, *problem, refit=REFITS[name])


@pytest.mark.parametrize("refit", ["neg_mean_absolute_error", False, lambda results: 1])
def test_one_of_several_metrics_chooses(apart, problem, refit):
    assert_both_alike(
        GDRegressor(), ALPHAS, *problem, scoring=["r2", "neg_mean_absolute_error"], refit=refit
    )


def test_jobs_are_threads_that_share_the_splits(apart, problem):
    assert_both_alike(GDRegressor(), ALPHAS, *problem, n_jobs=2)
    assert_both_alike(PIPELINE, PIPELINE_GRID, *problem, n_jobs=2)


@pytest.mark.parametrize("verbose", [1, 2, 3, 10])
def test_the_printed_lines_are_those_of_scikit_learn(apart, problem, verbose, capsys):
    options = {"verbose": verbose, "return_train_score": verbose == 10, "refit": False}
    lines = []
    for cls in (JointGridSearchCV, GridSearchCV):
        cls(GDRegressor(), {"alpha": [0.1, 1.0]}, cv=2, **options).fit(*problem)
        printed = [line for line in capsys.readouterr().out.splitlines() if "START" not in line]
        lines.append(sorted(line.partition("total time")[0].replace(".", "") for line in printed))
    assert lines[0] == lines[1]


def test_a_bar_shows_the_progress(apart, problem, capsys):
    JointGridSearchCV(GDRegressor(), ALPHAS, progress=True).fit(*problem)
    assert "100%" in capsys.readouterr().out


class Recorded:
    """A callback of scikit-learn 1.9 that records what it is told."""

    def __init__(self):
        self.told = []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata):
        self._tell("begin", context, X, y, metadata)

    def on_fit_task_end(self, estimator, context, *, X, y, metadata):
        self._tell("end", context, X, y, metadata)

    def _tell(self, when, context, X, y, metadata):
        parent = context.parent and context.parent.task_name
        sums = [None if data is None else float(np.sum(data)) for data in (X, y)]
        weight = metadata and metadata["sample_weight"].sum()
        self.told.append((when, parent, context.task_name, context.task_id, *sums, weight))


@pytest.mark.skipif(not hasattr(GridSearchCV, "set_callbacks"), reason="scikit-learn 1.9 has them")
@pytest.mark.parametrize("estimator", [GDRegressor(), make_pipeline(Ridge())])
@pytest.mark.parametrize("weighted", [True, False])
def test_callbacks_are_told_what_scikit_learn_tells_them(apart, problem, estimator, weighted):
    name = "alpha" if isinstance(estimator, GDRegressor) else "ridge__alpha"
    weights = {name.replace("alpha", "sample_weight"): np.arange(40.0)} if weighted else {}
    told = []
    for cls in (JointGridSearchCV, GridSearchCV):
        callback = Recorded()
        cls(estimator, {name: [0.1, 1.0]}).set_callbacks(callback).fit(*problem, **weights)
        told.append(callback.told)
    assert told[0][0] == "setup"
    assert told[0][-1] == "teardown"
    assert sorted(map(str, told[0])) == sorted(map(str, told[1]))


@pytest.mark.skipif(not hasattr(GridSearchCV, "set_callbacks"), reason="scikit-learn 1.9 has them")
def test_a_regressor_with_callbacks_is_fitted_alone(problem):
    callbacks = [Recorded(), Recorded()]
    for cls, callback in zip((JointGridSearchCV, GridSearchCV), callbacks):
        model = GDRegressor(optimizer="gd", learning_rate=0.1, max_iter=3, tol=None)
        model.set_callbacks(callback)
        cls(model, {"alpha": [0.1, 1.0]}, cv=2).fit(*problem)
    assert callbacks[0].told == callbacks[1].told


def test_a_search_is_stored_cloned_and_shown_as_in_scikit_learn(problem):
    ours, theirs = assert_both_alike(PIPELINE, {"model__alpha": [0.1, 1.0]}, *problem, cv=3)
    again = pickle.loads(pickle.dumps(ours))
    assert_array_equal(again.predict(problem[0]), ours.predict(problem[0]))
    assert repr(again.plan_) == repr(ours.plan_)
    assert clone(ours).get_params().keys() == theirs.get_params().keys() | {"progress", "halving"}
    assert ours.__sklearn_tags__() == theirs.__sklearn_tags__()
    assert repr(ours) == "Joint" + repr(theirs).replace("\n ", "\n      ")
    assert "GDRegressor" in ours._repr_html_()
    assert not hasattr(ours, "predict_proba")
    assert not hasattr(JointGridSearchCV(PIPELINE, {}), "n_features_in_")


def test_a_plan_counts_the_fits_that_were_left_to_scikit_learn(problem, monkeypatch):
    def refuses_some(estimators, fold):
        if fold.train.y[0] == problem[1][0]:  # in all splits but the first
            raise ValueError("Not together.")
        return fitted_alone(estimators, fold)

    trainer = plan.Trainer(lambda estimator: "all", refuses_some, 1)
    monkeypatch.setitem(plan.TRAINERS, "alphas", trainer)
    ours, _ = assert_both_alike(GDRegressor(), {"alpha": [0.1, 1.0]}, *problem)
    assert ours.plan_[0].n_alone == 8
    assert "but for 8 fits" in repr(ours.plan_)


@pytest.mark.parametrize("state", [0, None])
def test_a_randomized_search_draws_the_candidates_of_scikit_learn(apart, problem, state):
    draws = {"alpha": loguniform(1e-3, 1.0), "penalty": ["l1", "l2"]}
    state = np.random.RandomState(3) if state is None else state
    searches = [
        cls(GDRegressor(), draws, n_iter=7, random_state=clone(state, safe=False)).fit(*problem)
        for cls in (JointRandomizedSearchCV, RandomizedSearchCV)
    ]
    assert_same_search(*searches)


def test_random_numbers_of_a_regressor_are_drawn_anew_for_every_fit(apart, problem):
    state = np.random.RandomState(3)
    model = GDRegressor(batch_size=4, max_iter=2, tol=None, random_state=state)
    assert_both_alike(model, {"alpha": [0.1, 0.1]}, *problem)


def test_a_search_within_a_search_has_the_scores_of_scikit_learn(apart, problem):
    scores = [
        cross_val_score(cls(GDRegressor(), ALPHAS, cv=3), *problem)
        for cls in (JointGridSearchCV, GridSearchCV)
    ]
    assert_allclose(*scores)


def test_a_plan_says_what_is_joined_and_why_not(problem):
    grid = [
        {"alpha": [0.1, 1.0]},
        {"record_path": [True]},
        {"early_stopping": [True], "max_iter": [2]},
        {"alpha": [-1.0]},
        {"nothing": [1]},
    ]
    names = [group.reason for group in plan.plan_search(GDRegressor(), [*ParameterGrid(grid)])[1]]
    assert names[0] == ""
    assert names[1:] == [
        "parameters that are not valid",
        "ValueError when its parameters are set",
        "record_path stores every epoch",
        "early stopping holds rows out",
    ]
    table = repr(JointGridSearchCV(GDRegressor(), grid[:2]).fit(*problem).plan_)
    assert table.splitlines() == [
        "candidates  trained by",
        "         2  alphas",
        "         1  a fit of its own: record_path stores every epoch",
    ]


DESCENTS = [
    (GDRegressor(optimizer="sgd", batch_size=1, penalty="l1"), {"learning_rate": [1e-3, 0.02]}),
    (GDRegressor(optimizer="adam", batch_size=8), {"optimizer__beta1": [0.5, 0.9]}),
    (GDRegressor(optimizer="momentum", penalty="elasticnet"), {"l1_ratio": [0.2, 0.8]}),
    (GDRegressor(loss="huber", optimizer="rmsprop"), {"penalty": ["l1", "l2", None]}),
]


@pytest.mark.parametrize(("model", "grid"), DESCENTS)
@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_descents_have_the_cells_of_scikit_learn_to_rounding(problem, model, grid, scoring):
    common = {"tol": None, "max_iter": 6, "random_state": 0, "learning_rate": 0.01}
    model, grid = clone(model).set_params(**common), {"alpha": [0.01, 0.3], **grid}
    weights = {"sample_weight": np.random.default_rng(0).random(40)}
    ours, theirs = assert_both_alike(
        model, grid, *problem, weights, scoring=scoring, return_train_score=True
    )
    assert [group.trainer for group in ours.plan_] == ["descents"]
    assert_allclose(ours.best_estimator_.coef_, theirs.best_estimator_.coef_)
    pipeline = make_pipeline(StandardScaler(), model)
    grid = {f"gdregressor__{name}": values for name, values in grid.items()}
    ours, _ = assert_both_alike(
        pipeline, {**grid, "standardscaler__with_std": [True, False]}, *problem
    )
    assert [group.trainer for group in ours.plan_] == ["descents", "descents"]


def test_descents_that_diverge_fail_as_in_scikit_learn(problem):
    model = GDRegressor(optimizer="gd", tol=None, max_iter=40, random_state=0, batch_size=4)
    grid = {"learning_rate": [0.01, 0.02, 3.0, 1e100], "alpha": [0.1, 0.2]}
    searches = [
        quietly(cls(model, grid, error_score=error_score), *problem)
        for error_score in (np.nan, -1.0)
        for cls in (JointGridSearchCV, GridSearchCV)
    ]
    for (ours, ours_told), (theirs, theirs_told) in (searches[:2], searches[2:]):
        assert_same_search(ours, theirs)
        assert ours_told == theirs_told
    assert np.isnan(searches[0][0].cv_results_["mean_test_score"]).sum() == 4


DESCENT = GDRegressor(
    optimizer="sgd", batch_size=4, schedule="constant", tol=None, max_iter=16, random_state=0
)
RATES = {"learning_rate": [1e-4, 1e-3, 3e-3, 0.01, 0.02, 0.03], "alpha": [0.01]}


@pytest.mark.parametrize("estimator", [DESCENT, make_pipeline(StandardScaler(), DESCENT)])
@pytest.mark.parametrize(
    ("halving", "halts", "left"), [(4, [4, 8], [3, 1, 2]), ([2, 5, 40], [2, 5], [3, 1, 2])]
)
def test_candidates_that_lag_keep_the_score_at_which_they_were_dropped(
    problem, estimator, halving, halts, left
):
    prefix = "" if estimator is DESCENT else "gdregressor__"
    grid = {prefix + name: values for name, values in RATES.items()}
    halved = JointGridSearchCV(estimator, grid, halving=halving).fit(*problem)
    n_epochs = halved.cv_results_["n_epochs"]
    assert list(np.unique(n_epochs, return_counts=True)[1]) == left
    kept = np.arange(6)
    for stop in [*halts, 16]:
        peer = clone(estimator).set_params(**{f"{prefix}max_iter": stop})
        whole = GridSearchCV(peer, grid).fit(*problem).cv_results_
        scores, means = whole["split1_test_score"], whole["mean_test_score"]
        at = np.flatnonzero(n_epochs == stop)
        assert_allclose(halved.cv_results_["split1_test_score"][at], scores[at], rtol=1e-9)
        lag = kept[np.argsort(-means[kept], kind="stable")[-(-len(kept) // 2) :]]
        assert stop == 16 or set(lag) == set(at)
        kept = np.setdiff1d(kept, at) if stop < 16 else kept
    assert halved.best_index_ == kept[np.argmax(halved.cv_results_["mean_test_score"][kept])]
    assert_allclose(halved.best_score_, halved.cv_results_["mean_test_score"][kept].max())


def test_only_candidates_that_descend_together_are_halved(problem):
    grid = [{"optimizer": ["sgd"], **RATES}, {"optimizer": ["saga"]}]
    model = clone(DESCENT)
    halved = JointGridSearchCV(model, grid, halving=4, scoring=["r2"], refit="r2").fit(*problem)
    assert list(halved.cv_results_["n_epochs"].mask) == [False] * 6 + [True]
    whole = GridSearchCV(model, grid).fit(*problem)
    rest = halved.cv_results_["mean_test_r2"][6], whole.cv_results_["mean_test_score"][6]
    assert_allclose(*rest)


def test_halving_by_several_metrics_needs_the_name_of_one(problem):
    search = JointGridSearchCV(DESCENT, RATES, halving=4, scoring=["r2"], refit=False)
    with pytest.raises(ValueError, match="halving needs one that refit names"):
        search.fit(*problem)
    with pytest.raises(ValueError, match="The 'halving' parameter"):
        clone(search).set_params(halving=0).fit(*problem)


VALUES = {
    "alpha": [0.0, 1e-3, 0.1, 1.0],
    "penalty": [None, "l1", "l2", "elasticnet", L1()],
    "l1_ratio": [0.1, 0.5, 1.0],
    "fit_intercept": [True, False],
    "positive": [True, False],
    "loss": ["squared_error", "huber"],
}


@settings(max_examples=25, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            k: st.lists(st.sampled_from(v), min_size=1, max_size=2) for k, v in VALUES.items()
        },
    ),
    st.integers(2, 4),
    st.booleans(),
    st.sampled_from([None, "neg_mean_squared_error", ["r2", "neg_mean_absolute_error"]]),
)
def test_random_grids_have_the_cells_of_scikit_learn_up_to_tol(grid, cv, weighted, scoring):
    X, y = make_regression(n=30, p=4, seed=1)
    options = {"cv": cv, "scoring": scoring, "refit": "r2" if isinstance(scoring, list) else True}
    w = {"sample_weight": np.random.default_rng(0).random(30)} if weighted else {}
    searches = [
        cls(GDRegressor(tol=1e-8), grid, **options).fit(X, y, **w)
        for cls in (JointGridSearchCV, GridSearchCV)
    ]
    for key, expected in searches[1].cv_results_.items():
        if key.startswith("split"):
            assert_allclose(searches[0].cv_results_[key], expected, rtol=1e-4, atol=1e-4)
    assert [*searches[0].cv_results_] == [*searches[1].cv_results_]
