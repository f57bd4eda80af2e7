"""What all extensions of a profile have in common.

Names, keys and reserved values come from the `HelloContext` and from random bytes that are the same when the hello is
built again after a HelloRetryRequest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Self

from qtls.client_hello import HelloContext

from .. import grease
from ..randomness import RandomBytes

HEX: Final = {"hex": True}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReservedValues:
    """The reserved values of one connection, RFC 8701: what 0x0a0a in a list of a profile stands for.

    A key share has the group of supported_groups.
    """

    suite: int
    group: int
    version: int

    @classmethod
    def draw(cls, random: RandomBytes) -> ReservedValues:
        """Three values, each by itself."""
        return cls(
            suite=grease.tls_value(random), group=grease.tls_value(random), version=grease.tls_value(random)
        )


def filled_in(values: tuple[int, ...], reserved: int) -> tuple[int, ...]:
    """`values` with `reserved` in place of 0x0a0a."""
    return tuple(reserved if value == grease.CANONICAL else value for value in values)


@dataclass(frozen=True, kw_only=True)
class Extension:
    """What all have in common. A `pinned` one keeps its place when the others are permuted."""

    pinned: bool = False

    def id_of(self, random: RandomBytes) -> int:
        """The extension's number on this connection."""
        raise NotImplementedError

    def body(self, context: HelloContext, random: RandomBytes) -> bytes | None:
        """The extension's content, or None to leave it out."""
        raise NotImplementedError

    def with_reserved(self, reserved: ReservedValues) -> Self:
        """The same with the connection's reserved values where 0x0a0a stands."""
        return self


@dataclass(frozen=True, kw_only=True)
class Known(Extension):
    """An extension whose number never varies."""

    ID: ClassVar[int]

    def id_of(self, random: RandomBytes) -> int:
        return self.ID


def vector(length_size: Literal[1, 2], data: bytes) -> bytes:
    """`data` behind its length, RFC 8446 §3.4."""
    return len(data).to_bytes(length_size, "big") + data


def uint16s(values: tuple[int, ...]) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)
