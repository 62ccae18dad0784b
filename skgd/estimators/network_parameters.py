"""The parameters of a network: flat, and as the attributes of a fit, layer by layer."""

import numpy as np

from skgd.estimators.validation import numbers


def named_parameters(shape, theta):
    """Return the attributes that hold parameters."""
    weights, shifts, scales, means, variances = shape.split(theta)
    flags = [*shape.normalised, False]
    zeros = [np.zeros_like(shift) if flag else shift for shift, flag in zip(shifts, flags)]
    return {
        "coefs_": [W.copy() for W in weights],
        "intercepts_": [shift.copy() for shift in zeros],
        "scales_": [scale.copy() for scale in scales],
        "shifts_": [shift.copy() for shift, flag in zip(shifts, flags) if flag],
        "running_means_": [mean.copy() for mean in means],
        "running_variances_": [variance.copy() for variance in variances],
    }


def flat_parameters(shape, attributes):
    """Return theta from the attributes that hold parameters."""
    _check_shapes(shape, attributes)
    own, shifts = iter(attributes["shifts_"]), []
    for flag, intercept in zip([*shape.normalised, False], attributes["intercepts_"]):
        shifts.append(next(own) if flag else intercept)
    statistics = zip(attributes["running_means_"], attributes["running_variances_"])
    pieces = [*(W.ravel() for W in attributes["coefs_"]), *shifts, *attributes["scales_"]]
    pieces += [piece for pair in statistics for piece in pair]
    return np.concatenate([np.ravel(piece) for piece in pieces])


def _check_shapes(shape, attributes):
    """Refuse attributes that are not of the shape."""
    for name, known in named_parameters(shape, np.zeros(shape.n_parameters)).items():
        asked, found = [*map(np.shape, known)], [*map(np.shape, attributes[name])]
        if found != asked:
            raise ValueError(
                f"{name} has the shapes {found}; hidden_layer_sizes and batch_norm ask for "
                f"{asked}. Fit anew."
            )


def given_parameters(init, shape):
    """Return the start that ``init`` gives: a dict of the attributes, or all parameters."""
    if not isinstance(init, dict):
        d = shape.n_parameters
        return numbers(init, "init", {(d,): "all parameters in the order of `objective`"})
    theta = np.zeros(shape.n_parameters)
    known = named_parameters(shape, theta)
    for name in ("scales_", "running_variances_"):
        known[name] = [np.ones_like(one) for one in known[name]]
    for key, value in init.items():
        name = f"{key}_"
        if name not in known:
            names = ", ".join(one.rstrip("_") for one in known)
            raise ValueError(f"init must give some of {names} by name. Got {key!r}.")
        if len(value) != len(known[name]):
            raise ValueError(f"init[{key!r}] must have {len(known[name])} arrays.")
        known[name] = [
            numbers(one, f"init[{key!r}]", {before.shape: "those of a layer"})
            for one, before in zip(value, known[name])
        ]
    return flat_parameters(shape, known).astype(float)
