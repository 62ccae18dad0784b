"""Batches and networks on pieces of rows: epochs over the pieces in turn, as `partial_fit`."""

import itertools
import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from skgd import GDMLPClassifier, GDMLPRegressor, GDRegressor
from skgd.pieces import from_callables
from skgd.schedules import Cosine, Exponential

RNG = np.random.default_rng(3)
X = RNG.standard_normal((300, 4)) + 0.5
Y = X @ [1.0, -2.0, 0.0, 3.0] + 4.0 + 0.3 * RNG.standard_normal(300)
KINDS = np.digitize(Y, np.quantile(Y, [0.5, 0.8]))
WEIGHT = RNG.uniform(0.1, 2.0, 300)
CUTS = [0, 40, 40, 130, 133, 210, 300]  # uneven, one of them empty
LIMIT = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SEED = 5


def in_pieces(X, y, weight=None, cuts=CUTS):
    def loader(a, b):
        return lambda: (X[a:b], y[a:b], None if weight is None else weight[a:b])

    return from_callables([loader(a, b) for a, b in itertools.pairwise(cuts)])


def orders(n_epochs, sampling="shuffle", n_pieces=6):
    """Return the orders of the pieces that the seed leads to, as the docstring of `fit` says."""
    if sampling == "cyclic":
        return [range(n_pieces)] * n_epochs
    seed = check_random_state(SEED).randint(np.iinfo(np.int32).max)
    return [np.random.default_rng([seed, k]).permutation(n_pieces) for k in range(n_epochs)]


def by_calls(model, n_epochs, y, weight=None, **known):
    """Return the model after calls of `partial_fit` on the pieces, and all objectives."""
    found = []
    for order in orders(n_epochs, model.sampling):
        ends = []
        for k in order:
            rows = slice(CUTS[k], CUTS[k + 1])
            if rows.start < rows.stop:
                own = None if weight is None else weight[rows]
                model.partial_fit(X[rows], y[rows], own, **known)
                total = (rows.stop - rows.start) if weight is None else weight[rows].sum()
                ends.append((*model.loss_curve_, total))
        found.append(np.array(ends))
    return model, found


def assert_equal_solutions(one, other):
    for name in ("coef_", "intercept_", "coefs_", "intercepts_", "running_means_"):
        if name in vars(other):
            found = vars(one)[name], vars(other)[name]
            pairs = zip(*found) if isinstance(found[0], list) else [found]
            for a, b in pairs:
                np.testing.assert_array_equal(a, b)
    assert one.t_ == pytest.approx(other.t_)


LINEAR = [
    {"batch_size": 16},
    {"batch_size": 1, "optimizer": "gd", "penalty": "l1", "alpha": 0.1},
    {"batch_size": 16, "optimizer": "adam", "sampling": "cyclic"},
    {"batch_size": 16, "optimizer": "momentum", "sampling": "replacement"},
    {"batch_size": 16, "optimizer": "saga"},
    {"batch_size": 1000, "optimizer": "nesterov"},
    {"batch_size": 16, "loss": "huber", "average": True},
    {"batch_size": 16, "learning_rate": 0.01, "schedule__per": "update"},
    {"batch_size": 16, "center": True, "optimizer": "gd"},
]


def linear(options):
    options = {**options, "tol": None, "max_iter": 3, "random_state": SEED}
    if options.pop("schedule__per", None):
        options["schedule"] = Exponential(decay=0.99, per="update")
    return GDRegressor(**options)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("options", LINEAR, ids=str)
def test_a_fit_of_batches_to_pieces_has_the_bits_of_partial_fit_on_them_in_turn(options, weight):
    model = linear(options)
    twin, ends = by_calls(clone(model), 3, Y, weight)
    model.fit(in_pieces(X, Y, weight))
    if options.get("center"):  # the intercept is told from means that are added otherwise
        np.testing.assert_array_equal(model.coef_, twin.coef_)
        np.testing.assert_allclose(model.intercept_, twin.intercept_, rtol=1e-12)
    else:
        assert_equal_solutions(model, twin)
    means = [np.average(one[:, 1], weights=one[:, 2]) for one in ends]
    means.insert(0, np.average(ends[0][:, 0], weights=ends[0][:, 2]))
    np.testing.assert_allclose(model.loss_curve_, means, rtol=1e-12)
    assert model.n_iter_ == 3


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": None, "optimizer": "momentum"},
        {"batch_norm": True, "sampling": "cyclic"},
        {"penalty": "l1", "optimizer": "gd", "batch_size": 8},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [GDMLPRegressor, GDMLPClassifier])
def test_a_network_on_pieces_has_the_bits_of_partial_fit_on_them_in_turn(kind, options):
    if kind is GDMLPClassifier and options.get("batch_norm"):
        options = {**options, "batch_norm": [True]}
    options = {**options, "tol": None, "max_iter": 3, "random_state": SEED}
    model, y = kind((5,), **options), KINDS if kind is GDMLPClassifier else Y
    twin, known = clone(model), {}
    if kind is GDMLPClassifier:
        known["classes"] = [0, 1, 2]
    twin, _ = by_calls(twin, 3, y, **known)
    model.fit(in_pieces(X, y))
    assert_equal_solutions(model, twin)
    np.testing.assert_array_equal(model.predict(X), twin.predict(X))


def test_the_classes_of_all_pieces_are_learnt_though_none_holds_all():
    order = np.argsort(KINDS, kind="stable")
    pieces = in_pieces(X[order], KINDS[order])
    model = GDMLPClassifier((8,), max_iter=5, tol=None, random_state=0).fit(pieces)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.classes_.dtype.kind == "i"
    assert model.predict_proba(X).shape == (300, 3)


def test_balanced_classes_are_balanced_over_all_pieces():
    order = np.argsort(KINDS, kind="stable")
    options = {"max_iter": 3, "tol": None, "random_state": 0, "sampling": "cyclic"}
    balanced = GDMLPClassifier((4,), class_weight="balanced", **options)
    balanced.fit(in_pieces(X[order], KINDS[order]))
    counts = np.bincount(KINDS)
    factors = (300.0 / (3.0 * counts))[KINDS[order]]
    model = GDMLPClassifier((4,), **options).fit(in_pieces(X[order], KINDS[order], factors))
    assert_equal_solutions(balanced, model)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="one class only, 0"):
        GDMLPClassifier().fit(in_pieces(X, np.zeros(300)))


def test_batches_on_pieces_come_to_the_minimum_where_the_rate_falls():
    options = {"batch_size": 16, "optimizer": "gd", "schedule": "cosine", "max_iter": 60}
    model = GDRegressor(alpha=0.1, random_state=0, tol=None, **options).fit(in_pieces(X, Y))
    exact = GDRegressor(alpha=0.1, tol=1e-12).fit(X, Y)
    objective = exact.objective(X, Y)
    excess = objective.value(model.parameters()) - objective.value(exact.parameters())
    assert excess <= model.dual_gap_ * (1.0 + 1e-9)
    assert model.dual_gap_ <= 1e-3 * objective.null_objective


def test_a_schedule_counts_passes_over_all_pieces():
    model = GDRegressor(
        batch_size=16, schedule=Cosine(), learning_rate=0.01, max_iter=5, tol=None, random_state=0
    ).fit(in_pieces(X, Y))
    multipliers = Cosine(horizon=5).multiplier(np.arange(5))
    np.testing.assert_allclose(model.history_["learning_rate"][1:], 0.01 * multipliers)
    np.testing.assert_array_equal(model.history_["updates"], 21 * np.arange(6))
    assert model.t_ == 105


@LIMIT
def test_an_adaptive_schedule_cuts_the_rate_and_ends():
    options = {"batch_size": 16, "schedule": "adaptive", "schedule__wait": 2}
    model = GDRegressor(random_state=0, tol=1e-3).set_params(**options).fit(in_pieces(X, Y))
    rates = model.history_["learning_rate"][1:]
    assert model.stop_reason_ == "plateau"
    assert rates[-1] < 1e-5 * rates[0]


@LIMIT
def test_epochs_end_when_the_mean_objective_stops_improving():
    options = {"batch_size": 16, "random_state": 0, "n_iter_no_change": 4, "tol": 1e-3}
    with pytest.warns(ConvergenceWarning, match="let it fall by a schedule"):
        model = GDRegressor(optimizer="gd", alpha=0.0, learning_rate=0.1, **options).fit(
            in_pieces(X, Y)
        )
    bar = 1e-3 * 0.5 * np.var(Y)
    best, stale = np.inf, []
    for value in model.loss_curve_[1:]:
        stale.append(not value < best - bar)
        best = min(best, value)
    runs = [sum(stale[k - 4 : k]) for k in range(4, len(stale) + 1)]
    assert runs[-1] == 4
    assert max(runs[:-1], default=0) < 4


@LIMIT
def test_epochs_that_are_validated_keep_the_best_and_end():
    options = {"batch_size": 16, "random_state": 0, "early_stopping": True, "n_iter_no_change": 3}
    model = GDRegressor(optimizer="gd", **options)
    with pytest.raises(ValueError, match="X_val and y_val"):
        model.fit(in_pieces(X, Y))
    model.fit(in_pieces(X[:210], Y[:210], cuts=CUTS[:-1]), X_val=X[210:], y_val=Y[210:])
    scores = model.history_["validation_score"]
    assert model.stop_reason_ == "overfitting"
    assert len(scores) == model.n_iter_ + 1
    assert model.score(X[210:], Y[210:]) == pytest.approx(scores.max(), rel=1e-12)


@pytest.mark.parametrize("sampling", ["shuffle", "cyclic"])
def test_a_warm_start_on_pieces_is_a_fit_that_never_stopped(sampling):
    options = {"batch_size": 16, "tol": None, "random_state": SEED, "sampling": sampling}
    once = GDRegressor(**options, max_iter=6).fit(in_pieces(X, Y))
    twice = GDRegressor(**options, max_iter=3, warm_start=True)
    twice = pickle.loads(pickle.dumps(twice.fit(in_pieces(X, Y)))).fit(in_pieces(X, Y))
    assert_equal_solutions(once, twice)
    assert twice.n_iter_ == 3
    assert len(twice.loss_curve_) == 4


def test_partial_fit_on_pieces_is_one_epoch():
    options = {"batch_size": 16, "tol": None, "random_state": SEED}
    once = GDRegressor(**options, max_iter=2).fit(in_pieces(X, Y))
    parts = GDRegressor(**options)
    parts.partial_fit(in_pieces(X, Y)).partial_fit(in_pieces(X, Y))
    assert_equal_solutions(once, parts)
    network = GDMLPClassifier((4,), random_state=0)
    network.partial_fit(in_pieces(X, KINDS), classes=[0, 1, 2, 3])
    assert network.predict_proba(X).shape == (300, 4)


def test_several_targets_are_fitted_in_turn():
    Y2 = np.column_stack([Y, -Y + X[:, 0]])
    model = GDRegressor(batch_size=16, tol=None, max_iter=3, random_state=SEED)
    twin = clone(model)
    for order in orders(3):
        for k in order:
            rows = slice(CUTS[k], CUTS[k + 1])
            if rows.start < rows.stop:
                twin.partial_fit(X[rows], Y2[rows])
    model.fit(in_pieces(X, Y2))
    np.testing.assert_array_equal(model.coef_, twin.coef_)
    np.testing.assert_array_equal(model.t_, twin.t_)


@pytest.mark.parametrize("form", [sparse.csr_matrix, np.float32], ids=["csr", "float32"])
def test_sparse_and_single_rows_are_visited_in_turn(form):
    rows = form(np.where(np.abs(X) > 0.5, X, 0.0))
    model = GDRegressor(batch_size=16, tol=None, max_iter=2, random_state=SEED)
    twin = clone(model)
    for order in orders(2):
        for k in order:
            part = slice(CUTS[k], CUTS[k + 1])
            if part.start < part.stop:
                twin.partial_fit(rows[part], Y[part])
    model.fit(in_pieces(rows, Y))
    np.testing.assert_array_equal(model.coef_, twin.coef_)
    assert model.coef_.dtype == twin.coef_.dtype


def test_the_path_of_epochs_in_turn_holds_every_update():
    options = {"batch_size": 16, "tol": None, "random_state": 0, "record_path": True}
    model = GDRegressor(**options, max_iter=2).fit(in_pieces(X, Y))
    assert model.path_.shape == (model.t_ + 1, 5)
    np.testing.assert_array_equal(model.path_[-1], [*model.coef_, model.intercept_])


def test_a_rate_that_is_too_large_is_reported_as_diverged():
    options = {"batch_size": 16, "optimizer": "gd", "random_state": 0}
    model = GDRegressor(learning_rate=10.0, **options)
    with pytest.warns(ConvergenceWarning, match="GDRegressor diverged"):
        model.fit(in_pieces(X, Y))
    with pytest.raises(ValueError, match="diverged"):
        model.predict(X)
    with pytest.warns(ConvergenceWarning, match="has not converged in max_iter=1"):
        GDRegressor(max_iter=1, **options).fit(in_pieces(X, Y))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            GDMLPRegressor(optimizer="lbfgs", batch_size=None),
            "cannot use optimizer='lbfgs' on pieces",
        ),
        (GDRegressor(batch_size=8, polish=True), "cannot use polish=True on pieces in turn"),
        (GDMLPRegressor(recalibrate=True), "cannot use recalibrate=True on pieces in turn"),
    ],
)
def test_what_pieces_in_turn_cannot_honour_is_refused_in_words(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(in_pieces(X, Y))


def test_what_is_not_finite_is_reported_before_anything_is_fitted():
    rows = X.copy()
    rows[200] = np.nan
    for model in (GDRegressor(batch_size=8), GDMLPRegressor()):
        with pytest.raises(ValueError, match=r"Input X contains NaN.*row 67 of piece 4"):
            model.fit(in_pieces(rows, Y))


def test_names_of_columns_come_without_a_warning(recwarn):
    pieces = in_pieces(X, Y)
    pieces.names = list("abcd")
    model = GDRegressor(batch_size=16, tol=None, max_iter=2, random_state=0).fit(pieces)
    assert model.feature_names_in_.tolist() == list("abcd")
    assert not recwarn.list
