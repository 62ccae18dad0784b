"""L-BFGS and Newton's method: their minima, their iterates, their record, and what they refuse."""

import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import make_regression
from scipy import optimize, sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor, Ridge
from sklearn.model_selection import GridSearchCV

from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor
from skgd.estimators.minimizers import SECOND_ORDER
from skgd.losses import LOSSES, Loss
from skgd.penalties import Penalty
from skgd.reference import compare, lbfgs
from skgd.schedules import Cosine
from skgd.solvers.second_order import REASONS

GUIDE = Path(__file__).parents[1] / "doc" / "guide" / "choosing.rst"
METHODS = list(SECOND_ORDER)
SMOOTH = [name for name, loss in LOSSES.items() if not loss.nonsmooth]
TOL = {"newton": 1e-10, "lbfgs": 1e-7}  # the rounding of the objective ends L-BFGS at about 1e-8
NEAR = {"newton": 1e-8, "lbfgs": 1e-5}  # relative distance of parameters at these tolerances

X, Y = make_regression(n=60, p=4)
COUNTS = np.floor(np.exp(0.5 * Y.clip(-3.0, 4.0)))
WEIGHT = np.random.default_rng(1).integers(0, 4, len(Y)).astype(float)
G, SIGNAL = load_gabor(return_X_y=True)


def fit(method, loss="squared_error", X=X, y=None, weight=None, **options):
    options = {"tol": TOL[method], **options}
    y = (COUNTS if loss == "poisson" else Y) if y is None else y
    return GDRegressor(loss, optimizer=method, **options).fit(X, y, weight)


# The minimum


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
def test_the_squared_error_ends_at_the_minimum_of_ridge(method, center, weight):
    total = len(Y) if weight is None else weight.sum()
    ridge = Ridge(alpha=0.3 * total, solver="cholesky").fit(X, Y, weight)
    model = fit(method, weight=weight, alpha=0.3, center=center)
    assert model.converged_
    assert model.stop_reason_ == "converged"
    np.testing.assert_allclose(model.coef_, ridge.coef_, rtol=NEAR[method])
    np.testing.assert_allclose(model.intercept_, ridge.intercept_, rtol=NEAR[method])


@pytest.mark.parametrize("method", METHODS)
def test_poisson_ends_at_the_minimum_of_poisson_regressor(method):
    peer = PoissonRegressor(alpha=0.1, tol=1e-11, solver="newton-cholesky").fit(X, COUNTS)
    model = fit(method, "poisson", alpha=0.1)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=NEAR[method])
    np.testing.assert_allclose(model.predict(X), peer.predict(X), rtol=NEAR[method])


def residual_losses(loss):
    """Return the loss as a function of the residuals, and its slope, from the textbook."""
    if loss == "huber":
        return lambda r: np.where(abs(r) < 1.35, r**2 / 2, 1.35 * (abs(r) - 0.675)), (
            lambda r: r.clip(-1.35, 1.35)
        )
    excess = lambda r: np.maximum(abs(r) - 0.1, 0.0)  # noqa: E731
    return lambda r: excess(r) ** 2 / 2, lambda r: excess(r) * np.sign(r)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("loss", ["huber", "squared_epsilon_insensitive"])
def test_robust_losses_end_at_the_minimum_that_scipy_finds(method, loss):
    value, slope = residual_losses(loss)
    A, y = np.column_stack([X, np.ones(len(Y))]), Y + 20.0 * (WEIGHT == 3.0)

    def function(theta):
        r, w = A @ theta - y, np.append(theta[:-1], 0.0)
        return value(r).mean() + 0.05 * w @ w, A.T @ slope(r) / len(y) + 0.1 * w

    found = optimize.minimize(function, np.zeros(5), jac=True, method="BFGS", tol=1e-9)
    model = fit(method, loss, y=y, alpha=0.1)
    assert model.converged_
    np.testing.assert_allclose(model.loss_curve_[-1], found.fun, rtol=1e-8)
    np.testing.assert_allclose(model.parameters(), found.x, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("loss", SMOOTH)
@pytest.mark.parametrize("penalty", [None, "l2"])
def test_every_smooth_loss_ends_at_the_minimum_of_the_reference(method, loss, penalty):
    model = fit(method, loss, penalty=penalty, alpha=0.01)
    y = COUNTS if loss == "poisson" else Y
    reference = lbfgs(model.objective(X, y))
    assert model.converged_
    np.testing.assert_allclose(model.loss_curve_[-1], reference.objective, rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_sparse_rows_lead_to_the_minimum_of_dense_ones(method, loss):
    rows = np.where(abs(X) < 0.7, 0.0, X)
    dense = fit(method, loss, X=rows, alpha=0.1)
    for form in (sparse.csr_array(rows), sparse.csc_matrix(rows)):
        model = fit(method, loss, X=form, alpha=0.1)
        np.testing.assert_allclose(model.coef_, dense.coef_, rtol=NEAR[method])


@pytest.mark.parametrize("center", [True, False])
def test_the_hessian_of_sparse_rows_is_that_of_dense_ones(center):
    rows = np.where(abs(X) < 0.7, 0.0, X)
    for loss, y in (("squared_error", Y), ("poisson", COUNTS)):
        model = GDRegressor(loss, center=center and loss == "squared_error")
        theta = np.linspace(-0.3, 0.3, 5)
        dense, stored = (model.objective(A, y) for A in (rows, sparse.csr_array(rows)))
        np.testing.assert_allclose(stored.hessian(theta), dense.hessian(theta), atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_float32_rows_give_float32_parameters_near_those_of_float64(method):
    model = fit(method, "poisson", X=X.astype(np.float32), alpha=0.1)
    assert model.coef_.dtype == np.float32
    np.testing.assert_allclose(model.coef_, fit(method, "poisson", alpha=0.1).coef_, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_several_targets_are_fitted_as_if_each_were_alone(method):
    both = np.column_stack([Y, Y**2])
    model = fit(method, y=both)
    for k, y in enumerate(both.T):
        alone = fit(method, y=np.ascontiguousarray(y))
        np.testing.assert_allclose(model.coef_[k], alone.coef_, rtol=NEAR[method])
        np.testing.assert_allclose(model.loss_curve_[k][-1], alone.loss_curve_[-1], rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_a_weight_of_two_equals_a_row_given_twice(method):
    index = np.repeat(np.arange(len(Y)), WEIGHT.astype(int))
    weighted, repeated = (
        fit(method, "huber", weight=WEIGHT),
        fit(method, "huber", X[index], Y[index]),
    )
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=NEAR[method])


class Cosh(Loss):
    """``log cosh(f - y)``, whose second derivative is left to differences."""

    __slots__ = ()
    curvature = 1.0

    def value(self, f, y):
        r = abs(f - y)
        return r + np.log1p(np.exp(-2.0 * r)) - np.log(2.0)

    def slope(self, f, y):
        return np.tanh(f - y)


class Quartic(Penalty):
    """``w^4 / 4``, all of which is smooth."""

    __slots__ = ()

    def value(self, w):
        return 0.25 * w**4

    def gradient(self, w):
        return w**3


@pytest.mark.parametrize("method", METHODS)
def test_smooth_parts_of_your_own_are_minimised(method):
    model = fit(method, Cosh(), penalty=Quartic(), alpha=0.2, tol=1e-7)
    A = np.column_stack([X, np.ones(len(Y))])

    def function(theta):
        return np.log(np.cosh(A @ theta - Y)).mean() + 0.05 * (theta[:-1] ** 4).sum()

    found = optimize.minimize(function, np.zeros(5), tol=1e-9)
    assert model.converged_
    np.testing.assert_allclose(model.loss_curve_[-1], found.fun, rtol=1e-8)


# The iterates


@pytest.mark.parametrize("penalty", [None, "l2"])
@pytest.mark.parametrize("init", [[0.0] * 5, [100.0, -30.0, 5.0, 7.0, -1000.0]])
def test_newton_arrives_in_one_step_on_a_quadratic(penalty, init):
    model = fit("newton", penalty=penalty, init=init, record_path=True, tol=1e-8)
    assert (model.n_iter_, model.converged_, len(model.path_)) == (1, True, 2)


def newton_on_poisson(A, y, alpha, n_steps):
    """Return the iterates from zero of Newton's method, written out for the Poisson loss."""
    penalised = alpha * np.append(np.ones(A.shape[1] - 1), 0.0)
    path = [np.zeros(A.shape[1])]
    for _ in range(n_steps):
        mean = np.exp(A @ path[-1])
        g = A.T @ (mean - y) / len(y) + penalised * path[-1]
        H = A.T @ (mean[:, None] * A) / len(y) + np.diag(penalised)
        path.append(path[-1] - np.linalg.solve(H, g))
    return np.array(path)


def test_newton_takes_the_steps_of_the_textbook_and_doubles_the_digits():
    y, A = np.exp(0.1 * X[:, 0]) * (1.0 + 0.2 * np.sin(Y)), np.column_stack([X, np.ones(len(Y))])
    textbook = newton_on_poisson(A, y, 0.1, 8)
    model = fit("newton", "poisson", y=y, alpha=0.1, init=np.zeros(5), record_path=True, tol=1e-9)
    np.testing.assert_allclose(model.path_, textbook[: len(model.path_)], atol=1e-12)
    errors = np.abs(model.path_ - textbook[-1]).max(axis=1)
    assert model.n_iter_ <= 5
    assert errors[0] < 0.5
    assert (errors[1:] <= np.maximum(2.0 * errors[:-1] ** 2, 1e-13)).all()


def test_newton_halves_a_step_that_overshoots():
    """From far below, a full step on exp(f) goes about as far above as the slope is small."""
    model = fit("newton", "poisson", alpha=0.1, init=np.append(np.zeros(4), -5.0), tol=1e-8)
    assert model.converged_
    assert (np.diff(model.loss_curve_) <= 0.0).all()
    best = fit("newton", "poisson", alpha=0.1)
    np.testing.assert_allclose(model.coef_, best.coef_, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_the_objective_never_rises(method):
    for loss in SMOOTH:
        curve = fit(method, loss, penalty=None).loss_curve_
        assert (np.diff(curve) <= 1e-12 * abs(curve[1:])).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [2.0**-40, 2.0**40])
def test_to_rescale_the_target_rescales_the_iterates(method, scale):
    options = {"record_path": True, "tol": 1e-5}
    path, scaled = fit(method, **options).path_, fit(method, y=scale * Y, **options).path_
    np.testing.assert_allclose(scaled, scale * path, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_constant_and_repeated_columns_do_no_harm(method):
    rows = np.column_stack([X, np.full(len(Y), 3.0), X[:, 0]])
    model, plain = fit(method, "huber", rows, penalty=None), fit(method, "huber", penalty=None)
    assert model.converged_
    assert model.coef_[4] == 0.0
    np.testing.assert_allclose(model.loss_curve_[-1], plain.loss_curve_[-1], rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_more_columns_than_rows_are_fitted_without_a_penalty(method):
    rng = np.random.default_rng(0)
    rows, y = rng.standard_normal((10, 20)), rng.standard_normal(10)
    model = fit(method, X=rows, y=y, penalty=None, tol=1e-7)
    assert model.converged_
    np.testing.assert_allclose(model.predict(rows), y, atol=1e-6)


# Many minima


def saddles(objective):
    """Return saddle points of the Gabor model, found as roots of its gradient."""
    found = {}
    for offset in np.linspace(-6.0, 6.0, 5):
        for frequency in np.linspace(6.0, 22.0, 5):
            root = optimize.root(
                lambda theta: objective.value_and_gradient(theta)[1],
                [frequency, offset],
                jac=objective.hessian,
                tol=1e-12,
            )
            low, high = np.linalg.eigvalsh(objective.hessian(root.x))
            if root.success and low < -1e-4 and high > 1e-4:
                found[tuple(root.x.round(4))] = root.x
    return list(found.values())


@pytest.mark.parametrize("method", METHODS)
def test_near_a_saddle_of_the_gabor_model_the_way_leads_down_to_a_minimum(method):
    start = GDGaborRegressor(optimizer=method, polish=False, tol=1e-6)
    objective = start.objective(G, SIGNAL)
    found = saddles(objective)
    assert len(found) >= 4
    for saddle in found[:6]:
        for direction in ([1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]):
            init = (saddle + 0.01 * np.array(direction))[::-1]
            model = clone(start).set_params(init=init).fit(G, SIGNAL)
            assert model.kind_ in ("minimum", "flat")  # L-BFGS may leap to where the curve is flat
            assert model.kind_ == "minimum" or method == "lbfgs"
            assert model.loss_curve_[-1] < objective.value(saddle)


def test_newton_ends_in_minima_from_all_over_the_gabor_model():
    for offset in np.linspace(-7.0, 7.0, 6):
        for frequency in np.linspace(5.0, 23.0, 4):
            model = GDGaborRegressor(optimizer="newton", init=[offset, frequency], tol=1e-6)
            model.fit(G, SIGNAL)
            assert (model.kind_, model.converged_) == ("minimum", True)
            assert (np.diff(model.loss_curve_) <= 0.0).all()


@pytest.mark.parametrize("method", METHODS)
def test_starts_lead_to_the_best_minimum_of_the_gabor_model(method):
    options = {"random_state": 0, "fit_amplitude": True, "fit_baseline": True, "n_screen": 500}
    best = GDGaborRegressor(**options).fit(G, SIGNAL)
    model = GDGaborRegressor(optimizer=method, n_jobs=2, **options).fit(G, SIGNAL)
    np.testing.assert_allclose(model.minima_[0].objective, best.minima_[0].objective, rtol=1e-6)
    assert np.isnan(model.learning_rate_)


@pytest.mark.parametrize("loss", ["huber", "poisson", "squared_epsilon_insensitive"])
@pytest.mark.parametrize("method", METHODS)
def test_columns_that_are_moved_change_the_intercept_and_nothing_else(method, loss):
    away, y = 64.0 * np.arange(1.0, 5.0), COUNTS if loss == "poisson" else Y
    model = GDRegressor(loss, optimizer=method, alpha=0.1, max_iter=5, record_path=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        near = model.fit(X, y).path_
        far = model.fit(X + away, y).path_
    np.testing.assert_allclose(far[:, :4], near[:, :4], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(far[:, 4], near[:, 4] - near[:, :4] @ away, rtol=1e-6, atol=1e-6)


# The record


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_the_path_has_the_objectives_of_the_record(method, loss):
    model = fit(method, loss, record_path=True, alpha=0.1, tol=1e-6)
    objective = model.objective(X, COUNTS if loss == "poisson" else Y)
    history = model.history_
    values = [objective.value(theta) for theta in model.path_]
    np.testing.assert_allclose(model.loss_curve_, values, rtol=1e-12)
    np.testing.assert_array_equal(history["objective"], model.loss_curve_)
    np.testing.assert_array_equal(history["updates"], np.arange(model.n_iter_ + 1))
    np.testing.assert_allclose(model.path_[-1], model.parameters(), rtol=1e-15)
    penalties = 0.05 * (model.path_[:, :4] ** 2).sum(axis=1)
    np.testing.assert_allclose(history["penalty"], penalties, rtol=1e-12)
    seen = model.path_[:, : 4 + (loss == "poisson")].copy()
    if loss == "poisson":  # the intercept of rows that are seen from their means
        seen[:, 4] += seen[:, :4] @ X.mean(axis=0)
    steps = np.linalg.norm(np.diff(seen, axis=0), axis=1)
    np.testing.assert_allclose(history["step_norm"], np.append(0.0, steps), rtol=1e-6)
    assert np.isnan(history["learning_rate"]).all()
    assert np.isnan(model.learning_rate_)
    assert model.t_ == model.n_iter_


@pytest.mark.parametrize("method", METHODS)
def test_every_third_iterate_is_kept(method):
    whole, third = (fit(method, "poisson", record_path=k) for k in (1, 3))
    np.testing.assert_array_equal(third.path_, whole.path_[::3])


@pytest.mark.parametrize("method", METHODS)
def test_without_tol_max_iter_iterations_are_done(method):
    model = fit(method, "huber", tol=None, max_iter=70, record_path=True)
    assert (model.n_iter_, len(model.path_), model.stop_reason_) == (70, 71, "max_iter")
    assert (np.diff(model.loss_curve_) <= 1e-12).all()


@pytest.mark.parametrize("method", METHODS)
def test_too_few_iterations_are_warned_of(method):
    with pytest.warns(ConvergenceWarning, match="in max_iter=1 epochs.* or scale the features"):
        model = fit(method, "poisson", max_iter=1)
    assert not model.converged_


@pytest.mark.parametrize("method", METHODS)
def test_a_tolerance_below_rounding_ends_with_a_warning_or_at_rounding(method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = fit(method, "poisson", tol=1e-18, max_iter=200)
    best = fit(method, "poisson")
    np.testing.assert_allclose(model.loss_curve_[-1], best.loss_curve_[-1], rtol=1e-12)


# What a fit may be asked


@pytest.mark.parametrize("method", METHODS)
def test_a_start_at_the_minimum_stays_there(method):
    best = fit(method, "poisson")
    again = fit(method, "poisson", init=best.parameters(), tol=1e-5, record_path=True)
    assert (again.n_iter_, again.converged_) == (1, True)
    np.testing.assert_allclose(again.coef_, best.coef_, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_warm_start_goes_on_from_the_last_fit(method):
    model = fit(method, "poisson", warm_start=True)
    before = model.t_
    model.fit(X, COUNTS)
    assert (model.n_iter_, model.t_) == (1, before + 1)
    descent = fit(method, "poisson", warm_start=True).set_params(optimizer="gd").fit(X, COUNTS)
    descent.set_params(optimizer=method).fit(X, COUNTS)
    assert descent.n_iter_ == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_best_epoch_on_a_validation_set_is_kept(method, capsys):
    model = GDRegressor("poisson", penalty=None, optimizer=method, tol=None, max_iter=8, verbose=1)
    model.fit(X[:30], COUNTS[:30], X_val=X[30:], y_val=COUNTS[30:])
    scores = model.history_["validation_score"]
    np.testing.assert_allclose(model.score(X[30:], COUNTS[30:]), scores.max())
    assert "epoch       5  objective" in capsys.readouterr().out
    early = GDRegressor("poisson", optimizer=method, early_stopping=True, random_state=0)
    assert early.fit(X, COUNTS).stop_reason_ == "overfitting"


@pytest.mark.parametrize("method", METHODS)
def test_a_callback_stops_the_method(method):
    pytest.importorskip("sklearn.callback")

    class Stop:
        """Stops after two epochs."""

        def setup(self, estimator, context):
            self.epochs = 0

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            self.epochs += context.task_name == "epoch"

        def on_fit_task_end(self, estimator, context):
            return self.epochs == 2

    model = GDRegressor("poisson", optimizer=method).set_callbacks(Stop()).fit(X, COUNTS)
    assert (model.n_iter_, model.stop_reason_) == (2, "stopped")


@pytest.mark.parametrize("method", METHODS)
def test_clones_pickles_and_grids_know_the_word(method):
    model = fit(method, "poisson")
    assert model.get_params()["optimizer"] == method
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert "optimizer__beta" not in model.get_params()
    with pytest.raises(ValueError, match="has no such field"):
        clone(model).set_params(optimizer__beta=0.5)
    assert clone(model).set_params(optimizer="momentum", optimizer__beta=0.5).optimizer.beta == 0.5
    grid = {"optimizer": [*METHODS, "auto"], "alpha": [0.01, 1.0]}
    search = GridSearchCV(GDRegressor(), grid, cv=3).fit(X, Y)
    scores = search.cv_results_["mean_test_score"].reshape(2, 3)
    np.testing.assert_allclose(scores, scores[:, 2:].repeat(3, axis=1), rtol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_a_comparison_names_the_method(method):
    rows = compare(fit(method), X, Y)
    assert rows[0].method == f"second-order method ({method})"
    np.testing.assert_allclose(rows[0].objective, rows[1].objective, rtol=1e-8)


# What is refused

REFUSED = {
    "batch_size": {"batch_size": 100},
    "learning_rate": {"learning_rate": 0.1},
    "schedule": {"schedule": "cosine"},
    "clip_norm": {"clip_norm": 1.0},
    "clip_value": {"clip_value": 1.0},
    "average": {"average": True},
    "positive": {"positive": True},
    "penalty": {"penalty": "l1"},
    "loss": {"loss": "quantile"},
}
OTHERS = [
    ("penalty", {"penalty": "elasticnet"}),
    ("schedule", {"schedule": Cosine()}),
    ("loss", {"loss": "absolute_error"}),
    ("average", {"average": 3}),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("estimator", "name", "options"),
    [
        (estimator, name, options)
        for estimator in (GDRegressor, GDGaborRegressor)
        for name, options in [*REFUSED.items(), *OTHERS]
        if options.keys() <= estimator().get_params(deep=False).keys()
    ],
)
def test_what_only_a_descent_can_honour_is_refused_before_any_work(
    method, estimator, name, options
):
    model = estimator(optimizer=method, **options)
    said = f"{estimator.__name__} cannot use optimizer={method!r} as {REASONS[name]}"
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        model.fit(None, None)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("estimator", [GDRegressor, GDGaborRegressor])
def test_there_is_no_partial_fit(method, estimator):
    """As scikit-learn asks of a method that an estimator has for some settings only."""
    assert hasattr(estimator(), "partial_fit")
    assert not hasattr(estimator(optimizer=method), "partial_fit")
    with pytest.raises(AttributeError, match=re.escape(REASONS["partial_fit"])):
        estimator(optimizer=method).partial_fit(None, None)


@pytest.mark.parametrize("method", METHODS)
def test_a_penalty_of_no_strength_or_without_l1_part_is_smooth(method):
    for options in ({"penalty": "l1", "alpha": 0.0}, {"penalty": "elasticnet", "l1_ratio": 0.0}):
        assert fit(method, **options).converged_


def test_every_reason_is_tested_and_stands_in_the_guide():
    assert set(REASONS) == {*REFUSED, "partial_fit"}
    guide = GUIDE.read_text(encoding="utf-8").replace("``", "")
    assert [sentence for sentence in REASONS.values() if f"- {sentence}" not in guide] == []
