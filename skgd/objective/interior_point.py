"""Interior points: minima of sums of hinges, with a quadratic part and free coordinates.

``min_w  c w + b w^2 / 2 + sum_h weight_h max(0, f_h(w) - kink_h)``, where f holds the predictions
``A w``, once for each kink of a row's loss, and then w itself, whose hinges make up an l1 part or
bounds. Each hinge has a dual variable u in (0, 1), its share of the slope beyond the kink.

References
----------
Mehrotra, "On the implementation of a primal-dual interior point method" (1992); Portnoy and
Koenker, "The Gaussian hare and the Laplacian tortoise" (1997), for quantile regression.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from skgd.kernels.loss_kernels import blocks

ENTRIES = 2**16  # of the rows, of which a weighted copy is made at once


class Tuning(NamedTuple):
    """Constants of the method."""

    rounds: int = 60
    boundary: float = 0.99  # of the way to the boundary that a step takes
    start: float = 1.0  # the first barrier, in the mean distance from the kinks
    infeasible: int = 10  # rounds, in which the dual's constraints have to be half met
    regular: float = 1e-13  # of the diagonal of a matrix, and of its smallest entry by the largest
    wide: float = 2.0  # columns over rows, from which a factor has the size of the rows
    thin: float = 1e-6  # curvature of a coordinate, over that of the rows, which counts as none
    refinements: int = 3  # of the dual's constraints at the end


TUNING = Tuning()


class Hinges(NamedTuple):
    """A problem: ``c w + b w^2 / 2`` and the hinges of the rows, then of the coordinates.

    Attributes
    ----------
    A : ndarray of shape (m, k)
    c, b : ndarray of shape (k,)
    kinks, weights : ndarray of shape (K, m)
    coordinates : ndarray of shape (k,)
        Weights of the hinges ``max(0, w)``, zero for none.
    """

    A: np.ndarray
    c: np.ndarray
    b: np.ndarray
    kinks: np.ndarray
    weights: np.ndarray
    coordinates: np.ndarray

    def predict(self, w):
        """Return what each hinge is a function of."""
        f = self.A @ w
        return np.concatenate([*[f] * len(self.kinks), w])

    def of_rows(self, u):
        """Return the sums over the hinges of each row."""
        return u[: self.kinks.size].reshape(self.kinks.shape).sum(axis=0)

    def slopes(self, u):
        """Return the gradient of ``sum_h u_h f_h``."""
        return self.of_rows(u) @ self.A + u[self.kinks.size :]


class State(NamedTuple):
    """A point between the bounds.

    Attributes
    ----------
    w : ndarray of shape (k,)
    above, below : ndarray of shape (K * m + k,)
        Positive; their difference is the distance from the kinks.
    u, rest : ndarray of shape (K * m + k,)
        Positive; the dual variables, and one minus these.
    """

    w: np.ndarray
    above: np.ndarray
    below: np.ndarray
    u: np.ndarray
    rest: np.ndarray

    def advance(self, moves, primal, dual):
        """Take a part of the primal moves and one of the dual moves, in place."""
        shares = primal, primal, primal, dual
        for array, move, share in zip(self, moves, shares):
            array += share * move
        rest, du = self.rest, moves[-1]
        rest -= dual * du

    def gap(self, weights, moves=None, primal=0.0, dual=0.0):
        """Return the duality gap of feasible points, here or after parts of some moves."""
        total = 0.0
        for some in blocks(0, weights.size):
            above, below, u, rest = (array[some] for array in self[1:])
            if moves is not None:
                up, down, du = (move[some] for move in moves[1:])
                above, below = above + primal * up, below + primal * down
                u, rest = u + dual * du, rest - dual * du
            total += weights[some] @ (above * rest + below * u)
        return total


def interior_point(problem, w, tol, tuning=TUNING):
    """Minimise a sum of hinges, by Mehrotra's predictor and corrector.

    Parameters
    ----------
    problem : Hinges
    w : ndarray of shape (k,)
        Where to start.
    tol : float
        The duality gap to be reached.
    tuning : Tuning

    Returns
    -------
    w : ndarray of shape (k,)
    u : ndarray of shape (K * m + k,)
        The dual variables.
    arrived : bool
        Whether that is a minimum. The problem may have none.
    """
    weights = np.append(problem.weights, problem.coordinates)
    state, solve, D = _start(problem, w, weights, tuning), None, None
    left = _left(problem, weights, state)
    begin = np.abs(left).max()
    for k in range(tuning.rounds):
        gap = state.gap(weights)
        if gap <= tol and k:
            return *_refined(problem, weights, state, D, solve, tuning), True
        if k == tuning.infeasible and np.abs(left).max() > 0.5 * begin:
            break
        D = state.above / state.rest
        D += state.below / state.u
        np.divide(1.0, D, out=D)
        solve = _factor(problem, weights * D, tuning)
        moves = _moves(problem, weights, state, D, solve, left, *_products(state))
        after = state.gap(weights, moves, *_parts(problem, state, moves, 1.0))
        target = 0.5 * (after / gap) ** 3 * gap / weights.sum()
        products = _products(state, target, moves)
        del moves
        moves = _moves(problem, weights, state, D, solve, left, *products)
        del products
        state.advance(moves, *_parts(problem, state, moves, tuning.boundary))
        left = _left(problem, weights, state)
    return state.w, state.u, False


def _start(problem, w, weights, tuning):
    """Return the point of the central path of these weights' hinges."""
    d = problem.predict(w) - np.append(problem.kinks, np.zeros(w.size))
    mu = 2.0 * tuning.start * (weights @ np.abs(d)) / weights.sum() or 1.0
    root = np.hypot(d, mu)
    above, below = 0.5 * (mu + root + d), 0.5 * (mu + root - d)
    return State(w, above, below, above / (above + below), below / (above + below))


def _left(problem, weights, state):
    """Return what is left of the dual's constraints: the gradient."""
    return problem.c + problem.b * state.w + problem.slopes(weights * state.u)


def _products(state, target=0.0, moves=None):
    """Return by how much the products of the pairs are to change: to a target, to second order."""
    first, second = target - state.above * state.rest, target - state.below * state.u
    if moves is not None:
        _, up, down, du = moves
        first += up * du
        second -= down * du
    return first, second


def _moves(problem, weights, state, D, solve, left, first, second):
    """Return the Newton moves that change the products of the pairs by these amounts.

    The amounts are overwritten.
    """
    first /= state.rest
    second /= state.u
    du = second - first
    dw = solve(-problem.slopes(weights * D * du) - left)
    du += problem.predict(dw)
    du *= D
    first += state.above / state.rest * du
    second -= state.below / state.u * du
    return dw, first, second, du


def _parts(problem, state, moves, boundary):
    """Return the parts of the primal and the dual moves that stay between the bounds."""
    _, up, down, du = moves
    primal = min(1.0, boundary * min(_reach(state.above, up), _reach(state.below, down)))
    dual = min(1.0, boundary * min(_reach(state.u, du), _reach(state.rest, -du)))
    return (min(primal, dual),) * 2 if problem.b.any() else (primal, dual)


def _reach(x, dx):
    """Return the largest multiple of a move that keeps positive numbers positive."""
    steepest = (-dx / x).max(initial=0.0)
    return 1.0 / steepest if steepest > 0.0 else np.inf


def _refined(problem, weights, state, D, solve, tuning):
    """Return the weights, and dual variables that meet their constraints but for rounding."""
    for _ in range(tuning.refinements):
        dw = solve(-_left(problem, weights, state))
        du = D * problem.predict(dw)
        if not min(_reach(state.u, du), _reach(state.rest, -du)) > 1.0:
            break
        state = state._replace(w=state.w + dw, u=state.u + du, rest=state.rest - du)
    return state.w, state.u


def _factor(problem, q, tuning):
    """Return the product with the inverse of ``A^T q A + b``, q being those of all hinges."""
    rows, diagonal = problem.of_rows(q), problem.b + q[problem.kinks.size :]
    m, k = problem.A.shape
    thin = diagonal < tuning.thin * rows.sum()
    if k > tuning.wide * m and np.count_nonzero(thin) <= m:
        return _factor_by_rows(problem.A, rows, diagonal, thin, tuning)
    M, step = np.zeros((k, k)), max(1, ENTRIES // k)
    for some in blocks(0, m, step):
        A = np.sqrt(rows[some])[:, None] * problem.A[some]
        M += A.T @ A
    M[range(k), range(k)] += diagonal
    return _inverse(M, tuning)


def _factor_by_rows(A, rows, diagonal, thin, tuning):
    """Do the same by a matrix of the rows, where these are fewer.

    Coordinates of next to no curvature of their own border it.
    """
    soft = ~thin
    S, F, shrunk = A[:, soft], A[:, thin], 1.0 / diagonal[soft]
    K = (S * shrunk) @ S.T
    K[range(rows.size), range(rows.size)] += 1.0 / rows
    inner = _inverse(K, tuning)
    border = _inverse(F.T @ inner(F) + np.diag(diagonal[thin]), tuning)

    def solve(r):
        h = S @ (shrunk * r[soft])
        z, free = inner(h), np.zeros(0)
        if F.size:
            free = border(r[thin] - F.T @ z)
            z = z + inner(F @ free)
        w = np.empty(r.size)
        w[soft], w[thin] = shrunk * (r[soft] - S.T @ z), free
        return w

    return solve


def _inverse(M, tuning):
    """Return the product with the inverse of a positive semidefinite matrix."""
    k = len(M)
    scale = np.sqrt(M.diagonal())
    scale[scale == 0.0] = 1.0
    M /= scale
    M /= scale[:, None]
    regular = tuning.regular
    while True:
        M[range(k), range(k)] += regular
        L, failed = lapack.dpotrf(M, lower=1)
        if not failed or regular > 1.0:
            return lambda r: (lapack.dpotrs(L, (r.T / scale).T, lower=1)[0].T / scale).T
        regular *= 100.0
