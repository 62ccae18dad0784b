"""How numba is to compile `skgd.kernels.products`: views without a count, and scipy's BLAS.

BLAS is called by a symbol, so that compiled code can be kept on disk and find it in every process.
"""

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import get_cython_function_address, lower_builtin, type_callable
from numba.np.arrayobj import populate_array

from skgd.kernels import products

INTEGER = ir.IntType(32)
CHARACTER = ir.IntType(8)
REAL = {64: ir.DoubleType(), 32: ir.FloatType()}
ROUTINES = {64: "dgemm", 32: "sgemm"}

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
@type_callable(products.inner_product)
def _type_others(context):
    return lambda A, B, C: types.void


@lower_builtin(products.add_product, types.Array, types.Array, types.Array, types.Float)
def _product(context, builder, signature, args):
    kind = signature.args[0].dtype
    beta = context.cast(builder, args[3], signature.args[3], kind)
    return _gemm(context, builder, signature, args[:3], "NN", beta)


@lower_builtin(products.add_outer, types.Array, types.Array, types.Array)
def _outer(context, builder, signature, args):
    one = REAL[signature.args[0].dtype.bitwidth](1.0)
    return _gemm(context, builder, signature, args, "TN", one)


@lower_builtin(products.inner_product, types.Array, types.Array, types.Array)
def _inner(context, builder, signature, args):
    zero = REAL[signature.args[0].dtype.bitwidth](0.0)
    return _gemm(context, builder, signature, args, "NT", zero)


def _gemm(context, builder, signature, args, turned, beta):
    """Generate ``C = op(A) op(B) + beta C`` for C-ordered matrices, whose transposes BLAS sees."""
    bits = signature.args[0].dtype.bitwidth
    A, B, C = (
        context.make_array(kind)(context, builder, arg) for kind, arg in zip(signature.args, args)
    )
    shapes = [cgutils.unpack_tuple(builder, array.shape) for array in (A, B, C)]
    (*a,), (*b,), (*c,) = [[builder.trunc(n, INTEGER) for n in shape] for shape in shapes]
    inner = a[0] if turned[0] == "T" else a[1]

    def slot(value):
        place = cgutils.alloca_once(builder, value.type)
        builder.store(value, place)
        return place

    letters = [slot(CHARACTER(ord(letter))) for letter in turned[::-1]]
    sizes = [slot(n) for n in (c[1], c[0], inner)]
    lengths = [slot(n) for n in (b[1], a[1], c[1])]
    one, beta = slot(REAL[bits](1.0)), slot(beta)
    given = [*letters, *sizes, one, B.data, lengths[0], A.data, lengths[1], beta]
    given += [C.data, lengths[2]]
    form = ir.FunctionType(ir.VoidType(), [value.type for value in given])
    name = f"skgd_{ROUTINES[bits]}"
    builder.call(cgutils.get_or_insert_function(builder.module, form, name), given)
    return context.get_dummy_value()
