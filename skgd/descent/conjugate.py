"""Smooth problems: conjugate gradients, or a Cholesky factor where that is cheaper.

The problem is ``(A + B) w = q`` with ``A = X^T S X / n`` and B the l2 costs on a diagonal. Where
there are fewer rows than columns, both ways have a form in which the unknowns are the rows'.

References
----------
Hestenes and Stiefel, "Methods of conjugate gradients for solving linear systems" (1952).
"""

import numpy as np
from scipy.linalg import blas, lapack

from skgd.descent.quadratic import BLOCK, OFF

PRODUCTS = 35e9  # a second, on the way to a Gram matrix, and to a factor
DENSE, SPARSE = 3.5e9, 0.8e9  # entries a second, on the way through the data
CHEAP = 0.004  # seconds in which a factor is found that nobody waits for
LARGEST = 10_000  # unknowns, beyond which there is no factor
FEW = 12  # passes that a factor is worth at once
LEAST, DOUBT = 4, 0.5  # passes before a forecast, and what it may be of a factor's price
STALLED = 0.3  # how much of the residual a refinement may leave
SINGULAR = 1e-6  # pivot of a factor of a matrix with a diagonal of ones


class Prices:
    """Estimates, in seconds, of a pass there and back and of a factor."""

    def __init__(self, problem):
        X, b = problem.objective.X, problem.b
        n, p = X.shape
        entries, speed = (X.nnz, SPARSE) if problem.sparse else (n * p, DENSE)
        even = b.size > 0 and b.min() == b.max() > 0.0
        self.by_rows = even and n < p
        m = n if self.by_rows else p
        single = 2.0 if X.dtype == np.float32 else 1.0
        self.way = 2.0 * entries / (speed * single)
        self.factor = entries * (entries / n / m * p if problem.sparse else m) / PRODUCTS / single
        self.factor += m**3 / (3.0 * PRODUCTS)
        if m > LARGEST:
            self.factor = np.inf


def smooth(problem, record, epochs):
    """Go to the minimum from zero."""
    prices = Prices(problem)
    cheap = prices.factor <= max(CHEAP, FEW * prices.way)
    if cheap:
        _refine(problem, record, epochs, prices.by_rows)
        prices.factor = np.inf
    if not record.done(epochs):
        _travel(problem, record, epochs, prices)
    if not record.done(epochs) and np.isfinite(prices.factor):
        _refine(problem, record, epochs, prices.by_rows)


def _travel(problem, record, epochs, prices):
    """Take conjugate gradients to the tolerance, and again for what rounding has left."""
    travel = _along_columns if record.answer.any() or not prices.by_rows else _along_rows
    for _ in range(3):
        begin = record.residual
        w, hopeful = travel(problem, record, epochs, prices)
        travel = _along_columns
        residual = problem.objective.y - problem.project(w)
        left = record.see(problem, w, problem.gather(residual), residual)
        if record.done(epochs) or not hopeful or left.max() > STALLED * begin:
            break


def _hopeless(history, tol, prices):
    """Whether a factor would be found before the passes that are left to do are done.

    The forecast goes by the latter half of the passes so far.
    """
    k = len(history)
    if k < LEAST or k % LEAST:
        return False
    rate = np.log(history[k // 2] / history[-1]) / (k - 1 - k // 2)
    rest = np.log(history[-1] / tol) / rate if rate > 0.0 else np.inf
    return rest * prices.way > DOUBT * prices.factor


def _along_columns(problem, record, epochs, prices):
    """Descend along conjugate directions of the weights; return where, and whether to go on.

    With an l2 part everywhere the directions are scaled by the diagonal; without, they are not,
    and lead from zero to the answer of the least length.
    """
    b, unit, enough = problem.b, problem.unit, 0.9 * problem.tol
    scale = 1.0 / (problem.squares + b) if b.all() else np.ones(b.size)
    w, r = record.answer.copy(), record.slopes - problem.b * record.answer
    total, history = record.curve[-1], []
    d = scale * r
    rz = r @ d
    while rz > 0.0:
        bent = problem.gather(problem.project(d))
        bent += b * d
        length = rz / (d @ bent)
        w += length * d
        bent *= length
        r -= bent
        total -= 0.5 * length * rz
        left = float(np.abs(unit * r).max())
        history.append(left)
        if left <= enough or record.ends(epochs):
            break
        if _hopeless(history, enough, prices):
            return w, False
        record.note(total, left, problem.omega(w), np.sqrt(r @ r), length * np.sqrt(d @ d), w)
        z, before = scale * r, rz
        rz = r @ z
        d *= rz / before
        d += z
    return w, True


def _along_rows(problem, record, epochs, prices):
    """Do the same for the residuals, from zero.

    ``(1 + X X^T S / (n b)) u = y`` gives the residuals u at the minimum, which pull the weights to
    ``w = X^T S u / (n b)``.
    """
    weight, b, unit = problem.objective.weight / problem.objective.n, problem.b[0], problem.unit
    enough, history = 0.9 * problem.tol, []
    u, r = np.zeros(weight.size), problem.objective.y.copy()
    d, w, sent = r.copy(), np.zeros(unit.size), record.slopes.copy()
    rr = weight @ (r * r)
    while rr > 0.0:
        bent = problem.project(sent)
        bent /= b
        bent += d
        length = rr / ((weight * d) @ bent)
        u += length * d
        bent *= length
        r -= bent
        step = length / b * sent
        w += step
        slope = problem.gather(r)
        left = float(np.abs(unit * slope).max())
        history.append(left)
        if left <= enough or record.ends(epochs):
            break
        if _hopeless(history, enough, prices):
            return w, False
        omega, rest = 0.5 * b * (w @ w), u + r
        total = 0.5 * (weight @ (rest * rest)) + omega
        record.note(total, left, omega, np.sqrt(slope @ slope), np.sqrt(step @ step), w)
        before, rr = rr, weight @ (r * r)
        d *= rr / before
        d += r
        sent *= rr / before
        sent += slope
    return w, True


def _refine(problem, record, epochs, by_rows):
    """Solve by a Cholesky factor, and again for what rounding has left."""
    solve, exactness, product = (_by_rows if by_rows else _by_columns)(problem)
    if solve is None:
        return
    w, slopes, residual = record.answer, record.slopes, None
    while not record.done(epochs):
        step = solve(slopes - problem.b * w)
        w = w + step
        if product is None or exactness > problem.tol or residual is not None:
            residual = problem.objective.y - problem.project(w)
            slopes = problem.gather(residual)
        else:
            slopes = slopes - product(step)
        before = record.residual
        left = float(record.see(problem, w, slopes, residual).max())
        if residual is None and not record.done(epochs):
            residual = problem.objective.y - problem.project(w)
            slopes = problem.gather(residual)
        elif left > STALLED * before:
            return


def _by_columns(problem):
    """Return what solves for a step, how exact slopes from G are, and what multiplies by G.

    One triangle of the scaled ``A + B`` makes room for the factor; the other remains.
    """
    H, exactness = problem.gram()
    root = np.sqrt(H.diagonal() + problem.b)
    root[root == 0.0] = 1.0
    H /= root
    H /= root[:, None]
    H[range(root.size), range(root.size)] += problem.b / root**2
    diagonal = H.diagonal().copy()
    factor, failed = lapack.dpotrf(H.T, lower=0, clean=0, overwrite_a=1)
    if failed or factor.diagonal().min() < SINGULAR:
        return None, 0.0, None
    diagonal -= factor.diagonal()

    def solve(g):
        return lapack.dpotrs(factor, g / root, lower=0)[0] / root

    def product(w):
        v = root * w
        return root * (blas.dsymv(1.0, factor, v, lower=1) + diagonal * v) - problem.b * w

    return solve, exactness, product


def _by_rows(problem):
    """Return the same for fewer rows than columns, by the formula of Woodbury; without G."""
    objective, b = problem.objective, problem.b[0]
    if not problem.in_range:
        return None, 0.0, None
    X, centre, root = objective.X, objective.centre, np.sqrt(objective.weight / (objective.n * b))
    X = X.astype(float) if problem.extreme else X
    if problem.sparse:
        K = (X @ X.T).toarray()
    elif centre is not None and problem.off >= OFF:
        K, step = np.zeros((objective.n, objective.n)), max(1, BLOCK // objective.n)
        for start in range(0, objective.p, step):
            part = X[:, start : start + step] - centre[start : start + step]
            K += part @ part.T
        centre = None
    else:
        K = X @ X.T
    K = K.astype(float, copy=False)
    if centre is not None:
        u = objective.X @ centre
        K -= u
        K -= (u - centre @ centre)[:, None]
    K *= root
    K *= root[:, None]
    K[range(len(K)), range(len(K))] += 1.0
    factor, failed = lapack.dpotrf(K.T, lower=0, clean=0, overwrite_a=1)
    if failed:
        return None, 0.0, None

    def solve(g):
        u = lapack.dpotrs(factor, root * problem.project(g), lower=0)[0]
        return (g - problem.gather(np.divide(u, root, np.zeros(u.size), where=root > 0.0)) / b) / b

    return solve, 0.0, None
