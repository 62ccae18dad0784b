"""Bits of sums over pieces depend on the rows, and not on where they lie or who adds them."""

import os
import pickle
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from skgd import GDRegressor
from skgd.kernels.column_products import centred_products, column_products
from skgd.objective.piece import Piece
from skgd.pieces import from_callables

RNG = np.random.default_rng(3)
X = RNG.standard_normal((900, 37)) + RNG.standard_normal(37)
Y = X[:, ::5].sum(axis=1) + RNG.standard_normal(900)
WEIGHT = RNG.uniform(0.0, 2.0, 900)
CUTS = 0, 500, 537, 900
PLACES = 0, 1, 4, 24  # bytes behind a line of the cache
KINDS = {
    "one reading": {"penalty": "l1", "alpha": 0.1},
    "least squares": {"penalty": None},
    "Newton steps": {"loss": "huber"},
    "descent": {"optimizer": "nesterov", "tol": None, "max_iter": 5},
    "batches": {"batch_size": 32, "tol": None, "max_iter": 2, "random_state": 0},
}


def placed(array, place):
    """Return a copy that lies so many bytes behind a line of the cache."""
    room = np.empty(array.nbytes + 128, np.uint8)
    first = -room.ctypes.data % 64 + place
    found = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    found[:] = array
    return found


def placed_rows(rows, place):
    if not sparse.issparse(rows):
        return placed(rows, place)
    found = rows.copy()
    found.data, found.indices = placed(rows.data, place), placed(rows.indices, place)
    return found


def pieces_at(rows, place, weight):
    def loader(a, b):
        given = (Y[a:b],) if weight is None else (Y[a:b], weight[a:b])
        return lambda: (placed_rows(rows[a:b], place), *(placed(one, place) for one in given))

    return from_callables([loader(a, b) for a, b in pairwise(CUTS)])


def bits(fit):
    return fit.coef_.tobytes(), fit.intercept_, fit.loss_curve_.tobytes()


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_bits_of_a_fit_do_not_depend_on_where_rows_lie(kind, weight):
    options = KINDS[kind]
    found = {bits(GDRegressor(**options).fit(pieces_at(X, k, weight))) for k in PLACES}
    assert len(found) == 1


@pytest.mark.parametrize("form", ["float32", "CSR"])
def test_bits_of_other_rows_do_not_depend_on_where_they_lie_either(form):
    rows = X.astype("f4") if form == "float32" else sparse.csr_matrix(np.where(X > 0.5, X, 0.0))
    options = KINDS["one reading"]
    found = {bits(GDRegressor(**options).fit(pieces_at(rows, k, None))) for k in PLACES}
    assert len(found) == 1


THREADS = """
import hashlib
import numpy as np
from skgd.objective.summary import SUMMARY
from skgd.pieces import from_callables

X = np.random.default_rng(0).standard_normal((1200, 129))
loaders = [lambda a=a: (X[a : a + 400], X[a : a + 400, 0] + 1.0) for a in (0, 400, 800)]
summary = from_callables(loaders).engine.ask(SUMMARY, True)
print(hashlib.sha256(summary.G.tobytes() + summary.q.tobytes()).hexdigest())
"""


def test_bits_of_one_reading_do_not_depend_on_the_threads_of_blas():
    found = set()
    for threads in "14":
        limits = {f"{library}_NUM_THREADS": threads for library in ("OPENBLAS", "MKL", "BLIS")}
        command = [sys.executable, "-c", THREADS]
        found.add(subprocess.check_output(command, env={**os.environ, **limits}))
    assert len(found) == 1


@pytest.mark.parametrize("form", ["dense", "CSR"])
def test_a_piece_that_came_from_elsewhere_has_aligned_arrays(form):
    rows = sparse.csr_matrix(X) if form == "CSR" else X
    buffers = []
    sent = pickle.dumps(
        Piece(rows, Y[:, None], WEIGHT), protocol=5, buffer_callback=buffers.append
    )
    moved = [placed(np.frombuffer(one, np.uint8), 3) for one in buffers]
    piece = pickle.loads(sent, buffers=moved)
    parts = (piece.X.data, piece.X.indices, piece.X.indptr) if form == "CSR" else (piece.X,)
    assert all(part.flags.aligned for part in (*parts, piece.y, piece.weight))
    back = piece.X.toarray() if form == "CSR" else piece.X
    np.testing.assert_array_equal(back, X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight", [None, "uneven"])
@pytest.mark.parametrize(("n", "p"), [(1, 1), (3, 1), (40_001, 2), (900, 37), (300, 200)])
def test_products_of_columns_are_those_of_extended_precision(n, p, weight, dtype):
    rows = (RNG.standard_normal((n, p)) + 100.0).astype(dtype)
    weights = np.broadcast_to(1.0, (n,)) if weight is None else RNG.uniform(0.0, 2.0, n)
    targets = RNG.standard_normal((n, 2))
    wide = np.hstack([rows, targets]).astype(np.longdouble)
    for centre in (np.zeros(p + 2), wide.mean(axis=0).astype(float)):
        seen = np.hstack([wide - centre, np.ones((n, 1))])
        expected = (seen.T @ (weights[:, None] * seen)).astype(float)
        found = column_products(rows, targets, weights, centre)
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11 * n)
        np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize("far", [0.0, 1e6])
@pytest.mark.parametrize("weight", ["even", "uneven", "one row"])
@pytest.mark.parametrize("order", ["random", "sorted"])
def test_products_about_means_have_the_digits_of_centred_columns(order, weight, far):
    rows = RNG.standard_normal((2000, 4))
    rows = far + (np.sort(rows, axis=0) if order == "sorted" else rows)
    rows[:, 3] = 0.1 + far
    targets, weights = rows[:, :1] ** 2, np.broadcast_to(1.0, (2000,))
    if weight != "even":
        weights = RNG.uniform(0.0, 2.0, 2000)
        weights[::3] = 0.0
    if weight == "one row":
        weights[1111] = 1e6
    means, G = centred_products(rows, targets, weights)
    wide = np.hstack([rows, targets]).astype(np.longdouble)
    expected = weights @ wide / weights.sum()
    np.testing.assert_allclose(means, expected.astype(float), rtol=1e-14, atol=1e-14)
    seen = wide - expected
    size = np.sqrt(weights @ seen**2).astype(float)
    expected = (seen.T @ (weights[:, None] * seen)).astype(float)
    assert (means[3], *G[3]) == (0.1 + far, *[0.0] * 5)
    moves = np.ix_(*[[0, 1, 2, 4]] * 2)
    np.testing.assert_array_less(np.abs(G - expected)[moves], 1e-11 * np.outer(size, size)[moves])
