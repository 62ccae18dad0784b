"""Ten targets of the same rows fitted together, and one by one.

One call of `fit` with all targets takes turns with a call for each target. On the full batch
targets share the products of the columns; on batches each has steps of its own, in the same order
of rows. The least processor time of some rounds counts.

    OMP_NUM_THREADS=1 python doc/benchmarks/targets.py
"""

import warnings

import numpy as np
from clock import take_turns
from machine import heading, stay_in_one_thread, table

from skgd import GDRegressor

N_TARGETS = 10
ROUNDS = 5
FITS = {  # with how many epochs
    "full batch, gd": {"optimizer": "gd", "max_iter": 300, "tol": None},
    "full batch, accelerated, to tol": {"optimizer": "nesterov", "center": False, "tol": 1e-6},
    "batches of 32, gd": {"optimizer": "gd", "batch_size": 32, "max_iter": 10, "tol": None},
    "batches of 1, gd": {"optimizer": "gd", "batch_size": 1, "max_iter": 5, "tol": None},
    "the defaults": {},
}


def problem(n=20_000, p=50):
    """Return standard normal columns, and targets linear in them but for noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    return X, X @ rng.standard_normal((p, N_TARGETS)) + rng.standard_normal((n, N_TARGETS))


def main():
    """Print a table of seconds, and of how far the coefficients are apart."""
    warnings.simplefilter("ignore")  # of fits that max_iter stops
    X, Y = problem()
    lines = []
    for name, options in FITS.items():
        model = GDRegressor(random_state=0, **options)
        found = {}

        def together(model=model, found=found):
            found["together"] = model.fit(X, Y).coef_

        def one_by_one(model=model, found=found):
            found["one by one"] = np.stack([model.fit(X, y).coef_ for y in Y.T])

        contestants = {"together": together, "one by one": one_by_one}
        take_turns(contestants, 1)  # compiles
        least = {k: min(times) for k, times in take_turns(contestants, ROUNDS).items()}
        apart = np.abs(found["together"] - found["one by one"]).max()
        ratio = least["one by one"] / least["together"]
        seconds = (f"{1e3 * least[k]:.1f}" for k in contestants)
        lines.append([name, *seconds, f"{ratio:.1f}", f"{apart:.0e}"])
    print(heading(f"{N_TARGETS} targets, {X.shape[0]:,} x {X.shape[1]}"))
    print(table(["", "together, ms", "one by one, ms", "times as fast", "largest gap"], lines))


if __name__ == "__main__":
    stay_in_one_thread()
    main()
