"""The laws of a penalty."""

import math

import numpy as np

from skgd.penalties import Penalty
from skgd.testing.compilation import check_penalty_compiles
from skgd.testing.laws import bracket, check_value, points, require

STEPS = np.geomspace(1e-3, 4.0, 100).tolist()  # of the prox
RULES = [np.polynomial.legendre.leggauss(n) for n in (16, 17)]  # of integration


def check_penalty(penalty: Penalty, *, compiled: bool = True) -> None:
    """Check that a penalty keeps its laws.

    - **values**: the penalty is an immutable value; its copies are equal.
    - **the value**: Omega is zero at zero and nowhere negative.
    - **curvature**: ``curvature()`` bounds the change of the gradient.
    - **elastic**: ``elastic()``, where it is not None, describes value, gradient and prox.
    - **the gradient** (of a smooth penalty): it equals differences of the value.
    - **the prox** (of a penalty without a gradient): no ``z`` has a lower ``value(z) + (z - w)^2 /
      (2 step)``; what is not a number remains so.
    - **gradient and prox** (of a penalty with both): together they make up the slope of the value,
      and the prox minimises what the gradient leaves out.
    - **compilation**: the methods compile without allocating, and give the same numbers compiled.

    Parameters
    ----------
    penalty : Penalty
    compiled : bool, default=True
        Whether to compile it too, which takes about a second.

    Raises
    ------
    AssertionError
        With the name of the law and the numbers that break it.

    Examples
    --------
    >>> from skgd.penalties import L1
    >>> from skgd.testing import check_penalty
    >>> class Hard(L1):
    ...     def elastic(self):
    ...         return None
    ...     def prox(self, w, step):
    ...         return w if abs(w) > step else 0.0 * w
    >>> check_penalty(Hard())
    Traceback (most recent call last):
    ...
    AssertionError: Hard() breaks the law of the prox: at w=1.37, step=0.001 it is z=1.37, ...
    """
    check_value(penalty, Penalty)
    _check_value_of(penalty)
    _check_curvature(penalty)
    _check_elastic(penalty)
    law = _law_of(penalty)
    for w, step in zip(points(0), STEPS):
        _check_slope(penalty, law, w, step)
        if law != "the gradient":
            _check_minimum(penalty, law, w, step)
    kept = math.isnan(penalty.prox(math.nan, 0.5))
    require(
        kept, penalty, "the prox", "what is not a number remains so, or divergence goes unseen"
    )
    if compiled:
        check_penalty_compiles(penalty)
    check_value(penalty, Penalty)


def _check_value_of(penalty):
    require(penalty.value(0.0) == 0.0, penalty, "the value", f"Omega(0) is {penalty.value(0.0)}")
    for w in points(1):
        said = f"Omega({w:.4g}) is {penalty.value(w):.4g}; it may not be negative"
        require(penalty.value(w) >= 0.0, penalty, "the value", said)


def _check_curvature(penalty):
    bound = penalty.curvature()
    said = f"curvature() is a finite number of at least zero; got {bound!r}"
    require(0.0 <= bound < math.inf, penalty, "curvature", said)
    for u, v in zip(points(2), points(3)):
        change = abs(penalty.gradient(u) - penalty.gradient(v))
        said = (
            f"from {u:.4g} to {v:.4g} the gradient changes by {change:.4g}, more than {bound:.4g}"
        )
        kept = change <= bound * abs(u - v) * (1.0 + 1e-12) + 1e-14
        require(kept, penalty, "curvature", said + " times the distance")


def _check_elastic(penalty):
    """Compare with ``a |w| + b w^2 / 2``."""
    strengths = penalty.elastic()
    if strengths is None:
        return
    a, b = strengths
    for w, step in zip(points(4), STEPS):
        pairs = {
            f"Omega({w:.4g})": (penalty.value(w), a * abs(w) + 0.5 * b * w * w),
            f"the gradient at {w:.4g}": (penalty.gradient(w), b * w),
            f"the prox at w={w:.4g}, step={step:.4g}": (
                penalty.prox(w, step),
                math.copysign(max(abs(w) - step * a, 0.0), w),
            ),
            "curvature()": (penalty.curvature(), b),
        }
        for what, (found, expected) in pairs.items():
            said = (
                f"elastic() is ({a:.4g}, {b:.4g}), but {what} is {found:.6g}, not {expected:.6g}"
            )
            same = math.isclose(found, expected, rel_tol=1e-13, abs_tol=1e-14)
            require(same, penalty, "elastic", said)


def _law_of(penalty):
    """Return the name of the law for the share of gradient and prox in the slope of the value."""
    if all(penalty.prox(w, step) == w for w, step in zip(points(0), STEPS)):
        return "the gradient"
    if all(penalty.gradient(w) == 0.0 for w in points(0)):
        return "the prox"
    return "gradient and prox"


def _check_slope(penalty, law, w, step):
    """The condition of a minimum: gradient(z) + (w - z) / step is a slope of the value at z."""
    z = float(penalty.prox(w, step))
    require(math.isfinite(z), penalty, "the prox", f"at w={w:.4g}, step={step:.4g} it is {z}")
    gradient, rest = float(penalty.gradient(z)), (w - z) / step
    low, high = bracket(penalty.value, z)
    if law == "the gradient":
        said = f"at w={w:.4g} it is {gradient:.6g}, and"
    else:
        said = (
            f"at w={w:.4g}, step={step:.4g} it is z={z:.4g}, where (w - z) / step is {rest:.6g},"
        )
        said += f" the gradient {gradient:.6g} and"
    said += f" differences of the value from {low:.6g} to {high:.6g}"
    require(low <= gradient + rest <= high, penalty, law, said)


def _check_minimum(penalty, law, w, step):
    """Try other points in ``step rest(z) + (z - w)^2 / 2``."""
    z, width = float(penalty.prox(w, step)), 1.0 + abs(w)
    least, blur = _prox_objective(penalty, law, z, w, step)
    tried = np.linspace(-width, width, 21).tolist()
    for v in (0.0, w, -z, z - 0.01 * width, z + 0.01 * width, *tried):
        value, room = _prox_objective(penalty, law, v, w, step)
        better = value < least - blur - room - 1e-12 * width * width
        said = f"at w={w:.4g}, step={step:.4g} it is z={z:.4g}, but {v:.4g} is better: "
        require(not better, penalty, law, said + f"{value:.6g} against {least:.6g}")


def _prox_objective(penalty, law, z, w, step):
    """Return what a prox minimises, its smooth part integrated, and the error of the integral."""
    whole = step * penalty.value(z) + 0.5 * (z - w) ** 2
    if law == "the prox":
        return whole, 0.0
    sums = []
    for nodes, weights in RULES:
        slopes = [penalty.gradient(v) for v in (0.5 * z * (1.0 + nodes)).tolist()]
        sums.append(0.5 * z * float(weights @ slopes))
    return whole - step * sums[0], 4.0 * step * abs(sums[0] - sums[1])
