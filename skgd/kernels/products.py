"""Matrices that are parts of flat arrays, and their products, for compiled code."""


def matrix(flat, start, rows, columns):
    """Return a part of an array, read row by row, as a matrix, without a copy."""
    return flat.reshape(-1)[start : start + rows * columns].reshape(rows, columns)


def vector(flat, start, size):
    """Return a part of a flat array, without a copy."""
    return flat[start : start + size]


def add_product(A, B, C, beta):
    """Set C to ``A B + beta C``, where beta is zero or one."""
    C[:] = A @ B + (beta * C if beta else 0.0)


def add_outer(A, B, C):
    """Add ``A^T B`` to C."""
    C += A.T @ B


def transpose(A, B):
    """Set B to the transpose of A."""
    B[:] = A.T
