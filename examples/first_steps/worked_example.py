"""
Gradient descent by hand: from f(x) = x to f(x) = 2x - 1
========================================================

A small example for paper and pencil: three points, X = {0, 1, 3} and y = {-1, 1, 5}, on the line
2x - 1. Descent starts at f(x) = x and changes slope and intercept a little in each step. Some
lecture notes work out this example and print other numbers than those below. They take other
steps, and we show which.
"""

# %%
# Twenty steps, and thirty
# ------------------------
# The notes subtract 0.1 times the *sum* of ``(f(x) - y) x``. Here the loss is half the square,
# *averaged* over the rows. So the same step has a rate of 0.1 times 3 rows.
#
# One difference is more than a factor. The notes update the slope first, and compute the update of
# the intercept with the new slope. Gradient descent updates both at once: after one step its
# intercept is 0.10, not -0.14.
import warnings

import matplotlib.pyplot as plt
import numpy as np

from skgd import GDRegressor
from skgd.displays import FitDisplay, LossSurfaceDisplay

X, y = np.array([[0.0], [1.0], [3.0]]), np.array([-1.0, 1.0, 5.0])
n = len(y)


def descend(rate, steps):
    """Return a model after some steps of plain descent from f(x) = x, and its path."""
    model = GDRegressor(
        penalty=None,
        optimizer="gd",
        learning_rate=rate,
        init=[1.0, 0.0],  # slope, intercept
        max_iter=steps,
        tol=None,
        record_path=True,
    )
    return model.fit(X, y)


def one_after_the_other(rate, steps):
    """Return the path of the notes: the slope first, then the intercept."""
    x, path = X[:, 0], [(1.0, 0.0)]
    for _ in range(steps):
        slope, intercept = path[-1]
        slope -= rate * np.sum((slope * x + intercept - y) * x)
        intercept -= rate * np.sum(slope * x + intercept - y)
        path.append((slope, intercept))
    return np.array(path)


def error(path):
    """Return the mean square of the error at each point of a path."""
    return np.mean((path[:, :1] * X[:, 0] + path[:, 1:] - y) ** 2, axis=1)


model, notes = descend(0.1 * n, 30), one_after_the_other(0.1, 30)

print("        gradient descent              the notes")
print("step    slope  intercept    error     slope  intercept    error")
for t in (0, 1, 2, 3, 20, 30):
    line = f"{t:4d}"
    for path in (model.path_, notes):
        line += f"    {path[t, 0]:5.2f}  {path[t, 1]:9.2f}  {error(path)[t]:7.5f}"
    print(line)

# %%
# Each point of the path is a line
# --------------------------------
# Left: the objective of every line, which is half of its mean squared error. Right: some of the
# lines on the path.
fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 4.0), layout="constrained")
LossSurfaceDisplay.from_estimator(model, X, y, bounds=[[0.7, 2.4], [-1.6, 0.6]], ax=left)
FitDisplay.from_estimator(model, X, y, ax=right)

# %%
# A rate of 0.5 diverges
# ----------------------
# The notes continue with a rate of 0.5, and print errors of 9.58, 4.06, 39.8 and finally 5e9.
# Gradient descent diverges as well, and faster. The fit stops and warns. The largest stable rate
# in the warning is in our unit; in the unit of the notes it is a third of that, 0.17.
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    diverging = descend(0.5 * n, 30)
print(caught[0].message)
print(f"stop_reason_: {diverging.stop_reason_}")

notes = one_after_the_other(0.5, 30)
print("The notes' errors:", ", ".join(f"{value:.2f}" for value in error(notes)[[1, 2, 3, 30]]))

# %%
# The mean, and a rate of 0.2
# ---------------------------
# A second version in the notes uses automatic differentiation on the *mean* of the squares, and
# updates both parameters at once, at a rate of 0.2. This is our gradient descent; because of the
# half in our loss the rate is 0.4 here.
mean = descend(0.2 * 2, 30)
print(f"slope {mean.coef_[0]:.3f}, intercept {mean.intercept_:.3f}, ", end="")
print(f"error {error(mean.path_)[-1]:.5f}")

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
ax.semilogy(error(notes), "^:", color="#E69F00", label="sum, 0.5, one after the other")
ax.semilogy(error(diverging.path_), "s-", color="#D55E00", label="sum, 0.5: diverges")
ax.semilogy(error(model.path_), "o-", color="#0072B2", label="sum, 0.1")
ax.semilogy(error(mean.path_), ".--", color="#000000", label="mean, 0.2")
ax.set(xlabel="step", ylabel="mean square of the error", ylim=(1e-6, 1e19))
fig.legend(loc="outside lower center", ncols=2)
plt.show()
