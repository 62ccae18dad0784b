"""Optimizers: rules that turn a gradient into a step."""

from skgd.optimizers.adam import Adam, AdamW, AMSGrad, Lion, NAdam
from skgd.optimizers.adaptive import AdaDelta, AdaGrad, Normalized, RMSProp
from skgd.optimizers.classical import GD, Momentum, Nesterov
from skgd.optimizers.contract import Optimizer
from skgd.optimizers.variance_reduced import SAGA, SVRG

OPTIMIZERS = Optimizer.named = {
    "gd": GD,
    "sgd": GD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "normalized": Normalized,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adadelta": AdaDelta,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": NAdam,
    "amsgrad": AMSGrad,
    "lion": Lion,
    "saga": SAGA,
    "svrg": SVRG,
}

__all__ = [
    "GD",
    "OPTIMIZERS",
    "SAGA",
    "SVRG",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Lion",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Normalized",
    "Optimizer",
    "RMSProp",
]
