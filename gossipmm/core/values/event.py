"""Makes the classes of events: frozen dataclasses with slots, at a tenth of the cost.

``dataclasses`` writes and compiles six methods for each class, and makes it twice: 10 ms for all
events, which every start of an agent paid. Here the methods are written once, for all.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import Any, NoReturn, TypeVar, dataclass_transform

__all__ = ("event",)

_T = TypeVar("_T")
_set = object.__setattr__


def _init(self: Any, *values: Any, **named: Any) -> None:
    names = self.__slots__
    if named or len(values) != len(names):
        rest = names[len(values) :]
        if len(values) > len(names) or set(named) != set(rest):
            raise TypeError(f"{type(self).__name__} takes {', '.join(names)}, each once")
        values = (*values, *(named[name] for name in rest))
    for name, value in zip(names, values, strict=True):
        _set(self, name, value)


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__slots__])


def _eq(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented


def _repr(self: Any) -> str:
    fields = (f"{name}={getattr(self, name)!r}" for name in self.__slots__)
    return f"{type(self).__qualname__}({', '.join(fields)})"


def _frozen(_: Any, name: str, *_value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot change field {name!r}")


_METHODS = {
    "__init__": _init,
    "__eq__": _eq,
    "__hash__": lambda self: hash(_values(self)),
    "__repr__": _repr,
    "__setattr__": _frozen,
    "__delattr__": _frozen,
    "__reduce__": lambda self: (type(self), _values(self)),
}


@dataclass_transform(frozen_default=True)
def event(kind: type[_T]) -> type[_T]:
    """Make a class of events from its annotated fields; none may have a default."""
    space = {
        name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")
    }
    space |= _METHODS
    space["__slots__"] = tuple(kind.__annotations__)
    made: Any = type(kind.__name__, (), space)
    found: type[_T] = dataclass(init=False, repr=False, eq=False)(made)
    return found
