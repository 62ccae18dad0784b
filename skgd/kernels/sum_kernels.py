"""The compiled loops of `skgd.kernels.sums`, for dense and CSR matrices.

All sums are float64, whatever the dtype of the entries. Results are written into arguments;
nothing allocates. Dense rows are read four at a time, so that vectors of the length of a row are
read and written a fourth as often.
"""

from functools import cache

from skgd.kernels.compiling import compile_cached


@cache
def kernel(name, dense):
    """Return a loop, compiled for dense or for CSR rows."""
    function = (DENSE if dense else CSR)[name]
    return compile_cached(function, (), function.__name__)


def dense_matvec(X, v, shift, z):
    """Set ``z_i = (x_i - shift) . v``."""
    n, p = X.shape
    whole = n - n % 4
    for i in range(0, whole, 4):
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for j in range(p):
            h, w = shift[j], v[j]
            a += (X[i, j] - h) * w
            b += (X[i + 1, j] - h) * w
            c += (X[i + 2, j] - h) * w
            d += (X[i + 3, j] - h) * w
        z[i], z[i + 1], z[i + 2], z[i + 3] = a, b, c, d
    for i in range(whole, n):
        a = 0.0
        for j in range(p):
            a += (X[i, j] - shift[j]) * v[j]
        z[i] = a


def dense_rmatvec(X, u, shift, g):
    """Add ``sum_i u_i (x_i - shift)`` to ``g``."""
    n, p = X.shape
    whole = n - n % 4
    for i in range(0, whole, 4):
        a, b, c, d = u[i], u[i + 1], u[i + 2], u[i + 3]
        for j in range(p):
            h = shift[j]
            near = a * (X[i, j] - h) + b * (X[i + 1, j] - h)
            g[j] += near + (c * (X[i + 2, j] - h) + d * (X[i + 3, j] - h))
    for i in range(whole, n):
        a = u[i]
        for j in range(p):
            g[j] += a * (X[i, j] - shift[j])


def dense_column_squares(X, u, shift, squares):
    """Add ``sum_i u_i (x_ij - shift_j)^2`` to ``squares``."""
    for i in range(X.shape[0]):
        a = u[i]
        for j in range(X.shape[1]):
            x = X[i, j] - shift[j]
            squares[j] += a * (x * x)


def dense_row_squares(X, shift, squares):
    """Set ``squares_i = |x_i - shift|^2``."""
    for i in range(X.shape[0]):
        total = 0.0
        for j in range(X.shape[1]):
            x = X[i, j] - shift[j]
            total += x * x
        squares[i] = total


def csr_matvec(data, indices, indptr, v, shift, z):
    """Set ``z_i`` to the sum of ``v_j (x_ij - shift_j)`` over the stored entries."""
    for i in range(z.size):
        total = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            total += (data[k] - shift[j]) * v[j]
        z[i] = total


def csr_rmatvec(data, indices, indptr, u, shift, g):
    """Add ``sum_i u_i (x_ij - shift_j)`` over the stored entries to ``g``."""
    for i in range(u.size):
        a = u[i]
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            g[j] += a * (data[k] - shift[j])


def csr_column_squares(data, indices, indptr, u, shift, squares, stored):
    """Add ``u_i (x_ij - shift_j)^2`` of stored entries to ``squares``, ``u_i`` to ``stored``."""
    for i in range(u.size):
        a = u[i]
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            x = data[k] - shift[j]
            squares[j] += a * (x * x)
            stored[j] += a


def csr_row_squares(data, indices, indptr, shift, centre, squares):
    """Set ``squares_i = |x_i - shift - centre|^2 - |centre|^2``; shifted columns are full."""
    for i in range(squares.size):
        total = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            x = data[k] - shift[j]
            total += x * (x - 2.0 * centre[j])
        squares[i] = total


def csr_gram(data, indices, indptr, u, shift, G):
    """Add ``sum_i u_i (x_ij - shift_j) (x_ik - shift_k)`` over pairs of stored entries to ``G``.

    Each pair is added once, to one of the two triangles.
    """
    for i in range(u.size):
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            a = u[i] * (data[k] - shift[j])
            for m in range(indptr[i], k + 1):
                h = indices[m]
                G[j, h] += a * (data[m] - shift[h])


DENSE = {
    "matvec": dense_matvec,
    "rmatvec": dense_rmatvec,
    "column_squares": dense_column_squares,
    "row_squares": dense_row_squares,
}
CSR = {
    "matvec": csr_matvec,
    "rmatvec": csr_rmatvec,
    "column_squares": csr_column_squares,
    "row_squares": csr_row_squares,
    "gram": csr_gram,
}
