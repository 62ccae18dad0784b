"""The squared errors of many candidates from the products of columns, without a pass over rows."""

import numpy as np


class ProductTerm:
    """The mean squared errors of linear models, each for one of several targets.

    Weights are moved from where the products are seen: the means of columns and targets.

    Parameters
    ----------
    G : ndarray of shape (p, p)
        Weighted means of the products of columns, seen from their means.
    q : ndarray of shape (n_targets, p)
        Of the targets with the columns, likewise.
    yy : ndarray of shape (n_targets,)
    away : ndarray of shape (p,)
        The means, seen from where the models see the columns.
    levels : ndarray of shape (n_targets,)
        The same of the targets.
    constant : ndarray of bool, of shape (p,)
        The columns whose weights stay zero.
    d : int
        The number of parameters: with an intercept, p + 1.

    Attributes
    ----------
    hessian : ndarray of shape (d, d)
    slopes : ndarray of shape (d, n_targets)
        At a theta of zero, with the other sign.
    """

    def __init__(self, G, q, yy, away, levels, constant, d):
        self.G, self.q, self.yy, self.levels = G, q.T.copy(), yy, levels
        self.constant, self.d, self.p = np.flatnonzero(constant), d, len(G)
        self.away = np.where(constant, 0.0, away)
        self.G[self.constant] = self.G[:, self.constant] = self.q[self.constant] = 0.0
        seen = np.append(self.away, np.ones(d - self.p))
        self.hessian, self.slopes = np.outer(seen, seen), np.outer(seen, levels)
        self.hessian[: self.p, : self.p] += self.G
        self.slopes[: self.p] += self.q

    def values(self, theta, target):
        """Return the mean losses, as `StackedTerm.values` does."""
        W, q = theta[: self.p], self.q[:, target]
        squares = np.einsum("ij,ij->j", self.G @ W - 2.0 * q, W) + self.yy[target]
        return 0.5 * (squares + np.square(self._residual(theta, target)))

    def gradients(self, theta, target, G, losses=None):
        """Set the columns of G to the gradients, as `StackedTerm.gradients` does."""
        r, p = self._residual(theta, target), self.p
        q = self.q if self.q.shape[1] == 1 else self.q[:, target]
        np.matmul(self.G, theta[:p], out=G[:p])
        G[:p] -= q
        if losses is not None:
            losses[:] = np.einsum("ij,ij->j", G[:p] - q, theta[:p]) + self.yy[target] + r * r
            losses *= 0.5
        G[:p] += self.away[:, None] * r
        G[p:] = r
        G[self.constant] = 0.0

    def _residual(self, theta, target):
        """Return the mean residual of each candidate."""
        r = self.away @ theta[: self.p]
        r -= self.levels[target]
        if self.d > self.p:
            r += theta[self.p]
        return r
