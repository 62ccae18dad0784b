"""How numba is to compile `skgd.kernels.products`: views without a count, and products.

Matrices are multiplied as they lie (`skgd.kernels.lowering_registers`), large ones by scipy's
BLAS. It is called by a symbol: so compiled code on disk finds it in every process.
"""

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import get_cython_function_address, lower_builtin, type_callable
from numba.np.arrayobj import populate_array

from skgd.kernels import products
from skgd.kernels.lowering_registers import (
    REAL,
    Registers,
    multiply_function,
    registers,
    transpose_function,
)

INTEGER = ir.IntType(32)
CHARACTER = ir.IntType(8)
ROUTINES = {64: "dgemm", 32: "sgemm"}
LARGEST = 2**20  # numbers of B, above which copies in another order pay (256 rows of A, EPYC)
NARROW = Registers(128, (1,), (1,))  # of any processor
WORD = ir.IntType(64)

for _name in ROUTINES.values():
    _address = get_cython_function_address("scipy.linalg.cython_blas", _name)
    llvm.add_symbol(f"skgd_{_name}", _address)


@type_callable(products.matrix)
def _type_matrix(context):
    return lambda flat, start, rows, columns: types.Array(flat.dtype, 2, "C")


@type_callable(products.vector)
def _type_vector(context):
    return lambda flat, start, size: types.Array(flat.dtype, 1, "C")


def _view(context, builder, signature, args):
    """Generate a view of a flat array."""
    kind = signature.args[0]
    flat = context.make_array(kind)(context, builder, args[0])
    start, *shape = (
        context.cast(builder, arg, given, types.intp)
        for arg, given in zip(args[1:], signature.args[1:])
    )
    made = context.make_array(signature.return_type)(context, builder)
    size = context.get_constant(types.intp, kind.dtype.bitwidth // 8)
    strides = [builder.mul(shape[1], size), size][2 - len(shape) :] if shape[1:] else [size]
    populate_array(made, builder.gep(flat.data, [start]), shape, strides, size, None)
    return made._getvalue()


for _function, _n in ((products.matrix, 3), (products.vector, 2)):
    lower_builtin(_function, types.Array, *[types.Integer] * _n)(_view)


@type_callable(products.add_product)
def _type_product(context):
    return lambda A, B, C, beta: types.void


@type_callable(products.add_outer)
def _type_outer(context):
    return lambda A, B, C: types.void


@lower_builtin(products.add_product, types.Array, types.Array, types.Array, types.Float)
def _product(context, builder, signature, args):
    beta = context.cast(builder, args[3], signature.args[3], signature.args[0].dtype)
    return _multiply(context, builder, signature, args[:3], "N", beta)


@lower_builtin(products.add_outer, types.Array, types.Array, types.Array)
def _outer(context, builder, signature, args):
    one = REAL[signature.args[0].dtype.bitwidth](1.0)
    return _multiply(context, builder, signature, args, "T", one)


@type_callable(products.transpose)
def _type_transpose(context):
    return lambda A, B: types.void


@lower_builtin(products.transpose, types.Array, types.Array)
def _transpose(context, builder, signature, args):
    A, B = (
        context.make_array(kind)(context, builder, arg) for kind, arg in zip(signature.args, args)
    )
    size = signature.args[0].dtype.bitwidth
    function = transpose_function(builder.module, size, registers() or NARROW)
    builder.call(function, [A.data, *cgutils.unpack_tuple(builder, A.shape), B.data])
    return context.get_dummy_value()


def _multiply(context, builder, signature, args, transposed, beta):
    """Generate ``C = op(A) B + beta C`` for C-ordered matrices."""
    bits, form = signature.args[0].dtype.bitwidth, registers()
    arrays = [
        context.make_array(kind)(context, builder, arg) for kind, arg in zip(signature.args, args)
    ]
    a, b, c = (cgutils.unpack_tuple(builder, array.shape) for array in arrays)
    if form is None:
        _gemm(builder, arrays, (a, b, c), transposed, beta, bits)
        return context.get_dummy_value()
    A, B, C = (array.data for array in arrays)
    strides = [WORD(1), a[1]] if transposed == "T" else [a[1], WORD(1)]
    add = builder.fcmp_ordered("!=", beta, beta.type(0.0))
    small = builder.icmp_signed("<=", builder.mul(*b), WORD(LARGEST))
    with builder.if_else(small) as (then, otherwise):
        with then:
            given = [A, *strides, B, b[1], C, c[1], *c, b[0], add]
            builder.call(multiply_function(builder.module, bits, form), given)
        with otherwise:
            _gemm(builder, arrays, (a, b, c), transposed, beta, bits)
    return context.get_dummy_value()


def _gemm(builder, arrays, shapes, transposed, beta, bits):
    """Generate a call of BLAS, which sees the transposes."""
    A, B, C = arrays
    a, b, c = ([builder.trunc(n, INTEGER) for n in shape] for shape in shapes)

    def slot(value):
        place = cgutils.alloca_once(builder, value.type)
        builder.store(value, place)
        return place

    letters = [slot(CHARACTER(ord(letter))) for letter in ("N", transposed)]
    sizes = [slot(n) for n in (c[1], c[0], b[0])]
    lengths = [slot(n) for n in (b[1], a[1], c[1])]
    one, beta = slot(REAL[bits](1.0)), slot(beta)
    given = [*letters, *sizes, one, B.data, lengths[0], A.data, lengths[1], beta]
    given += [C.data, lengths[2]]
    form = ir.FunctionType(ir.VoidType(), [value.type for value in given])
    name = f"skgd_{ROUTINES[bits]}"
    builder.call(cgutils.get_or_insert_function(builder.module, form, name), given)
