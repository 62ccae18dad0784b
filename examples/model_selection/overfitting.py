"""
Overfitting: polynomial degree, ridge penalty and held-out error
================================================================

A curve with as many parameters as points can pass through all of them and be wrong everywhere
else. A line with two parameters is too simple for the truth. The error on held-out points shows
both. As a function of the penalty it has a minimum in between.
"""

# %%
# Twenty noisy points of a sine, fitted by a line and by two Chebyshev polynomials of degree 15,
# one with a weak penalty and one with a better penalty.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skgd import GDRegressor
from skgd.displays import FitDisplay

rng = np.random.default_rng(3)
X, X_new = rng.uniform(-1.0, 1.0, (20, 1)), rng.uniform(-1.0, 1.0, (500, 1))
y, y_new = (np.sin(4.0 * Z[:, 0]) + rng.normal(0.0, 0.3, len(Z)) for Z in (X, X_new))


def polynomial(degree, alpha):
    """Return a polynomial of this degree, whose constant is the intercept."""
    powers = FunctionTransformer(
        lambda Z: np.polynomial.chebyshev.chebvander(Z[:, 0], degree)[:, 1:]
    )
    return make_pipeline(powers, GDRegressor(alpha=alpha, tol=1e-6, max_iter=100_000))


fits = {
    "line": polynomial(1, 0.0).fit(X, y),
    "degree 15, alpha = 1e-6": polynomial(15, 1e-6).fit(X, y),
    "degree 15, alpha = 0.01": polynomial(15, 0.01).fit(X, y),
}


def error(model, X, y):
    """Return the mean square of the error."""
    return np.mean((model.predict(X) - y) ** 2)


for name, fit in fits.items():
    print(f"{name:24} training error {error(fit, X, y):.3f}, ", end="")
    print(f"held-out error {error(fit, X_new, y_new):.3f}")
display = FitDisplay.from_estimators(fits, X, y)
display.ax_.set_ylim(-2.2, 2.2)

# %%
# The noise alone has a mean square of 0.09. When alpha is too small, the polynomial learns the
# noise. When alpha is too large, it cannot learn the sine.
alphas = np.logspace(-6.0, 1.0, 29)
models = [polynomial(15, alpha).fit(X, y) for alpha in alphas]
seen, held_out = ([error(m, *rows) for m in models] for rows in ((X, y), (X_new, y_new)))
print(f"smallest held-out error at alpha = {alphas[np.argmin(held_out)]:.3f}")

fig, ax = plt.subplots(figsize=(6.0, 3.8), layout="constrained")
ax.loglog(alphas, seen, "--", color="#D55E00", lw=2, label="training points")
ax.loglog(alphas, held_out, color="#0072B2", lw=2, label="held-out points")
ax.axhline(0.09, color="0.6", lw=1)
ax.annotate("noise", (1e-6, 0.09), (0, 3), textcoords="offset points", color="0.4")
ax.set(xlabel="alpha (l2)", ylabel="mean square of the error")
fig.legend(handles=ax.get_lines()[:2], loc="outside lower center", ncols=2)
plt.show()
