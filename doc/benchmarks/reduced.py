"""SAGA and SVRG, epoch by epoch and in time, beside Ridge(solver="saga").

All see one row at a time and have an intercept. The distance is that of the objective from its
minimum, over the objective of the best constant prediction.
"""

import warnings
from functools import partial

import numpy as np
from clock import take_turns
from machine import heading, stay_in_one_thread, table
from sklearn.linear_model import Ridge

from skgd import GDRegressor

ALPHA = 0.01
EPOCHS = (1, 2, 5, 10, 20)
ROUNDS = 3


def main():
    """Measure and print the table."""
    stay_in_one_thread()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 100))
    y = X @ rng.standard_normal(100) + rng.standard_normal(20_000)
    best = GDRegressor(alpha=ALPHA, tol=1e-11).fit(X, y)
    objective, lowest = best.objective(X, y), best.loss_curve_[-1]
    lines = []
    for epochs in EPOCHS:
        options = {"max_iter": epochs, "random_state": 0}
        models = {
            "Ridge saga": Ridge(ALPHA * len(y), solver="saga", tol=0.0, **options),
            **{
                name: GDRegressor(alpha=ALPHA, optimizer=name, batch_size=1, tol=None, **options)
                for name in ("saga", "svrg")
            },
        }
        fits = {name: partial(model.fit, X, y) for name, model in models.items()}
        take_turns(fits, 1)
        times = take_turns(fits, ROUNDS)
        for name, model in models.items():
            theta = np.append(model.coef_, model.intercept_)
            left = (objective.value(theta) - lowest) / (0.5 * y.var())
            lines.append((name, f"{epochs}", f"{left:.1e}", f"{1e3 * min(times[name]):.1f}"))
    print(heading("Variance reduction, 20,000 x 100, batches of one"))
    print(table(("", "epochs", "distance", "ms"), lines))


if __name__ == "__main__":
    main()
