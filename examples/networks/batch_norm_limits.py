"""
Batch normalisation needs batches that look like the data
=========================================================

A normalised layer treats a row by the mean and the spread of its batch, and in prediction by
running means of these. This goes wrong where a batch does not look like the data: where rows come
sorted, where batches are small, and where the rows to predict have moved.
"""

# %%
# Networks with and without normalised layers classify the digits, from the same rows in batches of
# 32: mixed, or each with the digits of one class, as where every file has one kind.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skgd import GDMLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16.0, y, random_state=0)


def network(batch_norm=True, **options):
    """Return a network of two hidden layers."""
    options = {"batch_size": 32, "max_iter": 10, **options}
    return GDMLPClassifier((32, 32), batch_norm=batch_norm, tol=None, random_state=0, **options)


by_class = [np.flatnonzero(y_train == digit)[:96].reshape(3, 32) for digit in range(10)]
one_class = np.stack(by_class, axis=1).ravel()  # batch after batch, each of the next class
mixed = np.random.default_rng(0).permutation(one_class)
for order, rows in {"mixed batches": mixed, "batches of one class": one_class}.items():
    for name, flag in {"plain": False, "normalised": True}.items():
        model = network(flag, sampling="cyclic").fit(X_train[rows], y_train[rows])
        accuracy = model.score(X_test, y_test)
        print(f"{order:21} {name:11} accuracy on new rows {accuracy:.3f}")

# %%
# The mean of a batch of one class is what tells the class from others. A normalised layer takes it
# away, and the network learns nothing. The plain network does not see the batch of a row.

# %%
# Small batches have noisy statistics, which are one more noise in every step.
sizes = [2, 4, 8, 32, 128]
curves = {}
for name, flag in {"normalised": True, "plain": False}.items():
    fits = [network(flag, batch_size=size).fit(X_train, y_train) for size in sizes]
    curves[name] = [1.0 - fit.score(X_test, y_test) for fit in fits]

# %%
# A shift of all rows, as by a brighter scan, is what running statistics cannot follow. They are
# those of the training rows; a batch's own would take the shift away.
shifts = np.linspace(0.0, 0.5, 11)
plain = network(False).fit(X_train, y_train)
networks = {"normalised": network().fit(X_train, y_train), "plain": plain}
errors = {
    name: [1.0 - model.score(X_test + shift, y_test) for shift in shifts]
    for name, model in networks.items()
}

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.8), layout="constrained")
for name in curves:
    left.plot(sizes, curves[name], "o-", lw=2, label=name)
    right.plot(shifts, errors[name], lw=2, label=name)
left.set(xscale="log", xlabel="rows of a batch", ylabel="error on new rows")
left.set_xticks(sizes, labels=map(str, sizes))
left.minorticks_off()
right.set(xlabel="shift of the new rows", ylabel="error on new rows")
left.legend()
plt.show()
