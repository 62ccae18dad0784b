"""Searches over rows in pieces: their cells equal those of a search on the same rows in memory."""

import itertools

import numpy as np
import pytest
from conftest import counted
from scipy import sparse
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import (
    GDGaborRegressor,
    GDMLPClassifier,
    GDRegressor,
    JointGridSearchCV,
    JointRandomizedSearchCV,
)
from skgd.pieces import from_callables

RNG = np.random.default_rng(3)
X = RNG.standard_normal((500, 8)) @ (np.eye(8) + 0.3 * RNG.standard_normal((8, 8))) + 1.0
Y = X[:, ::3].sum(axis=1) + 3.0 + RNG.standard_normal(500)
SEVERAL = np.column_stack([Y, X @ np.arange(8.0) + RNG.standard_normal(500)])
WEIGHT = RNG.uniform(0.0, 2.0, 500) * (np.arange(500) % 7 > 0)
CUTS = [0, 70, 70, 190, 193, 333, 500]  # uneven, one of them empty
METRICS = ["r2", "neg_mean_squared_error", "neg_root_mean_squared_error"]
FUNCTIONS = r2_score, mean_squared_error
ALL = {"scoring": METRICS, "refit": "r2", "return_train_score": True}
PATH = GDRegressor(tol=1e-10), {"alpha": [1e-3, 0.1, 1.0, 0.1], "penalty": ["l1", "l2", None]}
RIDGE = GDRegressor(), {"alpha": [0.0, 1e-3, 0.1, 10.0]}
DESCENTS = (
    GDRegressor(optimizer="momentum", tol=None, max_iter=40),
    {"learning_rate": [1e-3, 1e-2], "alpha": [0.1, 1.0], "penalty": ["l1", "l2"]},
)
LIMIT = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def in_pieces(X, y, weight=None, cuts=CUTS):
    def loader(a, b):
        return lambda: (X[a:b], y[a:b], None if weight is None else weight[a:b])

    return from_callables([loader(a, b) for a, b in itertools.pairwise(cuts)])


def scores_of(search):
    found = search.cv_results_
    return {name: found[name] for name in sorted(found) if "test" in name or "train" in name}


def assert_equal_searches(one, other):
    ours, theirs = scores_of(one), scores_of(other)
    assert ours.keys() == theirs.keys()
    for name, scores in ours.items():
        np.testing.assert_allclose(scores, theirs[name], rtol=1e-8, atol=1e-8, err_msg=name)
    assert one.best_params_ == other.best_params_
    np.testing.assert_allclose(one.best_estimator_.coef_, other.best_estimator_.coef_, rtol=1e-8)


@pytest.mark.parametrize("y", [Y, SEVERAL], ids=["one target", "two targets"])
@pytest.mark.parametrize("candidates", [PATH, RIDGE, DESCENTS], ids=["path", "ridge", "descents"])
@LIMIT
def test_a_search_on_pieces_has_the_cells_of_one_in_memory(candidates, y):
    search = JointGridSearchCV(*candidates, **ALL)
    whole = JointGridSearchCV(*candidates, **ALL).fit(X, y)
    assert_equal_searches(search.fit(in_pieces(X, y)), whole)
    assert search.n_splits_ == whole.n_splits_ == 5
    np.testing.assert_allclose(search.predict(X), whole.predict(X), rtol=1e-8)


@pytest.mark.parametrize(
    "cv",
    [
        3,
        KFold(4, shuffle=True, random_state=0),
        RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        ShuffleSplit(3, test_size=0.6, random_state=0),
        TimeSeriesSplit(3),
        PredefinedSplit(np.arange(500) % 5 - 1),
        [(np.arange(300), np.arange(350, 500)), (np.arange(500) % 2 > 0, np.arange(0, 500, 4))],
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_rows_in_pieces_are_split_as_in_memory(cv):
    whole = JointGridSearchCV(*RIDGE, cv=cv, **ALL).fit(X, Y)
    assert_equal_searches(JointGridSearchCV(*RIDGE, cv=cv, **ALL).fit(in_pieces(X, Y)), whole)


def test_weights_of_pieces_weigh_fits_and_scores():
    estimator, grid = RIDGE
    options = {"scoring": METRICS[:2], "refit": "r2"}
    search = JointGridSearchCV(estimator, grid, **options).fit(in_pieces(X, Y, WEIGHT))
    for split, (train, test) in enumerate(KFold(5).split(X)):
        for k, alpha in enumerate(grid["alpha"]):
            fit = GDRegressor(alpha=alpha, tol=1e-10).fit(X[train], Y[train], WEIGHT[train])
            known = Y[test], fit.predict(X[test])
            found = [search.cv_results_[f"split{split}_test_{name}"][k] for name in METRICS[:2]]
            expected = [
                f(*known, sample_weight=WEIGHT[test]) for f in (r2_score, mean_squared_error)
            ]
            np.testing.assert_allclose(found, [expected[0], -expected[1]], rtol=1e-8)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
def test_sparse_rows_in_pieces_have_the_cells_of_dense_ones(weight):
    rows = np.where(np.abs(X) > 1.0, X, 0.0)
    dense = JointGridSearchCV(*PATH, **ALL).fit(in_pieces(rows, Y, weight))
    found = JointGridSearchCV(*PATH, **ALL).fit(in_pieces(sparse.csr_array(rows), Y, weight))
    assert_equal_searches(found, dense)


def test_rows_cut_elsewhere_have_the_same_cells():
    one = JointGridSearchCV(*PATH, **ALL).fit(in_pieces(X, Y))
    cuts = [0, 1, 2, 250, 499, 500, 500]
    assert_equal_searches(JointGridSearchCV(*PATH, **ALL).fit(in_pieces(X, Y, cuts=cuts)), one)


def test_equal_columns_are_solved_by_more_readings():
    rows = np.column_stack([X, X[:, 0], np.ones(500)])
    grid = {"alpha": [0.0, 1e-3, 0.1], "penalty": ["l1", "l2"]}
    whole = JointGridSearchCV(GDRegressor(tol=1e-10), grid).fit(rows, Y)
    found = JointGridSearchCV(GDRegressor(tol=1e-10), grid).fit(in_pieces(rows, Y))
    for name, scores in scores_of(whole).items():
        if "rank" not in name:  # of candidates that are equal up to rounding
            np.testing.assert_allclose(found.cv_results_[name], scores, rtol=1e-8, atol=1e-8)


def test_errors_of_few_digits_are_those_of_the_rows():
    y = X @ np.arange(8.0) + 1e-6 * RNG.standard_normal(500)
    name, grid = "neg_mean_squared_error", {"alpha": [0.0]}
    search = JointGridSearchCV(GDRegressor(tol=1e-10), grid, scoring=name).fit(in_pieces(X, y))
    for split, (train, test) in enumerate(KFold(5).split(X)):
        fit = LinearRegression().fit(X[train], y[train])
        expected = -mean_squared_error(y[test], fit.predict(X[test]))
        found = search.cv_results_[f"split{split}_test_score"][0]
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_fold_far_from_the_others_loses_no_digits():
    rows, y = X.copy(), Y.copy()
    rows[400:] += 1e4
    y[400:] -= 1e4
    exact = GDRegressor(tol=1e-12), RIDGE[1]
    whole = JointGridSearchCV(*exact).fit(rows, y)
    found = JointGridSearchCV(*exact).fit(in_pieces(rows, y))
    for name in (f"split{k}_test_score" for k in range(5)):
        np.testing.assert_allclose(found.cv_results_[name], whole.cv_results_[name], rtol=1e-6)


def test_rows_are_counted_and_read_once_for_all_folds_and_candidates():
    pieces = counted(in_pieces(X, Y))
    JointGridSearchCV(*PATH, refit=False).fit(pieces)
    assert pieces.engine.asked == 2
    assert pieces.engine.released == 1


def test_a_random_search_on_pieces_has_the_cells_of_one_in_memory():
    known = {"n_iter": 5, "random_state": 0, "scoring": "neg_root_mean_squared_error"}
    whole = JointRandomizedSearchCV(*PATH, **known).fit(X, Y)
    assert_equal_searches(JointRandomizedSearchCV(*PATH, **known).fit(in_pieces(X, Y)), whole)


@pytest.mark.parametrize(
    ("candidates", "options", "words"),
    [
        ((make_pipeline(StandardScaler(), GDRegressor()), {}), {}, "Pipeline"),
        ((LinearRegression(), {}), {}, "LinearRegression"),
        ((GDMLPClassifier(), {}), {"scoring": "r2"}, "accuracy"),
        ((GDRegressor(), {"early_stopping": [False, True]}), {}, "holds rows out"),
        ((GDRegressor(), {"alpha": [-1.0]}), {}, "not valid"),
        (RIDGE, {"scoring": "neg_mean_absolute_error"}, "neg_mean_squared_error"),
        (RIDGE, {"scoring": lambda fit, X, y: 0.0}, "neg_mean_squared_error"),
        (RIDGE, {"halving": 2}, "halving"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_sums_do_not_tell_is_refused_before_any_reading(candidates, options, words):
    pieces = counted(in_pieces(X, Y))
    with pytest.raises(ValueError, match=words):
        JointGridSearchCV(*candidates, **options).fit(pieces)
    assert pieces.engine.asked == 0


@LIMIT
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "nesterov"},
        {"optimizer": "adam", "learning_rate": 0.1, "max_iter": 50},
        {"optimizer": "gd", "center": False, "max_iter": 100},
        {"optimizer": "momentum", "average": True, "max_iter": 30, "positive": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("rows", ["all vary", "one is constant in a split"])
def test_descents_to_a_tolerance_have_the_cells_of_the_whole(options, rows):
    grid = {"alpha": [0.01, 0.5], "penalty": ["l1", "l2"]}
    own = np.column_stack([X, np.where(np.arange(500) < 120, X[::-1, 0], 3.0)])
    data = X if rows == "all vary" else own
    search = JointGridSearchCV(GDRegressor(**options), grid, cv=4, **ALL)
    found = search.fit(in_pieces(data, SEVERAL))
    assert found.plan_.n_joined == 4
    whole = JointGridSearchCV(GDRegressor(**options), grid, cv=4, **ALL).fit(data, SEVERAL)
    assert_equal_searches(found, whole)


@LIMIT
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize(
    ("options", "grid"),
    [
        ({"loss": "huber", "tol": 1e-8}, {"alpha": [0.01, 0.5]}),
        ({"loss": "poisson", "record_path": True, "max_iter": 5}, {"alpha": [0.01, 0.5]}),
        ({"record_path": True, "max_iter": 5}, {"penalty": ["l1", "l2"]}),
    ],
    ids=["huber", "poisson", "path"],
)
def test_what_is_not_trained_together_is_fitted_alone(options, grid, weight):
    y = np.abs(Y)
    search = JointGridSearchCV(GDRegressor(**options), grid, cv=3, **ALL)
    search.fit(in_pieces(X, y, weight))
    assert search.plan_.n_joined == 0
    scores = search.cv_results_
    for split, (train, test) in enumerate(KFold(3).split(X)):
        some = [None if weight is None else weight[rows] for rows in (train, test)]
        for k, params in enumerate(scores["params"]):
            fit = GDRegressor(**options).set_params(**params).fit(X[train], y[train], some[0])
            expected = r2_score(y[test], fit.predict(X[test]), sample_weight=some[1])
            np.testing.assert_allclose(scores[f"split{split}_test_r2"][k], expected, rtol=1e-6)


@LIMIT
def test_batches_networks_and_curves_are_searched_one_by_one():
    batches = GDRegressor(batch_size=16, max_iter=3, random_state=0)
    search = JointGridSearchCV(batches, {"alpha": [0.1, 1.0]}, cv=3).fit(in_pieces(X, Y))
    test = np.arange(167)
    kept = [np.setdiff1d(np.arange(a, b), test) for a, b in itertools.pairwise(CUTS)]
    lone = GDRegressor(batch_size=16, max_iter=3, random_state=0, alpha=0.1)
    lone.fit(from_callables([lambda rows=rows: (X[rows], Y[rows]) for rows in kept]))
    expected = lone.score(X[test], Y[test])
    np.testing.assert_allclose(search.cv_results_["split0_test_score"][0], expected, rtol=1e-12)
    network = GDMLPClassifier((4,), max_iter=2, tol=None, random_state=0)
    kinds = in_pieces(X, np.where(Y.mean() < Y, "high", "low"))
    found = JointGridSearchCV(network, {"alpha": [0.1, 1.0]}, scoring="accuracy").fit(kinds)
    assert found.best_estimator_.classes_.tolist() == ["high", "low"]
    assert 0.0 < found.best_score_ <= 1.0
    pieces, curve = counted(in_pieces(X, Y)), GDGaborRegressor(init=np.zeros(9), max_iter=5)
    JointGridSearchCV(curve, {"penalty": [None, "l2"]}, cv=3).fit(pieces)
    assert pieces.engine.released == 2  # after the search, and after the fit of the best


@pytest.mark.parametrize("scoring", [None, *METRICS])
def test_the_best_scores_pieces_as_it_scores_the_whole(scoring):
    search = JointGridSearchCV(*RIDGE, scoring=scoring).fit(in_pieces(X, Y))
    found = search.score(in_pieces(X, Y, WEIGHT))
    np.testing.assert_allclose(search.score(in_pieces(X, Y)), search.score(X, Y), rtol=1e-10)
    fit = search.best_estimator_.predict(X)
    known = {None: r2_score, "r2": r2_score}.get(scoring, mean_squared_error)
    expected = known(Y, fit, sample_weight=WEIGHT) * (-1.0 if known is mean_squared_error else 1.0)
    expected = -np.sqrt(-expected) if scoring == METRICS[2] else expected
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_scores_that_sums_do_not_tell_are_refused_on_pieces():
    search = JointGridSearchCV(*RIDGE, scoring="neg_mean_absolute_error").fit(X, Y)
    with pytest.raises(ValueError, match="none that sums over pieces tell"):
        search.score(in_pieces(X, Y))


def test_more_columns_than_products_are_kept_for_are_fitted_one_by_one():
    wide = np.random.default_rng(0).standard_normal((30, 2001))
    estimator = GDRegressor(penalty="l1", alpha=1.0)
    search = JointGridSearchCV(estimator, {"alpha": [1.0]}, cv=3, refit=False)
    search.fit(in_pieces(wide, Y[:30], cuts=[0, 10, 30]))
    assert search.plan_.n_joined == 0
    whole = JointGridSearchCV(estimator, {"alpha": [1.0]}, cv=3, refit=False).fit(wide, Y[:30])
    found, expected = (one.cv_results_["mean_test_score"] for one in (search, whole))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_a_fit_that_fails_alone_has_the_error_score():
    estimator = GDRegressor(loss="huber", optimizer="gd", tol=None, max_iter=200)
    grid = {"learning_rate": [1e-3, 1e200]}
    with pytest.warns(match="fits failed"):
        search = JointGridSearchCV(estimator, grid, error_score=-7.0).fit(in_pieces(X, Y))
    assert search.cv_results_["mean_test_score"][1] == -7.0
    with pytest.raises(ValueError, match="learning"):
        JointGridSearchCV(estimator, grid, error_score="raise").fit(in_pieces(X, Y))


@pytest.mark.parametrize(
    "cv", [StratifiedKFold(3), GroupKFold(3), LeaveOneOut(), KFold(501), [(np.zeros(3, int), [1])]]
)
def test_splits_that_need_more_than_the_number_of_rows_are_refused(cv):
    pieces = in_pieces(np.tile(X, (3, 1)), np.tile(Y, 3), cuts=[0, 500, 1500])
    pieces = in_pieces(X, Y) if isinstance(cv, KFold) else pieces
    with pytest.raises(ValueError, match=r"cannot split \d+ rows in pieces"):
        JointGridSearchCV(*RIDGE, cv=cv).fit(pieces)


def test_entries_that_are_not_finite_are_told_by_piece_and_row():
    rows = X.copy()
    rows[200, 3] = np.nan
    with pytest.raises(ValueError, match="in row 7 of piece 4"):
        JointGridSearchCV(*RIDGE, cv=KFold(3, shuffle=True)).fit(in_pieces(rows, Y))


def test_splits_without_weights_are_refused():
    weight = np.repeat([0.0, 1.0], [100, 400])
    with pytest.raises(ValueError, match="non-zero"):
        JointGridSearchCV(*RIDGE).fit(in_pieces(X, Y, weight))


def test_targets_beside_pieces_are_refused():
    with pytest.raises(ValueError, match="Pieces hold targets"):
        JointGridSearchCV(*RIDGE).fit(in_pieces(X, Y), Y)


def test_candidates_that_diverge_have_the_error_score():
    estimator = GDRegressor(optimizer="gd", tol=None, max_iter=200)
    grid = {"learning_rate": [1e-3, 1e3]}
    with pytest.warns(match="trained together"):
        search = JointGridSearchCV(estimator, grid, error_score=-7.0).fit(in_pieces(X, Y))
    assert search.cv_results_["mean_test_score"][1] == -7.0
    assert search.best_index_ == 0
    with pytest.raises(ValueError, match="diverged"):
        JointGridSearchCV(estimator, grid, error_score="raise").fit(in_pieces(X, Y))


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
def test_a_search_on_dask_arrays_is_that_on_the_same_pieces(weight):
    da, dask = pytest.importorskip("dask.array"), pytest.importorskip("dask")
    blocks = tuple(np.diff(CUTS).tolist())
    lazy = da.from_array(X, chunks=(blocks, 4)), da.from_array(Y, chunks=(blocks,))
    options = {} if weight is None else {"sample_weight": da.from_array(weight, chunks=(blocks,))}
    with dask.config.set(scheduler="sync"):
        found = JointGridSearchCV(*PATH, **ALL).fit(*lazy, **options)
        with pytest.raises(ValueError, match="groups"):
            JointGridSearchCV(*PATH).fit(*lazy, groups=np.arange(500))
    whole = JointGridSearchCV(*PATH, **ALL).fit(in_pieces(X, Y, weight))
    assert_equal_searches(found, whole)
