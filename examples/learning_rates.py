"""
A rate too small crawls, a rate too large leaps out
===================================================

L being the largest curvature of the objective, plain descent arrives slowly at rates far below
2/L, quickly at 1/L, and at rates above 2/L never.
"""

# %%
# One line is fitted three times, from the same start. ``objective`` is the function that a fit
# minimises: it knows its curvature, and the closed form finds its minimum. The last of the
# three fits stops early and warns that the objective has grown; here we look on in silence.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skgd import GDRegressor
from skgd.reference import closed_form

rng = np.random.default_rng(0)
X = rng.normal(0.5, 1.0, (50, 1))
y = 2.0 * X[:, 0] - 1.0 + rng.normal(0.0, 0.3, 50)

model = GDRegressor(penalty=None, optimizer="gd", max_iter=100, tol=None, init=[-2.0, 2.0])
objective = model.objective(X, y)
L, lowest = objective.curvature, closed_form(objective).objective

fig, ax = plt.subplots(figsize=(6, 4), layout="tight")
for factor, label, look in (
    (0.05, "too small: 0.05/L", {"ls": ":", "color": "#E69F00"}),
    (1.0, "right: 1/L", {"ls": "-", "color": "#0072B2"}),
    (2.2, "too large: 2.2/L", {"ls": "--", "color": "#D55E00"}),
):
    model.set_params(learning_rate=factor / L)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    ax.semilogy(model.loss_curve_ - lowest, lw=2, label=label, **look)
    print(f"{label:18} objective {model.loss_curve_[-1]:9.3g} after {model.t_} updates")
ax.set(xlabel="update", ylabel="objective above its minimum", ylim=(1e-8, 1e6))
ax.legend(title="learning rate")
plt.show()
