"""
A batch of one makes cheap steps, and does not arrive sooner
============================================================

Gradient descent looks at all rows before each step, stochastic descent at one, drawn at random.
A step of the latter costs n times less, but it follows a gradient that is right only on average.
On a convex objective as nice as this one, plain descent wins.
"""

# %%
# Two hundred rows, five features, and noise that no line explains. Each batch size has its own
# automatic rate, at which it cannot diverge; ``center=False`` lets the intercept descend too,
# so that all start alike. In an epoch each of them reads every row once.
import matplotlib.pyplot as plt
import numpy as np

from skgd import GDRegressor
from skgd.reference import closed_form

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 5))
y = X @ rng.normal(size=5) + 1.0 + rng.normal(0.0, 0.5, 200)

model = GDRegressor(penalty=None, optimizer="gd", center=False, max_iter=40, tol=None)
model.set_params(record_path=True)
objective = model.objective(X, y)
lowest = closed_form(objective).objective
sizes = {
    1: {"label": "one row", "color": "#E69F00", "ls": "-"},
    20: {"label": "20 rows", "color": "#009E73", "ls": "--"},
    None: {"label": "all 200 rows", "color": "#0072B2", "ls": "-", "marker": "."},
}

# %%
# On the left, step for step: all rows together know best where to go. On the right, row for
# row: in the first epoch the cheap steps are far ahead, for a rough direction is enough. Then
# they bounce about the minimum at a height that the rate and the noise decide, while plain
# descent gains the same factor with each epoch, down to rounding.
fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.8), layout="constrained", sharey=True)
for size, look in sizes.items():
    model.set_params(batch_size=size, random_state=0).fit(X, y)
    steps = [objective.value(theta) for theta in model.path_[:41]]
    left.semilogy(np.array(steps) - lowest, **look)
    right.semilogy(model.loss_curve_ - lowest, **look)
    print(f"{look['label']:12}  {model.t_:5d} steps, rate {model.learning_rate_:.3f}, ", end="")
    print(f"{max(model.loss_curve_[-1] - lowest, 0.0):.0e} above the minimum")
left.set(xlabel="step", ylabel="objective above its minimum", ylim=(1e-13, 10))
right.set(xlabel="epoch")
fig.legend(handles=right.get_lines(), title="rows in a step", loc="outside lower center", ncols=3)

# %%
# With replacement, or shuffled
# -----------------------------
# Theory draws every row anew, so that an epoch misses some rows and sees others twice; practice
# shuffles all rows and goes through them. At the same small rate, shuffling bounces much lower,
# since each epoch as a whole is fair. Thin lines are ten seeds, thick ones their medians.
model.set_params(batch_size=1, learning_rate=0.003, max_iter=60, record_path=False)

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for sampling, color, style in (("replacement", "#D55E00", "--"), ("shuffle", "#0072B2", "-")):
    model.set_params(sampling=sampling)
    curves = [model.set_params(random_state=s).fit(X, y).loss_curve_ for s in range(10)]
    curves = np.transpose(curves) - lowest
    ax.semilogy(curves, color=color, lw=0.5, alpha=0.6)
    ax.semilogy(np.median(curves, axis=1), style, color=color, lw=2.5, label=sampling)
ax.set(xlabel="epoch", ylabel="objective above its minimum")
fig.legend(title="sampling", loc="outside lower center", ncols=2)
plt.show()
