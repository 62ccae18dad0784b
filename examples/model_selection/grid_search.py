"""
A grid search shows the rates that work, and where they end
===========================================================

The learning rate decides whether a descent arrives, the penalty how good that is. A search over
both has a cliff on one side: beyond the largest stable rate fits diverge, count as failures, and
are marked as such.
"""

# %%
# Threefold cross-validation of a pipeline on the diabetes data, over learning rates, penalties and
# optimizers at once. Fits that end in no number raise an error, and those that have grown refuse
# to predict; the search scores both as nan and goes on.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor
from skgd.displays import LearningRateDisplay

X, y = load_diabetes(return_X_y=True)
search = GridSearchCV(
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

# %%
# Rates and optimizers, each cell with the better penalty. Plain descent has its cliff at 2/L, and
# momentum, which averages, further on. Adam's steps have a length of their own: it wants rates a
# hundred times as large here, and one that is too large leads up a slope, not over a cliff.
LearningRateDisplay.from_search(search, parameter="optimizer")
plt.show()

# %%
# Rates and penalties, each cell with the best optimizer. At this alpha the l1 penalty, which sets
# weights to zero, costs next to nothing, while the l2 penalty shrinks all of them by half.
LearningRateDisplay.from_search(search, parameter="penalty")
plt.show()
