"""Problems that several tests share."""

import numpy as np
import pytest

collect_ignore = ["data/freeze_torch.py", "data/freeze_torch_networks.py", "data/user_script.py"]


def make_regression(n=40, p=5, seed=0, noise=0.3, sparse_truth=False):
    """Return columns of uneven scale, and a target that is linear in them but for noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p) + rng.uniform(-0.5, 0.5, p)
    w = rng.standard_normal(p)
    if sparse_truth:
        w[p // 3 :] = 0.0
    return X, X @ w + 1.0 + noise * rng.standard_normal(n)


@pytest.fixture
def problem():
    """Return a small regression problem: X of shape (40, 5), and y."""
    return make_regression()
