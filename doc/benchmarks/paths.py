"""Paths of lasso coefficients over 100 alphas, beside scikit-learn's and celer's.

Everyone gets the same grid, and the loosest tolerance of a ladder with which the relative
duality gap is at most 1e-6 at every alpha, computed here in the same way for all. Who needs more
than a minute for a tolerance that is still too loose, or gains nothing by a smaller one, is not
asked again. Names of problems on the command line restrict the run to those.

    OMP_NUM_THREADS=1 python doc/benchmarks/paths.py
"""

import sys
import time
import warnings
from functools import partial

import numpy as np
from celer import celer_path
from clock import take_turns
from machine import heading, stay_in_one_thread, table
from sklearn.linear_model import lasso_path
from solution import LADDER, Judge, correlated, cubic_diabetes

import skgd

TARGET = 1e-6
ROUNDS = 3
LONGEST = 60.0  # seconds
STALLED = 1e-6  # tolerance below which a smaller one should lower the gap
PROBLEMS = {
    "diabetes cubed, 442 x 285": cubic_diabetes,
    "2,000 x 2,000, correlated 0.9": partial(correlated, 2_000, 2_000, 0.9, 100),
    "1,000 x 10,000, correlated 0.6": partial(correlated, 1_000, 10_000, 0.6, 100),
    "100,000 x 100": partial(correlated, 100_000, 100, 0.0, 30),
    "toy, 100 x 10": partial(correlated, 100, 10, 0.3, 5),
}


def ours(X, y, alphas, tol):
    """Return the coefficients of our path."""
    return skgd.path(X, y, alphas=alphas, tol=tol, max_iter=100_000).coefs


def theirs(path, X, y, alphas, tol, **options):
    """Return the coefficients of a path without an intercept, on centred data."""
    return path(X - X.mean(axis=0), y - y.mean(), alphas=alphas, tol=tol, **options)[1]


def sklearns(X, y, alphas, tol):
    """Return the coefficients of scikit-learn's path."""
    return theirs(lasso_path, X, y, alphas, tol, max_iter=100_000)


def celers(X, y, alphas, tol):
    """Return the coefficients of celer's path."""
    X = np.asfortranarray(X)
    return theirs(celer_path, X, y, alphas, tol, pb="lasso", max_iter=1000)


def loosest(path, X, y, alphas, check_outcome):
    """Return the loosest tolerance with which all gaps are small enough; None for none."""
    before = np.inf
    for tol in LADDER:
        begin = time.process_time()
        coefs = path(X, y, alphas, tol)
        spent = time.process_time() - begin
        gaps = [
            check_outcome.gap(w, check_outcome.level - X.mean(axis=0) @ w, 1.0, alpha)
            for w, alpha in zip(coefs.T, alphas)
        ]
        if max(gaps) <= TARGET:
            return tol
        if spent > LONGEST or (tol < STALLED and max(gaps) >= before):
            break
        before = max(gaps)
    return None


def main():
    """Measure and print the table."""
    stay_in_one_thread()
    warnings.simplefilter("ignore")
    print(heading("Paths over 100 alphas, in one thread"))
    paths = {"skgd.path": ours, "lasso_path": sklearns, "celer_path": celers}
    lines, wanted = [], sys.argv[1:]
    for name, problem in PROBLEMS.items():
        if wanted and not any(word in name for word in wanted):
            continue
        X, y = problem()
        check_outcome = Judge(X, y)
        alphas = np.geomspace(1.0, 1e-2, 100) * check_outcome.steepest
        runs = {}
        for who, path in paths.items():
            tol = loosest(path, X, y, alphas, check_outcome)
            if tol is not None:
                runs[who] = partial(path, X, y, alphas, tol)
        times = take_turns(runs, ROUNDS)
        best = {who: f"{1e3 * min(times[who]):.0f}" if who in times else "" for who in paths}
        print(name, best, file=sys.stderr)
        lines.append((name, *best.values()))
    print(table(("ms", *paths), lines))


if __name__ == "__main__":
    main()
