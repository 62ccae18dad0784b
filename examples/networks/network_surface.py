"""
The loss surface of a network, with and without batch normalisation
===================================================================

A network has thousands of parameters. Two directions through the end of its descent show what the
loss looks like from there: those in which the path is longest, or random ones.
"""

# %%
# Two networks learn the two moons, by the same rule from the same weights, one with normalised
# layers. Above, the plane is spanned by the two directions in which each path is longest.
#
# Below, the directions are random, and changes of 1 are as long as the weights of each unit
# (Li et al., 2018). Almost nothing of a path lies in such a plane, so it looks like a point. The
# plain network, which has come less far, lies in one wide bowl. The normalised one lies in a
# valley a fifth as high, which a random change of a third of its weights leaves.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from skgd import GDMLPClassifier
from skgd.displays import LossSurfaceDisplay

X, y = make_moons(300, noise=0.2, random_state=0)
fig, axes = plt.subplots(2, 2, figsize=(9.5, 8.4), layout="constrained")
for column, (title, flag) in zip(axes.T, {"plain": False, "normalised": True}.items()):
    model = GDMLPClassifier(
        (16, 16),
        "tanh",
        batch_norm=flag,
        optimizer="momentum",
        learning_rate=0.05,
        batch_size=None,
        max_iter=150,
        tol=None,
        record_path=True,
        random_state=1,
    ).fit(X, y)
    look = {"legend": "marks", "grid_resolution": 41}
    LossSurfaceDisplay.from_estimator(model, X, y, ax=column[0], **look)
    look |= {"directions": "random", "levels": np.geomspace(0.05, 2.5, 18)}
    LossSurfaceDisplay.from_estimator(model, X, y, ax=column[1], **look)
    column[0].set_title(f"{title}: loss {model.loss_curve_[-1]:.3f}")
    print(f"{title:10}  loss {model.loss_curve_[-1]:.4f}  accuracy {model.score(X, y):.3f}")
plt.show()
