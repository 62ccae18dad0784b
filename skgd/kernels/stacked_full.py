"""Steps of many candidates on all rows, whose gradients follow from the products of the columns.

The names below are slots, which `skgd.kernels.stacked` fills. Nothing here allocates.
"""

from skgd.kernels.blocks import read
from skgd.kernels.products import add_product
from skgd.kernels.rows import scratch
from skgd.kernels.stacked_step import TILE

load_tile = step_tile = measure_squares = None


def sweep_full(block):
    """Take steps with the gradients ``H theta - q``, up to one that leads beyond the safe lengths.

    The number of the steps is put into ``done``.
    """
    problem, stack, H, q, G, multipliers, safe, done = read(block)
    theta, room = stack.theta, scratch()
    d, n = theta.shape
    for update in range(multipliers.size):
        for j in range(d):
            for c in range(n):
                G[j, c] = -q[j, stack.target[c]]
        add_product(H, theta, G, 1.0)
        for first in range(0, n, TILE):
            width = TILE if first + TILE < n else n - first
            load_tile(stack, room, first, width)
            step_tile(problem, stack, room, G, first, width, update + 1, multipliers[update])
            measure_squares(stack, room, first, width)
        done[0] = update + 1
        for c in range(n):
            if not stack.square[c] <= safe[c]:
                return
