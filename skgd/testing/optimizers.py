"""The laws of an optimizer."""

import numpy as np

from skgd.optimizers import Optimizer
from skgd.testing.compilation import check_optimizer_compiles
from skgd.testing.laws import check_value, is_positive, require

CONSTANT = np.array([3.0, -0.02, 0.5, 0.0])  # a gradient that stays the same
N_UPDATES = 1000  # after which the direction is looked at, and once and twice more
UNIT = 1024.0  # of gradients, beside one


def check_optimizer(optimizer: Optimizer, *, compiled: bool = True) -> None:
    """Check that a rule keeps the laws of an optimizer.

    - **values**: the rule is an immutable value; its copies are equal.
    - **memory**: everything that is remembered stands in ``memory``, of ``n_memory`` rows, and in
      ``scalars``, of ``n_scalars`` numbers; a coordinate reads and writes its own column alone.
    - **rest**: under a constant gradient the direction tends to the gradient.
    - **the scale**: it is positive and finite, also where the gradient is zero.
    - **the norm**: a rule that uses it sets ``needs_norm``.
    - **laziness**: a rule with ``lazy = True`` returns the gradient itself and a scale of one.
    - **extrapolation**: it reaches forward, and no infinite length.
    - **units**: a rule with an ``eps_power`` takes the same steps in another unit of the gradient.
    - **rates**: the automatic rate and the limit of stability are positive and finite.
    - **compilation**: the rule compiles without allocating, and gives the same numbers compiled.

    Parameters
    ----------
    optimizer : Optimizer
    compiled : bool, default=True
        Whether to compile the rule too, which takes about a second.

    Raises
    ------
    AssertionError
        With the name of the law and the numbers that break it.

    Examples
    --------
    >>> from skgd.optimizers import Optimizer
    >>> from skgd.testing import check_optimizer
    >>> class Sum(Optimizer):
    ...     n_memory = 1
    ...     def step(self, g, memory, j, shared):
    ...         memory[0, j] = 0.9 * memory[0, j] + g
    ...         return memory[0, j], 1.0
    >>> check_optimizer(Sum())
    Traceback (most recent call last):
    ...
    AssertionError: Sum() breaks the law of rest: under the constant gradient (3, ...
    """
    check_value(optimizer, Optimizer)
    for full_batch in (True, False):
        rule = optimizer.resolved(full_batch)
        said = f"resolved({full_batch}) returns an optimizer; got {rule!r}"
        require(isinstance(rule, Optimizer), optimizer, "values", said)
        _check_memory(rule)
        _check_columns(rule)
        _check_scale(rule)
        _check_rest(rule)
        _check_norm(rule)
        _check_laziness(rule)
        _check_extrapolation(rule)
        _check_units(optimizer, full_batch)
        _check_rates(rule, full_batch)
        if compiled:
            check_optimizer_compiles(rule)
    check_value(optimizer, Optimizer)


def _check_memory(rule):
    """Interrupt one run by another; it must go on as if nothing had happened."""
    sizes = rule.n_memory, rule.n_scalars
    said = f"n_memory and n_scalars are sizes; got {sizes}"
    sound = all(isinstance(size, int) and size >= 0 for size in sizes)
    require(sound, rule, "memory", said)
    gradients, others = np.random.default_rng(0).standard_normal((2, 20, 3))
    whole = _take_updates(rule, gradients, _new_state(rule, 3))
    state = _new_state(rule, 3)
    begun = _take_updates(rule, gradients[:10], state)
    _take_updates(rule, others, _new_state(rule, 3))
    ended = _take_updates(rule, gradients[10:], state, first=11)
    same = np.array_equal(whole, np.concatenate([begun, ended]))
    said = (
        "all that is remembered stands in memory and scalars; two runs in turns disturb each other"
    )
    require(same, rule, "memory", said)


def _check_columns(rule):
    """Rewrite the memory of the other coordinates before each step, and look at it after."""
    rng = np.random.default_rng(1)
    memory, scalars = _new_state(rule, 3)
    for t, g in enumerate(rng.standard_normal((10, 3)), start=1):
        shared = rule.prepare(t, _norm(rule, g), scalars)
        for j in range(3):
            other = np.abs(rng.standard_normal(memory.shape))
            other[:, j] = memory[:, j]
            before = other.copy()
            found = _step(rule, float(g[j]), other, j, shared)
            same = found == _step(rule, float(g[j]), memory, j, shared)
            require(same, rule, "memory", f"coordinate {j} reads column {j} alone")
            before[:, j] = other[:, j]
            own = np.array_equal(before, other)
            require(own, rule, "memory", f"coordinate {j} writes into column {j} alone")


def _check_scale(rule):
    for size in (1.0, 0.0, 1e-12, 1e8):
        gradients = size * np.random.default_rng(2).standard_normal((5, 3))
        d, s = np.moveaxis(_take_updates(rule, gradients, _new_state(rule, 3)), 1, 0)
        said = f"for the gradient {_shown(gradients[0])} it is {_shown(s[0])}, not all positive"
        require(is_positive(*s.ravel()), rule, "the scale", said + " and finite")
        said = (
            f"for gradients like {gradients[0, 0]:.3g} the directions are {d[0]}; not all finite"
        )
        require(bool(np.isfinite(d).all()), rule, "rest", said)


def _check_rest(rule):
    state, moving, errors = _new_state(rule, CONSTANT.size), CONSTANT != 0.0, []
    for k in range(4):
        gradients = np.tile(CONSTANT, (N_UPDATES, 1))
        d = _take_updates(rule, gradients, state, first=1 + k * N_UPDATES)[-1, 0]
        error = np.abs(d - CONSTANT)
        errors.append(float((error[moving] / np.abs(CONSTANT[moving])).max()))
        if errors[-1] <= 1e-9 and not error[~moving].any():
            return
    near = errors[3] <= 0.75 * errors[1] and error[~moving].max() <= errors[3]
    said = (
        f"under the constant gradient {_shown(CONSTANT)} the direction tends to {_shown(d)}, not"
    )
    said += " to the gradient; all magnification belongs in the scale"
    require(near, rule, "rest", said)


def _check_norm(rule):
    if rule.needs_norm:
        return
    for norm in (0.5, 4.0):
        one, other = _new_state(rule, 1), _new_state(rule, 1)
        shared = rule.prepare(1, 0.0, one[1]), rule.prepare(1, norm, other[1])
        same = _step(rule, 0.7, one[0], 0, shared[0]) == _step(rule, 0.7, other[0], 0, shared[1])
        said = (
            f"prepare is given the norm of the gradient only with needs_norm; at {norm} it matters"
        )
        require(same, rule, "the norm", said)


def _check_laziness(rule):
    if rule.lazy:
        gradients = np.random.default_rng(2).standard_normal((5, 3))
        d, s = np.moveaxis(_take_updates(rule, gradients, _new_state(rule, 3)), 1, 0)
        said = f"lazy says d = g and s = 1; for g = {gradients[0]} found d = {d[0]}, s = {s[0]}"
        require(np.array_equal(d, gradients) and bool((s == 1.0).all()), rule, "laziness", said)


def _check_extrapolation(rule):
    _, scalars = _new_state(rule, 1)
    for criterion in (-1.0, -1.0, 1.0, -1.0) if rule.extrapolates else ():
        reach = float(rule.extrapolate(scalars, criterion))
        said = f"extrapolate returns a finite number of at least zero; got {reach}"
        require(0.0 <= reach < np.inf, rule, "extrapolation", said)


def _check_units(optimizer, full_batch):
    """Multiply all gradients by a number: the same steps, in another unit."""
    if optimizer.eps_power == 0:
        return
    said = "eps_power is the power of the unit of a field eps, which there is not"
    require("eps" in optimizer.get_params(), optimizer, "units", said)
    gradients, found = np.random.default_rng(3).standard_normal((20, 3)), []
    for unit in (1.0, UNIT):
        rule = optimizer.in_unit(unit).resolved(full_batch)
        updates = _take_updates(rule, unit * gradients, _new_state(rule, 3))
        found.append(np.moveaxis(updates, 1, 0))
    (d, s), (scaled_d, scaled_s) = found
    said = f"for gradients {UNIT:.0f} times as long the directions are {_shown(scaled_d[0])}, not"
    same = np.allclose(scaled_d, UNIT * d, rtol=1e-6)
    require(same, optimizer, "units", f"{said} {UNIT:.0f} times {_shown(d[0])}")
    ratios = scaled_s / s
    said = f"for gradients {UNIT:.0f} times as long the scales change by {ratios.min():.6g} to"
    same = np.allclose(ratios, ratios[0, 0], rtol=1e-6)
    require(same, optimizer, "units", f"{said} {ratios.max():.6g}; eps_power is wrong")


def _check_rates(rule, full_batch):
    rate = rule.automatic_rate(0.5, 2.0, full_batch)
    said = f"automatic_rate(0.5, 2.0, {full_batch}) is positive and finite; got {rate}"
    require(is_positive(rate), rule, "rates", said)
    limit = rule.stability_limit()
    said = f"stability_limit is None, or positive and finite; got {limit}"
    require(limit is None or is_positive(limit), rule, "rates", said)


def _new_state(rule, p):
    """Return memory and scalars for p coordinates."""
    return np.zeros((rule.n_memory, p)), np.zeros(rule.n_scalars)


def _take_updates(rule, gradients, state, first=1):
    """Return direction and scale of every update, of shape (updates, 2, p)."""
    memory, scalars = state
    found = np.empty((gradients.shape[0], 2, gradients.shape[1]))
    for k, g in enumerate(gradients.tolist()):
        try:
            shared = rule.prepare(first + k, _norm(rule, gradients[k]), scalars)
        except IndexError as error:
            require(
                False, rule, "memory", f"prepare keeps to n_scalars = {rule.n_scalars}; {error}"
            )
        for j, entry in enumerate(g):
            found[k, :, j] = _step(rule, entry, memory, j, shared)
    return found


def _shown(values):
    return f"({', '.join(f'{value:.4g}' for value in values)})"


def _norm(rule, g):
    """Return what `prepare` is given for the norm."""
    return float(g @ g) if rule.needs_norm else 0.0


def _step(rule, g, memory, j, shared):
    """Return direction and scale of one coordinate."""
    try:
        found = rule.step(g, memory, j, shared)
    except IndexError as error:
        require(False, rule, "memory", f"step keeps to n_memory = {rule.n_memory} rows; {error}")
    except ZeroDivisionError:
        require(False, rule, "the scale", f"for the gradient {g} the step divides by zero")
    said = f"step returns a direction and a scale; got {found!r}"
    require(isinstance(found, tuple) and len(found) == 2, rule, "the step", said)
    return found
