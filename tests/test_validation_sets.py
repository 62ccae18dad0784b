"""The held-out rows of a validation, and the arguments of scorers."""

import warnings

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import make_scorer, max_error, r2_score

from skgd import GDGaborRegressor, GDRegressor

FAST = {"optimizer": "nesterov", "max_iter": 5, "tol": None, "random_state": 0}


class Scores:
    """A custom scorer that stores its arguments and returns minus the mean squared error."""

    def __init__(self):
        self.calls = []

    def __call__(self, estimator, X, y, sample_weight=None):
        self.calls.append((X, y, sample_weight))
        return -np.average((estimator.predict(X) - y) ** 2, weights=sample_weight)


def early(scorer=None, **options):
    return GDRegressor(early_stopping=True, scoring=scorer, **{**FAST, **options})


# Weights


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_only_rows_that_have_a_weight_are_held_out(form, dtype):
    X, y = make_regression(n=60, p=3)
    weight = np.where(np.arange(60) % 3 == 0, 2.0, 0.0)
    scorer = Scores()
    early(scorer, validation_fraction=0.25).fit(form(X.astype(dtype)), y, weight)
    _, y_held, weight_held = scorer.calls[0]
    assert len(y_held) == 5
    assert np.isin(y_held, y[weight > 0.0]).all()
    assert (weight_held > 0.0).all()


@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
def test_of_two_rows_with_a_weight_one_is_held_out_and_of_one_none():
    X, y = make_regression(n=10, p=2)
    weight = np.zeros(10)
    weight[[3, 7]] = 1.0
    scorer = Scores()
    early(scorer).fit(X, y, weight)
    assert {len(call[1]) for call in scorer.calls} == {1}
    weight[3] = 0.0
    with pytest.raises(ValueError, match=r"two rows that have a weight.*Got 1\."):
        early(scorer).fit(X, y, weight)
    with pytest.raises(ValueError, match="of the start is nan on 1 rows"):
        early().fit(X, y, np.isin(np.arange(10), [3, 7]))


@pytest.mark.parametrize("split", ["held out", "given"])
def test_the_weights_of_held_out_rows_are_theirs(split):
    X, y = make_regression(n=40, p=3)
    scorer, weight, given = Scores(), np.exp(np.linspace(0.0, 2.0, 40)), {}
    if split == "given":
        given = {"X_val": X, "y_val": y, "sample_weight_val": weight * (y > y[5])}
    early(scorer, validation_fraction=0.5).fit(X, y, weight, **given)
    _, y_held, weight_held = scorer.calls[-1]
    rows = [int(np.flatnonzero(y == value)[0]) for value in y_held]
    assert split == "held out" or set(rows) == set(np.flatnonzero(y > y[5]))
    np.testing.assert_allclose(weight_held / weight_held[0], weight[rows] / weight[rows[0]])


def test_the_weights_of_the_rows_that_a_hold_out_leaves_are_theirs():
    X, y = make_regression(n=40, p=3)
    weight = np.where(y > np.median(y), 3.0, 1.0)
    scorer = Scores()
    model = early(scorer, penalty=None, max_iter=500).fit(X, y, weight)
    left = ~np.isin(y, scorer.calls[0][1])
    same = GDRegressor(**{**FAST, "max_iter": int(model.n_iter_)}, penalty=None)
    same.fit(X[left], y[left], weight[left])
    np.testing.assert_allclose(model.loss_curve_, same.loss_curve_, rtol=1e-10)


@pytest.mark.filterwarnings("ignore:GDRegressor diverged")  # of rows that are not the first
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_the_sum_of_weights_after_a_hold_out_is_that_of_the_rows_left(scale):
    """Constant columns and targets, so that the running mean of y is the whole solution."""
    X, ones = np.zeros((20, 1)), np.ones(20)
    model = early(Scores(), validation_fraction=0.25).fit(X, 2.0 * ones, scale * ones)
    model.set_params(early_stopping=False).partial_fit(X[:10], -1.0 * ones[:10])
    expected = (2.0 * 15.0 * scale - 10.0) / (15.0 * scale + 10.0)
    np.testing.assert_allclose(model.intercept_, expected, rtol=1e-12)


@pytest.mark.parametrize("weight", [np.zeros(10), 0.0, [0] * 10])
def test_a_validation_set_without_a_weight_is_refused_by_name(weight):
    X, y = make_regression(n=10, p=2)
    with pytest.raises(ValueError, match="sample_weight_val must contain at least one non-zero"):
        early().fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)


@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
def test_rows_of_weight_zero_in_a_validation_set_change_nothing():
    X, y = make_regression(n=40, p=3)
    weight = np.linspace(0.5, 2.0, 20)
    given = {"X_val": X[:20], "y_val": y[:20], "sample_weight_val": weight}
    found = early().fit(X, y, **given).history_["validation_score"]
    more = np.append(weight, np.zeros(20))
    padded = {"X_val": X, "y_val": np.append(y[:20], 1e6 + y[20:]), "sample_weight_val": more}
    again = early().fit(X, y, **padded).history_["validation_score"]
    np.testing.assert_allclose(again, found, rtol=1e-12)
    with pytest.raises(ValueError, match="of the start is nan on 1 rows"):
        early().fit(X, y, X_val=X, y_val=y, sample_weight_val=np.eye(40)[0])


@pytest.mark.parametrize(
    "scorer",
    [
        make_scorer(max_error, greater_is_better=False),
        lambda estimator, X, y: estimator.score(X, y),
    ],
    ids=["metric", "function"],
)
def test_a_scorer_that_takes_no_weights_is_given_none(scorer):
    X, y = make_regression(n=40, p=3)
    weight = np.linspace(0.5, 2.0, 40)
    model = early(scorer).fit(X, y, weight, X_val=X, y_val=y, sample_weight_val=weight)
    np.testing.assert_allclose(model.history_["validation_score"][-1], scorer(model, X, y))


# Frames


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("split", ["held out", "given", "given as an array"])
@pytest.mark.parametrize("kind", [GDRegressor, GDGaborRegressor])
def test_a_frame_reaches_the_scorer_with_its_names_and_without_warnings(library, split, kind):
    frames = pytest.importorskip(library)
    X, y = make_regression(n=30, p=2)
    frame = frames.DataFrame(dict(zip(("left", "right"), X.T)))
    scorer, given = Scores(), {}
    if split != "held out":
        given = {"X_val": X if "array" in split else frame, "y_val": y}
    model = kind(early_stopping=True, scoring=scorer, max_iter=3, tol=None, random_state=0)
    if kind is GDGaborRegressor:
        model.set_params(init=[0.1, 1.0, 1.0])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        model.fit(frame, y, **given)
    said = [str(warning.message) for warning in said if "feature names" in str(warning.message)]
    known = "feature_names_in_" in vars(model)  # not to scikit-learn 1.6 from a new polars
    assert len(said) == (1 if "array" in split and known else 0)  # that of the call itself
    for rows, targets, _ in scorer.calls:
        named = getattr(rows, "columns", None)
        assert "array" in split or list(named) == ["left", "right"]
        places = [int(np.flatnonzero(y == value)[0]) for value in targets]
        np.testing.assert_array_equal(np.asarray(rows), X[places])
    plain = clone(model).fit(X, y, **({**given, "X_val": X} if given else {}))
    np.testing.assert_allclose(plain.predict(X), model.predict(frame), rtol=1e-12)


def test_a_callback_is_shown_the_frame():
    callback = pytest.importorskip("sklearn.callback")
    frames = pytest.importorskip("pandas")
    X, y = make_regression(n=30, p=2)
    frame = frames.DataFrame(X, columns=["left", "right"])
    monitor = callback.ScoringMonitor(scoring="r2")
    model = early(Scores()).set_callbacks(monitor).fit(frame, y)  # a warning would be an error
    (log,) = monitor.get_logs(select="all")
    scores = [row["r2"] for row in log.data if row["task_name"] == "epoch"]
    assert len(scores) == model.n_iter_ == 5


@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error", "loss", Scores()])
def test_every_target_is_scored_by_itself_on_the_same_rows(scoring):
    X, y = make_regression(n=40, p=3)
    Y = np.column_stack([y, y[::-1] ** 2])
    both = early(scoring).fit(X, Y)
    for k in range(2):
        single = early(scoring).fit(X, Y[:, k])
        np.testing.assert_allclose(
            both.history_[k]["validation_score"], single.history_["validation_score"], rtol=1e-10
        )


def test_sparse_rows_are_scored_as_dense_ones():
    X, y = make_regression(n=40, p=3)
    scorer = Scores()
    dense = early(scorer).fit(X, y).history_["validation_score"]
    rows, targets, _ = scorer.calls[0]
    found = early(scorer).fit(sparse.csr_array(X), y).history_["validation_score"]
    assert sparse.issparse(scorer.calls[-1][0])
    np.testing.assert_allclose(found, dense, rtol=1e-10)
    np.testing.assert_array_equal(scorer.calls[-1][0].toarray(), rows)
    np.testing.assert_array_equal(scorer.calls[-1][1], targets)


@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
def test_few_rows_of_a_group_are_scored_where_the_metric_can():
    X, y = make_regression(n=4, p=1)
    model = early(validation_fraction=0.5).fit(X, y)
    assert len(model.history_["validation_score"]) == 6
    with pytest.raises(ValueError, match="of the start is nan on 1 rows"):
        early().fit(X, y)
    assert r2_score(y, GDRegressor(**FAST).fit(X, y).predict(X)) <= 1.0
