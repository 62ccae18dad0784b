"""Parts are values: named, immutable, compared with their class."""

import pickle
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import clone

from skgd import GDRegressor
from skgd.optimizers import GD, SAGA, Adam, Momentum, Nesterov, Normalized, Optimizer
from skgd.part import Part
from skgd.penalties import ElasticNet
from skgd.schedules import Exponential, InverseTime, WarmUp


def test_parts_of_equal_content_but_other_class_differ():
    assert Momentum(0.9) == Momentum(beta=0.9)
    assert InverseTime(0.5).get_params() == Exponential(0.5).get_params()
    assert InverseTime(0.5) != Exponential(0.5)
    assert GD() != SAGA()
    assert len({Exponential(0.5), Exponential(0.5), InverseTime(0.5), GD(), SAGA()}) == 4


def test_a_part_cannot_be_changed_but_replaced():
    rule = Momentum(0.5)
    with pytest.raises(AttributeError):
        rule.beta = 0.9
    assert rule.replace(beta=0.7) == Momentum(0.7)
    assert rule == Momentum(0.5)


def test_replace_reaches_inside():
    schedule = WarmUp(5, Exponential(0.9))
    assert schedule.replace(then__decay=0.5, length=2) == WarmUp(2, Exponential(0.5))
    assert schedule.get_params()["then__decay"] == 0.9


@pytest.mark.parametrize("part", [Adam(0.8), WarmUp(3, Exponential(0.9)), Nesterov()])
def test_a_part_survives_pickle_and_clone(part):
    assert pickle.loads(pickle.dumps(part)) == part
    assert clone(part) == part


def test_numbers_become_floats_so_that_compiled_code_sees_one_type():
    assert type(Momentum(0).beta) is float
    assert type(WarmUp(3).length) is float


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: Momentum(1.0),
            ValueError,
            r"'beta' parameter of Momentum must be a number in \[0, 1\)",
        ),
        (lambda: Momentum(-0.1), ValueError, "Got -0.1 instead"),
        (lambda: Momentum(float("nan")), ValueError, "Got nan instead"),
        (lambda: Momentum("0.9"), TypeError, "'beta' parameter of Momentum must be a number"),
        (lambda: Momentum(True), TypeError, "must be a number"),
        (lambda: Momentum(gamma=0.9), TypeError, r"takes the parameters \['beta', 'averaged'\]"),
        (lambda: Momentum(0.9, beta=0.9), TypeError, "each once"),
        (lambda: Normalized("l3"), ValueError, "'norm' parameter of Normalized must be one of"),
    ],
)
def test_a_wrong_field_is_named_at_once(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_fields_and_defaults_are_inherited():
    class Slower(Momentum):
        delay: float = 2.0

    assert repr(Slower()) == "Slower(beta=0.9, averaged=False, delay=2.0)"
    assert issubclass(Slower, Optimizer)
    assert Slower(delay=3).delay == 3.0


def test_a_field_may_be_none_only_where_that_is_its_default():
    assert Nesterov(None) == Nesterov()
    with pytest.raises(TypeError, match="'beta' parameter of Momentum must be a number"):
        Momentum(None)


def test_a_field_that_holds_a_part_takes_its_name():
    assert WarmUp(then="exponential").then == Exponential()
    with pytest.raises(ValueError, match="'then' parameter of WarmUp must be one of"):
        WarmUp(then="exponent")


def test_what_is_declared_of_the_class_is_no_field():
    class Declaring(Part):
        size: float = 1.0
        kind: ClassVar[str] = "declaring"

    assert Declaring().get_params() == {"size": 1.0}
    assert Declaring.kind == "declaring"


def test_a_field_without_default_stands_before_those_with_one():
    with pytest.raises(ValueError, match="default"):

        class Asking(Momentum):
            size: float


def test_a_field_without_default_is_asked_for():
    class Asking(Part):
        size: float

    with pytest.raises(TypeError, match=r"Asking needs a value for \['size'\]"):
        Asking()


def test_an_unhashable_shared_field_is_refused_by_a_fit_and_may_be_replaced():
    model = GDRegressor(penalty="elasticnet", l1_ratio=[0.5])
    with pytest.raises(ValueError, match="'l1_ratio' parameter of GDRegressor"):
        model.fit(np.eye(3), np.arange(3.0))
    model.set_params(penalty__l1_ratio=0.3)
    assert model.l1_ratio == 0.3
    assert model.get_params()["penalty"] == ElasticNet(l1_ratio=0.3)


def test_a_part_is_stored_as_its_class_and_fields_and_checked_when_it_is_read():
    make, fields = Adam(0.8).__reduce__()
    assert (make, fields) == (Adam, (0.8, 0.999, 1e-8, True))
    with pytest.raises(ValueError, match="'beta1' parameter of Adam"):
        make(2.0, *fields[1:])
    assert not isinstance(Adam(), tuple)


def test_skops_returns_a_part_as_a_part():
    skops = pytest.importorskip("skops.io")
    part = WarmUp(3, Exponential(0.9))
    trusted = [f"{type(p).__module__}.{type(p).__name__}" for p in (part, part.then)]
    with pytest.raises(skops.exceptions.UntrustedTypesFoundException, match="WarmUp"):
        skops.loads(skops.dumps(part))
    assert skops.loads(skops.dumps(part), trusted=trusted) == part
