"""Dataclasses that take no time to import: `dataclass`, `field` and `replace` for configuration.

The decorator of the standard library writes the source of half a dozen methods for every class and compiles it: a
millisecond each, whenever the module is imported. Here all classes share methods that go through their fields. Type
checkers see the standard functions, and who looks at such a class with `dataclasses.fields`, `replace`, `asdict` or
`inspect.signature` finds what he would find on a standard one, which is made then.

Made for configuration, so only for what is frozen, without slots, and does not inherit fields. A subclass may be a
standard dataclass. `qtls` and `qhttp3`, which know nothing of each other, each have this file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace

__all__ = ["dataclass", "field", "replace"]

Made = TypeVar("Made")

NOTHING: Final = object()


class _Field:
    """What a class says of one of its fields."""

    __slots__ = ("compare", "default", "default_factory", "init", "repr")

    def __init__(
        self,
        *,
        default: Any = NOTHING,
        default_factory: Callable[[], Any] | None = None,
        init: bool = True,
        repr: bool = True,
        compare: bool = True,
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare


class _OfStandard:
    """An attribute that is read off the standard dataclass of the same fields."""

    __slots__ = ("_kind", "_read")

    def __init__(self, kind: type, read: Callable[[type], Any]) -> None:
        self._kind = kind
        self._read = read

    def __get__(self, instance: object, owner: type) -> Any:
        return self._read(_standard(self._kind))


@cache
def _standard(kind: Any) -> type:
    """The standard dataclass with the fields of one that was made here."""
    from dataclasses import field, make_dataclass

    fields: list[Any] = []
    for name, said in kind._fields.items():
        options: dict[str, Any] = {"init": said.init, "repr": said.repr, "compare": said.compare}
        if said.default_factory is not None:
            options["default_factory"] = said.default_factory
        elif said.default is not NOTHING:
            options["default"] = said.default
        fields.append((name, kind.__annotations__[name], field(**options)))
    return make_dataclass(kind.__name__, fields, frozen=True, kw_only=kind._kw_only)


def _signature(kind: type) -> object:
    from inspect import signature

    return signature(kind)


def _init(self: Any, /, *args: Any, **named: Any) -> None:
    """Keep what is given, and the defaults of the rest."""
    kind = type(self)
    if args:
        names = [] if self._kw_only else list(self._fields)
        if len(args) > len(names):
            raise TypeError(f"{kind.__name__}() takes {len(names)} positional arguments, not {len(args)}")
        for name, value in zip(names, args, strict=False):
            if name in named:
                raise TypeError(f"{kind.__name__}() got multiple values for argument {name!r}")
            named[name] = value
    keep = object.__setattr__
    for name, said in self._fields.items():
        if name in named:
            keep(self, name, named.pop(name))
        elif said.default_factory is not None:
            keep(self, name, said.default_factory())
        elif said.default is not NOTHING:
            keep(self, name, said.default)
        else:
            raise TypeError(f"{kind.__name__}() is missing the required argument {name!r}")
    if named:
        raise TypeError(f"{kind.__name__}() got an unexpected keyword argument {next(iter(named))!r}")
    if hasattr(self, "__post_init__"):
        self.__post_init__()


def _compared(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name, said in self._fields.items() if said.compare])


def _eq(self: Any, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return _compared(self) == _compared(other)


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _repr(self: Any) -> str:
    shown = [f"{name}={getattr(self, name)!r}" for name, said in self._fields.items() if said.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _setattr(self: Any, name: str, value: object) -> None:
    _refuse_to_change(self, name, "assign to")
    object.__setattr__(self, name, value)


def _delattr(self: Any, name: str) -> None:
    _refuse_to_change(self, name, "delete")
    object.__delattr__(self, name)


def _refuse_to_change(self: Any, name: str, verb: str) -> None:
    """Subclasses may have attributes besides."""
    if name in self._fields or "_fields" in vars(type(self)):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot {verb} field {name!r}")


def _replace(instance: Any, /, **changes: Any) -> Any:
    """The same with other values, of any dataclass."""
    kind = type(instance)
    if "_fields" not in vars(kind):
        from dataclasses import replace

        return replace(instance, **changes)
    kept = {name: getattr(instance, name) for name, said in kind._fields.items() if said.init}
    return kind(**kept | changes)


METHODS: Final = {
    "__init__": _init,
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__replace__": _replace,
}


def _dataclass(
    *, frozen: Literal[True], init: bool = True, kw_only: bool = False
) -> Callable[[type[Made]], type[Made]]:
    def made(kind: Any) -> Any:
        fields = {}
        for name in kind.__annotations__:
            default = vars(kind).get(name, NOTHING)
            said = default if isinstance(default, _Field) else _Field(default=default)
            if said is default:  # a class shows the defaults of its fields
                if said.default is NOTHING:
                    delattr(kind, name)
                else:
                    setattr(kind, name, said.default)
            fields[name] = said
        attributes = {
            "_fields": fields,
            "_kw_only": kw_only,
            "__match_args__": () if kw_only else tuple(fields),
            "__dataclass_fields__": _OfStandard(kind, attrgetter("__dataclass_fields__")),
            "__dataclass_params__": _OfStandard(kind, attrgetter("__dataclass_params__")),
            "__signature__": _OfStandard(kind, _signature),
        }
        for name, value in (METHODS | attributes).items():
            if init or name != "__init__":
                setattr(kind, name, value)
        return kind

    return made


if not TYPE_CHECKING:
    dataclass, field, replace = _dataclass, _Field, _replace
