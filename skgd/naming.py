"""Parameters by name: parts from their tables, and the fields of parts behind two underscores."""

import inspect
from functools import cache, lru_cache
from numbers import Integral

from sklearn.base import BaseEstimator

from skgd._sklearn import check_parameters
from skgd.losses import LOSSES
from skgd.optimizers import OPTIMIZERS
from skgd.part import Part, is_number
from skgd.penalties import PENALTIES
from skgd.schedules import SCHEDULES

TABLES = {"loss": LOSSES, "penalty": PENALTIES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}


class NamedParts(BaseEstimator):
    """An abstract estimator whose parts are given by name or as they are."""

    def get_params(self, deep=True):
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
                part = self._part(name, params[name], params)
            except (TypeError, ValueError):  # `fit` says what is wrong
                part = TABLES[name][params[name]]()
            inner = part.get_params() if isinstance(part, Part) else {}
            params |= {f"{name}__{field}": value for field, value in inner.items()}
        return params

    def set_params(self, **params):
        """Set parameters; ``optimizer__beta`` and the like change one field of a part.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self
        """
        own = {key: value for key, value in params.items() if "__" not in key}
        super().set_params(**own)
        for key in sorted(params.keys() - own.keys(), key=lambda key: key.count("__")):
            name, _, field = key.partition("__")
            if key not in self.get_params():
                valid = [k for k in self.get_params() if k.partition("__")[0] == name]
                raise ValueError(
                    f"Invalid parameter {field!r} for the {name!r} of {self!r}. "
                    f"Valid parameters are: {valid or sorted(self.get_params(deep=False))!r}."
                )
            part = self._part(name, getattr(self, name), self.get_params(deep=False))
            setattr(self, name, part.replace(**{field: params[key]}))
        return self

    def _validate_params(self):
        """Check the parameters, as scikit-learn does, but for those that are their defaults."""
        params, defaults = self.get_params(deep=False), _defaults(type(self))
        changed = {name: params[name] for name in params if params[name] is not defaults[name]}
        check_parameters(self._parameter_constraints, changed, type(self).__name__)

    def _part(self, kind, value, params):
        """Return the part that a name stands for, with the parameters that share its fields."""
        if not (value is None or isinstance(value, str)) or value not in TABLES[kind]:
            return value
        cls = TABLES[kind][value]
        fields = [field for field in cls._fields if field in params]
        values = [params[field] for field in fields]
        try:
            return _made(cls, tuple(fields), *values)
        except TypeError:  # not hashable, of which the part itself has more to say
            return cls(**dict(zip(fields, values)))

    def _parts(self):
        """Return the four parts by name."""
        return {kind: self._named(kind) for kind in TABLES}

    def _named(self, kind):
        """Return the part of one kind."""
        params = vars(self)  # which get_params finds by inspection, at the cost of a small fit
        return self._part(kind, params[kind], params)


def plain(value):
    """Return a number as one of Python's: numpy's have other types to compiled code."""
    if is_number(value, Integral):
        return int(value)
    return float(value) if is_number(value) else value


@lru_cache(typed=True)
def _made(cls, fields, *values):
    """Return the part with these fields, which is made once: parts do not change."""
    return cls(**dict(zip(fields, values)))


@cache
def _defaults(cls):
    """Return the parameters of a class and their defaults, which inspection finds too slowly."""
    found = inspect.signature(cls.__init__).parameters
    return {name: found[name].default for name in sorted(found.keys() - {"self"})}
