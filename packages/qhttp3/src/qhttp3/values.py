"""What small values have in common: equality, hash and repr by their slots.

Written by hand, where a dataclass would compile six functions per class whenever its module is imported.
"""

from __future__ import annotations

from typing import Any, ClassVar


class Value:
    """Base of values that are compared and shown, and that nobody changes once they are made.

    A subclass names its fields in ``__slots__`` and declares them ``Final``; those in ``HIDDEN``, long or secret, are
    left out of ``repr``.
    """

    __slots__: ClassVar[tuple[str, ...]] = ()
    HIDDEN: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self._contents() == other._contents()

    def __hash__(self) -> int:
        return hash(self._contents())

    def __repr__(self) -> str:
        shown = [name for name in self.__slots__ if name not in self.HIDDEN]
        return (
            f"{self.__class__.__name__}({', '.join([f'{name}={getattr(self, name)!r}' for name in shown])})"
        )

    def _contents(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.__slots__])
