"""How numba is to compile the functions of `skgd.elementary`: as arithmetic, without a call.

``x = n log 2 + r`` with an integer n; ``e^r - 1`` is a sum of powers of r, and ``2^n`` is made of
the bits of n. Only products and sums are fused: other liberties would cost digits.
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


@type_callable(elementary.exp)
@type_callable(elementary.tanh)
def _type_function(context):
    return lambda x: x if isinstance(x, types.Float) else types.float64


@lower_builtin(elementary.exp, types.Float)
def _exp(context, builder, signature, args):
    on = Arithmetic(builder, signature.args[0].bitwidth)
    s, q = on.exponential(args[0])
    return on.add(s, on.multiply(s, q))


@lower_builtin(elementary.tanh, types.Float)
def _tanh(context, builder, signature, args):
    on = Arithmetic(builder, signature.args[0].bitwidth)
    s, q = on.exponential(on.multiply(args[0], 2.0))
    t = on.add(on.multiply(s, q), on.subtract(s, 1.0))  # e^(2x) - 1
    return on.divide(t, on.add(t, 2.0))
