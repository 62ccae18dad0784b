"""The law of compilation: compiled methods allocate nothing and give the plain ones' numbers."""

from collections.abc import Callable

import numpy as np

from skgd.kernels.compiling import bind, compile_cached, compiled_code, fuse
from skgd.part import Part
from skgd.testing.laws import require

RTOL, ATOL = 1e-9, 1e-12  # sums may be reordered; ATOL in units of the largest number

prepare = step = extrapolate = value = gradient = prox = None
NEEDS_NORM = False


def check_optimizer_compiles(rule) -> None:
    """Compare updates under random gradients."""
    gradients = np.random.default_rng(4).standard_normal((12, 3))
    names = ("prepare", "step", "extrapolate")
    state = np.zeros((rule.n_memory, 3)), np.zeros(rule.n_scalars)
    arguments = gradients, *state, np.zeros((12, 7))
    _check_methods(rule, updates, names, {"NEEDS_NORM": rule.needs_norm}, arguments)


def check_penalty_compiles(penalty) -> None:
    """Compare value, gradient and prox at random weights and steps."""
    rng = np.random.default_rng(4)
    arguments = rng.uniform(-3.0, 3.0, 40), rng.uniform(0.01, 2.0, 40), np.zeros((40, 3))
    _check_methods(penalty, costs, ("value", "gradient", "prox"), {}, arguments)


def check_same(part: Part, what: str, plain: Callable, compiled: Callable) -> None:
    """Call two functions without arguments; they must return equal arrays."""
    expected = np.asarray(plain(), dtype=float)
    try:
        found = np.asarray(compiled(), dtype=float)
    except Exception as error:
        said = f"{what} cannot be compiled: {' '.join(str(error).split())[:400]}"
        raise AssertionError(f"{part!r} breaks the law of compilation: {said}") from error
    size = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
    same = np.isclose(found, expected, rtol=RTOL, atol=ATOL * size, equal_nan=True)
    worst = np.unravel_index(np.argmin(same), same.shape)
    said = f"{what} gives {found[worst]!r} compiled, and {expected[worst]!r} as plain Python"
    require(bool(same.all()), part, "compilation", said)


def _check_methods(part, function, names, constants, arguments):
    """Compare a function over the plain methods with the same one over compiled methods."""
    cls = type(part)
    methods = {name: getattr(cls, name) for name in names}

    def run(make, wrap):
        own = [array.copy() for array in arguments]
        with compiled_code():
            slots = {name: wrap(method) for name, method in methods.items()}
            make(bind(function, slots | constants))(part, *own)
        return own[-1]

    def compile_own(bound):
        return compile_cached(bound, (cls,), "testing")

    check_same(
        part,
        " and ".join(names),
        lambda: run(lambda bound: bound, lambda method: method),
        lambda: run(compile_own, fuse),
    )


def updates(rule, gradients, memory, scalars, found):
    """Fill a row of ``found`` for each gradient: directions, scales, and the extrapolation."""
    for k in range(gradients.shape[0]):
        norm = 0.0
        if NEEDS_NORM:
            for j in range(3):
                norm += gradients[k, j] * gradients[k, j]
        shared = prepare(rule, k + 1, norm, scalars)
        for j in range(3):
            d, s = step(rule, gradients[k, j], memory, j, shared)
            found[k, 2 * j] = d
            found[k, 2 * j + 1] = s
        found[k, 6] = extrapolate(rule, scalars, gradients[k, 0])


def costs(penalty, weights, steps, found):
    """Fill a row of ``found`` for each weight: value, gradient and prox."""
    for k in range(weights.size):
        found[k, 0] = value(penalty, weights[k])
        found[k, 1] = gradient(penalty, weights[k])
        found[k, 2] = prox(penalty, weights[k], steps[k])
