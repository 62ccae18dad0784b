"""Parameters by name: parts from their tables, and the fields of parts behind two underscores."""

import inspect
import re
from functools import cache, lru_cache
from numbers import Integral
from types import NoneType
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from skgd.activations import ACTIVATIONS
from skgd.estimators._sklearn import StrOptions, check_parameters
from skgd.estimators.suggestions import meant_attribute, meant_field, meant_parameter, meant_value
from skgd.losses import ALL_LOSSES
from skgd.optimizers import OPTIMIZERS
from skgd.part import Part, is_number
from skgd.penalties import PENALTIES
from skgd.schedules import SCHEDULES

PLAIN = str, int, float, Part, NoneType  # values that do not change
TABLES = {
    "loss": ALL_LOSSES,
    "penalty": PENALTIES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "activation": ACTIVATIONS,
}


class NamedParts(BaseEstimator):
    """An abstract estimator whose parts are given by name or as they are.

    What it does not know, parameters, values and attributes, is answered with what was meant.
    """

    def __new__(cls, *args, **kwargs):
        known = _defaults(cls)
        unknown = [name for name in kwargs if name not in known]
        if unknown and _is_explicit(cls):
            raise TypeError(
                f"{cls.__name__}.__init__() got an unexpected keyword argument {unknown[0]!r}."
                f"{meant_parameter(unknown[0], list(known), TABLES)}"
            )
        return super().__new__(cls)

    def __getattr__(self, name):  # what is there does not come by here
        meant = ""
        if not name.startswith("_"):
            meant = meant_attribute(name, _attributes(type(self)), "loss_curve_" in vars(self))
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}.{meant}",
            name=name,
            obj=self,
        )

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep``, those of the parts too.

        Parameters
        ----------
        deep : bool, default=True
            Whether to list ``optimizer__beta`` and the like, also for parts given by name.

        Returns
        -------
        dict
        """
        params = {name: getattr(self, name) for name in _defaults(type(self))}
        for name in [name for name in TABLES if deep and name in params]:
            try:
                part = named_part(name, params[name], params)
            except (TypeError, ValueError):  # `fit` says what is wrong
                part = TABLES[name][params[name]]()
            inner = part.get_params() if isinstance(part, Part) else {}
            params |= {f"{name}__{field}": value for field, value in inner.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``optimizer__beta`` and the like change one field of a part.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self
        """
        own = {key: value for key, value in params.items() if "__" not in key}
        try:
            super().set_params(**own)
        except ValueError as error:
            known = _defaults(type(self))
            unknown = [name for name in own if name not in known]
            raise ValueError(
                f"{error}{meant_parameter(unknown[0], list(known), TABLES)}"
            ) from None
        for key in sorted(params.keys() - own.keys(), key=lambda key: key.count("__")):
            name, _, field = key.partition("__")
            if key not in self.get_params():
                valid = [k for k in self.get_params() if k.partition("__")[0] == name]
                raise ValueError(
                    f"Invalid parameter {field!r} for the {name!r} of {self!r}."
                    f"{self._meant_field(name, field)} "
                    f"Valid parameters are: {valid or sorted(self.get_params(deep=False))!r}."
                )
            changed = self.get_params(deep=False) | {field: params[key]}
            part = named_part(name, getattr(self, name), changed)
            setattr(self, name, part.replace(**{field: params[key]}))
            if field in _defaults(type(self)):  # else the two would be at odds
                setattr(self, field, params[key])
        return self

    def _meant_field(self, name, field):
        """Return a sentence on a field that the part of this name does not have."""
        known = list(_defaults(type(self)))
        if name not in TABLES:
            return "" if name in known else meant_parameter(name, known, TABLES)
        part = named_part(name, getattr(self, name), self.get_params(deep=False))
        return meant_field(name, field, part, TABLES)

    def _validate_params(self):
        """Check the parameters, as scikit-learn does, but for those that are their defaults."""
        cls, params = type(self), self.get_params(deep=False)
        given = {key: v for key, v in params.items() if v is not _defaults(cls)[key]}
        if all(isinstance(value, PLAIN) for value in given.values()):
            _check_plain(cls, tuple(given), *given.values())
        else:
            _check(cls, given)


@lru_cache(typed=True)
def _check_plain(cls, names, *values):
    """Check parameters whose values do not change, so that what is valid once remains so."""
    _check(cls, dict(zip(names, values)))


def _check(cls, given):
    """Check parameters of a class; the others have their defaults."""
    constraints, params = cls._parameter_constraints, _defaults(cls) | given
    for key in given:
        try:
            check_parameters(constraints, {key: params[key]}, cls.__name__)
        except ValueError as error:
            names = [n for c in constraints[key] if isinstance(c, StrOptions) for n in c.options]
            meant = meant_value(key, params[key], names, TABLES)
            raise type(error)(f"{error}{meant}") from None
    for kind in [kind for kind in TABLES if kind in params]:
        _check_shared(cls, kind, params)


def _check_shared(cls, kind, params):
    """Check the parameters that a part has as a field: they are its own, or have no effect."""
    part, name = params[kind], cls.__name__
    if isinstance(part, list | tuple):
        return
    if not isinstance(part, Part):
        fields = TABLES[kind][part]._fields if part in TABLES[kind] else ()  # none of "auto"
        missing = [f for f in fields if params.get(f, part) is None]
        if missing:
            raise ValueError(
                f"The {missing[0]!r} parameter of {name} must be a number with "
                f"{kind}={part!r}. Got None instead."
            )
        return
    for field in [field for field in part._fields if field in params]:
        own = params[field]
        usual = None, _defaults(cls)[field], getattr(part, field)
        if np.ndim(own) or own not in usual:
            raise ValueError(
                f"The {field!r} parameter of {name}, {own!r}, has no effect beside "
                f"{kind}={part!r}, which has its own. Set {kind}__{field}, or give {kind} by "
                "its name."
            )


def part_of(estimator, kind):
    """Return the part of one kind that an estimator has, by name or as it is."""
    params = vars(estimator)  # which get_params finds by inspection, at the cost of a small fit
    return named_part(kind, params[kind], params)


def named_part(kind, value, params):
    """Return the part that a name stands for, with the parameters that share its fields."""
    if not (value is None or isinstance(value, str)) or value not in TABLES[kind]:
        return value
    cls = TABLES[kind][value]
    fields = tuple(field for field in cls._fields if field in params) if cls._fields else ()
    values = [params[field] for field in fields]
    try:
        return _made(cls, fields, *values)
    except TypeError:  # not hashable, of which the part itself has more to say
        return cls(**dict(zip(fields, values)))


def plain(value):
    """Return a number as one of Python's: numpy's have other types to compiled code."""
    if type(value) in (int, float, bool, str, NoneType):
        return value
    if is_number(value, Integral):
        return int(value)
    return float(value) if is_number(value) else value


@lru_cache(typed=True)
def _made(cls, fields, *values):
    """Return the part with these fields, which is made once: parts do not change."""
    return cls(**dict(zip(fields, values)))


@cache
def _is_explicit(cls):
    """Whether a class names all of its parameters, as scikit-learn asks."""
    kinds = [p.kind for p in inspect.signature(cls.__init__).parameters.values()]
    return inspect.Parameter.VAR_KEYWORD not in kinds


@cache
def _attributes(cls):
    """Return the names of the attributes that a fit can set, by the docstring of the class."""
    text = inspect.getdoc(cls) or ""
    listed = re.search(r"\nAttributes\n-+\n(.*?)(?=\n\w[^\n]*\n---|$)", text, re.DOTALL)
    heads = re.findall(r"^[a-z]\w*_\b.*$", listed[1] if listed else "", re.MULTILINE)
    return {
        name for head in heads for name in re.findall(r"\b[a-z]\w*_\b", head.partition(":")[0])
    }


@cache
def _defaults(cls):
    """Return the parameters of a class and their defaults, which inspection finds too slowly."""
    found = inspect.signature(cls.__init__).parameters
    return {name: found[name].default for name in sorted(found.keys() - {"self"})}
