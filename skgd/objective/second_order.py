"""What an objective knows of every row: predictions, their derivatives, and the Hessian.

Rows go through the compiled kernels of the model and of the loss; what is made of them is linear
algebra on a dense matrix.
"""

import numpy as np
from scipy import sparse

from skgd.kernels.row_kernels import (
    inverse_link,
    loss_terms,
    model_predictions,
    prediction_gradients,
    prediction_hessians,
)


class RowDerivatives:
    """The part of an `Objective` that looks at rows one by one."""

    def predict(self, theta):
        """Return f for every row."""
        return model_predictions(self.model, *self._seen_by_model(theta))

    def inverse_link(self, f):
        """Return predictions f in the unit of y."""
        return inverse_link(self.loss, f)

    def jacobian(self, theta):
        """Return the derivatives of every row's prediction, of shape (n, d)."""
        slopes = prediction_gradients(self.model, *self._seen_by_model(theta))
        return np.column_stack([slopes[:, :1] * self._seen(), slopes[:, 1:]])

    def hessian(self, theta):
        """Return the second derivatives of all but what the penalty leaves to its prox."""
        z, extra = self._seen_by_model(theta)
        slopes = prediction_gradients(self.model, z, extra)
        _, first, second = self.weight / self.n * self.loss_terms(theta)
        rows = prediction_hessians(self.model, z, extra, first)
        rows += second[:, None, None] * slopes[:, :, None] * slopes[:, None]
        p, X, H = self.p, self._seen(), np.empty((self.d, self.d))
        H[:p, :p] = X.T @ (rows[:, :1, 0] * X)
        H[p:, :p] = rows[:, 1:, 0].T @ X
        H[:p, p:] = H[p:, :p].T
        H[p:, p:] = rows[:, 1:, 1:].sum(axis=0)
        H[range(p), range(p)] += self.penalty_curvature(theta)
        return H

    def loss_terms(self, theta):
        """Return every row's loss, its slope and its second derivative, of shape (3, n)."""
        return loss_terms(self.loss, self.predict(theta), self.y)

    def penalty_curvature(self, theta):
        """Return the second derivatives of the penalty's smooth part, in each weight."""
        theta = self.as_parameters(theta)
        if self.elastic_strengths is not None:
            return self.elastic_strengths[1]
        w, slope = theta[: self.p], self.penalty.gradient
        h = 1e-5 * (1.0 + np.abs(w))
        rises = [slope(v + k) - slope(v - k) for v, k in zip(w.tolist(), h.tolist())]
        return self.data.penalty_strength[: self.p] * np.array(rises) / (2.0 * h)

    def _seen_by_model(self, theta):
        """Return the projections of the rows, and the parameters beside the weights."""
        theta = self.as_parameters(theta)
        return self.matvec(theta[: self.p]), theta[self.p :]

    def _seen(self):
        """Return the rows as a dense matrix, seen from the centre."""
        X = self.X.toarray() if sparse.issparse(self.X) else self.X
        return X if self.centre is None else X - self.centre
