"""How long an epoch takes in one thread, beside scikit-learn's SGDRegressor and a plain sum.

All run the same number of epochs at the same constant learning rate, without a test of
convergence. "times as fast" compares with SGDRegressor under the same penalty, and on the
full batch the speed of the gradient with that of ``X.sum()``, which only reads X.

A full-batch descent of a squared error reads the rows in its first epochs and takes further
gradients from the second derivative, so that its epoch is a mean of both kinds. What a pass over
the rows takes is told by Huber's loss, which reads them in every epoch.
"""

import numpy as np
from clock import per_epoch
from machine import heading, stay_in_one_thread, table
from scipy import sparse
from sklearn.linear_model import SGDRegressor

from skgd import GDRegressor

ROUNDS = 15  # of which the fastest counts: fewer leave a tenth to chance
ALPHA = 1e-4
RATE = 1e-4
# Settings, how many epochs more the long fit has than the short one, and the goals.
DENSE = {
    "batch 1": (dict(batch_size=1, optimizer="gd"), 10, {"l2": 2.8, "l1": 4.0}),
    "batch 32": (dict(batch_size=32, optimizer="gd"), 20, {"l2": 4.0, "l1": 4.0}),
    "full batch": (dict(optimizer="gd"), 30, {"l2": 4.0, "l1": 4.0}),
    "full batch, accelerated": (dict(optimizer="nesterov"), 30, {}),
    "passes, huber": (dict(optimizer="gd", loss="huber"), 30, {}),
    "passes, huber, accelerated": (dict(optimizer="nesterov", loss="huber"), 30, {}),
}
SPARSE = {"batch 1": (dict(batch_size=1, optimizer="gd"), 10, {"l2": 1.0, "l1": 1.0})}
GOAL_OF_SUM = 0.8
SINGLE = {  # in float32, beside float64
    "batch 32": (dict(batch_size=32, optimizer="gd"), 20),
    "batch 32, adam": (dict(batch_size=32, optimizer="adam"), 20),
    "passes, huber": (dict(optimizer="gd", loss="huber"), 30),
    "passes, huber, adam": (dict(optimizer="adam", loss="huber"), 30),
}
GOAL_OF_SINGLE = 1.6


def dense_problem(n=100_000, p=100):
    """Return standard normal columns, and a target linear in them but for noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    return X, X @ rng.standard_normal(p) + rng.standard_normal(n)


def sparse_problem(n=100_000, p=10_000, density=0.001):
    """Return a CSR matrix of numbers from [0, 1), and a target linear in them but for noise."""
    rng = np.random.default_rng(0)
    X = sparse.random(n, p, density, format="csr", random_state=rng)
    return X, X @ rng.standard_normal(p) + rng.standard_normal(n)


def peer(X, y, penalty):
    """Return what runs SGDRegressor for some epochs."""

    def fit(epochs):
        SGDRegressor(
            penalty=penalty,
            alpha=ALPHA,
            learning_rate="constant",
            eta0=RATE,
            tol=None,
            max_iter=epochs,
            random_state=0,
        ).fit(X, y)

    return fit


def ours(X, y, penalty, settings):
    """Return what runs GDRegressor for some epochs."""

    def fit(epochs):
        GDRegressor(
            penalty=penalty,
            alpha=ALPHA,
            learning_rate=RATE,
            tol=None,
            max_iter=epochs,
            random_state=0,
            **settings,
        ).fit(X, y)

    return fit


def reader(X):
    """Return what reads X some times."""

    def read(times):
        for _ in range(times):
            X.sum()

    return read


def race(X, y, cases, peer_epochs):
    """Return the seconds of an epoch, and their spread, by penalty and contestant."""
    fits = {("", "X.sum()"): (reader(X), 30)}
    for penalty in ("l2", "l1"):
        fits[penalty, "SGDRegressor"] = peer(X, y, penalty), peer_epochs
        for name, (settings, epochs, _) in cases.items():
            fits[penalty, name] = ours(X, y, penalty, settings), epochs
    return per_epoch(fits, ROUNDS)


def race_table(found, cases):
    """Return the table of a race."""
    lines = []
    for (penalty, name), (time, spread) in list(found.items())[1:]:
        goals = cases[name][2] if name in cases else {}
        ratio = found[penalty, "SGDRegressor"][0] / time
        goal = f">= {goals[penalty]}" if penalty in goals else ""
        label = name if name == "SGDRegressor" else f"GDRegressor, {name}"
        cells = f"{1e3 * time:.2f}", f"{100 * spread:.0f} %", f"{ratio:.2f}", goal
        lines.append((label, penalty, *cells))
    return table(("", "penalty", "ms per epoch", "spread", "times as fast", "goal"), lines)


def bandwidth_table(X, found):
    """Return the table of speeds at which X is read on the full batch."""
    lines, plain = [], found["", "X.sum()"][0]
    for (penalty, name), (time, _) in found.items():
        if name.startswith(("X.sum()", "passes")):
            goal = f">= {100 * GOAL_OF_SUM:.0f} %" if penalty else ""
            share = f"{100 * plain / time:.0f} %"
            lines.append((name, penalty, f"{X.nbytes / time / 1e9:.1f}", share, goal))
    return table(("", "penalty", "GB/s", "of X.sum()", "goal"), lines)


def single_table(X, y):
    """Race float32 against float64, and return the table."""
    forms = {"float64": X, "float32": X.astype(np.float32)}
    fits = {
        (name, dtype): (ours(rows, y, "l2", settings), epochs)
        for name, (settings, epochs) in SINGLE.items()
        for dtype, rows in forms.items()
    }
    found, lines = per_epoch(fits, ROUNDS), []
    for name in SINGLE:
        double, single = (found[name, dtype][0] for dtype in forms)
        times = f"{1e3 * double:.2f}", f"{1e3 * single:.2f}"
        lines.append((name, *times, f"{double / single:.2f}", f">= {GOAL_OF_SINGLE}"))
    return table(("", *(f"ms in {dtype}" for dtype in forms), "times as fast", "goal"), lines)


def main():
    """Run both races and print their tables."""
    stay_in_one_thread()
    print(heading("One epoch in one thread"))
    X, y = dense_problem()
    found = race(X, y, DENSE, peer_epochs=5)
    print(f"Dense, {X.shape[0]:,} x {X.shape[1]}, float64\n\n{race_table(found, DENSE)}\n")
    print(f"Speed of reading X, {X.nbytes / 1e6:.0f} MB\n\n{bandwidth_table(X, found)}\n")
    print(f"The same in float32\n\n{single_table(X, y)}\n")
    X, y = sparse_problem()
    found = race(X, y, SPARSE, peer_epochs=10)
    print(f"CSR, {X.shape[0]:,} x {X.shape[1]:,}, {X.nnz:,} entries, float64\n")
    print(race_table(found, SPARSE))


if __name__ == "__main__":
    main()
