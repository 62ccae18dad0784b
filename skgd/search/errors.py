"""Squared errors and R2 on held-out rows for many coefficients at once, from their products."""

import numpy as np

ROUNDING = 32.0 * np.finfo(float).eps  # of an error from products, of the size of its terms
DIGITS = 1e-10  # of an error, up to which that may be: else it is computed from the rows


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
        return fold.test.squared_errors(coef, intercept)
    G, q, yy = products.G, products.q, products.yy
    with np.errstate(all="ignore"):
        e = products.levels - coef @ products.means - intercept
        errors = ((coef @ G - 2.0 * q) * coef).sum(axis=2) + yy + e * e
        size = (np.abs(coef) @ np.sqrt(G.diagonal()) + np.sqrt(yy) + np.abs(e)) ** 2
        lost = np.flatnonzero(~(ROUNDING * size <= DIGITS * errors).all(axis=1))
    if lost.size:
        errors[lost] = fold.test.squared_errors(coef[lost], intercept[lost])
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
    if rows.shape[0] < 2:
        return np.full(errors.shape, np.nan)
    if products is None:
        level = rows.targets @ rows.weight / len(rows.y)
        spread = np.square(rows.targets - level[:, None]) @ rows.weight / len(rows.y)
    else:
        spread = products.yy
    scores = 1.0 - errors / np.where(spread > 0.0, spread, 1.0)
    return np.where(spread > 0.0, scores, np.where(errors == 0.0, 1.0, 0.0))
