"""Data of any scale are fitted, or refused with advice, without a warning."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

import skgd
from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor

FORMS = {"C": np.ascontiguousarray, "CSR": sparse.csr_matrix}
DOUBLE = [1e-200, 1e-160, 1e-150, 1e-140, 1e-100, 1e-38, 1e38, 1e100, 1e140, 1e160, 1e200]
SINGLE = [1e-44, 1e-40, 1e-38, 1e-30, 1e-20, 1e20, 1e30, 1e37, 1e38]


def make_problem(dtype=np.float64):
    rng = np.random.default_rng(0)
    X = rng.uniform(-3.0, 3.0, (60, 3))
    return X.astype(dtype), X @ [1.0, 2.0, -3.0] + 0.5 + 0.1 * rng.standard_normal(60)


def refusal_of(model, X, y):
    """Fit; return the message of a refusal, otherwise None."""
    try:
        model.fit(X, y)
    except ValueError as refusal:
        return str(refusal)
    return None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("optimizer", ["auto", "nesterov", "adam"])
@pytest.mark.parametrize(("penalty", "power"), [("l1", 1), ("l2", 2), (None, 0)])
@pytest.mark.parametrize(("dtype", "scales"), [(np.float64, DOUBLE), (np.float32, SINGLE)])
def test_data_of_any_scale_have_the_fit_of_their_scale_or_none(
    dtype, scales, penalty, power, optimizer, form
):
    X, y = make_problem()
    tol = 1e-4 if optimizer == "auto" else None
    model = GDRegressor(penalty=penalty, optimizer=optimizer, tol=tol, max_iter=20)
    fits = 0
    for scale in scales:
        rows = (X * scale).astype(dtype)  # denormal numbers have few digits: so the others too
        plain = model.set_params(alpha=0.01).fit(rows.astype(np.longdouble) / scale, y)
        coef, curve, alpha = plain.coef_, plain.loss_curve_, 0.01 * np.longdouble(scale) ** power
        if not 0.0 < float(alpha) < np.inf:
            continue
        model.set_params(alpha=float(alpha))
        refusal = refusal_of(model, FORMS[form](rows), y)
        if refusal:
            assert "too" in refusal or "beyond the range" in refusal
            assert "cale" in refusal
        else:
            fits += 1
            same = (model.coef_.astype(np.longdouble) * scale).astype(float)
            np.testing.assert_allclose(same, coef, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(model.loss_curve_[-1], curve[-1], rtol=1e-4)
    assert fits >= len(scales) // 3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("penalty", ["l1", "l2", None])
@pytest.mark.parametrize("scale", [1e-160, 1e-150, 1e-140, 1e140, 1e150, 1e160])
def test_a_single_column_of_another_size_is_fitted_or_refused(scale, penalty, form):
    X, y = make_problem()
    X[:, 2] *= scale
    weights = [1.0, 1.0, scale]  # of the strength, so that the column costs what it did
    model = GDRegressor(penalty=penalty, alpha=1e-6, penalty_weights=weights)
    refusal = refusal_of(model, FORMS[form](X), y)
    if refusal:
        assert "too" in refusal
        assert "Scale the features" in refusal
    elif penalty != "l2":
        np.testing.assert_allclose(model.coef_ * [1.0, 1.0, scale], [1.0, 2.0, -3.0], atol=0.05)


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet"])
@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e38, 1e100])
def test_the_smallest_alpha_acts_like_none(scale, penalty):
    X, y = make_problem()
    found = GDRegressor(penalty=penalty, alpha=5e-324).fit(X * scale, y)
    plain = GDRegressor(penalty=None).fit(X, y)
    assert found.converged_
    np.testing.assert_allclose(found.coef_ * scale, plain.coef_, rtol=1e-6)
    assert found.dual_gap_ < 1e-6 * y.var()
    path = skgd.path(X * scale, y, penalty=penalty, alphas=[5e-324])
    np.testing.assert_allclose(path.coefs[:, 0] * scale, plain.coef_, rtol=1e-6)
    assert path.gaps[0] < 1e-6 * y.var()


@pytest.mark.parametrize("scale", [1e-40, 1e-20, 1.0, 1e17, 1e18, 1e37])
@pytest.mark.parametrize("columns", [slice(None), [2]], ids=["all", "one"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_alpha_leaves_no_weight_at_any_scale(dtype, columns, scale):
    X, y = make_problem()
    X[:, columns] *= scale
    X, options = X.astype(dtype), {"penalty": "l1", "tol": 1e-6}
    assert not GDRegressor(alpha=1e300, **options).fit(X, y).coef_.any()
    path = skgd.path(X, y, alphas=[1e300, 1e299], **options)
    assert not path.coefs.any()
    assert path.gaps.max() < 1e-6 * y.var()
    constant = skgd.path(X, np.full_like(y, 0.5), alphas=[1.0, 5e-324], **options)
    assert not constant.coefs.any()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_beyond_the_range_of_the_data_are_refused(dtype, form):
    X, y = make_problem()
    small, large = X * 1e-40, X * 1e37
    for rows, target in ((small, y), (large, y * 1e-3)):
        model = GDRegressor(penalty=None)
        refusal = refusal_of(model, FORMS[form](rows.astype(dtype)), target)
        if dtype == np.float32:
            assert "beyond the range of float32" in refusal
        else:
            assert refusal is None


# Columns that lie far from zero, without an intercept


@pytest.mark.filterwarnings("ignore:.*scale the features:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("penalty", ["l2", None])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("centre", [1e4, 1e6, 1e8])
def test_columns_far_from_zero_are_fitted_without_an_intercept(centre, form, penalty):
    # at 1e8 the last bit of a weight moves predictions by more than tol: there it may say so
    X, y = make_problem()
    X, y = X + centre, y - 0.5
    model = GDRegressor(penalty=penalty, alpha=1e-12, fit_intercept=False).fit(FORMS[form](X), y)
    w = np.linalg.lstsq(X, y, rcond=1e-15)[0]
    least = 0.5 * np.mean((y - X @ w) ** 2)
    assert model.converged_ or centre == 1e8
    assert 0.5 * np.mean((y - X @ model.coef_) ** 2) < least + 1e-5 * y.var()


@pytest.mark.parametrize("options", [{"optimizer": "nesterov"}, {"penalty": "l1"}], ids=str)
def test_an_unconverged_fit_far_from_zero_does_not_claim_convergence(options):
    X, y = make_problem()
    model = GDRegressor(fit_intercept=False, max_iter=50, **options)
    with pytest.warns(ConvergenceWarning, match="scale the"):
        model.fit(X + 1e8, y)
    assert not model.converged_


# The Gabor model


@pytest.mark.parametrize(
    "options",
    [
        {"init": [1e200, 0.0]},
        {"init": [0.0, 1e200]},
        {"init": [1e300, 1e300], "polish": True},
        {"init": [0.0, 12.0, 1e300], "fit_amplitude": True},
        {"init": [0.0, 12.0, 1e-300], "fit_width": True},
        {"init": [0.0, 12.0, 1e300], "fit_baseline": True},
        {"bounds": [[-1e300, 1e300], [-1e300, 1e300]]},
        {"bounds": [[-1.0, 1.0], [0.0, 1e155]]},
        {"init": [0.0, 12.0], "learning_rate": 1e300},
        {"init": [0.0, 12.0], "learning_rate": 1e150, "optimizer": "gd", "max_iter": 5},
        {"learning_rate": 1e300, "max_iter": 2},
    ],
    ids=str,
)
def test_data_that_no_curve_resolves_are_refused_with_the_cure(options):
    X, y = load_gabor(return_X_y=True)
    refusal = refusal_of(GDGaborRegressor(random_state=0, **options), X, y)
    assert "Lower the learning rate" in refusal or "Give smaller values" in refusal


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("alpha", [1e100, 1e300])
def test_a_gabor_penalty_of_any_strength_holds_the_frequency_at_zero(alpha):
    X, y = load_gabor(return_X_y=True)
    model = GDGaborRegressor(init=[0.0, 12.0], penalty="l2", alpha=alpha).fit(X, y)
    assert abs(model.frequency_[0]) < 1e-6
