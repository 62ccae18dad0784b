"""
On the diabetes data, descent arrives where the closed form and L-BFGS are
==========================================================================

442 patients, ten measurements each, and how far the disease had progressed a year later. A
grid search chooses the learning rate, the penalty and its strength; the chosen models are held
against other roads to the same minimum; and ridge and lasso are followed over the strength of
the penalty, beside scikit-learn's own.
"""

# %%
# The search
# ----------
# One rate is far too large on purpose. Such a fit warns that it has diverged; here that counts
# as a failure, which the search scores as nan before it goes on. Where scores agree to four
# decimals, the fewest epochs decide. The fits take milliseconds, so a second process would cost
# more than it saves.
import warnings

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor
from skgd.reference import compare

X, y = load_diabetes(return_X_y=True)
names = load_diabetes().feature_names
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=42)

rates, penalties, strengths = [0.001, 0.01, 0.1, 1.0, "auto"], ["l1", "l2"], [0.01, 0.1, 1.0, 10.0]


def look(model, X, y):
    """Return R2, and what the descent says of itself."""
    descent = model[-1]
    return {"r2": model.score(X, y), "epochs": descent.n_iter_, "done": descent.converged_}


def choose(results):
    """Return the place of the best R2, to four decimals, that took the fewest epochs."""
    return np.lexsort([results["mean_test_epochs"], -results["mean_test_r2"].round(4)])[0]


search = GridSearchCV(
    make_pipeline(StandardScaler(), GDRegressor(tol=1e-6)),
    {
        "gdregressor__learning_rate": rates,
        "gdregressor__penalty": penalties,
        "gdregressor__alpha": strengths,
    },
    scoring=look,
    refit=choose,
    error_score=np.nan,
)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    warnings.filterwarnings("error", message=".*diverged", category=ConvergenceWarning)
    search.fit(X_train, y_train)

results = search.cv_results_
found, cells = {}, {}
for i, (params, r2, done) in enumerate(
    zip(results["params"], results["mean_test_r2"], results["mean_test_done"])
):
    place = tuple(params[f"gdregressor__{name}"] for name in ("penalty", "alpha", "learning_rate"))
    mark = "*" if i == search.best_index_ else "~" if done < 1.0 else " "
    found[place] = r2
    cells[place] = "diverged " if np.isnan(r2) else f"{r2:.4f}{mark}"

print("R2 in five-fold cross-validation, by learning rate (* chosen, ~ stopped by max_iter)\n")
print("penalty  alpha" + "".join(f"{rate:>10} " for rate in rates))
for penalty in penalties:
    for alpha in strengths:
        line = "".join(f"{cells[penalty, alpha, rate]:>11}" for rate in rates)
        print(f"{penalty:<7}  {alpha:>5}{line}")

failed = next(str(w.message).split()[0] for w in caught if w.category is FitFailedWarning)
unfinished = sum(w.category is ConvergenceWarning for w in caught)
print(f"\n{failed} fits diverged, {unfinished} were stopped by max_iter.")
print("Chosen:", search.best_estimator_[-1])
print(f"R2 on the test set: {search.best_estimator_.score(X_test, y_test):.4f}")

# %%
# What a fit says that diverges is below. The curvature of ridge adds to that of the data, so
# with alpha = 10 even a rate of 0.1 is too large: 2/L is then 0.14, and Nesterov's rule, which
# looks ahead, bears two thirds of that.
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    GDRegressor(learning_rate=1.0).fit(StandardScaler().fit_transform(X_train), y_train)
print(caught[0].message)

# %%
# The same minimum by other roads
# -------------------------------
# The better strength of each penalty, with a tolerance that leaves nothing but rounding.
# `compare` lets the closed form (where there is one) and scipy's L-BFGS minimise the very same
# objective; ``largest |d coef|`` is the largest difference of a coefficient from the descent's.
scaler = StandardScaler().fit(X_train)
Z_train, Z_test = scaler.transform(X_train), scaler.transform(X_test)

for penalty in penalties:
    alpha = max(strengths, key=lambda alpha: found[penalty, alpha, "auto"])
    model = GDRegressor(penalty=penalty, alpha=alpha, tol=1e-10).fit(Z_train, y_train)
    print(f'\npenalty="{penalty}", alpha={alpha}\n')
    print(compare(model, Z_train, y_train))

# %%
# Ridge shrinks, lasso selects
# ----------------------------
# The same strengths for both penalties, each beside its peer in scikit-learn: Lasso means the
# same by alpha, Ridge adds up errors where we average, so that its alpha is n times ours.
path = np.logspace(-2, 2, 49)
peers = {
    "l1": lambda alpha: Lasso(alpha, tol=1e-10, max_iter=100_000),
    "l2": lambda alpha: Ridge(len(y_train) * alpha),
}
coefs = {penalty: [] for penalty in penalties}
tests = {penalty: [] for penalty in penalties}

for penalty, peer in peers.items():
    print(f'\n{"":7}  penalty="{penalty}"{"":4}  scikit-learn{"":4}  largest')
    print("  alpha  zeros  test R2  zeros  test R2  |d coef|")
    for i, alpha in enumerate(path):
        ours = GDRegressor(penalty=penalty, alpha=alpha, tol=1e-8).fit(Z_train, y_train)
        theirs = peer(alpha).fit(Z_train, y_train)
        coefs[penalty].append(ours.coef_)
        tests[penalty].append(ours.score(Z_test, y_test))
        line = f"{alpha:7.2f}"
        for model in (ours, theirs):
            line += f"  {np.sum(model.coef_ == 0.0):5d}  {model.score(Z_test, y_test):7.4f}"
        if i % 4 == 0:
            print(f"{line}  {np.abs(ours.coef_ - theirs.coef_).max():8.1e}")

# %%
# The picture: ten coefficients fade under ridge and leave one by one under lasso.
colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000"]


def draw(plt):
    """Draw coefficients and test R2 over alpha."""
    fig, axes = plt.subplot_mosaic(
        [["l1", "l2"], ["test", "test"]], figsize=(7, 7), height_ratios=[3, 2], layout="tight"
    )
    for penalty, title, style in (("l1", "lasso", "-"), ("l2", "ridge", "--")):
        for j, line in enumerate(np.transpose(coefs[penalty])):
            body = j < 4  # the rest is blood serum
            colour = colours[j if body else j - 4]
            axes[penalty].plot(path, line, "-" if body else "--", color=colour, label=names[j])
        axes[penalty].set(xscale="log", xlabel="alpha", title=f"{title} ({penalty})")
        colour = colours[title == "ridge"]
        axes["test"].plot(path, tests[penalty], style, color=colour, label=title)
    axes["l1"].set_ylabel("coefficient (progression per\nstandard deviation of the column)")
    axes["l2"].sharey(axes["l1"])
    axes["l2"].legend(ncols=2, fontsize="small")
    axes["test"].set(xscale="log", xlabel="alpha", ylabel="R2 on the test set")
    axes["test"].legend()
    return fig


try:
    import matplotlib.pyplot as plt
except ImportError:
    print("\nNo picture: matplotlib is not installed.")
else:
    draw(plt).savefig("diabetes.png", dpi=120)
    print("\nThe picture is in diabetes.png.")
