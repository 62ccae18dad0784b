"""
Grid search over learning rates, optimizers and penalties
=========================================================

The learning rate decides whether a descent converges, and the penalty how well the model
predicts. In a search over both, fits beyond the largest stable rate diverge: they get no score
and are marked in the picture.
"""

# %%
# Threefold cross-validation of a pipeline on the diabetes data, over learning rates, penalties and
# optimizers at once. Candidates of one optimizer are trained together. One that diverges has the
# score nan.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor, JointGridSearchCV
from skgd.displays import LearningRateDisplay

X, y = load_diabetes(return_X_y=True)
search = JointGridSearchCV(
    make_pipeline(StandardScaler(), GDRegressor(alpha=1.0, max_iter=100, tol=None)),
    {
        "gdregressor__learning_rate": np.logspace(-3.0, 2.0, 11),
        "gdregressor__penalty": ["l1", "l2"],
        "gdregressor__optimizer": ["gd", "momentum", "adam"],
    },
    cv=3,
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of rates that are too large
    search.fit(X, y)

best = {key.partition("__")[2]: value for key, value in search.best_params_.items()}
failed = np.isnan(search.cv_results_["mean_test_score"]).sum()
print(
    f"best: {best['optimizer']} with {best['penalty']}, rate {best['learning_rate']:.2g}", end=""
)
print(f", R2 {search.best_score_:.4f}; {failed} of 66 candidates diverged")
print(search.plan_)

# %%
# Left, rates and optimizers, each cell with the better penalty. Plain descent diverges beyond 2/L,
# and momentum at a larger rate. The length of Adam's steps does not depend on the gradient: it
# needs rates that are a hundred times as large here, and at too large a rate its score gets worse
# gradually. Right, rates and penalties, each cell with the best optimizer. At this alpha the l1
# penalty, which sets weights to zero, hardly lowers the score, while the l2 penalty shrinks all
# weights by half.
LearningRateDisplay.from_search(search)
plt.show()
