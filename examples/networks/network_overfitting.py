"""
Underfit, right, overfit: networks of three sizes
=================================================

A network with one unit cannot bend enough. One with two hundred passes near every point, noise
included. A penalty on the weights lets the large one be used all the same.
"""

# %%
# Forty noisy points of a sine, and networks with one hidden layer of tanh units.
import matplotlib.pyplot as plt
import numpy as np

from skgd import GDMLPRegressor
from skgd.displays import FitDisplay

rng = np.random.default_rng(0)
X, X_new = rng.uniform(-1.0, 1.0, (40, 1)), rng.uniform(-1.0, 1.0, (500, 1))
y, y_new = (np.sin(4.0 * Z[:, 0]) + rng.normal(0.0, 0.3, len(Z)) for Z in (X, X_new))


def network(units, alpha):
    """Return a network that is trained to the end by L-BFGS."""
    model = GDMLPRegressor((units,), "tanh", alpha=alpha, optimizer="lbfgs", batch_size=None)
    return model.set_params(max_iter=2000, tol=None, random_state=0)


fits = {
    "1 unit": network(1, 0.0).fit(X, y),
    "200 units": network(200, 0.0).fit(X, y),
    "200 units, alpha = 0.003": network(200, 3e-3).fit(X, y),
}
for name, fit in fits.items():
    errors = [np.mean((fit.predict(Z) - t) ** 2) for Z, t in ((X, y), (X_new, y_new))]
    print(f"{name:26} error on the points {errors[0]:.3f}, on new ones {errors[1]:.3f}")

# %%
# The noise alone has a mean square of 0.09.
display = FitDisplay.from_estimators(fits, X, y)
display.ax_.set_ylim(-2.0, 2.0)
plt.show()
