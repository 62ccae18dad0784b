"""Everything that touches numba: how plain functions become one compiled loop.

Three ways. `inline` lets compiled code call a method of a part; `fuse` copies a function
into its callers before any types are known, which is the cheapest to compile; and
`compile_cached` compiles the loop itself and keeps it on disk. What is free in a function
is filled in by `bind`.
"""

import hashlib
import sys
from functools import cache
from pathlib import Path
from types import FunctionType

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, overload, register_jitable

from skgd.descent import rows

# Sums may be reordered and products fused; NaN and infinity keep their meaning, or
# divergence would go unseen.
FASTMATH = {"reassoc", "contract", "arcp", "nsz"}
# Nothing in a loop allocates, so it needs no runtime that counts references.
OPTIONS = {"fastmath": FASTMATH, "error_model": "numpy", "_nrt": False}
LINE = 64  # bytes


@cache
def inline(function):
    """Return the function, which compiled code may now call."""
    return register_jitable(**OPTIONS)(function)


def fuse(function):
    """Return the function, to be copied into the compiled code that calls it."""
    return numba.njit(inline="always", **OPTIONS)(function)


def bind(function, slots):
    """Return the function with these names in the place of its globals."""
    return FunctionType(function.__code__, function.__globals__ | slots, function.__name__)


def compile_cached(function, classes, mode):
    """Compile a function that was bound to these classes, and keep the result on disk.

    numba looks up its cache by the name of a function, its file, and the types it is
    called with. The name is therefore made to tell the sources of all classes, and an
    edited optimizer is compiled anew. Classes without a file (those of a notebook or of
    ``__main__``) are compiled in each process, as is everything where no directory can be
    written to.
    """
    sources = _digest(classes)
    if sources is None:
        return numba.njit(nogil=True, **OPTIONS)(function)
    function.__module__ = "skgd"
    function.__qualname__ = "-".join([*(cls.__name__ for cls in classes), mode, sources])
    try:
        return numba.njit(nogil=True, cache=True, **OPTIONS)(function)
    except RuntimeError:
        return numba.njit(nogil=True, **OPTIONS)(function)


def _digest(classes):
    text = hashlib.sha256()
    names = {base.__module__ for cls in classes for base in cls.__mro__} - {"builtins"}
    files = {getattr(sys.modules[name], "__file__", None) for name in names}
    if "__main__" in names or None in files:
        return None
    for file in sorted(files | {str(path) for path in Path(__file__).parent.glob("*.py")}):
        text.update(Path(file).read_bytes())
    return text.hexdigest()[:16]


@intrinsic
def _prefetch_line(typing_context, array, offset):
    def generate(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        where = builder.bitcast(builder.gep(data, [args[1]]), byte)
        builder.call(ask, [where, flag(0), flag(3), flag(1)])  # to read, keep it, data
        return context.get_dummy_value()

    return types.void(array, offset), generate


@overload(rows.prefetch)
def _prefetch(array, start, stop):
    entries = LINE // (array.dtype.bitwidth // 8)

    def ask(array, start, stop):
        for k in range(start, stop, entries):
            _prefetch_line(array, k)

    return ask
