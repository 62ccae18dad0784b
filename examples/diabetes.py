"""
Ridge and lasso on the diabetes data: grid search, optimizers, closed form
==========================================================================

A complete analysis. The data are ten measurements of 442 patients, and how far their disease had
progressed a year later. A grid search chooses the learning rate, the penalty and its strength.
Six descents and the direct solver are compared with the closed form and L-BFGS. Then the
coefficients of ridge and lasso are computed over alpha and compared with scikit-learn's.
"""

# %%
# The search
# ----------
# Nesterov's accelerated descent on the full batch, over learning rates, penalties and alphas, all
# candidates trained together. The largest rates are too large on purpose: such a candidate
# diverges, and the search gives it the score nan. At one alpha all rates that converge have the
# same score, to four decimals. Of these the search takes the largest: it needs the fewest epochs.
import warnings

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor, JointGridSearchCV
from skgd.reference import compare

X, y = load_diabetes(return_X_y=True)
names = load_diabetes().feature_names
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=42)

rates, penalties = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0], ["l1", "l2"]
alphas = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]


def choose(results):
    """Return the candidate of the best R2, to four decimals, with the largest learning rate."""
    rate = results["param_gdregressor__learning_rate"].astype(float)
    return np.lexsort([-rate, -results["mean_test_score"].round(4)])[0]


descent = GDRegressor(optimizer="nesterov", center=False, tol=1e-6, max_iter=20_000)
search = JointGridSearchCV(
    make_pipeline(StandardScaler(), descent),
    {
        "gdregressor__learning_rate": rates,
        "gdregressor__penalty": penalties,
        "gdregressor__alpha": alphas,
    },
    refit=choose,
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of rates that are too large
    search.fit(X_train, y_train)

found = {}
for params, r2 in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"]):
    found[
        tuple(params[f"gdregressor__{key}"] for key in ("penalty", "alpha", "learning_rate"))
    ] = r2
chosen = search.best_estimator_[-1]

print("R2 in five-fold cross-validation, by learning rate (* chosen)\n")
print("penalty  alpha" + "".join(f"{rate:>9} " for rate in rates))
for penalty in penalties:
    for alpha in alphas:
        line = f"{penalty:<7} {alpha:>6}"
        for rate in rates:
            r2 = found[penalty, alpha, rate]
            is_best = (penalty, alpha, rate) == (
                chosen.penalty,
                chosen.alpha,
                chosen.learning_rate,
            )
            line += ("diverged" if np.isnan(r2) else f"{r2:.4f}").rjust(9) + " *"[is_best]
        print(line)

failed = sum(np.isnan(search.cv_results_[f"split{k}_test_score"]).sum() for k in range(5))
print(f"\n{failed} of {5 * len(search.cv_results_['params'])} fits diverged.")
print(search.plan_)
print("Chosen:", chosen)
print(f"R2 on the test set: {search.best_estimator_.score(X_test, y_test):.4f}")

# %%
# The warning of a fit that diverges
# ----------------------------------
# The curvature of the l2 penalty adds to that of the data. With alpha = 10 even a rate of 0.1 is
# too large: 2/L is then 0.14, and Nesterov's accelerated rule is stable up to two thirds of that.
scaler = StandardScaler().fit(X_train)
Z_train, Z_test = scaler.transform(X_train), scaler.transform(X_test)

print("\nThe warning of a fit with a learning rate of 1:\n")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    GDRegressor(optimizer="nesterov", learning_rate=1.0).fit(Z_train, y_train)
print(caught[0].message)

# %%
# Six descents, the direct solver, the closed form and L-BFGS
# -----------------------------------------------------------
# Each penalty has the alpha of its best score. On the full batch gradient descent and Nesterov's
# rule converge at a constant rate, and stop by ``tol``. Adam's steps do not shrink with the
# gradient, and the gradients of batches of 32 rows are noisy. These fits have a rate that falls to
# zero over 5000 epochs: Adam then converges as closely, and batches as closely as their noise
# allows. ``optimizer="auto"`` takes no descent step here: it solves for the minimum directly. The
# closed form (of ridge only) and scipy's L-BFGS minimise the same objective.
falling = {"schedule": "cosine", "tol": None, "max_iter": 5000}
descents = {
    "gd, full batch": {"optimizer": "gd", "tol": 1e-8, "max_iter": 5000},
    "nesterov, full batch": {"optimizer": "nesterov", "tol": 1e-8, "max_iter": 5000},
    "adam, full batch": {"optimizer": "adam", **falling},
    "gd, batches of 32": {"optimizer": "gd", "batch_size": 32, **falling},
    "nesterov, batches of 32": {"optimizer": "nesterov", "batch_size": 32, **falling},
    "adam, batches of 32": {"optimizer": "adam", "batch_size": 32, **falling},
}
best_alpha = {
    penalty: max(alphas, key=lambda alpha: np.nanmax([found[penalty, alpha, r] for r in rates]))
    for penalty in penalties
}
fits = {}
for penalty, alpha in best_alpha.items():
    problem = {"penalty": penalty, "alpha": alpha}
    direct, *references = compare(GDRegressor(**problem, tol=1e-10), Z_train, y_train)
    least = references[0]
    print(f'\npenalty="{penalty}", alpha={alpha}; held against: {least.method}\n')
    print(f"{'method':24}  epochs  objective  difference  largest |d coef|  zeros")

    def report(name, theta, epochs, objective, least=least):
        """Print one line of the table."""
        print(
            f"{name:24}  {epochs:>6}  {objective:9.3f}  {objective - least.objective:+10.0e}  "
            f"{np.abs(theta - least.theta).max():16.0e}  {np.sum(theta == 0.0):5d}",
            flush=True,
        )

    for name, options in descents.items():
        model = GDRegressor(**problem, center=False, random_state=0, **options)
        model.fit(Z_train, y_train)
        fits[penalty, name] = model
        report(name, model.parameters(), model.n_iter_, model.loss_curve_[-1])
    report("direct solver", direct.theta, "-", direct.objective)
    for other in references:
        report(other.method, other.theta, "-", other.objective)

# %%
# Ridge shrinks, lasso selects
# ----------------------------
# The same alphas for both penalties, compared with scikit-learn. The alpha of Lasso is ours. Ridge
# sums the squared errors where we average them, so its alpha is n times ours.
path = np.logspace(-2, 2, 13)
peers = {
    "l1": lambda alpha: Lasso(alpha, tol=1e-10, max_iter=100_000),
    "l2": lambda alpha: Ridge(len(y_train) * alpha),
}
for penalty, peer in peers.items():
    print(f'\n{"":7}  penalty="{penalty}"{"":4}  scikit-learn{"":4}  largest')
    print("  alpha  zeros  test R2  zeros  test R2  |d coef|")
    for alpha in path:
        ours = GDRegressor(penalty=penalty, alpha=alpha, tol=1e-8).fit(Z_train, y_train)
        theirs = peer(alpha).fit(Z_train, y_train)
        line = f"{alpha:7.2f}"
        for model in (ours, theirs):
            line += f"  {np.sum(model.coef_ == 0.0):5d}  {model.score(Z_test, y_test):7.4f}"
        print(f"{line}  {np.abs(ours.coef_ - theirs.coef_).max():8.1e}")

# %%
# The picture: the scores of the search, the six descents on ridge's objective, and the ten
# coefficients over alpha. Ridge shrinks them; lasso sets one after the other to zero. Dots are
# scikit-learn's coefficients.


def draw(plt):
    """Draw the search, the loss curves, and the coefficients over alpha."""
    from skgd.displays import CoefficientPathDisplay, LearningRateDisplay, LossCurveDisplay

    fig, axes = plt.subplot_mosaic(
        [["search", "curves"], ["ridge", "lasso"]], figsize=(12, 9), layout="constrained"
    )
    LearningRateDisplay.from_search(search, parameter="alpha", ax=axes["search"])
    ridge = {name: fits["l2", name] for name in descents}
    LossCurveDisplay.from_estimators(
        ridge, Z_train, y_train, above_minimum=True, ax=axes["curves"]
    )
    axes["curves"].set_xscale("symlog", linthresh=1.0)
    axes["curves"].set_xlim(left=0.0)
    axes["ridge"].sharey(axes["lasso"])
    CoefficientPathDisplay.from_data(
        *(Z_train, y_train),
        alphas=np.logspace(-2, 2, 49),
        names=names,
        ax=[axes["ridge"], axes["lasso"]],
    )
    return fig


try:
    import matplotlib.pyplot as plt
except ImportError:
    print("\nNo picture: matplotlib is not installed.")
else:
    draw(plt).savefig("diabetes.png", dpi=120)
    print("\nThe picture is in diabetes.png.")
