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

WEAKEST = 1e-4  # of Q, before all is brought up to date and the clock restarts

elastic = spread = None  # filled in by `build`


def cut(theta, idle, j):
    """Cut one scaled weight by what it has missed."""
    v, t = theta[j], idle.clock[1] - idle.since[j]
    clipped = v if v < t else t
    clipped = clipped if clipped > -t else -t
    theta[j] = v - clipped
    idle.since[j] = idle.clock[1]


def wake(rows, theta, order, idle, start, stop):
    """Bring the weights that some rows touch up to date."""
    if idle.clock[1] > 0.0:
        for k in range(start, stop):
            for place in range(rows.indptr[order[k]], rows.indptr[order[k] + 1]):
                cut(theta, idle, rows.indices[place])


def tick(parts, data, theta, g, order, idle, start, stop, rate):
    """Take one step of plain descent with the batch's pulls, and let the clock run on."""
    a, b = elastic(parts.penalty)
    idle.clock[0] *= 1.0 - rate * data.strength[0] * b
    idle.clock[1] += rate * data.strength[0] * a / idle.clock[0]
    for k in range(start, stop):
        spread(data.rows, -rate * idle.pulls[k - start] / idle.clock[0], order[k], theta)
    for j in range(data.width, theta.size):
        theta[j] -= rate * g[j]
        g[j] = 0.0


def rest(theta, idle, p, due):
    """Where it is due, bring every weight up to date and restart the clock."""
    if due or idle.clock[0] < WEAKEST:
        for j in range(p):
            cut(theta, idle, j)
            theta[j] *= idle.clock[0]
            idle.since[j] = 0.0
        idle.clock[0] = 1.0
        idle.clock[1] = 0.0


LAZY_VERBS = (cut, wake, tick, rest)
