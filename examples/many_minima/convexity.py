"""
Convex and non-convex losses: one minimum, or many
==================================================

A function is convex when the chord between any two points of its graph never lies below the
graph. Then every local minimum is a global one, and descent finds it from every start. Without
convexity the start decides.
"""

# %%
# Twelve starts around the minimum, for a line and for a wave packet.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor
from skgd.displays import LossSurfaceDisplay

X, y = load_gabor(return_X_y=True)
line = X[:, 0] * 0.4 + 1.0 + np.random.default_rng(0).normal(0.0, 0.3, len(y))
settings = {"optimizer": "gd", "max_iter": 20_000, "tol": 1e-4, "record_path": True}
around = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
circle = np.column_stack([np.cos(around), np.sin(around)])

cases = {
    "linear": (GDRegressor(penalty=None, **settings), line, [0.4, 1.0], [1.0, 6.0]),
    "wave packet": (GDGaborRegressor(**settings), y, [0.0, 12.5], [7.0, 8.0]),
}
fits = {}
for name, (model, target, centre, radius) in cases.items():
    starts = centre + circle * radius
    fits[name] = [clone(model).set_params(init=start).fit(X, target) for start in starts]
    ends = {tuple(fit.parameters().round(1) + 0.0) for fit in fits[name]}
    print(f"{name}: {len(ends)} different ends from {len(starts)} starts")

# %%
# Test the chords: compare the loss at the midpoint of two random points with the mean of their
# losses. One pair whose midpoint is higher shows that the function is not convex.
rng = np.random.default_rng(1)
for name, (model, target, centre, radius) in cases.items():
    value = model.objective(X, target).value
    pairs = [rng.uniform(-1.0, 1.0, (2, 2)) * radius + centre for _ in range(1000)]
    above = sum(value(0.5 * (a + b)) > 0.5 * (value(a) + value(b)) for a, b in pairs)
    print(f"{name}: {above} of 1000 chords pass below the loss")

# %%
# Left: all paths meet. Right: each path ends in the minimum of the valley in which it starts.
fig, axes = plt.subplots(1, 2, figsize=(8.5, 4.0), layout="constrained")
for ax, (name, (_, target, _, _)) in zip(axes, cases.items()):
    paths = {f"start {i}": fit for i, fit in enumerate(fits[name])}
    style = {"color": "#E69F00", "linestyle": "-", "linewidth": 1.5}
    LossSurfaceDisplay.from_estimators(paths, X, target, ax=ax, legend="marks", line_kwargs=style)
    ax.set_title(name)
plt.show()
