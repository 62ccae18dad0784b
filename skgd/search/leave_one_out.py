"""Ridge problems without one row after the other, by one decomposition for all rows and alphas.

References
----------
Golub, Heath and Wahba, "Generalized cross-validation as a method for choosing a good ridge
parameter" (1979).
"""

import numpy as np
from scipy.linalg import eigh

from skgd.kernels.sums import predictions, row_gram
from skgd.search.gram_problem import GramTerm
from skgd.search.products import products_of

TOLD = 1e-12  # of the largest eigenvalue, up to which others are rounding
LEAST_SHARE = 1e-6  # of a residual that is left when its row is fitted to


def left_out_errors(rows, intercept, strengths):
    """Return the squared error on each row of the ridge fit to the others; None where inexact.

    Parameters
    ----------
    rows : Rows
    intercept : bool
    strengths : ndarray of shape (n_alphas,)
        Of ``b |w|^2 / 2`` beside the mean loss of those others.

    Returns
    -------
    ndarray of shape (n_alphas, n, n_targets) or None
    """
    n, share = len(rows.y), rows.weight / len(rows.y)
    if not strengths.min(initial=1.0) > 0.0:
        return None
    found = _coordinates(rows, intercept)
    if found is None:
        return None
    values, Z = found
    y = rows.targets.T
    y = y - share @ y if intercept else y
    c, errors = (Z * share[:, None]).T @ y, np.empty((len(strengths), n, y.shape[1]))
    left = 1.0 - share if rows.weighted else 1.0 - share[:1]
    for k, b in enumerate(strengths):
        shrunk = Z / (values + b * left[:, None])
        rest = 1.0 - share * ((shrunk * Z).sum(axis=1) + intercept)
        if rest.min() < LEAST_SHARE:
            return None
        errors[k] = np.square((y - shrunk @ c) / rest[:, None])
    return errors


def _coordinates(rows, intercept):
    """Return eigenvalues of G, and the rows in the coordinates of its eigenvectors."""
    (n, p), weight = rows.X.shape, rows.weight
    if p <= n:
        products = products_of(rows)
        if products is None:
            return None
        term = GramTerm(products.cleared(), intercept)
        values, vectors = eigh(term.G)
        told = values > TOLD * values[-1]
        values, vectors = values[told], np.where(term.constant[:, None], 0.0, vectors[:, told])
        Z = predictions(rows.X, vectors)
        return values, Z - term.centre @ vectors if intercept else Z
    centre = rows.columns(True).mean if intercept else None
    K, root = row_gram(rows.X, centre, True), np.sqrt(weight / n)
    values, vectors = eigh(K * root * root[:, None])
    told = values > TOLD * values[-1]
    values = values[told]
    return values, K @ (root[:, None] * vectors[:, told]) / np.sqrt(values)
