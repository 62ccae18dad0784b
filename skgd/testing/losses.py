"""The laws of a loss."""

import math

import numpy as np

from skgd.kernels.row_kernels import conjugates, inverse_link, loss_terms
from skgd.losses import Loss
from skgd.testing.compilation import check_same
from skgd.testing.laws import EPS, STEP, bracket, check_value, is_positive, points, require

JUMP = 1e-3  # of a slope, between neighbours, that is no rounding


def check_loss(loss: Loss, *, compiled: bool = True) -> None:
    """Check that a loss keeps its laws.

    - **values**: the loss is an immutable value; its copies are equal.
    - **the value**: it is finite and not negative, and with ``quadratic`` it is ``(f - y)^2 / 2``.
    - **convexity**: it is convex in the prediction ``f``.
    - **the slope**: it equals differences of the value; at a kink it lies between both sides'.
    - **the second derivative**, where it is written: it equals differences of the slope.
    - **the conjugate**, where it is written: with the value it adds up to at least ``v f``, and to
      just that where v is the slope.
    - **the kinks**, where they are given: they rise, and between them the slope is constant.
    - **curvature**: ``curvature``, where it is not None, bounds the change of the slope, and
      ``curvature_estimate`` is positive and finite.
    - **smoothness**: a loss whose slope jumps sets ``nonsmooth``.
    - **the inverse link**: it rises; with the link ``"identity"`` it is ``f`` itself.
    - **compilation**: the methods compile without allocating, and give the same numbers compiled.

    Parameters
    ----------
    loss : Loss
    compiled : bool, default=True
        Whether to compile it too, which takes about a second.

    Raises
    ------
    AssertionError
        With the name of the law and the numbers that break it.

    Examples
    --------
    >>> from skgd.losses import SquaredError
    >>> from skgd.testing import check_loss
    >>> class Twice(SquaredError):
    ...     def slope(self, f, y):
    ...         return 2.0 * (f - y)
    >>> check_loss(Twice())
    Traceback (most recent call last):
    ...
    AssertionError: Twice() breaks the law of the slope: at f=1.37, y=0.1182 it is 2.5028, and ...
    """
    check_value(loss, Loss)
    targets = [max(y, loss.min_target + 0.01) for y in points(1)]
    rows = [*zip(points(0), points(2), targets)]
    for check in (
        _check_value_of,
        _check_convexity,
        _check_slope,
        _check_curvature,
        _check_smoothness,
        _check_second_derivative,
        _check_conjugate,
        _check_kinks,
        _check_link,
    ):
        for f, g, y in rows:
            check(loss, f, g, y)
    estimate = loss.curvature_estimate(np.array(targets))
    said = f"curvature_estimate is None, or positive and finite; got {estimate!r}"
    require(estimate is None or is_positive(estimate), loss, "curvature", said)
    if compiled:
        _check_compiled(loss, targets)
    check_value(loss, Loss)


def _check_value_of(loss, f, g, y):
    value = loss.value(f, y)
    said = f"at f={f:.4g}, y={y:.4g} it is {value:.6g}"
    sound = -64.0 * EPS * (1.0 + abs(f * y)) <= value < math.inf
    require(sound, loss, "the value", said + ", neither finite nor at least zero")
    half_square = 0.5 * (f - y) ** 2
    same = not loss.quadratic or math.isclose(value, half_square, rel_tol=1e-12)
    require(same, loss, "the value", f"{said}; with quadratic, it is {half_square:.6g}")


def _check_convexity(loss, f, g, y):
    between = loss.value(0.5 * (f + g), y)
    chord = 0.5 * (loss.value(f, y) + loss.value(g, y))
    said = (
        f"between f={f:.4g} and {g:.4g}, y={y:.4g}, the value is {between:.6g}, above the chord's"
    )
    kept = between <= chord + 1e-12 * (1.0 + abs(f * y) + abs(g * y) + abs(chord))
    require(kept, loss, "convexity", f"{said} {chord:.6g}")


def _check_slope(loss, f, g, y):
    low, high = bracket(lambda v: loss.value(v, y), f)
    slope = float(loss.slope(f, y))
    said = f"at f={f:.4g}, y={y:.4g} it is {slope:.6g}, and differences of the value"
    require(low <= slope <= high, loss, "the slope", f"{said} are {low:.6g} to {high:.6g}")


def _check_curvature(loss, f, g, y):
    if loss.curvature is None:
        return
    require(
        is_positive(loss.curvature), loss, "curvature", f"it is {loss.curvature}; not positive"
    )
    change = abs(loss.slope(f, y) - loss.slope(g, y))
    said = f"from f={f:.4g} to {g:.4g}, y={y:.4g}, the slope changes by {change:.6g}, more than"
    kept = change <= loss.curvature * abs(f - g) * (1.0 + 1e-12) + 1e-13
    require(kept, loss, "curvature", f"{said} {loss.curvature:.6g} times the distance")


def _check_smoothness(loss, f, g, y):
    """Halve an interval towards the larger change of the slope: only a jump does not vanish."""
    if loss.nonsmooth:
        return
    low, high = min(f, g), max(f, g)
    while high - low > 1e-9:
        middle = 0.5 * (low + high)
        slopes = [loss.slope(v, y) for v in (low, middle, high)]
        left = abs(slopes[1] - slopes[0]) > abs(slopes[2] - slopes[1])
        low, high = (low, middle) if left else (middle, high)
    jump = abs(loss.slope(high, y) - loss.slope(low, y))
    said = f"at f={low:.6g}, y={y:.4g} the slope jumps by {jump:.4g}: set nonsmooth = True"
    require(jump <= JUMP, loss, "smoothness", said)


def _check_second_derivative(loss, f, g, y):
    """Compare with differences of the slope, except where these differ from side to side."""
    if loss.second_derivative is None:
        return
    second = float(loss.second_derivative(f, y))
    before, here, after = (float(loss.slope(v, y)) for v in (f - STEP, f, f + STEP))
    low, high = (here - before) / STEP, (after - here) / STEP
    smooth = abs(high - low) <= 1e-4 * (1.0 + abs(high))
    agrees = abs(second - 0.5 * (low + high)) <= 1e-4 * (1.0 + abs(second))
    said = (
        f"at f={f:.4g}, y={y:.4g} it is {second:.6g}, and differences of the slope are {high:.6g}"
    )
    require(agrees or not smooth, loss, "the second derivative", said)


def _check_conjugate(loss, f, g, y):
    """Try the slope at ``f``, with predictions there and elsewhere."""
    if loss.conjugate is None:
        return
    v = float(loss.slope(f, y))
    conjugate = float(loss.conjugate(v, y))
    for there in (f, g):
        value = loss.value(there, y)
        room = 1e-12 * (1.0 + abs(v * there) + abs(value) + abs(v * y))
        said = f"at v={v:.4g}, y={y:.4g} it is {conjugate:.6g}, less than v f - value"
        below = v * there - value
        kept = conjugate >= below - room
        require(kept, loss, "the conjugate", f"{said} at f={there:.4g}, {below:.6g}")
        said = f"at y={y:.4g} and the slope at f={f:.4g}, v={v:.4g}, it is {conjugate:.6g}"
        equal = there != f or conjugate <= below + room
        require(equal, loss, "the conjugate", f"{said}, more than v f - value, {below:.6g}")


def _check_kinks(loss, f, g, y):
    if loss.kinks is None:
        return
    kinks = np.ravel(loss.kinks(np.array([y])))
    said = f"at y={y:.4g} they are {kinks}"
    require((np.diff(kinks) >= 0.0).all(), loss, "the kinks", f"{said}, which do not rise")
    same = (f < kinks).tolist() == (g < kinks).tolist() and not {f, g} & {*kinks}
    slopes = [float(loss.slope(v, y)) for v in (f, g)]
    said = f"{said}, but from f={f:.4g} to {g:.4g} the slope changes from {slopes[0]:.6g} to"
    kept = not same or math.isclose(*slopes, rel_tol=1e-12, abs_tol=1e-12)
    require(kept, loss, "the kinks", f"{said} {slopes[1]:.6g}")


def _check_link(loss, f, g, y):
    low, high = min(f, g), max(f, g)
    here, there = loss.inverse_link(low), loss.inverse_link(high)
    said = f"from f={low:.4g} to {high:.4g} it goes from {here:.6g} to {there:.6g}; it must rise"
    require(here < there, loss, "the inverse link", said)
    said = f'the link is "identity", but at f={low:.4g} it is {here:.6g}'
    require(loss.link != "identity" or here == low, loss, "the inverse link", said)


def _check_compiled(loss, targets):
    f, y = np.array(points(5)), np.array(targets)

    def plain():
        return [[method(*pair) for pair in zip(f.tolist(), y.tolist())] for method in methods]

    methods = [loss.value, loss.slope]
    check_same(loss, "value and slope", plain, lambda: loss_terms(loss, f, y)[:2])
    if loss.second_derivative is not None:
        methods = [loss.second_derivative]
        check_same(loss, "second_derivative", plain, lambda: loss_terms(loss, f, y)[2:])
    if loss.conjugate is not None:
        v = loss_terms(loss, f, y)[1]
        pairs = [*zip(v.tolist(), y.tolist())]
        check_same(
            loss,
            "conjugate",
            lambda: [loss.conjugate(*pair) for pair in pairs],
            lambda: conjugates(loss, v, y),
        )
    links = [loss.inverse_link(v) for v in f.tolist()]
    check_same(loss, "inverse_link", lambda: links, lambda: inverse_link(loss, f))
