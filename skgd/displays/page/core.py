"""The mathematics of the page: parts, steps, batches and surfaces, from their Python sources."""

import inspect
import json
import re

import numpy as np

from skgd import elementary
from skgd.datasets import load_gabor
from skgd.descent import step, update
from skgd.displays.page import surfaces
from skgd.displays.page.translate import BARE, number, translate
from skgd.kernels.draws import new_generator
from skgd.kernels.problem import SAMPLINGS
from skgd.losses import LOSSES
from skgd.models import Gabor, Linear
from skgd.optimizers import OPTIMIZERS, Optimizer
from skgd.penalties import PENALTIES, Penalty
from skgd.schedules import SCHEDULES, Schedule

N_SEEDS = 4
INHERITED = "prepare", "extrapolate", "stability_limit"  # methods of Optimizer
FLAGS = "n_memory", "n_scalars", "needs_norm", "decoupled", "extrapolates", "newton_fraction"


def rules():
    """Return the rules of the page by name: those that step along the gradient of all rows.

    A rule whose form depends on the batch has an entry for each form.
    """
    found = {}
    for name, cls in OPTIMIZERS.items():
        if cls.variance_reduced or any(type(rule) is cls for rule in found.values()):
            continue
        found[name] = cls().resolved(True)
        other = cls().resolved(False)
        if other != found[name]:
            found[f"{name}_beta"] = other
    found["normalized_l2"] = OPTIMIZERS["normalized"](norm="l2").resolved(True)
    return found


def literal(value):
    """Return a value of Python as it is written in JavaScript, in few letters."""
    if isinstance(value, dict):
        return "{" + ",".join(f'"{key}":{literal(v)}' for key, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(literal, value)) + "]"
    if isinstance(value, float):
        return number(value)
    named = {cls: name for name, cls in SCHEDULES.items()}  # a part is kept as its name
    return json.dumps(named.get(type(value), value), ensure_ascii=False)


def part(instance, methods, flags=(), given=(), default=None, fixed=None):
    """Return a part as an object of JavaScript: its fields, ranges, flags and methods."""
    cls = type(instance)
    fields = {} if fixed else {name: getattr(instance, name) for name in instance._fields}
    entries = {"fields": fields, "ranges": cls.ranges if fields else {}}
    entries |= {flag: getattr(cls, flag) for flag in flags}
    texts = [f"{key}:{literal(value)}" for key, value in entries.items() if value]
    for method in methods:
        function = inspect.getattr_static(cls, method)
        if default is None or function is not inspect.getattr_static(default, method):
            texts.append(f"{method}:{translate(function, given, fixed)}")
    return f"{{{','.join(texts)}}}"


def table(name, entries):
    """Return the declaration of a table of parts."""
    return f"const {name}={{\n" + ",\n".join(f'"{k}":{v}' for k, v in entries.items()) + "\n};"


def model(instance):
    """Return a model, whose flags decide what is left of its methods."""
    fixed = {f"self.{name}": value for name, value in instance._asdict().items()}
    return part(instance, ["value", "slope", "add_parameter_gradient"], fixed=fixed)


def parts(losses):
    """Return the tables of rules, schedules, penalties, losses and models."""
    own = ["value", "gradient", "prox"]
    rates = {name: cls() for name, cls in SCHEDULES.items()}
    penalties = {name or "none": cls() for name, cls in PENALTIES.items()}
    models = {"linear": Linear(), "weights": Linear(intercept=False), "gabor": Gabor()}
    method, paces = ["step", *INHERITED], ["patience", "next_factor"]
    yield f"const RULE={part(Optimizer(), INHERITED)};"
    ruled = {name: part(rule, method, FLAGS, (), Optimizer) for name, rule in rules().items()}
    yield table("RULES", ruled)
    yield f"const SCHEDULE={part(Schedule(), paces)};"
    methods = ["multiplier", *paces]
    ruled = {name: part(s, methods, (), (), Schedule) for name, s in rates.items()}
    yield table("SCHEDULES", ruled)
    yield f"const PENALTY={part(Penalty(), own[1:])};"
    yield table("PENALTIES", {n: part(p, own, default=Penalty) for n, p in penalties.items()})
    lost = {n: part(loss, ["value", "slope"], (), elements()) for n, loss in losses.items()}
    for name, function in elements().items():
        if re.search(rf"\b(?<!\.){name}\(", " ".join(lost.values())):
            yield f"const {name}={translate(function)};"
    yield table("LOSSES", lost)
    yield table("MODELS", {name: model(instance) for name, instance in models.items()})


def elements():
    """Return the elementary functions of the package, by name."""
    return dict(inspect.getmembers(elementary, inspect.isfunction))


def steps():
    """Return the step of the descent as a function of the methods of its parts."""
    slots = {"prepare", "step", "extrapolate", "smooth", "prox", "squared_norm", "shrink"}
    slots |= {"look_ahead"}
    fixed = {"unit_of is None": True, "clip is not None": False, "bound is not None": False}
    own = ("gradient_norm", "move", "decoupled_decay", "extrapolate_iterates", "dense_step")
    given = slots | {*own}
    texts = [f"const {name}={translate(getattr(step, name), given, fixed)};" for name in own]
    return (
        "const stepOf=(rule,penalty)=>{"
        "const {prepare,step,extrapolate}=rule,{prox}=penalty,smooth=penalty.gradient;"
        + "".join(texts[:1] + texts[2:4])
        + "const squared_norm=rule.needs_norm?gradient_norm:null,"
        "shrink=rule.decoupled?decoupled_decay:null,"
        "look_ahead=rule.extrapolates?extrapolate_iterates:null;"
        + texts[1]
        + texts[4]
        + "return dense_step;};"
    )


def batches():
    """Return the order of rows in an epoch, and the generators of the first seeds."""
    states = []
    for seed in range(N_SEEDS):
        drawn = np.random.RandomState(seed).randint(np.iinfo(np.int32).max)
        words = new_generator(drawn).view(np.uint64)
        states.append("".join(f"{int(word):016x}" for word in words))
    yield f"const SAMPLINGS={literal(SAMPLINGS)};"
    yield f"const SEEDS={literal(states)};"
    yield f"const shuffle={translate(update.shuffle, {'draw_below'})};"


def grounds():
    """Return the surfaces that are no model of the package, and the sums over rows."""
    own = [f for f in vars(surfaces).values() if getattr(f, "__module__", "") == surfaces.__name__]
    functions = {f.__name__: f for f in own if inspect.isfunction(f)}
    given = {"centre_and_spread", "hidden"}
    texts = {name: translate(f, given) for name, f in functions.items()}
    analytic = [n.removesuffix("_gradient") for n in texts if f"{n[:-9]}_value" in texts]
    pairs = {n: f"[{texts.pop(f'{n}_value')},{texts.pop(f'{n}_gradient')}]" for n in analytic}
    yield table("ANALYTIC", pairs)
    yield from (f"const {name}={text};" for name, text in texts.items())


def data():
    """Return the rows of the surfaces with data."""
    gabor = load_gabor()
    rng = np.random.RandomState(3)
    wide = np.linspace(-2.0, 2.0, 9)
    noise, features = rng.standard_normal(9), rng.standard_normal((9, 2))
    features[:, 1] = 0.6 * features[:, 0] + 0.8 * features[:, 1]
    found = {
        "lecture": ([0, 1, 3], [-1, 1, 5]),
        "line": (wide, 0.9 * wide + 0.3 + 0.35 * noise),
        "gabor": (gabor.data.round(1), gabor.target.round(2)),
        "penalized": (features.round(1), features.round(1) @ [1.5, 0.35] + 0.2 * noise),
        "poisson": (wide, rng.poisson(np.exp(0.7 * wide + 0.6))),
        "network": (wide + 0.5, 1.4 * np.tanh(1.2 * wide) + 0.1 * noise),
    }
    rows = {name: (np.array(X, dtype=float), np.array(y)) for name, (X, y) in found.items()}
    return {
        name: {
            "X": X.reshape(len(y), -1).tolist(),
            "y": y.round(2 if name == "gabor" else 1).tolist(),
        }
        for name, (X, y) in rows.items()
    }


def core(losses=("squared_error", "poisson")):
    """Return the mathematics of the page in JavaScript."""
    lost = {name: LOSSES[name]() for name in losses}
    bare = f"const {{{','.join(sorted({*BARE, 'ceil', 'hypot', 'log10', 'round'}))}}}=Math;"
    lines = [bare, *parts(lost), steps(), *batches(), *grounds(), f"const DATA={literal(data())};"]
    return "\n".join(lines)
