"""
Two forms of momentum, average and velocity, take the same path
===============================================================

Some lectures keep an average of the gradients, m = 0.9 m + 0.1 g. Others, and torch, keep a
velocity, v = 0.9 v + g. When the gradients agree, the average is as long as one gradient and the
velocity is ten times as long. So the two take the same path when the rate of the average is ten
times the rate of the velocity.
"""

# %%
# At a tenth of the rate the path of the velocity equals the path of the average, up to rounding.
# At the *same* rate as plain descent the average takes smoother steps: where plain descent jumps
# from wall to wall, the jumps cancel.
import matplotlib.pyplot as plt
import numpy as np

from skgd import GDRegressor
from skgd.displays import LossSurfaceDisplay
from skgd.optimizers import Momentum

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 2)) @ [[1.0, 0.08], [0.0, 0.25]]
y = X @ [1.0, 2.0]

model = GDRegressor(penalty=None, fit_intercept=False, init=[-0.4, -2.0], record_path=True)
model.set_params(max_iter=60, tol=None)
rate = 1.85 / model.objective(X, y).curvature


def descend(optimizer, rate):
    """Return a model that is fitted at this rate."""
    model.set_params(optimizer=optimizer, learning_rate=rate)
    return GDRegressor(**model.get_params(deep=False)).fit(X, y)


average = descend(Momentum(0.9, averaged=True), rate)
velocity = descend(Momentum(0.9), rate / 10.0)
print(f"largest difference of the paths: {np.abs(average.path_ - velocity.path_).max():.1e}")

fits = {
    "plain descent": descend("gd", rate),
    "average": average,
    "velocity, a tenth of the rate": velocity,
}
LossSurfaceDisplay.from_estimators(fits, X, y, line_kwargs={"linewidth": 1.5})
plt.show()
