"""
Compare optimizers in a narrow valley: momentum avoids the zigzag
=================================================================

When one feature is large and another is small, the objective is a valley: steep across, and almost
flat along its floor. A rate that is stable across the valley is too small along it. The optimizers
differ in how they solve this.
"""

# %%
# Two features; the second is a fifth as large as the first and slightly correlated with it. The
# largest curvature, L, is 24 times the smallest. All rules start at the same point. Their rates
# are chosen to show their character: 1.9/L is close to where plain descent diverges; the rate of
# a rule that divides by the size of the gradient is a length in the unit of the weights. Each
# title counts the updates until the objective has lost 99.9 percent of its distance to the
# minimum.
import matplotlib.pyplot as plt
import numpy as np

from skgd import GDRegressor
from skgd.optimizers import Momentum, Nesterov
from skgd.reference import closed_form

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 2)) @ [[1.0, 0.08], [0.0, 0.2]]
y = X @ [1.0, 2.0]

model = GDRegressor(penalty=None, fit_intercept=False, init=[-0.4, -3.0], record_path=True)
model.set_params(max_iter=100, tol=None)
objective = model.objective(X, y)
L, lowest = objective.curvature, closed_form(objective)

rules = {
    "plain descent": ("gd", 1.9 / L),
    "momentum 0.8": (Momentum(0.8), 0.4 / L),
    "nesterov 0.8": (Nesterov(0.8), 0.4 / L),
    "nesterov, the default": ("nesterov", "auto"),
    "normalized": ("normalized", 0.1),
    "adagrad": ("adagrad", 1.0),
    "rmsprop": ("rmsprop", 0.1),
    "adam": ("adam", 0.3),
}

# %%
# Plain descent zigzags between the walls. Momentum adds up the steps along the floor, while the
# steps across cancel. Nesterov's rule looks ahead and oscillates less. Normalised steps have the
# same length in each coordinate: they leave the wall diagonally, and oscillate at the end.
# AdaGrad's steps become smaller and smaller, RMSProp's do not. Adam is RMSProp with momentum.
small, large = np.linspace(-4.0, 4.0, 61), np.linspace(-1.0, 3.3, 61)
surface = [[objective.value([u, v]) for v in small] for u in large]

fig, axes = plt.subplots(4, 2, figsize=(7, 8.5), layout="tight", sharex=True, sharey=True)
for ax, (name, (optimizer, rate)) in zip(axes.flat, rules.items()):
    model.set_params(optimizer=optimizer, learning_rate=rate).fit(X, y)
    above = model.loss_curve_ - lowest.objective
    ax.contour(small, large, surface, np.geomspace(0.003, 3.0, 8), colors="0.75", linewidths=1)
    ax.plot(model.path_[:, 1], model.path_[:, 0], ".-", color="#0072B2", lw=1)
    ax.plot(*lowest.theta[::-1], "*", color="#D55E00", ms=10, zorder=3)
    ax.set_title(f"{name}: {np.argmax(above < 0.001 * above[0])} updates")
fig.supxlabel("weight of the small feature")
fig.supylabel("weight of the large feature")
plt.show()
