"""The parameters and the rows of a linear model: weights, an intercept, a column of ones."""

import numpy as np
from scipy import sparse


def split(objective, theta):
    """Return the weights and the intercept."""
    return theta[: objective.p].copy(), float(theta[objective.p :].sum())


def as_vector(objective, w, level):
    """Return weights and an intercept as parameters."""
    return np.append(w, level) if objective.d > objective.p else w


def weighted_mean(objective, rows):
    """Return the weighted mean of a number for each row; rows without weight do not count."""
    with np.errstate(invalid="ignore"):
        return float(np.where(objective.weight > 0.0, objective.weight * rows, 0.0).mean())


def dense_rows(objective, rows, columns):
    """Return some columns of some rows, seen from the centre, and a column of ones.

    Parameters
    ----------
    objective : Objective
    rows : slice or ndarray of int
    columns : ndarray of int
    """
    X = objective.X[rows]
    X = X if columns.size == objective.p else X[:, columns]
    X = X.toarray() if sparse.issparse(X) else X
    A = np.ones((X.shape[0], columns.size + objective.d - objective.p))
    centre = 0.0 if objective.centre is None else objective.centre[columns]
    np.subtract(X, centre, out=A[:, : columns.size])
    return A
