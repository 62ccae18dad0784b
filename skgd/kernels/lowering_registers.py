"""A function of LLVM that multiplies matrices as they lie, a block of the result in registers.

BLAS copies large matrices in another order, which takes as long as it saves for the few rows of a
batch. Here a block of eight rows and three vectors of ``C = A B`` stays in registers while rows of
B and entries of A come by.
"""

from contextlib import contextmanager
from typing import NamedTuple

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils

WORD, PLACE, FLAG = ir.IntType(64), ir.IntType(32), ir.IntType(1)
REAL = {64: ir.DoubleType(), 32: ir.FloatType()}
FUSED = "contract", "nsz"


class Registers(NamedTuple):
    """How much of the result stays in registers."""

    bits: int  # of a vector
    heights: tuple  # rows of a block, the tallest first
    widths: tuple  # vectors of a block, the widest first


def registers():
    """Return the `Registers` of this processor, or None where BLAS is as fast."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return Registers(512, (8, 4, 1), (3, 2, 1))
    if features.get("avx2") and features.get("fma"):
        return Registers(256, (4, 1), (3, 2, 1))
    return None


class Matrices(NamedTuple):
    """What a block multiplies: addresses, strides of A by row and by column, of B and C by row."""

    A: ir.Value
    down: ir.Value
    along: ir.Value
    B: ir.Value
    b: ir.Value
    C: ir.Value
    c: ir.Value
    inner: ir.Value
    add: ir.Value  # whether to add to C


def multiply_function(module, size, form):
    """Return the function ``(A, down, along, B, b, C, c, rows, columns, inner, add)``."""
    name = f"skgd_multiply_{size}"
    if name in module.globals:
        return module.globals[name]
    pointer = REAL[size].as_pointer()
    given = [pointer, WORD, WORD, pointer, WORD, pointer, WORD, WORD, WORD, WORD, FLAG]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), given), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    A, down, along, B, b, C, c, rows, columns, inner, add = function.args
    on = Matrices(A, down, along, B, b, C, c, inner, add)
    lanes, start = form.bits // size, WORD(0)
    for width in form.widths:
        step = WORD(width * lanes)
        left = builder.sub(columns, start)
        whole = builder.sub(left, builder.urem(left, step))
        stop = columns if width == 1 else builder.add(start, whole)
        with cgutils.for_range_slice(builder, start, stop, step) as (j, _):
            used = builder.sub(columns, j) if width == 1 else None
            _panel(builder, on, rows, form, (lanes, width, used), j)
        start = stop
    builder.ret_void()
    return function


def transpose_function(module, size, form):
    """Return the function ``(A, rows, columns, B)`` that sets B to the transpose of A.

    Squares of as many rows as a vector has entries are transposed in registers.
    """
    name = f"skgd_transpose_{size}"
    if name in module.globals:
        return module.globals[name]
    pointer, lanes = REAL[size].as_pointer(), form.bits // size
    given = [pointer, WORD, WORD, pointer]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), given), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    A, rows, columns, B = function.args
    kind = ir.VectorType(REAL[size], lanes)
    memory, step = _Memory(builder, kind, None), WORD(lanes)
    whole = [builder.and_(count, WORD(-lanes)) for count in (rows, columns)]

    def place(array, i, j, length):
        return builder.gep(array, [builder.add(builder.mul(i, length), j)])

    none, one, numbers = WORD(0), WORD(1), [WORD(k) for k in range(lanes)]
    with _places(builder, (none, whole[0], step), (none, whole[1], step)) as (i, j):
        square = [memory.load(place(A, builder.add(i, k), j, columns)) for k in numbers]
        for k, vector in zip(numbers, _turned(builder, square)):
            memory.store(vector, place(B, builder.add(j, k), i, rows))
    below, beside = ((whole[0], rows), (none, columns)), ((none, whole[0]), (whole[1], columns))
    for down, along in (below, beside):
        with _places(builder, (*down, one), (*along, one)) as (i, j):
            builder.store(builder.load(place(A, i, j, columns)), place(B, j, i, rows))
    builder.ret_void()
    return function


@contextmanager
def _places(builder, down, along):
    """Generate two loops, one in the other."""
    with (
        cgutils.for_range_slice(builder, *down) as (i, _),
        cgutils.for_range_slice(builder, *along) as (j, _),
    ):
        yield i, j


def _turned(builder, square):
    """Return the columns of a square of vectors, as its rows and lower half are interleaved."""
    lanes = len(square)
    half, kind = lanes // 2, ir.VectorType(PLACE, lanes)
    orders = [
        ir.Constant(
            kind, [k + side * lanes for k in range(begin, begin + half) for side in (0, 1)]
        )
        for begin in (0, half)
    ]
    for _ in range(half.bit_length()):
        pairs = [(square[k], square[k + half]) for k in range(half)]
        square = [builder.shuffle_vector(*pair, order) for pair in pairs for order in orders]
    return square


def _panel(builder, on, rows, form, vectors, j):
    """Generate the products with some columns of B, from column j on."""
    start = WORD(0)
    for height in form.heights:
        left = builder.sub(rows, start)
        stop = builder.add(start, builder.sub(left, builder.urem(left, WORD(height))))
        with cgutils.for_range_slice(builder, start, stop, WORD(height)) as (i, _):
            _block(builder, on, height, vectors, i, j)
        start = stop


def _block(builder, on, height, vectors, i, j):
    """Generate the products of some rows of A and columns of B; the last may be masked."""
    lanes, width, used = vectors
    kind = ir.VectorType(on.A.type.pointee, lanes)
    memory = _Memory(builder, kind, used)
    entries = [on.A]
    for k in range(height):
        entries.append(builder.gep(on.A, [builder.mul(builder.add(i, WORD(k)), on.down)]))
    sums = [[_place(builder, kind) for _ in range(width)] for _ in range(height)]
    with cgutils.for_range(builder, on.inner) as loop:
        row = builder.gep(on.B, [builder.add(builder.mul(loop.index, on.b), j)])
        own = [memory.load(builder.gep(row, [WORD(v * lanes)])) for v in range(width)]
        at = builder.mul(loop.index, on.along)
        for entry, places in zip(entries[1:], sums):
            a = _repeated(builder, builder.load(builder.gep(entry, [at])), kind)
            for vector, place in zip(own, places):
                product = builder.fmul(a, vector, flags=FUSED)
                builder.store(builder.fadd(builder.load(place), product, flags=FUSED), place)
    for adds in (True, False):
        wanted = on.add if adds else builder.not_(on.add)
        with builder.if_then(wanted):
            for k, places in enumerate(sums):
                row = builder.mul(builder.add(i, WORD(k)), on.c)
                for v, place in enumerate(places):
                    into = builder.gep(on.C, [builder.add(row, builder.add(j, WORD(v * lanes)))])
                    value = builder.load(place)
                    if adds:
                        value = builder.fadd(value, memory.load(into), flags=FUSED)
                    memory.store(value, into)


class _Memory:
    """Loads and stores vectors, of which only some first entries are used, if that is given."""

    def __init__(self, builder, kind, used):
        self.builder, self.kind, self.mask = builder, kind, None
        if used is not None:
            words = ir.VectorType(WORD, kind.count)
            numbers = ir.Constant(words, [*range(kind.count)])
            limit = _repeated(builder, used, words)
            self.mask = builder.icmp_unsigned("<", numbers, limit)
        self.flags = ir.VectorType(FLAG, kind.count)
        self.align = 4 if kind.element == REAL[32] else 8

    def load(self, place):
        place = self.builder.bitcast(place, self.kind.as_pointer())
        if self.mask is None:
            return self.builder.load(place, align=self.align)
        given = [place.type, PLACE, self.flags, self.kind]
        form = ir.FunctionType(self.kind, given)
        load = self._declared("load", form)
        return self.builder.call(load, [place, PLACE(self.align), self.mask, self.kind(None)])

    def store(self, value, place):
        place = self.builder.bitcast(place, self.kind.as_pointer())
        if self.mask is None:
            self.builder.store(value, place, align=self.align)
        else:
            given = [self.kind, place.type, PLACE, self.flags]
            form = ir.FunctionType(ir.VoidType(), given)
            store = self._declared("store", form)
            self.builder.call(store, [value, place, PLACE(self.align), self.mask])

    def _declared(self, verb, form):
        letter = f"v{self.kind.count}f{8 * self.align}.p0"
        module = self.builder.module
        return cgutils.get_or_insert_function(module, form, f"llvm.masked.{verb}.{letter}")


def _place(builder, kind):
    """Return where a sum is kept; it begins as zero."""
    place = cgutils.alloca_once(builder, kind)
    builder.store(kind(None), place)
    return place


def _repeated(builder, number, kind):
    """Return a vector of equal numbers."""
    empty = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(empty, number, PLACE(0))
    zeros = ir.Constant(ir.VectorType(PLACE, kind.count), None)
    return builder.shuffle_vector(first, empty, zeros)
