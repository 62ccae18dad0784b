"""The compiled loops of `skgd.kernels.sums`, for each storage of a matrix.

All sums are float64, whatever the dtype of the entries. Results are written into arguments;
nothing allocates. Dense rows are read four at a time, so that vectors of the length of a row are
read and written a fourth as often; dense columns in chunks, so that vectors of the length of a
column stay in the cache.
"""

from functools import cache

from skgd.kernels import sparse_kernels as sparse
from skgd.kernels.compiling import compile_cached
from skgd.kernels.rows import CHUNK, CscColumns, CsrRows, DenseRows, FortranColumns

BLOCK = 2**14  # entries that fit into the cache of a core twice


@cache
def kernel(name, storage):
    """Return a loop, compiled for the class of a storage."""
    function = KERNELS[storage][name]
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


def dense_moments(X, weight, stride, first, mean, squares, sums):
    """Set the weighted means of the columns, and add weighted squares about them.

    Row i has the weight ``weight[i * stride]``. A block of rows is read from memory once, and
    from the cache for its squares; blocks are merged as by Chan, Golub and LeVeque (1983). The
    mean of a column that equals ``first`` is that number. ``sums`` is room for (2, p) numbers.
    """
    n, p = X.shape
    total, block = 0.0, max(4, BLOCK // p)
    for start in range(0, n, block):
        stop, mass = min(start + block, n), 0.0
        for j in range(p):
            sums[0, j], sums[1, j] = 0.0, 0.0
        for i in range(start, stop):
            a = weight[i * stride]
            mass += a
            for j in range(p):
                sums[0, j] += a * (X[i, j] - first[j])
        for j in range(p):
            sums[0, j] = sums[0, j] / mass if mass > 0.0 else sums[0, j]
        for i in range(start, stop):
            a = weight[i * stride]
            for j in range(p):
                x = X[i, j] - first[j] - sums[0, j]
                sums[1, j] += a * (x * x)
        share = mass / (total + mass) if mass > 0.0 else 1.0  # of what may not be a number
        for j in range(p):
            moved = sums[0, j] - mean[j] if mass > 0.0 else sums[0, j]
            mean[j] += moved * share
            squares[j] += sums[1, j] + moved * moved * (total * share)
        total += mass
    for j in range(p):
        mean[j] += first[j]


def dense_row_squares(X, shift, squares):
    """Set ``squares_i = |x_i - shift|^2``."""
    for i in range(X.shape[0]):
        total = 0.0
        for j in range(X.shape[1]):
            x = X[i, j] - shift[j]
            total += x * x
        squares[i] = total


def dense_copy(X, Y, root, stride, centre, block):
    """Copy ``root_i ([x_i, y_i] - centre)`` and ``root_i``; row i has ``root[i * stride]``."""
    (n, p), k = X.shape, Y.shape[1]
    for i in range(n):
        a = root[i * stride]
        for j in range(p):
            block[i, j] = a * (X[i, j] - centre[j])
        for j in range(k):
            block[i, p + j] = a * (Y[i, j] - centre[p + j])
        block[i, p + k] = a


def fortran_matvec(T, v, shift, z):
    """Set ``z_i = (x_i - shift) . v``."""
    p, n = T.shape
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        found = z[start:stop]
        for i in range(found.size):
            found[i] = 0.0
        for j in range(0, p - p % 4, 4):
            x, x1 = T[j, start:stop], T[j + 1, start:stop]
            x2, x3 = T[j + 2, start:stop], T[j + 3, start:stop]
            a, b, c, d = v[j], v[j + 1], v[j + 2], v[j + 3]
            h, h1, h2, h3 = shift[j], shift[j + 1], shift[j + 2], shift[j + 3]
            for i in range(found.size):
                near = a * (x[i] - h) + b * (x1[i] - h1)
                found[i] += near + (c * (x2[i] - h2) + d * (x3[i] - h3))
        for j in range(p - p % 4, p):
            x, a, h = T[j, start:stop], v[j], shift[j]
            for i in range(x.size):
                found[i] += a * (x[i] - h)


def fortran_rmatvec(T, u, shift, g):
    """Add ``sum_i u_i (x_i - shift)`` to ``g``."""
    p, n = T.shape
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        c = u[start:stop]
        for j in range(0, p - p % 2, 2):
            x, x1, h, h1 = T[j, start:stop], T[j + 1, start:stop], shift[j], shift[j + 1]
            a, b = 0.0, 0.0
            for i in range(c.size):
                a += c[i] * (x[i] - h)
                b += c[i] * (x1[i] - h1)
            g[j] += a
            g[j + 1] += b
        for j in range(p - p % 2, p):
            x, total, h = T[j, start:stop], 0.0, shift[j]
            for i in range(x.size):
                total += c[i] * (x[i] - h)
            g[j] += total


def fortran_moments(T, weight, stride, first, mean, squares, sums):
    """Do as `dense_moments` does, chunk by chunk of a column."""
    p, n = T.shape
    total = 0.0
    for start in range(0, n, CHUNK):
        stop, mass = min(start + CHUNK, n), 0.0
        c = weight[start:stop] if stride == 1 else weight
        if stride == 1:
            for i in range(c.size):
                mass += c[i]
        else:
            mass = c[0] * (stop - start)
        share = mass / (total + mass) if mass > 0.0 else 1.0
        for j in range(p):
            x, a, b, h = T[j, start:stop], 0.0, 0.0, first[j]
            if stride == 1:
                for i in range(x.size):
                    a += c[i] * (x[i] - h)
            else:
                for i in range(x.size):
                    a += x[i] - h
                a *= c[0]
            a = a / mass if mass > 0.0 else a
            h += a
            if stride == 1:
                for i in range(x.size):
                    b += c[i] * ((x[i] - h) * (x[i] - h))
            else:
                for i in range(x.size):
                    b += (x[i] - h) * (x[i] - h)
                b *= c[0]
            moved = a - mean[j] if mass > 0.0 else a
            mean[j] += moved * share
            squares[j] += b + moved * moved * (total * share)
        total += mass
    for j in range(p):
        mean[j] += first[j]


def fortran_row_squares(T, shift, squares):
    """Set ``squares_i = |x_i - shift|^2``."""
    p, n = T.shape
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        found = squares[start:stop]
        for i in range(found.size):
            found[i] = 0.0
        for j in range(p):
            x, h = T[j, start:stop], shift[j]
            for i in range(x.size):
                found[i] += (x[i] - h) * (x[i] - h)


KERNELS = {
    DenseRows: {
        "matvec": dense_matvec,
        "rmatvec": dense_rmatvec,
        "moments": dense_moments,
        "row_squares": dense_row_squares,
        "copy": dense_copy,
    },
    FortranColumns: {
        "matvec": fortran_matvec,
        "rmatvec": fortran_rmatvec,
        "moments": fortran_moments,
        "row_squares": fortran_row_squares,
    },
    CsrRows: {
        "matvec": sparse.csr_matvec,
        "rmatvec": sparse.csr_rmatvec,
        "column_squares": sparse.csr_column_squares,
        "row_squares": sparse.csr_row_squares,
        "gram": sparse.csr_gram,
    },
    CscColumns: {
        "matvec": sparse.csc_matvec,
        "rmatvec": sparse.csc_rmatvec,
        "column_squares": sparse.csc_column_squares,
        "row_squares": sparse.csc_row_squares,
        "gram": sparse.csc_gram,
    },
}
