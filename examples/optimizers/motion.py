"""
Animate gradient descent: four optimizers on one loss surface
=============================================================

All four optimizers start at the same point, near a ridge of the loss surface. Plain descent and
momentum go down on its far side, to the best minimum. Adam and RMSProp scale the step of each
parameter separately, and end in two other minima.
"""

# %%
# Left: the loss surface. Right: the fitted curve of each point. As a script this example writes
# the animation to descent.gif; a notebook shows it.
from skgd import GDGaborRegressor
from skgd.datasets import load_gabor
from skgd.displays import DescentAnimation
from skgd.optimizers import Momentum

X, y = load_gabor(return_X_y=True)
rules = {
    "plain descent": {"optimizer": "gd", "learning_rate": 2.0},
    "momentum": {"optimizer": Momentum(0.9), "learning_rate": 1.0},
    "rmsprop": {"optimizer": "rmsprop", "learning_rate": 0.1},
    "adam": {"optimizer": "adam", "learning_rate": 0.3},
}
start = {"init": [3.0, 11.0], "max_iter": 500, "tol": None, "record_path": True}
fits = {name: GDGaborRegressor(**start, **rule).fit(X, y) for name, rule in rules.items()}
for name, fit in fits.items():
    print(f"{name:13}  offset {fit.offset_:5.2f}, frequency {fit.frequency_[0]:5.2f}, ", end="")
    print(f"objective {fit.loss_curve_[-1]:.3f}")

motion = DescentAnimation.from_estimators(
    fits, X, y, bounds=[[-4.0, 9.0], [7.0, 20.0]], n_frames=40
)
motion.axes_[1].get_legend().remove()
motion.figure_.legend(handles=[*motion.curves_.values()], loc="outside upper center", ncols=4)
motion.save("descent.gif", dpi=168)
motion
