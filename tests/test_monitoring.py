"""Monitoring: validation sets, scikit-learn's callbacks, and printed lines."""

import pickle
import warnings

import numpy as np
import pytest
from conftest import make_regression
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor, make_gabor

ROWS, TARGETS = make_regression(n=40, p=8, noise=2.0)
X, X_VAL, Y, Y_VAL = ROWS[:30], ROWS[30:], TARGETS[:30], TARGETS[30:]
WEIGHT_VAL = np.linspace(0.5, 2.0, 10)
FORMS = [
    pytest.param({"optimizer": "nesterov"}, id="full"),
    pytest.param({"optimizer": "momentum", "center": False}, id="momentum"),
    pytest.param({"batch_size": 4, "optimizer": "adam"}, id="batch"),
    pytest.param({"batch_size": 1, "penalty": "l1", "alpha": 0.2}, id="single"),
    pytest.param({"batch_size": 4, "average": 5}, id="average"),
]
EXACT = {"tol": None, "max_iter": 12, "random_state": 0}


def validation_set(weight=None):
    return {"X_val": X_VAL, "y_val": Y_VAL, "sample_weight_val": weight}


def after_each_epoch(model):
    """Return the same fit after 0, 1, 2, ... epochs, each done for itself."""
    start = clone(model).set_params(max_iter=1, learning_rate=1e-300).fit(X, Y)
    rest = [clone(model).set_params(max_iter=k).fit(X, Y) for k in range(1, model.max_iter + 1)]
    return [start, *rest]


# Validation


@pytest.mark.parametrize("options", FORMS[:4])
@pytest.mark.parametrize("weight", [None, WEIGHT_VAL], ids=["plain", "weighted"])
def test_the_score_of_an_epoch_is_that_of_a_fit_that_ends_there(options, weight):
    model = GDRegressor(**options, **EXACT)
    scores = [
        r2_score(Y_VAL, m.predict(X_VAL), sample_weight=weight) for m in after_each_epoch(model)
    ]
    found = model.fit(X, Y, **validation_set(weight)).history_["validation_score"]
    np.testing.assert_allclose(found[1:], scores[1:], rtol=1e-12)
    assert len(found) == 13


@pytest.mark.parametrize("options", FORMS)
@pytest.mark.parametrize("early", [True, False])
def test_the_parameters_of_the_best_epoch_come_back(options, early):
    model = GDRegressor(**options, max_iter=40, tol=0.0, n_iter_no_change=4, random_state=0)
    model.set_params(early_stopping=early)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y, **validation_set())
    scores = model.history_["validation_score"]
    best = int(np.argmax(scores))
    assert best > 0
    assert model.score(X_VAL, Y_VAL) == pytest.approx(scores.max(), rel=1e-12)
    same = clone(model).set_params(max_iter=best, tol=None, early_stopping=False).fit(X, Y)
    np.testing.assert_array_equal(model.coef_, same.coef_)
    np.testing.assert_array_equal(model.intercept_, same.intercept_)


def test_a_fit_ends_when_the_score_has_not_risen_by_tol_for_a_while():
    epochs = []
    for tol in (1e-3, 0.05):
        model = GDRegressor(early_stopping=True, n_iter_no_change=3, tol=tol, batch_size=1)
        model.set_params(learning_rate=1e-3, random_state=0, max_iter=500).fit(
            X, Y, **validation_set()
        )
        scores, bar, stale = model.history_["validation_score"], -np.inf, 0
        for epoch, score in enumerate(scores):
            stale = 0 if score > bar + tol else stale + 1
            bar = max(bar, score) if stale == 0 else bar
            assert (stale == 3) == (epoch == model.n_iter_)
        assert (model.stop_reason_, model.converged_) == ("overfitting", True)
        epochs.append(model.n_iter_)
    assert epochs[0] > epochs[1]


def test_a_random_part_is_held_out_that_the_fit_does_not_see():
    model = GDRegressor(early_stopping=True, validation_fraction=0.2, max_iter=8, random_state=3)
    model.set_params(batch_size=5, tol=None).fit(X, Y)
    seed = np.random.RandomState(3).randint(np.iinfo(np.int32).max)
    training_set, unseen = map(
        np.sort, train_test_split(np.arange(30), test_size=0.2, random_state=seed)
    )
    same = clone(model).fit(X[training_set], Y[training_set], X_val=X[unseen], y_val=Y[unseen])
    np.testing.assert_allclose(model.coef_, same.coef_, rtol=1e-12)
    np.testing.assert_allclose(
        model.history_["validation_score"], same.history_["validation_score"], rtol=1e-12
    )


@pytest.mark.parametrize(
    ("scoring", "measure"),
    [
        ("neg_mean_absolute_error", lambda f: -mean_absolute_error(Y_VAL, f)),
        (get_scorer("r2"), lambda f: r2_score(Y_VAL, f)),
        ("loss", lambda f: -0.5 * np.mean((Y_VAL - f) ** 2)),
    ],
    ids=["name", "callable", "loss"],
)
def test_scoring_chooses_the_measure(scoring, measure):
    model = GDRegressor(scoring=scoring, **EXACT).fit(X, Y, **validation_set())
    assert model.history_["validation_score"].max() == pytest.approx(measure(model.predict(X_VAL)))


def test_monitoring_does_not_change_the_descent():
    for options in ({}, {"batch_size": 4, "optimizer": "adam"}):
        alone = GDRegressor(**options, **EXACT, record_path=True).fit(X, Y)
        watched = clone(alone).fit(X, Y, **validation_set())
        np.testing.assert_array_equal(alone.path_, watched.path_)
        np.testing.assert_array_equal(alone.loss_curve_, watched.loss_curve_)


def test_each_target_has_a_best_epoch_of_its_own():
    both, both_val = np.column_stack([Y, -(Y**2)]), np.column_stack([Y_VAL, -(Y_VAL**2)])
    model = GDRegressor(**EXACT, batch_size=3).fit(X, both, X_val=X_VAL, y_val=both_val)
    for k in range(2):
        alone = clone(model).fit(X, both[:, k], X_val=X_VAL, y_val=both_val[:, k])
        np.testing.assert_allclose(model.coef_[k], alone.coef_, rtol=1e-12)
        scores = model.history_[k]["validation_score"], alone.history_["validation_score"]
        np.testing.assert_allclose(*scores, rtol=1e-12)


def test_a_pipeline_transforms_the_validation_set_like_the_rows():
    with config_context(enable_metadata_routing=True):
        model = GDRegressor(**EXACT).set_fit_request(X_val=True, y_val=True)
        chain = Pipeline([("scale", StandardScaler()), ("fit", model)], transform_input=["X_val"])
        chain.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    scale = StandardScaler().fit(X)
    alone = clone(model).fit(scale.transform(X), Y, X_val=scale.transform(X_VAL), y_val=Y_VAL)
    np.testing.assert_allclose(chain[-1].coef_, alone.coef_, rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X_val": X_VAL}, "X_val and y_val must be given together"),
        ({"y_val": Y_VAL}, "X_val and y_val must be given together"),
        ({"sample_weight_val": WEIGHT_VAL}, "X_val and y_val must be given together"),
        (
            {"X_val": X_VAL[:, :3], "y_val": Y_VAL},
            "X has 3 features, but GDRegressor is expecting",
        ),
        ({"X_val": X_VAL, "y_val": Y_VAL[:4]}, "inconsistent numbers of samples"),
        ({"X_val": X_VAL, "y_val": Y_VAL * np.nan}, "NaN"),
    ],
)
def test_half_a_validation_set_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        GDRegressor().fit(X, Y, **given)


@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
def test_a_validation_set_without_a_score_is_refused():
    with pytest.raises(ValueError, match="score of the start is nan on 1 rows"):
        GDRegressor().fit(X, Y, X_val=X_VAL[:1], y_val=Y_VAL[:1])


def test_where_a_validated_fit_diverges_the_message_is_of_the_rate():
    model = GDRegressor(optimizer="gd", learning_rate=1e9, batch_size=1, random_state=0)
    with pytest.raises(ValueError, match="Lower the learning rate"):
        model.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    scores = model.history_["validation_score"]
    np.testing.assert_array_equal(np.isfinite(scores), np.isfinite(model.loss_curve_))
    assert np.isfinite(scores[0])
    assert np.isnan(scores[-1])


def test_epochs_before_there_was_validation_have_no_score():
    model = GDRegressor(optimizer="gd", warm_start=True, max_iter=3, tol=None).fit(X, Y)
    scores = model.fit(X, Y, **validation_set()).history_["validation_score"]
    assert len(scores) == len(model.loss_curve_)
    assert np.isnan(scores[:-4]).all()
    assert np.isfinite(scores[-4:]).all()  # of where the call began, and of its three epochs
    assert scores[-1] == pytest.approx(model.score(X_VAL, Y_VAL), rel=1e-12)


def test_partial_fit_does_not_validate():
    with pytest.raises(ValueError, match="early_stopping should be False with partial_fit"):
        GDRegressor(early_stopping=True).partial_fit(X, Y)


def test_the_best_epoch_of_the_best_start_of_a_wave_comes_back():
    rows, y = load_gabor(return_X_y=True)
    rows_val, y_val = make_gabor(20, theta=(0.0, 16.6), noise=0.1, random_state=1)[:2]
    model = GDGaborRegressor(n_init=3, max_iter=30, tol=None, random_state=0)
    model.fit(rows, y, X_val=rows_val, y_val=y_val)
    assert model.score(rows_val, y_val) == pytest.approx(
        model.history_["validation_score"].max(), rel=1e-12
    )
    single = GDGaborRegressor(init=model.starts_[0], max_iter=30, tol=None)
    single.fit(rows, y, X_val=rows_val, y_val=y_val)
    assert single.history_["validation_score"].max() <= model.history_["validation_score"].max()


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_of_many_starts_the_one_with_the_best_score_is_reported_not_that_of_the_lowest_loss(seed):
    rows, y = make_gabor(12, noise=0.3, random_state=seed)
    rows_val, y_val = make_gabor(12, noise=0.3, random_state=seed + 50)
    model = GDGaborRegressor(n_init=4, n_screen=100, max_iter=30, tol=None, random_state=0)
    model.fit(rows, y, X_val=rows_val, y_val=y_val)
    alone = [
        clone(model).set_params(init=start).fit(rows, y, X_val=rows_val, y_val=y_val)
        for start in model.starts_
    ]
    scores = [each.history_["validation_score"].max() for each in alone]
    objectives = [each.minima_[0].objective for each in alone]
    assert np.argmax(scores) != np.argmin(objectives)
    np.testing.assert_allclose(model.theta_, alone[np.argmax(scores)].theta_, rtol=1e-9)


@pytest.mark.parametrize("early", [True, False])
def test_of_epochs_with_equal_scores_the_first_comes_back(early):
    model = GDRegressor(optimizer="gd", scoring=lambda *_: 1.0, early_stopping=early, max_iter=9)
    model.set_params(tol=0.0 if early else None).fit(X, Y, **validation_set())
    np.testing.assert_array_equal(model.coef_, np.zeros(8))
    assert model.n_iter_ == (5 if early else 9)


# Callbacks


class Counting:
    """Counts the tasks of a fit, and ends it after some epochs."""

    def __init__(self, last=np.inf):
        self.last, self.begun, self.ended, self.scores = last, [], [], []

    def setup(self, estimator, context):
        self.begun, self.ended = [], []

    def teardown(self, estimator, context):
        self.over = True

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None, X=None, y=None):
        self.ended.append(context.task_name)
        if context.task_name == "epoch":
            self.scores.append(fitted_estimator.score(X, y))
        return self.ended.count("epoch") >= self.last


@pytest.fixture
def callback_module():
    return pytest.importorskip("sklearn.callback")


@pytest.mark.parametrize("options", FORMS[:4])
def test_a_callback_is_called_every_epoch_and_for_no_batch(callback_module, options):
    counting = Counting()
    model = GDRegressor(**options, **EXACT).set_callbacks(counting).fit(X, Y)
    assert counting.begun == ["fit", *["epoch"] * 12]
    assert counting.ended == [*["epoch"] * 12, "fit"]
    assert counting.over
    scores = [m.score(X, Y) for m in after_each_epoch(clone(model).set_callbacks())[1:]]
    np.testing.assert_allclose(counting.scores, scores, rtol=1e-12)


@pytest.mark.parametrize("options", FORMS)
def test_a_callback_stops_the_fit(callback_module, options):
    model = GDRegressor(**options, max_iter=12, tol=0.0, random_state=0)
    short = clone(model).set_params(max_iter=3, tol=None).fit(X, Y)
    model.set_callbacks(Counting(last=3)).fit(X, Y)
    assert (model.stop_reason_, model.n_iter_, model.converged_) == ("stopped", 3, False)
    np.testing.assert_array_equal(model.coef_, short.coef_)


def test_a_callback_stops_a_fit_within_a_pipeline(callback_module):
    model = GDRegressor(optimizer="nesterov", tol=0.0).set_callbacks(Counting(last=2))
    chain = make_pipeline(StandardScaler(), model)
    assert chain.fit(X, Y)[-1].n_iter_ == 2


@pytest.mark.parametrize("penalty", ["l1", "l2", None])
def test_a_callback_follows_a_direct_solver_and_does_not_change_it(callback_module, penalty):
    counting = Counting()
    alone = GDRegressor(penalty=penalty, alpha=0.1, tol=1e-8).fit(X, Y)
    watched = clone(alone).set_callbacks(counting).fit(X, Y)
    np.testing.assert_array_equal(watched.coef_, alone.coef_)
    assert counting.begun == ["fit", *["epoch"] * watched.n_iter_]
    assert counting.ended == [*["epoch"] * watched.n_iter_, "fit"]
    assert counting.scores[-1] == pytest.approx(watched.score(X, Y), rel=1e-12)


def test_starts_and_targets_are_tasks_of_their_own(callback_module):
    counting = Counting()
    GDRegressor(max_iter=2, tol=None).set_callbacks(counting).fit(X, np.column_stack([Y, -Y]))
    assert counting.ended == [*["epoch"] * 4, "fit"]
    rows, y = load_gabor(return_X_y=True)
    model = GDGaborRegressor(n_init=3, n_screen=100, max_iter=2, random_state=0)
    model.set_callbacks(counting).fit(rows, y)
    assert counting.ended == [*["epoch"] * 2 * len(model.starts_), "fit"]


@pytest.mark.slow
def test_a_monitor_follows_two_processes_of_a_search(callback_module):
    monitor = callback_module.ScoringMonitor(scoring="r2")
    model = GDRegressor(max_iter=4, tol=None).set_callbacks(monitor)
    search = GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2, n_jobs=2).fit(X, Y)
    logs = [log.data for log in monitor.get_logs(select="all")]
    scores = [row["r2"] for log in logs for row in log if row["task_name"] == "epoch"]
    assert len(scores) == 4 * (2 * 2 + 1)
    assert np.abs(np.array(scores) - search.best_estimator_.score(X, Y)).min() < 1e-12


@pytest.mark.slow
def test_a_progress_bar_follows_a_search(callback_module, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    chain = make_pipeline(StandardScaler(), GDRegressor(max_iter=3, tol=None))
    search = GridSearchCV(chain, {"gdregressor__alpha": [0.1, 1.0]}, cv=2, n_jobs=2)
    search.set_callbacks(callback_module.ProgressBar(max_propagation_depth=3)).fit(X, Y)
    printed = capsys.readouterr().out
    assert "GridSearchCV" in printed
    assert "GDRegressor" in printed
    plain = clone(search).set_callbacks().fit(X, Y)
    np.testing.assert_allclose(
        plain.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"], rtol=1e-12
    )


def test_callbacks_survive_a_clone_and_leave_nothing_in_the_pickle_of_a_fit(callback_module):
    model = GDRegressor(max_iter=2, tol=None).set_callbacks(Counting()).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert not [name for name in vars(again) if "callback" in name and name != "_skl_callbacks"]


def test_a_score_that_still_rises_at_the_last_epoch_gives_a_warning():
    model = GDRegressor(early_stopping=True, max_iter=2, learning_rate=1e-3)
    with pytest.warns(ConvergenceWarning, match="the validation score was still rising"):
        model.fit(X, Y, **validation_set())


# Lines


def test_verbose_prints_lines_at_growing_distances(capsys):
    GDRegressor(verbose=1, max_iter=60, tol=None).fit(X, Y, **validation_set())
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[1]) for line in lines] == [1, 2, 3, 5, 10, 20, 30, 50]
    assert all("objective" in line and "validation score" in line for line in lines)
