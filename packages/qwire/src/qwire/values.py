"""What small values have in common: equality, hash and repr by their fields.

Written by hand, where a dataclass would compile six functions per class whenever its module is imported.
"""

from __future__ import annotations

from typing import Any, ClassVar

from qwire.compiling import mypyc_attr


@mypyc_attr(acyclic=True, allow_interpreted_subclasses=True)
class Value:
    """Base of values. ``FIELDS`` names the attributes that make one equal to another and that ``repr`` shows."""

    __slots__ = ()
    FIELDS: ClassVar[tuple[str, ...]] = ()

    def contents(self) -> tuple[Any, ...]:
        """What the fields hold."""
        return tuple([getattr(self, name) for name in self.FIELDS])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value) or other.__class__ is not self.__class__:
            return NotImplemented
        return self.contents() == other.contents()

    def __hash__(self) -> int:
        return hash(self.contents())

    def __repr__(self) -> str:
        fields = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.FIELDS])
        return f"{self.__class__.__name__}({fields})"
