"""
A grid search shows the rates that work, and where they end
===========================================================

The learning rate decides whether a descent arrives, the penalty how good that is. A search over
both has a cliff on one side: beyond the largest stable rate fits diverge, count as failures, and
are marked as such.
"""

# %%
# Five-fold cross-validation of a pipeline on the diabetes data, with the names that parts of parts
# have there. Fits that end in no number raise an error, and those that have grown refuse to
# predict; the search scores both as nan and goes on.
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
descent = GDRegressor(penalty="l1", optimizer="gd", max_iter=200)
search = GridSearchCV(
    make_pipeline(StandardScaler(), descent),
    {
        "gdregressor__learning_rate": np.logspace(-4.0, 1.0, 11),
        "gdregressor__alpha": [0.01, 0.1, 1.0, 3.0, 10.0, 30.0],
    },
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of rates that are too large, and of those too small
    search.fit(X, y)

display = LearningRateDisplay.from_search(search)
print(f"best: alpha {search.best_params_['gdregressor__alpha']:g}, ", end="")
print(f"rate {search.best_params_['gdregressor__learning_rate']:.2g}, ", end="")
print(f"R2 {search.best_score_:.4f}; {display.diverged.sum()} of 66 candidates diverged")

# %%
# Optimizers side by side, without a search: how far above its minimum each has ended after a
# hundred epochs. Plain descent and momentum have their cliff at about 2/L and twice that, the
# accelerated sequence at two thirds of it. Adam's and RMSProp's steps have a length of their
# own: they want rates a hundred times as large here, and one that is too large leads up a slope,
# not over a cliff.
Z = StandardScaler().fit_transform(X)
model = GDRegressor(max_iter=100, tol=None, center=False)
LearningRateDisplay.from_estimator(
    model,
    Z,
    y,
    learning_rates=np.logspace(-3.0, 2.0, 16),
    parameter="optimizer",
    candidates=["gd", "momentum", "nesterov", "rmsprop", "adam"],
    above_minimum=True,
)
plt.show()
