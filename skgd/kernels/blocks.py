"""Compiled code that is called by an address, with the address of its arguments.

A kernel takes one argument, its block, and begins with ``a, b, c = read(block)``. For plain Python
a block is the tuple of the arguments. For compiled code it is the address of words of 8 bytes, in
which arrays stand with their address and shape; so a loop that calls a sum by its address need not
be compiled for the arrays that the sum reads, and it is the same for all that a type of numba
tells apart, as whether an array may be written to. `call` runs a `Call`, a kernel with its block.
"""

import ctypes
import pickle
import struct
from array import array
from functools import singledispatch
from numbers import Integral, Real

import numpy as np

from skgd.part import Part

RESERVED = 2  # words of a block, for what compiled code returns and for its exceptions
EXCEPTION = -1  # what compiled code returns, beside the numbers of exceptions
ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


def read(block):
    """Return the arguments of a kernel."""
    return block


def call(task):
    """Run a `Call`; return whether it has failed."""
    task()
    return False


class PlainCall:
    """A kernel and its arguments, run as ordinary Python."""

    def __init__(self, function, arguments):
        self._function, self._arguments = function, arguments

    def __call__(self):
        self._function(self._arguments)

    def check(self):
        """Do nothing: its exceptions have been raised."""


class Call:
    """A kernel and its arguments, run as compiled code; it keeps the arrays alive.

    Parameters
    ----------
    entry : callable
        An instance of `ENTRY`.
    words : list of int
    arguments : object
        What the words point to.
    """

    def __init__(self, entry, words=(), arguments=()):
        self._entry, self._arguments = entry, arguments
        self._words = np.array([0] * RESERVED + [*words], dtype=np.int64)
        block = self._words.__array_interface__["data"][0]
        self.addresses = ctypes.cast(entry, ctypes.c_void_p).value, block

    def __call__(self):
        code = self._entry(self.addresses[1], self.addresses[1] + 8, self.addresses[1])
        if code > 0 or code == EXCEPTION:
            self.check()

    def check(self):
        """Raise the exception that a part has raised in compiled code, if it has."""
        if self._words[1]:
            place, size = struct.unpack("Pi", ctypes.string_at(int(self._words[1]), 12))
            kind, arguments, _ = pickle.loads(ctypes.string_at(place, size))
            raise kind(*(arguments or ()))


class PythonCall(Call):
    """A function of Python that compiled code can call; its exceptions are kept and raised."""

    def __init__(self, function):
        self._function, self._failure = function, None
        super().__init__(ENTRY(self._enter))

    def __call__(self):
        self._function()

    def _enter(self, *addresses):
        try:
            self._function()
        except BaseException as failure:  # also an interrupt: ctypes would only print it
            self._failure = failure
            return 1
        return 0

    def check(self):
        """Raise the exception that the function has raised, if it has."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure


@singledispatch
def pack(value, words, form):
    """Append a value to the words of a block, and what it is to its form."""
    raise TypeError(f"Compiled code takes no {type(value).__name__}.")


@pack.register(np.ndarray)
def _pack_array(value, words, form):
    place = value.__array_interface__
    if not value.flags.c_contiguous:
        raise ValueError("Compiled code takes C-ordered arrays only.")
    words += place["data"][0], *value.shape
    form.append((place["typestr"], value.ndim))


@pack.register(array)  # whose entries are numbers of Python in plain Python, too
def _pack_numbers(value, words, form):
    words += value.buffer_info()
    form.append((value.typecode, 1))


@pack.register(tuple)
def _pack_tuple(value, words, form):
    form.append((type(value), len(value)))
    for item in value:
        pack(item, words, form)


@pack.register(Part)
def _pack_part(value, words, form):
    form.append(Part)
    _pack_tuple(value.as_tuple, words, form)


@pack.register(Integral)
def _pack_integer(value, words, form):
    words.append(int(value))
    form.append(int)


@pack.register(Real)
def _pack_real(value, words, form):
    words += struct.unpack("q", struct.pack("d", value))
    form.append(float)


@pack.register(bool)
@pack.register(np.bool_)
def _pack_bool(value, words, form):
    words.append(int(value))
    form.append(bool)


@pack.register(Call)
def _pack_call(value, words, form):
    words += value.addresses
    form += (tuple, 2), int, int


@pack.register(str)
@pack.register(type(None))
def _pack_constant(value, words, form):
    form.append((None, value))
