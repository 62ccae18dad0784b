"""Stored estimators: plain data that continue, are validated when loaded, and can be small."""

import copy
import pickle
from functools import partial

import joblib
import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDGaborRegressor, GDMLPRegressor, GDRegressor
from skgd.datasets import load_gabor
from skgd.optimizers import OPTIMIZERS, Adam
from skgd.part import Part
from skgd.penalties import ElasticNet
from skgd.schedules import Exponential, WarmUp

X, Y = make_regression()
RULES = sorted({"auto", *OPTIMIZERS} - {"sgd"})
PLAIN = (bool, int, float, str, np.generic, np.ndarray, type(None))


def through_pickle(model, folder):
    return pickle.loads(pickle.dumps(model))


def through_joblib(model, folder, **options):
    joblib.dump(model, folder / "model")
    return joblib.load(folder / "model", **options)


def through_cloudpickle(model, folder):
    return pickle.loads(pytest.importorskip("cloudpickle").dumps(model))


def through_skops(model, folder):
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(model)
    kinds = skops.get_untrusted_types(data=data)
    assert all(kind.startswith("skgd.") for kind in kinds)
    return skops.loads(data, trusted=kinds)


WAYS = {
    "pickle": through_pickle,
    "joblib": through_joblib,
    "mapped": partial(through_joblib, mmap_mode="r"),
    "cloudpickle": through_cloudpickle,
    "skops": through_skops,
    "deepcopy": lambda model, folder: copy.deepcopy(model),
    "copy": lambda model, folder: copy.copy(model),
}


def assert_one(model, other):
    """Check that two fits have equal attributes."""
    names = [name for name in vars(model) if name.endswith("_") and name != "history_"]
    assert {*names, "history_"} <= set(vars(other))
    for name in names:
        np.testing.assert_equal(vars(other)[name], vars(model)[name])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("batch_size", [None, 7, 1])
@pytest.mark.parametrize("optimizer", ["auto", "momentum", "nesterov", "adam", "saga", "svrg"])
def test_continuing_a_stored_fit_equals_never_having_stopped(optimizer, batch_size, way, tmp_path):
    options = {"batch_size": batch_size, "schedule": "adaptive", "random_state": 0}
    model = GDRegressor(optimizer=optimizer, **options).partial_fit(X, Y).partial_fit(X, Y)
    again = WAYS[way](model, tmp_path)
    assert_one(model, again)
    before = model.coef_.copy()
    for rows in (slice(None), slice(5, 30)):
        again.partial_fit(X[rows], Y[rows])
    np.testing.assert_array_equal(model.coef_, before)
    for rows in (slice(None), slice(5, 30)):
        model.partial_fit(X[rows], Y[rows])
    assert_one(model, again)


@pytest.mark.parametrize("optimizer", RULES)
def test_every_rule_continues_from_plain_data(optimizer):
    model = GDRegressor(optimizer=optimizer, batch_size=7, random_state=0).partial_fit(X, Y)
    again = clone(model)
    again.__setstate__(model.__getstate__())
    assert_one(model.partial_fit(X, Y), again.partial_fit(X, Y))


@pytest.mark.parametrize("way", WAYS)
def test_targets_sparse_rows_averages_and_parts_are_stored(way, tmp_path):
    model = GDRegressor(
        optimizer=Adam(0.8),
        penalty=ElasticNet(0.3),
        schedule=WarmUp(3, Exponential(0.9)),
        average=True,
        batch_size=7,
        random_state=0,
        record_path=True,
        max_iter=30,
        tol=None,
    )
    rows, targets = sparse.csr_array(X), np.column_stack([Y, -Y])
    chain = make_pipeline(StandardScaler(with_mean=False), model).fit(rows, targets)
    again = WAYS[way](chain, tmp_path)
    assert again[-1].get_params() == model.get_params()
    np.testing.assert_array_equal(again.predict(rows), chain.predict(rows))
    assert again[-1].history_[1].to_frame().equals(model.history_[1].to_frame())
    for one in (model, again[-1]):
        one.partial_fit(rows, targets)
    assert_one(model, again[-1])


@pytest.mark.parametrize("way", WAYS)
def test_the_gabor_model_is_stored_with_its_minima(way, tmp_path):
    x, y = load_gabor(return_X_y=True)
    model = GDGaborRegressor(n_screen=100, n_init=2, random_state=0).fit(x, y)
    again = WAYS[way](model, tmp_path)
    assert str(again.minima_) == str(model.minima_)
    np.testing.assert_array_equal(again.partial_fit(x, y).theta_, model.partial_fit(x, y).theta_)


NET = {"hidden_layer_sizes": (3,), "batch_norm": True, "random_state": 0}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_a_stored_network_goes_on_with_its_memory_and_statistics(optimizer, dtype, way, tmp_path):
    rows = X.astype(dtype)
    model = GDMLPRegressor(optimizer=optimizer, batch_size=7, **NET).partial_fit(rows, Y)
    again = WAYS[way](model, tmp_path)
    assert_one(model, again)
    for part in (slice(None), slice(5, 30)):
        again.partial_fit(rows[part], Y[part])
    for part in (slice(None), slice(5, 30)):
        model.partial_fit(rows[part], Y[part])
    assert_one(model, again)
    np.testing.assert_array_equal(again.predict(rows), model.predict(rows))


CUT = {
    "columns": lambda state: state.update(n_features_in_=4),
    "a layer": lambda state: state["coefs_"].pop(),
    "all layers": lambda state: state["coefs_"].clear(),
    "weights": lambda state: state["coefs_"].__setitem__(1, state["coefs_"][1][:2]),
    "shifts": lambda state: state["shifts_"].clear(),
    "statistics": lambda state: state["running_variances_"].clear(),
    "a scale": lambda state: state["scales_"].__setitem__(0, np.ones(2)),
}


@pytest.mark.parametrize("change", CUT.values(), ids=CUT)
def test_a_network_with_cut_parameters_is_refused(change):
    model = GDMLPRegressor(**NET).partial_fit(X, Y)
    with pytest.raises(ValueError, match="The stored GDMLPRegressor is damaged, or of another"):
        GDMLPRegressor().__setstate__(damaged(model.__getstate__(), change))


def is_plain(value):
    if isinstance(value, dict):
        return type(value) is dict and all(map(is_plain, value.values()))
    if type(value) in (list, tuple):
        return all(map(is_plain, value))
    return isinstance(value, PLAIN)


@pytest.mark.parametrize("optimizer", RULES)
def test_the_state_is_plain_data(optimizer):
    for batch_size in (None, 7):
        model = GDRegressor(optimizer=optimizer, batch_size=batch_size, max_iter=2, tol=None)
        for call in (model.partial_fit, model.fit):
            state = call(X, Y).__getstate__()
            assert [name for name, value in state.items() if not is_plain(value)] == []


# Wholeness


def damaged(state, change):
    state = copy.deepcopy(state)
    change(state)
    return state


DAMAGE = {
    "a parameter": lambda state: state.pop("alpha"),
    "the intercept": lambda state: state.pop("intercept_"),
    "the columns": lambda state: state.update(n_features_in_=4),
    "cut coefficients": lambda state: state.update(coef_=state["coef_"][:2]),
    "the parameters": lambda state: state["_descents"][0].pop("theta"),
    "a field": lambda state: state["_descents"][0].update(other=1),
    "cut memory": lambda state: state["_descents"][0].update(memory=np.zeros((2, 3))),
    "cut parameters": lambda state: state["_descents"][0].update(theta=np.zeros(2)),
    "text": lambda state: state["_descents"][0].update(theta=["a"] * 5),
    "an outcome": lambda state: state["_descents"][0].update(outcome="WELL"),
    "a form": lambda state: state["_descents"][0].update(form=0),
    "generator": lambda state: state["_descents"][0].update(generator=[1]),
    "descents": lambda state: state.update(_descents=[3]),
    "means": lambda state: state["_means"].pop("total"),
    "a record": lambda state: state.update(history_=3),
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_an_incomplete_state_is_refused(change):
    model = GDRegressor(optimizer="adam", batch_size=7).partial_fit(X, Y)
    with pytest.raises(ValueError, match="The stored GDRegressor is damaged, or of another"):
        GDRegressor().__setstate__(damaged(model.__getstate__(), change))


@pytest.mark.parametrize("state", [None, 3, [], "text"])
def test_what_is_no_state_is_refused(state):
    with pytest.raises(ValueError, match="The stored GDRegressor is damaged"):
        GDRegressor().__setstate__(state)


# Room


@pytest.fixture(scope="module")
def wide():
    rng = np.random.default_rng(0)
    return rng.standard_normal((4, 2**18)), rng.standard_normal(4)


def size(model):
    return len(pickle.dumps(model))


def test_a_fit_that_is_not_to_continue_stores_little_more_than_its_coefficients(wide):
    least = size(SGDRegressor(max_iter=1, tol=None).fit(*wide))
    assert size(GDRegressor().fit(*wide)) < 1.1 * least


def test_forget_keeps_the_coefficients_and_the_predictions(wide):
    least = size(SGDRegressor(max_iter=1, tol=None).fit(*wide))
    model = GDRegressor(optimizer="adam", max_iter=2, tol=None).fit(*wide)
    before = model.predict(wide[0])
    assert size(model) > 3.0 * least
    assert model.forget() is model
    assert size(model) < 1.1 * least
    np.testing.assert_array_equal(model.predict(wide[0]), before)


@pytest.mark.parametrize("optimizer", ["auto", "adam"])
def test_after_forget_a_stream_starts_at_the_parameters(optimizer):
    model = GDRegressor(optimizer=optimizer).fit(X, Y).forget().forget()
    t, value = model.t_, model.objective(X, Y).value(model.parameters())
    model.partial_fit(X, Y)
    assert model.loss_curve_[0] == pytest.approx(value, rel=1e-9)
    assert model.t_ == t + 1
    for i in range(40):
        model.partial_fit(X[i : i + 1], Y[i : i + 1])
        assert model.stop_reason_ == "max_iter"
    assert model.score(X, Y) > 0.9


def test_after_forget_a_fit_continues_with_one_row_without_a_jump():
    model = GDRegressor().fit(X, Y)
    before = model.predict(X)
    model.partial_fit(X[:1], Y[:1])
    assert np.abs(model.predict(X) - before).max() < 3.0 * Y.std()
    assert model.score(X, Y) > 0.8


def test_a_part_is_stored_by_what_makes_it():
    for part in (Adam(0.8), WarmUp(3, Exponential(0.9))):
        make, fields = part.__reduce__()
        assert isinstance(make(*fields), Part)
        assert make(*fields) == part == copy.deepcopy(part) == copy.copy(part)
