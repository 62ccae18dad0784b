"""
Escape from a local minimum by the noise of stochastic descent
==============================================================

Plain descent from one start always ends in the same minimum. Stochastic descent uses a few random
rows in each step. At a high rate this noise can carry it out of a local minimum, to a better place
or to a worse one: where it ends is a matter of chance.
"""

# %%
# All fits start near a bad minimum; there are a hundred seeds. Plain descent runs until it
# converges. The others use five of the thirty rows in each step, for a hundred epochs. Their rate
# starts eight times as high and falls by a twentieth each epoch. The momentum is the average of
# past gradients: its steps are as long as those without it where the gradients agree, and shorter
# where they differ.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skgd import GDGaborRegressor
from skgd.datasets import load_gabor
from skgd.optimizers import Momentum
from skgd.schedules import Exponential

problem = load_gabor()
X, y, start = problem.data, problem.target, problem.bad_start
plain = GDGaborRegressor(init=start, optimizer="gd", learning_rate=2.0, record_path=True)
noisy = {"batch_size": 5, "learning_rate": 16.0, "schedule": Exponential(0.95)}
noisy |= {"max_iter": 100, "tol": None}
rules = {
    "plain descent": plain,
    "stochastic": clone(plain).set_params(**noisy),
    "stochastic, momentum": clone(plain).set_params(
        optimizer=Momentum(0.9, averaged=True), **noisy
    ),
}
fits = {
    name: [clone(rule).set_params(random_state=seed).fit(X, y) for seed in range(100)]
    for name, rule in rules.items()
}

# %%
# Fits that leave the bad minimum may find the best one. More often they drift to the left, onto a
# flat region: there the packet lies outside of the data, and the curve is almost zero at all
# points. Momentum averages the noise out, and so most of the chance to escape is lost.
places = {"best minimum": problem.minima[0], "minimum near the start": problem.minima[1]}


def place(fit):
    """Return the name of the place where a fit has ended."""
    for name, (*theta, _) in places.items():
        if np.abs(fit.theta_ - theta).max() < 0.5:
            return name
    return "elsewhere"


counts = {name: [*map(place, group)] for name, group in fits.items()}
columns = (*places, "elsewhere")
print(f"\n{'of 100 seeds':20}  " + "  ".join(columns))
for name, found in counts.items():
    cells = [f"{found.count(column):{len(column)}d}" for column in columns]
    print(f"{name:20}  " + "  ".join(cells))
print(f"\nobjective of f(x) = 0: {0.5 * np.mean(y**2):.4f}, of the ends elsewhere: ", end="")
elsewhere = [fit.minima_[0].objective for fit in fits["stochastic"] if place(fit) == "elsewhere"]
print(f"{min(elsewhere):.4f} to {max(elsewhere):.4f}")

# %%
# Each dot is the end of one seed. Each line is the first path to one of the three outcomes.
colours = dict(zip(columns, ("#F0E442", "#E69F00", "white")))
objective = plain.objective(X, y)
offsets, frequencies = np.linspace(-17.0, 5.0, 101), np.linspace(3.0, 21.0, 101)
surface = [[objective.value([w, b]) for b in offsets] for w in frequencies]
levels = np.linspace(0.0, 0.3, 16)

fig, axes = plt.subplots(2, 2, figsize=(7.5, 6.5), layout="constrained")
*grounds, last = axes.flat
for ax, (name, found) in zip(grounds, counts.items()):
    ground = ax.contourf(offsets, frequencies, surface, levels, extend="max")
    for column in set(found):
        ax.plot(*fits[name][found.index(column)].path_.T, color=colours[column], lw=1)
    for fit, column in zip(fits[name], found):
        ax.plot(*fit.theta_, "o", color=colours[column], mec="black", ms=7)
    ax.plot(*start, "X", color="white", mec="black", ms=9)
    ax.set(title=name, xlabel="offset", ylabel="frequency", xlim=(-17, 5), ylim=(3, 21))
fig.colorbar(ground, ax=grounds[1], label="objective", ticks=[0.0, 0.1, 0.2, 0.3])
left = np.zeros(len(counts))
labels = [name.replace(", ", ",\n") for name in counts]
for column in columns:
    seeds = [found.count(column) for found in counts.values()]
    last.barh(labels, seeds, left=left, color=colours[column], ec="black", label=column)
    left += seeds
last.invert_yaxis()
last.set_xlabel("seeds")
last.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
plt.show()
