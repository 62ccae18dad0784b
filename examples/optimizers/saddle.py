"""
Saddle points: plain descent is slow, normalised steps are not
==============================================================

At a saddle point the gradient is zero, but the objective still falls in one direction. Near it the
gradient is small, and so are the steps of plain descent. Momentum adds them up. Rules that divide
by the size of the gradient take steps of normal length.
"""

# %%
# The loss of the wave packet of `load_gabor` has saddle points between its minima: there the
# gradient is zero and one eigenvalue of the Hessian is negative. Each rule starts at a distance of
# 0.0001 from one of them. We count the updates until it is half a unit away.
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import root
from sklearn.base import clone

from skgd import GDGaborRegressor
from skgd.datasets import load_gabor
from skgd.displays import LossCurveDisplay, LossSurfaceDisplay

X, y = load_gabor(return_X_y=True)
objective = GDGaborRegressor().objective(X, y)  # of (frequency, offset)
saddle = root(lambda theta: objective.value_and_gradient(theta)[1], [7.5, -1.4], tol=1e-14).x
eigenvalues, vectors = np.linalg.eigh(objective.hessian(saddle))
print(f"saddle at offset {saddle[1]:.3f}, frequency {saddle[0]:.3f}; ", end="")
print(f"eigenvalues {eigenvalues[0]:.3f} and {eigenvalues[1]:.3f}")

start = (saddle + 1e-4 * vectors[:, 0])[::-1]
model = GDGaborRegressor(init=start, max_iter=400, tol=None, record_path=True)
rules = {
    "plain descent": {"optimizer": "gd", "learning_rate": 1.0},
    "momentum": {"optimizer": "momentum", "learning_rate": 1.0},
    "rmsprop": {"optimizer": "rmsprop", "learning_rate": 0.05},
    "adam": {"optimizer": "adam", "learning_rate": 0.05},
}
fits = {name: clone(model).set_params(**rule).fit(X, y) for name, rule in rules.items()}
for name, fit in fits.items():
    away = np.linalg.norm(fit.path_ - saddle[::-1], axis=1) > 0.5
    print(f"{name:13}  {np.argmax(away):3d} updates")

# %%
# Left: the saddle point (the cross) and the paths. Right: the plateau of each loss curve.
fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 4.0), layout="constrained")
LossSurfaceDisplay.from_estimators(
    fits,
    X,
    y,
    bounds=[[-7.0, 5.0], [3.0, 19.0]],
    ax=left,
    legend="marks",
    line_kwargs={"linewidth": 1.5},
)
left.plot(*saddle[::-1], "x", color="black", ms=10, mew=2, zorder=6)
LossCurveDisplay.from_estimators(fits, ax=right)
right.set_yscale("linear")
plt.show()
