"""
A network reads handwritten digits
==================================

Pictures of eight by eight points, ten classes, one hidden layer with batch normalisation; the
same rules, schedules and stopping as for linear models.
"""

# %%
# Four rules on batches of 32, each at a rate that falls to zero.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skgd import GDMLPClassifier
from skgd.displays import LossCurveDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16.0, y, random_state=0)
fits = {}
for rule in ("gd", "momentum", "rmsprop", "adam"):
    model = GDMLPClassifier(
        (64,), batch_norm=True, optimizer=rule, schedule="cosine", max_iter=30, random_state=0
    )
    fits[rule] = model.set_params(tol=None).fit(X_train, y_train)
    print(f"{rule:9} accuracy on new digits {fits[rule].score(X_test, y_test):.3f}")

# %%
# The loss over epochs, and the digits of which Adam's network was least sure: what they are, and
# what they were taken for.
fig = plt.figure(figsize=(9.0, 4.2), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=(1.2, 1.0))
LossCurveDisplay.from_estimators(fits, ax=left.subplots())
doubtful = np.argsort(fits["adam"].predict_proba(X_test).max(axis=1))[:12]
taken = fits["adam"].predict(X_test[doubtful])
for ax, i, guess in zip(right.subplots(3, 4).flat, doubtful, taken):
    ax.imshow(X_test[i].reshape(8, 8), cmap="gray_r")
    wrong = guess != y_test[i]
    ax.set_title(f"{y_test[i]}, taken for {guess}" if wrong else f"{guess}", fontsize=8)
    ax.set(xticks=[], yticks=[])
plt.show()
