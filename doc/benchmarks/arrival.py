"""How many epochs each rule takes until it has arrived at the minimum, with the defaults.

For every optimizer, batch size and penalty on four problems: the epochs of a fit that ends by
itself and says that it has converged. The gap is then checked against the minimum of a direct
solver. A star marks a fit that has not arrived within ``max_iter``; a fit whose gap is more than
``tol``, or, on the full batch with l1, whose zeros are not Lasso's, ends the script with an error.
``--schedule constant`` does the same with other schedules, and then only counts.
"""

import argparse
import warnings

import numpy as np
from machine import heading, stay_in_one_thread, table
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor
from skgd.optimizers import OPTIMIZERS

TOL = 1e-4  # the default
RULES = [rule for rule in OPTIMIZERS if rule not in ("sgd", "adamw")]
BATCHES = (None, 256, 32, 1)
PENALTIES = (None, "l2", "l1", "elasticnet")


def problems():
    """Yield the name, the rows and the targets of each problem."""
    rng = np.random.default_rng(0)
    X, y = load_diabetes(return_X_y=True, scaled=False)
    yield "diabetes, standardised", StandardScaler().fit_transform(X), y
    yield "diabetes, raw", X, y
    shared = rng.normal(size=(20_000, 1))
    X = np.sqrt(0.1) * rng.normal(size=(20_000, 50)) + np.sqrt(0.9) * shared
    w = rng.normal(size=50) * (rng.random(50) < 0.3)
    yield "20,000 x 50, correlated 0.9", X, X @ w + rng.normal(size=20_000)
    rows = sparse.random(20_000, 2_000, 0.01, "csr", random_state=1, data_rvs=rng.standard_normal)
    w = np.zeros(2_000)
    w[:100] = rng.normal(size=100)
    yield "20,000 x 2,000, sparse", rows, rows @ w + 0.5 * rng.normal(size=20_000)


def arrive(X, y, minimum, **params):
    """Return the epochs of a fit, with a star unless it has arrived, and whether it is right."""
    fit = GDRegressor(random_state=0, **params).fit(X, y)
    objective = fit.objective(X, y)
    gap = (objective.value(fit.parameters()) - minimum) / objective.null_objective
    is_right = gap <= TOL or not fit.converged_
    if params["penalty"] == "l1" and params["batch_size"] is None and fit.converged_:
        lasso = Lasso(fit.alpha, tol=1e-12, max_iter=100_000).fit(X, y)
        is_right &= np.array_equal(fit.coef_ == 0.0, lasso.coef_ == 0.0)
    return f"{fit.n_iter_}{'' if fit.converged_ else '*'}", bool(is_right)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedule", default="auto")
    parser.add_argument("--max-iter", type=int, default=10_000)
    options = parser.parse_args()
    stay_in_one_thread()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(heading("Epochs until a rule has arrived"))
    known = {"schedule": options.schedule, "max_iter": options.max_iter}
    n_arrived = n_wrong = n_fits = 0
    for name, X, y in problems():
        lines = []
        for penalty in PENALTIES:
            exact = GDRegressor(penalty=penalty, tol=1e-9).fit(X, y)
            minimum = exact.objective(X, y).value(exact.parameters()) - exact.dual_gap_
            for size in BATCHES:
                params = {"penalty": penalty, "batch_size": size, **known}
                cells = [arrive(X, y, minimum, optimizer=rule, **params) for rule in RULES]
                lines.append([f"{penalty}, {size or 'all'}", *(cell for cell, _ in cells)])
                n_fits += len(cells)
                n_arrived += sum("*" not in cell for cell, _ in cells)
                n_wrong += sum(not is_right for _, is_right in cells)
        print(f"## {name}\n\n{table(['penalty, batch', *RULES], lines)}\n", flush=True)
    print(f"{n_arrived} of {n_fits} fits have arrived; {n_wrong} say so wrongly.")
    if n_wrong and options.schedule == "auto":
        raise SystemExit("Some fits say that they have arrived and have not.")


if __name__ == "__main__":
    main()
