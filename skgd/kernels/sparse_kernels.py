"""The compiled loops of `skgd.kernels.sums` over CSR and CSC matrices, as in `sum_kernels`."""


def csr_matvec(data, indices, indptr, v, shift, z):
    """Set ``z_i`` to the sum of ``v_j (x_ij - shift_j)`` over the stored entries."""
    for i in range(z.size):
        total = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k, 0]
            total += (data[k] - shift[j]) * v[j]
        z[i] = total


def csr_rmatvec(data, indices, indptr, u, shift, g):
    """Add ``sum_i u_i (x_ij - shift_j)`` over the stored entries to ``g``."""
    for i in range(u.size):
        a = u[i]
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k, 0]
            g[j] += a * (data[k] - shift[j])


def csr_column_squares(data, indices, indptr, u, shift, squares, stored):
    """Add ``u_i (x_ij - shift_j)^2`` of stored entries to ``squares``, ``u_i`` to ``stored``."""
    for i in range(u.size):
        a = u[i]
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k, 0]
            x = data[k] - shift[j]
            squares[j] += a * (x * x)
            stored[j] += a


def csr_row_squares(data, indices, indptr, shift, centre, squares):
    """Set ``squares_i = |x_i - shift - centre|^2 - |centre|^2``; shifted columns are full."""
    for i in range(squares.size):
        total = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k, 0]
            x = data[k] - shift[j]
            total += x * (x - 2.0 * centre[j])
        squares[i] = total


def csr_gram(data, indices, indptr, u, shift, G):
    """Add ``sum_i u_i (x_ij - shift_j) (x_ik - shift_k)`` over pairs of stored entries to ``G``.

    Each pair is added once, to one of the two triangles.
    """
    for i in range(u.size):
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k, 0]
            a = u[i] * (data[k] - shift[j])
            for m in range(indptr[i], k + 1):
                h = indices[m, 0]
                G[j, h] += a * (data[m] - shift[h])


def csc_matvec(data, indices, indptr, v, shift, z):
    """Set ``z_i`` to the sum of ``v_j (x_ij - shift_j)`` over the stored entries."""
    for i in range(z.size):
        z[i] = 0.0
    for j in range(v.size):
        a, q = v[j], shift[j]
        if a != 0.0:
            for k in range(indptr[j], indptr[j + 1]):
                z[indices[k, 0]] += a * (data[k] - q)


def csc_rmatvec(data, indices, indptr, u, shift, g):
    """Add ``sum_i u_i (x_ij - shift_j)`` over the stored entries to ``g``."""
    for j in range(g.size):
        a, q = 0.0, shift[j]
        for k in range(indptr[j], indptr[j + 1]):
            a += u[indices[k, 0]] * (data[k] - q)
        g[j] += a


def csc_column_squares(data, indices, indptr, u, shift, squares, stored):
    """Add ``u_i (x_ij - shift_j)^2`` of stored entries to ``squares``, ``u_i`` to ``stored``."""
    for j in range(squares.size):
        a, b, q = 0.0, 0.0, shift[j]
        for k in range(indptr[j], indptr[j + 1]):
            x = data[k] - q
            a += u[indices[k, 0]] * (x * x)
            b += u[indices[k, 0]]
        squares[j] += a
        stored[j] += b


def csc_row_squares(data, indices, indptr, shift, centre, squares):
    """Set ``squares_i = |x_i - shift - centre|^2 - |centre|^2``; shifted columns are full."""
    for i in range(squares.size):
        squares[i] = 0.0
    for j in range(shift.size):
        for k in range(indptr[j], indptr[j + 1]):
            x = data[k] - shift[j]
            squares[indices[k, 0]] += x * (x - 2.0 * centre[j])


def csc_gram(data, indices, indptr, u, shift, room, G):
    """Add ``sum_i u_i (x_ij - shift_j) (x_ik - shift_k)`` of stored entries to a triangle of G.

    ``room`` holds a zero for each row.
    """
    for j in range(shift.size):
        for k in range(indptr[j], indptr[j + 1]):
            room[indices[k, 0]] = u[indices[k, 0]] * (data[k] - shift[j])
        for h in range(j + 1):
            a, q = 0.0, shift[h]
            for k in range(indptr[h], indptr[h + 1]):
                a += room[indices[k, 0]] * (data[k] - q)
            G[j, h] += a
        for k in range(indptr[j], indptr[j + 1]):
            room[indices[k, 0]] = 0.0
