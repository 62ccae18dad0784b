"""
A network reads handwritten digits
==================================

Pictures of eight by eight points, ten classes, one hidden layer with batch normalisation: a
hundred lines elsewhere, one line here. The same rules, schedules and stopping as for linear
models.
"""

# %%
# Adam on batches of 32 at a rate that falls, and early stopping on rows that are held out.
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
# The loss over epochs, and the digits of which the network was least sure.
fig, (left, right) = plt.subplots(1, 2, figsize=(9.0, 4.0), layout="constrained")
LossCurveDisplay.from_estimators(fits, ax=left)
sure = fits["adam"].predict_proba(X_test).max(axis=1)
doubtful = np.argsort(sure)[:16]
tiles = X_test[doubtful].reshape(4, 4, 8, 8).transpose(0, 2, 1, 3).reshape(32, 32)
right.imshow(tiles, cmap="gray_r")
for k, i in enumerate(doubtful):
    place = 8 * (k % 4) + 0.2, 8 * (k // 4) + 1.2
    right.text(*place, f"{fits['adam'].predict(X_test[i : i + 1])[0]}", color="#D55E00")
right.set(xticks=[], yticks=[], title="the least sure, and what they were taken for")
plt.show()
