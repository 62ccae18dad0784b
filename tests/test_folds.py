"""The products of a fold are those of its rows, and scores from them are those of the rows."""

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.model_selection import KFold, LeaveOneOut, RepeatedKFold, ShuffleSplit

from skgd import GDRegressor
from skgd.estimators.data import validated_rows
from skgd.search import products
from skgd.search.errors import r2_scores, squared_errors
from skgd.search.folds import Fold, Whole, folds_of

STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "float32": np.float32,
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_matrix,
}
SPLITTERS = [
    KFold(4),
    KFold(5, shuffle=True, random_state=0),
    LeaveOneOut(),
    RepeatedKFold(n_splits=3, n_repeats=2, random_state=1),
    ShuffleSplit(3, test_size=0.3, random_state=2),
    ShuffleSplit(3, test_size=0.2, train_size=0.3, random_state=2),
]


def rows_of(X, y, weight=None):
    return validated_rows(GDRegressor(), X, y, weight)


def expected(X, y, weight):
    """Return means and products of rows by their definition."""
    share = weight / weight.sum()
    means, levels = share @ X, share @ y
    A, R = X - means, y - levels
    return means, levels, A.T @ (share[:, None] * A), R.T @ (share[:, None] * A), share @ (R * R)


def assert_are(found, X, y, weight):
    means, levels, G, q, yy = expected(X, y, weight)
    scale = np.sqrt(G.diagonal())
    np.testing.assert_allclose(found.means, means, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.levels, levels, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.G, G, atol=1e-12 * np.outer(scale, scale).max())
    np.testing.assert_allclose(found.q, q, atol=1e-12 * scale.max() * np.sqrt(yy.max()))
    np.testing.assert_allclose(found.yy, yy, rtol=1e-11)
    assert found.n == len(y)
    assert found.total == pytest.approx(weight.sum(), rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
def test_products_of_folds_are_those_of_their_rows(splitter, weighted):
    X, y = make_regression(n=36)
    Y = np.column_stack([y, X[:, 0] ** 2])
    weight = np.random.default_rng(3).uniform(0.1, 3.0, 36) if weighted else np.ones(36)
    splits = [*splitter.split(X)]
    for (train, test), fold in zip(splits, folds_of(rows_of(X, Y, weight), splits)):
        assert_are(fold.products, X[train], Y[train], weight[train])
        if len(test) > 1:
            assert_are(fold.test_products, X[test], Y[test], weight[test])


@pytest.mark.parametrize("storage", STORAGES)
def test_products_do_not_depend_on_how_the_rows_are_stored(storage):
    X, y = make_regression(n=36)
    X = np.where(np.abs(X) < 0.4, 0.0, X).astype(np.float32).astype(float)
    splits = [*KFold(3).split(X)]
    for (train, test), fold in zip(splits, folds_of(rows_of(STORAGES[storage](X), y), splits)):
        assert_are(fold.products, X[train], y[train, None], np.ones(len(train)))
        assert_are(fold.test_products, X[test], y[test, None], np.ones(len(test)))


def test_masks_choose_rows_as_numbers_do():
    X, y = make_regression(n=30)
    mask = np.arange(30) % 3 == 0
    (fold,) = folds_of(rows_of(X, y), [(~mask, mask)])
    assert_are(fold.products, X[~mask], y[~mask, None], np.ones(20))


def test_rows_that_are_drawn_twice_count_twice():
    X, y = make_regression(n=30)
    train = np.random.default_rng(0).integers(0, 30, 30)
    (fold,) = folds_of(rows_of(X, y), [(train, np.setdiff1d(np.arange(30), train))])
    assert_are(fold.products, X[train], y[train, None], np.ones(30))


def test_rows_without_a_weight_make_no_difference():
    X, y = make_regression(n=30)
    weight = np.r_[np.zeros(10), np.ones(20)]
    (fold,) = folds_of(rows_of(X, y, weight), [(np.arange(10, 30), np.arange(10))])
    assert_are(fold.products, X[10:], y[10:, None], np.ones(20))


@pytest.mark.parametrize("outlier", ["X", "y"])
def test_digits_that_the_difference_would_lose_come_from_the_rows(outlier):
    X, y = make_regression(n=40)
    if outlier == "X":
        X[3, 1] = 1e9
    else:
        y[3] = 1e9
    splits = [*KFold(4).split(X)]
    for (train, _), fold in zip(splits, folds_of(rows_of(X, y), splits)):
        assert_are(fold.products, X[train], y[train, None], np.ones(len(train)))


def test_products_of_all_rows_are_those_of_their_parts():
    X, y = make_regression(n=40)
    X[:, 3] = 0.1
    weight = np.random.default_rng(0).integers(0, 4, 40).astype(float)
    rows = rows_of(X, y, weight)
    whole = Whole(rows, rows)
    whole.folds(KFold(4).split(X))
    assert_are(whole.products, X, y[:, None], weight)
    assert whole.products.constant.tolist() == [False, False, False, True, False]
    assert not whole.undivided().products.G[3].any()


def test_a_column_that_only_held_out_rows_vary_is_constant():
    X, y = make_regression(n=40)
    X[10:, 2] = 7.0
    first, second, *_ = folds_of(rows_of(X, y), [*KFold(4).split(X)])
    assert first.products.constant.tolist() == [False, False, True, False, False]
    assert not first.products.G[2].any()
    assert not second.products.constant.any()


def test_columns_far_from_zero_keep_their_digits():
    X, y = make_regression(n=40)
    X = np.round(X * 2**20) / 2**20  # so that nothing is lost beside the shift
    splits = [*KFold(4).split(X)]
    near, far = folds_of(rows_of(X, y), splits), folds_of(rows_of(X + 2.0**26, y), splits)
    for there, here in zip(far, near):
        np.testing.assert_allclose(there.products.G, here.products.G, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(there.products.q, here.products.q, rtol=1e-6, atol=1e-7)


def test_there_are_no_products_of_more_columns_than_rows(monkeypatch):
    X, y = make_regression(n=12, p=10)
    (fold,) = folds_of(rows_of(X, y), [(np.arange(8), np.arange(8, 12))])
    assert fold.products is None
    assert fold.test_products is None
    monkeypatch.setattr(products, "MAX_COLUMNS", 9)
    (fold,) = folds_of(rows_of(X, y), [(np.arange(11), np.arange(11, 12))])
    assert fold.products is None


def test_folds_of_their_own_columns_have_the_products_of_their_rows():
    X, y = make_regression(n=40)
    rows = rows_of(X, y)
    train, test = np.arange(30), np.arange(30, 40)
    fold = Fold(rows.take(train), rows.take(test))
    assert_are(fold.products, X[train], y[train, None], np.ones(30))
    assert_are(fold.test_products, X[test], y[test, None], np.ones(10))


def test_products_are_moved_to_another_centre():
    X, y = make_regression(n=40)
    (fold,) = folds_of(rows_of(X, y), [(np.arange(30), np.arange(30, 40))])
    G, q, yy = fold.products.about(0.0, 0.0)
    np.testing.assert_allclose(G, X[:30].T @ X[:30] / 30, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(q[0], X[:30].T @ y[:30] / 30, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(yy[0], np.mean(y[:30] ** 2), rtol=1e-12)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_the_predictions(weighted, wide):
    X, y = make_regression(n=30, p=25 if wide else 4)
    Y, rng = np.column_stack([y, X[:, 0] ** 2]), np.random.default_rng(0)
    scoring = rng.uniform(0.1, 3.0, 30) if weighted else np.ones(30)
    coef, intercept = rng.standard_normal((7, 2, X.shape[1])), rng.standard_normal((7, 2))
    splits = [*KFold(3).split(X)]
    folds = folds_of(rows_of(X, Y), splits, rows_of(X, Y, scoring))
    for (_, test), fold in zip(splits, folds):
        assert (fold.products is None) == wide
        errors, scores = squared_errors(fold, coef, intercept), r2_scores(fold, coef, intercept)
        for k in range(7):
            known = Y[test], X[test] @ coef[k].T + intercept[k], scoring[test]
            given = dict(zip(("y_true", "y_pred", "sample_weight"), known))
            each = mean_squared_error(**given, multioutput="raw_values")
            np.testing.assert_allclose(errors[k], each, rtol=1e-10)
            np.testing.assert_allclose(scores[k], r2_score(**given), rtol=1e-10)


def test_scores_of_nearly_exact_predictions_keep_their_digits():
    X, _ = make_regression(n=40)
    w = np.arange(1.0, 6.0)
    y = X @ w + 1e-9 * np.random.default_rng(0).standard_normal(40)
    (fold,) = folds_of(rows_of(X, y), [(np.arange(30), np.arange(30, 40))])
    found = squared_errors(fold, w[None, None], np.zeros((1, 1)))
    expected = np.mean((y[30:] - X[30:] @ w) ** 2)
    np.testing.assert_allclose(
        found, expected, rtol=1e-6
    )  # the rounding of y itself is 1e-6 of it


@pytest.mark.parametrize("level", [0.0, 2.5])
def test_r2_of_a_constant_target_is_that_of_scikit_learn(level):
    X, y = make_regression(n=30)
    y[20:] = level
    (fold,) = folds_of(rows_of(X, y), [(np.arange(20), np.arange(20, 30))])
    coef, intercept = np.zeros((2, 1, 5)), np.array([[level], [level + 1.0]])
    expected = [r2_score(y[20:], np.full(10, value)) for value in intercept[:, 0]]
    np.testing.assert_array_equal(r2_scores(fold, coef, intercept), expected)


def test_r2_of_a_single_row_is_unknown():
    X, y = make_regression(n=30)
    (fold,) = folds_of(rows_of(X, y), [(np.arange(29), [29])])
    assert np.isnan(r2_scores(fold, np.zeros((3, 1, 5)), np.zeros((3, 1)))).all()


@pytest.mark.parametrize("spread", [0.0, 1e-3])
def test_scores_count_columns_that_hardly_vary_where_they_are_held_out(spread):
    X, y = make_regression(n=40)
    X[30:, 1] = 4096.0 + spread * X[30:, 1]  # which float32 calls constant
    X, y = X.astype(np.float32), y + X[:, 1]
    (fold,) = folds_of(rows_of(X, y), [(np.arange(30), np.arange(30, 40))])
    assert fold.test_products.constant[1]
    coef = np.array([[[0.0, 1000.0, 0.0, 0.0, 0.0]]])
    intercept = np.array([[-4096000.0]])
    f = X[30:].astype(float) @ coef[0, 0] + intercept[0, 0]
    expected = np.mean((y[30:] - f) ** 2)
    np.testing.assert_allclose(squared_errors(fold, coef, intercept), expected, rtol=1e-6)
