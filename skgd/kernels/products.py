"""Matrices that are parts of flat arrays, and their products by BLAS, for compiled code."""

import numpy as np


def matrix(flat, start, rows, columns):
    """Return a part of a flat array as a matrix, without a copy."""
    return flat[start : start + rows * columns].reshape(rows, columns)


def vector(flat, start, size):
    """Return a part of a flat array, without a copy."""
    return flat[start : start + size]


def add_product(A, B, C, beta):
    """Set C to ``A B + beta C``."""
    C[:] = A @ B + (beta * C if beta else 0.0)


def add_outer(A, B, C):
    """Add ``A^T B`` to C."""
    C += A.T @ B


def inner_product(A, B, C):
    """Set C to ``A B^T``."""
    np.matmul(A, B.T, out=C)
