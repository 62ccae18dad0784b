"""Compilation with numba: the only module that uses it.

`fuse` inlines a function, or the method of a part, into the compiled code that calls it; this is
the cheapest way to compile it. `compile_cached` compiles a whole loop and keeps it on disk. `bind`
replaces the globals of a function.
"""

import gc
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter_ns
from types import FunctionType

import numba
import numpy as np
from numba.core import event
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

from skgd.kernels import (
    blocks,
    lowering,
    lowering_elementary,
    lowering_products,
    lowering_rows,
)
from skgd.kernels.cache import CheckedFiles, combined_digest, digest_of, temporary_folder
from skgd.kernels.inlining import FlatCompiler

# To import them tells numba how to compile what is ours.
LOWERINGS = lowering, lowering_elementary, lowering_products, lowering_rows

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
NATIVE = OPTIONS | {"no_cpython_wrapper": True, "pipeline_class": FlatCompiler}


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


class Places:
    """Where the compiled code of a function is kept, in the order of numba and its methods.

    The folder that the user has named, that beside the source, that of the user, and the first of
    these in which nothing can be written, a temporary one.
    """

    def __init__(self, source, line):
        self._line = line
        folder = Path(source).parent
        shared = [numba.config.CACHE_DIR, AppDirs("numba", False).user_cache_dir]
        name = f"skgd_{combined_digest(str(folder))}"
        named, own = (Path(place, name) if place else None for place in shared)
        own = own if own.is_absolute() else None  # not so for a user without a home
        places = [named, folder / "__pycache__", own, temporary_folder()]
        self.folders = [place for place in places if place]

    @classmethod
    def from_function(cls, function, source):
        """Return the places of a function."""
        return cls(source, function.__code__.co_firstlineno)

    def get_disambiguator(self):
        """Return what distinguishes functions of one name."""
        return str(self._line)

    def ensure_cache_path(self):
        """Do nothing: folders are made when they are written to."""

    def get_cache_path(self):
        """Return the first folder."""
        return str(self.folders[0])

    def get_source_stamp(self):
        """Return nothing: the name of a function has a digest of all that it is made of."""


class CheckedCacheImpl(CompileResultCacheImpl):
    """How numba's cache stores compiled code, in our `Places`."""

    _locator_classes = (Places,)


class CheckedCache(FunctionCache):
    """numba's cache of one function, with one file for each combination of types.

    The types determine the name of the file, so processes that write at the same time need no
    common index. Files are replaced atomically.
    """

    _impl_class = CheckedCacheImpl

    def __init__(self, function):
        super().__init__(function)
        implementation = self._impl
        files = implementation.locator.folders, implementation.filename_base
        self._cache_file = CheckedFiles(*files, numba.__version__, dumps)

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
    is everything if no directory can be written to.
    """
    with compilation:
        return _compile_cached(function, digest_of(function, classes), classes, mode, OPTIONS)


def _compile_cached(function, sources, classes, mode, options):
    if sources is None:
        return numba.njit(nogil=True, **options)(function)
    function.__module__ = "skgd"
    function.__qualname__ = "-".join([*(cls.__name__ for cls in classes), mode, sources])
    compiled = numba.njit(nogil=True, **options)(function)
    if compiled is not function:  # they are the same with NUMBA_DISABLE_JIT=1
        with suppress(Exception):
            compiled._cache = CheckedCache(function)
    return compiled


class Kernel:
    """A function of one block (see `skgd.kernels.blocks`), compiled for each form of arguments.

    Calling it with the arguments returns a `Call`, which runs it. It is kept on disk like what
    `compile_cached` compiles.

    Parameters
    ----------
    function : callable
        Already bound, apart from ``read`` and ``call``.
    classes : tuple of type or None
        None for a function that is not to be compiled.
    mode : str
        What distinguishes it from other functions that are bound to the same classes.
    """

    def __init__(self, function, classes, mode):
        self._function, self._classes, self._mode = function, classes, mode
        self._entries, self._sources = {}, None
        self._plain = classes is None or numba.config.DISABLE_JIT

    def __call__(self, *arguments):
        (task,) = self.calls(arguments, [()])
        return task

    def calls(self, common, others):
        """Return calls whose first arguments are the same, and whose others have one form."""
        if self._plain:
            return [blocks.PlainCall(self._function, (*common, *rest)) for rest in others]
        words, form, found = [], [], []
        for value in common:
            blocks.pack(value, words, form)
        for rest in others:
            own, whole = [], form.copy()
            for value in rest:
                blocks.pack(value, own, whole)
            entry = self._entry(tuple(whole), len(common) + len(rest))
            found.append(blocks.Call(entry, words + own, (common, rest)))
        return found

    def _entry(self, form, n):
        """Return the entry of the function, compiled for the form of n arguments."""
        if form not in self._entries:
            with compilation:
                self._entries[form] = self._compile(form, n)
        return self._entries[form][0]

    def _compile(self, form, n):
        """Return the entry of the function for a form of its arguments, and what keeps it."""
        if self._sources is None:
            self._sources = digest_of(self._function, self._classes) or ""
        kind = lowering.kind_of(iter([(tuple, n), *form]))
        slots = {"read": lowering.reader(kind), "call": lowering.native_call}
        sources = self._sources and combined_digest(self._sources, str(kind))
        compiled = _compile_cached(
            bind(self._function, slots), sources or None, self._classes, self._mode, NATIVE
        )
        compiled.compile((numba.int64,))
        (result,) = compiled.overloads.values()
        name = result.fndesc.llvm_func_name
        return blocks.ENTRY(result.library.get_pointer_to_function(name)), result


@contextmanager
def compiled_code():
    """Run compiled code without numpy's floating-point warnings and without garbage collection.

    The first call compiles, which creates many lasting objects and little garbage. After it the
    collector counts them as old, without a look at each.
    """
    active, before = gc.isenabled(), compilation.nanoseconds
    gc.disable()
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        if active and compilation.nanoseconds > before and not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        if active:
            gc.enable()
