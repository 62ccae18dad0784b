"""The generator of the order of rows is pcg32, to the bit, compiled or not."""

import numpy as np
import pytest
from scipy import stats

from skgd.kernels import draws
from skgd.kernels.compiling import bind, compile_cached, compiled_code, fuse
from skgd.kernels.draws import draw_below, new_generator, next_word

MASK = 2**64 - 1
draw = None


def twin(state, step):
    """Yield the numbers of pcg32 by exact integers, as in O'Neill's C code."""
    while True:
        old, state = state, (state * 6364136223846793005 + step) & MASK
        mixed, turn = (((old >> 18) ^ old) >> 27) & 0xFFFFFFFF, old >> 59
        yield ((mixed >> turn) | (mixed << (-turn & 31))) & 0xFFFFFFFF


def fill(generator, n, found):
    for k in range(found.size):
        found[k] = draw(generator, n)


def drawn(generator, n, count, compiled):
    """Return so many integers below n."""
    found = np.empty(count, dtype=np.int64)
    wrap = fuse if compiled else (lambda function: function)
    slots = {"next_word": wrap(next_word)}
    loop = bind(fill, {"draw": wrap(bind(draw_below, slots))})
    with compiled_code():
        (compile_cached(loop, (), "draws") if compiled else loop)(generator, n, found)
    return found


def test_the_words_are_those_of_the_demonstration_of_pcg32():
    step, state = 2 * 54 + 1, 0
    for added in (0, 42):  # pcg32_srandom(42, 54)
        state = ((state + added) * 6364136223846793005 + step) & MASK
    generator = np.array([state, step], dtype=np.uint64).view(np.int64)
    with np.errstate(over="ignore"):
        found = [int(next_word(generator)) for _ in range(6)]
    assert found == [0xA15C02B7, 0x7B47F409, 0xBA1D3330, 0x83D2F293, 0xBFA4784B, 0xCBED606E]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_numbers_are_those_of_exact_integers_compiled_or_not(seed, compiled):
    generator = new_generator(seed)
    words = twin(*generator.view(np.uint64).tolist())
    assert generator[1] % 2
    for n in (1, 7, 2**31, 2**40):
        pairs = [(next(words) >> 5, next(words) >> 6) for _ in range(500)]
        expected = [(high * 2**26 + low) * n // 2**53 for high, low in pairs]
        np.testing.assert_array_equal(drawn(generator, n, 500, compiled), expected)


def test_numbers_are_even_and_seeds_apart():
    counts = np.bincount(drawn(new_generator(3), 10, 20_000, compiled=False), minlength=10)
    assert counts.size == 10
    assert stats.chisquare(counts).pvalue > 1e-3
    some, others = (drawn(new_generator(seed), 2**20, 20, False) for seed in (3, 4))
    assert not (some == others).any()


def test_without_a_seed_every_generator_is_another():
    assert (new_generator(None) != draws.new_generator(None)).any()
