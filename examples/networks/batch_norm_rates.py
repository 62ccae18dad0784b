"""
Batch normalisation lets a network take larger rates
====================================================

The sums that reach a layer depend on all layers before it. Over five layers their spread grows or
shrinks with every step, and a rate that suits the first layer is too large for the last. A
normalised layer divides its sums by their spread over the batch, so that later layers see the same
scale whatever happens before them.
"""

# %%
# Networks of five hidden layers classify handwritten digits, by momentum on batches of 64, at
# seven learning rates. We compare the loss after fifteen epochs.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skgd import GDMLPClassifier
from skgd.displays import ActivationDisplay

X, y = load_digits(return_X_y=True)
X = X / 16.0
rates = np.logspace(-3.0, 0.0, 7)


def network(batch_norm, rate, **options):
    """Return a deep network, with layers normalised or not."""
    return GDMLPClassifier(
        [32] * 5,
        batch_norm=batch_norm,
        optimizer="momentum",
        learning_rate=rate,
        batch_size=64,
        max_iter=15,
        tol=None,
        random_state=0,
        **options,
    )


def final_loss(model):
    """Return the loss of the last epoch, infinite where the descent has diverged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return model.fit(X, y).loss_curve_[-1]
        except ValueError:  # no longer a number
            return np.inf


kinds = {"plain layers": False, "normalised layers": True}
losses = {
    name: [final_loss(network(flag, rate)) for rate in rates] for name, flag in kinds.items()
}
for name, found in losses.items():
    print(f"{name:18}" + "".join(f"{min(loss, 99.99):7.3f}" for loss in found))

# %%
# The loss of a network that knows nothing is log 10, the dashed line. Both networks learn at small
# rates. At a rate of 0.3 the plain network has learnt nothing, and the normalised one is still
# good.
fig, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
for name, found in losses.items():
    ax.plot(rates, np.minimum(found, 10.0), "o-", lw=2, label=name)
ax.axhline(np.log(10.0), color="0.5", ls="--", lw=1, label="knows nothing")
ax.set(xscale="log", yscale="log", ylim=(0.02, 10.0))
ax.set(xlabel="learning rate (per update)", ylabel="loss after 15 epochs")
ax.legend()
plt.show()

# %%
# The reason: what reaches the activations. At a rate of 0.1 the spread of the sums in the plain
# network grows from layer to layer and with every epoch. Normalised sums keep their scale: it is
# what each layer's own scale and shift say.
fig, axes = plt.subplots(2, 2, figsize=(8.5, 7.0), layout="constrained")
for row, (name, flag) in zip(axes, kinds.items()):
    model = network(flag, 0.1, record_path=True).fit(X, y)
    ActivationDisplay.from_estimator(model, X, ax=row)
    row[0].set_title(name)
plt.show()
