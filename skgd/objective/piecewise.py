"""Minima and dual vectors of piecewise linear losses, over the rows near their kinks.

Far from the kinks of its loss, a row has a slope that is known. The minimum over the others is
sought by interior points; rows whose slope it changes join them, until there are none. So do
columns, where there are many.

References
----------
Portnoy and Koenker, "The Gaussian hare and the Laplacian tortoise" (1997): preprocessing.
"""

from typing import NamedTuple

import numpy as np

from skgd.kernels.rows import are_even
from skgd.objective.affine import Step, as_vector, dense_rows, split, weighted_mean
from skgd.objective.interior_point import Hinges, interior_point
from skgd.objective.line_pieces import LinePieces

ROUNDS = 25  # of interior points, mostly


class Tuning(NamedTuple):
    """How many rows and columns are taken at first, and how exact each minimum is."""

    rows: int = 500  # at least
    rows_per_column: int = 20
    all_rows: float = 4.0  # times the rows that would be taken: then all are
    far: float = 0.1  # of all rows, whose slopes change, from which a sample is a better start
    share: float = 1.5  # of the rows near each kink after a sample of m, over sqrt(columns / m)
    columns: int = 200  # of penalised ones, up to which all are taken, and that are added at once
    rounds: int = 20
    sample_tol: float = 1e-4  # of the best constant's objective: the gap of a sample's minimum
    tol: float = 1e-9  # the same, of each other minimum
    flops: float = 3e10  # multiply-adds of all factors: two or three seconds


def piecewise_steps(objective, theta, tuning):
    """Generate dual vectors, and the parameters they belong to, up to the minimum.

    Parameters
    ----------
    objective : Objective
        Of a linear model and a loss with kinks.
    theta : ndarray of shape (d,)
    tuning : Tuning

    Yields
    ------
    Step
    """
    search = Search(objective, theta, tuning)
    for _ in range(tuning.rounds):
        if not search.affords():
            return
        v = search.minimum()
        if v is not None:
            yield search.step(v)
        if not search.grow(v):
            return
        del v  # before there is another


class Search:
    """Rows and columns among which the minimum is sought.

    Parameters
    ----------
    objective : Objective
    theta : ndarray of shape (d,)
    tuning : Tuning

    Attributes
    ----------
    w : ndarray of shape (p,)
    level : float
    f : ndarray of shape (n,)
        The predictions there.
    piece : ndarray of shape (n,)
        The pieces of the losses that they were on before.
    live : ndarray of int or None
        The rows that have a weight; None for all.
    rows, columns : ndarray of int
    """

    def __init__(self, objective, theta, tuning):
        self.objective, self.tuning, self.flops = objective, tuning, tuning.flops
        self.pieces = LinePieces(objective.loss, objective.y)
        self.w, self.level = split(objective, theta)
        self.f, self.sampled, self.live = objective.predict(theta), False, None
        if not are_even(objective.weight):
            self.live = np.flatnonzero(objective.weight > 0.0)
        self.n_live = objective.n if self.live is None else self.live.size
        self.shift = np.zeros(objective.p)  # of columns, which an intercept makes up for
        if objective.d > objective.p:
            centre = 0.0 if objective.centre is None else objective.centre
            self.shift = objective.column_means - centre
        self.piece = self.pieces.piece(self.f)
        self.columns = self._first_columns()
        self.rows = self._nearest(self.most)
        if not self.w.any() and self.rows.size < self.n_live:
            self._sample()

    @property
    def k(self):
        """The number of parameters that are sought."""
        return self.columns.size + self.objective.d - self.objective.p

    @property
    def most(self):
        """The number of rows that are taken at first."""
        most = max(self.tuning.rows, self.tuning.rows_per_column * self.k)
        return most if most * self.tuning.all_rows < self.n_live else self.n_live

    def affords(self):
        """Spend the multiply-adds of the factors of the next minimum, if so many are left."""
        few, many = sorted((self.rows.size, self.k))
        self.flops -= ROUNDS * float(few) ** 2 * many
        return self.flops >= 0.0

    def minimum(self):
        """Go to the minimum where only these rows may change their slopes; return all slopes.

        None where there is no minimum.
        """
        objective, rows = self.objective, self.rows
        self.piece = self.pieces.piece(self.f)
        v, slopes = self.pieces.slopes_on(self.piece), self.pieces.slopes(rows)
        v[rows] = slopes[0]
        u = self._solve(rows, objective.weight[rows] / objective.n, self.tuning.tol, v)
        if u is None:
            return None
        u = u[: slopes.size - rows.size].reshape(-1, rows.size)
        inner = slopes[0] + (np.diff(slopes, axis=0) * u).sum(axis=0)
        v[rows] = np.clip(inner, slopes[0], slopes[-1])
        return v

    def step(self, v):
        """Return the minimum with these slopes."""
        value = self.objective.value(as_vector(self.objective, self.w, self.level))
        return Step(v, self.w, self.level, value)

    def grow(self, v):
        """Add the rows whose slopes the minimum would change, and steep columns.

        Parameters
        ----------
        v : ndarray of shape (n,) or None
            The slopes there; None where there was no minimum.

        Returns
        -------
        bool
            Whether there are any.
        """
        changed = np.zeros(self.f.size, dtype=bool)
        if v is not None:
            changed = (self.pieces.piece(self.f) != self.piece) & (self.objective.weight > 0.0)
            changed[self.rows] = False
        n_changed = np.count_nonzero(changed) if v is not None else self.n_live
        complete = self.rows.size == self.n_live
        steep = self._steep_columns(v) if v is not None and (complete or not n_changed) else ()
        if (complete and not len(steep)) or not (n_changed or len(steep)):
            return False
        self.columns = np.union1d(self.columns, steep).astype(np.intp)
        if n_changed > self.tuning.far * self.n_live and not (self.sampled or complete):
            self._sample()
        elif v is None:
            self.rows = self._nearest(2 * self.rows.size)
        elif not complete:
            near = self._nearest(max(self.most, 2 * n_changed))
            self.rows = np.union1d(near, np.flatnonzero(changed))
        return True

    def _first_columns(self):
        """Return the columns to begin with: all, or unpenalised, used and the steepest ones."""
        objective = self.objective
        a, steepness = objective.resolved_strengths[0], self._steepness(None)
        optional = np.flatnonzero((a > 0.0) & (self.w == 0.0) & ~objective.constant)
        optional = optional[np.argsort(-steepness[optional])]
        taken = ~objective.constant
        taken[optional[self.tuning.columns :]] = False
        return np.flatnonzero(taken)

    def _steepness(self, v):
        """Return the slope of each column over the bound that the penalty sets."""
        objective = self.objective
        if v is None:
            v = self.pieces.slopes_on(self.piece)
        u = -objective.rmatvec(v)
        u, a = u if objective.positive else np.abs(u), objective.resolved_strengths[0]
        return np.divide(u, a, np.zeros(u.size), where=a > 0.0)

    def _steep_columns(self, v):
        """Return columns that have to join, the steepest of them where they are many."""
        others = ~self.objective.constant
        others[self.columns] = False
        if not others.any():
            return ()
        steepness = np.where(others, self._steepness(v), 0.0)
        steep = np.flatnonzero(steepness > 1.0 + self.tuning.tol)
        return steep[np.argsort(-steepness[steep])][: max(self.tuning.columns, self.k)]

    def _nearest(self, most):
        """Return the rows with the predictions nearest to a kink."""
        if most >= self.n_live:
            return np.arange(self.n_live) if self.live is None else self.live
        distance = self.pieces.distance(self.f)
        if self.live is not None:
            distance[self.objective.weight <= 0.0] = np.inf
        near = np.flatnonzero(distance <= np.partition(distance, most - 1)[most - 1])
        if near.size > most:  # some are as far as the last
            near = np.sort(near[np.argsort(distance[near], kind="stable")[:most]])
        return near

    def _sample(self):
        """Go to the minimum over a sample, and take the rows near a kink there.

        The sample and the rows after it are about as many as are fewest together.
        """
        objective, tuning, rng = self.objective, self.tuning, np.random.default_rng(0)
        share = tuning.share * len(self.pieces.kinks(slice(1)))
        best = (0.5 * share * self.n_live * np.sqrt(self.k)) ** (2.0 / 3.0)
        self.sampled, size = True, min(max(2 * self.most, int(best)), self.n_live)
        some = np.sort(rng.choice(self.n_live, size, replace=False))
        some = some if self.live is None else self.live[some]
        part = objective.weight[some].mean() * size / objective.n
        v = np.zeros(objective.n)
        v[some] = self.pieces.slopes(some)[0] / part
        weight = objective.weight[some] / (objective.n * part)
        self._solve(some, weight, tuning.sample_tol, v)
        near = share * np.sqrt(self.k / size) * self.n_live
        self.rows = self._nearest(max(self.most, int(near)))

    def _solve(self, rows, weight, tol, v):
        """Go to the minimum over some rows, and return its dual variables; None if there is none.

        Parameters
        ----------
        rows : ndarray of int
        weight : ndarray of shape (m,)
            Of these rows.
        tol : float
        v : ndarray of shape (n,)
            The slopes of all rows where those that are sought are least.
        """
        objective, columns = self.objective, self.columns
        shift, level = self.shift[columns], self.level + self.shift @ self.w
        problem, scale = self._hinges(rows, weight, v)
        start = np.append(self.w[columns], [level] * (objective.d - objective.p)) * scale
        z, u, arrived = interior_point(problem, start, tol * objective.null_objective)
        if not arrived:
            return None
        z = z / scale
        self.w = np.zeros(objective.p)
        self.w[columns] = z[: columns.size]
        self.w = np.maximum(self.w, 0.0) if objective.positive else self.w
        self.level = float(z[columns.size :].sum() - shift @ self.w[columns])
        self.f = None
        self.f = objective.predict(as_vector(objective, self.w, self.level))
        return u

    def _hinges(self, rows, weight, v):
        """Return the problem of these rows, and what its parameters are multiplied by."""
        objective, columns = self.objective, self.columns
        constant, A = np.zeros(objective.d - objective.p), dense_rows(objective, rows, columns)
        shift, mean = self.shift[columns], weighted_mean(objective, v)
        A[:, : columns.size] -= shift
        squares = np.maximum(objective.column_squares[columns] - shift**2, 0.0)
        scale = np.sqrt(np.append(squares, constant + 1.0))
        scale[scale == 0.0] = 1.0
        A /= scale
        c = np.append(objective.rmatvec(v)[columns] - shift * mean, constant + mean)
        a, b = (np.append(s[columns], constant) for s in objective.resolved_strengths)
        bound = 2.0 * self.pieces.steepest()  # steeper than any slope of the data term
        a, b = np.minimum(a / scale, bound), b / scale**2  # beyond it, more changes nothing
        low = a
        if objective.positive:  # an exact penalty
            low = a + np.append(np.full(columns.size, bound), constant)
        jumps = weight * np.diff(self.pieces.slopes(rows), axis=0)
        return Hinges(A, c / scale - low, b, self.pieces.kinks(rows), jumps, a + low), scale
