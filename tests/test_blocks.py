"""Compiled code that is called by its address: what it is compiled for, and its exceptions."""

import numpy as np
import pytest
from conftest import make_regression
from scipy import sparse

from skgd import GDRegressor
from skgd.kernels.blocks import PythonCall, call, pack, read
from skgd.kernels.compiling import Kernel, bind
from skgd.optimizers import Optimizer

X, Y = make_regression(n=30, p=4, seed=0)


def model(**settings):
    return GDRegressor(optimizer="gd", learning_rate=0.01, max_iter=3, tol=None, **settings)


class Refusing(Optimizer):
    """An optimizer that raises an error in its second update."""

    __slots__ = ()

    def prepare(self, t, norm, scalars):
        if t == 2:
            raise ValueError("no second update")
        return 0.0

    def step(self, g, memory, j, shared):
        return g, 1.0


class Halving(Optimizer):
    """Plain descent of half the length, by a function within a method."""

    __slots__ = ()

    def step(self, g, memory, j, shared):
        half = lambda s: 0.5 * s  # noqa: E731
        return g, half(1.0)


def test_methods_of_parts_may_define_functions():
    half = model().set_params(optimizer=Halving(), learning_rate=0.02).fit(X, Y)
    np.testing.assert_allclose(half.coef_, model().fit(X, Y).coef_, rtol=1e-12)


@pytest.mark.parametrize("batch", [None, 7])
def test_an_exception_of_a_part_is_raised_by_the_fit(batch):
    fitted = model(batch_size=batch).set_params(optimizer=Refusing())
    with pytest.raises(ValueError, match="no second update"):
        fitted.fit(X, Y)


@pytest.mark.slow
def test_an_interrupt_of_a_function_called_by_compiled_code_is_raised_and_not_printed(capfd):
    def interrupt():
        raise KeyboardInterrupt

    task = PythonCall(interrupt)
    loop_of_one(task)()
    with pytest.raises(KeyboardInterrupt):
        task.check()
    assert capfd.readouterr() == ("", "")


def run_one(block):
    (task,) = read(block)
    call(task)


def loop_of_one(task):
    """Return compiled code that runs a task."""
    return Kernel(bind(run_one, {}), (), "testing")(task)


def forms(X, tmp_path):
    """Return the same rows in all kinds of arrays that are read in place."""
    locked = X.copy()
    locked.flags.writeable = False
    np.save(tmp_path / "X.npy", X)
    mapped = [np.load(tmp_path / "X.npy", mmap_mode=mode) for mode in ("r", "c")]
    return [X, locked, *mapped]


@pytest.mark.slow
@pytest.mark.parametrize("batch", [None, 1, 7])
def test_read_only_and_memory_mapped_rows_compile_nothing_new(batch, tmp_path):
    event = pytest.importorskip("numba.core.event")
    expected = model(batch_size=batch, random_state=0).fit(X, Y).coef_
    for rows in forms(X, tmp_path):
        with event.install_recorder("numba:compile") as compiled:
            found = model(batch_size=batch, random_state=0).fit(rows, Y).coef_
        assert compiled.buffer == []
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [None, 1, 7])
def test_wide_indices_of_sparse_rows_compile_nothing_new(batch):
    event = pytest.importorskip("numba.core.event")
    rows = sparse.csr_matrix(X * (np.abs(X) > 0.5))
    expected = model(batch_size=batch, random_state=0).fit(rows, Y).coef_
    wide = rows.copy()
    wide.indices, wide.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    with event.install_recorder("numba:compile") as compiled:
        found = model(batch_size=batch, random_state=0).fit(wide, Y).coef_
    assert compiled.buffer == []
    np.testing.assert_array_equal(found, expected)


def test_arrays_that_are_not_in_c_order_are_refused():
    with pytest.raises(ValueError, match="C-ordered"):
        pack(np.ones((3, 2), order="F"), [], [])
    with pytest.raises(TypeError, match="dict"):
        pack({}, [], [])


def copy_all(block):
    numbers, pair, text, target = read(block)
    for j in range(numbers.size):
        target[j] = numbers[j] * pair[0] if text == "double" and pair[1] else -1.0


def test_a_kernel_reads_arrays_numbers_flags_and_constants():
    kernel, target = Kernel(bind(copy_all, {}), (), "testing"), np.zeros((2, 3))
    kernel(np.arange(3.0), (2, True), "double", target[0])()
    kernel(np.arange(3.0, dtype=np.float32), (2, np.bool_(False)), "double", target[1])()
    np.testing.assert_array_equal(target, [[0.0, 2.0, 4.0], [-1.0, -1.0, -1.0]])
