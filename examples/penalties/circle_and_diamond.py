"""
Why lasso gives zeros: ridge's circle and lasso's diamond
=========================================================

Among all weights whose penalty is at most that of the solution, the solution has the smallest
error: there a contour of the error touches the set of these weights. For ridge the set is a disc,
and the contour can touch it anywhere. For lasso it is a diamond, and the contour often touches a
corner, where one weight is zero.
"""

# %%
# Two features; the first has the smaller weight.
import matplotlib.pyplot as plt
import numpy as np

from skgd import GDRegressor
from skgd.displays import PenaltyGeometryDisplay

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 2)) @ [[1.0, 0.3], [0.0, 1.0]]
y = X @ [0.3, 1.0] + rng.normal(0.0, 0.2, 200)

fig, axes = plt.subplots(1, 2, figsize=(8.5, 4.2), layout="constrained", sharey=True)
for ax, penalty, title in zip(axes, ("l2", "l1"), ("ridge", "lasso")):
    fit = GDRegressor(penalty=penalty, alpha=0.5, tol=1e-8).fit(X, y)
    PenaltyGeometryDisplay.from_estimator(fit, X, y, bounds=[[-1.0, 1.5], [-1.0, 2.0]], ax=ax)
    ax.set_title(f"{title}: ({fit.coef_[0]:.2f}, {fit.coef_[1]:.2f})")
    print(f"{title}: weights {fit.coef_.round(4)}, zeros {np.sum(fit.coef_ == 0.0)}")
axes[0].get_legend().remove()
axes[1].set_ylabel("")
plt.show()
