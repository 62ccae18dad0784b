"""What every part is: an immutable value made of named hyper-parameters.

Optimizers, schedules, penalties, losses and models are parts. A part remembers
nothing; the run owns every array. Compiled code takes a part for the named tuple of
its fields. A part is stored as its class and its fields, and checked when it is read.
"""

import inspect
import math
from collections import namedtuple
from numbers import Real
from operator import attrgetter

NoFields = namedtuple("NoFields", ())


class Part:
    """A value made of named hyper-parameters, declared as annotated attributes.

    Subclasses write their fields as ``name: float = default`` (or ``bool``, or
    anything else that only Python code reads) and may bound them in ``ranges``,
    in the notation of intervals. Numbers are checked and made ``float`` when the
    part is made, so that compiled code sees one type for each field.

    Raises
    ------
    TypeError
        For a field that is unknown, missing, or not a number where a number is
        declared.
    ValueError
        For a number outside its range.

    Examples
    --------
    >>> from skgd.optimizers import Momentum
    >>> Momentum(beta=0.5)
    Momentum(beta=0.5, averaged=False)
    >>> Momentum(0.5).replace(averaged=True).get_params()
    {'beta': 0.5, 'averaged': True}
    >>> Momentum(1.5)
    Traceback (most recent call last):
    ...
    ValueError: The 'beta' parameter of Momentum must be in [0, 1). Got 1.5 instead.
    """

    __slots__ = ("_values",)
    _fields = ()
    _tuple = NoFields
    _types = {}
    _defaults = {}
    ranges = {}

    def __init_subclass__(cls):
        declared = inspect.get_annotations(cls, eval_str=True)
        if not declared:
            return
        cls._types = cls._types | declared
        cls._fields = tuple(cls._types)
        cls._tuple = _named_tuple(cls, cls._fields)
        cls._defaults = cls._defaults | {f: cls.__dict__[f] for f in declared if f in cls.__dict__}
        for field in cls._fields:
            setattr(cls, field, property(attrgetter(f"_values.{field}")))

    def __new__(cls, *args, **kwargs):
        values = dict(zip(cls._fields, args))
        surplus = set(kwargs) - set(cls._fields) | set(kwargs) & set(values)
        if surplus or len(args) > len(cls._fields):
            raise TypeError(
                f"{cls.__name__} takes the parameters {list(cls._fields)}, each once. "
                f"Got {len(args)} by position and {sorted(kwargs)} by name."
            )
        values = cls._defaults | values | kwargs
        missing = [field for field in cls._fields if field not in values]
        if missing:
            raise TypeError(f"{cls.__name__} needs a value for {missing}.")
        part = object.__new__(cls)
        fields = cls._tuple(*(cls._checked(f, values[f]) for f in cls._fields))
        object.__setattr__(part, "_values", fields)
        return part

    def __setattr__(self, name, *value):
        raise AttributeError(
            f"{type(self).__name__} cannot be changed; replace({name}=...) returns another."
        )

    __delattr__ = __setattr__

    @classmethod
    def _checked(cls, field, value):
        allowed = cls.ranges.get(field, "(-inf, inf)")
        is_number = cls._types[field] is float
        if field in cls._defaults and value is cls._defaults[field]:
            return value
        if is_number and (isinstance(value, bool) or not isinstance(value, Real)):
            raise TypeError(
                f"The {field!r} parameter of {cls.__name__} must be a number. "
                f"Got {value!r} instead."
            )
        if is_number and not _within(float(value), allowed):
            raise ValueError(
                f"The {field!r} parameter of {cls.__name__} must be in {allowed}. "
                f"Got {value!r} instead."
            )
        if isinstance(allowed, tuple) and value not in allowed:
            raise ValueError(
                f"The {field!r} parameter of {cls.__name__} must be one of "
                f"{set(allowed)}. Got {value!r} instead."
            )
        return float(value) if is_number else value

    def get_params(self, deep=True):
        """Return the fields and their values, parts inside this part included."""
        params = self._asdict()
        inner = {name: part for name, part in params.items() if isinstance(part, Part)}
        if deep:
            for name, part in inner.items():
                params |= {f"{name}__{key}": value for key, value in part.get_params().items()}
        return params

    def replace(self, **changes):
        """Return a new part with some fields changed; ``inner__field`` reaches inside."""
        own = self._asdict()
        for name, value in changes.items():
            outer, _, rest = name.partition("__")
            own[outer] = own[outer].replace(**{rest: value}) if rest else value
        return type(self)(**own)

    def _asdict(self):
        return dict(zip(self._fields, self._values))

    def __reduce__(self):
        return type(self), tuple(self._values)

    def __eq__(self, other):
        return type(self) is type(other) and self._values == other._values

    def __hash__(self):
        return hash((type(self), self._values))

    def __repr__(self):
        fields = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({fields})"


def _named_tuple(cls, fields):
    """Return the class of the tuples that compiled code takes for the parts of a class."""
    made = namedtuple(cls.__name__, fields, module=cls.__module__)
    made.__qualname__ = f"{cls.__qualname__}._tuple"  # where pickle finds it
    return made


def _within(value, interval):
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = value >= low if interval[0] == "[" else value > low
    below = value <= high if interval[-1] == "]" else value < high
    return above and below and not math.isnan(value)
