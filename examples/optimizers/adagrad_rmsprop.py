"""
AdaGrad and RMSProp: AdaGrad's steps shrink for ever, RMSProp's do not
======================================================================

Both rules divide the gradient of each weight by the root of its past squares. AdaGrad uses the sum
of all squares, so its steps become shorter for ever. RMSProp uses a moving average, so its steps
stay as long as the learning rate, and oscillate at the minimum.
"""

# %%
# The minimum is ten units away and the rate is a tenth: a hundred steps of full length.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skgd import GDRegressor
from skgd.displays import LossCurveDisplay

rng = np.random.default_rng(0)
X = rng.normal(size=(100, 2))
y = X @ [10.0, -8.0]

model = GDRegressor(penalty=None, fit_intercept=False, learning_rate=0.1, record_path=True)
model.set_params(max_iter=300, tol=None)
fits = {name: clone(model).set_params(optimizer=name).fit(X, y) for name in ("adagrad", "rmsprop")}

fig, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.8), layout="constrained")
styles = [{"color": "#0072B2", "ls": "-"}, {"color": "#D55E00", "ls": "--"}]
for (name, fit), style in zip(fits.items(), styles):
    steps = np.abs(np.diff(fit.path_[:, 0]))
    left.semilogy(np.arange(1, 301), steps, lw=2, label=name, **style)
    print(f"{name}: after 300 updates at weights {fit.coef_.round(2)}, ", end="")
    print(f"step 1 of length {steps[0]:.2f}, step 100 {steps[99]:.3f}")
left.plot(np.arange(1, 301), 0.1 / np.sqrt(np.arange(1, 301)), color="0.5", ls=":")
left.annotate("rate / root of t", (300, 0.008), ha="right", va="bottom", color="0.4")
left.set(xlabel="update", ylabel="step of the first weight", ylim=(1e-3, 1.0))
LossCurveDisplay.from_estimators(fits, ax=right)
right.get_legend().remove()
fig.legend(handles=left.get_lines()[:2], loc="outside lower center", ncols=2)
right.set_ylim(1e-3, 200.0)
plt.show()
