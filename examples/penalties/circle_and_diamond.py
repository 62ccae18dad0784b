"""
A contour touches ridge's circle anywhere, and lasso's diamond at a corner
==========================================================================

Of all weights that cost no more than the answer, the answer has the least error: there a contour
of the error touches the set. The set of ridge is a disc, and any of its points can be the one.
That of lasso is a diamond, whose corners stick out, and at a corner one weight is zero.
"""

# %%
# Two features, of which the first matters less.
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
