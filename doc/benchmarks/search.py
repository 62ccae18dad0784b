"""Searches whose candidates are trained together, beside searches that fit each alone.

Each part is a function; names on the command line restrict the run to those.

    OMP_NUM_THREADS=1 python doc/benchmarks/search.py alphas

With ``--quick`` searches that fit each candidate alone are timed for a few, and scaled.
"""

import sys
import warnings
from functools import partial
from importlib.util import find_spec

import numpy as np
from clock import take_turns
from machine import heading, stay_in_one_thread, table
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNetCV, LassoCV, RidgeCV, SGDRegressor
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


def rare(n, p):
    """Return sparse rows, of which half a percent are not zero."""
    X = sparse.random(n, p, 0.005, "csr", random_state=0)
    return X, X @ np.random.default_rng(0).standard_normal(p) + 1.0


FEW = 4  # candidates that are fitted alone with --quick
DESCENTS = {  # rows, and the epochs of stochastic and of full-batch descents
    "442 x 10": (PROBLEMS["442 x 10"], 20, 200),
    "20,000 x 100": (PROBLEMS["20,000 x 100"], 2, 100),
    "1,000 x 2,000": (PROBLEMS["1,000 x 2,000"], 4, 50),
    "sparse 20,000 x 20,000": (partial(rare, 20_000, 20_000), 2, 20),
}
SHORT = "sparse 1,000 x 20,000"  # for rules that move all weights for every row


def problems_of(rule, size):
    """Return the problems of searches of a rule with batches of a size."""
    if rule == "gd" or size != 1:
        return DESCENTS
    *dense, _ = DESCENTS.items()
    return {**dict(dense), SHORT: (partial(rare, 1_000, 20_000), 2, None)}


def candidates(X, batch_size):
    """Return 100 candidates: rates, penalties and alphas."""
    squares = X.multiply(X).sum(axis=1).max() if sparse.issparse(X) else (X * X).sum(axis=1).max()
    largest = 0.5 / (squares + 1.0) if batch_size else 1.0 / (squares + 1.0)
    return {
        "learning_rate": np.geomspace(1e-3 * largest, largest, 10),
        "penalty": ["l1", "l2"],
        "alpha": np.geomspace(1e-4, 1.0, 5),
    }


def few_of(params, quick):
    """Return some of the candidates, and how many times as many there are."""
    if not quick:
        return params, 1.0
    some = {name: values[-1:] for name, values in params.items()} | {
        "alpha": params["alpha"][:FEW]
    }
    return some, np.prod([*map(len, params.values())]) / np.prod([*map(len, some.values())])


def compare_descents(model, X, y, params, quick, others=()):
    """Return the seconds of the joint search, and how many times longer others take."""
    known = {"cv": KFold(5), "refit": False, "error_score": np.nan}
    some, times_more = few_of(params, quick)
    alone = {"alone": GridSearchCV(model, some, **known).fit}
    for name, other, rename in others:
        renamed = {rename.get(key, key): values for key, values in some.items()}
        alone[name] = GridSearchCV(other, renamed, **known).fit
    joint = {"joint": partial(JointGridSearchCV(model, params, **known).fit, X, y)}
    joint["joint"]()  # compiles
    alone = {name: partial(fit, X, y) for name, fit in alone.items()}
    seconds = min(take_turns(joint, 2 if quick else 3)["joint"])
    found = take_turns(alone, 2)
    return seconds, {name: min(times) * times_more / seconds for name, times in found.items()}


def descents(rule, sizes, quick):
    """Return the lines of a table of searches of descents."""
    lines = []
    for size in sizes:
        for name, (problem, few, many) in problems_of(rule, size).items():
            X, y = problem()
            epochs = few if size else many
            model = GDRegressor(
                optimizer=rule, batch_size=size, max_iter=epochs, tol=None, random_state=0
            )
            others = []
            if size == 1 and rule == "gd":
                sgd = SGDRegressor(
                    learning_rate="constant", max_iter=epochs, tol=None, random_state=0
                )
                others = [("SGDRegressor", sgd, {"learning_rate": "eta0"})]
            known = candidates(X, size)
            seconds, ratios = compare_descents(model, X, y, known, quick, others)
            ratios = [
                f"{ratios[key]:.1f}" if key in ratios else "" for key in ("alone", "SGDRegressor")
            ]
            lines.append((name, rule, str(size or "all"), str(epochs), f"{seconds:.3f}", *ratios))
            print(*lines[-1], file=sys.stderr)
    return lines


HEAD = "", "rule", "batch", "epochs", "JointGridSearchCV, s", "GridSearchCV", "with SGDRegressor"


def stochastic(quick):
    """100 rates and alphas on five folds, on batches: the times that others take, over ours."""
    return table(HEAD, descents("gd", (1, 32), quick) + descents("adam", (1, 32), quick))


def full_batch(quick):
    """The same with all rows in an update."""
    return table(HEAD, descents("gd", (None,), quick) + descents("adam", (None,), quick))


PARTS = {"alphas": lambda quick: alphas(), "stochastic": stochastic, "full_batch": full_batch}
PARTS["alphas"].__doc__ = alphas.__doc__


def main():
    """Measure and print the tables."""
    stay_in_one_thread()
    warnings.simplefilter("ignore")
    print(heading("Searches, 100 candidates on five folds, in one thread"))
    names, quick = [name for name in sys.argv[1:] if name in PARTS], "--quick" in sys.argv
    for name in names or PARTS:
        print(f"\n## {name}\n\n{PARTS[name].__doc__}\n\n{PARTS[name](quick)}")


if __name__ == "__main__":
    main()
