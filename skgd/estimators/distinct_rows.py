"""The rows of small data as a set: each distinct row once, in one order, with all its weight.

A fit to these is the same, bit for bit, in whatever order rows are given, and whether a row is
given twice or has a weight of two. The sums over rows alone would differ by rounding, which rules
that divide by the last gradients amplify from step to step.
"""

import numpy as np
from scipy import sparse


def distinct_rows(X, y, weight):
    """Return the distinct rows that have a weight, and the sums of their weights.

    Parameters
    ----------
    X : ndarray in C or F order, or sparse matrix, of shape (n, p)
    y : ndarray of shape (n,) or (n, n_targets)
    weight : ndarray of shape (n,)

    Returns
    -------
    X, y, weight
        As they were given: in the same order of memory, or as a CSR matrix without stored zeros.
    """
    p, dense = X.shape[1], X.toarray() if sparse.issparse(X) else X
    table = np.column_stack([dense, y, weight])[weight > 0.0]
    table += 0.0  # no negative zeros, whose bits are others
    words = table.view(np.dtype((np.void, table.strides[0])))[:, 0]
    table = table[np.argsort(words)]
    rows, first = table[:, :-1], np.ones(len(table), dtype=bool)
    alike = np.flatnonzero(rows[1:, 0] == rows[:-1, 0])
    first[alike + 1] = (rows[alike + 1] != rows[alike]).any(axis=1)
    begins = np.flatnonzero(first)
    rows, weight = rows[begins], np.add.reduceat(table[:, -1], begins)
    y = np.ascontiguousarray(rows[:, p] if y.ndim == 1 else rows[:, p:])
    if sparse.issparse(X):
        return sparse.csr_matrix(rows[:, :p], dtype=X.dtype), y, weight
    return rows[:, :p].astype(X.dtype, order="C" if X.flags.c_contiguous else "F"), y, weight
