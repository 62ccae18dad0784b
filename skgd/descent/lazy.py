"""The lazy form for sparse data: weights that a batch does not touch are left for later.

A weight with a zero gradient only shrinks: under the penalty ``a |w| + b w^2 / 2`` an update
takes ``w`` to ``soft(q w, c)`` with ``q = 1 - rate b``, ``c = rate a``. With Q the product of all
q so far, the scaled weight ``v = w / Q`` is only ever cut, by ``c / Q``; and cuts add up, because
what has reached zero stays there. So the array of weights holds v, a clock ``(Q, C)`` runs
for all, C the sum of the cuts, and a weight is cut by what it has missed when a row needs
it. A step on v is a row added to it.

References
----------
Langford, Li and Zhang, "Sparse online learning via truncated gradient" (2009); Carpenter,
"Lazy sparse stochastic gradient descent for regularized multinomial logistic regression"
(2008).
"""

MIN_SCALE = 1e-4  # of Q, before all is brought up to date and the clock restarts

elastic = axpy = None  # filled in by `build`


def apply_pending(theta, lazy_state, j):
    """Cut one scaled weight by what it has missed."""
    v, t = theta[j], lazy_state.scale_and_threshold[1] - lazy_state.applied[j]
    clipped = v if v < t else t
    clipped = clipped if clipped > -t else -t
    theta[j] = v - clipped
    lazy_state.applied[j] = lazy_state.scale_and_threshold[1]


def refresh_rows(rows, theta, order, lazy_state, start, stop):
    """Bring the weights that some rows touch up to date."""
    if lazy_state.scale_and_threshold[1] > 0.0:
        for k in range(start, stop):
            for place in range(rows.indptr[order[k]], rows.indptr[order[k] + 1]):
                apply_pending(theta, lazy_state, rows.indices[place])


def lazy_step(parts, data, theta, g, order, lazy_state, start, stop, rate):
    """Take one step of plain descent with the batch's pulls, and let the clock run on."""
    a, b = elastic(parts.penalty)
    lazy_state.scale_and_threshold[0] *= 1.0 - rate * data.penalty_strength[0] * b
    lazy_state.scale_and_threshold[1] += (
        rate * data.penalty_strength[0] * a / lazy_state.scale_and_threshold[0]
    )
    for k in range(start, stop):
        axpy(
            data.rows,
            -rate * lazy_state.slopes[k - start] / lazy_state.scale_and_threshold[0],
            order[k],
            theta,
        )
    for j in range(data.width, theta.size):
        theta[j] -= rate * g[j]
        g[j] = 0.0


def flush(theta, lazy_state, p, due):
    """Where it is due, bring every weight up to date and restart the clock."""
    if due or lazy_state.scale_and_threshold[0] < MIN_SCALE:
        for j in range(p):
            apply_pending(theta, lazy_state, j)
            theta[j] *= lazy_state.scale_and_threshold[0]
            lazy_state.applied[j] = 0.0
        lazy_state.scale_and_threshold[0] = 1.0
        lazy_state.scale_and_threshold[1] = 0.0


LAZY_VERBS = (apply_pending, refresh_rows, lazy_step, flush)
