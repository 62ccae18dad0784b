"""Sums over the rows of a rowwise data term: the mean loss and its gradient.

The names below are slots. `row_slots` fills them with the plain methods of a model, a loss and a
row storage, `RowKernel.slots` with what a variant of the loop does for each row; None is left out.
Nothing here allocates.
"""

from functools import cache
from typing import NamedTuple

from skgd.kernels.accumulate_columns import accumulate_columns
from skgd.kernels.blocks import read
from skgd.kernels.compiling import Kernel, bind, fuse
from skgd.kernels.four_rows import FOUR
from skgd.kernels.rows import DenseRows, FortranColumns, prefetch, scratch

# How many rows ahead memory is asked for. Rows drawn at random come too late when asked for
# at their turn. Long ones are asked for chunk by chunk, several rows at a time, which keeps more
# of the memory busy; and all once more, as a busy processor drops requests. The place of a sparse
# row is asked for before it.
NEXT, AHEAD, AHEAD_IN_CHUNKS, CHUNKS, APART, SOON = 32, 24, 16, 4, 2, 4

dot = dot_pair = axpy = dot_four = dot_pair_four = axpy_four = None
prefetch_row = prefetch_rows = prefetch_ends = are_long = entry = None
predict = model_derivative = add_parameter_gradient = value = slope = None
correct = add_to_gradient = keep_slope = gather = fetch_ahead = place_of = None

COLUMN_SLOTS = ("project", "spread", "gather")  # of columns, whose batches are dense rows
FOUR_SLOTS = ("dot_four", "dot_pair_four", "axpy_four")  # of dense rows


def row_slots(model, loss, rows):
    """Return the slots that the classes of a model, a loss and a row storage fill."""
    columns = dict.fromkeys(COLUMN_SLOTS)
    if rows is FortranColumns:
        columns = {name: fuse(getattr(rows, name)) for name in COLUMN_SLOTS}
        rows = DenseRows
    fours = dict.fromkeys(FOUR_SLOTS)
    if rows is DenseRows:
        fours = {name: fuse(getattr(rows, name)) for name in FOUR_SLOTS}
    return (
        columns
        | fours
        | {
            "dot": fuse(rows.dot),
            "dot_pair": fuse(rows.dot_pair),
            "axpy": fuse(rows.axpy),
            "prefetch_row": fuse(rows.prefetch_row),
            "prefetch_rows": fuse(rows.prefetch_rows),
            "prefetch_ends": None if rows is DenseRows else fuse(rows.prefetch_ends),
            "are_long": fuse(rows.are_long),
            "entry": fuse(rows.entry),
            "predict": fuse(model.value),
            "model_derivative": fuse(model.slope),
            "add_parameter_gradient": fuse(model.add_parameter_gradient),
            "value": fuse(loss.value),
            "slope": fuse(loss.slope),
        }
    )


def fuse_all(slots, functions):
    """Add functions to the slots, each bound to those before it; None is left out."""
    for name, function in functions.items():
        slots[name] = None if function is None else fuse(bind(function, slots))
    return slots


@cache
def build_accumulate(model, loss, rows):
    """Return what adds up all rows of a storage."""
    function = accumulate_columns if rows is FortranColumns else accumulate_full
    classes = model, loss, rows
    return Kernel(bind(function, row_slots(*classes)), classes, "sum")


def accumulate_full(block):
    """Add the gradient of the mean loss of some rows at ``theta`` to ``g``, and the loss.

    The block holds the model, the loss, `RowData`, ``theta``, ``iterate``, ``g``, the first row
    and that after the last, and where the loss of these rows at ``iterate`` is written, as a share
    of the mean over all. An empty ``iterate`` is ``theta``.
    """
    model, loss, data, theta, iterate, g, span, found = read(block)
    rows, y, weight, stride, p = data.rows, data.y, data.weight, data.stride, data.width
    scale, total, slope_sum, shift, shift_iterate = 1.0 / y.size, 0.0, 0.0, 0.0, 0.0
    centre, (start, stop), zs, others = data.centre, span, scratch(), scratch()
    apart, i = iterate.size > 0, start
    for j in range(centre.size):
        shift -= centre[j] * theta[j]
        if apart:
            shift_iterate -= centre[j] * iterate[j]
    while i < stop:
        m = 1 if dot_four is None else min(FOUR, stop - i)
        last = i + m - 1
        places = i, min(i + 1, last), min(i + 2, last), last
        if i + NEXT + m <= stop:
            prefetch_rows(rows, i + NEXT, m)
        if dot_four is None:
            zs[0] = dot(rows, theta, i)
            if apart:
                others[0] = dot(rows, iterate, i)
        else:
            dot_four(rows, theta, places, zs)
            if apart:
                dot_four(rows, iterate, places, others)
        for k in range(m):
            z = zs[k] + shift
            f, s = predict(model, z, theta, p), weight[(i + k) * stride]
            r = scale * s * slope(loss, f, y[i + k])
            c = r * model_derivative(model, z, theta, p)
            slope_sum += c
            add_parameter_gradient(model, z, theta, p, r, g)
            if apart:
                f = predict(model, others[k] + shift_iterate, iterate, p)
            total += s * value(loss, f, y[i + k])
            zs[k] = c
        if axpy_four is None:
            axpy(rows, zs[0], i, g)
        else:
            for k in range(m, FOUR):
                zs[k] = 0.0
            axpy_four(rows, zs, places, g)
        i += m
    for j in range(centre.size):
        g[j] -= slope_sum * centre[j]
    found[0] = total / y.size


def fetch_rows(data, order, begin, m):
    """Ask for the rows of a batch some rows ahead, unless they are gathered, and their targets."""
    in_chunks = gather is None and are_long(data.rows)
    ahead = AHEAD_IN_CHUNKS if in_chunks else AHEAD
    for k in range(begin + ahead, min(begin + ahead + m, order.size)):
        if in_chunks:
            for q in range(CHUNKS):
                prefetch_row(data.rows, order[k - APART * q], q, CHUNKS)
            prefetch_row(data.rows, order[k - AHEAD_IN_CHUNKS + SOON], 0, 1)
        elif gather is None:
            if prefetch_ends is not None and k + AHEAD < order.size:
                prefetch_ends(data.rows, order[k + AHEAD])
            prefetch_row(data.rows, order[k], 0, 1)
        prefetch(data.y, order[k], order[k] + 1)
        prefetch(data.weight, order[k] * data.stride, order[k] * data.stride + 1)


def places_in_order(source, order, places):
    """Return where the rows of some places in the order are stored."""
    a, b, c, d = places
    return order[a], order[b], order[c], order[d]


def places_in_room(source, order, places):
    """Return where the rows of some places in the order are gathered."""
    (a, b, c, d), room = places, source.X.shape[0]
    return a % room, b % room, c % room, d % room


def accumulate_batch(parts, data, state, start, stop):
    """Add the gradient of some rows in the order ``state.order`` to ``state.g``.

    Memory is asked for ahead of time. Rows of a matrix that lies column by column are gathered
    first, as many as there is room for.

    Returns
    -------
    loss : float
        The loss of these rows at ``state.iterate``, as a share of the mean over all.
    slope_sum : float
        The sum of the derivatives in z.
    """
    rows, y, weight, stride, p = data.rows, data.y, data.weight, data.stride, data.width
    order, source = state.order, data.rows if gather is None else state.gathered
    theta, iterate, g, centre = state.theta, state.iterate, state.g, data.centre
    scale, total, slope_sum, shift, shift_iterate = 1.0 / (stop - start), 0.0, 0.0, 0.0, 0.0
    zoom = 1.0
    if keep_slope is not None:
        zoom = state.lazy_state.scale_and_threshold[0]
    for j in range(centre.size):
        shift -= centre[j] * theta[j]
        shift_iterate -= centre[j] * iterate[j]
    begin, zs, others = start, scratch(), scratch()
    while begin < stop:
        m = 1 if dot_pair_four is None else min(FOUR, stop - begin)
        if gather is not None:
            place = begin % source.X.shape[0]
            m = min(m, source.X.shape[0] - place)
            if place == 0:
                gather(rows, order, begin, source.X)
        fetch_ahead(data, order, begin, m)
        last = begin + m - 1
        places = begin, min(begin + 1, last), min(begin + 2, last), last
        places = place_of(source, order, places)
        if dot_pair_four is None:
            zs[0], others[0] = dot_pair(source, theta, iterate, places[0])
        else:
            dot_pair_four(source, theta, iterate, places, zs, others)
        for k in range(m):
            i = order[begin + k]
            z, z_iterate = zoom * zs[k] + shift, others[k] + shift_iterate
            s = weight[i * stride]
            r = scale * s * slope(parts.loss, predict(parts.model, z, theta, p), y[i])
            if correct is not None:
                r = correct(state.gradients, r, scale, i)
            c = r * model_derivative(parts.model, z, theta, p)
            slope_sum += c
            if keep_slope is not None:
                keep_slope(state, c, begin + k - start)
            add_parameter_gradient(parts.model, z, theta, p, r, g)
            total += s * value(parts.loss, predict(parts.model, z_iterate, iterate, p), y[i])
            zs[k] = c
        if add_to_gradient is not None:
            if axpy_four is None:
                add_to_gradient(source, zs[0], places[0], g)
            else:
                for k in range(m, FOUR):
                    zs[k] = 0.0
                axpy_four(source, zs, places, g)
        begin += m
    if add_to_gradient is not None:
        for j in range(centre.size):
            g[j] -= slope_sum * centre[j]
    return total / y.size, slope_sum


def lazy_slope(state, c, place):
    """Keep the slope of a row for the lazy step, which adds it to the weights."""
    state.lazy_state.slopes[place] = c


class RowKernel(NamedTuple):
    """What a rowwise data term contributes to a loop: the classes that it is compiled for."""

    model: type
    loss: type
    rows: type

    @property
    def classes(self):
        """The classes that compiled code is kept for."""
        return tuple(self)

    @staticmethod
    def fuse(function):
        """Return a function, to be copied into the compiled code that calls it."""
        return fuse(function)

    def slots(self, variant, correct):
        """Return what the loop calls, for a variant of it.

        A single dense row is read again when the step is taken, and its gradient not stored.
        """
        slots = row_slots(*self)
        stored = variant.batch not in ("single", "lazy")
        slots["add_to_gradient"] = slots["axpy"] if stored else None
        slots |= {} if stored else dict.fromkeys(FOUR_SLOTS)
        gathers = self.rows is FortranColumns
        functions = {
            "fetch_ahead": fetch_rows,
            "place_of": places_in_room if gathers else places_in_order,
            "correct": correct,
            "keep_slope": lazy_slope if variant.batch == "lazy" else None,
            "accumulate": accumulate_batch,
        }
        return fuse_all(slots, functions)
