"""Compilation with numba: the only module that uses it.

`fuse` inlines a function, or the method of a part, into the compiled code that calls it; this is
the cheapest way to compile it. `compile_cached` compiles a whole loop and keeps it on disk. `bind`
replaces the globals of a function.
"""

import gc
import hashlib
import threading
from contextlib import contextmanager, suppress
from operator import itemgetter
from pathlib import Path
from time import perf_counter_ns
from types import CodeType, FunctionType

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, event, types
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps
from numba.extending import (
    NativeValue,
    lower_builtin,
    models,
    register_model,
    type_callable,
    typeof_impl,
    unbox,
)

from skgd.kernels import rows
from skgd.kernels.cache import CheckedFiles
from skgd.part import Part

# Sums may be reordered and products fused. NaN and infinity keep their meaning; otherwise
# divergence would not be detected.
FASTMATH = {"reassoc", "contract", "arcp", "nsz"}
# Loops do not allocate, so they need no reference counting runtime. They are not called from C; a
# C wrapper would take a tenth more time to compile.
OPTIONS = {
    "fastmath": FASTMATH,
    "error_model": "numpy",
    "_nrt": False,
    "no_cfunc_wrapper": True,
}
LINE = 64  # bytes
COVERED = (Path(__file__).parent,)  # folders any edit of which is compiled anew


class CompilationTimer(event.Listener):
    """The time that each thread spends on compiling, on loading compiled code, and on waiting.

    numba takes a reentrant lock for these, and sends an event when it takes or releases it. A
    ``with`` statement counts other work that belongs to compilation.
    """

    def __init__(self):
        self._thread = threading.local()

    @property
    def nanoseconds(self):
        """The time of this thread so far."""
        return getattr(self._thread, "total", 0)

    def on_start(self, event):
        depth = getattr(self._thread, "depth", 0)
        if depth == 0:
            self._thread.begin = perf_counter_ns()
        self._thread.depth = depth + 1

    def on_end(self, event):
        self._thread.depth -= 1
        if self._thread.depth == 0:
            self._thread.total = self.nanoseconds + perf_counter_ns() - self._thread.begin

    def __enter__(self):
        self.on_start(None)

    def __exit__(self, *failure):
        self.on_end(None)


compilation = CompilationTimer()
event.register("numba:compiler_lock", compilation)


class CheckedCache(FunctionCache):
    """numba's cache of one function, with one file for each combination of types.

    The types determine the name of the file, so processes that write at the same time need no
    common index. Files are replaced atomically.

    Raises
    ------
    RuntimeError
        If no directory is writable.
    """

    def __init__(self, function):
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        stamp = numba.__version__, stamp
        place = Path(self._cache_path), self._impl.filename_base
        self._cache_file = CheckedFiles(*place, stamp, dumps)

    def load_overload(self, sig, target_context):
        """Return the compiled code for some types, or None."""
        with suppress(Exception):
            return super().load_overload(sig, target_context)

    def save_overload(self, sig, data):
        """Store the compiled code for some types, if possible."""
        with suppress(Exception):
            super().save_overload(sig, data)


class Stopwatch:
    """Measures how long a minimizer runs, and separately how long its code compiles.

    The time between a `read` and the next `start` does not count, so calls of `partial_fit` add
    up.
    """

    def __init__(self):
        self._ran = self._compiled = 0
        self.start()

    def start(self):
        """Continue from the last reading."""
        compiled = compilation.nanoseconds
        self._offset = perf_counter_ns() - compiled - self._ran, compiled - self._compiled

    def read(self):
        """Return the seconds run so far, and the seconds spent on compiling."""
        compiled = compilation.nanoseconds
        self._ran = perf_counter_ns() - compiled - self._offset[0]
        self._compiled = compiled - self._offset[1]
        return 1e-9 * self._ran, 1e-9 * self._compiled


def fuse(function):
    """Return the function in a form that is inlined into the compiled code that calls it."""
    return numba.njit(inline="always", **OPTIONS)(function)


def bind(function, slots):
    """Return the function with some of its globals replaced."""
    return FunctionType(function.__code__, function.__globals__ | slots, function.__name__)


def compile_cached(function, classes, mode):
    """Compile a function that was bound to these classes, and keep the result on disk.

    The key of numba's cache is the name of a function, its file, and the types of its arguments.
    Here the name contains a digest of the code of the function, of all that it calls and of all
    classes, and of the text of the folders `COVERED`. So an edited optimizer is compiled again,
    and an edit of what is not compiled compiles nothing. Classes that the next process cannot
    identify (from a notebook, ``__main__`` or inside a function) are compiled in each process. So
    is everything if no directory is writable.
    """
    with compilation:
        return _compile_cached(function, classes, mode)


def _compile_cached(function, classes, mode):
    sources = _digest(function, classes)
    if sources is None:
        return numba.njit(nogil=True, **OPTIONS)(function)
    function.__module__ = "skgd"
    function.__qualname__ = "-".join([*(cls.__name__ for cls in classes), mode, sources])
    compiled = numba.njit(nogil=True, **OPTIONS)(function)
    if compiled is not function:  # they are the same with NUMBA_DISABLE_JIT=1
        with suppress(RuntimeError):
            compiled._cache = CheckedCache(function)
    return compiled


@contextmanager
def compiled_code():
    """Run compiled code without numpy's floating-point warnings and without garbage collection.

    The first call compiles, which creates many lasting objects and little garbage. After it the
    collector runs once, and its time counts as compilation.
    """
    active, before = gc.isenabled(), compilation.nanoseconds
    gc.disable()
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        if active and compilation.nanoseconds > before:
            with compilation:
                gc.collect(0)
        if active:
            gc.enable()


def _digest(function, classes):
    """Return a digest of the code of a function and of classes; None if it is not permanent."""
    bases = {base for cls in classes for base in cls.__mro__} - {object}
    if any(base.__module__ == "__main__" or "<locals>" in base.__qualname__ for base in bases):
        return None
    text = hashlib.sha256()
    for path in sorted(path for folder in COVERED for path in folder.glob("*.py")):
        text.update(path.read_bytes())
    text.update(repr(_spelled(function, ())).encode())
    for base in sorted(bases, key=lambda base: (base.__module__, base.__qualname__)):
        for name, value in sorted(vars(base).items(), key=itemgetter(0)):
            if isinstance(value, FunctionType | int | float | str):
                text.update(repr((base.__qualname__, name, _spelled(value, ()))).encode())
    return text.hexdigest()[:16]


def _spelled(value, above):
    """Return a description of a function: its code and the outer values that it uses."""
    value = getattr(value, "py_func", value)  # of a function compiled by numba
    if isinstance(value, CodeType):
        inner = [_spelled(constant, above) for constant in value.co_consts]
        return value.co_code, value.co_names, value.co_varnames, inner
    if not isinstance(value, FunctionType):
        return getattr(value, "__qualname__", None) or getattr(value, "__name__", repr(value))
    if value in above:
        return value.__qualname__
    code, outside = value.__code__, value.__globals__
    found = [outside[name] for name in code.co_names if name in outside]
    found += [cell.cell_contents for cell in value.__closure__ or ()]
    found += value.__defaults__ or ()
    return _spelled(code, above), [_spelled(item, (*above, value)) for item in found]


class PartType(types.NamedTuple):
    """The type of a part: that of the named tuple of its fields."""


register_model(PartType)(models.TupleModel)


@typeof_impl.register(Part)
def _type_part(part, context):
    fields = [typeof_impl(value, context) for value in part.as_tuple]
    return PartType(fields, type(part.as_tuple))


@unbox(PartType)
def _unbox_part(kind, part, context):
    fields = context.pyapi.object_getattr_string(part, "as_tuple")
    inner = types.NamedTuple(kind.types, kind.instance_class)
    native = context.unbox(inner, fields)
    context.pyapi.decref(fields)
    return NativeValue(native.value, is_error=native.is_error)


@type_callable(rows.prefetch)
def _type_prefetch(context):
    return lambda array, start, stop: types.void


@lower_builtin(rows.prefetch, types.Array, types.Integer, types.Integer)
def _prefetch(context, builder, signature, args):
    kind = signature.args[0]
    data = context.make_array(kind)(context, builder, args[0]).data
    start, stop = (context.cast(builder, args[k], signature.args[k], types.intp) for k in (1, 2))
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    form = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    ask = builder.module.declare_intrinsic("llvm.prefetch", [byte], form)
    entries = start.type(LINE // (kind.dtype.bitwidth // 8))
    with cgutils.for_range_slice(builder, start, stop, entries) as (k, _):
        where = builder.bitcast(builder.gep(data, [k]), byte)
        builder.call(ask, [where, flag(0), flag(3), flag(1)])  # to read, keep it, data
    return context.get_dummy_value()
