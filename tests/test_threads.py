"""Sums over pieces of rows in threads: their bits, their limits, and what goes wrong in them."""

import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import make_regression
from joblib import Parallel, cpu_count, delayed
from scipy import sparse
from threadpoolctl import ThreadpoolController, threadpool_limits

from skgd import GDRegressor
from skgd.engines import threads
from skgd.kernels import moments, sums
from skgd.kernels.rows import even_weights

N, P = 600, 5


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(threads, "PIECE", 64)
    monkeypatch.setattr(threads, "PRODUCTS", 64)
    monkeypatch.setattr(sums, "SMALL", 64)
    monkeypatch.setattr(moments, "SMALL", 64)


@pytest.fixture
def two(monkeypatch):
    """Let two threads run, whatever the machine has."""
    monkeypatch.setattr(threads, "n_threads", lambda: 2)


def problem(form=np.asarray, **settings):
    X, y = make_regression(n=N, p=P, seed=0)
    model = GDRegressor(learning_rate=0.1, max_iter=7, tol=None, **settings)
    return model, form(X * (np.abs(X) > 0.3)), y


def test_the_number_of_pieces_depends_on_the_shape_only_and_each_has_many_rows():
    assert threads.n_pieces(N, N * P, P + 1) == N * P // (32 * (P + 1))
    assert threads.n_pieces(12, 12 * P, P + 1) == 1
    assert threads.n_pieces(320, 320 * 10**6, 10**6) == 10
    assert threads.n_pieces(10**6, 10**6, 10**6) == 1
    assert threads.n_pieces(10**9, 10**10, 10) == threads.MOST


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("optimizer", ["gd", "nesterov"])
def test_the_bits_of_a_fit_do_not_depend_on_the_number_of_threads(form, optimizer, monkeypatch):
    found = []
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "n_threads", lambda count=count: count)
        model, X, y = problem(form, optimizer=optimizer, penalty="l1", alpha=0.01)
        model.fit(X, y)
        found.append((*model.coef_, model.intercept_, *model.loss_curve_))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_the_sum_of_the_pieces_is_that_of_linear_algebra(form, two):
    model, X, y = problem(form)
    theta = np.arange(1.0, P + 2.0)
    value, g = model.objective(X, y).data_term(theta)
    residual = X @ theta[:P] + theta[P] - y
    np.testing.assert_allclose(value, residual @ residual / (2 * N), rtol=1e-12)
    np.testing.assert_allclose(g[:P], X.T @ residual / N, rtol=1e-12)
    np.testing.assert_allclose(g[P], residual.mean(), rtol=1e-12)


@pytest.mark.parametrize(
    "form", [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_array]
)
def test_products_of_pieces_are_those_of_the_whole_with_the_same_bits_in_any_threads(
    form, monkeypatch
):
    X, y = make_regression(n=N, p=P, seed=0)
    X, v, found = form((X * (np.abs(X) > 0.3)).astype(np.float32)), np.arange(1.0, P + 1.0), []
    for count in (1, 2):
        monkeypatch.setattr(sums, "n_threads", lambda count=count: count)
        found.append((sums.matvec(X, v), sums.rmatvec(X, y)))
    for one, two in zip(*found):
        np.testing.assert_array_equal(one, two)
    dense = X.astype(float) if isinstance(X, np.ndarray) else X.toarray().astype(float)
    np.testing.assert_allclose(found[0][0], dense @ v, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(found[0][1], dense.T @ y, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
def test_moments_and_products_of_columns_have_the_same_bits_in_any_threads(
    order, dtype, weighted, monkeypatch
):
    X = np.asarray(make_regression(n=N, p=P, seed=0)[0] + 3.0, dtype=dtype, order=order)
    weight, found = even_weights(N), []
    if weighted:
        weight = np.random.default_rng(0).uniform(0.0, 2.0, N) * (np.arange(N) > N // 3)
        weight /= weight.mean()
    for count in (1, 2, 3):
        for module in (moments, threads):
            monkeypatch.setattr(module, "n_threads", lambda count=count: count)
        mean, variance = moments.means_and_variances(X, weight)
        found.append((mean, variance, sums.gram(X, weight, mean, variance)[0]))
    for one, two, three in zip(*found):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    mean = np.average(X.astype(float), axis=0, weights=weight)
    A = X.astype(float) - mean
    expected = (A.T * weight) @ A / N
    np.testing.assert_allclose(found[0][0], mean, rtol=1e-12)
    np.testing.assert_allclose(found[0][1], expected.diagonal(), rtol=1e-12)
    np.testing.assert_allclose(found[0][2], expected, atol=1e-12)


def test_the_mean_of_equal_values_is_that_value_whatever_the_pieces(two):
    weight = np.where(np.arange(N) < N // 2, 0.0, 2.0)
    for X in (np.full((N, P), 0.1), np.full((N, P), 0.1, order="F")):
        mean, variance = moments.means_and_variances(X, weight)
        np.testing.assert_array_equal(mean, 0.1)
        np.testing.assert_array_equal(variance, 0.0)


def test_the_products_of_all_pieces_take_no_more_room_than_a_column():
    for n, p in ((1000, 2), (1000, 40), (10**6, 30), (10**7, 1), (5, 3)):
        pieces = threads.product_pieces(n, p)
        assert (pieces[0][0], pieces[-1][1]) == (0, n)
        assert len(pieces) == 1 or len(pieces) * p * p <= n


def test_pieces_are_added_in_a_tree_that_their_number_fixes():
    for m in range(1, 12):
        pieces = np.arange(1.0, m + 1.0)[:, None] ** np.arange(3)
        expected = pieces.sum(axis=0)
        threads.add_up(pieces)
        np.testing.assert_array_equal(pieces[0], expected)


def test_the_number_of_threads_respects_the_limits_of_threadpoolctl_and_of_workers_of_joblib():
    assert 1 <= threads.n_threads() <= cpu_count()
    with threadpool_limits(1):
        assert threads.n_threads() == 1
    with threadpool_limits(1, user_api="blas"):
        assert threads.n_threads() >= 1
    counts = Parallel(n_jobs=2, backend="loky")(delayed(threads.n_threads)() for _ in range(2))
    assert max(counts) <= max(1, cpu_count() // 2)


def blas_threads():
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return [library.num_threads for library in libraries]


BLAS_LIMITS = """
import sys
import threading
from threadpoolctl import ThreadpoolController
from skgd.engines import threads

libraries = ThreadpoolController().select(user_api="blas").lib_controllers

def numbers():
    return [library.num_threads for library in libraries]

before, inside, leave = numbers(), threading.Event(), threading.Event()

def overlap():
    with threads.one_blas_thread:
        inside.set()
        leave.wait(30)

other = threading.Thread(target=overlap)
with threads.one_blas_thread, threads.one_blas_thread:
    other.start()
    inside.wait(30)
assert set(numbers()) == {1}, numbers()
leave.set()
other.join(30)
assert numbers() == before, (before, numbers())
"""


@pytest.mark.skipif(not blas_threads(), reason="BLAS has no limit")
def test_users_of_one_thread_of_blas_who_overlap_leave_what_was():
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", BLAS_LIMITS], check=True, env=environment)


@pytest.mark.parametrize("failing", range(4))
def test_an_exception_in_a_piece_is_raised_after_all_threads_are_done(failing):
    done, barrier = [], threading.Barrier(2, timeout=30)

    def task(k):
        if k < 2:
            barrier.wait()  # so that both threads take part
        if k == failing:
            raise KeyboardInterrupt
        done.append(k)

    tasks = [lambda k=k: task(k) for k in range(4)]
    with pytest.raises(KeyboardInterrupt):
        threads.run_all(tasks, 2)
    before = list(done)
    assert failing not in done
    threads.run_all([lambda: done.append(4)] * 3, 2)
    assert done == [*before, 4, 4, 4]


def test_sums_within_the_threads_of_sums_come_to_an_end():
    done = []

    def outer():
        threads.run_all([lambda: done.append(1)] * 5, cpu_count() + 1)

    threads.run_all([outer] * 5, cpu_count() + 1)
    assert len(done) == 25


def fit_in_child(queue):
    model, X, y = problem(optimizer="gd")
    queue.put(model.fit(X, y).coef_)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_makes_threads_of_its_own(two):
    model, X, y = problem(optimizer="gd")
    expected = model.fit(X, y).coef_
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=fit_in_child, args=(queue,))
    child.start()
    np.testing.assert_array_equal(queue.get(timeout=60), expected)
    child.join(timeout=60)
    assert child.exitcode == 0
