"""Times to the minimum for losses other than the squared error, beside scikit-learn's and scipy's.

Ours runs at its defaults; everyone else gets the loosest tolerance of a ladder with which the
objective is at most 1e-6 above the minimum, in objectives of the best constant, or the smallest
one. The minimum is the least value that anyone reaches at any tolerance. All objectives are
computed here in numpy. `HuberRegressor` also fits a scale, which ours is told: the epsilon and
the alpha with which ours has the same minimum. `LinearSVR` would penalise the intercept, so
there is none beside it. Names of losses on the command line restrict the run to those.

    OMP_NUM_THREADS=1 python doc/benchmarks/losses.py
"""

import sys
import time
import warnings
from functools import partial

import numpy as np
from clock import seconds, take_turns
from machine import heading, stay_in_one_thread, table
from scipy import optimize
from sklearn.linear_model import HuberRegressor, PoissonRegressor, QuantileRegressor
from sklearn.svm import LinearSVR

from skgd import GDRegressor

TARGET = 1e-6
ROUNDS = 5
LONGEST = 2.0  # seconds of a call, after which no smaller tolerance is asked for
LADDER = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8)
SIZES = ((500, 10), (5_000, 20), (20_000, 50), (5_000, 200))
EPSILON, QUANTILE = 0.1, 0.8


def make_rows(n, p, counts):
    """Return correlated columns, and counts or targets with heavy tails."""
    rng = np.random.default_rng(0)
    X = np.sqrt(0.5) * (rng.standard_normal((n, p)) + rng.standard_normal((n, 1)))
    f = X @ (rng.standard_normal(p) * (rng.random(p) < 0.5)) / np.sqrt(p)
    return X, rng.poisson(np.exp(f)).astype(float) if counts else f + 0.5 * rng.standard_t(3, n)


def huber(f, y, epsilon):
    near = np.minimum(np.abs(f - y), epsilon)
    return near * (np.abs(f - y) - 0.5 * near)


def outside(f, y):
    return np.maximum(np.abs(f - y) - EPSILON, 0.0)


LOSSES = {
    "huber": huber,
    "poisson": lambda f, y: np.exp(f) - y * f,
    "squared_epsilon_insensitive": lambda f, y: (
        0.5 * np.maximum(np.abs(f - y) - EPSILON, 0.0) ** 2
    ),
    "epsilon_insensitive": lambda f, y: np.maximum(np.abs(f - y) - EPSILON, 0.0),
    "quantile": lambda f, y: np.maximum(QUANTILE * (y - f), (1.0 - QUANTILE) * (f - y)),
    "absolute_error": lambda f, y: np.abs(f - y),
}


class Problem:
    """One loss on one data set: ours, its peers, and the objective.

    Parameters
    ----------
    name : str
        Of the loss.
    n, p : int
    """

    def __init__(self, name, n, p):
        self.name, self.options = name, {}
        self.X, self.y = make_rows(n, p, name == "poisson")
        self.alpha, self.l1 = 1e-2, name in ("quantile", "absolute_error")
        self.peers = getattr(self, f"_{name}_peers")(n)
        self.intercept = not name.endswith("insensitive")
        self.model = GDRegressor(
            name,
            penalty="l1" if self.l1 else "l2",
            alpha=self.alpha,
            fit_intercept=self.intercept,
        ).set_params(**self.options)

    def _huber_peers(self, n):
        known = HuberRegressor(alpha=self.alpha * n, tol=1e-10, max_iter=10_000).fit(
            self.X, self.y
        )
        scale = known.scale_
        self.alpha, self.options = self.alpha * scale, {"loss__epsilon": 1.35 * scale}
        alpha = self.alpha * n / scale
        fit = partial(HuberRegressor, alpha=alpha, max_iter=10_000)
        return {"HuberRegressor": lambda tol: fit(tol=tol), "scipy L-BFGS-B": self._lbfgs}

    def _lbfgs(self, tol):
        return Minimized(self, tol)

    def _poisson_peers(self, n):
        def fit(solver, tol):
            return PoissonRegressor(alpha=self.alpha, solver=solver, tol=tol, max_iter=10_000)

        solvers = ("lbfgs", "newton-cholesky")
        return {f"PoissonRegressor {name}": partial(fit, name) for name in solvers}

    def _svr(self, n, loss, dual):
        options = {"C": 1.0 / (self.alpha * n), "epsilon": EPSILON, "fit_intercept": False}
        if loss.startswith("squared"):
            options["C"] *= 0.5
        return lambda tol: LinearSVR(loss=loss, dual=dual, tol=tol, max_iter=3_000, **options)

    def _epsilon_insensitive_peers(self, n):
        return {"LinearSVR": self._svr(n, "epsilon_insensitive", True)}

    def _squared_epsilon_insensitive_peers(self, n):
        loss = "squared_epsilon_insensitive"
        return {
            "LinearSVR primal": self._svr(n, loss, False),
            "LinearSVR dual": self._svr(n, loss, True),
        }

    def _quantile_peers(self, n):
        self.options = {"loss__quantile": QUANTILE}
        peer = QuantileRegressor(quantile=QUANTILE, alpha=self.alpha, solver="highs")
        return {"QuantileRegressor": lambda tol: peer}

    def _absolute_error_peers(self, n):
        peer = QuantileRegressor(quantile=0.5, alpha=self.alpha / 2.0, solver="highs")
        return {"QuantileRegressor": lambda tol: peer}

    def objective(self, model):
        """Return the objective at what a model has found."""
        w, level = np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])
        more = [self.options["loss__epsilon"]] if self.name == "huber" else []
        losses = LOSSES[self.name](self.X @ w + level, self.y, *more)
        penalty = np.abs(w).sum() if self.l1 else 0.5 * w @ w
        return losses.mean() + self.alpha * penalty

    def fitted(self, make, tol):
        """Return a fitted model."""
        return make(tol).fit(self.X, self.y)


class Minimized:
    """scipy's L-BFGS-B on the same objective, for Huber's loss."""

    def __init__(self, problem, tol):
        self.problem, self.tol = problem, tol

    def fit(self, X, y):
        epsilon, alpha = self.problem.options["loss__epsilon"], self.problem.alpha

        def function(z):
            r = X @ z[:-1] + z[-1] - y
            slopes = np.clip(r, -epsilon, epsilon) / r.size
            value = huber(r, 0.0, epsilon).mean() + 0.5 * alpha * z[:-1] @ z[:-1]
            return value, np.append(slopes @ X + alpha * z[:-1], slopes.sum())

        limits = {"gtol": self.tol, "ftol": 1e-16, "maxiter": 10_000}
        start = np.zeros(X.shape[1] + 1)
        z = optimize.minimize(function, start, jac=True, method="L-BFGS-B", options=limits).x
        self.coef_, self.intercept_ = z[:-1], z[-1]
        return self


def measure(problem):
    """Return a line for ours and each peer: name, milliseconds, and the gap."""
    X, y, model = problem.X, problem.y, problem.model
    unit = model.objective(X, y).null_objective
    makers = {"skgd": lambda tol: model, **problem.peers}
    values = {"skgd": {None: problem.objective(model.fit(X, y))}}
    for name, make in problem.peers.items():
        values[name], ladder = {}, LADDER if "Quantile" not in name else (None,)
        for tol in ladder:
            begin = time.process_time()
            values[name][tol] = problem.objective(problem.fitted(make, tol))
            spent = time.process_time() - begin
            if spent > LONGEST:
                break
    least = min(min(found.values()) for found in values.values())
    lines, runs = [], {}
    for name, found in values.items():
        within = [tol for tol, value in found.items() if value - least <= TARGET * unit]
        tol = within[0] if within else min(found, key=found.get)
        runs[name] = partial(problem.fitted, makers[name], tol)
        lines.append([name, (found[tol] - least) / unit])
    once = max(map(seconds, runs.values())) > LONGEST
    times = take_turns(runs, 1 if once else ROUNDS)
    return [[name, 1e3 * min(times[name]), gap] for name, gap in lines]


def main():
    """Measure and print the table."""
    stay_in_one_thread()
    warnings.simplefilter("ignore")
    print(heading("Losses other than the squared error"))
    rows = []
    for name in sys.argv[1:] or LOSSES:
        for n, p in SIZES:
            lines = measure(Problem(name, n, p))
            best = min(spent for peer, spent, _ in lines if peer != "skgd")
            for peer, spent, gap in lines:
                share = f"{spent / best:.2f}" if peer == "skgd" else ""
                rows.append([name, f"{n:,} x {p}", peer, f"{spent:.1f}", f"{gap:.0e}", share])
    print(table(["loss", "rows x columns", "who", "ms", "gap", "of the best peer"], rows))


if __name__ == "__main__":
    main()
