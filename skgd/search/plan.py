"""Which candidates of a search are trained together: those with the same steps before them, of
which one trainer says that they have the same key."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skgd.estimators._sklearn import CAN_SEARCH, are_valid, has_callbacks
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.regressor import GDRegressor
from skgd.part import is_number
from skgd.search import alphas, descents, fits


class Trainer(NamedTuple):
    """What trains candidates together, as the contract in `skgd.search.trained` says.

    Attributes
    ----------
    key_of, train : callable
    least : int
        Candidates, fewer of which are faster fitted alone.
    """

    key_of: Callable
    train: Callable
    least: int


FOREIGN = "another estimator, or a class of a user's own"
FITS = "fits"  # of their own, which share the steps before

# By what the plan calls them, in the order in which they are asked.
TRAINERS = {
    "alphas": Trainer(alphas.key_of, alphas.train, 1),
    "descents": Trainer(descents.key_of, descents.train, 2),
}

ASKED = {  # what only a fit of its own can honour
    "record_path": "record_path stores every epoch",
    "early_stopping": "early stopping holds rows out",
    "warm_start": "warm_start goes on from a fit of its own",
    "verbose": "verbose prints every epoch",
}


class Group(NamedTuple):
    """Candidates of a search that are trained in the same way.

    Attributes
    ----------
    candidates : ndarray of int
        Their numbers, the rows of ``cv_results_``.
    trainer : str or None
        What trains them together; None where each is fitted alone.
    reason : str
        Why they are fitted alone; empty where they are trained together.
    n_alone : int
        Fits that were done alone, as the joint one has raised an error, for scikit-learn to tell.
    """

    candidates: np.ndarray
    trainer: str | None
    reason: str
    n_alone: int = 0


class SearchPlan(tuple):
    """The groups of a search, those that are trained together first; printed as a table."""

    __slots__ = ()

    @property
    def n_joined(self) -> int:
        """The number of candidates that are trained together with others."""
        return sum(len(group.candidates) for group in self if group.trainer)

    def after(self, alone):
        """Return the plan as it was carried out.

        Parameters
        ----------
        alone : ndarray of int
            The candidate of each fit that was done alone.
        """
        counts = [int(np.isin(alone, group.candidates).sum()) for group in self]
        return SearchPlan(group._replace(n_alone=count) for group, count in zip(self, counts))

    def __repr__(self):
        lines = ["candidates  trained by"]
        for group in self:
            how = group.trainer or f"a fit of its own: {group.reason}"
            if group.trainer and group.n_alone:
                how += f", but for {group.n_alone} fits that failed"
            lines.append(f"{len(group.candidates):10d}  {how}")
        return "\n".join(lines)


class Member(NamedTuple):
    """A candidate of a joined group.

    Attributes
    ----------
    index : int
    model : GDRegressor
        With the candidate's parameters.
    """

    index: int
    model: GDRegressor


class Head(NamedTuple):
    """One setting of the steps before the regressor, and the groups that follow it.

    Attributes
    ----------
    estimator : GDRegressor or Pipeline
        With these settings.
    groups : list of (callable, list of Member)
        What trains them, and candidates.
    """

    estimator: Any
    groups: list


def model_of(estimator):
    """Return the regressor in which an estimator ends: itself, or the last step of a pipeline."""
    return estimator[-1] if type(estimator) is Pipeline else estimator


def can_join(estimator):
    """Whether an estimator is one whose candidates may be trained together.

    A class of a user's own may do anything, and callbacks are told of every fit and epoch.
    """
    steps = [estimator]
    if type(estimator) is Pipeline and estimator.steps:
        steps += [step for _, step in estimator.steps]
    return CAN_SEARCH and type(steps[-1]) is GDRegressor and not any(map(has_callbacks, steps))


def plan_search(estimator, candidates, joins_few=False):
    """Return how the candidates of a search are trained.

    Parameters
    ----------
    estimator : GDRegressor, or Pipeline that ends in one
    candidates : list of dict
    joins_few : bool, default=False
        Whether also those are joined that are faster fitted alone.

    Returns
    -------
    heads : list of Head
        Only of candidates that are joined, or that share the steps before.
    plan : SearchPlan
    """
    heads, known, joined, alone, trainers = {}, {}, {}, {}, {}
    for index, params in enumerate(candidates):
        try:
            head_key, model = _divided(estimator, params, heads)
            if head_key not in known:
                known[head_key] = can_join(heads[head_key])
            name, key = _trainer_of(model, trainers) if known[head_key] else (None, FOREIGN)
            hash(key)  # which a part of a user's own may not have
        except Exception as error:  # which the fit of its own raises too
            name, key = None, f"{type(error).__name__} when its parameters are set"
        if name is None:
            alone.setdefault(key, []).append(index)
        else:
            joined.setdefault((head_key, name, key), []).append(Member(index, model))
    able = [] if joins_few else [k for k in joined if k[1] != FITS]
    few = [k for k in able if len(joined[k]) < TRAINERS[k[1]].least]
    for key in few:
        lone = key[0], FITS, "no other is trained like it"
        joined.setdefault(lone, []).extend(joined.pop(key))
    found = {head_key: Head(heads[head_key], []) for head_key, _, _ in joined}
    groups = []
    for (head_key, name, key), members in joined.items():
        indices = [member.index for member in members]
        if name != FITS:
            groups.append(Group(np.array(indices), name, ""))
            found[head_key].groups.append((TRAINERS[name].train, members))
            continue
        alone.setdefault(key, []).extend(indices)
        if type(estimator) is Pipeline and len(members) > 1:
            found[head_key].groups.append((fits.train, members))
    groups += [Group(np.array(sorted(numbers)), None, why) for why, numbers in alone.items()]
    return [head for head in found.values() if head.groups], SearchPlan(groups)


def _divided(estimator, params, heads):
    """Return the key of the steps before a candidate's regressor, and the regressor.

    Parameters
    ----------
    estimator : GDRegressor or Pipeline
    params : dict
    heads : dict of estimators
        By their keys; one that is new is added.
    """
    prefix = f"{estimator.steps[-1][0]}__" if type(estimator) is Pipeline else ""
    inner = {key: value for key, value in params.items() if key.startswith(prefix)}
    outer = {key: params[key] for key in sorted(params.keys() - inner.keys())}
    head_key = tuple((key, _identity(value)) for key, value in outer.items())
    if head_key not in heads:
        head = clone(estimator)
        heads[head_key] = head.set_params(**clone(outer, safe=False)) if outer else head
    head = heads[head_key]
    if prefix and head.steps[-1][0] + "__" != prefix:
        raise ValueError("The last step has another name.")
    model = copied(model_of(head))
    own = {key[len(prefix) :]: value for key, value in inner.items()}
    if own.keys() <= vars(model).keys() and all(map(_is_plain, own.values())):
        vars(model).update(own)  # as set_params does, which looks up many others
        return head_key, model
    return head_key, model.set_params(**clone(own, safe=False))


def _is_plain(value):
    """Whether a value is a number, a name or nothing, which may be shared."""
    return value is None or isinstance(value, str | bool) or is_number(value)


def _identity(value):
    """Return what equal settings of a step have in common."""
    return repr(value) if _is_plain(value) else id(value)


def _trainer_of(model, known):
    """Return the name of what can train a candidate with others, and the key of those others.

    For one that is fitted alone the reason, after FITS if the steps before may be shared, or None.

    Parameters
    ----------
    model : GDRegressor
    known : dict
        The same of models before, for others that differ from them in alpha alone.
    """
    if type(model.alpha) not in (float, np.float64) or not 0.0 <= model.alpha < np.inf:
        return _found_trainer(model)
    alike = tuple(map(id, {**vars(model), "alpha": None}.values()))
    if alike not in known:
        known[alike] = _found_trainer(model), model  # which keeps the ids of its values
    return known[alike][0]


def _found_trainer(model):
    if not are_valid(model):
        return None, "parameters that are not valid"
    for name in [name for name in ASKED if vars(model)[name]]:
        return FITS, ASKED[name]
    for name, trainer in TRAINERS.items():
        key = trainer.key_of(model)
        if key is not None:
            return name, (key, part_of(model, "loss"))
    return FITS, "no trainer takes its settings"


def copied(estimator, cls=None):
    """Return an estimator with the same attributes, of a class of its own if one is given."""
    cls = type(estimator) if cls is None else cls
    copy = cls.__new__(cls)
    vars(copy).update(vars(estimator))
    return copy
