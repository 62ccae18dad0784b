"""
Three wild points turn the line of least squares, and not Huber's
=================================================================

A square makes the largest errors count most. Huber's loss is a square up to some distance and
linear beyond, so that a point far out pulls no harder than one at that distance; the absolute
error pulls equally from everywhere.
"""

# %%
# Thirty points of a line, three of them moved far off. The absolute error has a kink, on which a
# constant rate would bounce; the adaptive schedule halves it whenever the objective stops falling.
import matplotlib.pyplot as plt
import numpy as np

from skgd import GDRegressor
from skgd.displays import FitDisplay
from skgd.losses import Huber

rng = np.random.default_rng(0)
X = np.sort(rng.uniform(0.0, 3.0, (30, 1)), axis=0)
y = 2.0 * X[:, 0] - 1.0 + rng.normal(0.0, 0.2, 30)
y[[26, 28, 29]] -= [9.0, 8.0, 10.0]

losses = {
    "squared error": {"loss": "squared_error"},
    "huber": {"loss": Huber(0.5)},
    "absolute error": {"loss": "absolute_error", "schedule": "adaptive", "max_iter": 5000},
}
fits = {name: GDRegressor(penalty=None, **loss).fit(X, y) for name, loss in losses.items()}
for name, fit in fits.items():
    print(f"{name:14} slope {fit.coef_[0]:5.2f}, intercept {fit.intercept_:5.2f}")
FitDisplay.from_estimators(fits, X, y)
plt.show()
