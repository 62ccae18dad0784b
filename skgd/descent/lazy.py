"""The lazy step for sparse data: weights that a batch does not touch are updated when needed.

A weight with a zero gradient only shrinks: under the penalty ``a |w| + b w^2 / 2`` an update
takes ``w`` to ``soft(q w, c)`` with ``q = 1 - rate b``, ``c = rate a``. Let Q be the product of
all q so far. The scaled weight ``v = w / Q`` is only ever thresholded, by ``c / Q``, and
thresholds add up, because what has reached zero stays there. So the array of weights holds v; the
pair ``(Q, C)``, with C the sum of all thresholds, serves all weights, and a weight is thresholded
by what it has missed when a row needs it. A step on v adds a row to it.

References
----------
Langford, Li and Zhang, "Sparse online learning via truncated gradient" (2009); Carpenter,
"Lazy sparse stochastic gradient descent for regularized multinomial logistic regression"
(2008).
"""

MIN_SCALE = 1e-4  # of Q, below which all weights are brought up to date and (Q, C) starts anew

elastic = axpy = None


def apply_pending(theta, lazy_state, j):
    """Threshold one scaled weight by what it has missed."""
    threshold = lazy_state.scale_and_threshold[1]
    v, t = theta[j], threshold - lazy_state.applied[j]
    clipped = v if v < t else t
    clipped = clipped if clipped > -t else -t
    theta[j] = v - clipped
    lazy_state.applied[j] = threshold


def refresh_rows(rows, state, start, stop):
    """Bring the weights that some rows touch up to date."""
    if state.lazy_state.scale_and_threshold[1] > 0.0:
        for k in range(start, stop):
            i = state.order[k]
            for place in range(rows.indptr[i], rows.indptr[i + 1]):
                apply_pending(state.theta, state.lazy_state, rows.indices[place, 0])


def lazy_step(parts, problem, data, state, start, stop, rate):
    """Take one step of plain descent with the slopes of a batch, and update (Q, C)."""
    theta, g, pair = state.theta, state.g, state.lazy_state.scale_and_threshold
    strength = problem.strengths[0]
    a, b = elastic(parts.penalty)
    pair[0] *= 1.0 - rate * strength * b
    pair[1] += rate * strength * a / pair[0]
    for k in range(start, stop):
        c = -rate * state.lazy_state.slopes[k - start] / pair[0]
        axpy(data.rows, c, state.order[k], theta)
    for j in range(data.width, theta.size):
        theta[j] -= rate * g[j]
        g[j] = 0.0


def flush(theta, lazy_state, p, due):
    """Where it is due, bring every weight up to date and start (Q, C) anew."""
    pair = lazy_state.scale_and_threshold
    if due or pair[0] < MIN_SCALE:
        for j in range(p):
            apply_pending(theta, lazy_state, j)
            theta[j] *= pair[0]
            lazy_state.applied[j] = 0.0
        pair[0] = 1.0
        pair[1] = 0.0


LAZY_FUNCTIONS = {
    "apply_pending": apply_pending,
    "refresh_rows": refresh_rows,
    "lazy_step": lazy_step,
    "flush": flush,
}
