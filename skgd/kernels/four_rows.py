"""Products with four rows of a C-ordered array at once, which read a vector a fourth as often.

Sums are float64, whatever the dtype of X. Compiled code takes them in lanes
(`skgd.kernels.lowering_rows`). The vectors ``w``, ``v``, ``g`` may be longer than a row.
"""

FOUR = 4


def multiply_four(X, places, w, z):
    """Set ``z_k`` to ``w . x`` for the row x at the k-th of four places."""
    z[:FOUR] = X[list(places)] @ w[: X.shape[1]]


def multiply_four_by_two(X, places, w, v, z, y):
    """Set ``z_k`` to ``w . x``, and ``y_k`` to ``v . x``, for the row x at the k-th place."""
    multiply_four(X, places, w, z)
    multiply_four(X, places, v, y)


def add_four(X, places, u, g):
    """Add ``u_k x`` to ``g`` for the row x at the k-th of four places."""
    g[: X.shape[1]] += u[:FOUR] @ X[list(places)]
