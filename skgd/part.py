"""What every part is: an immutable value made of named hyper-parameters.

Optimizers, schedules, penalties, losses and models are parts. A part remembers
nothing; the run owns every array. Compiled code takes a part for the named tuple of
its fields. A part is stored as its class and its fields, and checked when it is read.
"""

import inspect
from collections import namedtuple
from numbers import Integral, Real
from operator import attrgetter
from types import UnionType
from typing import Any, ClassVar, Self, Union, dataclass_transform, get_args, get_origin

NoFields = namedtuple("NoFields", ())

LARGEST_INT = 2**63 - 1  # that compiled code can hold


@dataclass_transform(frozen_default=True)
class Part:
    """A value made of named hyper-parameters, declared as annotated attributes.

    Subclasses write their fields as ``name: float = default`` (or ``int``, ``bool``,
    ``str``, a kind of part, or anything else that only Python code reads) and may bound
    them in ``ranges``: numbers in the notation of intervals, strings by a tuple. Values are
    checked when the part is made, and numbers are made ``float``, so that compiled code sees
    one type for each field. A field whose default is None is declared as ``float | None``. One
    that holds a part is declared as ``Schedule | str`` and takes an instance, or its name in the
    table ``named`` of its kind. What is annotated as ``ClassVar`` is no field.

    Raises
    ------
    TypeError
        For a field that is unknown, missing, or of another kind than is declared.
    ValueError
        For a number outside its range, and for a name that is not known.

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
    ValueError: The 'beta' parameter of Momentum must be a number in [0, 1). Got 1.5 instead.
    """

    __slots__ = ("_values",)
    __signature__ = inspect.Signature()
    _fields: ClassVar[tuple[str, ...]] = ()
    _tuple: ClassVar[type[tuple]] = NoFields
    _types: ClassVar[dict[str, Any]] = {}
    _defaults: ClassVar[dict[str, Any]] = {}
    ranges: ClassVar[dict[str, str | tuple[str, ...]]] = {}
    named: ClassVar[dict[str | None, type["Part"]]] = {}

    def __init_subclass__(cls) -> None:
        annotated = inspect.get_annotations(cls, eval_str=True)
        declared = {
            f: kind for f, kind in annotated.items() if ClassVar not in (kind, get_origin(kind))
        }
        if not declared:
            return
        cls._types = cls._types | declared
        cls._fields = tuple(cls._types)
        cls._tuple = _named_tuple(cls, cls._fields)
        cls._defaults = cls._defaults | {f: cls.__dict__[f] for f in declared if f in cls.__dict__}
        for field in cls._fields:
            setattr(cls, field, property(attrgetter(f"_values.{field}")))
        cls.__signature__ = inspect.Signature([*map(cls._parameter, cls._fields)])

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
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

    def __setattr__(self, name: str, *value: Any) -> None:
        raise AttributeError(
            f"{type(self).__name__} cannot be changed; replace({name}=...) returns another."
        )

    __delattr__ = __setattr__

    @classmethod
    def _parameter(cls, field):
        """Return a field as a parameter of the signature."""
        return inspect.Parameter(
            field,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=cls._defaults.get(field, inspect.Parameter.empty),
            annotation=cls._types[field],
        )

    @classmethod
    def _checked(cls, field, value):
        """Return the value as it is kept, if the field can have it."""
        if field in cls._defaults and value is cls._defaults[field]:
            return value
        kind, allowed = _kind(cls._types[field]), cls.ranges.get(field)
        read, wanted = _reader(kind, allowed)
        try:
            return read(value, kind, allowed)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"The {field!r} parameter of {cls.__name__} must be {wanted}. "
                f"Got {value!r} instead."
            ) from None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the fields and their values, parts inside this part included."""
        params = self._asdict()
        inner = {name: part for name, part in params.items() if isinstance(part, Part)}
        if deep:
            for name, part in inner.items():
                params |= {f"{name}__{key}": value for key, value in part.get_params().items()}
        return params

    def replace(self, **changes: Any) -> Self:
        """Return a new part with some fields changed; ``inner__field`` reaches inside."""
        own = self._asdict()
        for name, value in changes.items():
            outer, _, rest = name.partition("__")
            own[outer] = own[outer].replace(**{rest: value}) if rest else value
        return type(self)(**own)

    @property
    def as_tuple(self):
        """The named tuple of the fields, which compiled code takes for the part."""
        return self._values

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


def is_number(value, kind=Real):
    """Whether a value is a number of this kind; True and False and durations are none."""
    return isinstance(value, kind) and not isinstance(value, bool) and _letter(value) != "m"


def _letter(value):
    """Return numpy's letter for the type of a value; None where it has none."""
    return getattr(getattr(value, "dtype", None), "kind", None)


def _kind(declared):
    """Return the one kind of value that a field has, beside None and the names of parts."""
    if get_origin(declared) not in (Union, UnionType):
        return declared
    kinds = [kind for kind in get_args(declared) if kind is not type(None)]
    parts = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Part)]
    return (parts or kinds)[0]


# Each kind of field has a reader, which returns a value as it is kept, or raises.


def _reader(kind, allowed):
    """Return what reads the values of a field, and the words for those that it takes."""
    if kind is float:
        return _read_float, f"a number in {allowed}" if allowed else "a number"
    if kind is int:
        return _read_int, f"an integer in {allowed}" if allowed else "an integer"
    if kind is bool:
        return _read_bool, "True or False"
    if kind is str:
        return _read_str, f"one of {list(allowed)}" if allowed else "a string"
    if isinstance(kind, type) and issubclass(kind, Part):
        known = f"one of {list(kind.named)} or " if kind.named else ""
        return _read_part, f"{known}an instance of {kind.__name__}"
    return _read_anything, "of any kind"


def _read_float(value, kind, allowed):
    if not is_number(value, Real):
        raise TypeError
    try:
        number = float(value)
    except OverflowError:
        raise ValueError from None
    return _within(number, allowed)


def _read_int(value, kind, allowed):
    if not is_number(value, Integral):
        raise TypeError
    if abs(value) > LARGEST_INT:
        raise ValueError
    return _within(int(value), allowed)


def _read_bool(value, kind, allowed):
    of_numpy = getattr(value, "shape", None) == () and _letter(value) == "b"
    if not (isinstance(value, bool) or of_numpy):
        raise TypeError
    return bool(value)


def _read_str(value, kind, allowed):
    if not isinstance(value, str):
        raise TypeError
    if allowed and value not in allowed:
        raise ValueError
    return str(value)


def _read_part(value, kind, allowed):
    if isinstance(value, kind):
        return value
    if not isinstance(value, str | None):
        raise TypeError
    if value not in kind.named:
        raise ValueError
    return kind.named[value]()


def _read_anything(value, kind, allowed):
    return value


def _within(value, interval):
    """Return the number, if it lies in the interval, in which NaN lies never."""
    interval = interval or "(-inf, inf)"
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = value >= low if interval[0] == "[" else value > low
    below = value <= high if interval[-1] == "]" else value < high
    if not (above and below):
        raise ValueError
    return value
