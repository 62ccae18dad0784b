"""
Learning rate schedules: a falling rate lets stochastic descent converge
========================================================================

The gradients of single rows differ even at the minimum. At a constant rate stochastic descent
therefore ends in a cloud around the minimum. A falling rate shrinks the cloud, but also the steps
on the way.
"""

# %%
# The rates, and the objective of the same descent with one row a step over 60 epochs. Theory
# recommends inverse time: the sum of its rates is infinite, so that every minimum can be reached,
# and the sum of their squares is finite, so that the noise vanishes. In practice cosine is common
# when the number of epochs is known.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skgd import GDRegressor
from skgd.displays import LossCurveDisplay, StepDisplay
from skgd.schedules import Constant, Cosine, Exponential, InverseTime, Step

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5))
y = X @ rng.normal(size=5) + rng.normal(0.0, 0.5, 300)

epochs = 60
schedules = {
    "constant": Constant(),
    "step": Step(every=20, factor=0.2),
    "exponential": Exponential(0.93),
    "inverse time": InverseTime(0.3),
    "cosine": Cosine(horizon=epochs, floor=0.001),
}
model = GDRegressor(penalty=None, optimizer="gd", batch_size=1, learning_rate=0.03)
model.set_params(max_iter=epochs, tol=None, random_state=0)
fits = {name: clone(model).set_params(schedule=s).fit(X, y) for name, s in schedules.items()}

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 4.0), layout="constrained")
rates = StepDisplay.from_schedules(schedules, n_epochs=epochs, learning_rate=0.03, ax=left).rates
left.set(xlabel="epoch", yscale="log", ylim=(2e-5, 0.05))
display = LossCurveDisplay.from_estimators(fits, X, y, above_minimum=True, ax=right)
right.get_legend().remove()
for name, rate, curve in zip(display.names, rates, display.curves):
    print(f"{name:12}  last rate {rate[-1]:.5f}, {curve[-1]:.0e} above the minimum")
plt.show()
