"""
Momentum overshoots the minimum, Nesterov's rule overshoots less
================================================================

Momentum does not stop where the slope ends: it overshoots and swings back. Nesterov's rule takes
the gradient at the point to which the velocity leads. It meets the opposite slope earlier, and
overshoots less.
"""

# %%
# A problem with one weight, so that only the oscillation is visible.
import matplotlib.pyplot as plt
import numpy as np

from skgd import GDRegressor
from skgd.optimizers import Momentum, Nesterov

X, y = np.linspace(-1.0, 1.0, 21)[:, None], np.linspace(-1.0, 1.0, 21)
model = GDRegressor(penalty=None, fit_intercept=False, max_iter=60, tol=None, record_path=True)
rate = 0.1 / model.objective(X, y).curvature
rules = {
    "plain descent": ("gd", {"color": "#000000", "ls": ":"}),
    "momentum 0.9": (Momentum(0.9), {"color": "#D55E00", "ls": "--"}),
    "Nesterov 0.9": (Nesterov(0.9), {"color": "#0072B2", "ls": "-"}),
}

fig, ax = plt.subplots(figsize=(6.0, 3.8), layout="constrained")
for name, (optimizer, style) in rules.items():
    path = model.set_params(optimizer=optimizer, learning_rate=rate).fit(X, y).path_[:, 0]
    ax.plot(path, lw=2, label=name, **style)
    late = np.flatnonzero(np.abs(path - 1.0) > 0.05)[-1] + 1
    print(f"{name:13}  overshoots by {max(path.max() - 1.0, 0.0):4.0%}, ", end="")
    print(f"within 5 percent from update {late} on")
ax.axhline(1.0, color="0.6", lw=1)
ax.annotate("minimum", (60, 1.0), (0, 3), textcoords="offset points", ha="right", color="0.4")
ax.set(xlabel="update", ylabel="weight")
fig.legend(handles=ax.get_lines()[:3], loc="outside lower center", ncols=3)
plt.show()
