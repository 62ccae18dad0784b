"""
Scale the features: a scaler in a pipeline saves a thousand epochs
==================================================================

Features in different units make the objective a narrow valley: a rate that is stable for the large
features is too small for the others. In a pipeline the scaler learns means and standard deviations
from the training rows, and the descent sees a bowl.
"""

# %%
# The diabetes data in clinical units, with and without a scaler. Both use accelerated descent at
# its automatic rate.
import warnings

import matplotlib.pyplot as plt
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor
from skgd.displays import LossCurveDisplay

X, y = load_diabetes(return_X_y=True, scaled=False)
descent = GDRegressor(penalty=None, optimizer="nesterov", max_iter=2000)
fits = {
    "as they are": clone(descent),
    "scaled": make_pipeline(StandardScaler(), clone(descent)),
}
for name, fit in fits.items():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # if a fold needs more epochs
        fit.fit(X, y)
        scores = cross_val_score(fit, X, y)
    last = fit if name == "as they are" else fit[-1]
    print(f"{name:12} {last.n_iter_:5d} epochs, {last.stop_reason_}, R2 {scores.mean():.3f}")
scores = cross_val_score(LinearRegression(), X, y)
print(f"{'closed form':12} {'':23} R2 {scores.mean():.3f}")

LossCurveDisplay.from_estimators(fits, X, y, above_minimum=True)
plt.show()
