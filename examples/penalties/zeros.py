"""
Lasso sets weights to exactly zero, ridge only shrinks them
===========================================================

Four of eight features matter. A penalty on the squares of the weights (ridge, l2) makes all
weights smaller. A penalty on their absolute values (lasso, l1) sets some of them to zero. Descent
finds exact zeros with every optimizer, because each step ends with a soft threshold that is
scaled like the optimizer's step.
"""

# %%
# The weights over the strength of the penalty: in colour the four that matter, in grey the others.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Lasso

from skgd import GDRegressor
from skgd.displays import CoefficientPathDisplay

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 8))
X[:, 1] += 0.7 * X[:, 0]
truth = [3.0, -2.0, 1.5, 1.0, 0.0, 0.0, 0.0, 0.0]
y = X @ truth + 1.0 + rng.normal(size=400)

model = GDRegressor(tol=1e-8, max_iter=5000)
alphas = np.logspace(-2.0, 1.0, 61)
display = CoefficientPathDisplay.from_data(X, y, alphas=alphas, estimator=model)
for penalty, lines in display.lines_.items():
    for line in lines[4:]:
        line.set_color("0.5")
    zeros = display.n_zeros[penalty][::20]
    print(f"{penalty}: zeros at alpha = 0.01, 0.1, 1, 10:", zeros)

# %%
# Every optimizer finds the same zeros
# ------------------------------------
# Compared with scikit-learn's Lasso, which uses coordinate descent.
alpha = 0.5
lasso = Lasso(alpha, tol=1e-12).fit(X, y)
print(f"\nLasso keeps the features {np.flatnonzero(lasso.coef_)}\n")
print("optimizer   epochs  keeps        largest |d coef|")
for optimizer in ("gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"):
    model.set_params(optimizer=optimizer, penalty="l1", alpha=alpha).fit(X, y)
    distance = np.abs(model.coef_ - lasso.coef_).max()
    kept = str(np.flatnonzero(model.coef_))
    print(f"{optimizer:10}  {model.n_iter_:6d}  {kept}  {distance:16.1e}")
plt.show()
