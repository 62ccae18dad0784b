"""Smooth problems: the choice between conjugate gradients and factors."""

import numpy as np

from skgd.solvers.cholesky import orthogonal, refine
from skgd.solvers.conjugate_gradient import cg_with_restarts


class CostModel:
    """Estimates, in seconds, of a pass there and back, a factor, and singular values."""

    def __init__(self, problem, tuning):
        X, b, (n, p) = problem.objective.X, problem.l2_strength, problem.objective.X.shape
        even = b.size > 0 and b.min() == b.max() > 0.0
        self.by_rows = even and n < p
        m, single = n if self.by_rows else p, tuning.single if X.dtype == np.float32 else 1.0
        if problem.sparse:
            entries, speed = X.nnz, tuning.sparse_entries
            lines = np.bincount(X.indices, minlength=p) if self.by_rows else np.diff(X.indptr)
            products = float(np.square(lines, dtype=float).sum()) / tuning.sparse_products
        else:
            entries, speed = n * p, tuning.dense_entries * single
            products = float(n) * p * m / (tuning.dense_products * single)
        self.pass_seconds = 2.0 * entries / speed + 4.0 * (n + p) / tuning.numbers + tuning.call
        self.factor = products + m**3 / (3.0 * tuning.dense_products) + m**2 / tuning.numbers
        few = min(n, p)
        flops = 2.0 * n * p * few / tuning.dense_products
        self.orthogonal = flops + p * few**2 / tuning.orthogonal_products
        self.factor = np.inf if m > tuning.largest else self.factor
        if max(few, self.orthogonal / tuning.longest * tuning.largest) > tuning.largest:
            self.orthogonal = np.inf


def smooth(problem, record, epochs, tuning):
    """Go to the minimum from the answer so far.

    Conjugate gradients give way to the next of the direct ways where a forecast says that it is
    cheaper; a Cholesky factor that is cheap, or worth few passes, comes first.
    """
    prices = CostModel(problem, tuning)
    direct = [(prices.factor, refine), (prices.orthogonal, orthogonal)]
    if prices.factor <= max(tuning.cheap, tuning.worth * prices.pass_seconds):
        direct.pop(0)
        refine(problem, record, epochs, prices.by_rows, tuning)
    if not record.done(epochs):
        cg_with_restarts(
            problem, record, epochs, prices, min(price for price, _ in direct), tuning
        )
    for price, solve in direct:
        if not record.done(epochs) and np.isfinite(price):
            solve(problem, record, epochs, prices.by_rows, tuning)
