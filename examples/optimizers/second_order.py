"""
Newton's method and L-BFGS against gradient descent: steps, time, memory
========================================================================

The Hessian says how the gradient changes. On a quadratic objective one Newton step therefore
reaches the minimum, without a learning rate. But the Hessian has one entry for each pair of
parameters. L-BFGS approximates it from the last thirty gradients; gradient descent does not use
it.
"""

# %%
# Three methods in a narrow valley. All use the full batch: second-order methods do not work with
# the noisy gradients of small batches.
import time

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

from skgd import GDRegressor
from skgd.displays import LossSurfaceDisplay
from skgd.reference import lbfgs

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 2)) @ [[1.0, 0.08], [0.0, 0.2]]
y = X @ [1.0, 2.0]
start = np.array([-0.4, -3.0])
model = GDRegressor(penalty=None, fit_intercept=False, optimizer="gd", init=start)
model.set_params(record_path=True, max_iter=20_000, tol=1e-6).fit(X, y)
objective = model.objective(X, y)

gradient = objective.value_and_gradient(start)[1]
newton = np.array([start, start - np.linalg.solve(objective.hessian(start), gradient)])
guesses = [start]
minimize(objective.value_and_gradient, start, jac=True, method="L-BFGS-B", callback=guesses.append)
print(f"descent {model.t_} steps, L-BFGS {len(guesses) - 1}, Newton 1")

display = LossSurfaceDisplay.from_estimator(model, X, y, name="descent")
for path, name, style in (
    (np.array(guesses), "L-BFGS", {"color": "#E69F00", "ls": "--", "marker": "o"}),
    (newton, "Newton", {"color": "black", "ls": ":", "marker": "s"}),
):
    display.ax_.plot(*path.T, label=name, lw=2, zorder=4, **style)
lines = [*display.lines_, *display.ax_.get_lines()[-2:], display.minima_]
display.ax_.get_legend().remove()
display.figure_.legend(handles=lines, loc="outside lower center", ncols=4)

# %%
# The cost grows with the number of parameters. For 500 parameters the Hessian has a quarter of a
# million entries, and the time to solve for a step grows with the third power.
print("\nparameters  matrix      Newton    L-BFGS              accelerated descent")
for d in (10, 100, 500):
    X = rng.normal(size=(4 * d, d)) * np.geomspace(1.0, 0.1, d)
    y = X @ rng.normal(size=d) + rng.normal(size=4 * d)
    model = GDRegressor(penalty=None, fit_intercept=False, optimizer="nesterov", tol=1e-6)
    model.set_params(max_iter=20_000).fit(X, y)
    objective, zero = model.objective(X, y), np.zeros(d)
    begin = time.perf_counter()
    np.linalg.solve(objective.hessian(zero), -objective.value_and_gradient(zero)[1])
    step, quasi = time.perf_counter() - begin, lbfgs(objective, tol=1e-6)
    begin = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - begin
    print(f"{d:10d}  {8 * d * d / 1e6:4.1f} MB  {step:7.4f} s  {quasi.seconds:.4f} s, ", end="")
    print(f"{quasi.n_iter:3d} steps  {seconds:.4f} s, {model.n_iter_:4d} steps")
plt.show()
