"""Which rule comes closest on convex regression, full batch, each at its own automatic rate.

How much of what there was to gain is left after 50, 500 and 5000 epochs: the objective above its
minimum, divided by the same at the start, with an intercept that descends like the weights.
"""

import warnings

import numpy as np
from machine import heading, stay_in_one_thread, table
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skgd import GDRegressor
from skgd.optimizers import OPTIMIZERS

EPOCHS = 50, 500, 5000
ARRIVED = 1e-12  # of the gain, below which what is left is rounding
RULES = [rule for rule in OPTIMIZERS if rule not in ("sgd", "adamw", "saga", "svrg")]


def problems():
    """Return rows, targets and the loss of each problem."""
    rng = np.random.default_rng(0)
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    squares = StandardScaler().fit_transform(
        PolynomialFeatures(2, include_bias=False).fit_transform(X)
    )
    wide = rng.normal(size=(400, 30)) * np.geomspace(1.0, 100.0, 30)
    rare = rng.binomial(1, np.geomspace(0.5, 0.005, 50), size=(2000, 50)).astype(float)
    w = rng.normal(size=50)
    counts = rng.poisson(np.exp(0.3 * X[:, :5] @ w[:5]))
    return {
        "diabetes": (X, y, "squared_error"),
        "diabetes, squares": (squares, y, "squared_error"),
        "unscaled columns": (
            wide,
            wide @ (w[:30] / np.geomspace(1.0, 100.0, 30)),
            "squared_error",
        ),
        "rare columns": (rare, rare @ w + rng.normal(size=2000), "squared_error"),
        "counts, poisson": (X, counts, "poisson"),
    }


def left(rule, X, y, loss):
    """Return the share of the gain that is left after so many epochs."""
    model = GDRegressor(
        loss, optimizer=rule, alpha=1e-3, center=False, max_iter=max(EPOCHS), tol=None
    )
    curve = model.fit(X, y).loss_curve_
    return curve[list(EPOCHS)], curve[0]


def _cell(ends, rule, name, k):
    """Return what is left as text, with a star for the least."""
    own, least = ends[rule, name][k], min(ends[other, name][k] for other in RULES)
    if own == ARRIVED:
        return "arrived"
    return f"{own:.0e}" + (" *" if own == least else "")


def main():
    """Print one table for each number of epochs."""
    stay_in_one_thread()
    print(heading("Rules on convex regression"))
    warnings.simplefilter("ignore", ConvergenceWarning)
    ends = {}
    for name, (X, y, loss) in problems().items():
        model = GDRegressor(loss, alpha=1e-3, tol=1e-9, max_iter=200_000)
        least = model.fit(X, y).loss_curve_[-1]
        for rule in RULES:
            values, start = left(rule, X, y, loss)
            ends[rule, name] = np.maximum((values - least) / (start - least), ARRIVED)
    names = list(problems())
    for k, epochs in enumerate(EPOCHS):
        lines = [(rule, *(_cell(ends, rule, name, k) for name in names)) for rule in RULES]
        print(f"After {epochs} epochs (* the least)\n\n{table(('rule', *names), lines)}\n")


if __name__ == "__main__":
    main()
