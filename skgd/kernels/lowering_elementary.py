"""How numba is to compile the functions of `skgd.elementary`: as arithmetic, without a call.

``x = n log 2 + r`` with an integer n; ``e^r - 1`` is a sum of powers of r, and ``2^n`` is made of
the bits of n. For the logarithm, n and ``1 + t`` are taken from the bits of ``2^n (1 + t)``, and
``log(1 + t)`` is an odd function of ``t / (2 + t)``. Only products and sums are fused: other
liberties would cost digits.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, type_callable

from skgd import elementary

FUSED = ("contract",)
REAL = {64: ir.DoubleType(), 32: ir.FloatType()}
# Bits of the significand, of the word, the largest exponent, log 2 in two parts, terms of the sum.
FORMS = {
    64: (52, 64, 700.0, 0.693147180369123816490, 1.90821492927058770002e-10, 13),
    32: (23, 32, 80.0, 0.693359375, -2.12194440e-4, 7),
}
ONE = {64: 0x3FF0000000000000, 32: 0x3F800000}  # the bits of 1.0
ROOT = {64: 0x3FE6A09E667F3BCD, 32: 0x3F3504F3}  # and of the root of one half
LEAST = {64: 2.0**-1022, 32: 2.0**-126}  # normal numbers
LOG_TERMS = {64: 10, 32: 5}  # powers of the square of t / (2 + t)


class Arithmetic:
    """Generates arithmetic on numbers of one size."""

    def __init__(self, builder, size):
        self.builder, self.size, self.real = builder, size, REAL[size]

    def number(self, value):
        return value if isinstance(value, ir.Value) else ir.Constant(self.real, value)

    def add(self, a, b):
        return self.builder.fadd(self.number(a), self.number(b), flags=FUSED)

    def subtract(self, a, b):
        return self.builder.fsub(self.number(a), self.number(b), flags=FUSED)

    def multiply(self, a, b):
        return self.builder.fmul(self.number(a), self.number(b), flags=FUSED)

    def divide(self, a, b):
        return self.builder.fdiv(self.number(a), self.number(b), flags=FUSED)

    def cut(self, x, largest):
        """Return x, no farther from zero than ``largest``; NaN stays."""
        for bound, sign in ((largest, ">"), (-largest, "<")):
            beyond = self.builder.fcmp_ordered(sign, x, self.number(bound), flags=FUSED)
            x = self.builder.select(beyond, self.number(bound), x)
        return x

    def exponential(self, x):
        """Return s and q, s a power of two, with ``e^x = s + s q``."""
        digits, size, largest, high, low, terms = FORMS[self.size]
        x, shift = self.cut(x, largest), 1.5 * 2.0**digits  # its last bits hold an integer
        shifted = self.add(self.multiply(x, 1.4426950408889634), shift)
        n = self.subtract(shifted, shift)
        r = self.subtract(self.subtract(x, self.multiply(n, high)), self.multiply(n, low))
        factorial, coefficients = 1.0, []
        for k in range(1, terms + 1):
            factorial *= k
            coefficients.append(1.0 / factorial)
        q = self.number(coefficients.pop())
        while coefficients:
            q = self.add(self.multiply(q, r), coefficients.pop())
        word = ir.IntType(size)
        bits = self.builder.bitcast(shifted, word)
        bits = self.builder.shl(bits, word(digits))
        bits = self.builder.add(bits, word(ONE[self.size]))
        return self.builder.bitcast(bits, self.real), self.multiply(r, q)

    def minus_one(self, x):
        """Return ``e^x - 1``."""
        s, q = self.exponential(x)
        return self.add(self.multiply(s, q), self.subtract(s, 1.0))

    def logarithm(self, x):
        """Return the logarithm of x, cut to the least normal number; NaN stays."""
        digits, size, _, high, low, _ = FORMS[self.size]
        small = self.builder.fcmp_ordered("<", x, self.number(LEAST[size]), flags=FUSED)
        x, word = self.builder.select(small, self.number(LEAST[size]), x), ir.IntType(size)
        bits = self.builder.sub(self.builder.bitcast(x, word), word(ROOT[size]))
        n = self.builder.ashr(bits, word(digits))  # so that 1 + t is near to one
        bits = self.builder.and_(bits, word((1 << digits) - 1))
        bits = self.builder.add(bits, word(ROOT[size]))
        t = self.subtract(self.builder.bitcast(bits, self.real), 1.0)
        n = self.integer(n)
        s = self.divide(t, self.add(t, 2.0))
        z = self.multiply(s, s)
        coefficients = [2.0 / (2 * k + 1) for k in range(1, LOG_TERMS[size] + 1)]
        rest = self.number(coefficients.pop())
        while coefficients:
            rest = self.add(self.multiply(rest, z), coefficients.pop())
        half = self.multiply(self.multiply(t, t), 0.5)  # log(1 + t) is t - half + s (half + rest)
        rest = self.multiply(s, self.add(half, self.multiply(rest, z)))
        rest = self.subtract(half, self.add(rest, self.multiply(n, low)))
        y = self.subtract(self.multiply(n, high), self.subtract(rest, t))
        lost = self.builder.fcmp_unordered("uno", x, x, flags=FUSED)
        return self.builder.select(lost, x, y)

    def integer(self, n):
        """Return an integer, smaller than the significand, as a number; by its bits alone."""
        shift = 1.5 * 2.0 ** FORMS[self.size][0]
        word = ir.IntType(self.size)
        bits = self.builder.bitcast(self.number(shift), word)
        return self.subtract(self.builder.bitcast(self.builder.add(bits, n), self.real), shift)


@type_callable(elementary.exp)
@type_callable(elementary.expm1)
@type_callable(elementary.log)
@type_callable(elementary.log1p)
@type_callable(elementary.tanh)
def _type_function(context):
    return lambda x: x if isinstance(x, types.Float) else types.float64


@lower_builtin(elementary.exp, types.Float)
def _exp(context, builder, signature, args):
    on = Arithmetic(builder, signature.args[0].bitwidth)
    s, q = on.exponential(args[0])
    return on.add(s, on.multiply(s, q))


@lower_builtin(elementary.expm1, types.Float)
def _expm1(context, builder, signature, args):
    return Arithmetic(builder, signature.args[0].bitwidth).minus_one(args[0])


@lower_builtin(elementary.log, types.Float)
def _log(context, builder, signature, args):
    return Arithmetic(builder, signature.args[0].bitwidth).logarithm(args[0])


@lower_builtin(elementary.log1p, types.Float)
def _log1p(context, builder, signature, args):
    on, (x,) = Arithmetic(builder, signature.args[0].bitwidth), args
    u = on.add(x, 1.0)
    lost = on.divide(on.subtract(x, on.subtract(u, 1.0)), u)  # by rounding
    return on.add(on.logarithm(u), lost)


@lower_builtin(elementary.tanh, types.Float)
def _tanh(context, builder, signature, args):
    on = Arithmetic(builder, signature.args[0].bitwidth)
    t = on.minus_one(on.multiply(args[0], 2.0))
    return on.divide(t, on.add(t, 2.0))
