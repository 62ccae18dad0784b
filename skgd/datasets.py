"""Data for which the truth is known."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.utils import Bunch, check_random_state

from skgd.estimators._sklearn import Interval, validate_params
from skgd.estimators.validation import numbers
from skgd.kernels.row_kernels import model_predictions
from skgd.models import Gabor

MOST = 10_000_000  # rows, or columns

# Offset, frequency and objective of the minima of `load_gabor`, to four decimals.
MINIMA = (
    (-0.0054, 16.3622, 0.0030),
    (-5.8659, 16.7321, 0.0352),
    (6.4191, 17.6051, 0.0401),
    (8.9255, 3.1896, 0.0556),
    (-5.7337, 8.2704, 0.0639),
    (6.2439, 11.1847, 0.0837),
    (-1.9118, 6.8669, 0.1694),
    (1.7922, 2.6145, 0.1868),
)


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, MOST, closed="both")],
        "n_features": [Interval(Integral, 1, MOST, closed="both")],
        "theta": ["array-like", None],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both"), RandomState, None],
    },
    prefer_skip_nested_validation=True,
)
def make_gabor(
    n_samples: int = 30,
    n_features: int = 1,
    theta: ArrayLike | None = None,
    noise: float = 0.1,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Make rows of the Gabor model, with noise.

    Parameters
    ----------
    n_samples : int, default=30
    n_features : int, default=1
    theta : array-like of shape (1 + n_features,), default=None
        Offset and frequencies, in the order of `GDGaborRegressor.theta_`; None for an offset of
        0 and frequencies whose root of summed squares is 16.6.
    noise : float, default=0.1
        Standard deviation of the normal noise on y.
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Even in [-15, 15].
    y : ndarray of shape (n_samples,)

    Examples
    --------
    >>> from skgd.datasets import make_gabor
    >>> X, y = make_gabor(n_samples=3, noise=0.0, theta=[0.0, 10.0], random_state=0)
    >>> X.ravel().round(2)
    array([1.46, 6.46, 3.08])
    >>> y.round(2)
    array([ 0.75, -0.42,  0.86])
    """
    rng = check_random_state(random_state)
    if theta is None:
        theta = np.append(0.0, np.full(n_features, 16.6 / np.sqrt(n_features)))
    theta = numbers(theta, "theta", {(1 + n_features,): "offset and frequencies"})
    X = rng.uniform(-15.0, 15.0, (n_samples, n_features))
    y = model_predictions(Gabor(), X @ theta[1:], theta[:1])
    return X, y + noise * rng.standard_normal(n_samples)


@validate_params({"return_X_y": ["boolean"]}, prefer_skip_nested_validation=True)
def load_gabor(*, return_X_y: bool = False) -> Any:
    """Load one fixed problem of two parameters, whose landscape is known.

    It is ``make_gabor(random_state=1)``: 30 rows, noise 0.1. Within offsets of -10 to 10 and
    frequencies of 2.5 to 22.5 the mean of half the squared errors has these minima:

    ====== ========= =========
    offset frequency objective
    ====== ========= =========
    -0.01  16.36     0.0030
    -5.87  16.73     0.0352
    6.42   17.61     0.0401
    8.93   3.19      0.0556
    -5.73  8.27      0.0639
    6.24   11.18     0.0837
    -1.91  6.87      0.1694
    1.79   2.61      0.1868
    ====== ========= =========

    Plain descent at a small rate reaches the first, global one from ``good_start``, and the
    second from ``bad_start``, however often it is repeated.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return X and y only.

    Returns
    -------
    Bunch, or (X, y)
        With ``data`` of shape (30, 1), ``target`` (30,), ``minima`` of shape (8, 3) (the
        table above), ``theta`` (the truth behind the noise), ``good_start`` and ``bad_start``
        (offset and frequency), and ``DESCR``.

    Examples
    --------
    >>> from skgd.datasets import load_gabor
    >>> load_gabor().bad_start
    array([-4., 12.])
    """
    X, y = make_gabor(random_state=1)
    if return_X_y:
        return X, y
    return Bunch(
        data=X,
        target=y,
        minima=np.array(MINIMA),
        theta=np.array([0.0, 16.6]),
        good_start=np.array([1.5, 8.5]),
        bad_start=np.array([-4.0, 12.0]),
        DESCR=load_gabor.__doc__,
    )
