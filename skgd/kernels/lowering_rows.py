"""How numba is to compile `skgd.kernels.four_rows` and `skgd.kernels.entries`.

Entries of dense rows are taken eight at once, then four, two, one; stored ones four at once.

LLVM's own vectors are wide and unrolled: short rows, and what is left of long ones, go one by one.
Here entries are converted when they are loaded, so that float32 rows cost little more than their
bytes.
"""

from contextlib import contextmanager

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import lower_builtin, type_callable

from skgd.kernels import entries, four_rows
from skgd.kernels.four_rows import FOUR

WORD, PLACE, DOUBLE = ir.IntType(64), ir.IntType(32), ir.DoubleType()
LANES = 8, 4, 2, 1
ROWS = types.Array, types.UniTuple
ENTRIES = types.Array, types.Array, types.Integer, types.Integer
FAST = "reassoc", "contract", "nsz"


@type_callable(four_rows.multiply_four)
def _type_multiply(context):
    return lambda X, places, w, z: types.void


@type_callable(four_rows.multiply_four_by_two)
def _type_multiply_by_two(context):
    return lambda X, places, w, v, z, y: types.void


@type_callable(four_rows.add_four)
def _type_add(context):
    return lambda X, places, u, g: types.void


@type_callable(entries.multiply_entries)
def _type_entries(context):
    return lambda data, indices, start, stop, w: types.float64


@type_callable(entries.multiply_entries_by_two)
def _type_entries_by_two(context):
    return lambda data, indices, start, stop, w, v: types.UniTuple(types.float64, 2)


@lower_builtin(four_rows.multiply_four, *ROWS, *[types.Array] * 2)
@lower_builtin(four_rows.multiply_four_by_two, *ROWS, *[types.Array] * 4)
def _multiply(context, builder, signature, args):
    """Generate the products of four rows with one vector, or with two."""
    rows, n = _rows(context, builder, signature, args)
    arrays = [_data(context, builder, *pair) for pair in zip(signature.args[2:], args[2:])]
    half = len(arrays) // 2
    vectors, results = arrays[:half], arrays[half:]
    places = [[_place(builder, LANES[0]) for _ in range(FOUR)] for _ in vectors]
    for lanes in LANES:
        with _entries(builder, n, lanes) as j:
            xs = [_load(builder, row, j, lanes) for row in rows]
            for vector, own in zip(vectors, places):
                w = _load(builder, vector, j, lanes)
                for x, place in zip(xs, own):
                    product = builder.fmul(x, w, flags=FAST)
                    builder.store(_sum(builder, builder.load(place), product), place)
        if lanes > 1:
            places = [[_halved(builder, place, lanes // 2) for place in own] for own in places]
    for own, result in zip(places, results):
        for k, place in enumerate(own):
            builder.store(builder.load(place), builder.gep(result, [WORD(k)]))
    return context.get_dummy_value()


@lower_builtin(four_rows.add_four, *ROWS, *[types.Array] * 2)
def _add(context, builder, signature, args):
    """Generate the addition of multiples of four rows."""
    rows, n = _rows(context, builder, signature, args)
    u, g = (_data(context, builder, *pair) for pair in zip(signature.args[2:], args[2:]))
    factors = [builder.load(builder.gep(u, [WORD(k)])) for k in range(FOUR)]
    for lanes in LANES:
        own = [_repeated(builder, factor, lanes) for factor in factors]
        with _entries(builder, n, lanes) as j:
            total = _load(builder, g, j, lanes)
            parts = [
                builder.fmul(_load(builder, row, j, lanes), factor, flags=FAST)
                for row, factor in zip(rows, own)
            ]
            near, far = _sum(builder, *parts[:2]), _sum(builder, *parts[2:])
            total = _sum(builder, total, _sum(builder, near, far))
            place = builder.bitcast(builder.gep(g, [j]), _lanes_type(lanes).as_pointer())
            builder.store(total, place, align=8)
    return context.get_dummy_value()


@lower_builtin(entries.multiply_entries, *ENTRIES, types.Array)
@lower_builtin(entries.multiply_entries_by_two, *ENTRIES, *[types.Array] * 2)
def _multiply_entries(context, builder, signature, args):
    """Generate the products of some entries with one vector, or with two.

    Indices are loaded atomically, which costs nothing and keeps LLVM from gathering several
    numbers by one instruction, which some processors do slowly.
    """
    kinds, n_sums = signature.args, len(args) - 4
    data, words, *vectors = (
        _data(context, builder, kinds[k], args[k]) for k in (0, 1, *range(4, len(args)))
    )
    width = builder.extract_value(context.make_array(kinds[1])(context, builder, args[1]).shape, 1)
    start, stop = (context.cast(builder, args[k], kinds[k], types.int64) for k in (2, 3))
    middle = builder.add(start, builder.and_(builder.sub(stop, start), WORD(-FOUR)))
    places = [[_place(builder, 1) for _ in range(FOUR)] for _ in range(n_sums)]
    for begin, end, at_once in ((start, middle, FOUR), (middle, stop, 1)):
        with cgutils.for_range_slice(builder, begin, end, WORD(at_once)) as (k, _):
            for q in range(at_once):
                here = builder.add(k, WORD(q))
                word = builder.gep(words, [builder.mul(here, width)])
                j = builder.zext(builder.load_atomic(word, "unordered", 4), WORD)
                x = _load(builder, data, here, 1)
                for vector, own in zip(vectors, places):
                    product = builder.fmul(x, _load(builder, vector, j, 1), flags=FAST)
                    builder.store(_sum(builder, builder.load(own[q]), product), own[q])
    sums = []
    for own in places:
        a, b, c, d = (builder.load(place) for place in own)
        sums.append(_sum(builder, _sum(builder, a, b), _sum(builder, c, d)))
    return sums[0] if n_sums == 1 else context.make_tuple(builder, signature.return_type, sums)


def _rows(context, builder, signature, args):
    """Return the addresses of the four rows, and their length."""
    (kind, places), (array, tuple_of_places) = signature.args[:2], args[:2]
    X = context.make_array(kind)(context, builder, array)
    n = builder.extract_value(X.shape, 1)
    numbers = cgutils.unpack_tuple(builder, tuple_of_places)
    numbers = [context.cast(builder, i, places.dtype, types.int64) for i in numbers]
    return [builder.gep(X.data, [builder.mul(i, n)]) for i in numbers], n


def _data(context, builder, kind, array):
    return context.make_array(kind)(context, builder, array).data


@contextmanager
def _entries(builder, n, lanes):
    """Generate a loop over what can be taken in most lanes, or a single turn in fewer.

    The loop is over the first entries; what is left is taken in half as many lanes each time.
    """
    begin = builder.and_(n, WORD(-2 * lanes))
    if lanes == LANES[0]:
        stop = builder.and_(n, WORD(-lanes))
        with cgutils.for_range_slice(builder, WORD(0), stop, WORD(lanes)) as (j, _):
            yield j
    else:
        is_left = builder.icmp_unsigned("!=", builder.and_(n, WORD(lanes)), WORD(0))
        with builder.if_then(is_left):
            yield begin


def _lanes_type(lanes, kind=DOUBLE):
    return kind if lanes == 1 else ir.VectorType(kind, lanes)


def _load(builder, vector, j, lanes):
    """Load some entries, and convert them to float64."""
    kind = vector.type.pointee
    place = builder.bitcast(builder.gep(vector, [j]), _lanes_type(lanes, kind).as_pointer())
    loaded = builder.load(place, align=8 if kind == DOUBLE else 4)
    return loaded if kind == DOUBLE else builder.fpext(loaded, _lanes_type(lanes))


def _sum(builder, a, b):
    return builder.fadd(a, b, flags=FAST)


def _shuffled(builder, a, b, places):
    kind = ir.VectorType(PLACE, len(places))
    return builder.shuffle_vector(a, b, ir.Constant(kind, places))


def _repeated(builder, number, lanes):
    """Return a vector of equal numbers."""
    if lanes == 1:
        return number
    empty = ir.Constant(_lanes_type(lanes), ir.Undefined)
    first = builder.insert_element(empty, number, PLACE(0))
    return _shuffled(builder, first, empty, [0] * lanes)


def _place(builder, lanes):
    """Return where a sum in some lanes is kept; it begins as zero."""
    kind = _lanes_type(lanes)
    place = cgutils.alloca_once(builder, kind)
    builder.store(kind(None if lanes > 1 else 0.0), place)
    return place


def _halved(builder, place, lanes):
    """Return where a sum goes on in half as many lanes."""
    total, kind = builder.load(place), _lanes_type(lanes)
    halves = [[*range(begin, begin + lanes)] for begin in (0, lanes)]
    if lanes == 1:
        parts = [builder.extract_element(total, PLACE(k)) for k in range(2)]
    else:
        parts = [_shuffled(builder, total, total, half) for half in halves]
    place = cgutils.alloca_once(builder, kind)
    builder.store(_sum(builder, *parts), place)
    return place
