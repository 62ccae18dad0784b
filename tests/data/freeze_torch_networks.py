"""Write the trajectories of torch's networks that the tests compare with.

Run as ``python tests/data/freeze_torch_networks.py`` where torch==2.13.0 is installed; the tests
themselves do not need it. A path holds, after every update: the weights of all layers, row by row
of inputs, then biases and shifts, then scales, then running means and variances.
"""

from pathlib import Path

import numpy as np
import torch
from freeze_torch import RULES
from torch import nn

BATCH, EPOCHS, N, P = 9, 13, 37, 4
WIDTHS = (6, 5)
ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
    "gelu": lambda: nn.GELU(approximate="tanh"),
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}
ALPHA = 0.01
NETWORKS = {  # the rule, the activations of both hidden layers, which are normalised, and the loss
    **{f"{rule}-normalised": (rule, ("tanh", "gelu"), (True, True), "squared") for rule in RULES},
    "adam-plain": ("adam", ("relu", "logistic"), (False, False), "squared"),
    "momentum-mixed": ("momentum", ("softplus", "leaky_relu"), (False, True), "squared"),
    "adam-two": ("adam", ("tanh", "gelu"), (True, True), "log"),
    "adam-three": ("adam", ("tanh", "gelu"), (True, True), "softmax"),
}
OUTPUTS = {"squared": 2, "log": 1, "softmax": 3}


def make_network(activations, normalised, outputs):
    """Return a network with random weights, biases, shifts and scales."""
    layers, widths = [], (P, *WIDTHS, outputs)
    for k, n, activation, flag in zip(widths, widths[1:], activations, normalised):
        layers += [nn.Linear(k, n, bias=not flag), *([nn.BatchNorm1d(n)] if flag else [])]
        layers.append(ACTIVATIONS[activation]())
    network = nn.Sequential(*layers, nn.Linear(WIDTHS[-1], outputs))
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.3 if parameter.ndim == 1 else 0.0, 0.5)
    return network


def flat(network):
    """Return all numbers of a network in the order of a path."""
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    norms = [layer for layer in network if isinstance(layer, nn.BatchNorm1d)]
    shifts = [layer.bias for layer in network if getattr(layer, "bias", None) is not None]
    statistics = [s for layer in norms for s in (layer.running_mean, layer.running_var)]
    pieces = [layer.weight.T for layer in linear] + shifts + [n.weight for n in norms]
    return torch.cat([one.detach().reshape(-1) for one in (*pieces, *statistics)]).numpy()


def losses(kind, outputs, y):
    """Return the mean loss of some rows."""
    if kind == "squared":
        return ((outputs - y) ** 2 / 2).sum(axis=1).mean()
    if kind == "log":
        return nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], y)
    return nn.functional.cross_entropy(outputs, y.long())


def descend(X, y, rule, activations, normalised, kind):
    """Return the path of a network over batches of rows as they stand."""
    network = make_network(activations, normalised, OUTPUTS[kind])
    optimizer, options = RULES[rule]
    weights = [one for one in network.parameters() if one.ndim == 2]
    others = [one for one in network.parameters() if one.ndim == 1]
    decoupled = rule == "adamw"
    groups = [{"params": weights}, {"params": others}]
    if decoupled:
        groups[0]["weight_decay"], groups[1]["weight_decay"] = ALPHA, 0.0
    run = optimizer(groups, **options)
    starts = [*range(0, N, BATCH)]
    if any(normalised):
        starts.pop()  # a last row alone joins the batch before
    path = [flat(network)]
    for _ in range(EPOCHS):
        for start, stop in zip(starts, [*starts[1:], N]):
            run.zero_grad()
            loss = losses(kind, network(X[start:stop]), y[start:stop])
            if not decoupled:
                loss = loss + ALPHA / 2 * sum((one**2).sum() for one in weights)
            loss.backward()
            run.step()
            path.append(flat(network))
    return np.array(path)


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, P))
    targets = {
        "squared": rng.standard_normal((N, 2)),
        "log": rng.integers(0, 2, N).astype(float),
        "softmax": rng.integers(0, 3, N).astype(float),
    }
    paths = {
        name: descend(torch.tensor(X), torch.tensor(targets[network[-1]]), *network)
        for name, network in NETWORKS.items()
    }
    file = Path(__file__).with_name("torch_networks.npz")
    np.savez_compressed(file, X=X, **targets, **paths)
    print(f"torch {torch.__version__}: {len(paths)} paths in {file.name}")
