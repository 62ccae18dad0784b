"""Time to a certified minimum, beside scikit-learn, celer and skglm.

Every contestant is given the same array, in C order and in F order, or CSR and CSC matrix, and
the loosest tolerance of a ladder with which its answer is within a relative duality gap of 1e-6,
and, in other tables, of 1e-9 and, for l2, of 1e-3: the gap over the objective of the best constant
prediction, computed here, in the same way for all. Names of problems on the command line restrict
the run to those, and numbers to those gaps.

    OMP_NUM_THREADS=1 python doc/benchmarks/solution.py
"""

import sys
import time
import warnings
from functools import partial

import celer
import numpy as np
import skglm
from clock import seconds, take_turns
from machine import heading, stay_in_one_thread, table
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, Lasso, Ridge
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skgd import GDRegressor

TARGETS = (1e-3, 1e-6, 1e-9)
LOOSE = 1e-3  # gap that only l2 is solved to
LADDER = [step * 10.0**-k for k in range(1, 15) for step in (1.0, 0.3)]
SINGLE = 14  # of the ladder's steps, to 3e-8, which make sense in float32
RESOLVED = 1e-8  # gap that float32 coefficients do not resolve
ROUNDS = 5
GIVEN_UP = 10.0  # times our time: who takes longer for a looser gap is not asked again
LONG = 1.0  # seconds, beyond which one more round must do


def correlated(n, p, correlation, support, seed=0):
    """Return normal columns, each correlated with the last, and a target of some of them."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1.0 - correlation**2) * X[:, j]
    w = np.zeros(p)
    w[rng.choice(p, support, replace=False)] = rng.standard_normal(support)
    signal = X @ w
    return X, signal + 0.3 * signal.std() * rng.standard_normal(n)


def sparse_problem(n=20_000, p=50_000, density=0.001):
    """Return a CSR matrix of normal numbers, and a target of some of its columns."""
    rng = np.random.default_rng(0)
    normal = rng.standard_normal
    X = sparse.random(n, p, density, format="csr", random_state=rng, data_rvs=normal)
    w = np.zeros(p)
    w[rng.choice(p, 500, replace=False)] = rng.standard_normal(500)
    signal = X @ w
    return X, signal + 0.3 * signal.std() * rng.standard_normal(n)


def cubic_diabetes():
    """Return the diabetes data with all products of up to three features, standardised."""
    X, y = load_diabetes(return_X_y=True)
    X = PolynomialFeatures(3, include_bias=False).fit_transform(StandardScaler().fit_transform(X))
    return np.ascontiguousarray(StandardScaler().fit_transform(X)), y


def in_order(X, order):
    """Return a matrix in C or F order, or a CSR or CSC matrix."""
    if sparse.issparse(X):
        return X.tocsr() if order == "C" else X.tocsc()
    return np.asarray(X, order=order)


def single(problem):
    """Return a problem in float32."""
    X, y = problem()
    return X.astype(np.float32), y.astype(np.float32)


def weighted(problem):
    """Return a problem with weights of the rows."""
    X, y = problem()
    return X, y, np.random.default_rng(1).uniform(0.1, 2.0, len(y))


PROBLEMS = {
    "100,000 x 100": partial(correlated, 100_000, 100, 0.0, 30),
    "1,000 x 10,000, correlated 0.6": partial(correlated, 1_000, 10_000, 0.6, 100),
    "2,000 x 2,000, correlated 0.9": partial(correlated, 2_000, 2_000, 0.9, 100),
    "20,000 x 50,000, sparse": sparse_problem,
    "diabetes cubed, 442 x 285": cubic_diabetes,
    "float32, 100,000 x 100": partial(single, partial(correlated, 100_000, 100, 0.0, 30)),
    "weights, 100,000 x 100": partial(weighted, partial(correlated, 100_000, 100, 0.0, 30)),
    "1,000,000 x 20": partial(correlated, 1_000_000, 20, 0.3, 10),
    "toy, 100 x 10": partial(correlated, 100, 10, 0.3, 5),
}
# Penalty, share of l1, and alpha: of the smallest that leaves no weight, or, for l2, of the
# mean of the columns' variances.
PENALTIES = {
    "l1, 0.1": (1.0, 0.1),
    "l1, 0.01": (1.0, 0.01),
    "elastic net, 0.01": (0.5, 0.01),
    "l2, 0.01": (0.0, 0.01),
    "l2, 0.0001": (0.0, 0.0001),
}


def contestants(share, alpha, total, weights, single):
    """Return what makes the estimator of each contestant, given a tolerance."""
    most = {"max_iter": 300 if single else 100_000}  # rounding keeps some from small tolerances
    if share == 0.0:
        peers = {
            f"Ridge {solver}": partial(Ridge, total * alpha, solver=solver)
            for solver in ("auto", "cholesky", "lsqr", "sparse_cg")
        }
        ours = partial(GDRegressor, penalty="l2", alpha=alpha, max_iter=100_000)
    elif share == 1.0:
        peers = {
            "Lasso": partial(Lasso, alpha, **most),
            "Lasso, Gram": partial(Lasso, alpha, precompute=True, **most),
            "celer": partial(celer.Lasso, alpha, max_iter=1000),
            "skglm": partial(skglm.Lasso, alpha, max_iter=1000),
        }
        ours = partial(GDRegressor, penalty="l1", alpha=alpha, max_iter=100_000)
    else:
        peers = {
            "ElasticNet": partial(ElasticNet, alpha, l1_ratio=share, **most),
            "ElasticNet, Gram": partial(
                ElasticNet, alpha, l1_ratio=share, precompute=True, **most
            ),
            "celer": partial(celer.ElasticNet, alpha, l1_ratio=share, max_iter=1000),
            "skglm": partial(skglm.ElasticNet, alpha, l1_ratio=share, max_iter=1000),
        }
        ours = partial(
            GDRegressor, penalty="elasticnet", alpha=alpha, l1_ratio=share, max_iter=100_000
        )
    if weights:
        peers = {name: make for name, make in peers.items() if name not in ("celer", "skglm")}
    return {"skgd": ours} | peers


class Judge:
    """What is known of a problem, and how far from its minimum an answer can be."""

    def __init__(self, X, y, weight=None):
        self.X, self.y, self.n = X, y.astype(float), len(y)
        self.mean = np.full(self.n, 1.0) if weight is None else weight
        self.mean = self.mean / self.mean.sum()
        self.level = self.mean @ self.y
        self.null_objective = 0.5 * self.mean @ (self.y - self.level) ** 2
        self.steepest = np.abs(self.rmatvec(self.y - self.level)).max()
        squares = X.multiply(X) if sparse.issparse(X) else np.square(X)
        means = X.T @ self.mean
        self.variance = float((squares.T @ self.mean - means**2).mean())

    def rmatvec(self, residual):
        """Return ``X^T`` times the weighted residual."""
        return self.X.T @ (self.mean * residual)

    def alpha(self, share, part):
        """Return the alpha of a row of the table."""
        return part * (self.steepest / share if share else self.variance)

    def gap(self, w, b, share, alpha):
        """Return the duality gap over the objective of the best constant prediction."""
        l1, l2 = alpha * share, alpha * (1.0 - share)
        w = np.asarray(w, dtype=float).ravel()
        r = self.y - self.X @ w - b
        primal = 0.5 * self.mean @ r**2 + l1 * np.abs(w).sum() + 0.5 * l2 * w @ w
        r = r - self.mean @ r
        y, g = self.y - self.level, np.abs(self.rmatvec(r))
        scales = [1.0] if l2 else [min(1.0, l1 / g.max())]
        scales += [c for c in (self.mean @ (r * y) / (self.mean @ r**2),) if l2 or c <= scales[0]]
        duals = []
        for c in scales:
            dual = c * self.mean @ (r * y) - 0.5 * c**2 * self.mean @ r**2
            excess = np.maximum(c * g - l1, 0.0)
            duals.append(dual - (0.5 * excess @ excess / l2 if l2 else 0.0))
        return (primal - max(duals)) / self.null_objective


def loosest(make, check_outcome, data, share, alpha, target, limit=np.inf):
    """Return the loosest tolerance with which an estimator reaches a gap; None for none.

    One that takes more than a limit, in seconds, for a looser gap is not asked again.
    """
    X, y, *weights = data
    for tol in LADDER[:SINGLE] if X.dtype == np.float32 else LADDER:
        model, begin = make(tol=tol), time.process_time()
        try:
            model.fit(X, y, *weights)
        except (ValueError, TypeError, NotImplementedError):
            return None
        spent = time.process_time() - begin
        if check_outcome.gap(model.coef_, model.intercept_, share, alpha) <= target:
            return tol
        if spent > limit:
            return None
    return None


def race(data, check_outcome, share, part, target):
    """Return the seconds of everyone who reaches the target, by the order of X and the name."""
    X, y, *weights = data
    alpha = check_outcome.alpha(share, part)
    fits, limit, ordered = {}, np.inf, {order: in_order(X, order) for order in "CF"}
    total = weights[0].sum() if weights else len(y)  # what Ridge multiplies alpha by
    for name, make in contestants(share, alpha, total, weights, X.dtype == np.float32).items():
        many = sparse.issparse(X) or X.shape[1] > X.shape[0]
        if many and name in ("Lasso, Gram", "ElasticNet, Gram", "Ridge cholesky"):
            continue
        tol = loosest(make, check_outcome, data, share, alpha, target, limit)
        if name == "skgd" and tol is not None:
            limit = GIVEN_UP * seconds(partial(make(tol=tol).fit, X, y, *weights))
        if tol is not None:
            for order, rows in ordered.items():
                fits[order, name] = partial(make(tol=tol).fit, rows, y, *weights)
    times = take_turns(fits, 1)
    long = max(t[0] for t in times.values()) > LONG
    more = take_turns(fits, 1 if long else ROUNDS)
    if max(t[0] for t in times.values()) < 0.01:
        more = take_turns(fits, 20 * ROUNDS)
    return {name: min(times[name] + more[name]) for name in fits}


def line(problem, penalty, times):
    """Return a line of the table, and the ratios in it."""
    cells, ratios = [problem, penalty], []
    for order in "CF":
        peers = {name: t for (o, name), t in times.items() if o == order and name != "skgd"}
        ours = times.get((order, "skgd"), np.inf)
        if not peers:  # all would take many times as long
            cells += [f"{1e3 * ours:.3g}", "none", ""]
            continue
        best = min(peers, key=peers.get)
        ratios.append(ours / peers[best])
        cells += [f"{1e3 * ours:.3g}", f"{best} {1e3 * peers[best]:.3g}", f"{ratios[-1]:.2f}"]
    return tuple(cells), ratios


def main():
    """Measure and print both tables."""
    stay_in_one_thread()
    warnings.simplefilter("ignore")
    print(heading("Time to a certified minimum, in one thread"))
    numbers = [word for word in sys.argv[1:] if word.startswith("1e-")]
    wanted = [word for word in sys.argv[1:] if word not in numbers]
    lines = {target: [] for target in map(float, numbers or TARGETS)}
    ratios = {target: [] for target in lines}
    for name, problem in PROBLEMS.items():
        if wanted and not any(word in name for word in wanted):
            continue
        data = problem()
        check_outcome = Judge(*data)
        for penalty, (share, part) in PENALTIES.items():
            for target in lines:
                if target <= RESOLVED and data[0].dtype != np.float64:
                    continue
                if target == LOOSE and share:
                    continue
                times = race(data, check_outcome, share, part, target)
                cells, found = line(name, penalty, times)
                print(target, *cells, sep=" | ", file=sys.stderr)
                lines[target].append(cells)
                ratios[target] += found
    head = "skgd, ms", "best peer, ms", "ratio"
    head = "problem", "penalty", *(f"{order}: {word}" for order in "CF" for word in head)
    for target, found in ratios.items():
        mean = np.exp(np.mean(np.log(found)))
        print(f"Relative gap {target:g}: mean ratio {mean:.2f}, largest {max(found):.2f}\n")
        print(f"{table(head, lines[target])}\n")


if __name__ == "__main__":
    main()
