"""Squared errors and R2 on held-out rows for many coefficients at once, from their products."""

import numpy as np

from skgd.kernels.sums import predictions

ROUNDING = 32.0 * np.finfo(float).eps  # of an error from products, of the size of its terms
DIGITS = 1e-10  # of an error, up to which that may be: else it is computed from the rows
AT_ONCE = 2**22  # predictions


def squared_errors(fold, coef, intercept):
    """Return the mean squared error on the held-out rows, weighted as they are.

    Parameters
    ----------
    fold : Fold
    coef : ndarray of shape (C, n_targets, p)
    intercept : ndarray of shape (C, n_targets)

    Returns
    -------
    ndarray of shape (C, n_targets)
    """
    products = fold.test_products
    if products is None:
        return _from_rows(fold.test, coef, intercept)
    G, q, yy = products.G, products.q, products.yy
    with np.errstate(all="ignore"):
        e = products.levels - coef @ products.means - intercept
        errors = ((coef @ G - 2.0 * q) * coef).sum(axis=2) + yy + e * e
        size = (np.abs(coef) @ np.sqrt(G.diagonal()) + np.sqrt(yy) + np.abs(e)) ** 2
        lost = np.flatnonzero(~(ROUNDING * size <= DIGITS * errors).all(axis=1))
    if lost.size:
        errors[lost] = _from_rows(fold.test, coef[lost], intercept[lost])
    return errors


def _from_rows(rows, coef, intercept):
    """Return the same from predictions, some at a time."""
    (C, n_targets, _), n = coef.shape, len(rows.y)
    at_once, errors = max(1, AT_ONCE // n), np.empty((C, n_targets))
    with np.errstate(all="ignore"):
        for k, y in enumerate(rows.targets):
            for start in range(0, C, at_once):
                some = slice(start, start + at_once)
                left = predictions(rows.X, np.ascontiguousarray(coef[some, k].T))
                left += intercept[some, k]
                left -= y[:, None]
                errors[some, k] = rows.weight @ (left * left) / n
    return errors


def r2_scores(fold, coef, intercept):
    """Return R2 on the held-out rows, the mean over targets, as scikit-learn's `r2_score`.

    Parameters
    ----------
    fold, coef, intercept
        As in `squared_errors`.

    Returns
    -------
    ndarray of shape (C,)
        NaN where a single row is held out.
    """
    return determination(fold, squared_errors(fold, coef, intercept)).mean(axis=1)


def determination(fold, errors):
    """Return R2 of each target from its mean squared errors.

    Parameters
    ----------
    fold : Fold
    errors : ndarray of shape (C, n_targets)
        The `squared_errors`.

    Returns
    -------
    ndarray of shape (C, n_targets)
    """
    products, rows = fold.test_products, fold.test
    if len(rows.y) < 2:
        return np.full(errors.shape, np.nan)
    if products is None:
        level = rows.targets @ rows.weight / len(rows.y)
        spread = np.square(rows.targets - level[:, None]) @ rows.weight / len(rows.y)
    else:
        spread = products.yy
    scores = 1.0 - errors / np.where(spread > 0.0, spread, 1.0)
    return np.where(spread > 0.0, scores, np.where(errors == 0.0, 1.0, 0.0))
