"""Matrices that are parts of flat arrays, and their products by BLAS, for compiled code."""

from functools import cache
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_info

# Processors for which OpenBLAS has routines that multiply small matrices as they lie.
UNPACKING = {"SkylakeX", "Cooperlake", "SapphireRapids"}


class Unpacked(NamedTuple):
    """How large matrices are that BLAS multiplies as they lie, without copies in another order.

    Larger ones are multiplied faster a few rows at a time.
    """

    products: int  # of numbers, in a product of matrices; 0 where BLAS copies in any case
    entries: int  # of ``A B^T``, too
    rows: int  # of A, above which ``A B^T`` is faster at once


@cache
def unpacked_products(size):
    """Return the `Unpacked` of this process, for numbers of so many bytes."""
    found = [pool for pool in threadpool_info() if pool["internal_api"] == "openblas"]
    if not found or not all(pool.get("architecture") in UNPACKING for pool in found):
        return Unpacked(0, 0, 0)
    return Unpacked(10**6, 1200, 64 if size == 4 else 2**31)


def matrix(flat, start, rows, columns):
    """Return a part of an array, read row by row, as a matrix, without a copy."""
    return flat.reshape(-1)[start : start + rows * columns].reshape(rows, columns)


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
