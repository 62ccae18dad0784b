"""Unusual values for every field of every part and every public argument.

Each is either valid, or refused by a TypeError or a ValueError that names the parameter.
"""

import inspect
import warnings
from fractions import Fraction
from typing import get_args

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

import skgd
from skgd import GDGaborRegressor, GDMLPRegressor, GDRegressor, GDRegressorCV, displays, reference
from skgd.datasets import load_gabor, make_gabor
from skgd.losses import LOSSES
from skgd.models import Gabor, Linear
from skgd.optimizers import OPTIMIZERS, Adam, Momentum
from skgd.penalties import PENALTIES
from skgd.schedules import SCHEDULES, Cosine, Schedule, WarmUp

rng = np.random.default_rng(0)
X = rng.standard_normal((12, 2))
Y = X @ [1.0, -2.0] + 0.1 * rng.standard_normal(12)

ABSURD = [
    *(None, True, False, np.True_, -1, 0, 1, 2, 10**30, -(10**30), 10**400, Fraction(1, 3)),
    *(-0.5, 0.0, 0.5, 1.0, 1e300, -1e300, 5e-324, np.nan, np.inf, -np.inf, 1j, np.complex64(1j)),
    *(np.float32(0.5), np.float16(0.5), np.longdouble(0.5), np.int8(3), np.uint64(2**64 - 1)),
    *("", "no", "0.5", b"0.5", "l1", "Adam", np.str_("no")),
    *([], [1.0], [[]], ["a"], (), (0.5,), {}, {"a": 1}, set(), range(3), slice(None), ...),
    *(object(), object, float, int, len, Adam, Adam(), Cosine(), NotImplemented),
    *(np.zeros(0), np.zeros(()), np.ones(3), np.ones((2, 2)), np.array("a"), np.array(None)),
    *(np.array([1j]), np.datetime64("2020-01-01"), np.timedelta64(1, "D"), np.dtype(float)),
]
IDS = [f"{type(value).__name__}-{k}" for k, value in enumerate(ABSURD)]


def refusal(call, name):
    """Return what is wrong with how a call has refused a value, if anything; nothing if it ran."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            call()
    except (TypeError, ValueError) as error:
        return None if name in str(error) else f"does not name it: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def mistakes(name, call, values=ABSURD):
    """Return the absurd values that are neither of use nor refused by the name."""
    found = [(value, refusal(lambda value=value: call(value), name)) for value in values]
    return [f"{name}={value!r:.40}: {wrong}"[:300] for value, wrong in found if wrong]


PARTS = {
    cls
    for table in (LOSSES, OPTIMIZERS, PENALTIES, SCHEDULES)
    for cls in table.values()
    if cls._fields
} | {Gabor, Linear}
FIELDS = [(cls, field) for cls in sorted(PARTS, key=repr) for field in cls._fields]


@pytest.mark.parametrize(("cls", "field"), FIELDS)
def test_every_field_of_every_part_takes_what_it_can_use_and_names_what_it_cannot(cls, field):
    assert mistakes(field, lambda value: cls(**{field: value})) == []


@pytest.mark.parametrize(("cls", "field"), FIELDS)
def test_a_field_holds_its_declared_kind_whatever_it_was_given(cls, field):
    kinds = get_args(cls._types[field]) or (cls._types[field],)
    for value in ABSURD:
        try:
            kept = getattr(cls(**{field: value}), field)
        except (TypeError, ValueError):
            continue
        assert type(kept) in kinds or isinstance(kept, Schedule) or kept is cls._defaults[field]
        number = float in kinds and value is not None
        assert Schedule in kinds or kept == (float(value) if number else value)


@pytest.mark.parametrize("value", [None, 0, 1, "no", "True", {}, [], [True], np.array([True])])
def test_true_and_false_are_not_suggested(value):
    with pytest.raises(TypeError, match="'averaged' parameter of Momentum must be True or False"):
        Momentum(averaged=value)


@pytest.mark.parametrize("value", [True, np.True_, np.array(True)])
def test_true_is_true_in_numpy_too(value):
    assert Momentum(averaged=value).averaged is True


def test_a_part_inside_a_part_goes_by_its_name():
    assert WarmUp(then="cosine") == WarmUp(then=Cosine())
    assert GDRegressor(schedule=WarmUp()).set_params(schedule__then="step").schedule == WarmUp(
        then=SCHEDULES["step"]()
    )
    with pytest.raises(ValueError, match=r"'then' parameter of WarmUp must be one of .*'cosine'"):
        WarmUp(then="cosines")
    with pytest.raises(TypeError, match=r"'then' parameter of WarmUp .* instance of Schedule"):
        WarmUp(then=Adam())


def parameters(cls):
    return [(cls, name) for name in cls().get_params(deep=False)]


@pytest.mark.parametrize(
    ("cls", "name"), [*parameters(GDRegressor), *parameters(GDGaborRegressor)]
)
def test_every_parameter_of_an_estimator_is_valid_or_refused_by_name(cls, name, capsys):
    few = {"max_iter": 2, "n_screen": 5, "n_init": 2}
    kept = few.keys() & cls().get_params().keys() - {name}

    def fit(value):
        cls(**{key: few[key] for key in kept} | {name: value}).fit(X, Y)

    far = cls is GDGaborRegressor and name == "learning_rate"  # whose curve then has no numbers
    values = [v for v in ABSURD if type(v) is not float or v != 1e300] if far else ABSURD
    assert mistakes(name, fit, values) == []


@pytest.mark.parametrize(
    "name",
    ["penalty", "l1_ratio", "alphas", "n_alphas", "eps", "fit_intercept", "tol", "max_iter"],
)
def test_every_argument_of_a_path_is_valid_or_refused_by_name(name):
    few = {"n_alphas": 3, "max_iter": 2}
    assert mistakes(name, lambda value: skgd.path(X, Y, **few | {name: value})) == []


@pytest.mark.parametrize("size", [2**53, 2**62, 2**63 - 1])
@pytest.mark.parametrize(
    "name", ["average", "record_path", "batch_size", "max_iter", "n_iter_no_change"]
)
def test_the_largest_numbers_are_infinity_to_a_descent(name, size):
    """An average, a record or a cut that never happens changes nothing."""
    plain = GDRegressor(optimizer="gd", learning_rate=0.1, max_iter=5000, tol=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        expected = plain.fit(X, Y)
        found = GDRegressor(**plain.get_params() | {name: size}).fit(X, Y)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-10)


# Functions and displays, each argument by its name in the signature

FEW_VALUES = [
    *(None, True, -1, 0, 10**30, -0.5, 1e300, np.nan, np.inf, 1j, "no", b"no", [], [1.0], ["a"]),
    *([[0.0, 1.0]], (0.5,), {}, {"a": 1}, set(), object(), int, Adam(), np.zeros(()), np.ones(3)),
    *(np.array("a"), np.array(None), np.array([1j]), np.int8(1), np.float32(0.5)),
]
OBJECTIVE = GDRegressor().objective(X, Y)
FUNCTIONS = {
    make_gabor: {"n_samples": 5, "n_features": 2},
    load_gabor: {},
    reference.closed_form: {"objective": OBJECTIVE},
    reference.lbfgs: {"objective": OBJECTIVE, "max_iter": 3},
    reference.levenberg_marquardt: {
        "objective": OBJECTIVE,
        "start": np.zeros(3),
        "max_iter": 3,
    },
    reference.compare: {"estimator": GDRegressor(), "X": X, "y": Y},
}
# Data have scikit-learn's own words; what all references are called with may be left unread.
UNNAMED = {"X", "y", "sample_weight"} | {"ax"}


def arguments(functions):
    return [
        (function, name)
        for function in functions
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD and name not in UNNAMED
    ]


@pytest.mark.parametrize(("function", "name"), arguments(FUNCTIONS))
def test_every_argument_of_a_function_is_valid_or_refused_by_name(function, name):
    given = FUNCTIONS[function]
    assert mistakes(name, lambda value: function(**given | {name: value}), FEW_VALUES) == []


@pytest.fixture(scope="module")
def shown():
    """Return what each maker of a display is given."""
    matplotlib.use("Agg")
    fit = GDRegressor(optimizer="gd", record_path=True, max_iter=5, tol=None).fit(X, Y)
    search = GridSearchCV(GDRegressor(optimizer="gd", max_iter=5), {"learning_rate": [0.1, 0.2]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X, Y)
    data, small = {"X": X, "y": Y}, {"grid_resolution": 5}
    one, many = {"estimator": fit, **data}, {"estimators": [fit], **data}
    penalised = GDRegressor(penalty="l1", alpha=0.1).fit(X, Y)
    path = GDRegressorCV(penalty="l1", alphas=5).fit(X, Y)
    network = GDMLPRegressor((3,), max_iter=2, tol=None, record_path=True).fit(X, Y)
    return {
        ("ActivationDisplay", "from_estimator"): {"estimator": network, "X": X},
        ("CoefficientPathDisplay", "from_data"): {**data, "alphas": [0.1, 1.0]},
        ("CoefficientPathDisplay", "from_estimator"): {"estimator": path},
        ("DescentAnimation", "from_estimator"): {**one, **small, "n_frames": 3},
        ("DescentAnimation", "from_estimators"): {**many, **small, "n_frames": 3},
        ("FitDisplay", "from_estimator"): {**one, **small},
        ("FitDisplay", "from_estimators"): {**many, **small},
        ("LearningRateDisplay", "from_estimator"): {**one, "learning_rates": [0.1, 0.2]},
        ("LearningRateDisplay", "from_search"): {"search": search},
        ("LossCurveDisplay", "from_estimator"): one,
        ("LossCurveDisplay", "from_estimators"): many,
        ("LossSurfaceDisplay", "from_estimator"): {**one, **small},
        ("LossSurfaceDisplay", "from_estimators"): {**many, **small},
        ("PenaltyGeometryDisplay", "from_estimator"): {**one, **small, "estimator": penalised},
        ("ScoreCurveDisplay", "from_estimator"): {"estimator": path},
        ("StepDisplay", "from_estimator"): {"estimator": fit},
        ("StepDisplay", "from_estimators"): {"estimators": [fit]},
        ("StepDisplay", "from_schedules"): {"schedules": ["step"]},
    }


MAKERS = [
    (cls, maker, name)
    for cls in displays.__all__
    for maker in dir(getattr(displays, cls))
    if maker.startswith("from_")
    for _, name in arguments([getattr(getattr(displays, cls), maker)])
]


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "maker", "name"), MAKERS)
def test_every_argument_of_a_display_is_valid_or_refused_by_name(shown, cls, maker, name):
    make, given = getattr(getattr(displays, cls), maker), shown[cls, maker]

    def call(value):
        try:
            make(**given | {name: value})
        finally:
            plt.close("all")

    assert mistakes(name, call, FEW_VALUES) == []


@pytest.mark.parametrize(("name", "values"), {"alpha": (1, True), "tol": (1.0, -1.0)}.items())
def test_a_valid_value_makes_no_other_valid(name, values):
    X, y = np.arange(12.0)[:, None], np.arange(12.0) ** 2
    valid, invalid = values
    model = GDRegressor(**{name: valid}).fit(X, y)
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        model.set_params(**{name: invalid}).fit(X, y)
