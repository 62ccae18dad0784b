"""Searches whose candidates are trained together, beside searches that fit each alone.

Each part is a function; names on the command line restrict the run to those.

    OMP_NUM_THREADS=1 python doc/benchmarks/search.py alphas
"""

import sys
import warnings
from functools import partial
from importlib.util import find_spec

import numpy as np
from clock import take_turns
from machine import heading, stay_in_one_thread, table
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNetCV, LassoCV, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold

from skgd import GDRegressor, GDRegressorCV, JointGridSearchCV

ROUNDS = 5
N_ALPHAS = 100


def sparse_truth(n, p, n_active):
    """Return columns without correlation, and targets that few of them explain."""
    rng = np.random.default_rng(0)
    X, w = rng.standard_normal((n, p)), np.zeros(p)
    w[:n_active] = rng.standard_normal(n_active)
    return X, X @ w + np.sqrt(n_active) * rng.standard_normal(n)


PROBLEMS = {
    "442 x 10": partial(load_diabetes, return_X_y=True),
    "20,000 x 100": partial(sparse_truth, 20_000, 100, 20),
    "1,000 x 2,000": partial(sparse_truth, 1_000, 2_000, 20),
}


def celer_on_folds(X, y, alphas):
    """Return the mean squared errors of celer's paths on five folds."""
    from celer import celer_path

    errors = []
    for train, test in KFold(5).split(X):
        mean, level = X[train].mean(axis=0), y[train].mean()
        A = np.asfortranarray(X[train] - mean)
        coefs = celer_path(A, y[train] - level, pb="lasso", alphas=alphas)[1]
        left = (X[test] - mean) @ coefs + level - y[test][:, None]
        errors.append((left * left).mean(axis=0))
    return np.transpose(errors)


def grid(search, penalty, alphas):
    """Return a search over alphas."""
    return search(GDRegressor(penalty=penalty), {"alpha": alphas}).fit


def peers_of(penalty, X, y, alphas):
    """Return the estimators that do the same for a penalty, and celer for the lasso."""
    if penalty == "l1":
        peers = {"LassoCV": LassoCV(alphas=alphas).fit}
        if find_spec("celer"):
            peers["celer_path"] = lambda X, y: celer_on_folds(X, y, alphas)
        return peers
    if penalty == "elasticnet":
        return {"ElasticNetCV": ElasticNetCV(alphas=alphas).fit}
    return {"RidgeCV(cv=5)": RidgeCV(alphas=0.8 * len(y) * alphas, cv=5).fit}


def alphas():
    """100 alphas on five folds: the times that others take, over ours."""
    lines = []
    for name, problem in PROBLEMS.items():
        X, y = problem()
        for penalty in ("l1", "elasticnet", "l2"):
            ours = GDRegressorCV(penalty=penalty, alphas=N_ALPHAS).fit(X, y)
            falling, peers = ours.alphas_, peers_of(penalty, X, y, ours.alphas_)
            joint = grid(JointGridSearchCV, penalty, falling)
            runs = {"ours": ours.fit, "joint": joint} | peers
            runs = {who: partial(run, X, y) for who, run in runs.items()}
            times = {who: min(found) for who, found in take_turns(runs, ROUNDS).items()}
            alone = {"grid": partial(grid(GridSearchCV, penalty, falling), X, y)}
            times |= {who: min(found) for who, found in take_turns(alone, 1).items()}
            found = [f"{1e3 * times[who]:.1f}" for who in ("ours", "joint")]
            found += [f"{times[who] / times['ours']:.1f} ({who})" for who in peers]
            line = (
                name,
                penalty,
                *found[:2],
                *(f"{times['grid'] / times[who]:.0f}" for who in ("ours", "joint")),
            )
            lines.append((*line, ", ".join(found[2:])))
            print(*lines[-1], file=sys.stderr)
    head = "", "penalty", "GDRegressorCV, ms", "JointGridSearchCV, ms"
    grids = "GridSearchCV over the first", "and over the second"
    return table((*head, *grids, "others over the first"), lines)


PARTS = {"alphas": alphas}


def main():
    """Measure and print the tables."""
    stay_in_one_thread()
    warnings.simplefilter("ignore")
    print(heading("Searches, 100 candidates on five folds, in one thread"))
    for name in sys.argv[1:] or PARTS:
        print(f"\n## {name}\n\n{PARTS[name].__doc__}\n\n{PARTS[name]()}")


if __name__ == "__main__":
    main()
