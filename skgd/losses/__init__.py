"""Losses of a prediction ``f`` and its target ``y``."""

from skgd.losses.contract import Loss
from skgd.losses.nonsmooth import AbsoluteError, EpsilonInsensitive, NonsmoothLoss, Quantile
from skgd.losses.smooth import Huber, Poisson, SquaredEpsilonInsensitive, SquaredError

LOSSES = Loss.named = {
    "squared_error": SquaredError,
    "huber": Huber,
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
    "absolute_error": AbsoluteError,
    "quantile": Quantile,
    "poisson": Poisson,
}

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "EpsilonInsensitive",
    "Huber",
    "Loss",
    "NonsmoothLoss",
    "Poisson",
    "Quantile",
    "SquaredEpsilonInsensitive",
    "SquaredError",
]
