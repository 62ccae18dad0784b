"""Trains the candidates of a search that descend by the same rule together."""

from itertools import chain

import numpy as np
from numpy.random import RandomState

from skgd.estimators.minimizers import asked_of_a_descent, second_order_method
from skgd.estimators.nested_parameters import part_of, plain
from skgd.kernels.stacked_step import TILE
from skgd.losses import LOSSES
from skgd.optimizers import OPTIMIZERS
from skgd.penalties import PENALTIES
from skgd.schedules import SCHEDULES
from skgd.search.folds import Fold
from skgd.search.joint_descents import JointDescents
from skgd.search.joint_problem import rule_of
from skgd.search.trained import Trained

COMMON = (  # parameters that candidates have in common
    *("fit_intercept", "positive", "penalty_weights", "batch_size", "sampling", "clip_norm"),
    *("clip_value", "average", "max_iter", "tol", "n_iter_no_change", "init", "center"),
    "random_state",
)
LEAST = 2**20  # numbers that candidates may take in any case
COPIES = 2  # of the parameters of each, beside what a rule remembers: with their gradients
ALONE = "record_path", "early_stopping", "warm_start", "polish", "verbose"


def key_of(estimator):
    """Return what candidates have in common that descend together; None for one that cannot.

    They may differ in ``learning_rate``, ``alpha``, ``penalty``, ``l1_ratio`` and the fields of
    the rule. A rule, schedule, loss or penalty of a user's own is not joined.

    Parameters
    ----------
    estimator : GDRegressor
    """
    params = vars(estimator)
    if any(params[name] for name in ALONE) or second_order_method(estimator.optimizer):
        return None
    parts = [part_of(estimator, kind) for kind in ("loss", "schedule", "penalty")]
    loss, schedule, penalty = parts
    is_auto = isinstance(estimator.optimizer, str) and estimator.optimizer == "auto"
    if is_auto and not asked_of_a_descent(params, schedule, False, False):
        return None
    rule = rule_of(estimator)
    tables = (LOSSES, loss), (SCHEDULES, schedule), (PENALTIES, penalty), (OPTIMIZERS, rule)
    if any(type(part) not in table.values() for table, part in tables):
        return None
    if isinstance(estimator.random_state, RandomState):
        return None
    if rule.variance_reduced:
        return None
    rules = tuple(type(rule.resolved(full)) for full in (True, False))
    is_auto = estimator.learning_rate == "auto"
    return (is_auto, rules, loss, schedule, *(_frozen(params[name]) for name in COMMON))


def train(estimators, fold):
    """Return the `Trained` candidates, which have the same key, on the rows of a fold.

    Without a ``random_state``, one seed is drawn from numpy's global generator for all of them.

    Parameters
    ----------
    estimators : list of GDRegressor
    fold : Fold
    """
    first = estimators[0]
    if fold.form[0] > 1 and first.learning_rate == "auto" and not part_of(first, "loss").quadratic:
        return _by_target(estimators, fold)  # each has units of its own
    width = _at_once(first, fold)
    blocks = [estimators[k : k + width] for k in range(0, len(estimators), width)]
    return _joined([_trained(block, fold) for block in blocks])


def _trained(estimators, fold):
    """Return the `Trained` candidates of a block."""
    try:
        descents = JointDescents(estimators, fold)
    except ValueError as error:
        return _failed(estimators, fold, str(error))
    descents.advance(descents.max_iter)
    return descents.results()


def _at_once(estimator, fold):
    """Return how many candidates take no more memory than the data, but a tile in any case."""
    n_targets, p, _ = fold.form
    arrays = COPIES + max(rule_of(estimator).resolved(full).n_memory for full in (True, False))
    most = max(fold.entries, LEAST) // (arrays * n_targets * (p + 1))
    return max(TILE, most)


def _by_target(estimators, fold):
    """Return the `Trained` candidates for each target alone."""
    parts = []
    for k in range(fold.train.y.shape[1]):
        rows = fold.train.target(k)
        parts.append(train(estimators, Fold(rows, rows)))
    coef, intercept, failures, told, n_iter = zip(*parts)
    coef, intercept, n_iter = (np.concatenate(a, axis=1) for a in (coef, intercept, n_iter))
    failures = [next(filter(None, some), None) for some in zip(*failures)]
    told = ["\n".join(filter(None, some)) or None for some in zip(*told)]
    return Trained(coef, intercept, failures, told, n_iter)


def _joined(parts):
    """Return the `Trained` candidates of several blocks as one."""
    coef, intercept, failures, told, n_iter = zip(*parts)
    coef, intercept, n_iter = map(np.concatenate, (coef, intercept, n_iter))
    return Trained(coef, intercept, [*chain(*failures)], [*chain(*told)], n_iter)


def _failed(estimators, fold, sentence):
    """Return candidates none of which can be fitted."""
    C, (K, p, _) = len(estimators), fold.form
    theta, n_iter = np.zeros((C, K, p)), np.zeros((C, K), dtype=int)
    return Trained(theta, np.zeros((C, K)), [sentence] * C, [None] * C, n_iter)


def _frozen(value):
    """Return a value in a form that can be hashed."""
    if isinstance(value, dict):
        return tuple((name, _frozen(value[name])) for name in sorted(value))
    if value is None or np.ndim(value) == 0:
        return plain(value)
    array = np.asarray(value)
    return array.shape, array.dtype.str, array.tobytes()
