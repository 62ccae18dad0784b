"""
Learning rate too small, right, too large
=========================================

Let L be the largest curvature of the objective. Gradient descent converges slowly at rates far
below 1/L and quickly at 1/L. At rates above 2/L it diverges.
"""

# %%
# One line is fitted three times, from the same start. ``objective`` returns the function that a
# fit minimises, which knows its curvature. The last fit stops early and warns that the objective
# has grown; we ignore the warning.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skgd import GDRegressor
from skgd.displays import LossCurveDisplay

rng = np.random.default_rng(0)
X = rng.normal(0.5, 1.0, (50, 1))
y = 2.0 * X[:, 0] - 1.0 + rng.normal(0.0, 0.3, 50)

model = GDRegressor(penalty=None, optimizer="gd", max_iter=100, tol=None, init=[-2.0, 2.0])
L = model.objective(X, y).curvature

fits = {}
for factor, label in ((0.05, "too small: 0.05/L"), (1.0, "right: 1/L"), (2.2, "too large: 2.2/L")):
    fits[label] = clone(model).set_params(learning_rate=factor / L)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fits[label].fit(X, y)
    print(f"{label:18} objective {fits[label].loss_curve_[-1]:9.3g}", end=" ")
    print(f"after {fits[label].t_} updates: {fits[label].stop_reason_}")
display = LossCurveDisplay.from_estimators(fits, X, y, above_minimum=True)
display.ax_.set_ylim(bottom=1e-8)
display.ax_.get_legend().set_title("learning rate")
plt.show()
