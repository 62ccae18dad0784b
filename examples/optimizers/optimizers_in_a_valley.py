"""
Momentum crosses the valley in which plain descent zigzags
==========================================================

Where one feature is large and another small, the objective is a valley: steep across, and
almost flat along. A rate that the walls bear is too small for the floor. Every rule has its own
way to live with that.
"""

# %%
# Two features, the second of a fifth of the first one's size and a little correlated with it,
# so that the largest curvature, L, is 24 times the smallest. All rules start at the
# same point. Their rates are chosen to show their habits: 1.9/L is close to where plain descent
# diverges, and a rule that divides by the size of the gradient is given a length, in the unit
# of the weights. Each title counts the updates until 99.9 percent of the way down are behind.
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
# Plain descent goes from wall to wall. Momentum adds up the steps along the floor, in which the
# steps across cancel; Nesterov's looks ahead, and swings less. Normalised steps have one size
# in each coordinate: they leave the wall diagonally, and bounce at the end. AdaGrad's
# get smaller and smaller, RMSProp's do not, and Adam is RMSProp with momentum.
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
