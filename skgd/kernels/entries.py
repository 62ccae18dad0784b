"""Products of vectors with stored entries of a sparse matrix, in float64.

Compiled code takes four entries at a time (`skgd.kernels.lowering_rows`). The indices are as
`skgd.kernels.rows.index_words` gives them.
"""


def multiply_entries(data, indices, start, stop, w):
    """Return the sum of ``data[k] w[indices[k]]`` over the entries from ``start`` to ``stop``."""
    return float(data[start:stop] @ w[indices[start:stop, 0]])


def multiply_entries_by_two(data, indices, start, stop, w, v):
    """Return the same for w, and for v."""
    rest = data, indices, start, stop
    return multiply_entries(*rest, w), multiply_entries(*rest, v)
