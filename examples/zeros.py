"""
Ridge shrinks every weight, lasso sets some to exactly zero
===========================================================

Of eight features four matter. A penalty on the squares of the weights (ridge, l2) makes all of
them smaller; a penalty on their absolute values (lasso, l1) removes those that are not worth
their price. Descent finds the zeros exactly, whatever the optimizer, because each step ends
with a soft threshold in the optimizer's own metric.
"""

# %%
# Weights over the strength of the penalty: the four that matter in colour, the rest in grey.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Lasso

from skgd import GDRegressor

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 8))
X[:, 1] += 0.7 * X[:, 0]
truth = [3.0, -2.0, 1.5, 1.0, 0.0, 0.0, 0.0, 0.0]
y = X @ truth + 1.0 + rng.normal(size=400)

model = GDRegressor(tol=1e-8, max_iter=5000)
alphas = np.logspace(-2.0, 1.0, 61)
colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"] + 4 * ["0.5"]

fig, axes = plt.subplots(1, 2, figsize=(7.5, 3.8), layout="tight", sharey=True)
for ax, penalty, title in zip(axes, ("l2", "l1"), ("ridge: no zero", "lasso: exact zeros")):
    model.set_params(penalty=penalty)
    coefs = np.array([model.set_params(alpha=alpha).fit(X, y).coef_ for alpha in alphas])
    for line, colour, weight in zip(coefs.T, colours, truth):
        ax.semilogx(alphas, line, "-" if weight else "--", color=colour, label=f"{weight:g}")
    ax.set(xlabel="alpha", title=title)
    print(f"{penalty}: zeros at alpha = 0.01, 0.1, 1, 10:", np.sum(coefs[::20] == 0.0, axis=1))
axes[0].set_ylabel("weight")
axes[1].legend(*(five[:5] for five in axes[1].get_legend_handles_labels()), title="truth")

# %%
# Every optimizer finds the same zeros
# ------------------------------------
# Beside scikit-learn's Lasso, which moves one coordinate at a time.
alpha = 0.5
lasso = Lasso(alpha, tol=1e-12).fit(X, y)
print(f"\nLasso keeps the features {np.flatnonzero(lasso.coef_)}\n")
print("optimizer   epochs  keeps        largest |d coef|")
for optimizer in ("gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"):
    model.set_params(optimizer=optimizer, penalty="l1", alpha=alpha).fit(X, y)
    distance = np.abs(model.coef_ - lasso.coef_).max()
    kept = str(np.flatnonzero(model.coef_))
    print(f"{optimizer:10}  {model.n_iter_:6d}  {kept}  {distance:16.1e}")

# %%
# Why there are corners
# ---------------------
# Two features. Star: the least error. Dot: the penalised answer, where a contour of the error
# touches the set of weights that cost no more. For ridge that is a disc, touched anywhere; for
# lasso a diamond, touched most easily at a corner, where one weight is zero.
two, target = X[:, 3:5], X[:, 3:5] @ [0.4, 1.0]
grid = np.linspace(-1.1, 1.6, 61)
plain = GDRegressor(penalty=None, fit_intercept=False).objective(two, target)
error = [[plain.value([u, v]) for u in grid] for v in grid]

fig, axes = plt.subplots(1, 2, figsize=(7.5, 3.9), layout="tight", sharey=True)
for ax, penalty, alpha in zip(axes, ("l2", "l1"), (0.6, 0.5)):
    model = GDRegressor(penalty=penalty, alpha=alpha, fit_intercept=False, tol=1e-8)
    u, v = model.fit(two, target).coef_
    c = abs(u) + abs(v)
    diamond = plt.Polygon([(c, 0), (0, c), (-c, 0), (0, -c)], color="#56B4E9", alpha=0.5)
    circle = plt.Circle((0, 0), np.hypot(u, v), color="#56B4E9", alpha=0.5)
    ax.add_patch(circle if penalty == "l2" else diamond)
    levels = plain.value([u, v]) * np.array([0.1, 0.4, 1.0, 2.0, 4.0])
    ax.contour(grid, grid, error, levels, colors="0.6")
    ax.plot(0.4, 1.0, "*", color="#D55E00", ms=10)
    ax.plot(u, v, "o", color="k", ms=7)
    ax.set(xlabel="first weight", aspect="equal", title=f"{penalty}: ({u:.2f}, {v:.2f})")
axes[0].set_ylabel("second weight")
plt.show()
