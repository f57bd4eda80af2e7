"""That a class made here is to its users what the standard decorator would have made of it."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any, Final

import pytest

from qtls import light_dataclass
from qtls.light_dataclass import dataclass, field, replace


@dataclass(frozen=True, kw_only=True)
class Light:
    """What configuration looks like."""

    required: int
    named: str = "a"
    made: list[int] = field(default_factory=list)
    secret: bytes = field(default=b"", repr=False)
    ignored: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if self.required < 0:
            raise ValueError("below 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Standard:
    """What configuration looks like."""

    required: int
    named: str = "a"
    made: list[int] = dataclasses.field(default_factory=list)
    secret: bytes = dataclasses.field(default=b"", repr=False)
    ignored: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


@dataclass(frozen=True, init=False)
class Summed:
    parts: tuple[int, ...]
    total: int = field(init=False, repr=False, compare=False)

    def __init__(self, parts: tuple[int, ...]) -> None:
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "total", sum(parts))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Extended(Light):
    more: int = 0


class Named(Light):
    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.note = "of a subclass"


VALUE: Final = Light(required=1, secret=b"s")


def seen(kind: Any) -> list[tuple[Any, ...]]:
    names = ("name", "type", "default", "default_factory", "init", "repr", "compare", "hash", "kw_only")
    return [tuple(getattr(each, name) for name in names) for each in dataclasses.fields(kind)]


def test_fields_are_those_of_the_standard_decorator() -> None:
    assert dataclasses.is_dataclass(Light)
    assert dataclasses.is_dataclass(VALUE)
    assert seen(Standard) == seen(Light) == seen(VALUE)
    assert inspect.signature(Standard).parameters == inspect.signature(Light).parameters
    assert ("a", b"") == (Light.named, Light.secret)
    assert not hasattr(Light, "made")


def test_arguments_and_defaults() -> None:
    assert {"required": 1, "named": "a", "made": [], "secret": b"s", "ignored": 0} == vars(VALUE)
    assert Light(required=1).made is not Light(required=1).made
    assert (3, 0) == (Point(3).x, Point(3).y)
    assert Point(1, 2) == Point(1, y=2) == Point(y=2, x=1)


@pytest.mark.parametrize(
    ("kind", "args", "named", "words"),
    [
        pytest.param(Light, (), {}, "missing .* 'required'", id="missing"),
        pytest.param(Light, (), {"required": 1, "nmaed": 2}, "unexpected .* 'nmaed'", id="unknown"),
        pytest.param(Light, (1,), {}, "takes 0 positional", id="by position"),
        pytest.param(Point, (1, 2, 3), {}, "takes 2 positional", id="too many"),
        pytest.param(Point, (1,), {"x": 2}, "multiple values .* 'x'", id="twice"),
    ],
)
def test_wrong_arguments(kind: Any, args: tuple[int, ...], named: dict[str, int], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        kind(*args, **named)


def test_what_is_made_is_checked() -> None:
    with pytest.raises(ValueError, match="below 0"):
        Light(required=-1)
    with pytest.raises(ValueError, match="below 0"):
        replace(VALUE, required=-1)


def test_equality_and_hash() -> None:
    assert Light(required=1, secret=b"s", ignored=7) == VALUE
    assert Light(required=1) != VALUE
    assert Extended(required=1, secret=b"s") != VALUE
    assert hash(Point(1, 2)) == hash(Point(1, 2))
    assert {Point(1, 2)} == {Point(1, 2), Point(1, y=2)}


def test_repr_hides_what_is_secret() -> None:
    assert "Light(required=1, named='a', made=[], ignored=0)" == repr(VALUE)
    assert "Point(x=1, y=2)" == repr(Point(1, 2))


def test_nothing_changes() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError, match="named"):
        VALUE.named = "b"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="other"):
        VALUE.other = 1  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError, match="named"):
        del VALUE.named
    assert "a" == VALUE.named


@pytest.mark.parametrize("change", [replace, dataclasses.replace])
def test_replace(change: Any) -> None:
    assert Light(required=2, secret=b"s") == change(VALUE, required=2)
    assert Summed((1, 2)) == change(Summed((3,)), parts=(1, 2))
    assert Extended(required=2, more=5) == change(Extended(required=1, more=5), required=2)
    assert Standard(required=2) == change(Standard(required=1), required=2)
    with pytest.raises(TypeError, match="nmaed"):
        change(VALUE, nmaed=2)


def test_a_class_may_have_an_init_of_its_own() -> None:
    assert 6 == Summed((1, 2, 3)).total
    assert Summed((1, 2)) != Summed((3,))
    assert "Summed(parts=(1,))" == repr(Summed((1,)))


@pytest.mark.parametrize(
    "value", [VALUE, Point(1, 2), Summed((1, 2)), Extended(required=1, more=2), Named(required=1)]
)
def test_copies(value: Any) -> None:
    assert [value] * 3 == [pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)]
    assert vars(value) == vars(pickle.loads(pickle.dumps(value)))


def test_dictionaries_and_patterns() -> None:
    assert {"x": 1, "y": 2} == dataclasses.asdict(Point(1, 2))
    match Point(1, 2):
        case Point(x, y):
            assert (1, 2) == (x, y)


def test_subclasses() -> None:
    assert ["required", "named", "made", "secret", "ignored", "more"] == [
        each.name for each in dataclasses.fields(Extended)
    ]
    assert "of a subclass" == Named(required=1).note
    with pytest.raises(dataclasses.FrozenInstanceError):
        Named(required=1).named = "b"  # type: ignore[misc]


def test_it_is_not_the_standard_decorator() -> None:
    # Type checkers are told that it is; a class made by that would have its methods compiled on import.
    assert light_dataclass.dataclass is not dataclasses.dataclass
    assert vars(Light)["__init__"] is vars(Point)["__init__"]
