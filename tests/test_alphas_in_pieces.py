"""Alphas on rows in pieces: choices and paths equal those of the same rows in memory."""

import itertools

import numpy as np
import pytest
from conftest import counted
from scipy import sparse
from sklearn.model_selection import GroupKFold, KFold, LeaveOneOut, ShuffleSplit

from skgd import GDRegressorCV, path
from skgd.pieces import from_callables

RNG = np.random.default_rng(3)
X = RNG.standard_normal((500, 8)) @ (np.eye(8) + 0.3 * RNG.standard_normal((8, 8))) + 1.0
Y = X[:, ::3].sum(axis=1) + 3.0 + RNG.standard_normal(500)
SEVERAL = np.column_stack([Y, X @ np.arange(8.0) + RNG.standard_normal(500)])
WEIGHT = RNG.uniform(0.0, 2.0, 500) * (np.arange(500) % 7 > 0)
CUTS = [0, 70, 70, 190, 193, 333, 500]  # uneven, one of them empty
CLOSE = {"rtol": 1e-9, "atol": 1e-9}
SPARSE = sparse.csr_matrix(np.where(np.abs(X) > 1.0, X, 0.0))
DATA = {
    "even": (X, Y, None),
    "weighted": (X, Y, WEIGHT),
    "a fold without weight": (X, Y, WEIGHT * (np.arange(500) >= 100)),
    "two targets": (X, SEVERAL, None),
    "csr": (SPARSE, Y, WEIGHT),
    "float32": (X.astype(np.float32), Y, None),
}
CHOICES = [
    {},
    {"penalty": "elasticnet", "l1_ratio": [0.1, 0.9], "selection": "1se"},
    {"penalty": "l1", "standardize": True, "fit_intercept": False},
    {"alpha_per_target": True, "standardize": True, "positive": True, "tol": 1e-10},
    {"scoring": "r2", "cv": KFold(4, shuffle=True, random_state=0)},
    {"scoring": "neg_root_mean_squared_error", "cv": ShuffleSplit(3, random_state=0)},
    {"alphas": [1.0, 0.01, 0.0], "penalty_weights": np.arange(8.0) + 0.1},
]
PATHS = [
    {},
    {"penalty": "elasticnet", "fit_intercept": False},
    {"penalty": "l2", "alphas": [0.1, 1.0, 0.0]},
    {"tol": 1e-9, "n_alphas": 10},
]


def in_pieces(X, y, weight=None, cuts=CUTS):
    def loader(a, b):
        return lambda: (X[a:b], y[a:b], None if weight is None else weight[a:b])

    return from_callables([loader(a, b) for a, b in itertools.pairwise(cuts)])


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("options", CHOICES, ids=str)
def test_an_alpha_is_chosen_on_pieces_as_on_the_whole(options, data):
    rows = DATA[data]
    whole = GDRegressorCV(**options).fit(*rows)
    pieces = GDRegressorCV(**options).fit(in_pieces(*rows))
    close = {"rtol": 1e-6, "atol": 1e-6} if data == "float32" else CLOSE
    names = "alpha_", "alpha_1se_", "l1_ratio_", "alphas_", "mse_path_", "score_path_"
    for name in (*names, "coef_path_", "coef_", "intercept_"):
        np.testing.assert_allclose(vars(pieces)[name], vars(whole)[name], **close, err_msg=name)
    assert np.shape(pieces.dual_gap_) == np.shape(whole.dual_gap_)
    assert pieces.coef_.dtype == whole.coef_.dtype
    assert np.all(pieces.converged_)


@pytest.mark.parametrize("data", ["even", "weighted", "csr", "float32"])
@pytest.mark.parametrize("options", PATHS, ids=str)
def test_a_path_on_pieces_is_that_on_the_whole(options, data):
    X, y, weight = DATA[data]
    whole = path(X, y, sample_weight=weight, **options)
    pieces = path(in_pieces(X, y, weight), **options)
    close = {"rtol": 1e-5, "atol": 1e-5} if data == "float32" else CLOSE
    for name in ("alphas", "coefs", "intercepts"):
        found, expected = getattr(pieces, name), getattr(whole, name)
        np.testing.assert_allclose(found, expected, **close, err_msg=name)
    assert (pieces.gaps <= 1e-6 * np.var(y)).all()


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_paths_of_constant_targets_are_those_of_the_whole(fit_intercept):
    whole = path(X, np.full(500, 3.7), fit_intercept=fit_intercept)
    pieces = path(in_pieces(X, np.full(500, 3.7)), fit_intercept=fit_intercept)
    np.testing.assert_allclose(pieces.coefs, whole.coefs, **CLOSE)
    np.testing.assert_allclose(pieces.intercepts, whole.intercepts, rtol=1e-14)


def test_one_count_and_one_reading_tell_the_scores_of_all_folds():
    pieces = counted(in_pieces(X, Y))
    GDRegressorCV().fit(pieces)
    assert pieces.engine.asked == 2
    assert pieces.engine.released == 1
    pieces = counted(in_pieces(X, Y))
    path(pieces)
    assert (pieces.engine.asked, pieces.engine.released) == (1, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cv": "loo"}, "one row of pieces after the other"),
        ({"scoring": "neg_mean_absolute_error"}, "neg_mean_squared_error"),
        ({"scoring": lambda fit, X, y: 0.0}, "neg_mean_squared_error"),
        ({"l1_ratio": [0.5, 2.0]}, "l1_ratio"),
        ({"eps": 2.0}, "eps"),
    ],
)
def test_what_products_do_not_tell_is_refused_before_any_reading(options, words):
    pieces = counted(in_pieces(X, Y))
    with pytest.raises(ValueError, match=words):
        GDRegressorCV(**options).fit(pieces)
    assert pieces.engine.asked == 0


def test_paths_of_several_targets_and_wrong_alphas_are_refused_before_any_reading():
    for pieces, options in (
        (counted(in_pieces(X, SEVERAL)), {}),
        (counted(in_pieces(X, Y)), {"alphas": [-1.0]}),
    ):
        with pytest.raises(ValueError, match=r"one target at a time|not negative"):
            path(pieces, **options)
        assert pieces.engine.asked == 0


@pytest.mark.parametrize("cv", [GroupKFold(3), LeaveOneOut(), 501])
def test_splits_that_need_more_than_the_number_of_rows_are_refused(cv):
    rows = in_pieces(np.tile(X, (3, 1)), np.tile(Y, 3), cuts=[0, 500, 1500])
    rows = in_pieces(X, Y) if cv == 501 else rows
    with pytest.raises(ValueError, match=r"cannot split \d+ rows in pieces"):
        GDRegressorCV(cv=cv).fit(rows)


def test_entries_that_are_not_finite_are_told_by_piece_and_row():
    rows = X.copy()
    rows[200, 3] = np.nan
    for fit in (lambda data: GDRegressorCV().fit(data), path):
        with pytest.raises(ValueError, match="in row 7 of piece 4"):
            fit(in_pieces(rows, Y))


def test_dask_collections_are_those_pieces():
    dask, da = pytest.importorskip("dask"), pytest.importorskip("dask.array")
    dd, pd = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abcdefgh")), npartitions=4)
    y = dd.from_pandas(pd.Series(Y), npartitions=4)
    weight = dd.from_pandas(pd.Series(WEIGHT), npartitions=4)
    with dask.config.set(scheduler="sync"):
        lazy = GDRegressorCV(penalty="l1").fit(frame, y, weight)
        predicted, score = lazy.predict(frame).compute(), lazy.score(frame, y, weight)
        arrays = da.from_array(X, chunks=(150, 3)), da.from_array(Y, chunks=500)
        alone = path(*arrays, sample_weight=da.from_array(WEIGHT, chunks=100))
    whole = GDRegressorCV(penalty="l1").fit(X, Y, WEIGHT)
    assert lazy.feature_names_in_.tolist() == list("abcdefgh")
    assert not hasattr(predicted, "compute")
    np.testing.assert_allclose(lazy.mse_path_, whole.mse_path_, **CLOSE)
    np.testing.assert_allclose(predicted, whole.predict(X), **CLOSE)
    np.testing.assert_allclose(score, whole.score(X, Y, WEIGHT), **CLOSE)
    np.testing.assert_allclose(alone.coefs, path(X, Y, sample_weight=WEIGHT).coefs, **CLOSE)
