"""
Momentum can leave a local minimum, for a better or a worse one
===============================================================

Momentum carries a descent through small valleys in which plain descent ends. From one start it
finds a lower minimum than plain descent, from another start a higher one. So momentum changes
where a descent ends, but the result is not always better.
"""

# %%
# The wave packet of `load_gabor`, two starts, and one rate for both rules.
import matplotlib.pyplot as plt

from skgd import GDGaborRegressor
from skgd.datasets import load_gabor
from skgd.displays import LossSurfaceDisplay
from skgd.optimizers import Momentum

X, y = load_gabor(return_X_y=True)
rules = {"plain descent": "gd", "momentum 0.9": Momentum(0.9)}
starts = {"for the better": [8.0, 13.0], "for the worse": [4.0, 12.0]}

fig, axes = plt.subplots(1, 2, figsize=(8.5, 4.0), layout="constrained", sharey=True)
for ax, (title, start) in zip(axes, starts.items()):
    fits = {}
    for name, rule in rules.items():
        model = GDGaborRegressor(init=start, optimizer=rule, learning_rate=1.0, record_path=True)
        fits[name] = model.set_params(max_iter=5000, tol=1e-5).fit(X, y)
        print(f"{title}: {name:13} ends at {fits[name].loss_curve_[-1]:.3f}")
    LossSurfaceDisplay.from_estimators(
        fits, X, y, bounds=[[1.0, 12.0], [8.0, 20.0]], ax=ax, colorbar=ax is axes[1]
    )
    ax.set_title(title)
plt.show()
