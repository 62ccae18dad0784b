"""
Fit a line by gradient descent: every start reaches least squares
=================================================================

The mean squared error of a line is a bowl over its slope and its intercept. Each step against the
gradient goes downhill. After enough steps descent is at the bottom of the bowl, which a closed
form gives as well.
"""

# %%
# Thirty noisy points, and plain descent from three starts.
import matplotlib.pyplot as plt
import numpy as np

from skgd import GDRegressor
from skgd.displays import FitDisplay, LossSurfaceDisplay
from skgd.reference import closed_form

rng = np.random.default_rng(0)
X = rng.uniform(0.0, 2.0, (30, 1))
y = 1.5 * X[:, 0] - 0.5 + rng.normal(0.0, 0.3, 30)

fits = {
    f"from slope {start['coef']:g}, intercept {start['intercept']:g}": GDRegressor(
        penalty=None, optimizer="gd", learning_rate=0.4, init=start, tol=1e-6, record_path=True
    ).fit(X, y)
    for start in (
        {"coef": -1.0, "intercept": 2.0},
        {"coef": 3.0, "intercept": 1.0},
        {"coef": 0.0, "intercept": -2.0},
    )
}

first = next(iter(fits.values()))
best = closed_form(first.objective(X, y)).theta
print(f"{'':28} updates   slope  intercept")
for name, fit in fits.items():
    print(f"{name:28} {fit.t_:7d}  {fit.coef_[0]:6.4f}  {fit.intercept_:9.4f}")
print(f"{'closed form':28} {'':7}  {best[0]:6.4f}  {best[1]:9.4f}")

# %%
# The bowl and the three paths. Steps are proportional to the slope: long on the steep wall, short
# on the flat floor.
LossSurfaceDisplay.from_estimators(fits, X, y, kind="surface")

# %%
# Each point of a path is a line. These are the lines of the first path.
FitDisplay.from_estimator(first, X, y)
plt.show()
