"""
Newton's method and L-BFGS against gradient descent: steps, time, memory
========================================================================

The Hessian says how the gradient changes. On a quadratic objective one Newton step therefore
reaches the minimum, without a learning rate. But the Hessian has one entry for each pair of
parameters. L-BFGS approximates it from the last ten steps and gradients; gradient descent does
not use it. Both are words for ``optimizer``.
"""

# %%
# Four methods in a narrow valley. All use the full batch: second-order methods do not work with
# the noisy gradients of small batches.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skgd import GDRegressor
from skgd.displays import LossSurfaceDisplay

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 2)) @ [[1.0, 0.08], [0.0, 0.2]]
y = X @ [1.0, 2.0]
model = GDRegressor(penalty=None, fit_intercept=False, optimizer="momentum", init=[-0.4, -3.0])
model.set_params(record_path=True, max_iter=20_000, tol=1e-6).fit(X, y)
display = LossSurfaceDisplay.from_estimator(model, X, y, name="momentum")
print(f"momentum {model.t_} steps")

for method, name, style in (
    ("gd", "descent", {"color": "#009E73", "lw": 2.5}),
    ("lbfgs", "L-BFGS", {"color": "#E69F00", "ls": "--", "marker": "o", "lw": 2}),
    ("newton", "Newton", {"color": "black", "ls": ":", "marker": "s", "lw": 2}),
):
    model.set_params(optimizer=method).fit(X, y)
    display.ax_.plot(*model.path_.T, label=name, zorder=4, **style)
    print(f"{name} {model.t_} steps")
lines = [*display.lines_, *display.ax_.get_lines()[-3:], display.minima_]
display.ax_.get_legend().remove()
display.figure_.legend(handles=lines, loc="outside lower center", ncols=5)

# %%
# The cost grows with the number of parameters. For 500 parameters the Hessian has a quarter of a
# million entries, and the time to solve for a step grows with the third power.
print("\nparameters  matrix      Newton             L-BFGS             accelerated descent")
for d in (10, 100, 500):
    X = rng.normal(size=(4 * d, d)) * np.geomspace(1.0, 0.1, d)
    y = X @ rng.normal(size=d) + rng.normal(size=4 * d)
    model = GDRegressor(penalty=None, fit_intercept=False, tol=1e-6, max_iter=20_000)
    print(f"{d:10d}  {8 * d * d / 1e6:4.1f} MB", end="")
    for method in ("newton", "lbfgs", "nesterov"):
        model.set_params(optimizer=method).fit(X, y)
        print(f"  {model.history_['seconds'][-1]:7.4f} s, {model.n_iter_:3d} steps", end="")
    print()

# %%
# On a loss that is not quadratic a Newton step does not arrive at once, but near the minimum each
# step doubles the number of correct digits. L-BFGS and accelerated descent gain digits at a
# steady rate.
X = rng.normal(size=(300, 20)) @ np.diag(np.geomspace(1.0, 0.1, 20))
y = rng.poisson(np.exp(X @ rng.normal(size=20)))
figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
model = GDRegressor("poisson", alpha=1e-3, max_iter=100, tol=1e-10, optimizer="newton")
least = model.fit(X, y).loss_curve_[-1]
model.set_params(tol=1e-7)
for method, name, color in (
    ("newton", "Newton", "black"),
    ("lbfgs", "L-BFGS", "#E69F00"),
    ("nesterov", "Nesterov", "#009E73"),
    ("gd", "descent", "#0072B2"),
):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of descents that are cut short
        gaps = model.set_params(optimizer=method).fit(X, y).loss_curve_ - least
    ax.semilogy(np.maximum(gaps, 1e-15), color=color, label=name, lw=2)
ax.set(xlabel="iteration", ylabel="objective above the minimum", ylim=(1e-15, None), xlim=(0, 100))
ax.set_title("Newton doubles the digits in every step", loc="left")
ax.legend()
plt.show()
