"""
Local minima: the start decides where five optimizers end
=========================================================

Two parameters are enough for many local minima, as the loss of a wave packet over its offset and
frequency shows. From a good start every rule finds the best minimum, from a bad start another one.
The rules differ in their paths.
"""

# %%
# The data are thirty noisy points of a packet. Without ``init`` the estimator searches for the
# best minimum itself; with sixty starts in a box it also lists other minima. The parameters in
# the last column are the offset and the frequency.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skgd import GDGaborRegressor
from skgd.datasets import load_gabor
from skgd.optimizers import Momentum, Nesterov

problem = load_gabor()
X, y = problem.data, problem.target
box = [[-10.0, 10.0], [2.5, 22.5]]
print(GDGaborRegressor(n_init=60, bounds=box, random_state=0).fit(X, y).minima_)

# %%
# Five rules from two starts, until they converge. Plain descent, momentum and Nesterov's rule
# share one rate. Stochastic descent uses one row in each step, and its rate falls almost to zero.
# Adam's steps are in the unit of the parameters, so it has its own rate.
model = GDGaborRegressor(optimizer="gd", learning_rate=1.0, max_iter=5000, tol=1e-5)
model.set_params(record_path=True, random_state=0)
rules = {
    "plain descent": {},
    "stochastic descent": {"batch_size": 1, "schedule": "cosine", "max_iter": 100, "tol": None},
    "momentum": {"optimizer": Momentum(0.9)},
    "nesterov": {"optimizer": Nesterov(0.9)},
    "adam": {"optimizer": "adam", "learning_rate": 0.3},
}
starts = {"good": (problem.good_start, "white"), "bad": (problem.bad_start, "#E69F00")}

objective = model.objective(X, y)
offsets, frequencies = (np.linspace(*side, 101) for side in box)
surface = [[objective.value([w, b]) for b in offsets] for w in frequencies]

# %%
# Lines are paths, dots starts, stars ends, and crosses minima. Momentum and Adam oscillate before
# they converge. Stochastic descent moves from side to side, but follows the floor of the valley.
print("\nrule                start  updates  offset  frequency  objective")
fig, axes = plt.subplots(3, 2, figsize=(7.5, 9), layout="constrained", sharex=True, sharey=True)
for ax, (title, rule) in zip(axes.flat, rules.items()):
    ground = ax.contourf(offsets, frequencies, surface, np.linspace(0.0, 0.4, 21))
    ax.plot(*problem.minima[:, :2].T, "x", color="white", label="minima")
    for name, (start, colour) in starts.items():
        fit = clone(model).set_params(init=start, **rule).fit(X, y)
        ax.plot(*fit.path_.T, color=colour, lw=1.5)
        ax.plot(*start, "o", color=colour, mec="black", ms=8)
        ax.plot(*fit.theta_, "*", color=colour, mec="black", ms=15, label=f"end, {name} start")
        print(f"{title:18}  {name:5}  {fit.t_:7d}  {fit.offset_:6.2f}  ", end="")
        print(f"{fit.frequency_[0]:9.2f}  {fit.minima_[0].objective:9.4f}")
    ax.set_title(title)
axes[1, 1].tick_params(labelbottom=True)
axes[2, 1].axis("off")
axes[2, 1].legend(*ax.get_legend_handles_labels(), loc="center", facecolor="0.5")
bar = fig.colorbar(ground, ax=axes[2, 1], orientation="horizontal", label="objective")
bar.set_ticks([0.0, 0.1, 0.2, 0.3, 0.4])
fig.supxlabel("offset")
fig.supylabel("frequency")
plt.show()
