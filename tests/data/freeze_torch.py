"""Write the trajectories of torch.optim that the tests compare with.

Run as ``python tests/data/freeze_torch.py`` where torch==2.13.0 is installed; the tests
themselves do not need it.
"""

from pathlib import Path

import numpy as np
import torch

STEPS = 50
PENALTIES = {"plain": 0.0, "l2": 0.3}
RULES = {
    "gd": (torch.optim.SGD, {"lr": 0.1}),
    "momentum": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    "adagrad": (torch.optim.Adagrad, {"lr": 0.3, "eps": 1e-7}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.02, "alpha": 0.9, "eps": 1e-8}),
    "adadelta": (torch.optim.Adadelta, {"lr": 1.0, "rho": 0.9, "eps": 1e-6}),
    "adam": (torch.optim.Adam, {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8}),
    "adamw": (torch.optim.AdamW, {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-8}),
    "nadam": (torch.optim.NAdam, {"lr": 0.1, "betas": (0.9, 0.999), "momentum_decay": 0.004}),
    "amsgrad": (torch.optim.Adam, {"lr": 0.2, "betas": (0.7, 0.9), "amsgrad": True}),
}


def make_problem(seed=0, n=30, p=4):
    """Return X, y, weights and a start for the coefficients and, last, the intercept."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * [1.0, 2.0, 0.5, 1.0] + [0.0, 1.0, 0.0, -0.5]
    y = X @ [1.0, -0.5, 2.0, 0.0] + 3.0 + 0.1 * rng.standard_normal(n)
    return X, y, rng.uniform(0.0, 2.0, n), rng.standard_normal(p + 1)


def descend(rule, X, y, weight, start, alpha):
    """Return the parameters at the start and after each step."""
    optimizer, options = RULES[rule]
    X, y, weight = (torch.tensor(array) for array in (X, y, weight))
    w = torch.tensor(start[:-1], requires_grad=True)
    b = torch.tensor(start[-1:], requires_grad=True)
    groups = [{"params": [w]}, {"params": [b]}]
    if rule == "adamw":
        groups[0]["weight_decay"], groups[1]["weight_decay"] = alpha, 0.0
    run = optimizer(groups, **options)
    path = [np.append(w.detach().numpy(), b.detach().numpy())]
    for _ in range(STEPS):
        run.zero_grad()
        loss = (weight * (X @ w + b - y) ** 2 / 2).sum() / weight.sum()
        if rule != "adamw":
            loss = loss + alpha * (w @ w) / 2
        loss.backward()
        run.step()
        path.append(np.append(w.detach().numpy(), b.detach().numpy()))
    return np.array(path)


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)  # NAdam keeps a product in it
    X, y, weight, start = make_problem()
    paths = {
        f"{rule}-{penalty}-{kind}": descend(rule, X, y, s, start, alpha)
        for rule in RULES
        for penalty, alpha in PENALTIES.items()
        for kind, s in {"even": np.ones_like(y), "weighted": weight}.items()
    }
    file = Path(__file__).with_name("torch_trajectories.npz")
    np.savez_compressed(file, X=X, y=y, weight=weight, start=start, **paths)
    print(f"torch {torch.__version__}: {len(paths)} trajectories of {STEPS} steps in {file.name}")
