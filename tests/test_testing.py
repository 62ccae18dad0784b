"""Every check of `skgd.testing` names the law that a broken part breaks; sound parts pass."""

import math

import numpy as np
import pytest

from skgd.losses import Huber, Loss, Poisson, SquaredError
from skgd.models import Gabor, Linear, Model
from skgd.optimizers import GD, Adam, Momentum, Optimizer
from skgd.optimizers.adaptive import Directed
from skgd.optimizers.classical import Accelerated
from skgd.penalties import L1, L2, ElasticNet, NoPenalty, Penalty
from skgd.schedules import Adaptive, Constant, Cosine, Exponential, Schedule, WarmUp
from skgd.testing import (
    check_loss,
    check_model,
    check_optimizer,
    check_penalty,
    check_schedule,
)

HISTORY = []


def variant(parent, **members):
    """Return an instance of a class derived from another, with some members changed."""
    return type("Broken", (parent,), members)()


def add_up(self, g, memory, j, shared):
    memory[0, j] = 0.9 * memory[0, j] + g
    return memory[0, j], 1.0


def count_updates(self, g, memory, j, shared):
    HISTORY.append(g)
    return g, 1.0 + 0.01 * (len(HISTORY) % 7)


def read_neighbour(self, g, memory, j, shared):
    m = 0.5 * memory[0, j] + 0.5 * g
    memory[0, j] = m
    return m + 0.0 * j, 1.0 + memory[0, j - 1] ** 2


def write_neighbour(self, g, memory, j, shared):
    memory[0, j - 1] = g
    return g, 1.0


def reach_past_memory(self, g, memory, j, shared):
    return g + memory[1, j], 1.0


def reach_past_scalars(self, t, norm, scalars):
    return scalars[0]


OPTIMIZERS = {
    "rest, by a sum": ("rest", Optimizer, {"n_memory": 1, "step": add_up}),
    "rest, by a sign": ("rest", GD, {"step": lambda s, g, m, j, c: (math.copysign(1.0, g), 1.0)}),
    "a number remembered outside": ("memory", GD, {"step": count_updates}),
    "a neighbour's column read": ("memory", Momentum, {"step": read_neighbour}),
    "a neighbour's column written": ("memory", Momentum, {"step": write_neighbour}),
    "more rows than asked for": ("memory", Momentum, {"step": reach_past_memory}),
    "more scalars than asked for": ("memory", GD, {"prepare": reach_past_scalars}),
    "a size that is none": ("memory", GD, {"n_memory": 0.5}),
    "no scale": ("the step", GD, {"step": lambda s, g, m, j, c: g}),
    "a negative scale": ("the scale", GD, {"step": lambda s, g, m, j, c: (g, -1.0)}),
    "no scale at rest": ("the scale", GD, {"step": lambda s, g, m, j, c: (g, 1.0 / abs(g))}),
    "a norm that is not asked for": ("the norm", Directed, {"needs_norm": False}),
    "lazy with a scale": ("laziness", GD, {"step": lambda s, g, m, j, c: (g, 0.5)}),
    "backwards": ("extrapolation", Accelerated, {"extrapolate": lambda s, scalars, c: -1.0}),
    "eps in no unit": ("units", Adam, {"eps_power": 2}),
    "no eps": ("units", GD, {"eps_power": 1}),
    "no automatic rate": ("rates", GD, {"automatic_rate": lambda s, stable, newton, full: 0.0}),
    "no limit": ("rates", GD, {"stability_limit": lambda s: math.inf}),
    "no value": ("values", GD, {"__eq__": lambda s, other: False, "__hash__": object.__hash__}),
    "no rule": ("values", GD, {"resolved": lambda s, full: None}),
}


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_the_law_that_a_broken_optimizer_breaks_is_named(case):
    law, parent, members = OPTIMIZERS[case]
    with pytest.raises(AssertionError, match=f"^Broken.* breaks the law of {law}: "):
        check_optimizer(variant(parent, **members), compiled=False)


PENALTIES = {
    "a reward": ("the value", L1, {"value": lambda s, w: abs(w) if w > 0.0 else 0.5 * w}),
    "a fee": ("the value", L1, {"value": lambda s, w: abs(w) + 1.0}),
    "a bound too low": ("curvature", L2, {"curvature": lambda s: 0.5}),
    "no bound": ("curvature", L2, {"curvature": lambda s: math.inf}),
    "another elastic": ("elastic", L1, {"elastic": lambda s: (0.5, 0.0)}),
    "another l2": ("elastic", L2, {"elastic": lambda s: (0.0, 0.5)}),
    "a hard threshold": ("the prox", L1, {"prox": lambda s, w, t: w if abs(w) > t else 0.0 * w}),
    "half a threshold": (
        "the prox",
        L1,
        {"prox": lambda s, w, t: math.copysign(max(abs(w) - 0.5 * t, 0.0), w)},
    ),
    "a cap, and a prox that never looks below it": (
        "the prox",
        Penalty,
        {
            "value": lambda s, w: min(abs(w), 1.0),
            "prox": lambda s, w, t: w if abs(w) > 1.0 else soft(w, t),
        },
    ),
    "nan swallowed": ("the prox", L1, {"prox": lambda s, w, t: soft(w, t) if w == w else 0.0}),
    "a gradient a little off": (
        "the gradient",
        L2,
        {"gradient": lambda s, w: 1.001 * w, "curvature": lambda s: 2.0},
    ),
    "both of a square": (
        "gradient and prox",
        ElasticNet,
        {"gradient": lambda s, w: w, "curvature": lambda s: 1.0},
    ),
    "a square counted twice": (
        "gradient and prox",
        L2,
        {"prox": lambda s, w, t: w / (1.0 + t)},
    ),
}


def soft(w, t):
    return math.copysign(max(abs(w) - t, 0.0), w)


@pytest.mark.parametrize("case", PENALTIES)
def test_the_law_that_a_broken_penalty_breaks_is_named(case):
    law, parent, members = PENALTIES[case]
    if law not in ("elastic", "the value"):
        members = {"elastic": lambda self: None} | members
    with pytest.raises(AssertionError, match=f"^Broken.* breaks the law of {law}: "):
        check_penalty(variant(parent, **members), compiled=False)


def square_root(f, y):
    return math.sqrt(1.0 + abs(f - y)) - 1.0


LOSSES = {
    "below zero": ("the value", SquaredError, {"value": lambda s, f, y: 0.5 * (f - y) ** 2 - 1.0}),
    "infinite": ("the value", Poisson, {"value": lambda s, f, y: math.inf}),
    "not half a square": ("the value", SquaredError, {"value": lambda s, f, y: (f - y) ** 2}),
    "concave": ("convexity", Huber, {"value": lambda s, f, y: square_root(f, y)}),
    "a slope of twice": ("the slope", SquaredError, {"slope": lambda s, f, y: 2.0 * (f - y)}),
    "a slope a little off": ("the slope", Huber, {"slope": lambda s, f, y: f - y}),
    "half a curvature": ("curvature", SquaredError, {"curvature": 0.5}),
    "no positive curvature": ("curvature", SquaredError, {"curvature": 0.0}),
    "no positive estimate": ("curvature", Poisson, {"curvature_estimate": lambda s, y: 0.0}),
    "a kink": (
        "smoothness",
        Loss,
        {"value": lambda s, f, y: abs(f - y), "slope": lambda s, f, y: math.copysign(1.0, f - y)},
    ),
    "a second derivative of two": (
        "the second derivative",
        SquaredError,
        {"second_derivative": lambda s, f, y: 2.0},
    ),
    "a falling link": ("the inverse link", Poisson, {"inverse_link": lambda s, f: math.exp(-f)}),
    "a link that is not named": (
        "the inverse link",
        SquaredError,
        {"inverse_link": lambda s, f: math.exp(f), "link": "identity"},
    ),
}


@pytest.mark.parametrize("case", LOSSES)
def test_the_law_that_a_broken_loss_breaks_is_named(case):
    law, parent, members = LOSSES[case]
    with pytest.raises(AssertionError, match=f"^Broken.* breaks the law of {law}: "):
        check_loss(variant(parent, **members), compiled=False)


def misplace(self, z, theta, p, r, g):
    g[0] += r


def write_theta(self, z, theta, p, r, g):
    g[p] += r
    theta[p] += 1.0


def overwrite(self, z, theta, p, r, g):
    g[p] = r


def reach_past(self, z, theta, p, r, g):
    g[p + 1] += r


def second_of_one(self, z, theta, p, r, H):
    H[0, 0] += r


MODELS = {
    "weights of its own": ("the projection", {"value": lambda s, z, t, p: z + t[p] + t[0]}),
    "a slope of two": ("the slope", {"slope": lambda s, z, t, p: 2.0}),
    "a gradient in another place": (
        "the parameter gradient",
        {"add_parameter_gradient": misplace},
    ),
    "a gradient that overwrites": (
        "the parameter gradient",
        {"add_parameter_gradient": overwrite},
    ),
    "a gradient that moves": ("the parameter gradient", {"add_parameter_gradient": write_theta}),
    "a gradient past the end": ("the parameter gradient", {"add_parameter_gradient": reach_past}),
    "no number of parameters": ("the parameter gradient", {"n_extra_parameters": lambda s: -1}),
    "a second derivative of one": ("the second derivative", {"second_derivative": second_of_one}),
    "a bound too low": ("curvature", {"curvature": lambda s, loss, y: 0.5}),
    "another scale": ("curvature", {"projection_scale": 0.5}),
    "another number of bounds": ("curvature", {"diagonal_curvature": lambda s, loss, y: []}),
    "a diagonal too low": ("curvature", {"diagonal_curvature": lambda s, loss, y: [0.5]}),
}


@pytest.mark.parametrize("case", MODELS)
def test_the_law_that_a_broken_model_breaks_is_named(case):
    law, members = MODELS[case]
    with pytest.raises(AssertionError, match=f"^Broken.* breaks the law of {law}: "):
        check_model(variant(Linear, **members), compiled=False)


def test_a_curve_that_calls_itself_linear_is_told_so():
    with pytest.raises(AssertionError, match="breaks the law of linearity: "):
        check_model(variant(Gabor, linear=True), compiled=False)


class Logistic(Model):
    """A model of a user's own without a bound of its curvature: ``1 / (1 + exp(-z - b))``."""

    __slots__ = ()

    def n_extra_parameters(self):
        return 1

    def value(self, z, theta, p):
        return 1.0 / (1.0 + math.exp(-z - theta[p]))

    def slope(self, z, theta, p):
        f = 1.0 / (1.0 + math.exp(-z - theta[p]))
        return f * (1.0 - f)

    def add_parameter_gradient(self, z, theta, p, r, g):
        f = 1.0 / (1.0 + math.exp(-z - theta[p]))
        g[p] += r * f * (1.0 - f)


def test_a_model_without_curvature_and_second_derivatives_passes():
    check_model(Logistic(), compiled=False)


def write_times(self, k):
    k += 1
    return np.ones(k.shape)


SCHEDULES = {
    "zero at last": ("the multiplier", Schedule, lambda s, k: np.maximum(1.0 - k / 100.0, 0.0)),
    "negative": ("the multiplier", Schedule, lambda s, k: 1.0 - k / 100.0),
    "infinite": ("the multiplier", Schedule, lambda s, k: np.where(k < 9, 1.0, np.inf)),
    "half at the start": ("the start", Schedule, lambda s, k: np.full(k.shape, 0.5)),
    "two at the start": ("the start", Schedule, lambda s, k: np.full(k.shape, 2.0)),
    "a wave on the rise": (
        "the start",
        Schedule,
        lambda s, k: np.minimum(k % 2 / 3 + k / 9 + 0.1, 1),
    ),
    "one for all": ("times", Schedule, lambda s, k: 1.0),
    "a list": ("times", Schedule, lambda s, k: [1.0] * k.size),
    "by company": (
        "times",
        Schedule,
        lambda s, k: 1.0 - 0.5 * k / k.max() if k.max() else k + 1.0,
    ),
    "times written": ("times", Schedule, write_times),
}


@pytest.mark.parametrize("case", SCHEDULES)
def test_the_law_that_a_broken_schedule_breaks_is_named(case):
    law, parent, multiplier = SCHEDULES[case]
    with pytest.raises(AssertionError, match=f"^Broken.* breaks the law of {law}: "):
        check_schedule(variant(parent, multiplier=multiplier))


@pytest.mark.parametrize(
    ("members", "law"),
    [
        ({"next_factor": lambda s, factor: factor}, "plateaus"),
        ({"next_factor": lambda s, factor: -1.0}, "plateaus"),
        ({"patience": lambda s: 0.0}, "plateaus"),
        ({"per": "row"}, "times"),
        ({"for_horizon": lambda s, max_iter: None}, "values"),
    ],
)
def test_a_schedule_that_waits_or_counts_wrongly_is_told_its_law(members, law):
    with pytest.raises(AssertionError, match=f"^Broken.* breaks the law of {law}: "):
        check_schedule(variant(Adaptive, **members))


def test_warm_ups_and_schedules_of_every_unit_pass():
    for schedule in (
        WarmUp(7.5, Cosine()),
        WarmUp(1, Exponential(0.9, per="update")),
        Cosine(horizon=30, per="update"),
        Constant(),
    ):
        check_schedule(schedule)


class Named(GD):
    """A rule whose text hides a field."""

    __slots__ = ()
    share: float = 1.0

    def __repr__(self):
        return "Broken()"


class Remembering(GD):
    """A rule that writes down what it has seen, past the guard of `Part`."""

    def step(self, g, memory, j, shared):
        object.__setattr__(self, "seen", g)
        return g, 1.0


class Settable(GD):
    """A rule whose fields can be set."""

    __slots__ = ()
    share: float = 1.0

    def __setattr__(self, name, value):
        pass


@pytest.mark.parametrize("rule", [Named(), Remembering(), Settable()], ids=repr)
def test_a_part_that_is_no_value_is_told_so(rule):
    with pytest.raises(AssertionError, match="breaks the law of values: "):
        check_optimizer(rule, compiled=False)


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (check_optimizer, GD),
        (check_optimizer, "adam"),
        (check_penalty, SquaredError()),
        (check_loss, L1()),
        (check_model, GD()),
        (check_schedule, Linear()),
    ],
)
def test_what_is_no_part_of_the_kind_is_refused(check, wrong):
    with pytest.raises(TypeError, match="An instance of"):
        check(wrong)


def allocate(self, g, memory, j, shared):
    return np.full(3, g)[0], 1.0


def by_its_text(self, f, y):
    return 0.5 * (f - y) * (f - y) + 0.0 * float(str(f))


def wrap_around(self, w, step):
    """Return w; compiled integers are of 64 bits, those of Python of any size."""
    return w if 2**40 * (2**40 + int(0.0 * step)) > 0 else 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check", "part"),
    [
        (check_optimizer, variant(GD, lazy=False, step=allocate)),
        (check_loss, variant(SquaredError, value=by_its_text)),
        (check_penalty, variant(NoPenalty, prox=wrap_around)),
        (check_model, variant(Linear, value=lambda s, z, theta, p: z + float(str(theta[p])))),
    ],
    ids=["optimizer", "loss", "penalty", "model"],
)
def test_a_part_that_only_python_can_run_is_told_the_law_of_compilation(check, part):
    check(part, compiled=False)
    with pytest.raises(AssertionError, match="breaks the law of compilation: "):
        check(part)
