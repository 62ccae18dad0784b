"""Dual points of the squared error from the products of the columns, without reading the data."""

import numpy as np

from skgd.objective.quadratic_model import Model, model_minimum

EXCHANGES = 10  # of columns, that may fail to lower the number of wrong ones
ROUNDING = 64.0 * np.finfo(float).eps  # of sums of squares, which differences are taken of


def point_at_minimum(objective, w, square, slopes):
    """Return what the residual at the minimum of the objective is known by, from products.

    Parameters
    ----------
    objective : Objective
        With a squared error and an elastic penalty.
    w : ndarray of shape (p,)
    square : float
        The mean square of the residual at w, less its mean where there is an intercept.
    slopes : ndarray of shape (p,)
        Its means with the columns.

    Returns
    -------
    target, square : float
        The means of its products with the targets and with itself; the latter with all rounding.
    slopes : ndarray of shape (p,)
    z : ndarray of shape (p,)
        How far the minimum is from w.

    None where the products of all columns would cost too much, or tell nothing.
    """
    products = objective.term.bounds.products
    if products is None or not np.isfinite(square):
        return None
    G, means = products
    if objective.d > objective.p:
        G = G - np.outer(means, means)
    (a, b), moves = objective.resolved_strengths, G.diagonal() > 0.0
    bounded = (a > 0.0) | objective.positive
    M = G[np.ix_(moves, moves)] + np.diag(b[moves])
    q, z = (G @ w + slopes)[moves], np.zeros(w.size)
    model = Model(M, q, a[moves], b[moves], bounded[moves], objective.positive)
    z[moves] = model_minimum(model, w[moves], EXCHANGES)[0] - w[moves]
    image = G @ z
    sizes = square + np.abs(z) @ np.abs(slopes) + np.abs(z) @ np.abs(image)
    there = square - 2.0 * z @ slopes + z @ image + ROUNDING * sizes
    slopes = slopes - image
    return there + slopes @ (w + z) - 2.0 * ROUNDING * sizes, there, slopes, z
