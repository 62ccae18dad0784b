"""scikit-learn's own checks, for the defaults and for one instance of every entry of a table."""

import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgd import GDGaborRegressor, GDRegressor
from skgd.optimizers import OPTIMIZERS
from skgd.penalties import PENALTIES

# A rule that takes steps of one length bounces about the minimum unless the rate falls, and
# then a check's two ways to the same minimum end apart by that length.
SETTLED = {"rmsprop": {"penalty": "l1", "alpha": 0.01}, "nadam": {"schedule": "cosine"}}

WHOLE = [
    GDRegressor(),
    *(GDRegressor(optimizer=name, **SETTLED.get(name, {})) for name in OPTIMIZERS),
    *(GDRegressor(penalty=name, alpha=0.01) for name in PENALTIES),
]
PACKETS = [
    GDGaborRegressor(),
    GDGaborRegressor(fit_amplitude=True, fit_width=True, fit_baseline=True),
]
BATCHES = [GDRegressor(batch_size=8), GDRegressor(batch_size=1)]


def of_batches(estimator):
    """Return what mini-batches cannot do: a row given twice is drawn twice as often."""
    return (
        {
            f"check_sample_weight_equivalence_on_{kind}_data": "the batches are others"
            for kind in ("dense", "sparse")
        }
        if estimator.batch_size
        else {}
    )


@pytest.mark.slow
@parametrize_with_checks([*WHOLE, *PACKETS, *BATCHES], expected_failed_checks=of_batches)
def test_scikit_learn_approves_of(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)
