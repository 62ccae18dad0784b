"""
Batch size: stochastic descent against full-batch gradient descent
==================================================================

Gradient descent reads all rows before each step; stochastic descent reads one random row. Such a
step costs n times less, but its gradient is right only on average. On a well-conditioned convex
problem like this one, gradient descent on the full batch is closer to the minimum after 40 epochs.
"""

# %%
# Two hundred rows, five features, and noise. Each batch size has its own automatic rate, at which
# it cannot diverge. With ``center=False`` the intercept descends too, so that all fits start at
# the same point. An epoch reads every row once.
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
minimum = closed_form(objective).objective
sizes = {
    1: {"label": "one row", "color": "#E69F00", "ls": "-"},
    20: {"label": "20 rows", "color": "#009E73", "ls": "--"},
    None: {"label": "all 200 rows", "color": "#0072B2", "ls": "-", "marker": "."},
}

# %%
# Left: the objective over steps. A step on all rows lowers it most. Right: the objective over
# epochs. In the first epoch small batches are far ahead, because an approximate direction is
# enough. Then they stay at a distance from the minimum that depends on the rate and the noise,
# while the full batch gains the same factor in each epoch, down to rounding.
fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.8), layout="constrained", sharey=True)
for size, style in sizes.items():
    model.set_params(batch_size=size, random_state=0).fit(X, y)
    steps = [objective.value(theta) for theta in model.path_[:41]]
    left.semilogy(np.array(steps) - minimum, **style)
    right.semilogy(model.loss_curve_ - minimum, **style)
    print(f"{style['label']:12}  {model.t_:5d} steps, rate {model.learning_rate_:.3f}, ", end="")
    print(f"{max(model.loss_curve_[-1] - minimum, 0.0):.0e} above the minimum")
left.set(xlabel="step", ylabel="objective above its minimum", ylim=(1e-13, 10))
right.set(xlabel="epoch")
fig.legend(handles=right.get_lines(), title="rows in a step", loc="outside lower center", ncols=3)

# %%
# Sampling with replacement, or shuffling
# ---------------------------------------
# Theory samples each row with replacement, so that an epoch misses some rows and uses others
# twice. Practice shuffles the rows and uses each once. At the same small rate shuffling ends much
# closer to the minimum, because every row counts once per epoch. Thin lines are ten seeds, thick
# lines their medians.
model.set_params(batch_size=1, learning_rate=0.003, max_iter=60, record_path=False)

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for sampling, color, style in (("replacement", "#D55E00", "--"), ("shuffle", "#0072B2", "-")):
    model.set_params(sampling=sampling)
    curves = [model.set_params(random_state=s).fit(X, y).loss_curve_ for s in range(10)]
    curves = np.transpose(curves) - minimum
    ax.semilogy(curves, color=color, lw=0.5, alpha=0.6)
    ax.semilogy(np.median(curves, axis=1), style, color=color, lw=2.5, label=sampling)
ax.set(xlabel="epoch", ylabel="objective above its minimum")
fig.legend(title="sampling", loc="outside lower center", ncols=2)
plt.show()
