"""Weighted means over rows of products of vectors, without vectors for what lies between."""

from skgd.kernels.rows import are_even

ROWS = 2**16  # that are weighted, or seen from a level, at once


def mean_product(weight, u, v, level=0.0):
    """Return the weighted mean of ``u_i (v_i - level)``, for weights with mean one.

    Parameters
    ----------
    weight, u, v : ndarray of shape (n,)
    level : float
    """
    n, total = len(u), 0.0
    for start in range(0, n, ROWS):
        rows = slice(start, start + ROWS)
        some = u[rows] if are_even(weight) else weight[rows] * u[rows]
        total += some @ (v[rows] - level if level else v[rows])
    return total / n


def mean_square(weight, u, level=0.0):
    """Return the weighted mean of ``(u_i - level)^2``, for weights with mean one."""
    n, total = len(u), 0.0
    for start in range(0, n, ROWS):
        rows = slice(start, start + ROWS)
        some = u[rows] - level if level else u[rows]
        total += some @ (some if are_even(weight) else weight[rows] * some)
    return total / n
