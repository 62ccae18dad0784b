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

from skgd import GDRegressor, GDRegressorCV
from skgd.estimators.data import validated_rows
from skgd.search import alphas as together
from skgd.search.errors import r2_scores
from skgd.search.folds import folds_of

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


def trained_together(models, X, y):
    """Return the R2 of models on five folds, trained together."""
    rows = validated_rows(GDRegressor(), X, y, None)
    scores = []
    for fold in folds_of(rows, KFold(5).split(X)):
        found = together.train(models, fold)
        scores.append(r2_scores(fold, found.coef, found.intercept))
    return np.transpose(scores)


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


def grid(penalty, alphas):
    """Return a search that fits every candidate alone."""
    model = GDRegressor(penalty=penalty)
    return GridSearchCV(model, {"alpha": alphas}, refit=False)


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
            models = [GDRegressor(penalty=penalty, alpha=alpha) for alpha in falling]
            runs = {"ours": ours.fit, "together": partial(trained_together, models)} | peers
            runs = {who: partial(run, X, y) for who, run in runs.items()}
            times = {who: min(found) for who, found in take_turns(runs, ROUNDS).items()}
            alone = {"grid": partial(grid(penalty, falling).fit, X, y)}
            times |= {who: min(found) for who, found in take_turns(alone, 1).items()}
            found = [f"{1e3 * times[who]:.1f}" for who in ("ours", "together")]
            found += [f"{times[who] / times['ours']:.1f} ({who})" for who in peers]
            line = name, penalty, *found[:2], f"{times['grid'] / times['together']:.0f}"
            lines.append((*line, ", ".join(found[2:])))
            print(*lines[-1], file=sys.stderr)
    head = "rows x columns", "penalty", "GDRegressorCV, ms", "together, ms"
    return table((*head, "GridSearchCV / together", "others / GDRegressorCV"), lines)


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
