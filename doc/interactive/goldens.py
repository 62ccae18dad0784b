"""Trajectories of the package, with which those of the page are compared: ``goldens.py FILE``.

Where the package has the model, its estimators descend; elsewhere its step does, in plain Python,
on the surfaces of the page. Each trajectory is compared for `SURE` of the steps in which it moves
by less than `AMPLIFIED` when start and targets change by `NUDGE` and the rows are added in
reverse: beyond that the rule itself amplifies rounding.
"""

import json
import os
import sys
import warnings
from pathlib import Path
from types import FunctionType, SimpleNamespace

os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # these fits are short

import numpy as np

from skgd import GDGaborRegressor, GDRegressor
from skgd.descent import step
from skgd.displays.page import surfaces
from skgd.displays.page.core import data, rules
from skgd.penalties import PENALTIES
from skgd.schedules import SCHEDULES

N_STEPS = 200
NUDGE = 4e-16  # relative change of the start and of the targets
AMPLIFIED = 1e-13  # relative, or absolute below one
SURE = 0.8  # of the steps until then are compared: other rounding is amplified sooner
SHOWN = sorted({*range(1, 11), *range(10, N_STEPS + 1, 10)})
SURFACES = json.loads((Path(surfaces.__file__).parent / "surfaces.json").read_text())
MODELLED = {"quadratic", "lecture", "line", "gabor", "penalized", "poisson"}
PLAIN_RATES = {"nesterov": 0.6, "nesterov_beta": 0.3, "momentum": 0.5}
NORMALIZED_RATES = {"adadelta": 20.0, "adagrad": 5.0}
STOCHASTIC = [
    {"batch": 1, "sampling": "replacement", "seed": 3},
    {"batch": 7, "sampling": "shuffle", "seed": 1},
    {"batch": 4, "sampling": "cyclic", "seed": 0},
]


def start_of(name):
    """Return the usual start on a surface, in the order of the package."""
    look = SURFACES[name]
    axes = look.get("axes", [0, 1])
    return [float(look["start"][axes.index(j)]) for j in range(look.get("d", 2))]


def case(surface, rule, **more):
    """Return the description of one trajectory, at a rate that suits the rule."""
    look, part = SURFACES[surface], rules()[rule]
    if part.newton_fraction is None:
        rate = look["rate"] * PLAIN_RATES.get(rule, 1.0)
    else:
        rate = 0.05 * NORMALIZED_RATES.get(rule, 1.0)
    k = {"k": float(look["k"][2])} if "k" in look else {}
    found = {"surface": surface, "rule": rule, "rate": rate, "start": start_of(surface), **k}
    return {**found, "fields": part.get_params(deep=False), **more}


def cases():
    """Yield all trajectories: rules on surfaces, penalties, schedules, batches and fields."""
    for rule in rules():
        for surface in SURFACES:
            yield case(surface, rule)
        for penalty in ("l1", "l2", "elasticnet"):
            yield case("penalized", rule, penalty=penalty, alpha=0.4, l1_ratio=0.7)
    for schedule, cls in SCHEDULES.items():
        fields = {"horizon": 120.0} if schedule == "cosine" else {}
        fields |= {"every": 30.0} if schedule == "step" else {}
        if schedule == "adaptive":  # its decisions are far from rounding where it overshoots
            shared = {"schedule": schedule, "scheduleFields": {"wait": 3.0}}
            yield {**case("quadratic", "gd", **shared), "rate": 0.25}
        else:
            yield case("line", "gd", schedule=schedule, scheduleFields=fields)
        if "per" in cls._fields or schedule == "auto":
            batches = {"batch": 3, "sampling": "shuffle", "seed": 3}
            fields |= {"per": "update"} if "per" in cls._fields else {}
            yield case("gabor", "adam", schedule=schedule, scheduleFields=fields, **batches)
    for rule in ("gd", "momentum", "nesterov", "adam"):
        for batches in STOCHASTIC:
            for surface in ("line", "gabor", "poisson", "network", "batchnorm"):
                found = case(surface, rule, **batches)
                yield {**found, "rate": 0.1 * found["rate"]}
    yield case("quadratic", "momentum", fields={"beta": 0.7, "averaged": True})
    fields = {"beta1": 0.8, "beta2": 0.9, "eps": 1e-6, "bias_correction": False}
    yield case("gabor", "adam", fields=fields)


def rows_of(spec, backwards):
    """Return the rows of a surface; none if it has none.

    Backwards they are in reverse, if that changes no batch, and their targets a little changed.
    """
    found = data().get(SURFACES[spec["surface"]].get("data"), {})
    rows = {name: np.array(values, dtype=float) for name, values in found.items()}
    if rows and backwards:
        rows["y"] *= 1.0 + NUDGE * (-1.0) ** np.arange(len(rows["y"]))
    order = -1 if backwards and not spec.get("batch") else 1
    return {name: values[::order] for name, values in rows.items()}


def fitted_path(spec, start, backwards):
    """Return the path of an estimator of the package."""
    rows = rows_of(spec, backwards)
    schedule = SCHEDULES[spec.get("schedule", "constant")](**spec.get("scheduleFields", {}))
    batch, per_epoch = spec.get("batch"), 1
    if batch:
        per_epoch = -(-len(rows["y"]) // batch)
    options = {
        "optimizer": rules()[spec["rule"]].replace(**spec["fields"]),
        "learning_rate": spec["rate"],
        "schedule": schedule,
        "batch_size": batch,
        "sampling": spec.get("sampling", "shuffle"),
        "random_state": spec.get("seed", 0),
        "max_iter": -(-N_STEPS // per_epoch),
        "tol": None,
        "record_path": True,
    }
    if batch and spec["rule"] == "nesterov":
        options["optimizer"] = "nesterov"
    if spec["surface"] == "gabor":
        model = GDGaborRegressor(init=[start[1], start[0]], polish=False, **options)
        return model.fit(rows["X"], rows["y"]).path_[: N_STEPS + 1, ::-1]
    penalty, alpha = spec.get("penalty"), spec.get("alpha", 0.0)
    if penalty == "elasticnet":
        penalty = PENALTIES[penalty](spec["l1_ratio"])
    options |= {"penalty": penalty, "alpha": alpha, "init": start, "center": False}
    if spec["surface"] == "quadratic":
        X, y = np.diag(np.sqrt([2.0, 2.0 * spec["k"]])), np.zeros(2)
        options |= {"fit_intercept": False}
    else:
        X, y = rows["X"], rows["y"]
        loss = SURFACES[spec["surface"]].get("loss", "squared_error")
        options |= {"fit_intercept": spec["surface"] != "penalized", "loss": loss}
    return GDRegressor(**options).fit(X, y).path_[: N_STEPS + 1]


def step_of(rule):
    """Return the package's step as a plain function, for a rule without a penalty."""
    penalty = PENALTIES[None]()
    world = dict(vars(step))
    own = ("move", "gradient_norm", "extrapolate_iterates", "dense_step")
    functions = {n: FunctionType(getattr(step, n).__code__, world, n) for n in own}
    method = {n: getattr(type(rule), n) for n in ("prepare", "step", "extrapolate")}
    world |= functions | method
    world["squared_norm"] = functions["gradient_norm"] if rule.needs_norm else None
    world["look_ahead"] = functions["extrapolate_iterates"] if rule.extrapolates else None
    world |= {"smooth": type(penalty).gradient, "prox": type(penalty).prox}
    parts = SimpleNamespace(optimizer=rule, penalty=penalty)
    return lambda state, t, rate: functions["dense_step"](
        parts, SimpleNamespace(strengths=np.zeros(state.theta.size)), state, None, t, rate
    )


def gradient_of(spec, backwards):
    """Return the function that adds the gradient of a surface of the page, and its rows."""
    look = SURFACES[spec["surface"]]
    if "network" not in look:
        gradient, k = getattr(surfaces, f"{spec['surface']}_gradient"), spec["k"]

        def add(theta, g, start, stop, order):
            g += gradient(theta[0], theta[1] if len(theta) > 1 else 0.0, k)[: len(theta)]

        return add, 0
    rows = rows_of(spec, backwards)
    normalized = look["network"] == "batchnorm"

    def add_network(theta, g, start, stop, order):
        found = surfaces.Rows(None, None, rows["X"], rows["y"], order, 1, normalized)
        surfaces.add_network_gradient(found, start, stop, theta, g)

    return add_network, len(rows["y"])


def orders(spec, n):
    """Yield first row, last row and order of each batch."""
    from skgd.descent.update import shuffle
    from skgd.kernels import draws
    from skgd.kernels.problem import SAMPLINGS

    order, batch = np.arange(n), spec.get("batch") or n
    drawn = np.random.RandomState(spec.get("seed", 0)).randint(np.iinfo(np.int32).max)
    generator = draws.new_generator(drawn)
    mixed = FunctionType(shuffle.__code__, {**vars(sys.modules[shuffle.__module__])})
    mixed.__globals__["draw_below"] = draws.draw_below
    while True:
        if n and spec.get("batch"):
            with np.errstate(over="ignore"):  # the generator wraps
                mixed(order, generator, SAMPLINGS[spec["sampling"]])
        for first in range(0, max(n, 1), max(batch, 1)):
            yield first, min(first + batch, n), order


def stepped_path(spec, start, backwards):
    """Return the path of the package's step on a surface of the page."""
    rule = rules()[spec["rule"]].replace(**spec["fields"])
    if spec.get("batch") and spec["rule"] == "nesterov":
        rule = rules()["nesterov_beta"]
    move, (add, n) = step_of(rule), gradient_of(spec, backwards)
    theta = np.array(start)
    state = SimpleNamespace(
        theta=theta,
        iterate=theta.copy(),
        g=np.zeros(theta.size),
        memory=np.zeros((max(1, rule.n_memory), theta.size)),
        scalars=np.zeros(max(1, rule.n_scalars)),
    )
    path, batches = [theta.copy()], orders(spec, n)
    for t in range(1, N_STEPS + 1):
        add(state.theta, state.g, *next(batches))
        move(state, t, spec["rate"])
        path.append((state.iterate if rule.extrapolates else state.theta).copy())
    return np.array(path)


def golden(spec):
    """Return a trajectory with the steps at which it is compared."""
    trace = fitted_path if spec["surface"] in MODELLED else stepped_path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they do not converge, and need not
        path = trace(spec, spec["start"], False)
        nudged = trace(spec, [(1.0 + NUDGE) * value for value in spec["start"]], True)
    last = min(len(path), len(nudged)) - 1  # sooner than N_STEPS where a descent diverges
    path, nudged = path[: last + 1], nudged[: last + 1]
    moved = np.abs(nudged - path) / np.maximum(1.0, np.abs(path))
    late = np.flatnonzero(~(moved.max(axis=1) < AMPLIFIED))
    until = int(SURE * late[0]) - 1 if late.size else last
    shown = [[t, *path[t].tolist()] for t in SHOWN if t <= until]
    return {**spec, "until": until, "points": shown}


def main():
    """Write all trajectories to a file, and say how far they can be compared."""
    found = [golden(spec) for spec in cases()]
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")
    whole = sum(spec["until"] == N_STEPS for spec in found)
    print(f"{len(found)} trajectories, {whole} of them comparable for all {N_STEPS} steps")
    for spec in found:
        if spec["until"] < N_STEPS:
            print(f"  {spec['rule']} on {spec['surface']}: {spec['until']} steps")


if __name__ == "__main__":
    main()
