"""GDRegressorCV, compared with scikit-learn's estimators and with a loop of separate fits."""

import warnings

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNetCV, LassoCV, RidgeCV
from sklearn.metrics import get_scorer, make_scorer, mean_pinball_loss
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    RepeatedKFold,
    ShuffleSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from skgd import GDRegressor, GDRegressorCV
from skgd.penalties import ElasticNet, Penalty

FINE = {"tol": 1e-9}
SHARED = "penalty", "l1_ratio", "fit_intercept", "positive", "penalty_weights", "tol", "max_iter"


def by_hand(search, X, y, splits, weight=None, scale=False):
    """Return alphas and mean squared errors of separate fits, of shape (n_alphas, n_folds)."""
    errors = []
    for alpha in search.alphas_:
        errors.append([])
        model = GDRegressor(alpha=alpha, **{name: getattr(search, name) for name in SHARED})
        for train, test in splits:
            A, B = X[train], X[test]
            if scale:
                scaler = StandardScaler(with_mean=False).fit(A)
                A, B = scaler.transform(A), scaler.transform(B)
            given = None if weight is None else weight[train]
            left = model.fit(A, y[train], sample_weight=given).predict(B) - y[test]
            given = None if weight is None else weight[test]
            errors[-1].append(np.average(np.square(left), axis=0, weights=given).mean())
    return np.array(errors)


# Against scikit-learn's estimators


@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"positive": True}], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_an_l1_penalty_does_what_lasso_cv_does(options, weighted):
    X, y = make_regression(n=60, sparse_truth=True)
    weight = np.random.default_rng(0).uniform(0.2, 2.0, 60) if weighted else None
    ours = GDRegressorCV(penalty="l1", alphas=30, **FINE, **options)
    ours.fit(X, y, sample_weight=weight)
    theirs = LassoCV(alphas=ours.alphas_, tol=1e-10, **options).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-6)
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=1e-12)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_the_largest_alpha_is_the_smallest_that_leaves_no_weight(positive, ratio):
    X, y = make_regression(n=60, sparse_truth=True)
    options = {"penalty": "elasticnet", "l1_ratio": ratio, "positive": positive}
    search = GDRegressorCV(alphas=30, eps=0.01, **options).fit(X, y)
    slopes = X.T @ (y - y.mean()) / len(y)
    largest = (slopes if positive else np.abs(slopes)).max() / ratio
    np.testing.assert_allclose(search.alphas_, np.geomspace(largest, 0.01 * largest, 30))
    for share, some in ((1.001, False), (0.999, True)):
        fit = GDRegressor(alpha=share * largest, **options).fit(X, y)
        assert fit.coef_.any() == some


def test_an_elastic_net_does_what_elastic_net_cv_does():
    X, y = make_regression(n=60, sparse_truth=True)
    ratios = [0.2, 0.7, 0.95]
    alphas = np.geomspace(2.0, 2e-3, 20)
    theirs = ElasticNetCV(l1_ratio=ratios, alphas=alphas, tol=1e-10, cv=4).fit(X, y)
    ours = GDRegressorCV(penalty="elasticnet", l1_ratio=ratios, alphas=alphas, cv=4, **FINE)
    ours.fit(X, y)
    np.testing.assert_array_equal(ours.alphas_, [alphas] * 3)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-6)
    assert (ours.alpha_, ours.l1_ratio_) == pytest.approx((theirs.alpha_, theirs.l1_ratio_))
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_targets", [0, 3])
def test_an_l2_penalty_does_what_ridge_cv_does(n_targets):
    X, y = make_regression(n=60)
    if n_targets:
        y = y[:, None] + np.random.default_rng(0).standard_normal((60, n_targets))
    alphas = np.geomspace(1e-3, 10.0, 12)
    ours = GDRegressorCV(alphas=alphas, cv=4, scoring="r2").fit(X, y)
    # beside a sum over 45 rows in each fold, and over 60 in the end
    theirs = RidgeCV(alphas=45.0 * alphas, cv=4, scoring="r2").fit(X, y)
    assert ours.alpha_ == pytest.approx(theirs.alpha_ / 45.0, rel=1e-12)
    assert ours.score_path_.mean(axis=1).max() == pytest.approx(theirs.best_score_, rel=1e-10)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("p", [5, 60])
def test_one_row_after_the_other_is_what_ridge_cv_does(p, fit_intercept):
    X, y = make_regression(n=30, p=p)
    alphas = np.geomspace(1e-2, 10.0, 12)
    ours = GDRegressorCV(alphas=alphas, cv="loo", fit_intercept=fit_intercept).fit(X, y)
    theirs = RidgeCV(alphas=29.0 * alphas, fit_intercept=fit_intercept, store_cv_results=True)
    theirs.fit(X, y)
    np.testing.assert_allclose(ours.mse_path_[::-1], theirs.cv_results_.T, rtol=1e-7)
    assert ours.alpha_ == pytest.approx(theirs.alpha_ / 29.0, rel=1e-12)


@pytest.mark.parametrize("storage", [np.asarray, np.float32, sparse.csr_matrix])
@pytest.mark.parametrize("options", [{}, {"penalty_weights": [1.0, 2.0, 0.3, 1.0, 4.0]}], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_one_decomposition_is_what_fits_to_all_rows_but_one_are(storage, options, weighted):
    X, y = make_regression(n=20)
    X = storage(np.where(np.abs(X) < 0.3, 0.0, X).astype(np.float32))
    weight = np.random.default_rng(0).integers(0, 4, 20).astype(float) if weighted else None
    model = GDRegressorCV(alphas=[0.01, 0.1, 1.0], **options)
    once = clone(model).set_params(cv="loo").fit(X, y, sample_weight=weight)
    each = clone(model).set_params(cv=LeaveOneOut()).fit(X, y, sample_weight=weight)
    close = 1e-4 if X.dtype == np.float32 else 1e-8
    np.testing.assert_allclose(once.mse_path_, each.mse_path_, rtol=close, atol=close)
    assert once.alpha_ == each.alpha_


@pytest.mark.parametrize("penalty", ["l1", None])
def test_one_row_after_the_other_is_held_out_for_every_penalty(penalty):
    X, y = make_regression(n=12, p=3)
    model = GDRegressorCV(penalty=penalty, alphas=[0.0, 0.1])
    once = clone(model).set_params(cv="loo").fit(X, y)
    each = clone(model).set_params(cv=LeaveOneOut()).fit(X, y)
    np.testing.assert_array_equal(once.mse_path_, each.mse_path_)


# Against separate fits

OPTIONS = {
    "l2": {},
    "l1": {"penalty": "l1"},
    "elastic net": {"penalty": ElasticNet(0.3)},
    "without an intercept": {"fit_intercept": False, "penalty": "l1"},
    "positive": {"positive": True},
    "penalty weights": {"penalty": "l1", "penalty_weights": [1.0, 2.0, 0.5, 0.0, 3.0]},
}


@pytest.mark.parametrize("splitter", [KFold(3), RepeatedKFold(n_splits=2, random_state=0)])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("standardize", [False, True])
def test_errors_are_those_of_separate_fits(options, splitter, standardize):
    X, y = make_regression(n=40)
    splits = [*splitter.split(X)]
    search = GDRegressorCV(alphas=[1.0, 0.01, 0.1], standardize=standardize, cv=splits, **FINE)
    search.set_params(**options).fit(X, y)
    expected = by_hand(search, X, y, splits, scale=standardize)
    np.testing.assert_array_equal(search.alphas_, [1.0, 0.1, 0.01])
    np.testing.assert_allclose(search.mse_path_, expected, rtol=1e-6)
    np.testing.assert_array_equal(search.score_path_, -search.mse_path_)
    assert search.alpha_ == search.alphas_[np.argmin(expected.mean(axis=1))]


@pytest.mark.parametrize(
    "storage", [np.asfortranarray, np.float32, sparse.csr_matrix, sparse.csc_matrix]
)
@pytest.mark.parametrize("standardize", [False, True])
def test_every_storage_has_the_same_errors(storage, standardize):
    X, y = make_regression(n=40)
    X = np.where(np.abs(X) < 0.3, 0.0, X).astype(np.float32).astype(float)
    search = GDRegressorCV(penalty="l1", alphas=8, standardize=standardize, tol=1e-8)
    expected, found = clone(search).fit(X, y), clone(search).fit(storage(X), y)
    np.testing.assert_allclose(found.alphas_, expected.alphas_, rtol=1e-5)
    np.testing.assert_allclose(found.mse_path_, expected.mse_path_, rtol=1e-4)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-3, atol=1e-4)
    assert found.coef_.dtype == storage(X).dtype
    assert found.predict(storage(X)).dtype == storage(X).dtype


def test_errors_are_those_of_separate_fits_with_more_columns_than_rows():
    X, y = make_regression(n=24, p=40)
    splits = [*KFold(3).split(X)]
    for penalty in ("l1", "l2"):
        search = GDRegressorCV(penalty=penalty, alphas=[1.0, 0.1], cv=splits, **FINE).fit(X, y)
        np.testing.assert_allclose(search.mse_path_, by_hand(search, X, y, splits), rtol=1e-5)


def test_a_weight_is_a_repetition_in_the_same_fold():
    X, y = make_regression(n=30)
    weight = np.random.default_rng(0).integers(1, 4, 30)
    many = np.repeat(np.arange(30), weight)
    splits = [*KFold(3).split(X)]
    places = [
        (np.flatnonzero(np.isin(many, a)), np.flatnonzero(np.isin(many, b))) for a, b in splits
    ]
    search = GDRegressorCV(penalty="l1", alphas=10, **FINE)
    weighted = clone(search).set_params(cv=splits).fit(X, y, sample_weight=weight)
    repeated = clone(search).set_params(cv=places).fit(X[many], y[many])
    np.testing.assert_allclose(weighted.alphas_, repeated.alphas_, rtol=1e-12)
    np.testing.assert_allclose(weighted.mse_path_, repeated.mse_path_, rtol=1e-7)
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6, atol=1e-8)


def test_a_training_fold_without_any_weight_is_refused():
    X, y = make_regression(n=30)
    weight = np.r_[np.zeros(15), np.ones(15)]
    with pytest.raises(ValueError, match="in every training fold"):
        GDRegressorCV(alphas=5, cv=2).fit(X, y, sample_weight=weight)


def test_a_fold_whose_held_out_rows_have_no_weight_does_not_count():
    X, y = make_regression(n=30)
    weight = np.r_[np.zeros(10), np.ones(20)]
    splits = [*KFold(3).split(X)]
    whole = GDRegressorCV(alphas=5, cv=splits).fit(X, y, sample_weight=weight)
    assert np.isnan(whole.mse_path_[:, 0]).all()
    others = GDRegressorCV(alphas=whole.alphas_, cv=splits[1:]).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(whole.mse_path_[:, 1:], others.mse_path_, rtol=1e-12)
    assert whole.alpha_ == others.alpha_


def test_scaling_is_that_of_a_pipeline_that_is_searched_as_a_whole():
    X, y = make_regression(n=40)
    alphas = np.geomspace(0.01, 1.0, 6)
    for penalty in ("l1", "l2"):
        ours = GDRegressorCV(penalty=penalty, alphas=alphas, standardize=True, **FINE).fit(X, y)
        chain = make_pipeline(StandardScaler(), GDRegressor(penalty=penalty, **FINE))
        grid = {"gdregressor__alpha": alphas[::-1]}
        theirs = GridSearchCV(chain, grid, scoring="neg_mean_squared_error", cv=5).fit(X, y)
        for k in range(5):
            expected = theirs.cv_results_[f"split{k}_test_score"]
            np.testing.assert_allclose(ours.score_path_[:, k], expected, rtol=1e-6)
        assert ours.alpha_ == theirs.best_params_["gdregressor__alpha"]
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6, atol=1e-6)


def test_scaling_leaves_the_coefficients_in_the_units_of_the_columns():
    X, y = make_regression(n=40)
    units = np.array([1.0, 1e-3, 1e4, 7.0, 1.0])
    search = GDRegressorCV(penalty="l1", alphas=10, standardize=True, **FINE)
    there, here = clone(search).fit(X * units, y), clone(search).fit(X, y)
    np.testing.assert_allclose(there.coef_ * units, here.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(there.coef_path_.T * units, here.coef_path_.T, rtol=1e-5, atol=1e-7)
    assert there.alpha_ == pytest.approx(here.alpha_, rel=1e-9)


def test_a_scaler_before_the_search_has_seen_the_rows_held_out():
    X, y = make_regression(n=40)
    X[:8] *= 30.0  # the first fold
    inside = GDRegressorCV(penalty="l1", alphas=[0.3], standardize=True).fit(X, y)
    before = make_pipeline(StandardScaler(), GDRegressorCV(penalty="l1", alphas=[0.3])).fit(X, y)
    assert not np.allclose(inside.mse_path_, before[-1].mse_path_, rtol=0.05)


# The choice


def test_the_largest_alpha_within_one_standard_error_is_found_by_hand():
    X, y = make_regression(n=60, p=12, noise=2.0, sparse_truth=True)
    search = GDRegressorCV(penalty="l1", alphas=40, cv=6, selection="1se", **FINE).fit(X, y)
    means = search.mse_path_.mean(axis=1)
    best = np.argmin(means)
    error = np.std(search.mse_path_[best], ddof=1) / np.sqrt(6)
    within = search.alphas_[means <= means[best] + error].max()
    assert search.alpha_ == search.alpha_1se_ == within > search.alpha_min_ == search.alphas_[best]
    alone = GDRegressor(penalty="l1", alpha=within, **FINE).fit(X, y)
    np.testing.assert_allclose(search.coef_, alone.coef_, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e100, 1e-100])
def test_the_choice_does_not_depend_on_the_unit_of_y(unit):
    X, y = make_regression(n=60, p=12, noise=2.0, sparse_truth=True)
    search = GDRegressorCV(penalty="l1", alphas=20, selection="1se", **FINE)
    here, there = clone(search).fit(X, y), clone(search).fit(X, unit * y)
    assert there.alpha_ == pytest.approx(unit * here.alpha_, rel=1e-9)
    np.testing.assert_allclose(there.coef_, unit * here.coef_, rtol=1e-6)


def test_every_target_may_have_an_alpha_of_its_own():
    X, y = make_regression(n=40)
    Y = np.column_stack([y, np.random.default_rng(0).standard_normal(40), X[:, 0]])
    ratios, alphas = [0.1, 0.9], np.geomspace(1e-3, 1.0, 6)
    options = {"penalty": "elasticnet", "l1_ratio": ratios, "alphas": alphas, **FINE}
    search = GDRegressorCV(alpha_per_target=True, scoring="r2", **options).fit(X, Y)
    assert search.mse_path_.shape == search.score_path_.shape == (2, 6, 5, 3)
    assert search.coef_path_.shape == (3, 5, 6)
    for k in range(3):
        alone = GDRegressorCV(scoring="r2", **options).fit(X, Y[:, k])
        assert (search.alpha_[k], search.l1_ratio_[k]) == (alone.alpha_, alone.l1_ratio_)
        np.testing.assert_allclose(search.coef_[k], alone.coef_, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(search.coef_path_[k], alone.coef_path_, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(search.mse_path_[..., k], alone.mse_path_, rtol=1e-7)
    assert search.predict(X).shape == (40, 3)


def test_all_targets_may_have_one_alpha():
    X, y = make_regression(n=40)
    Y = np.column_stack([y, np.random.default_rng(0).standard_normal(40)])
    search = GDRegressorCV(alphas=[0.01, 0.1, 1.0], cv=4, **FINE).fit(X, Y)
    splits = [*KFold(4).split(X)]
    np.testing.assert_allclose(search.mse_path_, by_hand(search, X, Y, splits), rtol=1e-7)
    assert np.ndim(search.alpha_) == 0
    assert search.coef_.shape == (2, 5)
    assert search.coef_path_.shape == (2, 5, 3)


@pytest.mark.parametrize("n_targets", [0, 2])
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize(
    "scoring",
    [
        "r2",
        "neg_mean_squared_error",
        "neg_root_mean_squared_error",
        "neg_mean_absolute_error",
        make_scorer(mean_pinball_loss, alpha=0.3, greater_is_better=False),
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_the_scorer(scoring, weighted, each, n_targets):
    X, y = make_regression(n=30)
    weight = np.random.default_rng(1).uniform(0.2, 2.0, 30) if weighted else None
    if n_targets:
        y = y[:, None] + np.random.default_rng(0).standard_normal((30, n_targets))
    search = GDRegressorCV(alphas=[1.0, 0.1], cv=3, scoring=scoring, alpha_per_target=each)
    search.fit(X, y, sample_weight=weight)
    scorer = get_scorer(scoring)
    for a, alpha in enumerate(search.alphas_):
        for k, (train, test) in enumerate(KFold(3).split(X)):
            found = search.score_path_[a, k]
            for t in range(n_targets) if each and n_targets else [slice(None)]:
                target = y[:, t] if n_targets else y
                given = {} if weight is None else {"sample_weight": weight[train]}
                model = GDRegressor(alpha=alpha).fit(X[train], target[train], **given)
                given = {} if weight is None else {"sample_weight": weight[test]}
                expected = scorer(model, X[test], target[test], **given)
                found_here = found[t] if each and n_targets else found
                assert found_here == pytest.approx(expected, rel=1e-9)


def test_a_scorer_sees_the_frame_and_the_names_of_its_columns():
    pd = pytest.importorskip("pandas")
    X, y = make_regression(n=30)
    seen = []

    def scorer(estimator, X, y):
        seen.append((type(X), [*estimator.feature_names_in_]))
        return estimator.score(X, y)

    frame = pd.DataFrame(X, columns=list("abcde"))
    search = GDRegressorCV(alphas=[0.1, 1.0], scoring=scorer, cv=2).fit(frame, y)
    assert seen == [(pd.DataFrame, list("abcde"))] * 4
    assert [*search.feature_names_in_] == list("abcde")
    np.testing.assert_allclose(
        search.score_path_,
        GDRegressorCV(alphas=[0.1, 1.0], scoring="r2", cv=2).fit(frame, y).score_path_,
        rtol=1e-12,
    )


# Its parameters and attributes


def test_the_path_over_all_rows_holds_the_coefficients():
    X, y = make_regression(n=40)
    search = GDRegressorCV(penalty="l1", alphas=20, **FINE).fit(X, y)
    at = int(np.flatnonzero(search.alphas_ == search.alpha_)[0])
    np.testing.assert_allclose(search.coef_path_[:, at], search.coef_, rtol=1e-6, atol=1e-9)
    assert not search.coef_path_[:, 0].any()
    assert search.converged_
    assert 0.0 <= search.dual_gap_ <= 1e-9 * y.var()


def test_an_l2_grid_runs_from_hardly_any_weight_to_nearly_least_squares():
    X, y = make_regression(n=40)
    search = GDRegressorCV(alphas=20).fit(X, y)
    free = np.linalg.lstsq(X - X.mean(0), y - y.mean(), rcond=None)[0]
    assert np.linalg.norm(search.coef_path_[:, 0]) < 0.2 * np.linalg.norm(free)
    np.testing.assert_allclose(search.coef_path_[:, -1], free, rtol=1e-2)


def test_threads_over_the_folds_change_nothing():
    X, y = make_regression(n=40)
    one, two = (GDRegressorCV(alphas=10, penalty="l1", n_jobs=k).fit(X, y) for k in (None, 2))
    np.testing.assert_array_equal(one.mse_path_, two.mse_path_)


def test_groups_go_to_the_splitter_by_metadata_routing():
    X, y = make_regression(n=30)
    groups = np.arange(30) % 7
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 30)
    search = GDRegressorCV(alphas=[0.1, 1.0], cv=GroupKFold(3))
    with pytest.raises(ValueError, match="only with metadata routing"):
        search.fit(X, y, groups=groups)
    with config_context(enable_metadata_routing=True):
        search.set_fit_request(sample_weight=True)
        search.fit(X, y, sample_weight=weight, groups=groups)
    splits = [*GroupKFold(3).split(X, y, groups)]
    expected = by_hand(search, X, y, splits, weight)
    np.testing.assert_allclose(search.mse_path_, expected, rtol=1e-7)


def test_weights_go_to_the_scorer_by_metadata_routing_if_it_asks_for_them():
    X, y = make_regression(n=30)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 30)
    found = []
    with config_context(enable_metadata_routing=True):
        for asks in (False, True):
            scorer = get_scorer("neg_mean_squared_error").set_score_request(sample_weight=asks)
            search = GDRegressorCV(alphas=[0.1, 1.0], scoring=scorer)
            search.set_fit_request(sample_weight=True)
            found.append(search.fit(X, y, sample_weight=weight))
    np.testing.assert_allclose(found[1].score_path_, -found[1].mse_path_, rtol=1e-9)
    assert not np.allclose(found[0].score_path_, -found[0].mse_path_, rtol=1e-3)


class Cubic(Penalty):
    def value(self, w):
        return abs(w) ** 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": 0}, "alphas"),
        ({"alphas": [-1.0]}, "alphas must be a list of numbers that are not negative"),
        ({"alphas": []}, "alphas"),
        ({"l1_ratio": [0.5, 2.0], "penalty": "elasticnet"}, "l1_ratio must hold numbers"),
        ({"selection": "2se"}, "selection"),
        ({"penalty": Cubic()}, "needs a penalty of l1 and l2 parts"),
        ({"cv": "5"}, "cv"),
        ({"cv": []}, "cv gives no folds"),
        ({"penalty": ElasticNet(0.2), "l1_ratio": np.array([0.1, 0.5])}, "has no effect beside"),
        ({"tol": None}, "tol"),
    ],
    ids=str,
)
def test_what_has_no_meaning_is_refused(problem, options, message):
    with pytest.raises(ValueError, match=message):
        GDRegressorCV(**options).fit(*problem)


def test_folds_that_do_not_converge_are_told_of_once():
    X, y = make_regression(n=24, p=40)
    search = GDRegressorCV(penalty="l1", alphas=10, max_iter=1, tol=1e-12)
    with pytest.warns(ConvergenceWarning) as told:
        search.fit(X, y)
    assert sum("of the fits on the folds have not converged" in str(w.message) for w in told) == 1


def test_random_splits_may_overlap_and_leave_rows_out():
    X, y = make_regression(n=40)
    splits = [*ShuffleSplit(4, test_size=0.2, train_size=0.5, random_state=0).split(X)]
    search = GDRegressorCV(alphas=[0.01, 1.0], cv=iter(splits), **FINE).fit(X, y)
    np.testing.assert_allclose(search.mse_path_, by_hand(search, X, y, splits), rtol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pytest.param(model, check, id=f"{model}-{check.func.__name__}")
        for search in (
            GDRegressorCV(),
            GDRegressorCV(penalty="l1", alphas=10),
            GDRegressorCV(cv="loo", alphas=10),
            GDRegressorCV(standardize=True, scoring="r2", alphas=10, cv=3),
        )
        for model, check in estimator_checks_generator(search, mark=None)
    ],
)
def test_scikit_learn_approves_of(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


@pytest.mark.parametrize("entry", [np.nan, np.inf])
def test_what_is_wrong_with_the_data_is_said_of_the_estimator_that_was_called(entry):
    X, y = make_regression()
    X[3, 1] = entry
    named = "GDRegressorCV does not accept" if np.isnan(entry) else "X contains infinity"
    with pytest.raises(ValueError, match=named):
        GDRegressorCV().fit(X, y)
    with pytest.raises(ValueError, match="required by GDRegressorCV"):
        GDRegressorCV().fit(X[:0], y[:0])


def test_a_list_of_ratios_gives_way_to_one_of_the_penalty():
    search = GDRegressorCV(penalty="elasticnet", l1_ratio=[0.1, 0.5])
    search.set_params(penalty__l1_ratio=0.3)
    assert search.penalty == ElasticNet(0.3)
    assert search.l1_ratio == 0.3
    with pytest.raises(ValueError, match="must be a number in"):
        search.set_params(penalty__l1_ratio=3.0)
    assert search.l1_ratio == 0.3
