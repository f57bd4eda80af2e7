"""The transport parameters of a profile: which, with what values, in what order.

Entries are data; `ParameterList.draw` turns them into the ordered parameters of one connection. The engine
below fills in the connection ID and reads the limits that it has to keep from the result. RFC 9000 §18.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, TypeGuard

import quicvarint
from qwire.constants import VERSION_1
from qwire.transport_parameters import Parameter, TransportParameters

from . import grease
from .bounds import RESERVED_BITS, UINT32, VARINT, check, check_all, check_span, check_varint_size
from .randomness import RandomBytes, below, between, shuffle

INITIAL_SOURCE_CONNECTION_ID: Final = 0x0F
VERSION_INFORMATION: Final = 0x11
GOOGLE_INITIAL_RTT: Final = 0x3127
GOOGLE_CONNECTION_OPTIONS: Final = 0x3128


@dataclass(frozen=True, kw_only=True)
class Known:
    """What some values depend on: seconds of a cached round trip to the server, and the version in use."""

    rtt: float | None = None
    version: int = VERSION_1


@dataclass(frozen=True, kw_only=True)
class Integer:
    """A parameter that is one varint; `size` 0 is the shortest encoding."""

    id: int = field(metadata={"hex": True})
    value: int
    size: int = 0

    def __post_init__(self) -> None:
        check("id", self.id, VARINT)
        check("value", self.value, VARINT)
        check_varint_size("value", self.size)
        if self.size and self.value >= 1 << (8 * self.size - 2):
            raise ValueError(f"{self.value} is no varint of {self.size} bytes")

    def draw(self, random: RandomBytes, known: Known) -> Parameter | None:
        encoded = bytearray()
        if self.size:
            quicvarint.append_sized(encoded, self.value, self.size)
        else:
            quicvarint.append(encoded, self.value)
        return Parameter(self.id, bytes(encoded))


@dataclass(frozen=True, kw_only=True)
class Opaque:
    """A parameter with these bytes. `id_size` and `length_size` ask for longer varints than needed.

    The bits that are set in `drawn`, which is empty or as long as the value, are random on each connection.
    """

    id: int = field(metadata={"hex": True})
    value: bytes = b""
    drawn: bytes = b""
    id_size: int = 0
    length_size: int = 0

    def __post_init__(self) -> None:
        check("id", self.id, VARINT)
        check_varint_size("id", self.id_size)
        check_varint_size("length", self.length_size)
        if self.id_size and self.id >= 1 << (8 * self.id_size - 2):
            raise ValueError(f"{self.id:#x} is no varint of {self.id_size} bytes")
        if self.drawn and len(self.drawn) != len(self.value):
            raise ValueError(f"{len(self.drawn)} bytes say which bits of {len(self.value)} are drawn")

    def draw(self, random: RandomBytes, known: Known) -> Parameter | None:
        value = self.value
        if self.drawn:
            chance = random(len(value))
            value = bytes(
                byte & ~mask & 0xFF | other & mask
                for byte, mask, other in zip(value, self.drawn, chance, strict=True)
            )
        return Parameter(self.id, value, self.id_size, self.length_size)


@dataclass(frozen=True, kw_only=True)
class SourceConnectionId:
    """initial_source_connection_id; the engine fills it in."""

    id: int = field(default=INITIAL_SOURCE_CONNECTION_ID, metadata={"hex": True})

    def __post_init__(self) -> None:
        check("id", self.id, VARINT)

    def draw(self, random: RandomBytes, known: Known) -> Parameter | None:
        return Parameter(self.id, b"")


@dataclass(frozen=True, kw_only=True)
class VersionInformation:
    """version_information, RFC 9368 §3.

    The chosen version is the one in use, unless `chosen` says otherwise. `grease` puts one reserved version among
    the available ones, at that place. 0xff73db is the id of drafts.
    """

    id: int = field(default=VERSION_INFORMATION, metadata={"hex": True})
    chosen: int | None = field(default=None, metadata={"hex": True})
    available: tuple[int, ...] = field(default=(VERSION_1,), metadata={"hex": True})
    grease: Literal["none", "first", "last", "random"] = "none"

    def __post_init__(self) -> None:
        check("id", self.id, VARINT)
        check_all("a version", (*self.available, self.chosen or 0), UINT32)

    def draw(self, random: RandomBytes, known: Known) -> Parameter | None:
        versions = list(self.available)
        if self.grease != "none":
            label = grease.version(random)
            places = {"first": 0, "last": len(versions)}
            place = places.get(self.grease)
            versions.insert(below(random, len(versions) + 1) if place is None else place, label)
        chosen = known.version if self.chosen is None else self.chosen
        value = b"".join(version.to_bytes(4, "big") for version in (chosen, *versions))
        return Parameter(self.id, value)


@dataclass(frozen=True, kw_only=True)
class Reserved:
    """A parameter that must be ignored: its id, its length and its bytes are drawn. RFC 9000 §18.1.

    The N of 31 * N + 27 has `id_bits` random bits; with 0 the id is uniform below 2^62.
    """

    min_length: int = 0
    max_length: int = 15
    id_bits: int = 0

    def __post_init__(self) -> None:
        check_span("the length", self.min_length, self.max_length)
        check("id_bits", self.id_bits, RESERVED_BITS)

    def draw(self, random: RandomBytes, known: Known) -> Parameter | None:
        number = grease.parameter_id(random, self.id_bits)
        return Parameter(number, random(between(random, self.min_length, self.max_length)))


@dataclass(frozen=True, kw_only=True)
class CachedRtt:
    """Microseconds of a round trip measured on an earlier connection; left out when there was none."""

    id: int = field(default=GOOGLE_INITIAL_RTT, metadata={"hex": True})

    def __post_init__(self) -> None:
        check("id", self.id, VARINT)

    def draw(self, random: RandomBytes, known: Known) -> Parameter | None:
        if known.rtt is None:
            return None
        encoded = bytearray()
        quicvarint.append(encoded, max(1, round(known.rtt * 1_000_000)))
        return Parameter(self.id, bytes(encoded))


ParameterSpec: TypeAlias = Integer | Opaque | SourceConnectionId | VersionInformation | Reserved | CachedRtt


@dataclass(frozen=True, kw_only=True)
class ParameterList:
    """Parameters and their order.

    Attributes:
        order: "fixed" as listed, "shuffled" anew per connection, "ascending" by id, "rotated" as listed from a
            random one on and around.
        tail: how many at the end of the list keep their places.
        suppressed: ids of entries to leave out, so that a profile can be changed without being written anew; 27
            stands for all of the form 31 * N + 27.
    """

    order: Literal["fixed", "shuffled", "ascending", "rotated"] = "fixed"
    tail: int = 0
    suppressed: tuple[int, ...] = field(default=(), metadata={"hex": True})
    entries: tuple[ParameterSpec, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.tail <= len(self.entries):
            raise ValueError(f"a tail of {self.tail} among {len(self.entries)} parameters")

    def draw(self, random: RandomBytes, known: Known | None = None) -> TransportParameters:
        """The parameters of one connection."""
        known = known or Known()
        free = len(self.entries) - self.tail
        drawn = [entry.draw(random, known) for entry in self.entries]
        parameters = [parameter for parameter in drawn[:free] if self._is_sent(parameter)]
        last = [parameter for parameter in drawn[free:] if self._is_sent(parameter)]
        if self.order == "shuffled":
            shuffle(random, parameters)
        elif self.order == "ascending":
            parameters.sort(key=lambda parameter: parameter.id)
        elif self.order == "rotated" and parameters:
            start = below(random, len(parameters))
            parameters = parameters[start:] + parameters[:start]
        return TransportParameters([*parameters, *last])

    def _is_sent(self, parameter: Parameter | None) -> TypeGuard[Parameter]:
        if parameter is None or parameter.id in self.suppressed:
            return False
        return not (grease.CANONICAL_PARAMETER in self.suppressed and grease.is_parameter(parameter.id))
