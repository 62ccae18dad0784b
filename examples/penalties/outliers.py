"""
Robust regression with outliers: Huber loss and absolute error
==============================================================

The squared error gives the largest errors the most weight, so three outliers change the line of
least squares. Huber's loss is quadratic up to some distance and linear beyond it: the influence of
an outlier is bounded. With the absolute error every point has the same influence.
"""

# %%
# Thirty points of a line; three are moved far away. The absolute error has a kink, at which a
# constant rate would oscillate. The adaptive schedule halves the rate when the objective stops
# falling.
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
