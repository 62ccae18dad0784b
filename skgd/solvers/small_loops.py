"""The compiled loops of `SmallSolver`: products of the columns, and what they tell of a point.

A row of ``room`` holds a number for each column, as the names below say. Nothing here allocates.
"""

from functools import cache

from skgd.kernels.compiling import compile_cached

ROUNDING = 8.0 * 2.0**-52  # of a sum, relative
MIN_SPREAD = 1e-3  # variance over mean square of a column, from which products keep their digits
SMALLEST, LARGEST = 1e-100, 1e100  # variances to reckon with
NOTICED = 1e-12  # of the mean square of a column: an l2 strength that may be divided by
TINY = 1e-300

CENTRE, SQUARES, L1, L2, LOWER, UNIT, STEP, RESOLUTION, LENGTHS, SLOPES, SIZES = range(11)
N_ROWS = 11
VALUE, RESIDUAL, PENALTY, GRADIENT_NORM, STEP_NORM, N_ZEROS, BOUND = range(7)
N_FIGURES = 7


def describe_columns(squares, sums, setting, room):
    """Fill the room from the sums over the columns, but for the slopes.

    Parameters
    ----------
    squares, sums : ndarray of shape (p,)
        Of the squares of the entries of each column, and of the entries.
    setting : ndarray of shape (6,)
        The number of rows, whether there is an intercept, the strengths of the l1 and the l2
        part, the lowest weight, and the mean square of y.
    room : ndarray of shape (N_ROWS, p)

    Returns
    -------
    bool
        Whether products keep enough digits; False also for what is not finite.
    """
    n, intercept, a, b, lowest, target_square = setting
    for j in range(sums.size):
        mean, square = sums[j] / n, squares[j] / n
        variance = square - mean * mean
        if not (variance >= MIN_SPREAD * square and SMALLEST < variance < LARGEST):
            return False
        if b > 0.0 and b < NOTICED * square:
            return False
        room[CENTRE, j] = intercept * mean
        room[SQUARES, j] = square - intercept * mean * mean
        room[L1, j], room[L2, j], room[LOWER, j] = a, b, lowest
        curvature = room[SQUARES, j] + b
        room[STEP, j] = 1.0 / curvature
        explained = variance / room[SQUARES, j]  # less without an intercept
        room[UNIT, j] = 1.0 / (curvature * explained * target_square) ** 0.5
        room[LENGTHS, j] = square**0.5
        room[RESOLUTION, j] = ROUNDING * (square * target_square) ** 0.5
    return True


def judge(q, w, setting, room, figures):
    """Set the figures of a point w whose slopes are in the room.

    The lower bound of the minimum is the dual objective at the residual, or at the multiple that
    meets the bounds of slopes, as in `skgd.objective.duality.dual_value`, for strengths that all
    weights share.
    """
    _, _, a, b, lowest, target_square = setting
    target = fitted = total = squares = gradients = worst = length = largest = 0.0
    n_zeros = 0
    for j in range(q.size):
        slope, weight, step = room[SLOPES, j], w[j], room[STEP, j]
        size, gradient, threshold = abs(weight), slope - b * weight, step * a
        target += q[j] * weight
        fitted += slope * weight
        total += size
        squares += weight * weight
        length += room[LENGTHS, j] * size
        largest = size if size > largest else largest
        n_zeros += weight == 0.0
        gradients += gradient * gradient
        z = weight + step * gradient
        clipped = z if z < threshold else threshold
        z -= clipped if clipped > -threshold else -threshold
        z = z if z > lowest else lowest
        violation = room[UNIT, j] * (abs(weight - z) / step - room[RESOLUTION, j])
        worst = violation if violation > worst else worst
    target = target_square - target
    square = target - fitted if target > fitted else 0.0
    value = 0.5 * square + a * total + 0.5 * b * squares
    rounding, end = ROUNDING * (length + target_square**0.5), 1.0
    nearest = 0.0 if lowest == 0.0 else -LARGEST
    for j in range(q.size):
        slope, slack = room[SLOPES, j], rounding * room[LENGTHS, j]
        size = abs(slope if slope > nearest else nearest)
        room[SIZES, j] = size
        reach = (a + slack) / ((size if size > slack else slack) + TINY)
        end = reach if reach < end and size > 0.0 else end
    c, over, steepest = 1.0 if b > 0.0 else end, 0.0, 0.0
    for j in range(q.size):
        excess = c * room[SIZES, j] - a
        excess = excess if excess > 0.0 else 0.0
        steepest = excess if excess > steepest else steepest
        over += excess * excess
    bound = c * target - 0.5 * c * c * square
    if b > 0.0:
        bound -= 0.5 * over / b
    elif a * (largest if largest > 0.0 else 1.0) < ROUNDING * value:
        bound = 0.0  # a weight may be so large that nothing bounds it
    else:
        bound -= steepest / a * value
    figures[VALUE], figures[RESIDUAL], figures[PENALTY] = value, worst, value - 0.5 * square
    figures[GRADIENT_NORM], figures[STEP_NORM] = gradients**0.5, squares**0.5
    figures[N_ZEROS], figures[BOUND] = n_zeros, bound if bound > 0.0 else 0.0


@cache
def build_loops():
    """Return both functions, compiled."""
    return (
        compile_cached(describe_columns, (), "describe_columns"),
        compile_cached(judge, (), "judge"),
    )
