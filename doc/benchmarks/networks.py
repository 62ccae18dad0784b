"""How long an epoch of a network takes in one thread, beside torch and scikit-learn.

All run the same number of epochs over 10,000 rows in random order at the same rate, with relu and
no penalty. "times as fast" compares processor time with torch's optimizer of one fused step and
with scikit-learn, which has no normalisation. Where torch is not installed its columns are empty.

    OMP_NUM_THREADS=1 python doc/benchmarks/networks.py [--quick] [SIZES ...]
"""

import sys
import time
import warnings
from itertools import pairwise

import numpy as np
from clock import per_epoch
from machine import heading, stay_in_one_thread, table
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skgd import GDMLPClassifier, GDMLPRegressor

try:
    import torch
    from torch import nn
except ImportError:
    torch = None

NETWORKS = {  # columns, hidden layers, outputs
    "10-64-1": (10, (64,), 1),
    "10-64-64-1": (10, (64, 64), 1),
    "100-256-256-1": (100, (256, 256), 1),
    "784-128-10": (784, (128,), 10),
}
GOALS = {  # times as fast as torch and scikit-learn, for the networks in turn
    1: ("150 / 80", "35 / 20", "5 / 7", "4 / 7"),
    32: ("45 / 28", "14 / 9", "2.7 / 3.7", "2.3 / 3.8"),
    256: ("9 / 7", "4 / 3.5", "1.6 / 1.9", "1.4 / 1.8"),
    None: ("4 / 2", "2 / 1.5", "1.1 / 1.3", "0.9 / 1.2"),
}
NORMALISED = {32: ("35", "13", "2.2", "2.3")}
N_ROWS, ROUNDS, RATE = 10_000, 5, 1e-4


def make_rows(n, columns, outputs, dtype):
    """Return standard normal columns, and a target or classes that depend on them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, columns)).astype(dtype)
    f = X @ rng.standard_normal((columns, outputs)).astype(dtype) / np.sqrt(columns)
    return X, np.tanh(f[:, 0]) if outputs == 1 else f.argmax(axis=1)


def ours(X, y, hidden, rule, batch, normalised):
    """Return what runs our network for some epochs."""
    cls = GDMLPClassifier if y.dtype.kind == "i" else GDMLPRegressor
    options = dict(batch_size=batch, optimizer=rule, batch_norm=normalised, penalty=None)

    def fit(epochs):
        model = cls(hidden, learning_rate=RATE, tol=None, random_state=0, **options)
        model.set_params(max_iter=epochs).fit(X, y)

    return fit


def sklearn(X, y, hidden, rule, batch):
    """Return what runs scikit-learn's network for some epochs."""
    cls = MLPClassifier if y.dtype.kind == "i" else MLPRegressor
    solver = {"adam": "adam", "momentum": "sgd"}[rule]
    options = dict(batch_size=batch or len(y), solver=solver, alpha=0.0, learning_rate_init=RATE)

    def fit(epochs):
        model = cls(
            hidden_layer_sizes=hidden,
            tol=0.0,
            n_iter_no_change=10**6,
            nesterovs_momentum=False,
            **options,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.set_params(max_iter=epochs, random_state=0).fit(X, y)

    return fit


def torch_network(X, y, hidden, rule, batch, normalised):
    """Return what runs torch's network for some epochs."""
    classes = y.dtype.kind == "i"
    widths = (X.shape[1], *hidden, int(y.max()) + 1 if classes else 1)
    rows, targets = torch.tensor(X), torch.tensor(y if classes else y[:, None].astype(X.dtype))
    size, loss_of = batch or len(y), nn.CrossEntropyLoss() if classes else nn.MSELoss()

    def fit(epochs):
        layers = []
        for k, n in pairwise(widths[:-1]):
            layers += [nn.Linear(k, n, bias=not normalised)]
            layers += [nn.BatchNorm1d(n), nn.ReLU()] if normalised else [nn.ReLU()]
        network = nn.Sequential(*layers, nn.Linear(*widths[-2:])).to(rows.dtype)
        parameters = network.parameters()
        if rule == "adam":
            optimizer = torch.optim.Adam(parameters, lr=RATE, fused=True)
        else:
            optimizer = torch.optim.SGD(parameters, lr=RATE, momentum=0.9, fused=True)
        for _ in range(epochs):
            order = torch.randperm(len(rows))
            for start in range(0, len(rows), size):
                chosen = order[start : start + size]
                optimizer.zero_grad()
                loss_of(network(rows[chosen]), targets[chosen]).backward()
                optimizer.step()

    return fit


def race(name, rule, batch, quick):
    """Return the lines of the table for one network, rule and size of batches."""
    columns, hidden, outputs = NETWORKS[name]
    n = N_ROWS // (50 if batch == 1 else 5) if quick else N_ROWS
    fits = {}
    for normalised in (False, True) if batch != 1 else (False,):
        for dtype in ("float64", "float32"):
            X, y = make_rows(n, columns, outputs, dtype)
            case = X, y, hidden, rule, batch
            more = 10 if batch is None or batch > 100 else 2
            fits["ours", dtype, normalised] = ours(*case, normalised), 5 * more
            if torch is not None:
                fits["torch", dtype, normalised] = torch_network(*case, normalised), more
            if not normalised:
                fits["sklearn", dtype, normalised] = sklearn(*case), more
    found = {case: time for case, (time, _) in per_epoch(fits, 3 if quick else ROUNDS).items()}
    place, lines = [*NETWORKS].index(name), []
    for (who, dtype, normalised), seconds in found.items():
        if who != "ours":
            continue
        others = [found.get((peer, dtype, normalised)) for peer in ("torch", "sklearn")]
        ratios = ["" if other is None else f"{other / seconds:.1f}" for other in others]
        double = found[who, "float64", normalised] / seconds
        goals = (NORMALISED if normalised else GOALS).get(batch)
        goal = goals[place] if goals and dtype == "float64" and rule == "adam" else ""
        words = f"{name}, {batch or 'full'}, {rule}{', normalised' if normalised else ''}"
        cells = f"{1e3 * seconds * N_ROWS / n:.1f}", *ratios, goal, f"{double:.2f}"
        lines.append((f"{words}, {dtype}", *cells))
    return lines


def first_fit():
    """Return the seconds of a first fit in this process, which compiles or loads what is kept."""
    X, y = make_rows(200, 10, 1, "float64")
    begin = time.perf_counter()
    ours(X, y, (64,), "adam", 32, False)(2)
    return time.perf_counter() - begin


def main():
    """Race all networks, or those that are named, and print the table."""
    stay_in_one_thread()
    if torch is not None:
        torch.set_num_threads(1)
    quick = "--quick" in sys.argv
    named = [name for name in sys.argv[1:] if name in NETWORKS] or [*NETWORKS]
    print(heading("Networks in one thread"))
    print(f"The first fit takes {first_fit():.2f} s.\n")
    lines = []
    for name in named:
        for batch in GOALS:
            for rule in ("adam",) if quick else ("adam", "momentum"):
                lines += race(name, rule, batch, quick)
    head = ("", "ms per epoch", "times torch", "times scikit-learn", "goal", "times float64")
    print(table(head, lines))


if __name__ == "__main__":
    main()
