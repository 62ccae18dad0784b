"""Second order: derivatives of every row's prediction, and the Hessian of an objective.

Rows go through the compiled kernels of the model and of the loss; what is made of them is linear
algebra on a dense matrix.
"""

import numpy as np

from skgd.kernels.quadratic import LEFT, quadratic_sums
from skgd.kernels.row_kernels import (
    loss_terms,
    model_predictions,
    prediction_gradients,
    prediction_hessians,
)


def jacobian(term, theta):
    """Return the derivatives of every row's prediction, of shape (n, d)."""
    slopes = prediction_gradients(term.model, term.matvec(theta[: term.p]), theta[term.p :])
    return np.column_stack([slopes[:, :1] * _rows(term), slopes[:, 1:]])


def data_hessian(term, theta):
    """Return the second derivatives of the mean loss of a rowwise term, of shape (d, d)."""
    p, weight = term.p, term.weight / term.n_samples
    known = term.matvec(theta[:p]), theta[p:], term.y, weight
    rows = row_hessians(term.model, term.loss, *known)
    H = np.empty((theta.size, theta.size))
    H[:p, :p], H[p:, :p] = row_products(term, rows[:, 0, 0], rows[:, 1:, 0])
    H[:p, p:] = H[p:, :p].T
    H[p:, p:] = rows[:, 1:, 1:].sum(axis=0)
    return H


def row_hessians(model, loss, z, extra, y, weight):
    """Return the second derivatives of each row's loss in z and ``extra``, times its weight.

    Returns
    -------
    ndarray of shape (n, 1 + n_extra, 1 + n_extra)
    """
    slopes = prediction_gradients(model, z, extra)
    losses = loss_terms(loss, model_predictions(model, z, extra), y)
    _, first, second = weight * losses
    rows = prediction_hessians(model, z, extra, first)
    rows += second[:, None, None] * slopes[:, :, None] * slopes[:, None]
    return rows


def penalty_curvature(penalty, strengths, w):
    """Return the second derivatives of a penalty's smooth part in each weight, by differences."""
    h, slope = 1e-5 * (1.0 + np.abs(w)), penalty.gradient
    rises = [slope(v + k) - slope(v - k) for v, k in zip(w.tolist(), h.tolist())]
    return strengths * np.array(rises) / (2.0 * h)


def row_products(term, u, v):
    """Return ``X^T diag(u) X`` and ``v^T X``, seen from the centre; sparse rows stay sparse."""
    if not term.sparse:
        X = _rows(term)
        return X.T @ (u[:, None] * X), v.T @ X
    X = term.X.astype(float)
    H, G = (X.T @ X.multiply(u[:, None])).toarray(), (X.T @ v).T
    if term.centre is None:
        return H, G
    c, m = term.centre, X.T @ u
    H += u.sum() * np.outer(c, c) - np.outer(m, c) - np.outer(c, m)
    return H, G - np.outer(v.sum(axis=0), c)


def _rows(term):
    """Return the rows as a dense matrix, seen from the centre."""
    X = term.X.toarray() if term.sparse else term.X
    return X if term.centre is None else X - term.centre


def gradient_from(reference, term, theta):
    """Return the gradient of a squared error as steps from a reference know it, to the bit."""
    g, theta = np.zeros(theta.size), np.ascontiguousarray(theta)
    known = reference._replace(numbers=reference.numbers.copy())
    known.numbers[LEFT] = 1.0
    by_rows = term.sums(theta, theta, np.zeros(theta.size))
    quadratic_sums(term.bounds.second_derivative, known, theta, theta, g, by_rows)[0]()
    g[np.flatnonzero(term.constant)] = 0.0
    return g
