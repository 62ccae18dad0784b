"""Products of columns, dense and sparse."""

import numpy as np

from skgd.kernels.compiling import compiled_code
from skgd.solvers.sweeps import sweeps_of


class DenseGram:
    """The products of some columns, ``G = X^T S X / n``."""

    def __init__(self, G):
        self.G, self.diagonal = G, np.ascontiguousarray(G.diagonal())

    def product(self, w):
        """Return ``G w``."""
        return self.G @ w

    def part(self, kept):
        """Return the rows and columns of some."""
        return self.G[np.ix_(kept, kept)]

    def only(self, kept):
        """Return the products of some of the columns."""
        return DenseGram(self.part(kept))

    def sweep(self, w, h, problem, tol, most):
        """Minimise along one coordinate after the other, so many times."""
        run = sweeps_of(dense=True)
        with compiled_code():
            return run(self.G, self.diagonal, w, h, *problem, tol, most)


class SparseGram:
    """The products of some sparse columns, seen from their means."""

    def __init__(self, G, centre):
        self.G, self.centre = G, centre
        self.diagonal = np.maximum(G.diagonal() - centre**2, 0.0)

    def product(self, w):
        """Return ``G w``."""
        return self.G @ w - self.centre * (self.centre @ w)

    def part(self, kept):
        """Return the rows and columns of some, as a dense array."""
        centre = self.centre[kept]
        return self.G[kept][:, kept].toarray() - np.outer(centre, centre)

    def only(self, kept):
        """Return the products of some of the columns."""
        return SparseGram(self.G[kept][:, kept], self.centre[kept])

    def sweep(self, w, h, problem, tol, most):
        """Minimise along one coordinate after the other, so many times."""
        G, run = self.G, sweeps_of(dense=False)
        rows = G.data, G.indices.view(np.uint32), G.indptr.astype(np.int64), self.centre
        with compiled_code():
            return run(*rows, self.diagonal, w, h, *problem, tol, most)
