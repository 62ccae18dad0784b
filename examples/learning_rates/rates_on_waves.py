"""
On a non-convex loss the learning rate decides which minimum is found
=====================================================================

A small rate follows the slope into the nearest minimum. A large rate can step over the wall of
the valley into another one, which may be lower or higher. Between the two, descent oscillates
from wall to wall and does not converge.
"""

# %%
# Gradient descent on the wave packet of `load_gabor`, from one start, at four rates.
import warnings

import matplotlib.pyplot as plt
from sklearn.exceptions import ConvergenceWarning

from skgd import GDGaborRegressor
from skgd.datasets import load_gabor
from skgd.displays import LossCurveDisplay, LossSurfaceDisplay

X, y = load_gabor(return_X_y=True)
model = {"init": [2.0, 4.0], "optimizer": "gd", "max_iter": 600, "tol": 1e-6, "record_path": True}
fits = {}
for name, rate in {
    "too small": 0.02,
    "right": 5.0,
    "too large": 15.0,
    "far too large": 20.0,
}.items():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the first and the third
        fit = GDGaborRegressor(learning_rate=rate, **model).fit(X, y)
    fits[f"{name}: {rate:g}"] = fit
    print(f"{name:13}  rate {rate:5.2f}  ends at offset {fit.offset_:5.2f}, ", end="")
    print(f"frequency {fit.frequency_[0]:5.2f}, objective {fit.loss_curve_[-1]:.4f}: ", end="")
    print(fit.stop_reason_)

# %%
# The right rate converges to the nearest minimum. The largest rate leaves that valley in a few
# steps and finds a lower minimum by chance.
fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 4.2), layout="constrained")
LossSurfaceDisplay.from_estimators(
    fits,
    X,
    y,
    bounds=[[0.0, 11.0], [0.0, 16.0]],
    ax=left,
    legend="marks",
    line_kwargs={"linewidth": 1.2},
)
LossCurveDisplay.from_estimators(fits, ax=right)
right.get_legend().set_title("learning rate")
plt.show()
