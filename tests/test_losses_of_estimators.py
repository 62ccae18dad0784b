"""Every estimator under every named loss: fits, predictions, and the derivatives of objectives."""

import warnings

import numpy as np
import pytest
from scipy import optimize, sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor

from skgd import GDGaborRegressor, GDRegressor
from skgd.descent.outcome import Outcome
from skgd.kernels.row_kernels import inverse_link, loss_terms
from skgd.losses import LOSSES, Huber, Loss, Poisson
from skgd.multistart.minima import covariance, describe
from skgd.multistart.newton import polish
from skgd.objective.best_constant import fit_constant

N, P = 30, 2
EXTRAS = {"fit_amplitude": True, "fit_width": True, "fit_baseline": True}
KINDS = {"linear": GDRegressor(), "gabor": GDGaborRegressor(), "full": GDGaborRegressor(**EXTRAS)}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_loss = pytest.mark.parametrize("loss", LOSSES)


class Bare(Loss):
    """A user's pseudo-Huber loss that knows no second derivative, on a scale of ``exp(f)``.

    Its `mean` is written as for arrays.
    """

    __slots__ = ()
    curvature = 1.0

    def value(self, f, y):
        return (1.0 + (f - y) ** 2) ** 0.5 - 1.0

    def slope(self, f, y):
        return (f - y) / (1.0 + (f - y) ** 2) ** 0.5

    def inverse_link(self, f):
        return np.exp(f)


def make_rows(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-3.0, 3.0, (N, P)).astype(dtype)
    y = 1.0 + np.abs(X @ np.array([0.5, -0.3])) + rng.exponential(size=N)
    return X, y, rng.uniform(0.5, 2.0, N)


def parameters_off_kinks(objective, epsilon, seed=0):
    """Return parameters at which no row's residual is near a kink of the loss."""
    rng = np.random.default_rng(seed)
    others = np.array([0.3, 1.4, 2.6, 0.4])[: objective.d - P]
    for _ in range(1000):
        theta = np.append(rng.uniform(-2.0, 2.0, P), others)
        residual = np.abs(objective.predict(theta) - objective.y)
        if np.abs(residual - epsilon).min() > 1e-3 and residual.min() > 1e-3:
            return theta
    raise AssertionError("every draw was near a kink")


def differences(function, theta, h=1e-6):
    """Return the derivatives of a function by central differences, a column each."""
    steps = h * np.eye(len(theta))
    columns = [(function(theta + s) - function(theta - s)) / (2.0 * h) for s in steps]
    return np.stack(columns, axis=-1)


@every_kind
@every_loss
@pytest.mark.parametrize(
    ("penalty", "form", "weighted"),
    [("l2", np.asarray, True), ("l1", sparse.csr_array, True), (None, np.asfortranarray, False)],
)
def test_gradient_jacobian_and_hessian_equal_differences(kind, loss, penalty, form, weighted):
    X, y, weight = make_rows()
    model = clone(KINDS[kind]).set_params(loss=loss, penalty=penalty, alpha=0.1)
    objective = model.objective(form(X), y, weight if weighted else None)
    theta = parameters_off_kinks(objective, objective.loss.get_params().get("epsilon", 0.0))

    def smooth(theta):
        """Return the objective without what the penalty leaves to its prox."""
        return objective.value(theta) - objective.elastic_strengths[0] @ np.abs(theta[:P])

    bounds = {"rtol": 1e-6, "atol": 1e-7}
    g = objective.value_and_gradient(theta)[1]
    np.testing.assert_allclose(g, differences(smooth, theta), **bounds)
    J = differences(objective.predict, theta)
    np.testing.assert_allclose(objective.jacobian(theta), J, **bounds)
    H = differences(lambda t: objective.value_and_gradient(t)[1], theta)
    np.testing.assert_allclose(objective.hessian(theta), H, **bounds)


@every_kind
@every_loss
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_derivatives_in_float32_are_those_of_the_same_numbers_in_float64(kind, loss, form):
    X, y, weight = make_rows(dtype=np.float32)
    model = clone(KINDS[kind]).set_params(loss=loss, penalty="elasticnet", alpha=0.1)
    narrow, wide = (model.objective(form(Z), y, weight) for Z in (X, X.astype(float)))
    theta = parameters_off_kinks(wide, wide.loss.get_params().get("epsilon", 0.0))
    for name in ("predict", "jacobian", "hessian"):
        found, expected = getattr(narrow, name)(theta), getattr(wide, name)(theta)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)


PENALTIES = ["l1", "elasticnet", None]
FITS = [
    *(("linear", loss, "l2") for loss in LOSSES),
    *(("linear", loss, PENALTIES[k % 3]) for k, loss in enumerate(LOSSES)),
    *(("gabor", loss, [*PENALTIES, "l2"][k % 4]) for k, loss in enumerate(LOSSES)),
]


@pytest.mark.parametrize(("kind", "loss", "penalty"), FITS)
def test_every_estimator_fits_every_loss_under_penalties(kind, loss, penalty):
    X, y, weight = make_rows()
    quick = {"n_screen": 200, "n_init": 2, "random_state": 0} if kind == "gabor" else {}
    model = clone(KINDS[kind]).set_params(loss=loss, penalty=penalty, alpha=0.01, **quick)
    nonsmooth = LOSSES[loss].nonsmooth
    model.set_params(max_iter=100, schedule="adaptive" if nonsmooth else "constant")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, weight)
    objective, theta = model.objective(X, y, weight), model.parameters()
    f = objective.predict(theta)
    np.testing.assert_allclose(model.predict(X), np.exp(f) if loss == "poisson" else f, rtol=1e-12)
    value = objective.value(theta)
    assert value <= model.loss_curve_[0] * (1.005 if nonsmooth else 1.0 + 1e-9)
    if kind == "linear":  # which contains the best constant
        assert value <= objective.null_objective * (1.005 if nonsmooth else 1.0 + 1e-9)


def test_predictions_of_single_precision_stay_single_and_round_but_once():
    X, y, _ = make_rows(dtype=np.float32)
    model = GDRegressor("poisson", max_iter=5, tol=None).fit(X, y)
    found = model.predict(X)
    assert found.dtype == np.float32
    wide = model.objective(X.astype(float), y)
    expected = np.exp(wide.predict(model.parameters()))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.slow
def test_many_starts_of_a_wave_in_counts_find_the_wave():
    rng = np.random.default_rng(1)
    x = rng.uniform(-15.0, 15.0, 200)
    u = 0.3 + 0.06 * 12.0 * x
    counts = rng.poisson(np.exp(2.0 * np.sin(u) * np.exp(-u * u / 32.0) + 2.0))
    model = GDGaborRegressor("poisson", fit_amplitude=True, fit_baseline=True, random_state=0)
    model.fit(x[:, None], counts)
    assert model.kind_ == "minimum"
    errors = np.abs(model.theta_ - [0.3, 12.0, 2.0, 2.0]) / model.standard_errors_
    assert errors.max() < 4.0


@pytest.mark.parametrize("loss", ["absolute_error", "quantile", "epsilon_insensitive"])
def test_a_loss_that_has_kinks_has_no_newton_steps_and_says_so(loss):
    X, y, _ = make_rows()
    objective = GDGaborRegressor(loss).objective(X, y)
    theta = np.array([0.5, 1.0, 0.3])
    assert polish(objective, theta) is theta
    point = describe(objective, theta)
    assert point.kind == "kink"
    assert np.isnan(point.eigenvalues).all()
    assert np.isinf(covariance(objective, theta)).all()


def test_newton_steps_reach_the_minimum_of_a_smooth_loss():
    X, y, _ = make_rows()
    objective = GDGaborRegressor("huber").objective(X, y)
    end = polish(objective, np.array([3.0, 2.0, 0.5]))
    found = optimize.minimize(objective.value, end, tol=1e-12)
    np.testing.assert_allclose(objective.value(end), found.fun, rtol=1e-9)
    assert objective.value(end) < objective.value(np.array([3.0, 2.0, 0.5]))


def test_the_covariance_of_counts_is_that_of_iterated_weighted_least_squares():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 2))
    counts = rng.poisson(np.exp(0.4 * X[:, 0] + 1.0))
    weight = rng.uniform(0.5, 2.0, 80)
    fit = PoissonRegressor(alpha=0.0, tol=1e-12, max_iter=1000).fit(X, counts, weight)
    objective = GDRegressor("poisson", penalty=None).objective(X, counts, weight)
    found = covariance(objective, np.append(fit.coef_, fit.intercept_))
    Z, mean = np.column_stack([X, np.ones(80)]), fit.predict(X)
    s = weight / weight.mean()
    pearson = s @ (counts - mean) ** 2 / (s @ mean) * 80 / 77
    expected = np.linalg.inv(Z.T @ ((s * mean)[:, None] * Z)) * pearson
    np.testing.assert_allclose(found, expected, rtol=1e-8)


# Losses of a user's own


def test_a_loss_without_a_second_derivative_gets_it_by_differences():
    rng = np.random.default_rng(0)
    f, y = rng.uniform(-3.0, 3.0, (2, 50))
    for scale in (1e-8, 1.0, 1e8):

        class Scaled(Bare):
            __slots__ = ()
            scale: float = 1.0

            def slope(self, f, y):
                return (f - y) / (self.scale**2 + (f - y) ** 2) ** 0.5

        found = loss_terms(Scaled(scale), scale * f, scale * y)[2]
        expected = (1.0 + (f - y) ** 2) ** -1.5 / scale
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9 / scale)


def test_a_custom_inverse_link_is_applied_and_is_not_the_identity():
    X, y, _ = make_rows()
    assert Bare.link == "custom"
    assert (Loss.link, Huber.link, Poisson.link) == ("identity", "identity", "log")
    model = GDRegressor(Bare()).fit(X, y)
    f = model.objective(X, y).predict(model.parameters())
    np.testing.assert_allclose(model.predict(X), np.exp(f), rtol=1e-12)


@pytest.mark.parametrize("loss", [cls() for cls in LOSSES.values()], ids=repr)
def test_the_kernel_of_many_rows_equals_the_loss_of_each_row(loss):
    f, y = np.random.default_rng(0).uniform(0.1, 3.0, (2, 3, 4))
    methods = loss.value, loss.slope, loss.second_derivative
    expected = [[[m(*pair) for pair in zip(*rows)] for rows in zip(f, y)] for m in methods]
    np.testing.assert_allclose(loss_terms(loss, f, y), expected, rtol=1e-13)
    np.testing.assert_allclose(
        inverse_link(loss, f), [[loss.inverse_link(v) for v in row] for row in f], rtol=1e-14
    )


# The scale of coefficients


@pytest.mark.parametrize("n_targets", [1, 2])
def test_coefficients_of_counts_are_linear_in_the_logarithm_of_predictions(n_targets):
    X, y, _ = make_rows()
    Y = np.column_stack([y, y[::-1]])[:, :n_targets].squeeze()
    model = GDRegressor("poisson").fit(X, Y)
    theirs = PoissonRegressor().fit(X, y)
    link = model._base_loss.link
    assert type(link) is type(theirs._base_loss.link)
    raw = X @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(link.inverse(raw), model.predict(X), rtol=1e-12)
    np.testing.assert_allclose(link.link(model.predict(X)), raw, rtol=1e-10, atol=1e-12)


@every_loss
def test_a_client_can_read_the_link_and_the_valid_targets_of_a_loss(loss):
    model = GDRegressor(loss)
    f = np.array([-1.0, 0.5])
    inverse = model._base_loss.link.inverse(f.copy())
    np.testing.assert_array_equal(inverse, np.exp(f) if loss == "poisson" else f)
    kind = type(model._base_loss.link).__name__
    assert kind == ("LogLink" if loss == "poisson" else "IdentityLink")
    assert model.__sklearn_tags__().target_tags.positive_only is (loss == "poisson")


def test_a_custom_link_is_named_custom():
    link = GDRegressor(Bare())._base_loss.link
    assert type(link).__name__ == "CustomLink"
    np.testing.assert_allclose(link.inverse(np.array([0.5])), np.exp([0.5]), rtol=1e-15)
    assert not hasattr(link, "link")


# Constant targets


CONSTANTS = [3.0, 5.0, 7.0, 1e-8, 1e8]
every_constant = pytest.mark.parametrize("level", CONSTANTS)


def unit_of(loss, level):
    """Return what there is to gain on a prediction of zero."""
    return LOSSES[loss]().value(0.0, level)


@every_loss
@every_constant
@pytest.mark.parametrize("weighted", [False, True])
def test_a_constant_target_is_predicted(loss, level, weighted):
    X, _, weight = make_rows()
    model = GDRegressor(loss).fit(X, np.full(N, level), weight if weighted else None)
    assert model.converged_
    np.testing.assert_allclose(model.predict(X), level, rtol=1e-12)
    np.testing.assert_allclose(model.coef_, 0.0, atol=1e-12 * max(1.0, level))


DESCENTS = {
    "fixed": {"learning_rate": 0.01, "max_iter": 5000},
    "not centred": {"center": False},
    "batch": {"batch_size": 8},
    "single": {"batch_size": 1, "learning_rate": 0.003, "optimizer": "gd", "max_iter": 3000},
    "adam": {"optimizer": "adam", "max_iter": 5000},
}
WAYS = [
    *((loss, way) for loss in LOSSES for way in ("fixed", "not centred")),
    *((loss, "batch") for loss in LOSSES),
    *((loss, way) for loss in ("poisson", "huber") for way in ("single", "adam")),
]


@pytest.mark.slow
@pytest.mark.parametrize("level", CONSTANTS[:3])
@pytest.mark.parametrize(("loss", "way"), WAYS)
def test_descents_to_a_constant_target_end_close_to_the_minimum(loss, way, level):
    X, _, weight = make_rows()
    y, options = np.full(N, level), DESCENTS[way]
    schedule = "adaptive" if LOSSES[loss].nonsmooth else "constant"
    model = GDRegressor(loss, penalty=None, schedule=schedule, random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # on a plateau near the minimum
        model.fit(X, y, weight)
    assert model.stop_reason_ in ("converged", "plateau", "max_iter")
    left = model.objective(X, y, weight).value(model.parameters())
    assert left <= 0.02 * unit_of(loss, level)


@pytest.mark.parametrize("options", [{"learning_rate": 0.01}, {"batch_size": 8, "center": False}])
def test_a_descent_that_cannot_reach_a_far_constant_does_not_claim_convergence(options):
    X, _, _ = make_rows()
    model = GDRegressor("huber", max_iter=20, random_state=0, **options)
    with pytest.warns(ConvergenceWarning, match="has not converged"):
        model.fit(X, np.full(N, 1e8))
    assert not model.converged_
    model = GDRegressor("huber", max_iter=20, learning_rate=0.01)
    with pytest.warns(ConvergenceWarning, match="has not converged"):
        model.fit(X, 1e9 * X[:, 0])
    assert model.stop_reason_ == Outcome.MAX_ITER.name.lower()


@every_loss
def test_a_wave_is_fitted_to_a_constant_target(loss):
    X, _, _ = make_rows()
    model = GDGaborRegressor(loss, fit_baseline=True, n_screen=100, n_init=2, random_state=0)
    model.fit(X, np.full(N, 5.0))
    left = model.objective(X, np.full(N, 5.0)).value(model.parameters())
    assert left <= 1e-3 * unit_of(loss, 5.0)


@every_loss
@pytest.mark.parametrize("weighted", [False, True])
def test_the_best_constant_is_that_of_a_bounded_search(loss, weighted):
    _, y, weight = make_rows()
    part, weight = LOSSES[loss](), weight / weight.mean() if weighted else np.ones(N)

    def mean_loss(c):
        return np.average([part.value(c, v) for v in y], weights=weight)

    found = fit_constant(part, y, weight)
    best = optimize.minimize_scalar(mean_loss, bounds=(-10.0, 10.0), method="bounded")
    assert mean_loss(found.level) <= best.fun + 1e-9
    np.testing.assert_allclose(found.unit, mean_loss(found.level), rtol=1e-10)
    assert fit_constant(part, y, weight, fitted=False).unit == pytest.approx(mean_loss(0.0))


@every_loss
@pytest.mark.parametrize("level", [*CONSTANTS, 0.0, 1.0, 1.0 + 1e-9])
@pytest.mark.parametrize("fitted", [True, False])
def test_the_unit_of_gains_is_positive_and_above_rounding(loss, level, fitted):
    part = LOSSES[loss]()
    unit = fit_constant(part, np.full(7, level), np.ones(7), fitted).unit
    blank = part.value(0.0, level)
    if blank == 0.0:
        assert unit == 1.0
    else:
        assert 0.0 < unit <= blank * (1.0 + 1e-12)
        assert unit >= min(blank, 0.1 * part.slope(0.0, level) ** 2 / max(1.0, level)) * 1e-3


def test_counts_that_are_all_zero_have_a_prediction_of_zero():
    X, _, _ = make_rows()
    model = GDRegressor("poisson").fit(X, np.zeros(N))
    np.testing.assert_array_equal(model.predict(X), 0.0)


@pytest.mark.parametrize("near", [1e-9, 1e-5, 0.1, 0.9, 1.1])
def test_the_loss_of_counts_near_their_mean_is_small_to_its_own_rounding(near):
    for y in (1e-8, 1.0, 5.0, 1e8):
        f = np.longdouble(np.log(y)) + near
        d = f - np.log(np.longdouble(y))
        expected = y * (np.expm1(d) - d)
        found = Poisson().value(float(f), y)
        rounding = 4e-16 * abs(float(f)) * abs(Poisson().slope(float(f), y)) + 4e-16 * y * near
        np.testing.assert_allclose(found, float(expected), rtol=1e-14, atol=rounding)
