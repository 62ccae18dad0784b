"""
The loss surface of a network, with and without batch normalisation
===================================================================

A network has thousands of parameters. The plane in which its descent moves most shows what the
loss looks like from there.
"""

# %%
# Two networks learn the two moons, by the same rule from the same weights, one with normalised
# layers. The plane is spanned by the two directions in which each path is longest.
import matplotlib.pyplot as plt
from sklearn.datasets import make_moons

from skgd import GDMLPClassifier
from skgd.displays import LossSurfaceDisplay

X, y = make_moons(300, noise=0.2, random_state=0)
fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained")
for ax, (title, flag) in zip(axes, {"plain": False, "normalised": True}.items()):
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
    LossSurfaceDisplay.from_estimator(model, X, y, ax=ax, grid_resolution=31, legend="marks")
    ax.set_title(f"{title}: loss {model.loss_curve_[-1]:.3f}")
    print(f"{title:10}  loss {model.loss_curve_[-1]:.4f}  accuracy {model.score(X, y):.3f}")
plt.show()
