"""Starting points for objectives with many minima: the best of many random points.

Parameters of `Gabor` are drawn from a box. Amplitude and baseline enter linearly and are then
fitted by least squares. The points are ranked by their loss on a sample of the rows.
"""

import numpy as np
from scipy import sparse

from skgd.kernels.row_kernels import loss_terms, model_predictions

ROWS = 256  # largest number of rows for the ranking
FINEST = 40  # largest number of points over the range of a column that limits the frequency
AT_ONCE = 3000  # points that are ranked at once; the best of as many are kept
MOST = 30_000  # largest default number of points
# Curves are similar up to this mean squared difference, in units of loss over loss curvature.
MIN_DISTANCE = 0.5


def screen(objective, n_screen, n_init, rng, bounds=None):
    """Return the best of many random points, with pairwise different curves.

    Parameters
    ----------
    objective : Objective
        Of a `Gabor` model.
    n_screen : int
        The number of points to draw.
    n_init : int
        The largest number of points to return.
    rng : numpy.random.Generator
    bounds : ndarray of shape (d, 2) or None
        The box, in the order of the objective's parameters; None for that of `default_bounds`.

    Returns
    -------
    ndarray of shape (n_starts, d)
    """
    X, y, weight = _some_rows(objective, rng)
    best = [np.empty((0, objective.d)), np.empty((0, len(y))), np.empty(0)]
    for begin in range(0, n_screen, AT_ONCE):
        found = _ranked(objective, X, y, weight, min(AT_ONCE, n_screen - begin), rng, bounds)
        best = [np.concatenate(pair) for pair in zip(best, found)]
        if begin:
            kept = np.argsort(best[2], kind="stable")[:AT_ONCE]
            best = [values[kept] for values in best]
    theta, curves, losses = best
    return theta[_select_diverse(curves, losses / objective.term.bounds.loss, weight, n_init)]


def default_n_screen(p):
    """Return the default number of points for p columns."""
    return min(AT_ONCE * 10 ** (p - 1), MOST)


def default_bounds(X):
    """Return the largest useful frequency, and the smallest and largest x, of each column.

    At the largest frequency there is half a period between neighbouring values, if the values of
    the column were equidistant (and at most 40). With p columns it is divided by ``sqrt(p)``.
    """
    X = X.toarray() if sparse.issparse(X) else X
    low, high = X.min(axis=0).astype(float), X.max(axis=0).astype(float)
    spread = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
    values = np.array([np.unique(column).size for column in X.T])
    fastest = np.pi * np.clip(values - 1, 1, FINEST - 1) / (0.06 * spread)
    return fastest / np.sqrt(X.shape[1]), low, high


def _some_rows(objective, rng):
    """Return a sample of rows, targets and weights; the weights have sum one."""
    n = objective.term.n_weighted
    numbers = np.arange(n) if n <= ROWS else np.sort(rng.choice(n, ROWS, replace=False))
    X, y, weight = objective.term.weighted_rows(numbers)
    return X, y, weight / weight.sum()


def _ranked(objective, X, y, weight, n_points, rng, bounds):
    """Return random points, and their curves and losses on the given rows."""
    targets = objective.loss.linked(y)
    if bounds is None:
        theta = _drawn(objective.model, X, targets, n_points, rng)
    else:
        theta = rng.uniform(*bounds.T, (n_points, objective.d))
    z = (X @ theta[:, : objective.p].T).T
    curves = model_predictions(objective.model, z, theta[:, objective.p :])
    if bounds is None:
        curves = _fit_linear_parameters(objective, theta, curves, targets, weight)
    losses = loss_terms(objective.loss, curves, y)[0] @ weight
    return theta, curves, np.where(np.isfinite(losses), losses, np.inf)


def _drawn(model, X, y, n_screen, rng):
    """Return random points whose packets overlap the data; the first is nearly a straight line."""
    fastest, low, high = default_bounds(X)
    w = rng.uniform(-1.0, 1.0, (n_screen, len(low))) * fastest
    middle = rng.uniform(low, high, w.shape)
    width = np.exp(rng.uniform(0.0, 3.0, n_screen)) if model.width else np.full(n_screen, 4.0)
    b = width * rng.uniform(-1.0, 1.0, n_screen) - 0.06 * np.einsum("ij,ij->i", w, middle)
    w[0], b[0] = _line(X, y)
    chosen = [b, np.ones(n_screen), width, np.zeros(n_screen)]
    fitted = [True, model.amplitude, model.width, model.baseline]
    return np.column_stack([w, *(column for column, here in zip(chosen, fitted) if here)])


def _line(X, y):
    """Return w and b such that ``sin(b + 0.06 w . x)`` is close to y for small y."""
    dense = X.toarray() if sparse.issparse(X) else X
    line = np.linalg.lstsq(np.column_stack([0.06 * dense, np.ones(len(y))]), y, rcond=None)[0]
    line /= max(1.0, np.abs(y).max())
    return line[:-1], line[-1]


def _fit_linear_parameters(objective, theta, curves, y, weight):
    """Set amplitude and baseline of each point by least squares; return the new curves."""
    model, p = objective.model, objective.p
    level = weight @ y if model.baseline else 0.0
    mean = curves @ weight if model.baseline else np.zeros(len(curves))
    a = np.ones(len(curves))
    if model.amplitude:
        square = (curves - mean[:, None]) ** 2 @ weight
        product = (curves - mean[:, None]) @ (weight * (y - level))
        largest = 2.0 * np.abs(y - level).max()
        a = np.clip(product / np.maximum(square, np.finfo(float).tiny), -largest, largest)
        theta[:, p + 1] = a
    c = level - a * mean
    if model.baseline:
        theta[:, -1] = c
    return a[:, None] * curves + c[:, None]


def _select_diverse(curves, losses, weight, most):
    """Return the indices of the best points, without those that are similar to a better one."""
    chosen, losses = [], losses.copy()
    for _ in range(most):
        k = int(np.argmin(losses))
        if chosen and losses[k] == np.inf:
            break
        chosen.append(k)
        apart = (curves - curves[k]) ** 2 @ weight
        losses[apart <= MIN_DISTANCE * losses[k]] = np.inf
        losses[k] = np.inf
    return chosen
