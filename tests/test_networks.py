"""The estimators of networks: weights of rows, classes, continuing, statistics and refusals."""

import warnings

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skgd import GDMLPClassifier, GDMLPRegressor, JointGridSearchCV
from skgd.activations import LeakyReLU

X, Y = make_regression(n=46)
CODES = np.digitize(Y, np.quantile(Y, [0.3, 0.7]))
CLASSES = np.array(["low", "middle", "high"])[CODES]
FEW = {"max_iter": 3, "tol": None, "random_state": 0}
NET = {"hidden_layer_sizes": (4,), "batch_norm": True, "learning_rate": 0.05, **FEW}
WHOLE = GDMLPRegressor(**NET, batch_size=None)
BATCHES = GDMLPRegressor(**NET, batch_size=9)
CLASSIFIER = GDMLPClassifier(**NET, batch_size=9)


def assert_same(model, other, tolerance=0.0):
    found, expected = model.parameters(), other.parameters()
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=tolerance)


@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_a_weight_repeats_a_row_of_the_full_batch_in_the_statistics_too(store):
    counts = np.random.default_rng(0).integers(0, 4, len(Y))
    rows = np.repeat(np.arange(len(Y)), counts)
    weighted = clone(WHOLE).fit(store(X), Y, counts)
    assert_same(weighted, clone(WHOLE).fit(store(X[rows]), Y[rows]), 1e-12)
    kept = counts > 0
    assert_same(weighted, clone(WHOLE).fit(store(X[kept]), Y[kept], counts[kept]), 1e-12)


@pytest.mark.parametrize("model", [WHOLE, BATCHES, CLASSIFIER], ids=str)
def test_continuing_equals_never_having_stopped_in_the_statistics_too(model):
    y = CLASSES if model is CLASSIFIER else Y
    whole = clone(model).fit(X, y)
    warm = clone(model).set_params(warm_start=True, max_iter=1)
    parts = clone(model)
    first = {"classes": CLASSES} if model is CLASSIFIER else {}
    for k in range(3):
        warm.fit(X, y)
        parts.partial_fit(X, y, **(first if k == 0 else {}))
    assert_same(warm, whole)
    assert_same(parts, whole)
    assert parts.t_ == whole.t_


def test_a_last_row_alone_joins_the_batch_before_where_layers_are_normalised():
    assert clone(BATCHES).fit(X, Y).t_ == 3 * 5
    assert clone(BATCHES).set_params(batch_norm=False).fit(X, Y).t_ == 3 * 6
    assert clone(BATCHES).fit(X[:-1], Y[:-1]).t_ == 3 * 5


def test_predictions_after_a_fit_to_the_full_batch_are_those_of_training():
    model = clone(WHOLE).fit(X, Y)
    loss = np.mean((model.predict(X) - Y) ** 2) / 2.0
    assert loss == pytest.approx(model.history_["data_loss"][-1], rel=1e-12)
    assert loss == pytest.approx(model.objective(X, Y).data_term(model.parameters())[0], rel=1e-12)


def test_recalibrated_statistics_are_those_of_all_rows():
    weight = np.random.default_rng(0).uniform(0.0, 2.0, len(Y))
    plain = clone(BATCHES).fit(X, Y, weight)
    model = clone(BATCHES).set_params(recalibrate=True).fit(X, Y, weight)
    np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])
    sums = X @ model.coefs_[0]
    mean = weight @ sums / weight.sum()
    np.testing.assert_allclose(model.running_means_[0], mean, rtol=1e-11)
    variance = weight @ (sums - mean) ** 2 / weight.sum()
    np.testing.assert_allclose(model.running_variances_[0], variance, rtol=1e-11)
    assert np.abs(plain.running_variances_[0] / variance - 1.0).max() > 1e-3


def test_permuting_the_units_at_the_start_permutes_the_fit():
    start = clone(BATCHES).fit(X, Y).starts_[0]
    model = clone(BATCHES).set_params(init=start).fit(X, Y)
    order = np.array([2, 0, 3, 1])
    names = ("coefs", "intercepts", "scales", "shifts", "running_means", "running_variances")
    init = {"coefs": [start[:20].reshape(5, 4)[:, order], start[20:24, None][order]]}
    init["intercepts"] = [np.zeros(4), start[28:29]]
    permuted = clone(BATCHES).set_params(init=init).fit(X, Y)
    assert set(init) < set(names)
    np.testing.assert_allclose(permuted.coefs_[0], model.coefs_[0][:, order], atol=1e-10)
    np.testing.assert_allclose(permuted.running_means_[0], model.running_means_[0][order])
    np.testing.assert_allclose(permuted.predict(X), model.predict(X), atol=1e-10)


def test_rows_of_single_precision_are_fitted_in_single_precision():
    model, exact = clone(BATCHES), clone(BATCHES).fit(X, Y)
    model.fit(X.astype(np.float32), Y)
    assert {W.dtype for W in (*model.coefs_, *model.running_means_)} == {np.dtype(np.float32)}
    assert model.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(model.predict(X), exact.predict(X), rtol=0.0, atol=1e-3)


def test_an_l1_penalty_leaves_exact_zeros_where_the_slope_is_below_alpha():
    model = GDMLPRegressor((4,), "tanh", penalty="l1", alpha=0.3, optimizer="momentum", tol=None)
    model.set_params(batch_size=None, learning_rate=0.005, max_iter=20_000, random_state=0)
    theta = model.fit(X, Y).parameters()
    zero = (theta == 0.0) & (np.arange(theta.size) < 24)
    g = model.objective(X, Y).data_term(theta)[1]
    assert 0 < zero.sum() < 24
    assert np.abs(g[zero]).max() <= 0.3
    others = ~zero & (np.arange(theta.size) < 24)
    np.testing.assert_allclose(g[others], -0.3 * np.sign(theta[others]), atol=1e-4)


def test_validation_uses_the_running_statistics_and_keeps_the_best_epoch():
    model = clone(BATCHES).set_params(max_iter=8, scoring="loss")
    model.fit(X[:30], Y[:30], X_val=X[30:], y_val=Y[30:])
    scores = model.history_["validation_score"]
    loss = np.mean((model.predict(X[30:]) - Y[30:]) ** 2) / 2.0
    assert -loss == pytest.approx(scores.max(), rel=1e-12)
    stopped = clone(BATCHES).set_params(early_stopping=True, n_iter_no_change=2, max_iter=500)
    stopped.fit(X, np.random.default_rng(0).standard_normal(len(Y)))
    assert stopped.stop_reason_ == "overfitting"


@pytest.mark.parametrize("scoring", [None, "loss", "neg_log_loss"])
def test_a_classifier_is_validated_by_its_classes(scoring):
    model = clone(CLASSIFIER).set_params(scoring=scoring)
    model.fit(X[:30], CLASSES[:30], X_val=X[30:], y_val=CLASSES[30:])
    best = model.history_["validation_score"].max()
    places = np.searchsorted(model.classes_, CLASSES[30:])
    loss = -model.predict_log_proba(X[30:])[np.arange(16), places].mean()
    accuracy = np.mean(model.predict(X[30:]) == CLASSES[30:])
    assert best == pytest.approx(accuracy if scoring is None else -loss, rel=1e-9)


def test_a_descent_whose_loss_has_risen_again_has_not_converged():
    model = GDMLPRegressor((8,), "tanh", optimizer="gd", batch_size=None, random_state=0)
    model.set_params(learning_rate=0.5, tol=1e-3, n_iter_no_change=3)
    with pytest.warns(ConvergenceWarning):
        model.fit(10.0 * X, Y)
    curve = model.loss_curve_
    assert curve[-1] - curve.min() > 0.1 * (curve[0] - curve.min())
    assert not model.converged_


@pytest.mark.parametrize("optimizer", ["adam", "gd"])
@pytest.mark.parametrize("size", [8, None])
def test_a_rate_that_is_far_too_large_diverges_in_words(optimizer, size):
    model = GDMLPRegressor((5,), optimizer=optimizer, batch_size=size, random_state=0)
    model.set_params(max_iter=3, learning_rate=1e6, tol=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        with pytest.raises(ValueError, match="diverged"):
            model.fit(X, Y).predict(X)
    assert model.stop_reason_ in ("diverged", "nonfinite")
    assert not model.converged_


def test_rows_that_are_held_out_have_the_shares_of_the_classes():
    rare = np.where(np.arange(40) % 10 == 0, "rare", "often")
    seen = []

    def score(estimator, Z, y):
        seen.append(np.mean(y == "rare"))
        return estimator.score(Z, y)

    rows = np.random.default_rng(0).standard_normal((40, 3))
    model = GDMLPClassifier((4,), early_stopping=True, validation_fraction=0.25, scoring=score)
    model.set_params(max_iter=2, tol=None, random_state=0).fit(rows, rare)
    assert set(seen) == {0.1}


def test_class_weights_multiply_those_of_the_rows():
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(Y))
    factor = {"low": 3.0, "middle": 1.0, "high": 0.5}
    model = clone(CLASSIFIER).set_params(class_weight=factor).fit(X, CLASSES, weight)
    expected = weight * np.array([factor[c] for c in CLASSES])
    assert_same(model, clone(CLASSIFIER).fit(X, CLASSES, expected), 1e-12)
    balanced = clone(CLASSIFIER).set_params(class_weight="balanced").fit(X, CLASSES)
    counts = np.bincount(CODES)
    assert_same(balanced, clone(CLASSIFIER).fit(X, CLASSES, 1.0 / counts[CODES]), 1e-12)


def test_a_stream_knows_classes_that_have_not_come_by():
    model = clone(CLASSIFIER)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, CLASSES)
    seen = CLASSES != "high"
    model.partial_fit(X[seen], CLASSES[seen], classes=["low", "middle", "high"])
    assert model.predict_proba(X).shape == (len(Y), 3)
    model.partial_fit(X, CLASSES)
    with pytest.raises(ValueError, match="has the class 'none', which is none of"):
        model.partial_fit(X[:2], ["low", "none"])
    with pytest.raises(ValueError, match="are not those of the first"):
        model.partial_fit(X, CLASSES, classes=["a", "b"])


def test_targets_keep_their_dimensions():
    both = np.column_stack([Y, -Y])
    for y, shape in ((Y, (46,)), (Y[:, None], (46, 1)), (both, (46, 2))):
        assert clone(BATCHES).fit(X, y).predict(X).shape == shape
    assert_same(clone(BATCHES).fit(X, Y[:, None]), clone(BATCHES).fit(X, Y))


def test_a_frame_names_the_weights():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"))
    model = clone(BATCHES).fit(frame, Y)
    names = model.parameter_names()
    assert len(names) == model.parameters().size
    assert names[0] == "weight of a for 0 in layer 1"
    np.testing.assert_array_equal(model.predict(frame), clone(BATCHES).fit(X, Y).predict(X))


def test_activations_are_one_for_each_layer():
    mixed = ["tanh", LeakyReLU(0.2)]
    model = clone(BATCHES).set_params(hidden_layer_sizes=(3, 2), activation=mixed).fit(X, Y)
    assert [W.shape for W in model.coefs_] == [(5, 3), (3, 2), (2, 1)]


def test_first_weights_have_the_variance_of_he_and_of_glorot():
    rows = np.random.default_rng(0).standard_normal((20, 300))
    for kind, variance in (("he", 2 / 300), ("glorot", 2 / 500), ("auto", 2 / 300)):
        model = GDMLPRegressor((200,), weight_init=kind, random_state=0, max_iter=1, tol=None)
        start = model.fit(rows, rows[:, 0]).starts_[0][: 300 * 200]
        assert start.var() == pytest.approx(variance, rel=0.03)


def test_a_fit_that_has_not_converged_says_by_how_much_the_objective_still_falls():
    with pytest.warns(ConvergenceWarning, match="the last epoch lowered the objective by"):
        clone(WHOLE).set_params(tol=1e-6).fit(X, Y)


WRONG = {
    "batch_size=1 leaves batch_norm nothing": {"batch_norm": True, "batch_size": 1},
    "one for each of the 2 hidden layers": {"hidden_layer_sizes": (3, 2), "batch_norm": [True]},
    "activation must be one value, or": {"activation": ["relu", "tanh"]},
    "must be whole numbers above zero": {"hidden_layer_sizes": (3, 0)},
    "must be whole numbers above zero. Got \\(True": {"hidden_layer_sizes": (True,)},
    "must be whole numbers above zero. Got \\(\\(3": {"hidden_layer_sizes": ((3, 2), (1, 2))},
    "batch_norm must hold True or False": {"batch_norm": ["yes"]},
    "must be of skgd.activations": {"activation": ["rely"]},
    "init must give some of coefs, intercepts": {"init": {"weights": []}},
    r"init\['coefs'\] must have 2 arrays": {"init": {"coefs": [np.ones((5, 4))]}},
}


@pytest.mark.parametrize("said", WRONG)
def test_what_makes_no_network_is_refused_in_words(said):
    with pytest.raises(ValueError, match=said):
        clone(BATCHES).set_params(batch_norm=False).set_params(**WRONG[said]).fit(X, Y)


def test_a_network_does_not_go_on_with_another_number_of_targets():
    model = clone(BATCHES).partial_fit(X, Y)
    with pytest.raises(ValueError, match="y has 2 targets, but the network is fitted to 1"):
        model.partial_fit(X, np.column_stack([Y, -Y]))


def test_a_single_row_cannot_be_normalised():
    with pytest.raises(ValueError, match="batch_norm needs two rows or more"):
        clone(BATCHES).fit(X[:1], Y[:1])


@pytest.mark.parametrize("normalised", [False, True])
def test_lbfgs_ends_where_the_gradient_vanishes(normalised):
    alpha = 0.0 if normalised else 0.1  # weights before a normalisation would shrink for ever
    model = GDMLPRegressor((3,), "tanh", batch_norm=normalised, alpha=alpha, optimizer="lbfgs")
    model.set_params(batch_size=None, tol=1e-5, max_iter=5000, random_state=0).fit(X, Y)
    objective, theta = model.objective(X, Y), model.parameters()
    assert model.converged_
    gradient = objective.data_term(theta)[1]
    gradient[:18] += alpha * theta[:18]
    assert np.abs(gradient).max() < 1e-4
    loss = np.mean((model.predict(X) - Y) ** 2) / 2.0
    assert loss == pytest.approx(objective.data_term(theta)[0], rel=1e-9)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("model", [BATCHES, CLASSIFIER], ids=str)
def test_joint_searches_fit_networks_one_by_one_as_scikit_learn_does(model, n_jobs):
    y = CLASSES if model is CLASSIFIER else Y
    grid = {"alpha": [0.0, 0.3], "activation": ["tanh", LeakyReLU(0.2)]}
    found = JointGridSearchCV(model, grid, cv=3, n_jobs=n_jobs).fit(X, y)
    expected = GridSearchCV(model, grid, cv=3).fit(X, y)
    scores = [search.cv_results_["mean_test_score"] for search in (found, expected)]
    np.testing.assert_allclose(*scores, rtol=1e-12)
    assert found.best_params_ == expected.best_params_
    assert_same(found.best_estimator_, expected.best_estimator_, 1e-12)
