"""How numba is to compile blocks, parts, calls by address, scratch arrays and prefetching."""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import NumbaError
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import (
    NativeValue,
    intrinsic,
    lower_builtin,
    models,
    register_model,
    type_callable,
    typeof_impl,
    unbox,
)
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import from_dtype

from skgd.kernels import rows
from skgd.kernels.blocks import EXCEPTION, RESERVED
from skgd.part import Part

WORD = ir.IntType(64)
LINE = 64  # bytes of the cache
NUMBERS = {int: types.int64, float: types.float64, bool: types.boolean}


def kind_of(form, start=RESERVED):
    """Return the numba type of the next value of a form, given as an iterator.

    The value begins with the word ``start`` of a block.
    """
    item = next(form)
    if item in NUMBERS:
        return NUMBERS[item]
    what, size = item if item is not Part else next(form)
    if what is None:
        return types.none if size is None else types.literal(size)
    if isinstance(what, str):
        return types.Array(from_dtype(np.dtype(what)), size, "C")
    inner = []
    for _ in range(size):
        inner.append((kind_of(form, start), start))
        start += n_words(inner[-1][0])
    return types.Tuple([kind for kind, _ in inner]) if what is tuple else Fields(what, inner)


class Fields(types.Opaque):
    """The type of a named tuple or a part that stands in a block, at a known place.

    No value is passed: compiled code reads the fields at its entry, each once.
    """

    def __init__(self, cls, places):
        self.places = dict(zip(cls._fields, places))
        super().__init__(f"{cls.__module__}.{cls.__qualname__}{places}")


register_model(Fields)(models.OpaqueModel)


@infer_getattr
class FieldsAttribute(AttributeTemplate):
    """The types of the fields of a named tuple in a block."""

    key = Fields

    def generic_resolve(self, kind, name):
        return kind.places[name][0] if name in kind.places else None


@lower_getattr_generic(Fields)
def _get_field(context, builder, kind, value, name):
    known = getattr(builder.function, "fields_of_block", None)
    if known is None:
        raise NumbaError("A part cannot be handed on to other compiled functions.")
    place = inner, start = kind.places[name]
    if place not in known:
        with builder.goto_entry_block():
            known[place] = _value(context, builder, inner, builder.function.args[-1], start)
    return known[place]


def n_words(kind):
    """Return how many words a value of a type takes."""
    if isinstance(kind, types.Array):
        return 1 + kind.ndim
    if isinstance(kind, Fields):
        return sum(n_words(inner) for inner, _ in kind.places.values())
    if isinstance(kind, types.BaseTuple):
        return sum(map(n_words, kind.types))
    return int(kind in NUMBERS.values())


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


def reader(kind):
    """Return `read` for compiled code and arguments of this type."""

    @intrinsic
    def read_kind(context, block):
        def generate(context, builder, signature, args):
            builder.function.fields_of_block = {}
            return _value(context, builder, kind, args[0], RESERVED)

        return kind(types.int64), generate

    return read_kind


def _value(context, builder, kind, block, start):
    """Generate code for a value of a type, from the words of a block."""
    if isinstance(kind, types.Array):
        made = context.make_array(kind)(context, builder)
        data = builder.inttoptr(_word(builder, block, start), made.data.type)
        shape = [_word(builder, block, start + 1 + k) for k in range(kind.ndim)]
        size = WORD(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        strides = [size]
        for n in shape[:0:-1]:
            strides.insert(0, builder.mul(strides[0], n))
        populate_array(made, data, shape, strides, size, None)
        return made._getvalue()
    if isinstance(kind, types.BaseTuple):
        values = []
        for inner in kind.types:
            values.append(_value(context, builder, inner, block, start))
            start += n_words(inner)
        return context.make_tuple(builder, kind, values)
    if kind == types.float64:
        return builder.bitcast(_word(builder, block, start), ir.DoubleType())
    if kind == types.boolean:
        return builder.trunc(_word(builder, block, start), ir.IntType(1))
    return _word(builder, block, start) if kind == types.int64 else context.get_dummy_value()


def _word(builder, block, k):
    """Generate code for a word of a block, which never changes."""
    pointer = builder.inttoptr(builder.add(block, WORD(8 * k)), WORD.as_pointer())
    word = builder.load(pointer)
    word.set_metadata("invariant.load", builder.module.add_metadata([]))
    return word


@intrinsic
def native_call(context, task):
    """Run a `Call` from compiled code; return whether it has failed."""

    def generate(context, builder, signature, args):
        code, block = (builder.extract_value(args[0], k) for k in range(2))
        byte = ir.IntType(8).as_pointer()
        form = ir.FunctionType(ir.IntType(32), [byte, byte, WORD])
        function = builder.inttoptr(code, form.as_pointer())
        result = builder.inttoptr(block, byte)
        failure = builder.inttoptr(builder.add(block, WORD(8)), byte)
        status = builder.call(function, [result, failure, block])
        raised = builder.icmp_signed(">", status, status.type(0))
        return builder.or_(raised, builder.icmp_signed("==", status, status.type(EXCEPTION)))

    return types.boolean(task), generate


@type_callable(rows.scratch)
def _type_scratch(context):
    return lambda: types.Array(types.float64, 1, "C")


@lower_builtin(rows.scratch)
def _scratch(context, builder, signature, args):
    made = context.make_array(signature.return_type)(context, builder)
    data = cgutils.alloca_once(builder, ir.DoubleType(), size=rows.CHUNK)
    populate_array(made, data, [WORD(rows.CHUNK)], [WORD(8)], WORD(8), None)
    return made._getvalue()


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
