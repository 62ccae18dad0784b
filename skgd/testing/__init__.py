"""Checks of parts of your own: each raises an `AssertionError` that names the law that is broken.

A part is tried as the descent uses it, one row or one coordinate at a time: as ordinary Python,
and compiled. The tables of skgd are held to the same laws.
"""

from skgd.testing.activations import check_activation
from skgd.testing.losses import check_loss
from skgd.testing.models import check_model
from skgd.testing.optimizers import check_optimizer
from skgd.testing.penalties import check_penalty
from skgd.testing.schedules import check_schedule

__all__ = [
    "check_activation",
    "check_loss",
    "check_model",
    "check_optimizer",
    "check_penalty",
    "check_schedule",
]
