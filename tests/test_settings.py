"""Parameters that change between two calls: each continues, starts anew or is refused."""

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import make_regression
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skgd import GDGaborRegressor, GDMLPRegressor, GDRegressor
from skgd.datasets import load_gabor
from skgd.optimizers import Adam
from skgd.penalties import ElasticNet

GUIDE = Path(__file__).parent.parent / "doc" / "guide" / "continuing.rst"
X, Y = make_regression()
GABOR_X, GABOR_Y = load_gabor(return_X_y=True)

# What each parameter is changed to, and back; "on" where the descent goes on, "anew" where another
# begins at the parameters reached, and else what a refusal says.
LINEAR = {
    "loss": ("huber", "anew"),
    "penalty": ("l1", "on"),
    "alpha": (0.3, "on"),
    "l1_ratio": (0.9, "on"),
    "fit_intercept": (False, "anew"),
    "positive": (True, "on"),
    "penalty_weights": (np.arange(5.0), "on"),
    "optimizer": ("adam", "anew"),
    "learning_rate": (0.01, "on"),
    "schedule": ("exponential", "on"),
    "batch_size": (8, "anew"),
    "sampling": ("cyclic", "anew"),
    "clip_norm": (0.1, "on"),
    "clip_value": (0.1, "on"),
    "average": (True, "anew"),
    "max_iter": (50, "on"),
    "tol": (None, "on"),
    "n_iter_no_change": (2, "on"),
    "polish": (True, "on"),
    "early_stopping": (True, "early_stopping should be False with partial_fit"),
    "validation_fraction": (0.3, "on"),
    "scoring": ("r2", "on"),
    "init": (np.ones(6), "on"),
    "center": (True, "anew"),
    "record_path": (True, "on"),
    "warm_start": (True, "on"),
    "random_state": (1, "on"),
    "verbose": (0, "on"),
}
GABOR = {
    name: LINEAR[name] for name in LINEAR if name not in ("fit_intercept", "positive", "center")
}
GABOR |= {
    "penalty_weights": (np.array([2.0]), "on"),
    "init": (np.array([1.0, 9.0]), "on"),
    "fit_amplitude": (True, "anew"),
    "fit_width": (True, "anew"),
    "fit_baseline": (True, "anew"),
    "n_init": (3, "on"),
    "n_screen": (50, "on"),
    "bounds": (np.array([[-1.0, 1.0], [5.0, 9.0]]), "on"),
    "n_jobs": (1, "on"),
}
FIT_ANEW = "ask for .* Fit anew"
ABSENT = {"fit_intercept", "positive", "penalty_weights", "polish", "center"}
NETWORK = {name: change for name, change in LINEAR.items() if name not in ABSENT}
NETWORK |= {
    "hidden_layer_sizes": ((4,), FIT_ANEW),
    "activation": ("logistic", "anew"),
    "batch_norm": (False, FIT_ANEW),
    "weight_init": ("he", "on"),
    "statistics_decay": (0.5, "on"),
    "recalibrate": (True, "on"),
    "init": (np.ones(31), "on"),
}
PLAIN = {"optimizer": "gd", "learning_rate": 0.02, "random_state": 0}
KINDS = {
    "linear": (GDRegressor(center=False, **PLAIN), LINEAR, X, Y),
    "gabor": (GDGaborRegressor(init=[0.0, 10.0], **PLAIN), GABOR, GABOR_X, GABOR_Y),
}
NET = GDMLPRegressor((3,), "tanh", batch_norm=True, penalty=None, batch_size=None, **PLAIN)
KINDS["network"] = (NET, NETWORK, X, Y)
CASES = [(kind, name) for kind, (_, changes, *_) in KINDS.items() for name in changes]


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_has_an_entry_here_and_in_the_guide(kind):
    model, changes = KINDS[kind][:2]
    assert set(changes) == set(model.get_params(deep=False))
    table = GUIDE.read_text(encoding="utf-8").split("After a change of parameters")[1]
    assert set(changes) <= set(re.findall(r"``(\w+)``", table))


def begun(kind):
    """Return a model after two calls, what may be changed of it, and its data."""
    model, changes, X, y = KINDS[kind]
    return clone(model).partial_fit(X, y).partial_fit(X, y), changes, X, y


def start_of(model, name):
    """Return where a model goes on from, in the order of its ``init``."""
    if isinstance(model, GDMLPRegressor):
        return model.parameters()
    if isinstance(model, GDRegressor):
        theta = model.parameters()
        if name == "positive":
            theta[:-1] = np.maximum(theta[:-1], 0.0)
        return theta[:-1] if name == "fit_intercept" else theta
    extra = {"fit_amplitude": [1.0], "fit_width": [4.0], "fit_baseline": [0.0]}
    return np.append(model.theta_, extra.get(name, []))


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_plain_descent_under_new_settings_steps_as_if_started_with_them(kind, name):
    model, changes, X, y = begun(kind)
    (value, what), before = changes[name], getattr(model, name)
    start, descent = start_of(model, name), model._descents[0]
    model.set_params(**{name: value})
    if what not in ("on", "anew"):
        with pytest.raises(ValueError, match=what):
            model.partial_fit(X, y)
        return
    fresh = clone(model).set_params(init=start)
    if name == "schedule":
        fresh.set_params(schedule="constant", learning_rate=0.02 * 0.99**2)
    fresh.partial_fit(X, y)
    model.partial_fit(X, y)
    np.testing.assert_allclose(model.parameters(), fresh.parameters(), rtol=1e-12)
    np.testing.assert_allclose(model.loss_curve_, fresh.loss_curve_, rtol=1e-12)
    assert (model._descents[0] is descent) == (what == "on")
    assert (model.n_iter_, model.t_) == (1, 2 + fresh.t_)
    model.set_params(**{name: before}).partial_fit(X, y)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_changed_parameter_is_taken_over_by_a_warm_start_and_back(kind, name):
    model, changes, X, y = begun(kind)
    before = getattr(model, name)
    model.set_params(warm_start=True, max_iter=3, tol=None)
    for value in (changes[name][0], before):
        model.set_params(**{name: value})
        if changes[name][1] == FIT_ANEW and value is not before:
            with pytest.raises(ValueError, match=FIT_ANEW):
                model.fit(X, y)
            continue
        model.fit(X, y)
        assert len(model.loss_curve_) == model.n_iter_ + 1
        assert np.isfinite(model.predict(X)).all()


def test_centring_may_be_switched_on_and_off():
    rng = np.random.default_rng(0)
    model = GDRegressor(optimizer="gd")
    for change in ({"fit_intercept": False}, {"batch_size": 8}, {"center": False}, {"init": None}):
        before = {name: getattr(model, name) for name in change}
        for setting in (change, before):
            rows = rng.permutation(40)[:30]
            model.set_params(**setting).partial_fit(X[rows], Y[rows])
            assert model.stop_reason_ == "max_iter"


def test_a_rate_that_becomes_automatic_is_computed_from_the_current_rows():
    for rate in (1e-9, 1e-1):
        model = GDRegressor(optimizer="gd", center=False, learning_rate=rate).partial_fit(X, Y)
        model.set_params(learning_rate="auto").partial_fit(X, Y)
        fresh = GDRegressor(optimizer="gd", center=False).partial_fit(X, Y)
        assert model.learning_rate_ == fresh.learning_rate_


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_a_loss_that_predicts_by_another_link_is_refused(call):
    counts = np.random.default_rng(0).poisson(3.0, 40).astype(float)
    model = GDRegressor(warm_start=True, optimizer="gd").fit(X, counts)
    coef = model.coef_.copy()
    model.set_params(loss="poisson")
    with pytest.raises(ValueError, match="Under Poisson predictions are another function"):
        getattr(model, call)(X, counts)
    np.testing.assert_array_equal(model.coef_, coef)
    assert np.isfinite(model.set_params(warm_start=False).fit(X, counts).predict(X)).all()


def test_fields_of_parts_count_as_settings():
    model = GDRegressor(optimizer=Adam(), penalty=ElasticNet(0.5)).partial_fit(X, Y)
    descent = model._descents[0]
    assert model.set_params(penalty__l1_ratio=0.9).partial_fit(X, Y)._descents[0] is descent
    assert model.set_params(optimizer__beta1=0.5).partial_fit(X, Y)._descents[0] is not descent


# Patience


@pytest.mark.parametrize("changes", [{}, {"batch_size": None, "loss": "absolute_error"}])
def test_a_warm_start_starts_with_full_patience(changes):
    options = {"optimizer": "gd", "batch_size": 8, "n_iter_no_change": 4, "random_state": 0}
    model = GDRegressor(**options | changes, learning_rate=1e-7, tol=0.1, warm_start=True)
    for _ in range(3):
        with pytest.warns(ConvergenceWarning, match="stopped improving"):
            model.fit(X, Y)
        assert (model.stop_reason_, model.converged_) == ("plateau", False)
        assert model.n_iter_ >= 4
