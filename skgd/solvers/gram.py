"""The Gram matrix of some columns, dense or sparse, and the sweeps over it."""

import numpy as np

from skgd.kernels.compiling import compiled_code
from skgd.kernels.rows import index_words
from skgd.solvers.sweeps import build_sweep


class DenseGram:
    """``G = X^T S X / n`` of some columns."""

    def __init__(self, G):
        self.G, self.diagonal = G, np.ascontiguousarray(G.diagonal())

    def product(self, w):
        """Return ``G w``."""
        return self.G @ w

    def block(self, kept):
        """Return the rows and columns of some, as a dense array."""
        return self.G[np.ix_(kept, kept)]

    def subset(self, kept):
        """Return the Gram matrix of some of the columns."""
        return DenseGram(self.block(kept))

    def sweep(self, w, slopes, separable, tol, n_sweeps):
        """Minimise along one coordinate after the other, and return the sweeps done."""
        with compiled_code():
            sweep = build_sweep("dense")
            return sweep(self.G, self.diagonal, w, slopes, separable, tol, n_sweeps)


class SparseGram:
    """``X^T S X / n - centre centre^T`` of some columns, with a sparse first term."""

    def __init__(self, G, centre):
        self.G, self.centre = G, centre
        self.diagonal = np.maximum(G.diagonal() - centre**2, 0.0)

    def product(self, w):
        """Return the product with w."""
        return self.G @ w - self.centre * (self.centre @ w)

    def block(self, kept):
        """Return the rows and columns of some, as a dense array."""
        centre = self.centre[kept]
        return self.G[kept][:, kept].toarray() - np.outer(centre, centre)

    def subset(self, kept):
        """Return the Gram matrix of some of the columns."""
        return SparseGram(self.G[kept][:, kept], self.centre[kept])

    def sweep(self, w, slopes, separable, tol, n_sweeps):
        """Minimise along one coordinate after the other, and return the sweeps done."""
        G = self.G
        rows = G.data, index_words(G.indices), G.indptr.astype(np.int64)
        with compiled_code():
            sweep = build_sweep("sparse")
            return sweep(rows, self.centre, self.diagonal, w, slopes, separable, tol, n_sweeps)
