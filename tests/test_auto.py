"""The default optimizer: its minimum, its certificate, and when a descent runs instead."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge

from skgd import GDRegressor
from skgd.estimators.minimizers import asked_of_a_descent
from skgd.estimators.nested_parameters import part_of
from skgd.kernels.moments import column_moments
from skgd.losses import AbsoluteError, Huber, Quantile
from skgd.models import Linear
from skgd.objective.objective import Objective
from skgd.objective.piece_facts import PieceFacts
from skgd.objective.pieces import PiecesTerm
from skgd.penalties import L2, Penalty
from skgd.pieces import from_callables
from skgd.solvers.auto import REASONS, reason_against

GUIDE = Path(__file__).parents[1] / "doc" / "guide" / "choosing.rst"


def make_wide(n=40, p=90, seed=0):
    """Return more columns than rows, some of them far from zero, and a sparse truth."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.uniform(-2.0, 2.0, p)
    y = 5.0 + X[:, :6] @ rng.standard_normal(6) + 0.3 * rng.standard_normal(n)
    return X, y


def certificates(model, X, y, share, weight=None):
    """Return the least and a plain bound on what is left, written from the definition of the dual.

    The dual of ``mean s (f - y)^2 / 2 + a |w| + b w^2 / 2`` at v, a multiple of the residual with
    mean zero, is ``mean s v y - mean s v^2 / 2 - sum max(|X^T s v| - a, 0)^2 / (2 b)``. The least
    bound is that of the best multiple on a grid, the plain one that of the residual itself or,
    with b = 0, of its largest feasible share.
    """
    X = np.asarray(X, dtype=float)
    s = np.ones(len(y)) if weight is None else weight
    s, y, w = s / s.sum(), np.asarray(y, dtype=float), model.coef_.astype(float)
    a, b = model.alpha * share, model.alpha * (1.0 - share)
    r = y - X @ w - float(model.intercept_)
    primal = 0.5 * s @ r**2 + a * np.abs(w).sum() + 0.5 * b * w @ w
    v = r - s @ r
    steep = np.abs(X.T @ (s * v))
    largest = min(1.0, a / steep.max()) if b == 0.0 else 1.0
    multiples = np.append(np.linspace(0.0, 1.0 if b == 0.0 else 2.0, 4001) * largest, largest)
    excess = np.maximum(multiples[:, None] * steep - a, 0.0)
    cost = (excess**2).sum(axis=1) / (2.0 * b) if b > 0.0 else 0.0
    bounds = primal - multiples * (s @ (v * y)) + 0.5 * multiples**2 * (s @ v**2) + cost
    return bounds.min(), bounds[-1]


PENALTIES = [("l1", 1.0), ("elasticnet", 0.4), ("l2", 0.0)]
FORMS = {
    "tall": lambda: (*make_regression(n=60, p=5), None),
    "wide": lambda: (*make_wide(), None),
    "weighted": lambda: (*make_wide(seed=1), np.random.default_rng(1).uniform(0.0, 2.0, 40)),
    "constant columns": lambda: (
        np.c_[np.zeros(40), make_wide()[0], np.ones(40)],
        make_wide()[1],
        None,
    ),
}


def fit(penalty, share, X, y, weight=None, alpha=0.1, **options):
    return GDRegressor(penalty=penalty, l1_ratio=share, alpha=alpha, **options).fit(X, y, weight)


@pytest.mark.parametrize(("penalty", "share"), PENALTIES)
@pytest.mark.parametrize("form", FORMS)
def test_the_certificate_is_that_of_the_definition_at_convergence(form, penalty, share):
    X, y, weight = FORMS[form]()
    spread = np.average((y - np.average(y, weights=weight)) ** 2, weights=weight)
    for tol in (1e-2, 1e-4):
        model = fit(penalty, share, X, y, weight, tol=tol)
        least, plain = certificates(model, X, y, share, weight)
        assert model.converged_
        assert least - 1e-5 * spread * tol <= model.dual_gap_ <= plain + 1e-12 * spread
        best = fit(penalty, share, X, y, weight, tol=1e-11)
        above = model.loss_curve_[-1] - best.loss_curve_[-1]
        assert -1e-12 * spread <= above <= model.dual_gap_ + 1e-12 * spread


@pytest.mark.parametrize(("penalty", "share"), PENALTIES)
def test_the_certificate_holds_after_one_evaluation(penalty, share):
    X, y = make_wide(p=300)
    best = fit(penalty, share, X, y, alpha=0.01, tol=1e-11).loss_curve_[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # l2 needs no second look
        model = fit(penalty, share, X, y, alpha=0.01, tol=1e-9, max_iter=1)
    least, plain = certificates(model, X, y, share)
    assert model.n_iter_ == 1
    assert model.converged_ or share > 0.0
    assert model.loss_curve_[-1] - best <= model.dual_gap_ + 1e-12 * y.var()
    assert least - 1e-6 * y.var() <= model.dual_gap_ <= plain + 1e-12 * y.var()


def test_after_max_iter_the_warning_names_the_residual():
    X, y = make_wide(p=300)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 epochs: the scaled residual is"):
        fit("l1", 1.0, X, y, alpha=0.01, tol=1e-9, max_iter=1)


@pytest.mark.parametrize(("penalty", "share"), PENALTIES)
def test_a_constant_target_has_residual_zero(penalty, share):
    model = fit(penalty, share, make_wide()[0], np.full(40, 3.0))
    assert not model.coef_.any()
    assert (model.intercept_, model.dual_gap_, model.converged_) == (3.0, 0.0, True)


@pytest.mark.parametrize(("penalty", "share"), PENALTIES)
def test_columns_of_zeros_have_weight_zero(penalty, share):
    y = make_wide()[1]
    model = fit(penalty, share, np.zeros((40, 30)), y)
    assert not model.coef_.any()
    np.testing.assert_allclose(model.intercept_, y.mean())
    assert model.dual_gap_ <= 1e-12 * y.var()


@pytest.mark.parametrize(("penalty", "share"), PENALTIES)
def test_sparse_rows_are_the_same_rows(penalty, share):
    X, y = make_wide()
    X[np.abs(X) < 1.5] = 0.0
    weight = np.random.default_rng(2).uniform(0.5, 2.0, 40)
    dense = fit(penalty, share, X, y, weight, tol=1e-10)
    model = fit(penalty, share, sparse.csr_matrix(X), y, weight, tol=1e-10)
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, dense.intercept_, atol=1e-8)


@pytest.mark.parametrize(("penalty", "share"), PENALTIES)
@pytest.mark.parametrize("form", ["tall", "wide"])
def test_single_precision_is_certified_to_its_own_rounding(form, penalty, share):
    X, y, _ = FORMS[form]()
    X = X.astype(np.float32)
    model = fit(penalty, share, X, y, tol=1e-7)
    least, plain = certificates(model, X, y, share)
    assert model.coef_.dtype == np.float32
    assert least - 1e-5 * y.var() <= model.dual_gap_ <= plain + 1e-5 * y.var()
    exact = fit(penalty, share, X.astype(float), y, tol=1e-11)
    size = np.abs(exact.coef_).max()
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=0.0, atol=1e-5 * size)


def test_rows_without_weight_are_not_there():
    X, y = make_wide()
    weight = np.repeat([1.0, 0.0], 20)
    for penalty, share in PENALTIES:
        model = fit(penalty, share, X, y, weight, tol=1e-9)
        alone = fit(penalty, share, X[:20], y[:20], tol=1e-9)
        np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-7)


PEERS = {
    "l1": lambda a, n: Lasso(alpha=a, tol=1e-12, max_iter=100_000),
    "elasticnet": lambda a, n: ElasticNet(alpha=a, l1_ratio=0.4, tol=1e-12, max_iter=100_000),
    "l2": lambda a, n: Ridge(alpha=n * a),
    None: lambda a, n: LinearRegression(),
}


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.3, 0.01])
@pytest.mark.parametrize("penalty", PEERS)
@pytest.mark.parametrize("form", ["tall", "wide"])
def test_the_minimum_is_scikit_learns(form, penalty, alpha, intercept):
    X, y, _ = FORMS[form]()
    peer = PEERS[penalty](alpha, len(y)).set_params(fit_intercept=intercept).fit(X, y)
    model = fit(penalty, 0.4, X, y, alpha=alpha, fit_intercept=intercept, tol=1e-12)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, atol=1e-6)


def test_at_the_minimum_one_evaluation_suffices():
    X, y = make_wide()
    steepest = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(y)
    model = fit("l1", 1.0, X, y, alpha=1.001 * steepest)
    assert (model.n_iter_, model.converged_, len(model.loss_curve_)) == (1, True, 2)
    assert not model.coef_.any()
    assert fit("l1", 1.0, X, y, alpha=0.99 * steepest, tol=1e-6).coef_.any()


def test_columns_given_twice_share_one_minimum():
    X, y = make_wide()
    model = fit("l1", 1.0, np.c_[X, X], y, alpha=0.05, tol=1e-10)
    once = fit("l1", 1.0, X, y, alpha=0.05, tol=1e-10)
    assert model.converged_
    np.testing.assert_allclose(model.coef_[:90] + model.coef_[90:], once.coef_, atol=1e-7)


def test_far_from_the_origin_the_minimum_is_the_same():
    X, y = make_regression(n=60, p=5)
    for penalty in ("l1", "l2"):
        near, far = (fit(penalty, 1.0, X + shift, y, tol=1e-8) for shift in (0.0, 1e5))
        assert far.converged_
        np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-5)


def test_a_perfect_fit_is_found_to_rounding():
    X, _ = make_regression(n=60, p=5)
    truth = np.array([1.0, -2.0, 0.0, 3.0, 0.5])
    model = fit(None, 1.0, X, X @ truth + 7.0, tol=1e-12)
    np.testing.assert_allclose(model.coef_, truth, atol=1e-11)
    assert model.dual_gap_ <= 10.0 * np.finfo(float).eps * np.mean((X @ truth + 7.0) ** 2)


def test_without_a_penalty_the_solution_of_least_norm_is_found():
    X, y = make_wide()
    model = fit(None, 1.0, X, y, tol=1e-12)
    Z = X - X.mean(axis=0)
    least = np.linalg.lstsq(Z, y - y.mean(), rcond=1e-10)[0]  # the rank of Z is one below n
    np.testing.assert_allclose(model.coef_, least, atol=1e-9)


class WithoutKinks(Quantile):
    """The quantile loss, without its kinks."""

    __slots__ = ()
    kinks = None


ASKED = {  # by its name in `REASONS`: parameters that only a descent can honour
    "learning_rate": {"learning_rate": 0.01},
    "schedule": {"schedule": "exponential"},
    "batch_size": {"batch_size": 8},
    "init": {"init": np.zeros(6)},
    "record_path": {"record_path": True},
    "average": {"average": True},
    "clip_norm": {"clip_norm": 1e3},
    "clip_value": {"clip_value": 1e3},
    "early_stopping": {"early_stopping": True},
    "tol": {"tol": None, "max_iter": 3},
    "loss": {"loss": WithoutKinks(), "tol": 0.5},
    "center": {"center": False},
}


def reason(model, streams=False, validates=False):
    """Return why a descent would run for this model, on the objective of all its parameters."""
    X, y = make_regression(n=60, p=5)
    asked = asked_of_a_descent(vars(model), part_of(model, "schedule"), streams, validates)
    return reason_against(model.objective(X, y), asked)


@pytest.mark.parametrize("name", ASKED)
def test_options_of_iterates_lead_to_a_descent_and_the_reason_names_them(name):
    X, y = make_regression(n=60, p=5)
    model = GDRegressor(random_state=0, **ASKED[name]).fit(X, y)
    assert np.isfinite(model.learning_rate_)
    assert reason(model) == REASONS[name]


def test_without_such_options_there_is_no_reason_against_a_direct_solver():
    X, y = make_regression(n=60, p=5)
    model = GDRegressor(fit_intercept=False)
    assert reason(model) is None
    assert np.isnan(model.fit(X, y).learning_rate_)
    assert np.isnan(GDRegressor().fit(X, y).learning_rate_)


def test_a_named_optimizer_is_a_descent():
    X, y = make_regression(n=60, p=5)
    assert np.isfinite(GDRegressor(optimizer="nesterov").fit(X, y).learning_rate_)


def test_more_columns_than_factors_can_have_lead_to_a_descent():
    X, y = sparse.csr_array(sparse.identity(3000, format="csr")), np.zeros(3000)
    objective = GDRegressor(loss="huber", penalty="l2").objective(X, y)
    assert reason_against(objective, set()) == REASONS["size"]
    assert reason_against(GDRegressor(loss="huber").objective(X[:, :9], y), set()) is None


def test_more_columns_than_sums_can_have_lead_to_a_descent_on_pieces():
    X = np.random.default_rng(0).standard_normal((30, 1001))
    y, columns = X[:, 0], column_moments(X, np.ones(30))
    facts = PieceFacts.read(from_callables([lambda: (X, y)]).engine, 1001, X.dtype, False)
    for loss in (Huber(), AbsoluteError()):
        term = PiecesTerm(facts, Linear(True), loss, None, columns)
        assert reason_against(Objective(term, L2(), 0.1), set()) == REASONS["pieces"]
    assert np.isnan(
        GDRegressor("huber").fit(from_callables([lambda: (X[:, :9], y)])).learning_rate_
    )


def test_one_epoch_of_a_stream_is_of_a_descent():
    X, y = make_regression(n=60, p=5)
    assert reason(GDRegressor(), streams=True) == REASONS["partial_fit"]
    assert np.isfinite(GDRegressor().partial_fit(X, y).learning_rate_)


def test_with_validation_rows_a_descent_runs():
    X, y = make_regression(n=60, p=5)
    model = GDRegressor().fit(X[:50], y[:50], X_val=X[50:], y_val=y[50:])
    assert np.isfinite(model.learning_rate_)
    assert len(model.history_["validation_score"]) == model.n_iter_ + 1
    assert reason(model, validates=True) == REASONS["validation_set"]


def test_a_custom_penalty_is_a_reason_for_a_descent():
    class Cubic(Penalty):
        def value(self, w):
            return abs(w) ** 3

    assert reason(GDRegressor(penalty=Cubic(), fit_intercept=False)) == REASONS["penalty"]


def test_every_reason_is_tested_here_and_stands_in_the_guide():
    assert set(REASONS) == {*ASKED, "partial_fit", "validation_set", "penalty", "size", "pieces"}
    table = " ".join(GUIDE.read_text(encoding="utf-8").replace("``", "").split())
    assert [sentence for sentence in REASONS.values() if sentence not in table] == []


def test_a_descent_of_the_default_optimizer_is_nesterovs():
    X, y = make_regression(n=60, p=5)
    auto, named = (
        GDRegressor(optimizer=name, record_path=True, max_iter=5, tol=None).fit(X, y)
        for name in ("auto", "nesterov")
    )
    np.testing.assert_array_equal(auto.path_, named.path_)


def test_epochs_after_a_direct_solver_begin_where_it_ended():
    X, y = make_regression(n=60, p=5)
    model = GDRegressor(alpha=0.1, tol=1e-10).fit(X, y)
    before = model.coef_
    np.testing.assert_allclose(model.partial_fit(X, y).coef_, before, atol=1e-8)
