"""What a user writes: checked by a type checker, and run."""

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from skgd import GDGaborRegressor, GDRegressor, JointGridSearchCV, path
from skgd.datasets import make_gabor
from skgd.displays import CoefficientPathDisplay, LossCurveDisplay, StepDisplay
from skgd.losses import Huber, Loss
from skgd.optimizers import SVRG, Adam, Nesterov, Optimizer
from skgd.penalties import ElasticNet, Penalty
from skgd.reference import compare, lbfgs
from skgd.schedules import Cosine, Schedule, WarmUp
from skgd.testing import check_loss, check_optimizer, check_penalty, check_schedule

Vector = NDArray[np.float64]


class Scaled(Optimizer):
    """Gradient descent at a share of the rate."""

    share: float = 0.5
    ranges = {"share": "(0, 1]"}

    def step(self, g: float, memory: Vector, j: int, shared: float) -> tuple[float, float]:
        return g, self.share


class Lopsided(Penalty):
    """``Omega = w`` for a positive weight, ``-rise w`` for a negative one."""

    rise: float = 2.0

    def value(self, w: float) -> float:
        return w if w > 0.0 else -self.rise * w

    def prox(self, w: float, step: float) -> float:
        if w > step:
            return w - step
        return w + self.rise * step if w < -self.rise * step else 0.0 * w


class HalfSquare(Loss):
    curvature = 1.0

    def value(self, f: float, y: float) -> float:
        return 0.5 * (f - y) * (f - y)

    def slope(self, f: float, y: float) -> float:
        return f - y


class Halving(Schedule):
    per: str = "epoch"

    def multiplier(self, k: Vector) -> Vector:
        return 0.5**k


def fits(X: Vector, y: Vector) -> Vector:
    rule: Optimizer = Adam(0.8, beta2=0.99).replace(eps=1e-6)
    model = GDRegressor(
        loss=Huber(epsilon=1.0),
        penalty=ElasticNet(l1_ratio=0.3),
        alpha=0.01,
        optimizer=rule,
        schedule=WarmUp(5, then=Cosine()),
        learning_rate=0.1,
        batch_size=8,
        max_iter=20,
        tol=None,
        random_state=0,
    )
    first: Vector = model.fit(X, y, sample_weight=np.ones(len(y))).predict(X)
    own = GDRegressor("poisson" if y.min() > 0 else HalfSquare(), penalty=Lopsided())
    second: Vector = own.set_params(optimizer=Scaled(share=0.7)).fit(X, y).predict(X)
    third: Vector = GDRegressor(optimizer=SVRG(), batch_size=1).partial_fit(X, y).predict(X)
    return np.stack([first, second, third])


def wave(n: int) -> float:
    X, y = make_gabor(n_samples=n, noise=0.0, random_state=0)
    model = GDGaborRegressor(optimizer=Nesterov(beta=None), n_init=3, random_state=0).fit(X, y)
    return float(np.abs(model.predict(X) - y).max())


def pictures(X: Vector, y: Vector) -> None:
    model = GDRegressor(optimizer="adam", max_iter=5, tol=None).fit(X, y)
    LossCurveDisplay.from_estimator(model).plot()
    StepDisplay.from_schedules(["cosine", Cosine(horizon=20)], n_epochs=30)
    CoefficientPathDisplay.from_data(X, y, penalties=("l1",), check=False)
    plt.close("all")


def search(X: Vector, y: Vector) -> int:
    found = JointGridSearchCV(GDRegressor(), {"alpha": [0.1, 1.0]}, halving=[2], cv=3).fit(X, y)
    return found.plan_.n_joined


def main() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    y = X @ np.array([1.0, -2.0, 0.0]) + 0.1 * rng.standard_normal(40)
    assert fits(X, y).shape == (3, 40)
    assert search(X, y) == 2
    assert wave(30) < 1e-3
    pictures(X, y)
    print(path(X, y, n_alphas=4).coefs.shape)
    model = GDRegressor(tol=1e-8).fit(X, y)
    print(lbfgs(model.objective(X, y)).theta.round(2), compare(model, X, y))
    check_optimizer(Scaled())
    check_penalty(Lopsided(), compiled=False)
    check_loss(HalfSquare(), compiled=False)
    check_schedule(Halving(), max_iter=20)


if __name__ == "__main__":
    main()
