"""
Normalised gradients take steps of one length and need a falling rate
=====================================================================

Where the slope is small, plain descent is slow; where it is large, its steps are long. A gradient
that is divided by its own size keeps only its direction, and each weight moves by the learning
rate. Such a descent crosses flat regions, but it does not converge at a constant rate: the last
step is as long as the first.
"""

# %%
# Three descents in a valley: plain descent, normalised steps at a constant rate, and normalised
# steps at a rate that falls by five percent with each update.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skgd import GDRegressor
from skgd.displays import LossCurveDisplay, LossSurfaceDisplay
from skgd.schedules import Exponential

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 2)) @ [[1.0, 0.1], [0.0, 0.3]]
y = X @ [1.0, 1.0]

model = GDRegressor(penalty=None, fit_intercept=False, init=[-2.0, -1.2], record_path=True)
model.set_params(max_iter=100, tol=None)
rules = {
    "plain descent": {"optimizer": "gd", "learning_rate": 1.0},
    "constant": {"optimizer": "normalized", "learning_rate": 0.17},
    "falling": {
        "optimizer": "normalized",
        "learning_rate": 0.17,
        "schedule": Exponential(0.95, per="update"),
    },
}
fits = {name: clone(model).set_params(**rule).fit(X, y) for name, rule in rules.items()}
for name, fit in fits.items():
    steps = np.abs(np.diff(fit.path_[:, 0]))
    print(f"{name:13}  first weight: first step {steps[0]:.3f}, last {steps[-1]:.0e}; ", end="")
    print(f"objective {fit.loss_curve_[-1]:.0e}")

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 4.0), layout="constrained")
LossSurfaceDisplay.from_estimators(
    fits, X, y, ax=left, legend="marks", line_kwargs={"linewidth": 1.5}
)
LossCurveDisplay.from_estimators(fits, ax=right)
right.set_ylim(1e-10, 30.0)
plt.show()
