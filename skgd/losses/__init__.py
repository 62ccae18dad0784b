"""Losses of a prediction ``f`` and its target ``y``."""

from skgd.losses.classification import CrossEntropy, LogLoss
from skgd.losses.contract import Loss
from skgd.losses.nonsmooth import AbsoluteError, EpsilonInsensitive, NonsmoothLoss, Quantile
from skgd.losses.smooth import Huber, Poisson, SquaredEpsilonInsensitive, SquaredError

LOSSES = {
    "squared_error": SquaredError,
    "huber": Huber,
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
    "absolute_error": AbsoluteError,
    "quantile": Quantile,
    "poisson": Poisson,
}

CLASS_LOSSES = {"log_loss": LogLoss}
ALL_LOSSES = Loss.named = LOSSES | CLASS_LOSSES

__all__ = [
    "ALL_LOSSES",
    "CLASS_LOSSES",
    "LOSSES",
    "AbsoluteError",
    "CrossEntropy",
    "EpsilonInsensitive",
    "Huber",
    "LogLoss",
    "Loss",
    "NonsmoothLoss",
    "Poisson",
    "Quantile",
    "SquaredEpsilonInsensitive",
    "SquaredError",
]
