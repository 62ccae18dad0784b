"""
The same descent, whoever adds the rows
=======================================

A descent on the full batch asks for sums over the rows, and for nothing else. The rows may then
lie on workers, which add up what they hold. The sums are taken over a tree of the pieces' numbers:
the bits of the fit are the same for one worker and for two. A mean of fits, one for each piece, is
no such sum.
"""

# %%
# Rows of a dask array, in blocks of uneven size, lie on the workers of a client.
import importlib.util
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

from skgd import GDRegressor

rng = np.random.default_rng(0)
X = rng.standard_normal((30_000, 20)) @ (np.eye(20) + 0.3 * rng.standard_normal((20, 20)))
y = X[:, :4].sum(axis=1) + rng.standard_normal(len(X))
X, y = X[np.argsort(y)], np.sort(y)  # as files often are
BLOCKS = 7_000, 12_000, 1_000, 6_000, 4_000


def lasso():
    """Return a descent to a minimum with exact zeros."""
    return GDRegressor("huber", penalty="l1", alpha=0.1, optimizer="nesterov", tol=1e-6)


def fit_on_workers():
    """Return fits on one and on two workers."""
    import dask.array as da
    from distributed import Client, LocalCluster

    rows = da.from_array(X, chunks=(BLOCKS, -1)), da.from_array(y, chunks=(BLOCKS,))
    fits, known = [], {"threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with LocalCluster(n_workers=1, **known) as cluster, Client(cluster) as client:
        fits.append(lasso().fit(*rows))
        cluster.scale(2)
        client.wait_for_workers(2)
        fits.append(lasso().fit(*rows))
    return fits


def main():
    """Draw the objective in memory and on workers, and the weights."""
    whole, (one, two) = lasso().fit(X, y), fit_on_workers()
    _, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    least = whole.loss_curve_.min() - 1e-9
    axes[0].semilogy(whole.loss_curve_ - least, label="in memory")
    axes[0].semilogy(two.loss_curve_ - least, "o", ms=4, mfc="none", label="two workers")
    axes[0].set(xlabel="epochs", ylabel="objective minus its minimum")
    axes[0].legend()
    ends = np.cumsum((0, *BLOCKS))
    local = [lasso().fit(X[a:b], y[a:b]).coef_ for a, b in pairwise(ends)]
    axes[1].plot(whole.coef_, "o", mfc="none", label="in memory")
    axes[1].plot(two.coef_, "x", label="two workers")
    axes[1].plot(np.mean(local, axis=0), ".", label="mean of fits of pieces")
    axes[1].set(xlabel="column", ylabel="weight")
    axes[1].legend()
    print(f"one and two workers have the same bits: {np.array_equal(one.coef_, two.coef_)}")
    print(f"weights that are zero: {np.count_nonzero(two.coef_ == 0.0)} of {two.coef_.size}")


# %%
# Left: each point lies on the line. Right: the weights are those in memory. Each piece has rows of
# similar y, which say little about the weights: the mean of its fits is far away.
if __name__ == "__main__" and all(map(importlib.util.find_spec, ("dask", "distributed"))):
    main()
    plt.show()
