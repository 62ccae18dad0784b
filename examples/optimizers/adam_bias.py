"""
Adam's bias correction: without it the first steps are too long
===============================================================

Adam's two moving averages start at zero, so they are too small at first: the average of the
gradients by a factor of ten, the average of their squares by a factor of a thousand, whose root is
thirty-two. The first step is therefore 3.2 times too long. The next steps are up to six times too
long, because the first average recovers sooner than the second. The correction divides each
average by the sum of its weights so far.
"""

# %%
# The minimum is far away, so the gradients hardly change: each step should be as long as the rate.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skgd import GDRegressor
from skgd.optimizers import Adam

X = np.linspace(-1.0, 1.0, 21)[:, None]
y = 1000.0 * X[:, 0]
model = GDRegressor(penalty=None, fit_intercept=False, learning_rate=0.1, record_path=True)
model.set_params(max_iter=3000, tol=None)

fig, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.8), layout="constrained")
for corrected, label, style in (
    (True, "Adam", {"color": "#0072B2", "ls": "-"}),
    (False, "without correction", {"color": "#D55E00", "ls": "--"}),
):
    rule = Adam(bias_correction=corrected)
    path = clone(model).set_params(optimizer=rule).fit(X, y).path_[:, 0]
    steps = np.abs(np.diff(path)) / 0.1
    left.loglog(np.arange(1, 3001), steps, lw=2, label=label, **style)
    right.plot(path[:301], lw=2, label=label, **style)
    print(f"{label:18}  step 1: {steps[0]:.2f} rates, step 10: {steps[9]:.2f}, ", end="")
    print(f"the longest: {steps.max():.2f}, step 3000: {steps[-1]:.2f}")
left.set(xlabel="update", ylabel="step / learning rate")
left.set_yticks([1, 2, 3, 5, 7], ["1", "2", "3", "5", "7"])
left.minorticks_off()
right.set(xlabel="update", ylabel="weight (the minimum is at 1000)")
fig.legend(handles=right.get_lines(), loc="outside lower center", ncols=2)
plt.show()
