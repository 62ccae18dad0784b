"""The objective on given data: its value, its slope, and what is known of its shape.

``F(theta) = 1/W sum_i s_i loss(f(theta; x_i), y_i) + alpha Omega(w)``. Sums over rows run
through the same compiled functions as the descent; what concerns the matrix alone is
linear algebra.
"""

from functools import cached_property

import numpy as np
from scipy import linalg, sparse

from skgd.descent.compiled import undisturbed
from skgd.descent.loop import build_accumulate
from skgd.descent.rows import rows_of
from skgd.descent.state import Data, Parts, State

SMALLEST = 1e-145  # entry of X whose square is told from zero
TINY = SMALLEST**2
BLOCK = 2**17  # entries of a dense matrix that are looked at together: they fit the cache


class Objective:
    """F, for one target.

    Parameters
    ----------
    X : ndarray of shape (n, p), C-ordered, or csr_matrix
        float32 or float64.
    y : ndarray of shape (n,), float64
    weight : ndarray of shape (n,), float64
        Of the rows, with mean one.
    model, loss, penalty : Model, Loss, Penalty
    alpha : float
        Strength of the penalty.
    shares : ndarray of shape (p,) or None
        Of alpha, for each weight; None for one.
    positive : bool
        Whether no weight may be negative.
    centre : ndarray of shape (p,) or None
        What is subtracted from every row; None for nothing. X itself is not touched.
    null : float
        The objective of the best constant prediction, the unit of what a fit can gain.

    Attributes
    ----------
    n, p, d : int
        Rows, columns, and parameters: p weights, then the model's others.
    """

    def __init__(
        self,
        X,
        y,
        weight,
        *,
        model,
        loss,
        penalty,
        alpha,
        shares=None,
        positive=False,
        centre=None,
        null=1.0,
    ):
        self.X, self.y, self.weight = X, y, weight
        self.model, self.loss, self.penalty, self.alpha = model, loss, penalty, float(alpha)
        self.shares, self.positive, self.centre, self.null = shares, positive, centre, null
        (self.n, self.p), self.d = X.shape, X.shape[1] + model.n_others()
        strength, floor = np.zeros(self.d), np.full(self.d, -np.inf)
        strength[: self.p] = self.alpha if shares is None else self.alpha * shares
        floor[: self.p] = 0.0 if positive else -np.inf
        shift = np.zeros(0) if centre is None else centre
        self.data = Data(rows_of(X), y, weight, shift, strength, floor, self.p)
        self._known = (None,)

    @cached_property
    def costs(self):
        """The strengths of the l1 and of the l2 part for each weight; None for other penalties."""
        elastic, strength = self.penalty.elastic(), self.data.strength[: self.p]
        return None if elastic is None else (elastic[0] * strength, elastic[1] * strength)

    @cached_property
    def _columns(self):
        """The columns as rows, in no room of their own."""
        return self.X.T

    @property
    def quadratic(self):
        """Whether the data term is a quadratic function, with closed forms and a dual."""
        return self.loss.quadratic and self.model.linear

    def project(self, v):
        """Return ``(x_i - centre) . v`` for every row, v having p entries."""
        z = _product(self.X, v)
        return z if self.centre is None else z - self.centre @ v

    def gather(self, u):
        """Return the weighted mean of ``u_i (x_i - centre)`` over the rows."""
        return self._gather(self.weight * u)

    def _gather(self, u):
        u = u / self.n
        g = _product(self._columns, u)
        if self.centre is not None:
            g -= u.sum() * self.centre
        return g

    def predict(self, theta):
        """Return f for every row."""
        return self.model.value(self.project(theta[: self.p]), theta, self.p)

    def data_term(self, theta):
        """Return the mean loss, and its gradient."""
        theta = np.ascontiguousarray(theta, dtype=float)
        accumulate = build_accumulate(type(self.model), type(self.loss), type(self.data.rows))
        parts = Parts(self.model, self.loss, (), ())
        state, g = State(*((),) * len(State._fields)), np.zeros(self.d)
        with undisturbed():
            total, _ = accumulate(parts, self.data, state, theta, theta, g, 0, self.n)
        return total, g

    def penalty_term(self, theta):
        """Return ``alpha Omega(w)``."""
        w, strength = np.asarray(theta[: self.p], dtype=float), self.data.strength[: self.p]
        if self.costs is None:
            return float(strength @ [*map(self.penalty.value, w.tolist())])
        return float(self.costs[0] @ np.abs(w) + 0.5 * self.costs[1] @ (w * w))

    def value(self, theta):
        """Return F."""
        return self.data_term(theta)[0] + self.penalty_term(theta)

    def value_and_gradient(self, theta):
        """Return F, and the gradient of all but what the penalty leaves to its prox."""
        total, g = self.data_term(theta)
        w, strength = np.asarray(theta[: self.p], dtype=float), self.data.strength[: self.p]
        if self.costs is None:
            g[: self.p] += strength * [*map(self.penalty.gradient, w.tolist())]
        else:
            g[: self.p] += self.costs[1] * w
        return total + self.penalty_term(theta), g

    def jacobian(self, theta):
        """Return the derivatives of every row's prediction, of shape (n, d)."""
        slopes = self._slopes(theta)
        return np.column_stack([slopes[0][:, None] * self._seen(), *slopes[1:]])

    def hessian(self, theta):
        """Return the second derivatives of all but what the penalty leaves to its prox."""
        z, p = self.project(theta[: self.p]), self.p
        slopes, f = self._slopes(theta), self.model.value(z, theta, p)
        mean = self.weight / self.n
        rows = mean * self.loss.second(f, self.y) * slopes[:, None] * slopes
        rows += mean * self.loss.slope(f, self.y) * self.model.second(z, theta, p)
        X, H = self._seen(), np.empty((self.d, self.d))
        H[:p, :p] = X.T @ (rows[0, 0][:, None] * X)
        H[p:, :p] = rows[1:, 0] @ X
        H[:p, p:] = H[p:, :p].T
        H[p:, p:] = rows[1:, 1:].sum(axis=2)
        H[range(p), range(p)] += self.penalty_bends(theta)
        return H

    def penalty_bends(self, theta):
        """Return the second derivatives of the penalty's smooth part, in each weight."""
        if self.costs is not None:
            return self.costs[1]
        w, slope = np.asarray(theta[: self.p], dtype=float), self.penalty.gradient
        h = 1e-5 * (1.0 + np.abs(w))
        rises = [slope(v + k) - slope(v - k) for v, k in zip(w.tolist(), h.tolist())]
        return self.data.strength[: self.p] * np.array(rises) / (2.0 * h)

    def _slopes(self, theta):
        """Return the derivatives of every prediction in z and the others."""
        z, p = self.project(theta[: self.p]), self.p
        slopes = np.zeros((1 + self.d - p, self.n))
        slopes[0] = self.model.slope(z, theta, p)
        self.model.pull(z, theta[p:], 0, 1.0, slopes[1:])
        return slopes

    def _seen(self):
        """Return the rows as a dense matrix, seen from the centre."""
        X = self.X.toarray() if sparse.issparse(self.X) else self.X
        return X if self.centre is None else X - self.centre

    @cached_property
    def column_curvature(self):
        """Bounds of the second derivatives on the diagonal, one for each parameter."""
        spans = np.ones(self.d - self.p)
        if not self._unbounded:
            spans = np.array(self.model.spans(self.loss, self._targets))
        bends = self.weight * spans[0] if spans.size else self._bends
        squares = _known(column_squares, self.X, bends, self.centre)
        return np.concatenate([self.model.stretch**2 * squares, self.weight.mean() * spans])

    @cached_property
    def row_curvature(self):
        """The largest curvature of a single row's loss."""
        squares = self.model.stretch**2 * _known(row_squares, self.X, self.centre)
        return float((self._bends * (squares + (self.d > self.p))).max())

    @cached_property
    def curvature(self):
        """The largest curvature of the data term: an upper bound, within a percent."""
        return lanczos_bound(self._bent, self.d)

    @cached_property
    def _bends(self):
        """A bound on the second derivatives of each row's share of the data term, times n.

        Without a bound of the loss, in its stead a unit to measure residuals in.
        """
        bound = 1.0 if self._unbounded else self.model.curvature(self.loss, self._targets)
        return self.weight * bound

    @property
    def _targets(self):
        """The targets of rows that have a weight."""
        return self.y[self.weight > 0.0]

    @property
    def _unbounded(self):
        """Whether nothing is known of the curvature of the loss."""
        return self.loss.curvature is None and self.loss.bending(self.y) is None

    def _bent(self, v):
        """Return ``H v``, with H a bound on the second derivative of the data term."""
        stretch, others = self.model.stretch, v[self.p :]
        z = stretch * self.project(v[: self.p]) + (others[0] if others.size else 0.0)
        u = self._bends * z
        rest = self._bends.mean() * others
        rest[:1] = u.mean()
        return np.append(stretch * self._gather(u), rest)

    def curvature_along(self, v):
        """Return ``v . H v``, H bounding the second derivative of the smooth part."""
        smooth = self.data.strength * self.penalty.curvature()
        return v @ self._bent(v) + smooth @ (v * v)

    def dual_gap(self, theta):
        """Return F minus a lower bound of its minimum: how far from it theta can be at most.

        For the squared loss, from the residual scaled into the dual's feasible set (Kim et
        al. 2007; Massias et al. 2018), with weights and intercept; infinite otherwise.
        """
        if not self.quadratic or self.costs is None:
            return np.inf
        known, *rest = self._known
        if known is not None and np.array_equal(theta, known):
            primal, *measures = rest
        else:
            y, mean = self.y, self.weight / self.n
            residual = y - self.predict(theta)
            primal = 0.5 * (mean @ residual**2)
            if self.d > self.p:
                residual, y = residual - mean @ residual, y - mean @ y
            measures = mean @ (residual * y), mean @ residual**2, self.gather(residual)
        dual = _dual(*measures, *self.costs, self.positive)
        return max(0.0, primal + self.penalty_term(theta) - dual)

    def remember(self, theta, target, square, slopes):
        """Keep what the duality gap of some parameters needs of the rows.

        Parameters
        ----------
        theta : ndarray of shape (d,)
            With d = p.
        target, square : float
            The mean products of the residual with y, and with itself.
        slopes : ndarray of shape (p,)
            Its mean products with the columns.
        """
        self._known = theta, 0.5 * square, target, square, slopes


def _dual(target, square, slopes, a, b, positive):
    """Return the dual objective at the best multiple c of the residual that is tried."""
    if square == 0.0:
        return 0.0
    slopes = np.maximum(slopes, 0.0) if positive else np.abs(slopes)
    steep = slopes > 0.0
    inside = (a[steep] / slopes[steep]).min(initial=np.inf)
    soft = b > 0.0
    hard = steep & ~soft
    feasible = (a[hard] / slopes[hard]).min(initial=np.inf)
    ends = [(0.0 if positive else -end, end) for end in (inside, feasible)]
    candidates = {max(low, min(c, end)) for c in (target / square, 1.0) for low, end in ends}
    slopes, a, b = slopes[soft], a[soft], b[soft]

    def dual(c):
        value = c * target - 0.5 * c**2 * square
        return value - 0.5 * (np.maximum(c * slopes - a, 0.0) ** 2 / b).sum() if b.size else value

    return max(map(dual, candidates))


def _product(X, v):
    """Return ``X v`` in float64, with v brought into the range of X's numbers."""
    largest = np.abs(v).max(initial=0.0)
    if X.dtype == v.dtype or largest == 0.0:
        return X @ v
    return (X @ (v / largest).astype(X.dtype)).astype(float) * largest


def _known(squares_of, X, *args):
    """Return sums of squares of X, if they are within the range of numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = squares_of(X, *args)
    largest = squares.max(initial=0.0)
    entry = np.sqrt(largest) if largest > TINY else float(abs(X).max())
    if entry == 0.0 or SMALLEST < entry < np.inf:
        return squares
    raise ValueError(
        f"The entries of X are too {'small' if entry <= SMALLEST else 'large'} for their squares "
        "to be numbers. Scale the features, for instance with StandardScaler."
    )


def column_means(X, weight):
    """Return the weighted mean of every column."""
    return _product(X.T, weight) / X.shape[0]


def column_squares(X, weight, centre):
    """Return the weighted mean of every column's square about the centre."""
    n, p = X.shape
    if sparse.issparse(X):
        squared = np.square(X.data, dtype=float), X.indices, X.indptr
        squares = sparse.csr_matrix(squared, shape=X.shape).T @ weight
        if centre is not None:
            squares -= n * centre * (2.0 * column_means(X, weight) - centre)
        return np.maximum(squares / n, 0.0)
    squares = np.zeros(p)
    for rows in _blocks(X):
        block = X[rows] if centre is None else X[rows] - centre
        squares += weight[rows] @ np.square(block, dtype=float)
    return squares / n


def row_squares(X, centre):
    """Return the squared length of every row, seen from the centre."""
    if sparse.issparse(X):
        squares = np.asarray(X.multiply(X).sum(axis=1), dtype=float).ravel()
        if centre is not None:
            squares += -2.0 * (X @ centre) + centre @ centre
        return squares
    squares = np.empty(X.shape[0])
    for rows in _blocks(X):
        block = X[rows] if centre is None else X[rows] - centre
        squares[rows] = np.einsum("ij,ij->i", block, block, dtype=float)
    return squares


def _blocks(X):
    step = max(1, BLOCK // X.shape[1])
    return [slice(start, start + step) for start in range(0, X.shape[0], step)]


def lanczos_bound(multiply, d, precision=0.01, most=40):
    """Return an upper bound of the largest eigenvalue of a positive semidefinite matrix.

    Parameters
    ----------
    multiply : callable
        The matrix times a vector.
    d : int
        Its order.
    precision : float
        How far above the largest eigenvalue the bound may be, as a share of it.
    most : int
        How many products to spend.

    References
    ----------
    Golub and Van Loan, "Matrix computations", section 10.1: a Ritz value and the norm of its
    residual.
    """
    v = np.random.default_rng(0).standard_normal(d)
    basis, diagonal, off = [v / np.linalg.norm(v)], [], []
    while True:
        u = multiply(basis[-1])
        diagonal.append(basis[-1] @ u)
        for _ in range(2):  # rounding undoes the orthogonality of one pass
            for b in basis:
                u = u - (b @ u) * b
        beta = linalg.norm(u)  # which does not overflow
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1))
        residual = beta * abs(vectors[-1, -1])
        if residual <= precision * values[-1] or len(basis) >= min(d, most):
            return float(max(values[-1], 0.0) + residual)
        off.append(beta)
        basis.append(u / beta)
